"""CatBoost's models of categories, deployed as they are: every answer is that of CatBoost itself, for categories that it saw and
for those that it did not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import catboost as cb
import joblib
import numpy as np
import pandas as pd
import pytest
import wire
from harness import Function, Platform
from sklearn.pipeline import Pipeline
from test_catboost import FORMS, RELATIVE, SETTINGS, outputs, write

ROWS = 1_500
CATEGORIES = ["plan", "city", "shop"]
#: Texts for each branch of the hash, by length.
CITIES = [("ab" * 60)[: 1 + at % 110] + f"{at:02}" for at in range(40)] + ["Zürich", "東京", "a b", '"', "0", "-1"]


def customers(rows: int, seed: int, unknown: bool = False) -> pd.DataFrame:
    """Numbers with gaps, few categories, some, and many that are whole numbers."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(2, rows)).astype(np.float32)
    numbers[random.random(numbers.shape) < 0.1] = np.nan
    frame = pd.DataFrame(
        {
            "plan": random.choice(["free", "pro", "team"], rows),
            "age": numbers[0],
            "city": random.choice(CITIES, rows),
            "shop": random.integers(0, 400, rows),
            "spent": numbers[1],
        }
    )
    if unknown:
        frame.loc[::7, "plan"] = "of a later year"
        frame.loc[::5, "city"] = random.choice(["", "nowhere", "x" * 200, "FREE"], len(frame.loc[::5]))
        frame.loc[::3, "shop"] = random.integers(-5, 2**40, len(frame.loc[::3]))
    return frame


FRAME = customers(ROWS, 0)
SCORE = (
    (FRAME["plan"] == "pro") * 1.5
    + np.nan_to_num(FRAME["age"])
    + FRAME["city"].str.len() % 3
    + (FRAME["shop"] % 7) / 3 * (FRAME["plan"] == "team")
    + np.random.default_rng(1).normal(size=ROWS) / 4
).to_numpy()
TWO, FOUR = (SCORE > 2).astype(int), np.digitize(SCORE, [1, 2, 3])


def fitted(kind: type = cb.CatBoostClassifier, y: np.ndarray = TWO, frame: pd.DataFrame = FRAME, **settings) -> cb.CatBoost:
    """A model of that frame."""
    return kind(cat_features=CATEGORIES, **SETTINGS | settings).fit(frame, y)


def regressor(**settings) -> cb.CatBoost:
    """Of numbers."""
    return fitted(cb.CatBoostRegressor, SCORE, **settings)


MODELS: dict[str, Callable[[], cb.CatBoost]] = {
    "usual": fitted,
    "one-hot": lambda: fitted(one_hot_max_size=255),
    "counts-only": lambda: fitted(one_hot_max_size=1, max_ctr_complexity=1),
    "four": lambda: fitted(y=FOUR),
    "four-one-hot": lambda: fitted(y=FOUR, one_hot_max_size=10, loss_function="MultiClassOneVsAll"),
    "flags": lambda: fitted(y=np.stack([TWO, SCORE > 1], axis=1).astype(int), loss_function="MultiLogloss"),
    "numbers": regressor,
    "two-together": lambda: regressor(max_ctr_complexity=2, depth=8),
    "four-together": lambda: fitted(max_ctr_complexity=4, one_hot_max_size=4, depth=8, iterations=60),
    "by-leaf": lambda: fitted(grow_policy="Lossguide", max_leaves=20),
    "by-depth-four": lambda: fitted(y=FOUR, grow_policy="Depthwise", one_hot_max_size=4),
    "missing-is-large": lambda: fitted(nan_mode="Max", max_ctr_complexity=3, iterations=60),
    **{
        f"by-{name.lower()}": lambda name=name: regressor(
            simple_ctr=[f"{name}:Prior=0.3/1:Prior=2/1"], combinations_ctr=[f"{name}:Prior=0.1"]
        )
        for name in ["Borders", "Buckets", "BinarizedTargetMeanValue", "Counter"]
    },
    "several-borders": lambda: regressor(
        simple_ctr=["Borders:TargetBorderCount=4", "Buckets:TargetBorderCount=3", "Counter"], one_hot_max_size=1
    ),
    "classes-of-four": lambda: fitted(y=FOUR, simple_ctr=["Buckets", "Borders", "BinarizedTargetMeanValue"]),
    "skips-no-test": lambda: fitted(counter_calc_method="Full", has_time=True),
    "several": lambda: fitted(cb.CatBoostRegressor, np.stack([SCORE, -SCORE], axis=1), loss_function="MultiRMSE"),
    "variance": lambda: regressor(loss_function="RMSEWithUncertainty"),
    "poisson": lambda: fitted(cb.CatBoostRegressor, np.abs(SCORE), loss_function="Poisson"),
}

