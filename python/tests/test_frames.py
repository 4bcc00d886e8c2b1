"""Pipelines over data frames: texts, truths, categories and gaps answer as scikit-learn does, or are refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import wire
from frames import passengers, records, survived
from harness import Function, Platform
from sklearn.base import BaseEstimator, is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import RFE, SelectKBest, VarianceThreshold
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import check_array

#: As for linear models: BLAS takes sums in an order of its own.
RELATIVE = 1e-12
FRAME = passengers()
TARGET = survived(FRAME)
ANY = OneHotEncoder(handle_unknown="ignore")
FOREST = {"n_estimators": 8, "random_state": 0}


def columns(*parts: tuple[BaseEstimator | str, list | slice], **how) -> ColumnTransformer:
    """Steps side by side, each with its columns."""
    return ColumnTransformer([(f"part{at}", step, names) for at, (step, names) in enumerate(parts)], **how)


def usual(last: BaseEstimator) -> BaseEstimator:
    """The pipeline of every tutorial."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    return make_pipeline(columns((numbers, ["age", "fare", "class"]), (texts, ["port", "sex"])), last)


PIPELINES: dict[str, Callable[[], BaseEstimator]] = {
    "usual-linear": lambda: usual(LogisticRegression()),
    "usual-forest": lambda: usual(RandomForestClassifier(**FOREST)),
    "constant-and-indicator": lambda: make_pipeline(
        columns(
            (SimpleImputer(add_indicator=True), ["age", "fare"]),
            (make_pipeline(SimpleImputer(strategy="constant", fill_value="?"), ANY), ["port", "sex"]),
        ),
        RandomForestRegressor(**FOREST),
    ),
    "rare-together": lambda: make_pipeline(
        columns(
            (OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=30), ["deck", "port"]),
            (OneHotEncoder(handle_unknown="ignore", max_categories=4, drop="if_binary"), ["deck", "alone"]),
        ),
        LogisticRegression(),
    ),
    "places": lambda: make_pipeline(
        columns(
            (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2), [1, 4]),
            ("passthrough", ["class", "alone"]),
        ),
        DecisionTreeClassifier(random_state=0),
    ),
    "the-rest": lambda: make_pipeline(
        columns(
            (ANY, ["sex", "port", "deck"]), ("drop", ["note"]), remainder=make_pipeline(SimpleImputer(), MinMaxScaler())
        ),
        Ridge(),
    ),
    "mask-and-slice": lambda: make_pipeline(
        columns((ANY, [at in (1, 5) for at in range(8)]), (SimpleImputer(), slice(2, 4))), LogisticRegression()
    ),
    "side-by-side": lambda: make_pipeline(
        columns(
            (ANY, ["sex"]),
            (
                FeatureUnion(
                    [
                        ("filled", make_pipeline(SimpleImputer(), KBinsDiscretizer(4))),
                        ("missing", MissingIndicator(error_on_new=False)),
                        ("same", make_pipeline(SimpleImputer(), FunctionTransformer())),
                    ]
                ),
                ["age", "fare"],
            ),
        ),
        RandomForestRegressor(**FOREST),
    ),
    "marker": lambda: make_pipeline(
        columns(
            (make_pipeline(SimpleImputer(missing_values="A", strategy="most_frequent"), ANY), ["deck"]),
            (SimpleImputer(missing_values=3), ["class"]),
        ),
        LogisticRegression(),
    ),
    "targets": lambda: make_pipeline(
        columns((TargetEncoder(random_state=0), ["deck", "port", "class"]), (SimpleImputer(), ["age"])),
        LogisticRegression(),
    ),
    "selected": lambda: make_pipeline(
        columns((ANY, ["deck", "sex"]), (make_pipeline(SimpleImputer(), PolynomialFeatures(3)), ["age", "fare"])),
        VarianceThreshold(0.01),
        SelectKBest(k=9),
        StandardScaler(),
        RFE(LogisticRegression(), n_features_to_select=5),
        LogisticRegression(),
    ),
    "lengths": lambda: make_pipeline(
        columns(
            (ANY, ["sex"]),
            (make_pipeline(SimpleImputer(), Normalizer()), ["age", "fare"]),
            (Binarizer(threshold=20), ["fare"]),
        ),
        LogisticRegression(),
    ),
    "boosted-texts": lambda: HistGradientBoostingClassifier(
        max_iter=12, categorical_features=["sex", "port", "deck", "note"]
    ),
}


