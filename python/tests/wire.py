"""Requests and answers as clients write and read them: JSON, CSV, npy, raw bytes, and KServe V2 by tritonclient."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import tritonclient.http as triton
from casefile import Arrays, Call
from tritonclient.utils import np_to_triton_dtype

#: Numbers must agree this well. The same library computes both, so this is room for the wire, not for the engine.
RELATIVE, ABSOLUTE = 1e-5, 1e-7
JSON = {"content-type": "application/json"}
CSV = {"content-type": "text/csv"}
NPY = {"content-type": "application/x-npy"}
RAW = {"content-type": "application/octet-stream"}


def by_name(inputs: Arrays) -> dict:
    """The body that every function takes: each input by name."""
    return {"inputs": {name: value.tolist() for name, value in inputs.items()}}


def column_names(inputs: Arrays, columns: list[str] | None) -> list[str]:
    """Names of the columns of a table: given for one matrix, the inputs' own for one input a column."""
    return columns if columns else list(inputs)


def table(inputs: Arrays) -> list[list]:
    """Rows of a table: of the one matrix, or of all inputs side by side."""
    rows = zip(*(value.tolist() for value in inputs.values()), strict=True)
    return [[cell for part in row for cell in part] for row in rows]


def records(inputs: Arrays, columns: list[str] | None = None, *, backwards: bool = False) -> list[dict]:
    """Rows as objects, the keys in the model's order or in the opposite one."""
    names = column_names(inputs, columns)
    rows = [dict(zip(names, row, strict=True)) for row in table(inputs)]
    return [dict(reversed(row.items())) for row in rows] if backwards else rows


def csv_text(inputs: Arrays, columns: list[str] | None = None, *, header: bool = True, backwards: bool = False) -> str:
    """Rows as CSV."""
    out = io.StringIO()
    writer = csv.writer(out)
    names = column_names(inputs, columns)
    order = range(len(names) - 1, -1, -1) if backwards else range(len(names))
    if header:
        writer.writerow([names[i] for i in order])
    writer.writerows([row[i] for i in order] for row in table(inputs))
    return out.getvalue()


def npy_bytes(value: np.ndarray) -> bytes:
    """An array as a .npy file."""
    out = io.BytesIO()
    np.save(out, value)
    return out.getvalue()


def read_npy(content: bytes) -> np.ndarray:
    """A .npy file as an array; objects (pickles) are refused."""
    return np.load(io.BytesIO(content))


def strict_json(text: str | bytes) -> dict:
    """JSON without the words that Python adds (NaN, Infinity)."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


def json_outputs(answer: dict, call: Call) -> Arrays:
    """The outputs of a JSON answer as arrays of the expected types; `null` as NaN."""
    return {name: as_array(answer["outputs"][name], expected) for name, expected in call.outputs.items()}


def as_array(value: object, expected: np.ndarray) -> np.ndarray:
    """A nested list as an array of the expected type, its shape as it came."""
    if expected.dtype.kind == "f":
        found = np.array(value, dtype=np.float64)
        with np.errstate(over="ignore"):
            found = found.astype(expected.dtype)
    else:
        found = np.array(value, dtype=expected.dtype)
    return found.reshape(expected.shape) if expected.size == found.size == 0 else found


def assert_same(found: Arrays, expected: Arrays, what: str, *, infinity_is_nan: bool = False) -> None:
    """Labels, whole numbers and shapes equal; other numbers within the tolerance."""
    assert found.keys() == expected.keys(), what
    for name, right in expected.items():
        got = found[name]
        where = f"{what}: output {name}"
        assert got.shape == right.shape, f"{where}: shape {got.shape}, expected {right.shape}"
        if right.dtype.kind != "f":
            assert got.tolist() == right.tolist(), where
            continue
        if infinity_is_nan:
            right = np.where(np.isinf(right), np.nan, right)
        loose = 4 * np.finfo(right.dtype).eps if right.dtype == np.float16 else RELATIVE
        np.testing.assert_allclose(got, right, rtol=loose, atol=ABSOLUTE, err_msg=where)


def triton_infer(client: triton.InferenceServerClient, name: str, call: Call, **options) -> Arrays:
    """One call by tritonclient, JSON tensors both ways."""
    inputs = []
    for key, value in call.inputs.items():
        tensor = triton.InferInput(key, list(value.shape), np_to_triton_dtype(value.dtype))
        inputs.append(tensor.set_data_from_numpy(value, binary_data=False))
    wanted = [triton.InferRequestedOutput(key, binary_data=False) for key in call.outputs]
    result = client.infer(name, inputs, outputs=wanted, **options)
    return {key: result.as_numpy(key) for key in call.outputs}
