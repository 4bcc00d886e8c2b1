"""scikit-learn's models, deployed as joblib and pickle wrote them: every answer is scikit-learn's own."""

from __future__ import annotations

import pickle
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import estimators
import fidelity
import joblib
import numpy as np
import pytest
import sklearn
import telling
import wire
from harness import Function, Platform
from sklearn import dummy, ensemble, feature_selection, impute, linear_model, neighbors, preprocessing, svm, tree
from sklearn.base import BaseEstimator, RegressorMixin, is_classifier
from sklearn.linear_model._base import LinearClassifierMixin
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline

#: Sums over trees are taken in the same order and precision; `exp` and `log` may differ in the last place.
RELATIVE = 1e-13
#: Products are summed up in another order.
LINEAR_RELATIVE = 1e-12
TABLE = telling.numbers(1_000, 0, np.float64)
SCORE = telling.score(TABLE)
TWO, FOUR = (SCORE > 0.7).astype(int), np.digitize(SCORE, [0, 1, 2])
NAMES = np.array(["none", "few", "many", "all"])
WHOLE = np.nan_to_num(TABLE)
#: The first column holds codes of categories.
CODES = np.column_stack([np.arange(len(TABLE)) % 7, TABLE[:, 1:]])
FOREST = {"n_estimators": 12, "random_state": 0}


def fit(model: BaseEstimator, y: np.ndarray, table: np.ndarray = TABLE, **how) -> BaseEstimator:
    """A fitted model."""
    return model.fit(table, y, **how)


def weights() -> np.ndarray:
    """Such that the sum over a leaf is no whole number."""
    return np.random.default_rng(7).random(len(TABLE))