def tricky(rows: int = 120) -> pd.DataFrame:
    """New rows, of which some have categories that nobody knows, and some have gaps."""
    frame = passengers(rows, seed=5)
    random = np.random.RandomState(6)
    for name in ["sex", "port", "deck", "note"]:
        texts = frame[name].astype(object).to_numpy(copy=True)
        texts[random.uniform(size=rows) < 0.1] = "nobody knows"
        texts[random.uniform(size=rows) < 0.1] = np.nan
        frame[name] = texts
    frame["class"] = frame["class"].where(random.uniform(size=rows) > 0.1, 9)
    return frame


def deployed(platform: Platform, model: BaseEstimator, tmp_path: Path, name: str) -> Function:
    """The model under a name."""
    path = tmp_path / "model.joblib"
    joblib.dump(model, path)
    return platform.deploy(path, name)


def inputs_of(function: Function) -> list[dict]:
    """What it takes."""
    return function.status()["card"]["handler"]["signature"]["inputs"]


def sendable(function: Function, frame: pd.DataFrame) -> pd.DataFrame:
    """The columns that it takes, turned around; truths are 1 and 0 where a step only takes them for numbers."""
    types = {one["name"]: one["dtype"] for one in reversed(inputs_of(function))}
    return frame[list(types)].astype({name: "float64" for name, dtype in types.items() if dtype == "float64"})


