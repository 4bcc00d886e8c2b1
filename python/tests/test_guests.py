"""Boosted trees of other libraries within scikit-learn's pipelines and other models answer as there, or are refused."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pytest
import telling
import wire
from frames import passengers, records, survived
from harness import Platform
from sklearn.base import BaseEstimator, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    RandomForestClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import RFE, SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor, RegressorChain
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, OneHotEncoder, OrdinalEncoder, StandardScaler
from test_frames import sendable, tricky

catboost = pytest.importorskip("catboost")
lightgbm = pytest.importorskip("lightgbm")
xgboost = pytest.importorskip("xgboost")

warnings.filterwarnings("ignore", message="X does not have valid feature names")
SMALL = {"n_estimators": 12, "max_depth": 3}
ONE_THREAD = {
    "xgboost": {"n_jobs": 1},
    "lightgbm": {"n_jobs": 1, "verbose": -1},
    "catboost": {"thread_count": 1, "verbose": 0, "allow_writing_files": False},
}
#: Classifiers and regressors of each library.
CLASSIFIERS: dict[str, Callable[..., BaseEstimator]] = {
    "xgboost": lambda **how: xgboost.XGBClassifier(**SMALL | ONE_THREAD["xgboost"] | how),
    "lightgbm": lambda **how: lightgbm.LGBMClassifier(**SMALL | ONE_THREAD["lightgbm"] | how),
    "catboost": lambda **how: catboost.CatBoostClassifier(**SMALL | ONE_THREAD["catboost"] | how),
}
REGRESSORS: dict[str, Callable[..., BaseEstimator]] = {
    "xgboost": lambda **how: xgboost.XGBRegressor(**SMALL | ONE_THREAD["xgboost"] | how),
    "lightgbm": lambda **how: lightgbm.LGBMRegressor(**SMALL | ONE_THREAD["lightgbm"] | how),
    "catboost": lambda **how: catboost.CatBoostRegressor(**SMALL | ONE_THREAD["catboost"] | how),
}
#: XGBoost answers in float32, of which one step is 1.2e-7.
RELATIVE = {"xgboost": 1e-6, "lightgbm": 1e-10, "catboost": 1e-10}
FRAME = passengers()
TARGET = survived(FRAME)
TABLE = telling.numbers(500, 0, np.float64)
SCORE = telling.score(TABLE)
TWO, THREE = (SCORE > 0.7).astype(int), np.digitize(SCORE, [0, 2])
NAMES = np.array(["none", "few", "many"], dtype=object)[THREE]


def encoded(sparse: bool, threshold: float = 0.3) -> ColumnTransformer:
    """Numbers with zeros and gaps beside texts; a sparse matrix where asked for."""
    texts = OneHotEncoder(handle_unknown="ignore", sparse_output=sparse)
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler(with_mean=False))
    parts = [
        ("texts", texts, ["sex", "port", "deck"]),
        ("numbers", numbers, ["fare"]),
        ("rest", "passthrough", ["age", "class"]),
    ]
    return ColumnTransformer(parts, sparse_threshold=threshold)


def zeros(frame):
    """Some numbers are zero: to XGBoost, zeros of a sparse matrix are missing."""
    random = np.random.RandomState(9)
    frame = frame.copy()
    frame["age"] = frame["age"].where(random.uniform(size=len(frame)) > 0.2, 0.0)
    frame["fare"] = frame["fare"].where(random.uniform(size=len(frame)) > 0.2, -0.0)
    return frame


STEPS: dict[str, Callable[[], list[BaseEstimator]]] = {
    "sparse": lambda: [encoded(sparse=True, threshold=1.0)],
    "dense": lambda: [encoded(sparse=True, threshold=0.0)],
    "dense-encoder": lambda: [encoded(sparse=False)],
    "selected-of-sparse": lambda: [
        ColumnTransformer(
            [("texts", OneHotEncoder(handle_unknown="ignore"), ["sex", "deck"]), ("rest", "passthrough", ["class"])],
            sparse_threshold=1.0,
        ),
        SelectKBest(k=5),
    ],
    "encoder-alone-and-union": lambda: [
        ColumnTransformer(
            [
                (
                    "both",
                    FeatureUnion(
                        [
                            ("one", OneHotEncoder(handle_unknown="ignore")),
                            ("places", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)),
                        ]
                    ),
                    ["sex", "deck"],
                )
            ],
            sparse_threshold=1.0,
        )
    ],
}


def compare(platform: Platform, model: BaseEstimator, path: Path, rows: np.ndarray, relative: float) -> None:
    """Labels, probabilities and numbers of rows of numbers."""
    joblib.dump(model, path)
    function = platform.deploy(path, "guests")
    if is_classifier(model):
        assert telling.labels(function, rows) == model.predict(rows).tolist()
    for output, method in [("probabilities", "predict_proba"), ("prediction", "predict")]:
        if hasattr(model, method) and is_classifier(model) == (method == "predict_proba"):
            wanted = getattr(model, method)(rows)
            np.testing.assert_allclose(telling.answer(function, rows, output), wanted, rtol=relative, atol=relative)
    platform.cli("delete", "guests", "--yes")


@pytest.mark.parametrize("library", CLASSIFIERS)
@pytest.mark.parametrize("steps", STEPS)
def test_a_frame_is_answered_as_behind_the_same_steps(platform: Platform, tmp_path: Path, library: str, steps: str):
    """Whether steps make a sparse matrix is decided when they are fitted; XGBoost takes its zeros for missing."""
    model = make_pipeline(*STEPS[steps](), CLASSIFIERS[library]()).fit(zeros(FRAME), TARGET)
    made = model[:-1].transform(FRAME[:5])
    assert hasattr(made, "toarray") == (steps in ("sparse", "selected-of-sparse", "encoder-alone-and-union"))
    joblib.dump(model, tmp_path / "model.joblib")
    function = platform.deploy(tmp_path / "model.joblib", "guests-frame")
    frame = zeros(tricky())
    frame["class"] = frame["class"].where(frame["class"] != 9, 0)
    sent = sendable(function, frame)
    found = wire.strict_json(function.post({"inputs": records(sent)}).raise_for_status().content)["outputs"]
    assert found["label"] == model.predict(frame).tolist()
    np.testing.assert_allclose(
        found["probabilities"], model.predict_proba(frame), rtol=RELATIVE[library], atol=RELATIVE[library]
    )
    platform.cli("delete", "guests-frame", "--yes")


#: Around a classifier (or its kind) of each library; what is asked for.
AROUND: dict[str, Callable[[Callable[..., BaseEstimator]], BaseEstimator]] = {
    "alone": lambda make: make_pipeline(make()),
    "scaled": lambda make: make_pipeline(StandardScaler(), make()),
    "filled": lambda make: make_pipeline(SimpleImputer(add_indicator=True), StandardScaler(), make()),
    "searched": lambda make: GridSearchCV(
        make_pipeline(StandardScaler(), make()), {"standardscaler__with_mean": [True, False]}, cv=2
    ),
    "search-within": lambda make: make_pipeline(StandardScaler(), GridSearchCV(make(), {"learning_rate": [0.3]}, cv=2)),
    "soft-votes": lambda make: VotingClassifier([("one", make()), ("two", make(random_state=1))], voting="soft"),
    "weighted-votes": lambda make: VotingClassifier(
        [("one", make()), ("two", make(random_state=1))], voting="soft", weights=[1, 2.5]
    ),
    "mixed-votes": lambda make: VotingClassifier(
        [("one", make()), ("two", make_pipeline(SimpleImputer(), LogisticRegression()))], voting="soft"
    ),
    "stack": lambda make: StackingClassifier(
        [("one", make()), ("two", make_pipeline(StandardScaler(), make()))], LogisticRegression(), cv=2
    ),
    "stack-passing": lambda make: StackingClassifier([("one", make())], make(), cv=2, passthrough=True),
    "bag": lambda make: BaggingClassifier(make(), 3, random_state=0, max_features=0.7),
    "sigmoid": lambda make: CalibratedClassifierCV(make(), cv=2),
    "one-against-rest": lambda make: OneVsRestClassifier(make()),
}


@pytest.mark.parametrize("library", CLASSIFIERS)
@pytest.mark.parametrize("around", AROUND)
def test_a_classifier_within_another_model_answers_as_there(
    platform: Platform, tmp_path: Path, library: str, around: str
):
    """Of numbers with gaps, two classes and three, which are numbers or texts as the library takes them."""
    rows = np.concatenate(
        [
            TABLE,
            telling.numbers(300, 5, np.float64),
            np.array([[np.inf] * 6, [1e39] * 6, [-0.0] * 6])[around == "filled" :],
        ]
    )
    rows = rows[np.isfinite(np.nan_to_num(rows, posinf=np.inf)).all(axis=1)] if around != "alone" else rows
    numbered = library == "xgboost" and around in (
        "alone",
        "scaled",
        "filled",
        "searched",
        "search-within",
        "sigmoid",
        "bag",
    )
    targets = [TWO, THREE if numbered else NAMES]
    if (library, around) == ("catboost", "stack-passing"):
        targets = [TWO]  # of more classes its label is a table, which nobody around it can take
    for target in targets:
        model = AROUND[around](CLASSIFIERS[library]).fit(TABLE, target)
        if library == "catboost" and target is not TWO and np.ndim(model.predict(rows)) > 1:
            wanted = model.predict(rows).ravel().tolist()
            joblib.dump(model, tmp_path / "model.joblib")
            function = platform.deploy(tmp_path / "model.joblib", "guests")
            assert telling.labels(function, rows) == wanted
            platform.cli("delete", "guests", "--yes")
            continue
        compare(platform, model, tmp_path / "model.joblib", rows, RELATIVE[library])


REGRESSIONS: dict[str, tuple[Callable[[Callable[..., BaseEstimator]], BaseEstimator], np.ndarray]] = {
    "scaled": (lambda make: make_pipeline(StandardScaler(), make()), SCORE),
    "votes": (lambda make: VotingRegressor([("one", make()), ("two", make(random_state=2))]), SCORE),
    "stack": (lambda make: StackingRegressor([("one", make()), ("two", make(random_state=2))], cv=2), SCORE),
    "bag": (lambda make: BaggingRegressor(make(), 3, random_state=0), SCORE),
    "each-output": (lambda make: MultiOutputRegressor(make()), np.stack([SCORE, -SCORE], 1)),
    "chain": (lambda make: RegressorChain(make()), np.stack([SCORE, -SCORE], 1)),
    "logarithm": (lambda make: TransformedTargetRegressor(make(), func=np.log1p, inverse_func=np.expm1), np.abs(SCORE)),
}


@pytest.mark.parametrize("library", REGRESSORS)
@pytest.mark.parametrize("around", REGRESSIONS)
def test_a_regressor_within_another_model_answers_as_there(
    platform: Platform, tmp_path: Path, library: str, around: str
):
    """Means, stacks, chains, and a target that was led through a function."""
    make, target = REGRESSIONS[around]
    table, rows = TABLE, np.concatenate([TABLE, telling.numbers(300, 5, np.float64)])
    if around == "chain":  # which takes no missing numbers
        table, rows = np.nan_to_num(table), np.nan_to_num(rows)
    model = make(REGRESSORS[library]).fit(table, target)
    compare(platform, model, tmp_path / "model.joblib", rows, RELATIVE[library])


def test_a_number_that_stands_for_missing_is_missing_behind_steps(platform: Platform, tmp_path: Path):
    """`missing` of XGBoost, as float32 has it."""
    table = np.nan_to_num(TABLE, nan=0.1)
    model = make_pipeline(FunctionTransformer(), CLASSIFIERS["xgboost"](missing=0.1)).fit(table, TWO)
    compare(
        platform,
        model,
        tmp_path / "model.joblib",
        np.concatenate([table, np.nan_to_num(telling.numbers(300, 5, np.float64), nan=0.1)]),
        1e-6,
    )


def test_the_proof_asks_all_libraries(platform: Platform, tmp_path: Path):
    """Around every threshold, through the scaler; the certificate names what answered."""
    made = {name: make() for name, make in CLASSIFIERS.items()}
    votes = VotingClassifier([*made.items(), ("forest", RandomForestClassifier(5, random_state=0))], voting="soft")
    for model, frame in [
        (make_pipeline(StandardScaler(), votes), False),
        (make_pipeline(encoded(sparse=True, threshold=1.0), made["xgboost"]), True),
    ]:
        model.fit(*((zeros(FRAME), TARGET) if frame else (np.nan_to_num(TABLE), TWO)))
        joblib.dump(model, tmp_path / "model.joblib")
        certificate = platform.cli_json("prove", tmp_path / "model.joblib", "--python", sys.executable)
        assert certificate["verdict"] == "proved", certificate
        assert certificate["rows"]["made"] > 1_000 and certificate["rows"]["refused_answered"] == 0
        assert "xgboost" in {one["name"] for one in certificate["original"]}


REFUSED: dict[str, tuple[Callable[[], BaseEstimator], str]] = {
    "scaled-sparse": (
        lambda: make_pipeline(encoded(sparse=True, threshold=1.0), MaxAbsScaler(), CLASSIFIERS["xgboost"]()).fit(
            FRAME, TARGET
        ),
        "use sparse_output=False",
    ),
    "linear-leaves": (
        lambda: make_pipeline(
            FunctionTransformer(), lightgbm.LGBMClassifier(**SMALL, linear_tree=True, verbose=-1)
        ).fit(TABLE, TWO),
        "linear_tree=False",
    ),
    "stack-of-float32": (
        lambda: StackingRegressor(
            [("one", REGRESSORS["xgboost"]())], make_pipeline(StandardScaler(), Ridge()), cv=2
        ).fit(TABLE, SCORE),
        "float32 numbers",
    ),
    "scaled-target": (
        lambda: TransformedTargetRegressor(REGRESSORS["xgboost"](), transformer=StandardScaler()).fit(TABLE, SCORE),
        "float32 numbers",
    ),
    "isotonic": (
        lambda: CalibratedClassifierCV(CLASSIFIERS["xgboost"](), method="isotonic", cv=2).fit(TABLE, TWO),
        "float32",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_computed_otherwise_is_refused(platform: Platform, tmp_path: Path, name: str):
    """With the words that say what to do."""
    make, says = REFUSED[name]
    joblib.dump(make(), tmp_path / "model.joblib")
    assert says in platform.refused(tmp_path / "model.joblib")


def test_columns_that_were_left_out_lead_to_the_model_that_chose_them(platform: Platform, tmp_path: Path):
    """A choice of columns by the importances of a booster is kept in the file."""
    table = np.nan_to_num(TABLE)
    model = RFE(CLASSIFIERS["lightgbm"](), n_features_to_select=3).fit(table, TWO)
    compare(platform, model, tmp_path / "model.joblib", table, 1e-10)