EXACT: dict[str, Callable[[], BaseEstimator]] = {
    "tree": lambda: fit(tree.DecisionTreeClassifier(random_state=0), FOUR),
    "tree-with-names": lambda: fit(tree.DecisionTreeClassifier(max_depth=5), NAMES[FOUR]),
    "tree-with-weights": lambda: fit(tree.DecisionTreeClassifier(max_depth=6), FOUR, sample_weight=weights()),
    "tree-of-numbers": lambda: fit(tree.DecisionTreeRegressor(random_state=0), SCORE),
    "tree-of-several-numbers": lambda: fit(tree.DecisionTreeRegressor(max_depth=7), np.stack([SCORE, -SCORE, TWO], 1)),
    "one-leaf": lambda: fit(tree.DecisionTreeClassifier(max_leaf_nodes=2, min_samples_leaf=500), TWO),
    "random-tree": lambda: fit(tree.ExtraTreeClassifier(random_state=0), TWO.astype(bool)),
    "random-tree-of-numbers": lambda: fit(tree.ExtraTreeRegressor(random_state=0), SCORE),
    "nothing-missing": lambda: fit(tree.DecisionTreeClassifier(random_state=0), FOUR, WHOLE),
    "tree-of-absolute-errors": lambda: fit(
        tree.DecisionTreeRegressor(criterion="absolute_error", max_depth=4), SCORE, WHOLE
    ),
    "tree-that-only-rises": lambda: fit(
        tree.DecisionTreeRegressor(monotonic_cst=[1, 0, 0, 0, 0, 0], max_depth=5), SCORE, WHOLE
    ),
    "forest": lambda: fit(ensemble.RandomForestClassifier(**FOREST), FOUR),
    "forest-of-two": lambda: fit(
        ensemble.RandomForestClassifier(max_depth=6, **FOREST), np.where(TWO, "yes", "no").astype(object)
    ),
    "forest-of-numbers": lambda: fit(ensemble.RandomForestRegressor(**FOREST), SCORE),
    "forest-of-several-numbers": lambda: fit(ensemble.RandomForestRegressor(**FOREST), np.stack([SCORE, -SCORE], 1)),
    "forest-with-weights": lambda: fit(ensemble.RandomForestClassifier(class_weight="balanced", **FOREST), 10 * FOUR),
    "random-trees": lambda: fit(ensemble.ExtraTreesClassifier(**FOREST), 2.0 * FOUR),
    "random-trees-of-numbers": lambda: fit(ensemble.ExtraTreesRegressor(criterion="friedman_mse", **FOREST), SCORE),
}
BOOSTED: dict[str, Callable[[], BaseEstimator]] = {
    "boosted-two": lambda: fit(ensemble.GradientBoostingClassifier(n_estimators=20), TWO, WHOLE),
    "boosted-exponential": lambda: fit(
        ensemble.GradientBoostingClassifier(n_estimators=20, loss="exponential"), TWO, WHOLE
    ),
    "boosted-four": lambda: fit(ensemble.GradientBoostingClassifier(n_estimators=10), NAMES[FOUR], WHOLE),
    "boosted-from-zero": lambda: fit(ensemble.GradientBoostingClassifier(n_estimators=10, init="zero"), FOUR, WHOLE),
    "boosted-part": lambda: fit(
        ensemble.GradientBoostingClassifier(n_estimators=200, n_iter_no_change=2, subsample=0.5), TWO, WHOLE
    ),
    "boosted-numbers": lambda: fit(ensemble.GradientBoostingRegressor(n_estimators=20), SCORE, WHOLE),
    "boosted-huber": lambda: fit(ensemble.GradientBoostingRegressor(n_estimators=10, loss="huber"), SCORE, WHOLE),
    "boosted-quantile": lambda: fit(ensemble.GradientBoostingRegressor(n_estimators=10, loss="quantile"), SCORE, WHOLE),
    "boosted-absolute": lambda: fit(
        ensemble.GradientBoostingRegressor(n_estimators=10, loss="absolute_error"), SCORE, WHOLE
    ),
    "histogram-two": lambda: fit(ensemble.HistGradientBoostingClassifier(max_iter=15), TWO),
    "histogram-four": lambda: fit(ensemble.HistGradientBoostingClassifier(max_iter=10), NAMES[FOUR]),
    "histogram-numbers": lambda: fit(ensemble.HistGradientBoostingRegressor(max_iter=15), SCORE),
    "histogram-absolute": lambda: fit(
        ensemble.HistGradientBoostingRegressor(max_iter=15, loss="absolute_error"), SCORE
    ),
    "histogram-poisson": lambda: fit(
        ensemble.HistGradientBoostingRegressor(max_iter=15, loss="poisson"), np.abs(SCORE)
    ),
    "histogram-gamma": lambda: fit(
        ensemble.HistGradientBoostingRegressor(max_iter=15, loss="gamma"), np.abs(SCORE) + 0.1
    ),
    "histogram-quantile": lambda: fit(
        ensemble.HistGradientBoostingRegressor(max_iter=15, loss="quantile", quantile=0.8), SCORE
    ),
    "histogram-categories": lambda: fit(
        ensemble.HistGradientBoostingRegressor(max_iter=10, categorical_features=[0]), SCORE, CODES
    ),
    "histogram-nothing-missing": lambda: fit(ensemble.HistGradientBoostingClassifier(max_iter=10), TWO, WHOLE),
}
LOGISTIC = linear_model.LogisticRegression
LINEAR: dict[str, Callable[[], BaseEstimator]] = {
    "linear": lambda: fit(linear_model.LinearRegression(), SCORE, WHOLE),
    "linear-without-intercept": lambda: fit(linear_model.LinearRegression(fit_intercept=False), SCORE, WHOLE),
    "linear-table": lambda: fit(linear_model.LinearRegression(), np.stack([SCORE, -SCORE], 1), WHOLE),
    "linear-table-of-one": lambda: fit(linear_model.Ridge(), SCORE[:, None], WHOLE),
    "linear-in-single": lambda: fit(linear_model.Ridge(), SCORE.astype(np.float32), WHOLE.astype(np.float32)),
    "linear-lasso": lambda: fit(linear_model.LassoCV(cv=3), SCORE, WHOLE),
    "linear-net": lambda: fit(linear_model.ElasticNet(alpha=0.1), SCORE, WHOLE),
    "linear-huber": lambda: fit(linear_model.HuberRegressor(), SCORE, WHOLE),
    "linear-steps": lambda: fit(linear_model.SGDRegressor(random_state=0), SCORE, WHOLE),
    "linear-poisson": lambda: fit(linear_model.PoissonRegressor(), np.abs(SCORE), WHOLE),
    "linear-gamma": lambda: fit(linear_model.GammaRegressor(), np.abs(SCORE) + 0.1, WHOLE),
    "linear-vectors": lambda: fit(svm.LinearSVR(), SCORE, WHOLE),
    "linear-two": lambda: fit(LOGISTIC(), TWO, WHOLE),
    "linear-four": lambda: fit(LOGISTIC(), NAMES[FOUR], WHOLE),
    "linear-liblinear": lambda: fit(LOGISTIC(solver="liblinear"), TWO, WHOLE),
    "linear-cholesky": lambda: fit(LOGISTIC(solver="newton-cholesky"), FOUR, WHOLE),
    "linear-classes-by-steps": lambda: fit(linear_model.SGDClassifier(loss="log_loss", random_state=0), FOUR, WHOLE),
    "linear-margin": lambda: fit(linear_model.SGDClassifier(random_state=0), TWO, WHOLE),
    "linear-perceptron": lambda: fit(linear_model.Perceptron(random_state=0), NAMES[FOUR], WHOLE),
    "linear-vector-classes": lambda: fit(svm.LinearSVC(), FOUR, WHOLE),
    "linear-ridge-classes": lambda: fit(linear_model.RidgeClassifier(), FOUR, WHOLE),
    "linear-ridge-two": lambda: fit(linear_model.RidgeClassifier(), np.where(TWO, "yes", "no"), WHOLE),
    "linear-in-steps": lambda: fit(
        make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler(), LOGISTIC()), FOUR
    ),
    "linear-in-range": lambda: fit(
        make_pipeline(impute.SimpleImputer(add_indicator=True), preprocessing.MinMaxScaler(clip=True), LOGISTIC()), FOUR
    ),
    "linear-found": lambda: fit(
        GridSearchCV(make_pipeline(preprocessing.MinMaxScaler(), LOGISTIC()), GRID, cv=2), TWO, WHOLE
    ),
}
GRID = {"logisticregression__C": [0.1, 1.0]}


