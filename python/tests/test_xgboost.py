"""XGBoost's own files, deployed as they are: every answer is that of XGBoost itself."""

from __future__ import annotations

import json
import pickle
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pytest
import telling
import wire
import xgboost as xgb
from harness import Platform

#: Sums over trees are taken in the same order and precision and are equal bit by bit; `exp` may differ in the last place.
RELATIVE = 4e-7
KINDS = ["c"] + ["float"] * (telling.COLUMNS - 1)


@dataclass
class Trained:
    """A model and what it answers."""

    model: xgb.Booster | xgb.XGBModel
    answers: Callable[[np.ndarray], dict[str, np.ndarray]]

    @property
    def booster(self) -> xgb.Booster:
        """The model behind the wrapper."""
        return self.model if isinstance(self.model, xgb.Booster) else self.model.get_booster()


TABLE = telling.numbers(1_500, 0, np.float32)
SCORE = telling.score(TABLE)
TWO, FOUR = (SCORE > 0.7).astype(int), np.digitize(SCORE, [0, 1, 2])


def classifier(y: np.ndarray, kind: type[xgb.XGBModel] = xgb.XGBClassifier, **settings) -> Trained:
    """By the wrapper: labels and probabilities."""
    model = kind(n_estimators=25, random_state=0, **settings).fit(TABLE, y)
    return Trained(model, lambda rows: {"label": model.predict(rows), "probabilities": model.predict_proba(rows)})


def regressor(objective: str, y: np.ndarray = SCORE, **settings) -> Trained:
    """By the wrapper: a number."""
    model = xgb.XGBRegressor(objective=objective, n_estimators=25, **settings).fit(TABLE, y)
    return Trained(model, lambda rows: {"prediction": model.predict(rows)})


def booster(objective: str, y: np.ndarray, rounds: int = 10, **settings) -> Trained:
    """By `xgboost.train`."""
    model = xgb.train({"objective": objective, **settings}, xgb.DMatrix(TABLE, y), rounds)
    return Trained(model, lambda rows: {"prediction": model.predict(xgb.DMatrix(rows))})


def with_categories(max_cat_to_onehot: int) -> Trained:
    """The first column holds codes of categories."""
    rows = telling.numbers(1_500, 1, np.float32, categories=True)
    y = telling.score(rows) + 3 * np.sin(np.nan_to_num(rows[:, 0]))
    data = xgb.DMatrix(rows, y, feature_types=KINDS, enable_categorical=True)
    model = xgb.train({"max_cat_to_onehot": max_cat_to_onehot}, data, 15)

    def answers(rows: np.ndarray) -> dict[str, np.ndarray]:
        return {"prediction": model.predict(xgb.DMatrix(rows, feature_types=KINDS, enable_categorical=True))}

    return Trained(model, answers)


def stopped_early() -> Trained:
    """Predictions are made with the rounds up to the best one."""
    model = xgb.XGBClassifier(n_estimators=200, early_stopping_rounds=5, learning_rate=0.2)
    held_out = telling.numbers(500, 2, np.float32)
    model.fit(TABLE, TWO, eval_set=[(held_out, (telling.score(held_out) > 0.7).astype(int))], verbose=False)
    rounds = len(model.get_booster().get_dump())
    assert 1 < model.best_iteration + 1 < rounds, "it stopped, and not at once"
    return Trained(model, lambda rows: {"label": model.predict(rows), "probabilities": model.predict_proba(rows)})


def ranker() -> Trained:
    """Learning to rank: the raw score."""
    groups = np.sort(np.random.default_rng(3).integers(0, 100, len(TABLE)))
    model = xgb.XGBRanker(n_estimators=15).fit(TABLE, np.clip(SCORE, 0, 4).astype(int), qid=groups)
    return Trained(model, lambda rows: {"prediction": model.predict(rows)})


def survival() -> Trained:
    """Accelerated failure time."""
    data = xgb.DMatrix(TABLE)
    data.set_float_info("label_lower_bound", np.abs(SCORE) + 0.1)
    data.set_float_info("label_upper_bound", np.abs(SCORE) + 0.1)
    model = xgb.train({"objective": "survival:aft"}, data, 10)
    return Trained(model, lambda rows: {"prediction": model.predict(xgb.DMatrix(rows))})


