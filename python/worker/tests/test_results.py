"""Results as JSON: what values of libraries become, what NaN becomes, and what the cloud would have written."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import json
import math
import random
import uuid
from decimal import Decimal
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import pytest
from awslambdaric.lambda_runtime_marshaller import Encoder
from modelet_worker.result import DEPTH, Results
from modelet_worker.strict import StrictResults


def written(value, non_finite="null"):
    text = Results(non_finite).encode(value)
    return json.loads(text, parse_constant=pytest.fail)


@dataclasses.dataclass
class Point:
    x: float
    y: object


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


ZONE = datetime.timezone(datetime.timedelta(hours=2))

FORMS = {
    "numpy numbers": ({"p": np.float32(1), "y": np.int64(3), "v": np.arange(3)}, {"p": 1.0, "y": 3, "v": [0, 1, 2]}),
    "an array of arrays": (np.ones((2, 2), np.float16), [[1.0, 1.0], [1.0, 1.0]]),
    "an array of one number": (np.array(2.5), 2.5),
    "float32 is the double that it is": (np.float32(0.1), 0.10000000149011612),
    "truths and texts of numpy": ([np.bool_(True), np.str_("é"), np.array(["a"])], [True, "é", ["a"]]),
    "keys of numpy": ({np.int64(7): "a", np.str_("k"): 1, True: 2}, {"7": "a", "k": 1, "true": 2}),
    "other keys": ({None: 3, 1.5: 4, Decimal("1.10"): 5, Level.HIGH: 6}, {"null": 3, "1.5": 4, "1.10": 5, "3": 6}),
    "dates of numpy": (
        np.array(["2026-01-02T03:04:05.123456789", "NaT"], "M8[ns]"),
        ["2026-01-02T03:04:05.123456789", None],
    ),
    "a date of numpy": (np.datetime64("2026-01-02"), "2026-01-02"),
    "durations of numpy": (np.array([1500, "NaT"], "m8[ms]"), [1.5, None]),
    "a structured array": (
        np.array([(1, "2026-01-01")], [("n", "i4"), ("d", "M8[ns]")]),
        [[1, "2026-01-01T00:00:00.000000000"]],
    ),
    "a data frame": (pd.DataFrame({"a": [1, 2], "b": ["x", None]}), [{"a": 1, "b": "x"}, {"a": 2, "b": None}]),
    "a series with what is missing": (pd.Series([1, None], dtype="Int64"), [1, None]),
    "dates of pandas": (pd.Series(pd.to_datetime(["2026-01-02 03:04", None])), ["2026-01-02T03:04:00", None]),
    "an index": (pd.Index(["a", "b"]), ["a", "b"]),
    "categories": (pd.Categorical(["a", "b"]), ["a", "b"]),
    "a timestamp as a key": ({pd.Timestamp("2026-01-02", tz="UTC"): 1}, {"2026-01-02T00:00:00+00:00": 1}),
    "a duration of pandas": (pd.Timedelta("1.5s"), 1.5),
    "dates": (
        [datetime.datetime(2026, 1, 2, 3, tzinfo=ZONE), datetime.date(2026, 1, 2), datetime.time(3, 4)],
        ["2026-01-02T03:00:00+02:00", "2026-01-02", "03:04:00"],
    ),
    "a duration": (datetime.timedelta(minutes=1, milliseconds=1), 60.001),
    "uuid and path": ([uuid.UUID(int=5), PurePosixPath("/a/b")], ["00000000-0000-0000-0000-000000000005", "/a/b"]),
    "bytes": ([b"\x00\xff", bytearray(b"a"), memoryview(b"b")], ["AP8=", "YQ==", "Yg=="]),
    "sets": ([{3, 1, 2}, frozenset("ba")], [[1, 2, 3], ["a", "b"]]),
    "a dataclass": (Point(1, Point(np.float64(2), None)), {"x": 1, "y": {"x": 2.0, "y": None}}),
    "enums": ([Color.RED, Level.HIGH], ["red", 3]),
    "dictionaries of other kinds": (collections.OrderedDict(a=collections.Counter("aa")), {"a": {"a": 2}}),
    "tuples": (((1, 2), ()), [[1, 2], []]),
}


@pytest.mark.parametrize("case", FORMS)
def test_values_of_libraries_have_a_form(case):
    value, form = FORMS[case]
    assert written(value) == form
    assert written([value, float("nan")]) == [form, None], "also where json alone does not do"


def test_a_decimal_is_the_number_as_it_is_written():
    value = {"d": Decimal("1.10"), "long": Decimal("0.1234567890123456789012345678901234567890")}
    assert Results().encode(value) == b'{"d": 1.10, "long": 0.1234567890123456789012345678901234567890}'
    assert written([Decimal("NaN"), Decimal("-Infinity")], "text") == ["NaN", "-Infinity"]


def test_text_is_utf8_and_not_escaped():
    assert Results().encode("é" * 1000) == b'"' + "é".encode() * 1000 + b'"'
    assert len(Results().encode("é" * 1000)) == 2002


def test_numbers_that_json_does_not_have_follow_the_policy():
    value = {"a": [1.0, math.nan], "b": np.array([math.inf, -math.inf])}
    assert written(value, "null") == {"a": [1.0, None], "b": [None, None]}
    assert written(value, "text") == {"a": [1.0, "NaN"], "b": ["Infinity", "-Infinity"]}
    with pytest.raises(ValueError, match=r'NaN at result\["a"\]\[1\], which JSON does not have'):
        Results("error").encode(value)


def test_what_json_alone_writes_and_what_is_written_piece_by_piece_are_the_same():
    """NaN as the last value makes the difference."""
    rng = random.Random(5)

    def any_value(depth):
        if depth == 0 or rng.random() < 0.3:
            return rng.choice([None, True, 0, -5, 10**20, 0.1, 1e300, -0.0, 'é\n\u2028"\\', "", rng.random()])
        if rng.random() < 0.5:
            return [any_value(depth - 1) for _ in range(rng.randrange(4))]
        keys = ["a", 1, 1.5, True, None, "ü"]
        return {rng.choice(keys): any_value(depth - 1) for _ in range(rng.randrange(4))}

    for _ in range(500):
        value = any_value(5)
        quick, piecewise = Results().encode(value), Results().encode([value, math.nan])
        assert piecewise == b"[" + quick + b", null]"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": [object()]}, r'Object of type object is not JSON serializable \(at result\["a"\]\[0\]\)'),
        ({"a": {(1, 2): 3}}, r'keys must be texts or numbers, not tuple \(at result\["a"\]\)'),
        ([1j], r"Object of type complex is not JSON serializable \(at result\[0\]\)"),
        ([np.longdouble(1)], r"Object of type longdouble is not JSON serializable"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "a DataFrame has several columns named a"),
        ("\ud800", "surrogates not allowed"),
    ],
)
def test_what_has_no_form_is_refused_by_its_place(value, words):
    with pytest.raises((TypeError, ValueError), match=words):
        Results().encode(value)


def test_what_contains_itself_is_refused():
    value = {"a": []}
    value["a"].append(value)
    with pytest.raises(ValueError, match="Circular reference detected"):
        Results().encode(value)


def test_depth_has_a_limit_where_json_alone_does_not_do():
    value = math.nan
    for _ in range(DEPTH + 1):
        value = [value]
    with pytest.raises(ValueError, match=f"more than {DEPTH} deep"):
        Results().encode(value)


Pair = collections.namedtuple("Pair", "a b")
CLOUD = {
    "plain": {"a": [1, 2.5, None, True, "é\u2028\x7f\U0001f600"], "b": {}, "c": [], "d": ()},
    "numbers": [math.nan, math.inf, -math.inf, 1e22, 10**30, -0.0, np.float64(0.1), Level.HIGH],
    "decimals": [
        Decimal("1.10"),
        Decimal("NaN"),
        Decimal("-Infinity"),
        Decimal("1E+3"),
    ],
    "named tuples": [Pair(1, Pair(2, ()))],
    "bytes": {b"k": b"v"},
    "keys": {1: 1, 1.5: 2, False: 3, None: 4, math.nan: 5},
    "float32": {"p": np.float32(1)},
    "an array": np.arange(3),
    "a set": {1},
    "a date": datetime.date(2026, 1, 1),
    "a key": {(1, 2): 3},
    "bad bytes": [b"\xff"],
    "wrong _asdict": [type("Odd", (), {"_asdict": lambda self: 5})()],
}


@pytest.mark.parametrize("case", CLOUD)
@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_in_strict_mode_results_are_the_clouds_to_the_letter(case, version, monkeypatch):
    monkeypatch.setenv("AWS_EXECUTION_ENV", f"AWS_Lambda_python{version}")
    ours = StrictResults(escaped=version == "3.11")
    assert outcome(ours.encode, CLOUD[case]) == outcome(lambda value: Encoder().encode(value).encode(), CLOUD[case])


def outcome(encode, value):
    """What comes of it: bytes, or an error's kind and words."""
    try:
        return encode(value)
    except Exception as error:
        return type(error), str(error)


def test_in_strict_mode_what_contains_itself_is_refused_in_the_clouds_words():
    value = []
    value.append(value)
    assert outcome(StrictResults().encode, value) == outcome(Encoder().encode, value)