def close() -> np.ndarray:
    """Numbers so close that float32 tells few of them apart (S04)."""
    return np.sort(np.random.default_rng(11).uniform(1.0, 1.001, TABLE.shape), axis=0)


IN_STEPS: dict[str, Callable[[], BaseEstimator]] = {
    "steps-close": lambda: fit(
        make_pipeline(preprocessing.StandardScaler(), tree.DecisionTreeRegressor()), SCORE, close()
    ),
    "steps-forest": lambda: fit(
        make_pipeline(preprocessing.RobustScaler(), ensemble.RandomForestClassifier(**FOREST)), FOUR, WHOLE
    ),
    "steps-boosted": lambda: fit(
        make_pipeline(preprocessing.MinMaxScaler(), ensemble.GradientBoostingRegressor(n_estimators=9)), SCORE, WHOLE
    ),
    "steps-histogram": lambda: fit(
        make_pipeline(preprocessing.MaxAbsScaler(), ensemble.HistGradientBoostingRegressor(max_iter=9)), SCORE
    ),
    "steps-filled": lambda: fit(
        make_pipeline(impute.SimpleImputer(strategy="median"), "passthrough", tree.ExtraTreeClassifier(random_state=0)),
        TWO,
    ),
    "steps-filled-with-one": lambda: fit(
        make_pipeline(
            impute.SimpleImputer(strategy="constant", fill_value=1), tree.DecisionTreeClassifier(random_state=0)
        ),
        TWO,
    ),
}


def thresholds(model: BaseEstimator) -> Iterator[tuple[int, float]]:
    """Every number that a node compares with, and its column."""
    if isinstance(model, Pipeline):
        yield from in_front(model[:-1], list(thresholds(model[-1])))
        return
    for predictor in np.ravel(getattr(model, "_predictors", [])):
        nodes = predictor.nodes[predictor.nodes["is_leaf"] == 0]
        yield from zip(nodes["feature_idx"], nodes["num_threshold"], strict=True)
    inner = np.ravel(getattr(model, "estimators_", [model] if hasattr(model, "tree_") else []))
    for one in inner:
        splits = one.tree_.children_left != -1
        yield from zip(one.tree_.feature[splits], one.tree_.threshold[splits], strict=True)


def in_front(steps: Pipeline, asked: list[tuple[int, float]]) -> Iterator[tuple[int, float]]:
    """What becomes, about, of a number that is compared with behind these steps."""
    for column, split in asked:
        row = np.full((1, telling.COLUMNS), split)
        for step in reversed(steps):
            row = step.inverse_transform(row) if hasattr(step, "inverse_transform") and hasattr(step, "scale_") else row
        yield column, row[0, column]