def answers(model: BaseEstimator, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """scikit-learn's own."""
    if is_classifier(model):
        return {"label": model.predict(frame), "probabilities": model.predict_proba(frame)}
    return {"prediction": model.predict(frame)}


def same(found: dict, wanted: dict[str, np.ndarray]) -> None:
    """Labels always, numbers to the last places."""
    for output, numbers in wanted.items():
        np.testing.assert_allclose(np.array(found[output]), numbers, rtol=RELATIVE, atol=RELATIVE)


@pytest.mark.parametrize("name", PIPELINES)
def test_a_frame_is_answered_as_scikit_learn_does(platform: Platform, tmp_path: Path, name: str):
    """As rows of JSON with its columns in another order, and as CSV: what is missing is null, or an empty cell."""
    model = PIPELINES[name]().fit(FRAME, TARGET)
    function = deployed(platform, model, tmp_path, "frames")
    frame = pd.concat([FRAME[:60], tricky()], ignore_index=True)
    if name == "marker":  # which scikit-learn takes for the only missing value
        frame["deck"] = frame["deck"].fillna("nobody knows")
    wanted = answers(model, frame)
    sent = sendable(function, frame)
    same(wire.strict_json(function.post({"inputs": records(sent)}).raise_for_status().content)["outputs"], wanted)
    csv = function.post(content=sent.to_csv(index=False), headers={"content-type": "text/csv; header=present"})
    same(wire.strict_json(csv.raise_for_status().content)["outputs"], wanted)
    one = wire.strict_json(function.post(records(sent[:1])[0]).raise_for_status().content)["outputs"]
    same(one, {output: numbers[:1] for output, numbers in wanted.items()})
    platform.cli("delete", "frames", "--yes")


def test_a_frame_comes_as_columns_of_the_protocol_v2(platform: Platform, tmp_path: Path):
    """Texts as BYTES, where null or the empty text is a missing one."""
    model = PIPELINES["usual-linear"]().fit(FRAME, TARGET)
    function = deployed(platform, model, tmp_path, "frames-v2")
    frame = tricky(20)
    types = {"string": "BYTES", "float64": "FP64", "bool": "BOOL"}
    inputs = []
    for one in inputs_of(function):
        data = [row[one["name"]] for row in records(frame)]
        inputs.append({"name": one["name"], "shape": [20, 1], "datatype": types[one["dtype"]], "data": data})
    body = {"inputs": inputs, "outputs": [{"name": "probabilities"}]}
    found = function.platform.http.post("/v2/models/frames-v2/infer", json=body).raise_for_status().json()
    wanted = model.predict_proba(frame).ravel()
    np.testing.assert_allclose(found["outputs"][0]["data"], wanted, rtol=RELATIVE)
    platform.cli("delete", "frames-v2", "--yes")


def test_a_frame_of_numbers_stays_one_matrix(platform: Platform, tmp_path: Path):
    """With the names of its columns, and with those that may not be missing told apart from those that may."""
    numbers = FRAME[["class", "age", "fare"]]
    model = make_pipeline(
        columns((ANY, ["class"]), (SimpleImputer(), ["age"]), ("passthrough", ["fare"])), LogisticRegression()
    )
    model.fit(numbers, TARGET)
    function = deployed(platform, model, tmp_path, "frames-numbers")
    (only,) = inputs_of(function)
    assert (only["shape"], only["columns"]) == (["rows", 3], ["class", "age", "fare"])
    rows = tricky()[numbers.columns]
    found = wire.strict_json(function.post({"inputs": records(rows)}).raise_for_status().content)["outputs"]
    same(found, answers(model, rows))
    refused = function.post({"inputs": [{"class": 1, "age": 3, "fare": None}]})
    assert refused.status_code == 400
    assert "fare" in refused.text and "may not be missing" in refused.text
    platform.cli("delete", "frames-numbers", "--yes")


def test_columns_of_truths_are_numbers_as_pandas_sends_them(platform: Platform, tmp_path: Path):
    """`get_dummies` makes them, `to_json` writes true and false, and `to_csv` True and False."""
    frame = pd.get_dummies(FRAME[["class", "sex", "fare"]].dropna())
    assert bool in frame.dtypes.to_list()
    model = RandomForestClassifier(n_estimators=10, random_state=1).fit(frame, frame["fare"] > frame["fare"].median())
    function = deployed(platform, model, tmp_path, "frames-truths")
    rows = frame.sample(50, random_state=1)
    wanted = model.predict_proba(rows)
    for form, body in (("application/json", rows.to_json(orient="records")), ("text/csv", rows.to_csv(index=False))):
        answer = function.post(content=body, headers={"content-type": form})
        np.testing.assert_allclose(answer.raise_for_status().json()["outputs"]["probabilities"], wanted, rtol=1e-12)
    platform.cli("delete", "frames-truths", "--yes")


def test_an_unknown_category_is_refused_where_scikit_learn_refuses_it(platform: Platform, tmp_path: Path):
    """By column, value and row; others in the same call would be answered."""
    filled = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    model = make_pipeline(
        columns((OneHotEncoder(), ["sex", "class", "alone"]), (filled, ["port"])), LogisticRegression()
    )
    model.fit(FRAME, TARGET)
    function = deployed(platform, model, tmp_path, "frames-strict")
    row = {"sex": "male", "class": 1, "alone": True, "port": None}
    assert function.post({"inputs": [row, row | {"port": "Q"}]}).status_code == 200, "the imputer fills a gap in"
    for column, value, says in [
        ("sex", "other", '\\"other\\" in row 1'),
        ("sex", None, "nothing, a missing value, in row 1"),
        ("class", 4, "4 in row 1"),
        ("class", 1.5, "1.5 in row 1"),
        ("class", None, "NaN, a missing value, in row 1"),
        ("port", "nowhere", '\\"nowhere\\" in row 1'),
    ]:
        changed = pd.DataFrame([row | {column: value}]).fillna(value={"port": "S"})
        with pytest.raises(ValueError, match="unknown"):
            model.predict(changed)
        refused = function.post({"inputs": [row, row | {column: value}]})
        assert refused.status_code == 400
        assert f"{column}: expected one of the categories" in refused.text and says in refused.text, refused.text
    platform.cli("delete", "frames-strict", "--yes")


def test_a_column_may_be_called_as_anything_within_the_graph(platform: Platform, tmp_path: Path):
    """Names of columns are the user's, and those of the graph are ours."""
    names = {"age": "scores", "sex": "classes", "fare": "index", "port": "scaled 1"}
    frame = FRAME[list(names)].rename(columns=names)
    model = make_pipeline(
        columns((ANY, ["classes", "scaled 1"]), (SimpleImputer(), ["scores", "index"])), LogisticRegression()
    )
    model.fit(frame, TARGET)
    function = deployed(platform, model, tmp_path, "frames-names")
    found = wire.strict_json(function.post({"inputs": records(frame[:50])}).raise_for_status().content)["outputs"]
    same(found, answers(model, frame[:50]))
    platform.cli("delete", "frames-names", "--yes")


def test_columns_that_nothing_looks_at_may_be_sent_whatever_they_are(platform: Platform, tmp_path: Path):
    """A row of the table that it was trained on is a right request, although the model uses four of its columns."""
    frame = FRAME.assign(name=[f"Passenger {at}" for at in range(len(FRAME))], ticket="A/5 21171")
    frame = frame[["name", *FRAME.columns, "ticket"]]
    numbers = (StandardScaler(), ["class", "fare"])
    for name, steps in {"numbers-only": [numbers], "with-texts": [numbers, (ANY, ["sex"])]}.items():
        model = make_pipeline(columns(*steps), LogisticRegression()).fit(frame, TARGET)
        function = deployed(platform, model, tmp_path, name)
        some = frame.head(7)
        right = model.predict(some).tolist()
        used = [column for _, names in steps for column in names]
        for body in (records(some), records(some[used])):
            assert function.post({"inputs": body}).json()["outputs"]["label"] == right
        csv = {"content-type": "text/csv"}
        for lines in (some.to_csv(index=False), some.to_csv(index=False, header=False)):
            assert function.post(content=lines, headers=csv).json()["outputs"]["label"] == right
        refused = function.post({"inputs": [{"nam": "A", **records(some[used])[0]}]})
        assert refused.status_code == 400 and refused.json()["error"]["hint"] == 'did you mean "name"?'
        joblib.dump(model, tmp_path / "again.joblib")
        certificate = platform.cli_json("prove", tmp_path / "again.joblib", "--python", sys.executable)
        assert certificate["verdict"] == "proved" and certificate["rows"]["refused_answered"] == 0, certificate
        platform.cli("delete", name, "--yes")


def test_the_proof_asks_the_original_with_a_frame(platform: Platform, tmp_path: Path):
    """Every category, unknown ones, gaps: all rows are answered by both, and the same."""
    for name in ["usual-forest", "rare-together", "boosted-texts"]:
        path = tmp_path / "model.joblib"
        joblib.dump(PIPELINES[name]().fit(FRAME, TARGET), path)
        certificate = platform.cli_json("prove", path, "--python", sys.executable)
        assert certificate["verdict"] == "proved", certificate
        assert certificate["rows"]["refused_answered"] == 0 and certificate["rows"]["made"] > 1_000


FOLDER = Path(__file__).parent / "sklearn_frames"


@pytest.mark.parametrize("version", sorted(path.stem for path in FOLDER.glob("*.json")))
def test_frames_of_older_versions_are_answered_as_those_versions_did(platform: Platform, version: str):
    """What changed between them: how steps are listed, what is dropped, how texts are kept."""
    said = json.loads((FOLDER / f"{version}.json").read_text())
    function = platform.deploy(FOLDER / f"{version}.joblib", "frames-old")
    found = wire.strict_json(function.post({"inputs": said["rows"]}).raise_for_status().content)["outputs"]
    same(found, {"probabilities": np.array(said["probabilities"])})
    platform.cli("delete", "frames-old", "--yes")


def nothing(frame: pd.DataFrame) -> pd.DataFrame:
    """With None for what is missing, as some databases give it."""
    return frame.assign(port=frame["port"].astype(object).where(frame["port"].notna(), None))


REFUSED: dict[str, tuple[Callable[[], BaseEstimator], str]] = {
    "read-and-a-category": (
        lambda: make_pipeline(columns((TfidfVectorizer(), "sex"), (ANY, ["sex"])), Ridge()).fit(FRAME, TARGET),
        "as categories and as texts that are read",
    ),
    "function": (
        lambda: make_pipeline(columns((FunctionTransformer(np.log1p), ["fare"])), Ridge()).fit(FRAME, TARGET),
        "log1p",
    ),
    "checks-in-single": (
        lambda: make_pipeline(
            columns((FunctionTransformer(partial(check_array, dtype=[np.float32], ensure_all_finite=False)), ["fare"])),
            Ridge(),
        ).fit(FRAME, TARGET),
        "its FunctionTransformer calls a function",
    ),
    "codes-that-do-not-fit": (
        lambda: make_pipeline(columns((OrdinalEncoder(dtype=bool), ["deck"])), Ridge()).fit(
            FRAME.dropna(), TARGET[FRAME.dropna().index]
        ),
        "a type that has all of its codes",
    ),
    "weights": (
        lambda: make_pipeline(columns((ANY, ["sex"]), transformer_weights={"part0": 2}), Ridge()).fit(FRAME, TARGET),
        "transformer_weights",
    ),
    "empty-text": (
        lambda: make_pipeline(columns((ANY, ["sex"])), Ridge()).fit(
            FRAME.assign(sex=FRAME["sex"].replace("male", "")), TARGET
        ),
        "the empty text is one of its categories",
    ),
    "called-as-the-answer": (
        lambda: make_pipeline(columns((ANY, ["prediction"])), Ridge()).fit(
            FRAME.rename(columns={"sex": "prediction"}), TARGET
        ),
        "is the name of two columns, or of one and of a part of the answer",
    ),
    "without-names": (
        lambda: make_pipeline(ANY, Ridge()).fit(FRAME[["sex"]].to_numpy(dtype=object), TARGET),
        "fit it with a pandas DataFrame",
    ),
    "in-single": (
        lambda: make_pipeline(columns((OneHotEncoder(dtype=np.float32), ["sex"])), Ridge()).fit(FRAME, TARGET),
        "is not float64",
    ),
    "strict-behind-another": (
        lambda: make_pipeline(columns((make_pipeline(StandardScaler(), OneHotEncoder()), ["class"])), Ridge()).fit(
            FRAME, TARGET
        ),
        'use handle_unknown="ignore"',
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_said_exactly_is_refused_with_what_to_do(platform: Platform, tmp_path: Path, name: str):
    """At deploy, by name."""
    make, says = REFUSED[name]
    path = tmp_path / "model.joblib"
    joblib.dump(make(), path)
    assert says in platform.refused(path)
