"""Models that are trained here with scikit-learn and LightGBM and converted by skl2onnx and onnxmltools."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from casefile import Arrays, Case
from onnx import ModelProto
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType as OnnxmltoolsFloat
from skl2onnx import convert_sklearn, to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

OPSET = {"": 17, "ai.onnx.ml": 3}
IRIS_COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


def rows(name: str, X: np.ndarray) -> dict[str, Arrays]:
    """Calls of 1 row, of 32 rows, and of none, over one matrix."""
    X = X.astype(np.float32)
    spread = X[np.linspace(0, len(X) - 1, 32).astype(int)]
    return {"one": {name: X[:1]}, "batch32": {name: spread}, "none": {name: X[:0]}}


def _iris(folder: Path, *, zipmap: bool, names: bool) -> dict[str, Arrays]:
    X, y = load_iris(return_X_y=True)
    labels = np.array(["setosa", "versicolor", "virginica"])[y] if names else y
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, labels)
    options = None if zipmap else {id(model): {"zipmap": False}}
    convert = convert_sklearn(model, "iris", [("X", FloatTensorType([None, 4]))], target_opset=OPSET, options=options)
    _write(folder, convert)
    columns = ", ".join(f'"{name}"' for name in IRIS_COLUMNS)
    (folder / "modelet.toml").write_text(f"[inputs.X]\ncolumns = [{columns}]\n")
    return rows("X", X)


def iris_zipmap(case: Case) -> dict[str, Arrays]:
    """Iris as skl2onnx converts it by default: text labels, one map from class to probability a row."""
    return _iris(case.folder, zipmap=True, names=True)


def iris_zipmap_numbers(case: Case) -> dict[str, Arrays]:
    """Iris with whole-number labels, one map from int64 class to probability a row."""
    return _iris(case.folder, zipmap=True, names=False)


def iris_matrix(case: Case) -> dict[str, Arrays]:
    """Iris with `zipmap=False`: int64 labels and a matrix of probabilities."""
    return _iris(case.folder, zipmap=False, names=False)


SUBJECTS = ["invoice", "PASSWORD", "Refund", "upgrade", "Outage", "café", "ÜBERGRÖSSE", "Señor"]
VERBS = ["missing", "Broken", "please", "URGENT", "wrong", "late"]
PLANS = ["free", "pro", "team"]
# The default pattern finds no words with letters beyond ASCII in the converted graph, whose \w is narrower.
WORD = r"[^\s!]+"


def tickets(n: int, seed: int) -> Arrays:
    """A table of support tickets: text, category and numbers, one column each."""
    rng = np.random.default_rng(seed)
    text = [f"{rng.choice(SUBJECTS)} {rng.choice(VERBS)} {rng.choice(SUBJECTS)}!" for _ in range(n)]
    return {
        "text": np.array(text, dtype=object).reshape(-1, 1),
        "plan": rng.choice(PLANS, n).astype(object).reshape(-1, 1),
        "age": rng.integers(18, 90, n).astype(np.float32).reshape(-1, 1),
        "spend": rng.gamma(2.0, 30.0, n).astype(np.float32).reshape(-1, 1),
    }


def _tickets(folder: Path, *, zipmap: bool) -> dict[str, Arrays]:
    table = tickets(400, seed=1)
    X = np.hstack([column.astype(object) for column in table.values()])
    urgent = np.char.find(np.char.lower(X[:, 0].astype(str)), "urgent") >= 0
    labels = np.where(urgent, "high", np.where(X[:, 3].astype(float) > 80, "normal", "low"))
    columns = ColumnTransformer(
        [
            ("text", TfidfVectorizer(token_pattern=WORD), 0),
            ("plan", OneHotEncoder(handle_unknown="ignore"), [1]),
            ("numbers", StandardScaler(), [2, 3]),
        ]
    )
    model = make_pipeline(columns, LogisticRegression(C=10)).fit(X, labels)
    types = [
        (name, StringTensorType([None, 1]) if value.dtype == object else FloatTensorType([None, 1]))
        for name, value in table.items()
    ]
    options = None if zipmap else {id(model): {"zipmap": False}}
    _write(folder, convert_sklearn(model, "tickets", types, target_opset=OPSET, options=options))
    fresh = tickets(32, seed=2)
    fresh["plan"][3] = "never-seen"
    fresh["text"][4] = ""
    return {"one": {k: v[:1] for k, v in fresh.items()}, "batch32": fresh}


def tickets_zipmap(case: Case) -> dict[str, Arrays]:
    """Text, category and number columns, one input each; class names in a ZipMap."""
    return _tickets(case.folder, zipmap=True)


def tickets_matrix(case: Case) -> dict[str, Arrays]:
    """Text, category and number columns, one input each; a matrix of probabilities."""
    return _tickets(case.folder, zipmap=False)


def boosting_classifier(case: Case) -> dict[str, Arrays]:
    """m1 of shared/bench: GradientBoostingClassifier, 100 trees, 30 features."""
    X, y = load_breast_cancer(return_X_y=True)
    model = GradientBoostingClassifier(n_estimators=100, random_state=0).fit(X, y)
    onnx_model = to_onnx(model, X[:1].astype(np.float32), options={id(model): {"zipmap": False}}, target_opset=17)
    _write(case.folder, onnx_model)
    return rows("X", X)


def boosting_regressor(case: Case) -> dict[str, Arrays]:
    """GradientBoostingRegressor on the diabetes data."""
    X, y = load_diabetes(return_X_y=True)
    model = GradientBoostingRegressor(n_estimators=60, random_state=0).fit(X, y)
    _write(case.folder, to_onnx(model, X[:1].astype(np.float32), target_opset=17))
    return rows("X", X)


def lightgbm_classifier(case: Case) -> dict[str, Arrays]:
    """LightGBM through onnxmltools, three classes, missing values in the data."""
    from lightgbm import LGBMClassifier

    X, y = load_iris(return_X_y=True)
    X[::7, 1] = np.nan
    model = LGBMClassifier(n_estimators=30, random_state=0, n_jobs=1, verbose=-1).fit(X, y)
    onnx_model = convert_lightgbm(
        model,
        initial_types=[("X", OnnxmltoolsFloat([None, 4]))],
        target_opset=15,
        zipmap=False,
    )
    _write(case.folder, onnx_model)
    return rows("X", np.nan_to_num(X, nan=3.0))


def _write(folder: Path, model: ModelProto) -> None:
    (folder / "model.onnx").write_bytes(model.SerializeToString())


RECIPES = {
    "iris-zipmap": iris_zipmap,
    "iris-zipmap-numbers": iris_zipmap_numbers,
    "iris-matrix": iris_matrix,
    "tickets-zipmap": tickets_zipmap,
    "tickets-matrix": tickets_matrix,
    "boosting-classifier": boosting_classifier,
    "boosting-regressor": boosting_regressor,
    "lightgbm": lightgbm_classifier,
}
