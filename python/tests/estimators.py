"""Every estimator of scikit-learn, fitted on small data; what each answers, as the platform names it.

    python estimators.py FOLDER

writes each as NAME.joblib, with rows and its answers as NAME.npz: of whatever version of scikit-learn this Python has.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
from sklearn import ensemble, linear_model, naive_bayes, preprocessing, svm, tree
from sklearn.base import BaseEstimator, is_regressor
from sklearn.datasets import load_iris
from sklearn.pipeline import Pipeline
from sklearn.utils import all_estimators

#: Settings that make each quick, and the same each time.
QUICK = {"n_estimators": 3, "max_iter": 20, "random_state": 0, "n_quantiles": 20, "n_components": 2}
SLOW = {"MLPClassifier": 60, "MLPRegressor": 60, "NuSVC": -1, "NuSVR": -1, "SVC": -1, "SVR": -1, "OneClassSVM": -1}
LOGISTIC, RIDGE = linear_model.LogisticRegression(), linear_model.Ridge()
TREE, LEAVES = tree.DecisionTreeClassifier(max_depth=3), tree.DecisionTreeRegressor(max_depth=3)
CLASSIFIERS = [("logistic", LOGISTIC), ("tree", TREE), ("bayes", naive_bayes.GaussianNB())]
REGRESSORS = [("ridge", RIDGE), ("tree", LEAVES)]
#: What those need that cannot be made without.
NEEDED = {
    "estimators": lambda kind: CLASSIFIERS if "Classifier" in kind.__name__ else REGRESSORS,
    "estimator": lambda kind: RIDGE if "Regressor" in kind.__name__ else LOGISTIC,
    "base_estimator": lambda kind: RIDGE if "Regressor" in kind.__name__ else LOGISTIC,
    "param_grid": lambda _: {"C": [0.1, 1.0]},
    "param_distributions": lambda _: {"C": [0.1, 1.0]},
    "steps": lambda _: [("scaler", preprocessing.StandardScaler()), ("last", LOGISTIC)],
    "transformers": lambda _: [("scaler", preprocessing.StandardScaler(), [0, 1])],
    "transformer_list": lambda _: [("scaler", preprocessing.StandardScaler())],
    "dictionary": lambda _: np.eye(4)[:2],
}
#: Settings beside the defaults.
OTHERS = {
    "AdaBoostClassifier": [{"estimator": LOGISTIC}],
    "BaggingClassifier": [{"estimator": LOGISTIC, "max_features": 0.5}, {"estimator": svm.LinearSVC(), "max_samples": 6}],
    "BaggingRegressor": [{"estimator": RIDGE, "max_features": 2, "bootstrap_features": True}],
    "BayesianGaussianMixture": [
        {"n_components": 3, "covariance_type": kind, "weight_concentration_prior_type": prior}
        for kind in ("tied", "diag", "spherical")
        for prior in ("dirichlet_process", "dirichlet_distribution")
    ],
    "BernoulliNB": [{"binarize": 1.5}],
    "BisectingKMeans": [{"n_clusters": 5}],
    "CalibratedClassifierCV": [
        {"method": "isotonic"},
        {"estimator": TREE},
        {"estimator": svm.LinearSVC(), "cv": 2},
        {"estimator": TREE, "method": "isotonic", "ensemble": False},
    ],
    "ComplementNB": [{"norm": True}],
    "DummyClassifier": [{"strategy": "most_frequent"}],
    "DummyRegressor": [{"strategy": "median"}],
    "GenericUnivariateSelect": [
        {"mode": "percentile", "param": 60},
        {"mode": "k_best", "param": 2},
        {"mode": "fpr", "param": 1e-10},
        {"mode": "fdr", "param": 1e-10},
        {"mode": "fwe", "param": 1e-10},
    ],
    "GaussianProcessRegressor": [{"normalize_y": True, "alpha": 0.1}],
    "FeatureAgglomeration": [{"n_clusters": 3}],
    "GaussianMixture": [{"n_components": 3, "covariance_type": kind} for kind in ("tied", "diag", "spherical")],
    "KMeans": [{"n_clusters": 3}],
    "LinearDiscriminantAnalysis": [{"solver": "lsqr", "shrinkage": "auto"}, {"solver": "eigen"}],
    "MultiOutputClassifier": [{"estimator": TREE}],
    "OneVsOneClassifier": [{"estimator": svm.LinearSVC()}, {"estimator": TREE}, {"estimator": svm.SVC()}],
    "OneVsRestClassifier": [{"estimator": svm.LinearSVC()}, {"estimator": TREE}, {"estimator": svm.SVC()}],
    "OutputCodeClassifier": [{"estimator": TREE}, {"estimator": svm.LinearSVC(), "code_size": 4}],
    "KernelRidge": [{"kernel": "rbf"}, {"kernel": "poly", "gamma": 0.1}, {"kernel": "sigmoid", "gamma": 0.01}],
    "MLPClassifier": [{"activation": "tanh"}, {"activation": "logistic", "hidden_layer_sizes": (8, 5)}],
    "MLPRegressor": [{"activation": "identity", "hidden_layer_sizes": ()}],
    "NuSVR": [{"kernel": "linear"}],
    "OneClassSVM": [{"nu": 0.2, "kernel": "poly"}],
    "PowerTransformer": [{"standardize": False}],
    "SelectFdr": [{"alpha": 1e-12}],
    "SelectFpr": [{"alpha": 1e-12}],
    "SelectFromModel": [
        {"threshold": "median"},
        {"threshold": "1.25*mean", "norm_order": 2},
        {"max_features": 2, "threshold": 0},
        {"estimator": linear_model.Lasso(alpha=0.2)},
        {"estimator": TREE},
        {"estimator": ensemble.RandomForestClassifier(n_estimators=5, random_state=0), "threshold": "median"},
        {"estimator": ensemble.GradientBoostingRegressor(n_estimators=5, random_state=0)},
    ],
    "SelectFwe": [{"alpha": 1e-12}],
    "SelectKBest": [{"k": 2}],
    "SelectPercentile": [{"percentile": percentile} for percentile in (25, 50, 66.7, 99, 100)],
    "SparseRandomProjection": [{"density": 1}],
    "SVC": [
        {"kernel": "poly"},
        {"kernel": "poly", "degree": 5, "coef0": 0.5, "decision_function_shape": "ovo"},
        {"kernel": "sigmoid", "gamma": 0.01},
        {"kernel": "linear", "break_ties": True},
    ],
    "SVR": [{"kernel": "poly", "degree": 2}, {"kernel": "sigmoid", "gamma": 0.01}],
    "SGDClassifier": [{"loss": "modified_huber"}, {"loss": "log_loss"}],
    "StackingClassifier": [
        {"passthrough": True},
        {"stack_method": "predict", "final_estimator": TREE},
        {"estimators": [("one", svm.LinearSVC()), ("other", TREE)]},
    ],
    "NearestCentroid": [{"shrink_threshold": 0.1}],
    "StackingRegressor": [{"passthrough": True, "final_estimator": LEAVES}],
    "PCA": [{"whiten": True}],
    "KernelPCA": [{"kernel": "rbf"}],
    "TfidfTransformer": [
        {"sublinear_tf": True, "norm": "l1"},
        {"use_idf": False},
        {"norm": None, "smooth_idf": False},
    ],
    "TransformedTargetRegressor": [
        {"func": np.log1p, "inverse_func": np.expm1},
        {"transformer": preprocessing.StandardScaler(), "regressor": LEAVES},
    ],
    "TweedieRegressor": [{"power": 1.5}],
    "VotingClassifier": [{"voting": "soft"}, {"voting": "soft", "weights": [1, 2, 0.5]}, {"weights": [1, 1, 2]}],
    "VotingRegressor": [{"weights": [1, 3]}],
}
TWO_CLASSES = {"FixedThresholdClassifier", "TunedThresholdClassifierCV"}
TWO_LABELS = {"ClassifierChain", "MultiOutputClassifier"}
POSITIVE = {"GammaRegressor", "PoissonRegressor", "TweedieRegressor"}
SOME_UNKNOWN = {"SelfTrainingClassifier", "LabelPropagation", "LabelSpreading"}
SEVERAL = "MultiTask", "MultiOutputRegressor", "RegressorChain", "CCA", "PLS"


def table() -> np.ndarray:
    """Some rows of the irises, no two equal."""
    return np.unique(load_iris().data[::3], axis=0)


def target(name: str, rows: np.ndarray) -> np.ndarray:
    """Something to learn of them that this estimator takes."""
    kinds = np.digitize(rows[:, 2], [2.5, 4.9])
    if name in TWO_CLASSES:
        return (kinds == 1).astype(int)
    if name in TWO_LABELS:
        return np.stack([kinds == 1, rows[:, 1] > 3], axis=1).astype(int)
    if name in SOME_UNKNOWN:
        return np.where(np.arange(len(rows)) % 4 == 1, -1, kinds)
    if name.startswith(SEVERAL):
        return rows[:, :2] ** 2 - rows[:, 2:] + np.sin(np.arange(2 * len(rows))).reshape(-1, 2)
    if name in POSITIVE or "Regress" in name or name in REGRESSIONS:
        return np.exp(rows[:, 0] / 5) + rows[:, 3] + np.sin(np.arange(len(rows)))**2
    return kinds


REGRESSIONS = {name for name, _ in all_estimators(type_filter="regressor")}


#: What else may be learnt: how a model is called that learns it, of which kind it is, and what it is of these rows.
TABLES: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "numbers": ("regressor", lambda rows: target("MultiTask", rows)),
    "flags": ("classifier", lambda rows: np.stack([rows[:, 2] > 4.9, rows[:, 1] > 3, rows[:, 0] > 5.5], 1).astype(int)),
    "labels": ("classifier", lambda rows: np.stack([np.digitize(rows[:, 2], [2.5, 4.9]), rows[:, 1] > 3], 1).astype(int)),
}


def made(name: str, kind: type, settings: dict, scaled: bool, of: Callable | None = None) -> BaseEstimator | None:
    """One, fitted, perhaps behind a scaler; None where it cannot be made or does not fit rows."""
    parameters = inspect.signature(kind).parameters
    needed = {key: NEEDED[key](kind) for key, p in parameters.items() if p.default is p.empty and key in NEEDED}
    quick = {key: value for key, value in QUICK.items() if key in parameters}
    if name in SLOW:
        quick["max_iter"] = SLOW[name]
    if name == "LocalOutlierFactor":
        quick["novelty"] = True
    if name == "CalibratedClassifierCV":
        quick[next(key for key in ("estimator", "base_estimator") if key in parameters)] = LOGISTIC
    if name == "SelfTrainingClassifier":
        needed = {next(key for key in ("estimator", "base_estimator") if key in parameters): LOGISTIC}
    if "base_estimator" in parameters and "estimator" in settings and "estimator" not in parameters:
        settings = {"base_estimator" if key == "estimator" else key: value for key, value in settings.items()}
    rows = table()
    wanted = target(name, rows) if of is None else of(rows)
    if name == "IsotonicRegression":
        rows = rows[:, :1]
        quick["out_of_bounds"] = "clip"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = kind(**quick | needed | settings)
            if scaled:
                # Such that what may not be negative stays so.
                model = Pipeline([("scaler", preprocessing.MaxAbsScaler()), ("model", model)])
            return model.fit(rows, wanted)
    except (ValueError, TypeError, AttributeError, NotImplementedError):
        return None


def fitted(scaled: bool = False, others: bool = True) -> dict[str, BaseEstimator]:
    """Every estimator of scikit-learn that fits rows, by its name, with a number where its settings are not the
    defaults, and with what it learnt where that is a table."""
    models = {}
    for name, kind in all_estimators():
        for number, settings in enumerate([{}, *(OTHERS.get(name, []) if others else [])]):
            model = made(name, kind, settings, scaled)
            if model is not None:
                models[f"{name}-{number}" if number else name] = model
    for several, (kind_of, of) in TABLES.items() if others else ():
        for name, kind in all_estimators(type_filter=kind_of):
            model = made(name, kind, {}, scaled, of)
            if model is not None:
                models[f"{name}-{several}"] = model
    return models


def asked(model: BaseEstimator) -> np.ndarray:
    """Rows that it was fitted with, others like them, and far away ones."""
    rows, random = table(), np.random.RandomState(5)
    near = rows[random.randint(len(rows), size=200)] + random.normal(size=(200, 4)) * 0.5
    # Close to rows: half way between two, and a step of float32 and of float64 away.
    middle = (rows[:-1] + rows[1:]) / 2
    close = np.nextafter(rows, np.inf), np.nextafter(rows.astype(np.float32), np.float32(9)).astype(float)
    far = random.normal(size=(40, 4)) * 30
    whole = np.concatenate([rows, np.abs(near), middle, *close, np.abs(far)])
    last = model[-1] if isinstance(model, Pipeline) else model
    return whole[:, :1] if type(last).__name__ == "IsotonicRegression" else whole


def answers(model: BaseEstimator, rows: np.ndarray) -> dict[str, np.ndarray]:
    """What it answers, by the names of outputs; nothing where it answers for no new rows."""
    outputs = {}
    if hasattr(model, "predict"):
        outputs["prediction" if is_regressor(model) else "label"] = model.predict(rows)
        if not is_regressor(model):
            for output, method in (("probabilities", "predict_proba"), ("decision", "decision_function")):
                if hasattr(model, method):
                    found = getattr(model, method)(rows)
                    if not isinstance(found, list):  # a table for each output is not given
                        outputs[output] = found
                    break
    elif hasattr(model, "transform"):
        outputs["transformed"] = model.transform(rows)
    return {name: found.toarray() if hasattr(found, "toarray") else np.asarray(found) for name, found in outputs.items()}


def main(folder: Path, scaled: bool = False) -> None:
    """Writes each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, model in fitted(scaled).items():
        joblib.dump(model, folder / f"{name}.joblib")
        rows = asked(model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = answers(model, rows)
            except (ValueError, TypeError, AttributeError, NotImplementedError, IndexError) as error:
                print(f"{name}: {str(error)[:100]}", file=sys.stderr)
                continue
        np.savez_compressed(folder / f"{name}.npz", rows=rows, **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
