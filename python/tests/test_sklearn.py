"""scikit-learn's models, deployed as joblib and pickle wrote them: read as data, and every answer is scikit-learn's own."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
import telling
import wire
from harness import Function, Platform
from sklearn import ensemble, impute, linear_model, preprocessing, svm, tree
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
    "tree-of-absolute-errors": lambda: fit(tree.DecisionTreeRegressor(criterion="absolute_error", max_depth=4), SCORE, WHOLE),
    "tree-that-only-rises": lambda: fit(tree.DecisionTreeRegressor(monotonic_cst=[1, 0, 0, 0, 0, 0], max_depth=5), SCORE, WHOLE),
    "forest": lambda: fit(ensemble.RandomForestClassifier(**FOREST), FOUR),
    "forest-of-two": lambda: fit(ensemble.RandomForestClassifier(max_depth=6, **FOREST), np.where(TWO, "yes", "no").astype(object)),
    "forest-of-numbers": lambda: fit(ensemble.RandomForestRegressor(**FOREST), SCORE),
    "forest-of-several-numbers": lambda: fit(ensemble.RandomForestRegressor(**FOREST), np.stack([SCORE, -SCORE], 1)),
    "forest-with-weights": lambda: fit(ensemble.RandomForestClassifier(class_weight="balanced", **FOREST), 10 * FOUR),
    "random-trees": lambda: fit(ensemble.ExtraTreesClassifier(**FOREST), 2.0 * FOUR),
    "random-trees-of-numbers": lambda: fit(ensemble.ExtraTreesRegressor(criterion="friedman_mse", **FOREST), SCORE),
}
BOOSTED: dict[str, Callable[[], BaseEstimator]] = {
    "boosted-two": lambda: fit(ensemble.GradientBoostingClassifier(n_estimators=20), TWO, WHOLE),
    "boosted-exponential": lambda: fit(ensemble.GradientBoostingClassifier(n_estimators=20, loss="exponential"), TWO, WHOLE),
    "boosted-four": lambda: fit(ensemble.GradientBoostingClassifier(n_estimators=10), NAMES[FOUR], WHOLE),
    "boosted-from-zero": lambda: fit(ensemble.GradientBoostingClassifier(n_estimators=10, init="zero"), FOUR, WHOLE),
    "boosted-part": lambda: fit(ensemble.GradientBoostingClassifier(n_estimators=200, n_iter_no_change=2, subsample=0.5), TWO, WHOLE),
    "boosted-numbers": lambda: fit(ensemble.GradientBoostingRegressor(n_estimators=20), SCORE, WHOLE),
    "boosted-huber": lambda: fit(ensemble.GradientBoostingRegressor(n_estimators=10, loss="huber"), SCORE, WHOLE),
    "boosted-quantile": lambda: fit(ensemble.GradientBoostingRegressor(n_estimators=10, loss="quantile"), SCORE, WHOLE),
    "boosted-absolute": lambda: fit(ensemble.GradientBoostingRegressor(n_estimators=10, loss="absolute_error"), SCORE, WHOLE),
    "histogram-two": lambda: fit(ensemble.HistGradientBoostingClassifier(max_iter=15), TWO),
    "histogram-four": lambda: fit(ensemble.HistGradientBoostingClassifier(max_iter=10), NAMES[FOUR]),
    "histogram-numbers": lambda: fit(ensemble.HistGradientBoostingRegressor(max_iter=15), SCORE),
    "histogram-absolute": lambda: fit(ensemble.HistGradientBoostingRegressor(max_iter=15, loss="absolute_error"), SCORE),
    "histogram-poisson": lambda: fit(ensemble.HistGradientBoostingRegressor(max_iter=15, loss="poisson"), np.abs(SCORE)),
    "histogram-gamma": lambda: fit(ensemble.HistGradientBoostingRegressor(max_iter=15, loss="gamma"), np.abs(SCORE) + 0.1),
    "histogram-quantile": lambda: fit(ensemble.HistGradientBoostingRegressor(max_iter=15, loss="quantile", quantile=0.8), SCORE),
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
    "linear-in-steps": lambda: fit(make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler(), LOGISTIC()), FOUR),
    "linear-found": lambda: fit(GridSearchCV(make_pipeline(preprocessing.MinMaxScaler(), LOGISTIC()), GRID, cv=2), TWO, WHOLE),
}
GRID = {"logisticregression__C": [0.1, 1.0]}


def close() -> np.ndarray:
    """Numbers so close that float32 tells few of them apart (S04)."""
    return np.sort(np.random.default_rng(11).uniform(1.0, 1.001, TABLE.shape), axis=0)


IN_STEPS: dict[str, Callable[[], BaseEstimator]] = {
    "steps-close": lambda: fit(make_pipeline(preprocessing.StandardScaler(), tree.DecisionTreeRegressor()), SCORE, close()),
    "steps-forest": lambda: fit(make_pipeline(preprocessing.RobustScaler(), ensemble.RandomForestClassifier(**FOREST)), FOUR, WHOLE),
    "steps-boosted": lambda: fit(make_pipeline(preprocessing.MinMaxScaler(), ensemble.GradientBoostingRegressor(n_estimators=9)), SCORE, WHOLE),
    "steps-histogram": lambda: fit(make_pipeline(preprocessing.MaxAbsScaler(), ensemble.HistGradientBoostingRegressor(max_iter=9)), SCORE),
    "steps-filled": lambda: fit(
        make_pipeline(impute.SimpleImputer(strategy="median"), "passthrough", tree.ExtraTreeClassifier(random_state=0)), TWO
    ),
    "steps-filled-with-one": lambda: fit(
        make_pipeline(impute.SimpleImputer(strategy="constant", fill_value=1), tree.DecisionTreeClassifier(random_state=0)), TWO
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
        expected = {"probabilities": model.predict_proba(rows)} if has_probabilities else {"decision": model.decision_function(rows)}
    for output, wanted in expected.items():
        found = telling.answer(function, rows, output)
        assert found.dtype == np.float64
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=relative, atol=relative)
    for odd in (np.nan, 1e39, -np.inf):
        row = np.where(np.arange(telling.COLUMNS) == 1, odd, rows[:1])
        taken = takes(function, row)
        assert taken == takes_itself(model, row) or not taken and isinstance(model, Pipeline), f"{odd} is taken by one of the two"
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