def rows_for(model: BaseEstimator) -> np.ndarray:
    """Rows that tell: each threshold, its neighbours in float64 and in float32, what is missing, the ends."""
    asked = list(thresholds(model))
    rows = np.concatenate([telling.rows(asked, np.float64), telling.rows(asked, np.float32).astype(np.float64)])
    last = model[-1] if isinstance(model, Pipeline) else model
    if isinstance(last, LinearClassifierMixin | RegressorMixin) and hasattr(last, "coef_"):
        rows = rows[np.abs(rows).max(axis=1) < 1e30]  # beyond that the order of a sum decides what is left of it
    if not hasattr(last, "_predictors"):  # those take any number; trees none beyond float32, which a threshold may be
        largest = 3e38 if last is model else 1e30  # scalers make them larger
        rows = np.where(np.abs(rows) > largest, largest, rows)
    return rows if takes_itself(model, np.full((1, telling.COLUMNS), np.nan)) else np.nan_to_num(rows)


def write_pickle(model: object, path: Path) -> Path:
    """By the pickler that goes with the ending."""
    if path.suffix == ".joblib":
        joblib.dump(model, path, compress=3 if "small" in path.stem else 0)
    else:
        path.write_bytes(pickle.dumps(model, protocol=5 if "new" in path.stem else 4))
    return path


def takes(function: Function, row: np.ndarray) -> bool:
    """False where the platform refuses to answer, as a mistake of the client's that is named."""
    response = function.post(content=wire.npy_bytes(row), headers=wire.NPY)
    assert response.status_code in (200, 400), response.text
    assert response.status_code == 200 or "numbers from" in response.text
    return response.status_code == 200


def takes_itself(model: BaseEstimator, row: np.ndarray) -> bool:
    """False where scikit-learn refuses to."""
    try:
        model.predict(row)
    except ValueError:
        return False
    return True


def check(platform: Platform, path: Path, model: BaseEstimator, rows: np.ndarray, relative: float) -> None:
    """Deploys the file and compares each answer; with no tolerance bit for bit, and labels always."""
    function = platform.deploy(path, "sklearn")
    expected = {"prediction": model.predict(rows)}
    if is_classifier(model):
        assert telling.labels(function, rows) == model.predict(rows).tolist()
        has_probabilities = hasattr(model, "predict_proba")
        expected = (
            {"probabilities": model.predict_proba(rows)}
            if has_probabilities
            else {"decision": model.decision_function(rows)}
        )
    for output, wanted in expected.items():
        found = telling.answer(function, rows, output)
        assert found.dtype == np.float64
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=relative, atol=relative)
    for odd in (np.nan, 1e39, -np.inf):
        row = np.where(np.arange(telling.COLUMNS) == 1, odd, rows[:1])
        taken = takes(function, row)
        assert taken == takes_itself(model, row) or (not taken and isinstance(model, Pipeline)), (
            f"{odd} is taken by one of the two"
        )
    assert f"scikit-learn {sklearn.__version__}, {type(model).__name__}" in platform.cli("describe", "sklearn").stdout
    platform.cli("delete", "sklearn", "--yes")


@pytest.mark.parametrize("name", EXACT)
def test_trees_and_forests_answer_bit_for_bit(platform: Platform, tmp_path: Path, name: str):
    """However the file was written; S04: float64 thresholds against columns in float32, S03: float64 in."""
    model = EXACT[name]()
    rows = rows_for(model)
    for file in ("model.joblib", "new.pkl"):
        check(platform, write_pickle(model, tmp_path / file), model, rows, 0)


@pytest.mark.parametrize("name", BOOSTED)
def test_boosted_trees_answer_as_scikit_learn(platform: Platform, tmp_path: Path, name: str):
    """Labels always, numbers to the last places: the sums are equal, their exponentials are each library's own."""
    model = BOOSTED[name]()
    rows = rows_for(model)
    for file in ("small.joblib", "model.pkl"):
        check(platform, write_pickle(model, tmp_path / file), model, rows, RELATIVE)