MODELS: dict[str, Callable[[], Trained]] = {
    "two-classes": lambda: classifier(TWO),
    "four-classes": lambda: classifier(FOUR),
    "several-labels": lambda: classifier(np.stack([TWO, 1 - TWO, (SCORE > 2).astype(int)], 1)),
    "random-forest": lambda: classifier(TWO, xgb.XGBRFClassifier),
    "dart": lambda: classifier(TWO, booster="dart", rate_drop=0.3),
    "stopped-early": stopped_early,
    "one-leaf-trees": lambda: regressor("binary:hinge", TWO, gamma=60),
    "squared": lambda: regressor("reg:squarederror"),
    "absolute": lambda: regressor("reg:absoluteerror"),
    "huber": lambda: regressor("reg:pseudohubererror"),
    "quantiles": lambda: regressor("reg:quantileerror", quantile_alpha=np.array([0.1, 0.5, 0.9])),
    "two-targets": lambda: regressor("reg:squarederror", np.stack([SCORE, -SCORE], 1)),
    "logarithm": lambda: regressor("reg:squaredlogerror", np.abs(SCORE)),
    "poisson": lambda: regressor("count:poisson", np.abs(SCORE)),
    "gamma": lambda: regressor("reg:gamma", np.abs(SCORE) + 0.1),
    "tweedie": lambda: regressor("reg:tweedie", np.abs(SCORE)),
    "logistic": lambda: regressor("reg:logistic", 1 / (1 + np.exp(-SCORE))),
    "cox": lambda: regressor("survival:cox", np.abs(SCORE) + 0.1),
    "logit": lambda: regressor("binary:logitraw", TWO),
    "trained-binary": lambda: booster("binary:logistic", TWO),
    "trained-classes": lambda: booster("multi:softprob", FOUR, num_class=4),
    "trained-largest": lambda: booster("multi:softmax", FOUR, num_class=4),
    "ranker": ranker,
    "survival": survival,
    "categories": lambda: with_categories(1),
    "categories-one-by-one": lambda: with_categories(100),
}


def thresholds(saved: dict) -> Iterator[tuple[int, float]]:
    """Every number that a node compares with, and its column."""
    model = saved["learner"]["gradient_booster"]
    for tree in model.get("gbtree", model)["model"]["trees"]:
        splits = zip(tree["left_children"], tree["split_indices"], tree["split_conditions"], tree["split_type"], strict=True)
        yield from ((column, split) for left, column, split, kind in splits if left != -1 and kind == 0)


@pytest.mark.parametrize("name", MODELS)
def test_every_row_is_answered_as_by_xgboost(platform: Platform, tmp_path: Path, name: str):
    """Both of its file formats, and pickled by joblib; labels equal, numbers to the last place."""
    trained = MODELS[name]()
    asked = list(thresholds(json.loads(trained.booster.save_raw("json"))))
    rows = telling.rows(asked, np.float32, categories=name.startswith("categories"))
    expected = trained.answers(rows)
    for ending in ("json", "ubj", "joblib"):
        path = tmp_path / f"model.{ending}"
        if ending == "joblib":
            joblib.dump(trained.model, path, compress=3)
        else:
            trained.model.save_model(path)
        function = platform.deploy(path, f"xgboost-{name}-{ending}")
        for output, wanted in expected.items():
            found = telling.answer(function, rows, output)
            assert found.shape == wanted.shape
            if output == "label":
                assert (found == wanted).all()
            else:
                np.testing.assert_allclose(found, wanted, rtol=RELATIVE, atol=RELATIVE)
        platform.cli("delete", function.name, "--yes")


@pytest.mark.parametrize("missing", [-7.0, 0])
def test_another_number_for_missing_ones_is_told_by_a_pickle(platform: Platform, tmp_path: Path, missing: float):
    """XGBoost's own files do not say it; the pickled wrapper does."""
    table = np.nan_to_num(TABLE, nan=missing)
    model = xgb.XGBClassifier(n_estimators=10, missing=missing).fit(table, TWO)
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(model))
    function = platform.deploy(path, f"xgboost-missing-{-missing:.0f}")
    rows = np.concatenate([table, TABLE])
    found = telling.answer(function, rows, "probabilities")
    np.testing.assert_allclose(found, model.predict_proba(rows), rtol=RELATIVE, atol=RELATIVE)
    said = platform.cli("describe", function.name).stdout
    assert "XGBoost 3.2.0, binary:logistic, 10 trees, pickled XGBClassifier" in said


