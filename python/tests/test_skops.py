"""Models that skops saved: read as what they are, like those of a pickle, and answered as by scikit-learn."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
import telling
import wire
from harness import Platform
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"], dtype=object)[Y]
MODELS = {
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000)),
    "forest": RandomForestClassifier(10, random_state=0),
    "weights": LogisticRegression(max_iter=1_000, class_weight={"setosa": 1, "versicolor": 2, "virginica": 3}),
    # Its trees are an array of two dimensions.
    "boosting": GradientBoostingRegressor(n_estimators=10),
    "histogram": HistGradientBoostingClassifier(max_iter=5, random_state=0),
    "vectors": SVC(),
    "adaptive": AdaBoostClassifier(n_estimators=5, random_state=0),
    "stacked": StackingClassifier([("line", LogisticRegression(max_iter=1_000)), ("bayes", GaussianNB())]),
    "searched": GridSearchCV(LogisticRegression(max_iter=1_000), {"C": [0.1, 1.0]}),
}


def dumped(model: BaseEstimator, path: Path) -> Path:
    """By skops."""
    skops.io.dump(model, path)
    return path


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_skops_answers_as_itself(platform: Platform, tmp_path: Path, name: str):
    """Labels and probabilities, or numbers."""
    model = MODELS[name].fit(X, Y if name == "boosting" else NAMES)
    function = platform.deploy(dumped(model, tmp_path / "model.skops"), f"skops-{name}")
    if name == "boosting":
        np.testing.assert_array_equal(telling.answer(function, X, "prediction"), model.predict(X))
        return
    assert telling.labels(function, X) == model.predict(X).tolist()
    if hasattr(model, "predict_proba"):
        np.testing.assert_allclose(telling.answer(function, X, "probabilities"), model.predict_proba(X), rtol=1e-10)


def test_a_frame_of_skops_is_the_same_artifact_as_its_pickle(platform: Platform, tmp_path: Path):
    """What was read is the same, byte for byte, whoever wrote it."""
    frame = pd.DataFrame({"size": X[:, 0], "kind": np.where(Y > 0, "wild", "garden")})
    prepared = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["size"]),
            ("words", OneHotEncoder(handle_unknown="ignore"), ["kind"]),
        ]
    )
    model = Pipeline([("prepared", prepared), ("chosen", LogisticRegression(max_iter=1_000))]).fit(frame, NAMES)
    joblib.dump(model, tmp_path / "model.joblib")
    dumped(model, tmp_path / "model.skops")
    functions = [platform.deploy(tmp_path / f"model.{end}", f"frame-{end}") for end in ("skops", "joblib")]
    body = {"inputs": json.loads(frame[:20].to_json(orient="records"))}
    found = [wire.strict_json(function.post(body).content)["outputs"] for function in functions]
    assert found[0] == found[1]
    assert found[0]["label"] == model.predict(frame[:20]).tolist()
    folders = [platform.data / "artifacts" / function.card["sha256"] for function in functions]
    first, second = (next(folder.rglob("model.onnx")).read_bytes() for folder in folders)
    assert first == second


def changed(path: Path, edit) -> Path:
    """The file with another schema, and what `edit` makes of it."""
    other = path.with_name("changed.skops")
    with zipfile.ZipFile(path) as read, zipfile.ZipFile(other, "w") as written:
        for name in read.namelist():
            content = read.read(name)
            if name == "schema.json":
                schema = json.loads(content)
                edit(schema)
                content = json.dumps(schema).encode()
            written.writestr(name, content)
    return other


def test_what_is_said_of_the_same_object_first_counts_as_to_skops(platform: Platform, tmp_path: Path):
    """A second node of the same number is the first one, whatever it says."""
    model = LogisticRegression(max_iter=1_000).fit(X, NAMES)
    path = dumped(model, tmp_path / "model.skops")

    def twice(schema: dict) -> None:
        attributes = schema["content"]["content"]
        # A whole coefficient is put before the rest, and again, with other content under its number.
        other = dict(attributes["intercept_"], __id__=attributes["coef_"]["__id__"])
        schema["content"]["content"] = {"coef_": attributes["coef_"]} | attributes | {"warm_start": other}

    function = platform.deploy(changed(path, twice), "skops-twice")
    assert telling.labels(function, X) == model.predict(X).tolist()


def test_what_is_not_known_or_is_damaged_is_refused_with_the_reason(platform: Platform, tmp_path: Path):
    """A class of somebody's, a node that reaches attributes, an array that is not there."""
    path = dumped(LogisticRegression(max_iter=1_000).fit(X, NAMES), tmp_path / "model.skops")

    def of_somebody(schema: dict) -> None:
        thing = {"__module__": "evil", "__class__": "Thing", "__loader__": "ObjectNode", "__id__": 1}
        schema["content"]["content"]["penalty"] = thing

    def reaching(schema: dict) -> None:
        schema["content"]["content"]["penalty"]["__loader__"] = "MethodNode"

    def missing(schema: dict) -> None:
        schema["content"]["content"]["coef_"]["file"] = "elsewhere.npy"

    for edit, says in [(of_somebody, "evil.Thing"), (reaching, "MethodNode"), (missing, "elsewhere.npy")]:
        assert says in platform.refused(changed(path, edit))
    path.write_bytes(path.read_bytes()[:-500])
    assert "zip" in platform.refused(path) or "damaged" in platform.refused(path)