@pytest.mark.parametrize("name", IN_STEPS)
def test_trees_behind_other_steps_answer_as_scikit_learn(platform: Platform, tmp_path: Path, name: str):
    """S04: a tree that tells numbers of 1.000 to 1.001 apart behind a scaler is right, not only refused."""
    model = IN_STEPS[name]()
    rows = rows_for(model)
    check(platform, write_pickle(model, tmp_path / "model.joblib"), model, rows, 0)


@pytest.mark.parametrize("name", LINEAR)
def test_linear_models_answer_as_scikit_learn(platform: Platform, tmp_path: Path, name: str):
    """In float64; BLAS takes sums in an order of its own, so that the last places may differ."""
    model = LINEAR[name]()
    check(platform, write_pickle(model, tmp_path / "model.joblib"), model, rows_for(model), LINEAR_RELATIVE)


OLD = sorted(path.name.removesuffix("-answers.npz") for path in (Path(__file__).parent / "sklearn_files").glob("*.npz"))


@pytest.mark.parametrize("version", OLD)
def test_models_of_older_versions_answer_as_those_versions_did(platform: Platform, version: str):
    """What changed between them: shares in leaves, losses, what a label follows from, how arrays are written."""
    folder = Path(__file__).parent / "sklearn_files"
    answers = np.load(folder / f"{version}-answers.npz")
    rows = np.random.RandomState(0).normal(size=(200, 3))[:60]
    models = sorted(folder.glob(f"{version}-*.joblib"))
    assert len(models) == 4
    for path in models:
        function = platform.deploy(path, "sklearn-old")
        name = path.stem.partition("-")[2]
        assert telling.labels(function, rows) == answers[f"{name}-label"].tolist()
        found, wanted = telling.answer(function, rows, "probabilities"), answers[f"{name}-probabilities"]
        np.testing.assert_allclose(found, wanted, rtol=0 if name == "forest" else LINEAR_RELATIVE)
        platform.cli("delete", function.name, "--yes")


def test_columns_have_their_names_and_come_in_any_order(platform: Platform, tmp_path: Path):
    """Those that the model was fitted with; a bad number is named by its column."""
    names = [f"column {letter}" for letter in "abcdef"]
    model = EXACT["one-leaf"]()
    model.feature_names_in_ = np.array(names, dtype=object)
    function = platform.deploy(write_pickle(model, tmp_path / "named.joblib"), "sklearn-named")
    body = {"inputs": [dict(reversed(list(zip(names, row, strict=True)))) for row in WHOLE[:5].tolist()]}
    found = wire.strict_json(function.post(body).content)["outputs"]["probabilities"]
    np.testing.assert_array_equal(found, model.predict_proba(WHOLE[:5]))
    row = np.where(np.arange(telling.COLUMNS) == 2, 1e300, WHOLE[:1])
    refused = wire.strict_json(function.post(content=wire.npy_bytes(row), headers=wire.NPY).content)
    assert 'in row 0, column "column c"' in str(refused)


