"""CatBoost's own files, `.cbm` and JSON, and pickled models, deployed as they are: every answer is that of CatBoost itself."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import catboost as cb
import numpy as np
import pytest
import telling
import wire
from harness import Platform

#: Sums over trees are taken in the same order and precision; `exp` may differ in the last place.
RELATIVE = 1e-14
TABLE = telling.numbers(1_500, 0, np.float32)
FULL = np.nan_to_num(TABLE)
SCORE = telling.score(TABLE)
TWO, FOUR = (SCORE > 0.7).astype(int), np.digitize(SCORE, [0, 1, 2])
NAMES = np.array(["none", "few", "many", "all"])
SETTINGS = {"iterations": 25, "verbose": 0, "allow_writing_files": False, "random_seed": 0, "thread_count": 2}
FORMS = ["cbm", "json", "pkl"]


def classifier(y: np.ndarray, table: np.ndarray = TABLE, **settings) -> cb.CatBoostClassifier:
    """A choice."""
    return cb.CatBoostClassifier(**SETTINGS | settings).fit(table, y)


def regressor(loss: str = "RMSE", y: np.ndarray = SCORE, table: np.ndarray = TABLE, **settings) -> cb.CatBoostRegressor:
    """Numbers."""
    return cb.CatBoostRegressor(loss_function=loss, **SETTINGS | settings).fit(table, y)


def scaled() -> cb.CatBoostRegressor:
    """One whose sum is multiplied, and moved."""
    model = regressor(boost_from_average=False)
    model.set_scale_and_bias(0.5, 3.0)
    return model


POSITIVE = np.abs(SCORE) + 0.5
BOTH = np.stack([SCORE, POSITIVE], axis=1)
MODELS: dict[str, Callable[[], cb.CatBoost]] = {
    "two": lambda: classifier(TWO),
    "two-names": lambda: classifier(np.where(TWO, "yes", "no")),
    "two-truths": lambda: classifier(TWO.astype(bool)),
    "two-numbers": lambda: classifier(1.5 * TWO + 0.5),
    "four": lambda: classifier(FOUR),
    "four-names": lambda: classifier(NAMES[FOUR]),
    "one-against-all": lambda: classifier(FOUR, loss_function="MultiClassOneVsAll"),
    "cross-entropy": lambda: classifier(1 / (1 + np.exp(-SCORE)), loss_function="CrossEntropy"),
    "flags": lambda: classifier(np.stack([TWO, SCORE > 0], axis=1).astype(int), loss_function="MultiLogloss"),
    "missing-is-large": lambda: classifier(TWO, nan_mode="Max"),
    "nothing-missing": lambda: classifier(TWO, FULL),
    "by-leaf": lambda: classifier(FOUR, grow_policy="Lossguide", max_leaves=9),
    "by-depth": lambda: regressor(grow_policy="Depthwise", depth=4),
    "deep": lambda: regressor(depth=10, iterations=5),
    "constant-column": lambda: regressor(table=np.where([1, 1, 1, 1, 1, 0], TABLE, 7).astype(np.float32)),
    "scaled": scaled,
    **{
        loss.split(":")[0].lower(): lambda loss=loss: regressor(loss, POSITIVE)
        for loss in ["RMSE", "MAE", "Quantile:alpha=0.3", "Poisson", "Tweedie:variance_power=1.5", "LogCosh", "Huber:delta=1"]
        + ["RMSEWithUncertainty", "Expectile:alpha=0.3", "MAPE", "Lq:q=3", "LogLinQuantile", "MultiQuantile:alpha=0.1,0.9"]
    },
    "several": lambda: regressor("MultiRMSE", BOTH),
    "ranking": lambda: cb.CatBoostRanker(loss_function="YetiRank", **SETTINGS | {"bootstrap_type": "No"}).fit(
        TABLE, np.clip(SCORE, 0, 4).astype(int), group_id=np.repeat(np.arange(100), 15)
    ),
    "the-sum-itself": lambda: cb.CatBoost({"loss_function": "Logloss"} | SETTINGS).fit(TABLE, TWO),
}


def write(model: cb.CatBoost, path: Path) -> Path:
    """In the form that its ending says."""
    if path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(model))
    else:
        model.save_model(path, format=path.suffix[1:])
    return path


def outputs(model: cb.CatBoost, rows: np.ndarray) -> dict[str, np.ndarray]:
    """What CatBoost answers, by the names that it has here."""
    found = model.predict(rows)
    if not isinstance(model, cb.CatBoostClassifier):
        return {"prediction": found}
    is_column = found.ndim == 2 and found.shape[1] == 1
    return {"label": found[:, 0] if is_column else found, "probabilities": model.predict_proba(rows)}


@pytest.mark.parametrize("name", MODELS)
def test_every_row_is_answered_as_by_catboost_whichever_way_it_was_saved(platform: Platform, tmp_path: Path, name: str):
    """Around every border, too, in float32 and in float64, which CatBoost rounds to float32."""
    model = MODELS[name]()
    borders = [(column, border) for column, all_of_it in model.get_borders().items() for border in all_of_it]
    rows = telling.rows(borders, np.float32)
    # A file does not say that it was saved by the class that gives the sum whatever the loss.
    for form in ["pkl"] if name == "the-sum-itself" else FORMS:
        function = platform.deploy(write(model, tmp_path / f"model.{form}"), f"catboost-{name}-{form}")
        for dtype in (np.float32, np.float64):
            for output, wanted in outputs(model, rows.astype(dtype)).items():
                if output == "label" and wanted.ndim == 1:
                    assert telling.labels(function, rows.astype(dtype)) == wanted.tolist()
                    continue
                found = telling.answer(function, rows.astype(dtype), output)
                assert found.shape == wanted.shape
                np.testing.assert_allclose(found, wanted, rtol=RELATIVE, atol=RELATIVE)
        platform.cli("delete", function.name, "--yes")


def test_columns_have_their_names_and_describe_says_what_it_was(platform: Platform, tmp_path: Path):
    """Of a model that was trained with a pool that names them."""
    names = [f"column_{letter}" for letter in "abcdef"]
    model = cb.CatBoostClassifier(**SETTINGS).fit(cb.Pool(TABLE, TWO, feature_names=names))
    function = platform.deploy(write(model, tmp_path / "model.cbm"), "catboost-named")
    body = {"inputs": [dict(reversed(list(zip(names, row, strict=True)))) for row in FULL[:5].tolist()]}
    found = wire.strict_json(function.post(body).content)["outputs"]["probabilities"]
    np.testing.assert_allclose(found, model.predict_proba(FULL[:5]), rtol=RELATIVE)
    described = platform.cli("describe", "catboost-named").stdout
    assert f"CatBoost {cb.__version__}, Logloss, 25 trees" in described


def test_what_cannot_be_computed_exactly_or_is_damaged_is_refused_with_the_reason(platform: Platform, tmp_path: Path):
    """A threshold of its own, a loss that is not known, and files that are cut or changed."""
    model = classifier(TWO)
    path = write(model, tmp_path / "model.json")
    whole = json.loads(path.read_text())
    whole["model_info"]["params"]["loss_function"]["type"] = "Mine"
    path.write_text(json.dumps(whole))
    assert 'the loss "Mine" is not known' in platform.refused(path)
    model.set_probability_threshold(0.3)
    for form in FORMS:
        assert "threshold of its own" in platform.refused(write(model, tmp_path / f"threshold.{form}"))
    model = classifier(FOUR, loss_function="MultiClass", classes_count=6)
    for form in FORMS:
        assert "classes that it never saw" in platform.refused(write(model, tmp_path / f"classes.{form}"))
    both = cb.sum_models([classifier(TWO), classifier(TWO, depth=3)])
    assert "as a sum of models" in platform.refused(write(both, tmp_path / "sum.cbm"))
    bytes_ = write(classifier(TWO), tmp_path / "model.cbm").read_bytes()
    cut = tmp_path / "cut.cbm"
    for end in (5, 8, 100, len(bytes_) // 2, len(bytes_) - 1):
        cut.write_bytes(bytes_[:end])
        assert "damaged or cut" in platform.refused(cut)


def test_a_damaged_file_is_refused_or_answers_and_never_anything_else(platform: Platform, tmp_path: Path):
    """Bytes of the flatbuffer changed at random: an offset that leads anywhere must end in words."""
    bytes_ = write(classifier(FOUR, iterations=2, depth=2), tmp_path / "model.cbm").read_bytes()
    random = np.random.default_rng(0)
    path = tmp_path / "changed.cbm"
    for _ in range(60):
        changed = bytearray(bytes_)
        for place in random.integers(8, len(bytes_), 4):
            changed[place] = random.integers(256)
        path.write_bytes(changed)
        done = platform.cli("deploy", path, "--name", "catboost-changed", "--no-proof", check=False)
        assert done.returncode in (0, 1)
        assert "panicked" not in done.stderr
