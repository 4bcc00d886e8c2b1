"""Rows that tell whether trees were imported rightly: thresholds and their neighbours, the ends of the numbers, what is missing."""

from __future__ import annotations

import numpy as np
import wire
from harness import Function

COLUMNS = 6
#: Codes of categories in the first column, where a model has some.
CATEGORIES = 12
#: Thresholds that are tried, at most.
THRESHOLDS = 2_000


def numbers(rows: int, seed: int, dtype: type, categories: bool = False) -> np.ndarray:
    """Rows, one number in ten missing."""
    random = np.random.default_rng(seed)
    table = random.normal(size=(rows, COLUMNS)).astype(dtype)
    if categories:
        table[:, 0] = random.integers(0, CATEGORIES, rows)
    table[random.random(table.shape) < 0.1] = np.nan
    return table


def score(table: np.ndarray) -> np.ndarray:
    """Something to learn."""
    a, b, c, d = np.nan_to_num(table[:, :4]).T
    return 2 * a + b * b - c * d


def rows(thresholds: list[tuple[int, float]], dtype: type, categories: bool = False) -> np.ndarray:
    """Ordinary rows; for every threshold (its column, its value) the value itself and its neighbours in a precision; the
    ends of float32, zeros, nothing at all."""
    asked = np.array(thresholds[:THRESHOLDS], dtype=np.float64).reshape(-1, 2)
    around = numbers(3 * len(asked), 4, dtype, categories).reshape(len(asked), 3, COLUMNS)
    with np.errstate(over="ignore"):  # a threshold beyond float32 is its infinity
        columns, splits = asked[:, 0].astype(int), asked[:, 1].astype(dtype)
        for place, towards in enumerate((-np.inf, None, np.inf)):
            values = splits if towards is None else np.nextafter(splits, dtype(towards))
            around[np.arange(len(asked)), place, columns] = values
    ends = np.array([np.nan, 3e38, -3e38, 0.0, -0.0, 1e-45, 1e-35, -1e-34], dtype=dtype)
    edges = np.repeat(ends[:, None], COLUMNS, axis=1)
    if categories:
        edges[:, 0] = [np.nan, 0, CATEGORIES - 1, CATEGORIES, CATEGORIES + 40, -1, 1.5, -0.5]
    return np.concatenate([numbers(1_000, 5, dtype, categories), around.reshape(-1, COLUMNS), edges])


def answer(function: Function, rows: np.ndarray, output: str) -> np.ndarray:
    """The platform's answer, all rows in one call."""
    headers = wire.NPY | {"accept": "application/x-npy"}
    response = function.post(content=wire.npy_bytes(rows), headers=headers, params={"output": output})
    assert response.status_code == 200, response.text
    return wire.read_npy(response.content)


def labels(function: Function, rows: np.ndarray) -> list:
    """The platform's labels, whatever they are, all rows in one call; missing numbers go as null."""
    response = function.post(content=wire.npy_bytes(rows), headers=wire.NPY, params={"output": "label"})
    assert response.status_code == 200, response.text
    return wire.strict_json(response.content)["outputs"]["label"]
