"""scikit-learn's models of models: what one is asked for decides what the next one sees."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pytest
import telling
from harness import Platform
from sklearn import (
    calibration,
    compose,
    ensemble,
    linear_model,
    multiclass,
    multioutput,
    naive_bayes,
    preprocessing,
    tree,
)
from sklearn.base import BaseEstimator
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

TABLE = np.nan_to_num(telling.numbers(400, 0, np.float64))
SCORE = telling.score(TABLE)
TWO, NAMES = SCORE > 0.7, np.array(["none", "few", "many"], dtype=object)[np.digitize(SCORE, [0, 2])]
#: Classifiers that have probabilities and a decision, or probabilities alone.
BASES: dict[str, Callable[[], BaseEstimator]] = {
    "boosted": lambda: ensemble.GradientBoostingClassifier(n_estimators=5, random_state=0),
    "histogram": lambda: ensemble.HistGradientBoostingClassifier(max_iter=5, random_state=0),
    "adaptive": lambda: ensemble.AdaBoostClassifier(n_estimators=5, random_state=0),
    "bayes": naive_bayes.GaussianNB,
    "line": lambda: linear_model.LogisticRegression(max_iter=1_000),
}
AROUND: dict[str, Callable[[BaseEstimator], BaseEstimator]] = {
    "one-against-rest": multiclass.OneVsRestClassifier,
    "one-against-one": multiclass.OneVsOneClassifier,
    "codes": lambda base: multiclass.OutputCodeClassifier(base, random_state=0),
    "sigmoid": lambda base: calibration.CalibratedClassifierCV(base, cv=2),
    "isotonic": lambda base: calibration.CalibratedClassifierCV(base, method="isotonic", cv=2, ensemble=False),
    "bag": lambda base: ensemble.BaggingClassifier(base, 3, random_state=0),
    "stack": lambda base: ensemble.StackingClassifier([("one", base)], linear_model.LogisticRegression(), cv=2),
}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("classes", ["two", "three"])
def test_each_model_is_asked_for_what_scikit_learn_asks_it(platform: Platform, tmp_path: Path, around: str, classes: str):
    """A decision before probabilities, of those that have both; trees that are boosted have both."""
    rows = np.concatenate([TABLE, np.nan_to_num(telling.numbers(300, 5, np.float64))])
    for base in BASES:
        model = AROUND[around](BASES[base]()).fit(TABLE, TWO if classes == "two" else NAMES)
        path = tmp_path / f"{base}.joblib"
        joblib.dump(model, path)
        function = platform.deploy(path, f"{around}-{classes}-{base}")
        assert telling.labels(function, rows) == model.predict(rows).tolist(), base
        if hasattr(model, "predict_proba"):
            found = telling.answer(function, rows, "probabilities")
            np.testing.assert_allclose(found, model.predict_proba(rows), rtol=1e-10, atol=1e-10, err_msg=base)
        platform.cli("delete", function.name, "--yes")


def test_rows_are_refused_that_the_last_model_of_a_stack_refuses(platform: Platform, tmp_path: Path):
    """It sees them beside the answers of the others, which take what is missing."""
    models = [("one", ensemble.HistGradientBoostingClassifier(max_iter=3))]
    last = linear_model.LogisticRegression(max_iter=1_000)
    model = ensemble.StackingClassifier(models, last, passthrough=True, cv=2).fit(TABLE, TWO)
    joblib.dump(model, tmp_path / "stack.joblib")
    function = platform.deploy(tmp_path / "stack.joblib", "stack-passing")
    rows = TABLE[:3].tolist()
    assert function.post({"inputs": {"X": rows}}).status_code == 200
    rows[1][2] = None
    answer = function.post({"inputs": {"X": rows}})
    assert answer.status_code == 400
    assert "NaN in row 1, column 2" in answer.text


#: So close to each other that lines over them are steep.
NARROW = TABLE / 1e3
STEEP = linear_model.LinearRegression()
TOO_LARGE: dict[str, Callable[[], BaseEstimator]] = {
    "powers-in-a-stack": lambda: ensemble.StackingRegressor(
        [("one", linear_model.PoissonRegressor())], tree.DecisionTreeRegressor(max_depth=3), cv=2
    ).fit(TABLE, np.abs(SCORE) + 1),
    "a-line-before-a-forest": lambda: ensemble.StackingRegressor(
        [("one", linear_model.Ridge())], ensemble.RandomForestRegressor(5, random_state=0), cv=2
    ).fit(TABLE, SCORE),
    "powers-in-a-chain": lambda: multioutput.RegressorChain(linear_model.PoissonRegressor()).fit(
        TABLE, np.stack([np.abs(SCORE) + 1, np.abs(SCORE) + 2], axis=1)
    ),
    "lines-in-a-chain": lambda: multioutput.RegressorChain(STEEP).fit(NARROW, np.stack([SCORE, -SCORE], axis=1)),
    "a-line-before-a-curve": lambda: calibration.CalibratedClassifierCV(
        linear_model.LogisticRegression(C=1e9, max_iter=1_000), method="isotonic", cv=2
    ).fit(NARROW, TWO),
    "a-scaled-target": lambda: compose.TransformedTargetRegressor(
        STEEP, transformer=preprocessing.StandardScaler()
    ).fit(NARROW / 1e3, SCORE),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_a_row_of_which_one_model_makes_what_the_next_refuses_is_refused(platform: Platform, tmp_path: Path, name: str):
    """By scikit-learn and here, alone and amid others; all others are answered the same. The proof sees both."""
    model = TOO_LARGE[name]()
    joblib.dump(model, tmp_path / "model.joblib")
    function = platform.deploy(tmp_path / "model.joblib", name)
    # One large number in each row: of several, what is left of their sum depends on its order.
    powers = np.eye(1, TABLE.shape[1]) * 10.0 ** np.arange(0, 308, 3)[:, None]
    refused = np.array([not is_answered(model, row) for row in powers])
    assert refused.any() and not refused.all()
    found = [function.post({"inputs": {"X": [row.tolist()]}}) for row in powers]
    assert [answer.status_code == 400 for answer in found] == refused.tolist()
    assert "of which a model within this one makes numbers from" in found[-1].text
    amid = np.concatenate([NARROW[:2], powers[-1:]])
    assert "row 2 (counted from 0)" in function.post({"inputs": {"X": amid.tolist()}}).text
    answered = powers[~refused]
    output = "probabilities" if hasattr(model, "predict_proba") else "prediction"
    wanted = model.predict_proba(answered) if output == "probabilities" else model.predict(answered)
    np.testing.assert_allclose(telling.answer(function, answered, output), wanted, rtol=1e-10, atol=1e-10)
    platform.cli("delete", name, "--yes")
    rows = platform.cli_json("prove", tmp_path / "model.joblib", "--python", sys.executable)["rows"]
    assert rows["refused"] == rows["refused_asked"] > 0 == rows["refused_answered"]


def is_answered(model: BaseEstimator, row: np.ndarray) -> bool:
    """False where scikit-learn refuses to go on with what one of the models made."""
    try:
        model.predict(row[None])
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("name", ["bayes", "quadratic"])
def test_what_was_worked_out_in_float32_is_refused(platform: Platform, tmp_path: Path, name: str):
    """It would be worked out in float64 here, and be another number."""
    model = naive_bayes.GaussianNB() if name == "bayes" else QuadraticDiscriminantAnalysis(reg_param=0.1)
    joblib.dump(model.fit(TABLE.astype(np.float32), TWO), tmp_path / "model.joblib")
    assert "float32" in platform.refused(tmp_path / "model.joblib")