REFUSED: dict[str, tuple[Callable[[], BaseEstimator], str]] = {
    "unknown": (
        lambda: fit(neighbors.KNeighborsClassifier(), TWO, WHOLE),
        "KNeighborsClassifier: importing it is not built yet",
    ),
    "not-fitted": (ensemble.RandomForestClassifier, "is not fitted"),
    "several-labels": (lambda: fit(dummy.DummyClassifier(), np.stack([TWO, FOUR], 1)), "several labels"),
    "one-class": (lambda: fit(tree.DecisionTreeClassifier(), 0 * TWO), "fewer than two classes"),
    "start-of-its-own": (
        lambda: fit(
            ensemble.GradientBoostingRegressor(n_estimators=2, init=tree.DecisionTreeRegressor()), SCORE, WHOLE
        ),
        "init_ is not scikit-learn's default",
    ),
    "unknown-step": (
        lambda: fit(make_pipeline(preprocessing.SplineTransformer(), LOGISTIC()), TWO, WHOLE),
        "SplineTransformer: importing",
    ),
    "powers-of-what-is-above-zero": (
        lambda: preprocessing.PowerTransformer("box-cox").fit(np.abs(WHOLE) + 1),
        "use yeo-johnson",
    ),
    "columns-that-rounding-chooses": (
        lambda: fit(feature_selection.SelectFromModel(linear_model.Ridge()), SCORE, WHOLE[:, [0, 0]]),
        "but for rounding: give another threshold",
    ),
    "vectors-with-probabilities": (lambda: fit(svm.SVC(probability=True), TWO, WHOLE), "probability=True"),
    "random-answers": (lambda: fit(dummy.DummyClassifier(strategy="uniform"), TWO, WHOLE), "at random"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_exactly_is_refused_with_the_reason(platform: Platform, tmp_path: Path, name: str):
    """And with a line that makes of it what can be deployed."""
    make, says = REFUSED[name]
    said = platform.refused(write_pickle(make(), tmp_path / "model.joblib"))
    assert says in said
    assert "skl2onnx" in said


def test_damage_other_versions_and_strange_content_are_refused(platform: Platform, tmp_path: Path):
    """S10: the version is named; a tree that leads back, or compares with no number, is none."""
    path = tmp_path / "model.pkl"
    model = fit(tree.DecisionTreeClassifier(max_depth=4, random_state=0), TWO, WHOLE)
    whole = pickle.dumps(model)
    version = sklearn.__version__.encode()
    path.write_bytes(whole.replace(version, b"2" + version[1:]))
    assert "was written by scikit-learn 2." in platform.refused(path)
    nodes = model.tree_.__getstate__()["nodes"].tobytes()
    for field, value, says in [
        ("left_child", 0, "leads to one that is not behind it"),
        ("right_child", 10_000, "leads to one that is not behind it"),
        ("feature", telling.COLUMNS, "a column that a row does not have"),
        ("threshold", np.nan, "compares with no number"),
    ]:
        changed = model.tree_.__getstate__()["nodes"].copy()
        changed[field][0] = value
        assert whole.count(nodes) == 1
        path.write_bytes(whole.replace(nodes, changed.tobytes()))
        assert says in platform.refused(path)
    model.note = subprocess.run  # anything that is no part of a model
    assert "subprocess.run" in platform.refused(write_pickle(model, path))


#: Of all estimators of scikit-learn at least these many answer, alone and behind a scaler.
ENOUGH = 145


#: Those that answer with a table of labels, and with one of numbers; neighbours aside.
OF_LABELS = {"DecisionTree", "ExtraTree", "ExtraTrees", "MultiOutput", "RandomForest"}
OF_FLAGS = OF_LABELS | {"MLP", "OneVsRest", "Ridge"}
OF_NUMBERS = {"Lasso", "LinearRegression", "MLPRegressor", "MultiOutputRegressor", "PLSRegression", "RandomForestRegressor"}
OF_NUMBERS |= {"BaggingRegressor", "DecisionTreeRegressor", "ExtraTreesRegressor", "RegressorChain", "Ridge", "RidgeCV"}
TABLES = {f"{name}-numbers" for name in OF_NUMBERS} | {"RidgeClassifierCV-flags", "ClassifierChain-flags"}
TABLES |= {f"{name}Classifier-labels" for name in OF_LABELS} | {f"{name}Classifier-flags" for name in OF_FLAGS}


@pytest.mark.parametrize("scaled", [False, True])
def test_no_estimator_of_scikit_learn_is_answered_wrongly(platform: Platform, tmp_path: Path, scaled: bool):
    """Each is imported and agrees, on rows that it saw, others and far ones, or is refused with words."""
    estimators.main(tmp_path, scaled)
    found = {path.stem: fidelity.outcome(platform, path) for path in sorted(tmp_path.glob("*.joblib"))}
    assert {name: what for name, what in found.items() if what.startswith("wrong")} == {}
    answered = [name for name, what in found.items() if what == "native" and "-" not in name]
    assert len(answered) >= ENOUGH, found
    assert {name: found[name] for name in TABLES if found[name] != "native"} == {}


def test_no_engine_that_rounds_otherwise_is_asked(platform: Platform, tmp_path: Path):
    """Sums in another order could turn a label where two classes are close; who asks for that engine is told."""
    write_pickle(EXACT["forest"](), tmp_path / "model.joblib")
    assert platform.deploy(tmp_path, "sklearn-engine").card["engine"] == "tabular"
    (tmp_path / "modelet.toml").write_text('engine = "onnxruntime"\n')
    assert "imported for tabular" in platform.refused(tmp_path)
