"""Python model files are told by their content, and nothing in them runs.

The imports that `inspect` finds are those that Python's own unpicklers ask for.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import random
import subprocess
import warnings
import zlib
from pathlib import Path

import joblib
import numpy as np
import pytest
from estimators import fitted
from harness import PATIENCE_S, find_binary
from joblib.numpy_pickle import NumpyUnpickler
from lightgbm import LGBMClassifier
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
#: Each is pickled by one protocol and dumped by joblib in one way, in turn.
COMPRESSIONS = [0, ("zlib", 3), ("gzip", 3)]
RANDOM_CASES = 60
#: Estimators that fit rows and labels without being told more. There are over 150.
ENOUGH_ESTIMATORS = 120


def look(path: Path) -> dict:
    """What `modelet inspect` says."""
    done = subprocess.run(
        [find_binary(), "inspect", path, "--json"], check=False, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, f"{path}: {done.stderr}"
    assert "nothing in the file was executed" in done.stderr
    return json.loads(done.stdout)


def names(found: dict) -> set[tuple[str, str]]:
    """The imports that were found."""
    return {(one["module"], one["name"]) for one in found["imports"]}


class Asked(pickle.Unpickler):
    """Python's own unpickler, which writes down what it is asked to import."""

    def __init__(self, data: bytes):
        super().__init__(io.BytesIO(data))
        self.asked: set[tuple[str, str]] = set()

    def find_class(self, module: str, name: str) -> object:
        """Imports, and remembers."""
        self.asked.add((module, name))
        return super().find_class(module, name)


class AskedByJoblib(NumpyUnpickler):
    """The same for joblib's."""

    def __init__(self, path: Path):
        packed = path.read_bytes()
        data = {b"x": zlib.decompress, b"\x1f": gzip.decompress}.get(packed[:1], bytes)(packed)
        super().__init__(str(path), io.BytesIO(data), ensure_native_byte_order=False)
        self.asked: set[tuple[str, str]] = set()

    def find_class(self, module: str, name: str) -> object:
        """Imports, and remembers."""
        self.asked.add((module, name))
        return super().find_class(module, name)


@pytest.fixture(scope="module")
def models() -> dict[str, BaseEstimator]:
    """Fitted models of every kind."""
    X, y = load_iris(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = fitted(others=False)
        assert len(made) > ENOUGH_ESTIMATORS
        made["pipeline"] = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
        made["neighbours"] = make_pipeline(StandardScaler(), KNeighborsClassifier()).fit(X, y)
        made["text"] = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(
            ["red sky", "blue sky", "red sea"], ["x", "y", "x"]
        )
        made["lightgbm"] = LGBMClassifier(n_estimators=2, verbose=-1).fit(X, y)
        made["xgboost"] = XGBClassifier(n_estimators=2).fit(X, y)
    return made


def test_the_imports_of_a_model_are_those_that_python_asks_for(models, tmp_path):
    """Each estimator, by pickle in each protocol in turn and by joblib in each way in turn; all of them are known."""
    wrong = []
    for at, (name, model) in enumerate(models.items()):
        pickled, dumped = tmp_path / f"{name}.pkl", tmp_path / f"{name}.joblib"
        protocol, how = PROTOCOLS[at % len(PROTOCOLS)], COMPRESSIONS[at % len(COMPRESSIONS)]
        pickled.write_bytes(pickle.dumps(model, protocol=protocol))
        joblib.dump(model, dumped, compress=how)
        for path, python in ((pickled, Asked(pickled.read_bytes())), (dumped, AskedByJoblib(dumped))):
            python.load()
            found = look(path)
            if names(found) != python.asked or found["unknown"] or found["class"]["name"] != type(model).__name__:
                wrong.append((path.name, protocol, names(found) ^ python.asked, found["unknown"], found["class"]))
    assert not wrong


def test_the_version_that_wrote_a_model_is_read(models, tmp_path):
    """Pins follow from it, before anything is loaded (S10)."""
    import sklearn

    for name in ("pipeline", "RandomForestClassifier", "lightgbm"):
        path = tmp_path / f"{name}.joblib"
        joblib.dump(models[name], path)
        versions = {one["name"]: one["version"] for one in look(path)["frameworks"]}
        assert versions["scikit-learn"] == sklearn.__version__
        assert versions["numpy"] == ">=2"
        assert look(path)["features"] == 4


def anything(rng: random.Random, depth: int) -> object:
    """Random nested data, with objects that are met again."""
    if depth == 0 or rng.random() < 0.3:
        leaves = [
            None,
            True,
            rng.randint(-(2**70), 2**70),
            rng.randint(-300, 70_000),
            rng.random(),
            "text" * rng.randint(0, 100),
            "ÜBER\n\\u0041'\ud800",
            b"\x00\xff" * rng.randint(0, 200),
            bytearray(b"abc"),
            3 + 4j,
            np.arange(rng.randint(0, 20)).astype(rng.choice(["i4", "f8", "?", "U7", "S3", "M8[s]"])),
            np.array(["a", None, 3], dtype=object),
            np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
            np.float32(1.5),
            np.int64(7),
            np.random.RandomState(0),
            np.random.default_rng(0),
            csr_matrix(np.eye(3)),
            range(3),
            slice(1, 2),
            float,
            len,
        ]
        return rng.choice(leaves)
    items = [anything(rng, depth - 1) for _ in range(rng.randint(0, 6))]
    if rng.random() < 0.3 and items:
        items += [items[0], items]
    keys = [rng.choice([f"key {at}", at, (at, "x")]) for at in range(len(items))]
    return rng.choice([items, tuple(items), dict(zip(keys, items, strict=True)), {"set", 1}, frozenset(["f"])])


def test_random_data_is_followed_in_every_protocol(tmp_path):
    """Lists within themselves, long texts, odd arrays: what Python asks for is what is found."""
    for seed in range(RANDOM_CASES):
        rng = random.Random(seed)
        data = [anything(rng, 4) for _ in range(4)]
        pickled, dumped = tmp_path / "random.pkl", tmp_path / "random.joblib"
        pickled.write_bytes(pickle.dumps(data, protocol=PROTOCOLS[seed % len(PROTOCOLS)]))
        joblib.dump(data, dumped, compress=COMPRESSIONS[seed % len(COMPRESSIONS)])
        for path, python in ((pickled, Asked(pickled.read_bytes())), (dumped, AskedByJoblib(dumped))):
            python.load()
            found = look(path)
            assert names(found) == python.asked, f"seed {seed}, {path.name}"
            assert set(found["unknown"]) <= {"builtins.len", "__builtin__.len"}, f"seed {seed}, {path.name}"


class Harm:
    """Makes a file when it is loaded."""

    def __init__(self, trace: Path):
        self.trace = trace

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.trace}",)