#: Models of which CatBoost's own JSON keeps not all tables: it answers otherwise itself, once it has read it again.
JSON_LOSES = {
    "flags": MODELS["flags"],
    "several": MODELS["several"],
    "two-ways": lambda: regressor(
        simple_ctr=["Borders:TargetBorderCount=1", "Borders:TargetBorderCount=4"], one_hot_max_size=1
    ),
}
MODELS["two-ways"] = JSON_LOSES["two-ways"]


def records(frame: pd.DataFrame) -> list[dict]:
    """Rows as a client has them: float32 in full, whole numbers as such, what is missing null."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()} for row in rows]


def asked(function: Function, rows: list) -> dict:
    """All outputs."""
    response = function.post({"inputs": rows})
    assert response.status_code == 200, response.text
    return wire.strict_json(response.content)["outputs"]


def around_borders(model: cb.CatBoost) -> pd.DataFrame:
    """Rows with the numbers that a model asks about, and their neighbours."""
    frames = []
    for column, borders in model.get_borders().items():
        name = FRAME.columns[column]
        for towards in (-np.inf, None, np.inf):
            frame = customers(len(borders), 9)
            values = np.array(borders, np.float32)
            # The border of what is missing is the least number, or the largest; beyond is none that JSON has.
            with np.errstate(over="ignore"):
                moved = values if towards is None else np.nextafter(values, np.float32(towards))
            frame[name] = np.clip(moved, -np.finfo(np.float32).max, np.finfo(np.float32).max)
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize("name", MODELS)
def test_every_row_is_answered_as_by_catboost_whichever_way_it_was_saved(platform: Platform, tmp_path: Path, name: str):
    """Of three thousand rows a quarter have categories that the model never saw."""
    model = MODELS[name]()
    frame = pd.concat([customers(1_500, 5), customers(1_500, 6, unknown=True), around_borders(model)], ignore_index=True)
    rows = records(frame)
    for form in FORMS if name not in JSON_LOSES else ["cbm", "pkl"]:
        function = platform.deploy(write(model, tmp_path / f"model.{form}"), f"categories-{name}-{form}")
        found = asked(function, rows)
        for output, wanted in outputs(model, frame).items():
            if output == "label" and wanted.ndim == 1:
                assert found[output] == wanted.tolist()
            else:
                np.testing.assert_allclose(np.array(found[output]), wanted, rtol=RELATIVE, atol=RELATIVE)
        platform.cli("delete", function.name, "--yes")


def test_statistics_that_only_a_graphics_card_trains_are_answered_as_by_catboost(platform: Platform, tmp_path: Path):
    """Means of targets, frequencies and priors of any weight, written into the JSON of a model, which CatBoost reads too."""
    model = regressor(simple_ctr=["BinarizedTargetMeanValue", "Counter"], combinations_ctr=["Counter"], one_hot_max_size=1)
    path = write(model, tmp_path / "model.json")
    text = path.read_text().replace("BinarizedTargetMeanValue", "FloatTargetMeanValue").replace("Counter", "FeatureFreq")
    path.write_text(text.replace('"prior_denomerator":1', '"prior_denomerator":3').replace('"shift":0', '"shift":0.125'))
    changed = cb.CatBoostRegressor().load_model(path, format="json")
    changed.save_model(tmp_path / "model.cbm")
    frame = customers(2_000, 11, unknown=True)
    wanted = changed.predict(frame)
    assert not np.allclose(wanted, model.predict(frame))
    for form in ("json", "cbm"):
        function = platform.deploy(tmp_path / f"model.{form}", f"of-a-card-{form}")
        np.testing.assert_allclose(asked(function, records(frame))["prediction"], wanted, rtol=RELATIVE, atol=RELATIVE)


@pytest.mark.parametrize("name", JSON_LOSES)
def test_json_that_lost_tables_is_refused(platform: Platform, tmp_path: Path, name: str):
    """And the message says what to save instead."""
    said = platform.refused(write(JSON_LOSES[name](), tmp_path / "model.json"))
    assert "save it as .cbm, which keeps all" in said


@pytest.mark.parametrize("name", ["usual", "one-hot", "four-together", "numbers"])
def test_deploying_proves_it_on_categories_that_the_file_knows_by_hash_alone(platform: Platform, tmp_path: Path, name: str):
    """Against CatBoost itself, in an environment of its own."""
    path = write(MODELS[name](), tmp_path / "model.cbm")
    platform.cli("deploy", path, "--name", f"proved-{name}")
    described = platform.cli("describe", f"proved-{name}").stdout
    assert "proved" in described
    platform.cli("delete", f"proved-{name}", "--yes")


def test_rows_come_as_records_lists_and_csv_and_categories_as_texts_or_whole_numbers(platform: Platform, tmp_path: Path):
    """A category of pandas is its text, true is 1; nothing and a broken number are refused, as by CatBoost."""
    model = fitted(frame=FRAME.astype({"plan": "category", "city": "category"}), one_hot_max_size=4)
    function = platform.deploy(write(model, tmp_path / "model.cbm"), "categories-forms")
    frame = customers(200, 7, unknown=True).fillna({"age": 0.5, "spent": 0.5})
    wanted = model.predict_proba(frame)
    rows = records(frame)
    as_texts = [row | {"shop": str(row["shop"])} for row in rows]
    for sent in (rows, as_texts, [list(row.values()) for row in rows]):
        np.testing.assert_allclose(asked(function, sent)["probabilities"], wanted, rtol=RELATIVE, atol=RELATIVE)
    full = frame[frame["city"] != ""]
    response = function.post(content=full.to_csv(index=False).encode(), headers={"content-type": "text/csv"})
    found = wire.strict_json(response.content)["outputs"]["probabilities"]
    np.testing.assert_allclose(found, wanted[frame["city"] != ""], rtol=RELATIVE, atol=RELATIVE)
    truth = [rows[0] | {"shop": True}, rows[0] | {"shop": 1}]
    assert len({json.dumps(one) for one in asked(function, truth)["probabilities"]}) == 1
    for wrong in (None, 1.5, float(2**60)):
        response = function.post({"inputs": [rows[0] | {"shop": wrong}]})
        assert response.status_code == 400
        assert "what stood for a missing one" in response.text
    table = b"plan,age,city,shop,spent\nfree,1,,7,1\n"
    response = function.post(content=table, headers={"content-type": "text/csv"})
    assert response.status_code == 400
    assert "what stood for a missing one" in response.text


def test_columns_without_names_are_called_by_their_places(platform: Platform, tmp_path: Path):
    """As of a model that was fitted with an array; one that nothing asks about is a column too."""
    table = np.column_stack([FRAME["plan"].to_numpy(object), FRAME["age"].to_numpy(object), np.full(ROWS, "same", object)])
    model = cb.CatBoostClassifier(cat_features=[0, 2], **SETTINGS).fit(table, TWO)
    for form in FORMS:
        function = platform.deploy(write(model, tmp_path / f"model.{form}"), f"places-{form}")
        rows = [{"0": "pro", "1": 0.25, "2": "same"}, {"0": "new", "1": None, "2": "other"}]
        wanted = model.predict_proba(np.array([["pro", 0.25, "same"], ["new", np.nan, "other"]], dtype=object))
        np.testing.assert_allclose(asked(function, rows)["probabilities"], wanted, rtol=RELATIVE)


def test_a_damaged_table_is_refused_or_answers_and_never_anything_else(platform: Platform, tmp_path: Path):
    """Bytes of the file changed at random, and files that are cut."""
    bytes_ = write(fitted(iterations=3, depth=3, one_hot_max_size=4), tmp_path / "model.cbm").read_bytes()
    random = np.random.default_rng(0)
    path = tmp_path / "changed.cbm"
    for attempt in range(60):
        changed = bytearray(bytes_)
        for place in random.integers(8, len(bytes_), 4):
            changed[place] = random.integers(256)
        path.write_bytes(changed if attempt % 3 else bytes_[: random.integers(8, len(bytes_))])
        done = platform.cli("deploy", path, "--name", "categories-changed", "--no-proof", check=False)
        assert done.returncode in (0, 1)
        assert "panicked" not in done.stderr
        assert attempt % 3 or "damaged or cut" in done.stderr


def test_what_is_not_numbers_and_categories_is_refused(platform: Platform, tmp_path: Path):
    """Texts that are read, a model that was saved without its tables, and one within a model of scikit-learn."""
    texts = FRAME[["age"]].assign(note=["good bad"[: 4 + at % 5] for at in range(ROWS)])
    model = cb.CatBoostClassifier(text_features=["note"], **SETTINGS).fit(texts, TWO)
    assert "asks about texts" in platform.refused(write(model, tmp_path / "texts.cbm"))
    skipped = fitted(final_ctr_computation_mode="Skip", one_hot_max_size=1)
    assert "no tables of its categories" in platform.refused(write(skipped, tmp_path / "skipped.cbm"))
    within = tmp_path / "within.joblib"
    joblib.dump(Pipeline([("same", "passthrough"), ("model", fitted())]), within)
    assert "a model of numbers alone" in platform.refused(within)
