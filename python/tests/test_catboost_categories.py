"""CatBoost's models of categories, deployed as they are: every answer is that of CatBoost itself, for categories that it saw and
for those that it did not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import catboost as cb
import numpy as np
import pandas as pd
import pytest
import wire
from harness import Function, Platform
from test_catboost import FORMS, RELATIVE, SETTINGS, outputs, write

ROWS = 1_500
CATEGORIES = ["plan", "city", "shop"]
#: Texts for each branch of the hash, by length.
CITIES = [("ab" * 60)[: 1 + at % 110] + f"{at:02}" for at in range(40)] + ["Zürich", "東京", "a b", '"', "0", "-1"]


def customers(rows: int, seed: int, unknown: bool = False) -> pd.DataFrame:
    """Numbers with gaps, few categories, some, and many that are whole numbers."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(2, rows)).astype(np.float32)
    numbers[random.random(numbers.shape) < 0.1] = np.nan
    frame = pd.DataFrame(
        {
            "plan": random.choice(["free", "pro", "team"], rows),
            "age": numbers[0],
            "city": random.choice(CITIES, rows),
            "shop": random.integers(0, 400, rows),
            "spent": numbers[1],
        }
    )
    if unknown:
        frame.loc[::7, "plan"] = "of a later year"
        frame.loc[::5, "city"] = random.choice(["", "nowhere", "x" * 200, "FREE"], len(frame.loc[::5]))
        frame.loc[::3, "shop"] = random.integers(-5, 2**40, len(frame.loc[::3]))
    return frame


FRAME = customers(ROWS, 0)
SCORE = (
    (FRAME["plan"] == "pro") * 1.5
    + np.nan_to_num(FRAME["age"])
    + FRAME["city"].str.len() % 3
    + (FRAME["shop"] % 7) / 3 * (FRAME["plan"] == "team")
    + np.random.default_rng(1).normal(size=ROWS) / 4
).to_numpy()
TWO, FOUR = (SCORE > 2).astype(int), np.digitize(SCORE, [1, 2, 3])


def fitted(kind: type = cb.CatBoostClassifier, y: np.ndarray = TWO, frame: pd.DataFrame = FRAME, **settings) -> cb.CatBoost:
    """A model of that frame."""
    return kind(cat_features=CATEGORIES, **SETTINGS | settings).fit(frame, y)


def regressor(**settings) -> cb.CatBoost:
    """Of numbers."""
    return fitted(cb.CatBoostRegressor, SCORE, **settings)


MODELS: dict[str, Callable[[], cb.CatBoost]] = {
    "usual": fitted,
    "one-hot": lambda: fitted(one_hot_max_size=255),
    "counts-only": lambda: fitted(one_hot_max_size=1, max_ctr_complexity=1),
    "four": lambda: fitted(y=FOUR),
    "four-one-hot": lambda: fitted(y=FOUR, one_hot_max_size=10, loss_function="MultiClassOneVsAll"),
    "flags": lambda: fitted(y=np.stack([TWO, SCORE > 1], axis=1).astype(int), loss_function="MultiLogloss"),
    "numbers": regressor,
    "two-together": lambda: regressor(max_ctr_complexity=2, depth=8),
    "four-together": lambda: fitted(max_ctr_complexity=4, one_hot_max_size=4, depth=8, iterations=60),
    "by-leaf": lambda: fitted(grow_policy="Lossguide", max_leaves=20),
    "by-depth-four": lambda: fitted(y=FOUR, grow_policy="Depthwise", one_hot_max_size=4),
    "missing-is-large": lambda: fitted(nan_mode="Max", max_ctr_complexity=3, iterations=60),
    **{
        f"statistic-{name.lower()}": lambda name=name: regressor(
            simple_ctr=[f"{name}:Prior=0.3/1:Prior=2/7"], combinations_ctr=[f"{name}:Prior=0.1"]
        )
        for name in ["Borders", "Buckets", "BinarizedTargetMeanValue", "Counter"]
    },
    "several-borders": lambda: regressor(
        simple_ctr=["Borders:TargetBorderCount=4", "Buckets:TargetBorderCount=3", "Counter"], one_hot_max_size=1
    ),
    "classes-of-four": lambda: fitted(y=FOUR, simple_ctr=["Buckets", "Borders", "BinarizedTargetMeanValue"]),
    "skips-no-test": lambda: fitted(counter_calc_method="Full", has_time=True),
    "several": lambda: fitted(cb.CatBoostRegressor, np.stack([SCORE, -SCORE], axis=1), loss_function="MultiRMSE"),
    "variance": lambda: regressor(loss_function="RMSEWithUncertainty"),
    "poisson": lambda: fitted(cb.CatBoostRegressor, np.abs(SCORE), loss_function="Poisson"),
}


def records(frame: pd.DataFrame) -> list[dict]:
    """Rows as a client has them: float32 in full, whole numbers as such, what is missing null."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()} for row in rows]


def asked(function: Function, rows: list) -> dict:
    """All outputs."""
    response = function.post({"inputs": rows})
    assert response.status_code == 200, response.text
    return wire.strict_json(response.content)["outputs"]


def around_borders(model: cb.CatBoost) -> pd.DataFrame:
    """Rows with the numbers that a model asks about, and their neighbours."""
    frames = []
    for column, borders in model.get_borders().items():
        name = FRAME.columns[column]
        for towards in (-np.inf, None, np.inf):
            frame = customers(len(borders), 9)
            values = np.array(borders, np.float32)
            # The border of what is missing is the least number; below it is none that JSON has.
            with np.errstate(over="ignore"):
                moved = values if towards is None else np.nextafter(values, np.float32(towards))
            frame[name] = np.maximum(moved, np.finfo(np.float32).min)
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize("name", MODELS)
def test_every_row_is_answered_as_by_catboost_whichever_way_it_was_saved(platform: Platform, tmp_path: Path, name: str):
    """Of three thousand rows half have categories that the model never saw."""
    model = MODELS[name]()
    frame = pd.concat([customers(1_500, 5), customers(1_500, 6, unknown=True), around_borders(model)], ignore_index=True)
    rows = records(frame)
    for form in FORMS:
        function = platform.deploy(write(model, tmp_path / f"model.{form}"), f"categories-{name}-{form}")
        found = asked(function, rows)
        for output, wanted in outputs(model, frame).items():
            if output == "label" and wanted.ndim == 1:
                assert found[output] == wanted.tolist()
            else:
                np.testing.assert_allclose(np.array(found[output]), wanted, rtol=RELATIVE, atol=RELATIVE)
        platform.cli("delete", function.name, "--yes")