def test_a_pickle_that_is_more_than_a_model_is_not_imported(platform: Platform, tmp_path: Path):
    """Whatever else it names keeps it from being taken; a model that was never fitted has no booster."""
    path = tmp_path / "model.pkl"
    model = xgb.XGBClassifier(n_estimators=2).fit(TABLE, TWO)
    model.note = subprocess.run  # anything that is no part of a model
    path.write_bytes(pickle.dumps(model))
    assert "subprocess.run" in platform.refused(path)
    path.write_bytes(pickle.dumps(xgb.XGBClassifier()))
    assert "was it fitted?" in platform.refused(path)


def test_columns_have_their_names_and_come_in_any_order(platform: Platform, tmp_path: Path):
    """What XGBoost knows of its columns, clients may use; describe says what the model was."""
    names = [f"column {letter}" for letter in "abcdef"]
    model = xgb.train({"objective": "binary:logistic"}, xgb.DMatrix(TABLE, TWO, feature_names=names), 5)
    model.save_model(tmp_path / "named.ubj")
    function = platform.deploy(tmp_path / "named.ubj", "xgboost-named")
    rows = np.nan_to_num(TABLE[:5])
    body = {"inputs": [dict(reversed(list(zip(names, row, strict=True)))) for row in rows.tolist()]}
    found = wire.strict_json(function.post(body).content)["outputs"]["prediction"]
    np.testing.assert_allclose(found, model.predict(xgb.DMatrix(rows, feature_names=names)), rtol=1e-6)
    assert "XGBoost 3.2.0, binary:logistic, 5 trees" in platform.cli("describe", "xgboost-named").stdout


def test_what_cannot_be_computed_exactly_is_refused_with_the_reason(platform: Platform, tmp_path: Path):
    """Other boosters, other objectives, leaves that are vectors."""
    path = tmp_path / "model.json"
    xgb.train({"booster": "gblinear"}, xgb.DMatrix(np.nan_to_num(TABLE), SCORE), 2).save_model(path)
    assert "gblinear" in platform.refused(path)
    targets = np.stack([SCORE, -SCORE], 1)
    xgb.XGBRegressor(n_estimators=2, multi_strategy="multi_output_tree").fit(TABLE, targets).save_model(path)
    assert "multi_strategy" in platform.refused(path)
    saved = json.loads(booster("binary:logistic", TWO).model.save_raw("json"))
    saved["learner"]["objective"]["name"] = "reg:mine"
    path.write_text(json.dumps(saved))
    said = platform.refused(path)
    assert "reg:mine" in said
    assert "is not known" in said


def test_a_pickled_booster_answers_as_a_booster_whoever_saved_it_before(platform: Platform, tmp_path: Path):
    """Loaded from a classifier's file, it keeps the classifier's note, and stops at no best round."""
    table = np.nan_to_num(TABLE)
    wrapper = xgb.XGBClassifier(n_estimators=30, max_depth=2, early_stopping_rounds=2, learning_rate=2.0)
    wrapper.fit(table, SCORE > 0, eval_set=[(table[::-1], SCORE > 0)], verbose=False)
    wrapper.save_model(tmp_path / "wrapper.ubj")
    plain = xgb.Booster()
    plain.load_model(tmp_path / "wrapper.ubj")
    (tmp_path / "booster.pkl").write_bytes(pickle.dumps(plain))
    function = platform.deploy(tmp_path / "booster.pkl", "plain-booster")
    rows = telling.numbers(500, 9, np.float32)
    expected = plain.predict(xgb.DMatrix(rows))
    np.testing.assert_allclose(telling.answer(function, rows, "prediction"), expected, rtol=0, atol=4e-7)


def test_damaged_files_are_refused_and_harm_nobody(platform: Platform, tmp_path: Path):
    """Cut, and with trees that are none: a node that leads to itself, to nowhere, to a column that is not there."""
    whole = booster("binary:logistic", TWO).model
    path = tmp_path / "model.ubj"
    path.write_bytes(whole.save_raw("ubj")[:-100])
    assert "damaged or cut" in platform.refused(path)
    for key, value, says in [
        ("left_children", 0, "reached on two ways"),
        ("left_children", 10_000, "leads to one that is not there"),
        ("right_children", None, "damaged or cut"),
        ("split_indices", telling.COLUMNS, "a column that a row does not have"),
    ]:
        saved = json.loads(whole.save_raw("json"))
        saved["learner"]["gradient_booster"]["model"]["trees"][3][key][0] = value
        path.write_text(json.dumps(saved))
        assert says in platform.refused(path)