@pytest.mark.parametrize("write", ["pickle", "joblib", "compressed"])
def test_a_pickle_that_runs_a_command_runs_nothing_and_is_named(platform, tmp_path, write):
    """Neither at inspect nor at deploy (S61), though it hides among a model's parts."""
    trace, path = tmp_path / "trace", tmp_path / f"harm.{'pkl' if write == 'pickle' else 'joblib'}"
    model = {"model": LogisticRegression(), "array": np.arange(5.0), "harm": Harm(trace)}
    if write == "pickle":
        path.write_bytes(pickle.dumps(model))
    else:
        joblib.dump(model, path, compress=3 if write == "compressed" else 0)
    assert look(path)["unknown"] == ["posix.system"]
    for command in (["inspect", path], ["deploy", path, "--name", "harm"]):
        done = platform.cli(*command, check=False)
        assert "posix.system" in done.stderr
    assert done.returncode == 1
    assert "harm" not in platform.functions()
    assert not trace.exists()
    joblib.load(path) if write != "pickle" else pickle.loads(path.read_bytes())
    assert trace.exists(), "the file does run a command when it is loaded"


PIPELINE = "Pipeline (StandardScaler, KNeighborsClassifier)"


@pytest.mark.parametrize(
    ("model", "ending", "what", "made_ending"),
    [
        ("neighbours", "joblib", PIPELINE, ".onnx"),
        ("neighbours", "pkl", PIPELINE, ".onnx"),
    ],
)
def test_deploy_says_what_a_python_model_is_and_how_to_convert_it(
    platform, models, tmp_path, model, ending, what, made_ending
):
    """Its line, run in a shell as it is, makes a file that deploys."""
    path = tmp_path / f"my model.{ending}"
    (joblib.dump(models[model], path) if ending == "joblib" else path.write_bytes(pickle.dumps(models[model])))
    done = platform.cli("deploy", path, "--json", check=False)
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert done.returncode == 1
    assert error["code"] == "model-refused"
    assert what in error["message"]
    assert "importing it is not built yet" in error["message"]
    line = error["hint"].removeprefix("convert it: ")
    made = subprocess.run(line, shell=True, check=False, capture_output=True, text=True, env=platform.environment())
    assert made.returncode == 0, f"{line}\n{made.stderr}"
    name = f"converted-{model}-{ending}"
    assert platform.cli_json("deploy", path.with_suffix(made_ending), "--name", name)["version"] == 1
    platform.cli("delete", name, "--yes")


def test_a_text_that_begins_like_a_pickle_is_none(tmp_path):
    """By content, not by name."""
    path = tmp_path / "notes.pkl"
    path.write_text("columns\nage\n")
    done = subprocess.run([find_binary(), "inspect", path], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "is not a Python model file" in done.stderr
