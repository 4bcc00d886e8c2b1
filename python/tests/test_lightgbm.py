"""LightGBM's own text files and pickled models, deployed as they are: every answer is that of LightGBM itself."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import lightgbm as lgb
import numpy as np
import pytest
import telling
import wire
from harness import Platform

#: Sums over trees are taken in the same order and precision; `exp` may differ in the last place.
RELATIVE = 1e-14
TABLE = telling.numbers(1_500, 0, np.float64)
SCORE = telling.score(TABLE)
TWO, FOUR = (SCORE > 0.7).astype(int), np.digitize(SCORE, [0, 1, 2])
GROUPS = {"group": [15] * 100}


def train(objective: str, y: np.ndarray, table: np.ndarray = TABLE, rounds: int = 20, **settings) -> lgb.Booster:
    """A model."""
    data = {key: settings.pop(key) for key in ("group", "categorical_feature", "feature_name") if key in settings}
    dataset = lgb.Dataset(table, y, **data, params={"verbose": -1})
    return lgb.train({"objective": objective, "verbose": -1, "seed": 0} | settings, dataset, rounds)


def with_categories(**settings) -> lgb.Booster:
    """The first column holds codes of categories."""
    table = telling.numbers(1_500, 1, np.float64, categories=True)
    y = telling.score(table) + 3 * np.sin(np.nan_to_num(table[:, 0]))
    return train("regression", y, table, categorical_feature=[0], min_data_per_group=5, cat_smooth=1, **settings)


def with_zeros(**settings) -> lgb.Booster:
    """A third of all numbers are zero."""
    table = np.where(np.random.default_rng(2).random(TABLE.shape) < 0.33, 0.0, TABLE)
    return train("regression", telling.score(table) + (table[:, 1] == 0), table, **settings)


FOREST = {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6, "feature_fraction": 0.8}
MODELS: dict[str, Callable[[], lgb.Booster]] = {
    "binary": lambda: train("binary", TWO),
    "steep": lambda: train("binary", TWO, sigmoid=2.5),
    "four-classes": lambda: train("multiclass", FOUR, num_class=4),
    "one-against-all": lambda: train("multiclassova", FOUR, num_class=4),
    "regression": lambda: train("regression", SCORE),
    "square-root": lambda: train("regression", SCORE, reg_sqrt=True),
    "absolute": lambda: train("regression_l1", SCORE),
    "huber": lambda: train("huber", SCORE),
    "fair": lambda: train("fair", SCORE),
    "quantile": lambda: train("quantile", SCORE, alpha=0.8),
    "percentage": lambda: train("mape", SCORE),
    "poisson": lambda: train("poisson", np.abs(SCORE)),
    "gamma": lambda: train("gamma", np.abs(SCORE) + 0.1),
    "tweedie": lambda: train("tweedie", np.abs(SCORE)),
    "cross-entropy": lambda: train("cross_entropy", 1 / (1 + np.exp(-SCORE))),
    "cross-entropy-lambda": lambda: train("cross_entropy_lambda", 1 / (1 + np.exp(-SCORE))),
    "ranking": lambda: train("lambdarank", np.clip(SCORE, 0, 4).astype(int), **GROUPS),
    "dart": lambda: train("binary", TWO, boosting="dart"),
    "goss": lambda: train("binary", TWO, data_sample_strategy="goss"),
    "random-forest": lambda: train("regression", SCORE, **FOREST),
    "random-forest-binary": lambda: train("binary", TWO, **FOREST),
    "random-forest-classes": lambda: train("multiclass", FOUR, num_class=4, **FOREST),
    "one-leaf-trees": lambda: train("regression", SCORE, min_gain_to_split=1e9),
    "nothing-missing": lambda: train("regression", SCORE, np.nan_to_num(TABLE)),
    "missing-unused": lambda: with_zeros(use_missing=False),
    "zero-is-missing": lambda: with_zeros(zero_as_missing=True),
    "categories": with_categories,
    "categories-one-by-one": lambda: with_categories(max_cat_to_onehot=100),
}


def thresholds(model: lgb.Booster) -> Iterator[tuple[int, float]]:
    """Every number that a node compares with, and its column."""
    for tree in model.dump_model()["tree_info"]:
        open_nodes = [tree["tree_structure"]]
        while open_nodes:
            node = open_nodes.pop()
            if "split_feature" in node:
                open_nodes += [node["left_child"], node["right_child"]]
                if node["decision_type"] == "<=":
                    yield node["split_feature"], node["threshold"]


@pytest.mark.parametrize("name", MODELS)
def test_every_row_is_answered_as_by_lightgbm(platform: Platform, tmp_path: Path, name: str):
    """In float64, and with the float32 rows that clients send more often."""
    model = MODELS[name]()
    path = tmp_path / "model.txt"
    model.save_model(path)
    function = platform.deploy(path, f"lightgbm-{name}")
    for dtype in (np.float64, np.float32):
        rows = telling.rows(list(thresholds(model)), dtype, categories=name.startswith("categories"))
        wanted = model.predict(rows)
        found = telling.answer(function, rows, "prediction")
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=RELATIVE, atol=RELATIVE)
    platform.cli("delete", function.name, "--yes")


def test_columns_have_their_names_and_the_model_is_found_in_its_folder(platform: Platform, tmp_path: Path):
    """Beside other texts; describe says what the model was."""
    names = [f"column_{letter}" for letter in "abcdef"]
    model = train("binary", TWO, rounds=5, feature_name=names)
    model.save_model(tmp_path / "booster.txt")
    (tmp_path / "notes.txt").write_text("tree-like notes\n")
    function = platform.deploy(tmp_path, "lightgbm-named")
    rows = np.nan_to_num(TABLE[:5])
    body = {"inputs": [dict(reversed(list(zip(names, row, strict=True)))) for row in rows.tolist()]}
    found = wire.strict_json(function.post(body).content)["outputs"]["prediction"]
    np.testing.assert_allclose(found, model.predict(rows), rtol=RELATIVE)
    assert "LightGBM, binary, 5 trees" in platform.cli("describe", "lightgbm-named").stdout


def test_what_cannot_be_computed_exactly_or_is_damaged_is_refused_with_the_reason(platform: Platform, tmp_path: Path):
    """Linear leaves, an unknown objective, a cut file, a child that is not there."""
    path = tmp_path / "model.txt"
    train("regression", SCORE, np.nan_to_num(TABLE), linear_tree=True).save_model(path)
    assert "linear_tree" in platform.refused(path)
    train("binary", TWO).save_model(path)
    whole = path.read_text()
    for old, new, says in [
        ("objective=binary", "objective=mine", "is not known"),
        (whole[len(whole) // 2 :], "", "damaged or cut"),
        ("\nleft_child=", "\nleft_child=999 ", "damaged"),
        ("\nsplit_feature=", "\nsplit_feature=77 ", "damaged"),
        ("\nleaf_value=", "\nleaf_value=x ", "damaged or cut"),
    ]:
        path.write_text(whole.replace(old, new, 1))
        assert says in platform.refused(path)


def classifier(y: np.ndarray, **settings) -> lgb.LGBMClassifier:
    """By the wrapper."""
    return lgb.LGBMClassifier(n_estimators=15, verbose=-1, random_state=0, **settings).fit(TABLE, y)


def stopped_early() -> lgb.Booster:
    """Answers are made with the rounds up to the best one."""
    model = train("multiclass", FOUR, num_class=4)
    model.best_iteration = 7
    assert model.num_trees() == 4 * 20
    return model


NAMES = np.array(["none", "few", "many", "all"])
PICKLED: dict[str, Callable[[], lgb.LGBMModel | lgb.Booster]] = {
    "two-classes": lambda: classifier(TWO),
    "two-names": lambda: classifier(np.where(TWO, "yes", "no")),
    "two-truths": lambda: classifier(TWO.astype(bool)),
    "two-numbers": lambda: classifier(2.0 * TWO),
    "four-names": lambda: classifier(NAMES[FOUR].astype(object)),
    "four-numbers": lambda: classifier(10 * FOUR, objective="multiclassova"),
    "random-forest": lambda: classifier(FOUR, boosting_type="rf", subsample_freq=1, subsample=0.6),
    "stopped-early": stopped_early,
    "regressor": lambda: lgb.LGBMRegressor(n_estimators=15, verbose=-1, objective="poisson").fit(TABLE, np.abs(SCORE)),
    "ranker": lambda: lgb.LGBMRanker(n_estimators=15, verbose=-1).fit(
        TABLE, np.clip(SCORE, 0, 4).astype(int), **GROUPS
    ),
    "booster": lambda: train("tweedie", np.abs(SCORE)),
}


def write_pickle(model: object, path: Path) -> Path:
    """By the pickler that goes with the ending."""
    if path.suffix == ".joblib":
        joblib.dump(model, path, compress=3)
    else:
        path.write_bytes(pickle.dumps(model))
    return path


@pytest.mark.parametrize("name", PICKLED)
def test_a_pickled_model_answers_as_itself(platform: Platform, tmp_path: Path, name: str):
    """Labels as they were trained with, and probabilities, numbers of the rest; nothing of the pickle is run."""
    model = PICKLED[name]()
    booster = getattr(model, "booster_", model)
    rows = telling.rows(list(thresholds(booster)), np.float64)
    expected = {"prediction": model.predict(rows)}
    if isinstance(model, lgb.LGBMClassifier):
        expected = {"label": model.predict(rows), "probabilities": model.predict_proba(rows)}
    for ending in ("pkl", "joblib"):
        function = platform.deploy(write_pickle(model, tmp_path / f"model.{ending}"), f"lightgbm-{name}-{ending}")
        for output, wanted in expected.items():
            if output == "label":
                assert telling.labels(function, rows) == wanted.tolist()
            else:
                found = telling.answer(function, rows, output)
                assert found.shape == wanted.shape
                np.testing.assert_allclose(found, wanted, rtol=RELATIVE, atol=RELATIVE)
        assert f"pickled {type(model).__name__}" in platform.cli("describe", function.name).stdout
        platform.cli("delete", function.name, "--yes")


def test_a_pickle_whose_answers_are_not_known_is_refused_with_the_reason(platform: Platform, tmp_path: Path):
    """A wrapper that stops early in each answer, one that was never fitted, categories of pandas."""
    path = tmp_path / "model.pkl"
    assert "pred_early_stop" in platform.refused(write_pickle(classifier(TWO, pred_early_stop=True), path))
    assert "was it fitted?" in platform.refused(write_pickle(lgb.LGBMClassifier(), path))
    model = train("binary", TWO)
    model.pandas_categorical = [[10, 20, 30]]
    assert "pandas" in platform.refused(write_pickle(model, path))
    model.save_model(tmp_path / "model.txt")
    assert "pandas" in platform.refused(tmp_path / "model.txt")
