"""Frames as people have them: numbers with gaps, texts with gaps, truths; the same on every machine."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd


def passengers(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    """Like the passengers of the Titanic."""
    random = np.random.RandomState(seed)
    gaps = random.uniform(size=(2, rows)) < 0.15
    port = random.choice(["S", "C", "Q"], rows).astype(object)
    port[gaps[1]] = np.nan
    return pd.DataFrame(
        {
            "class": random.randint(1, 4, rows),
            "sex": random.choice(["male", "female"], rows),
            "age": np.where(gaps[0], np.nan, random.uniform(1, 80, rows).round(1)),
            "fare": random.gamma(2, 16, rows).round(2),
            "port": port,
            "deck": random.choice([*"ABCDEFG", *(f"Z{n}" for n in range(12))], rows),
            "alone": random.uniform(size=rows) < 0.5,
            "note": random.choice(["x", "y"], rows),
        }
    )


def survived(frame: pd.DataFrame, seed: int = 1) -> np.ndarray:
    """A target that each column has something to do with."""
    noise = np.random.RandomState(seed).normal(size=len(frame))
    score = (frame["sex"] == "female") * 1.5 + (frame["class"] == 1) - (frame["age"].fillna(30) > 40)
    return (score + (frame["deck"] < "D") + (frame["port"] == "C") + noise > 1).astype(int).to_numpy()


def records(frame: pd.DataFrame) -> list[dict]:
    """Rows as JSON has them: what is missing is null."""
    return json.loads(frame.to_json(orient="records", double_precision=15))
