"""Models that read texts answer as scikit-learn does, or are refused: words, characters, hashes, within a frame."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import wire
from frames import records
from harness import Function, Platform
from sklearn.base import BaseEstimator, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import NMF, TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from texts import AWKWARD, reviews

TEXTS, PRAISE = reviews()
NAMES = np.array(["blame", "praise"], dtype=object)[PRAISE]
ASKED = [*AWKWARD, *reviews(100, seed=5)[0]]
#: As for linear models: sums in an order of their own.
RELATIVE = 1e-12
LINE = LogisticRegression(max_iter=1_000)

PIPELINES: dict[str, Callable[[], BaseEstimator]] = {
    "usual": lambda: make_pipeline(TfidfVectorizer(), LINE),
    "pairs-and-stop-words": lambda: make_pipeline(
        CountVectorizer(ngram_range=(1, 2), stop_words="english"), MultinomialNB()
    ),
    "own-stop-words": lambda: make_pipeline(
        TfidfVectorizer(stop_words=["the", "of", "film"]), CalibratedClassifierCV(LinearSVC(), cv=3)
    ),
    "there-or-not": lambda: make_pipeline(CountVectorizer(binary=True, min_df=2, max_df=0.9), BernoulliNB()),
    "logarithms": lambda: make_pipeline(
        TfidfVectorizer(sublinear_tf=True, norm="l1", smooth_idf=False), ComplementNB()
    ),
    "characters": lambda: make_pipeline(
        TfidfVectorizer(analyzer="char", ngram_range=(2, 4), max_features=400), LinearSVC()
    ),
    "characters-of-words": lambda: make_pipeline(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 5), strip_accents="unicode", max_features=400),
        SGDClassifier(loss="log_loss", random_state=0),
    ),
    "ascii": lambda: make_pipeline(
        CountVectorizer(strip_accents="ascii", lowercase=False, token_pattern=r"\b\w+\b"),
        RandomForestClassifier(8, random_state=0),
    ),
    "own-vocabulary": lambda: make_pipeline(
        CountVectorizer(vocabulary=["good", "bad", "café", "of the"], ngram_range=(2, 2)), LINE
    ),
    "spaces": lambda: make_pipeline(TfidfVectorizer(token_pattern=r"(?u)\S+", norm=None), LINE),
    "weighed-apart": lambda: make_pipeline(CountVectorizer(), TfidfTransformer(use_idf=False), LINE),
    "hashes": lambda: make_pipeline(HashingVectorizer(n_features=128), LINE),
    "hashes-that-cancel": lambda: make_pipeline(
        HashingVectorizer(n_features=16, binary=True, norm=None, ngram_range=(1, 2)), LINE
    ),
    "many-hashes": lambda: make_pipeline(HashingVectorizer(n_features=2**18, alternate_sign=False), LINE),
    "fewer-columns": lambda: make_pipeline(TfidfVectorizer(), SelectKBest(chi2, k=8), LINE),
    "components": lambda: make_pipeline(TfidfVectorizer(), TruncatedSVD(5, random_state=0), StandardScaler(), LINE),
    "side-by-side": lambda: make_pipeline(make_union(TfidfVectorizer(), CountVectorizer(analyzer="char")), LINE),
    "searched": lambda: GridSearchCV(
        make_pipeline(TfidfVectorizer(), LINE), {"tfidfvectorizer__ngram_range": [(1, 1), (1, 2)]}, cv=2
    ),
}


def deployed(platform: Platform, model: BaseEstimator, tmp_path: Path, name: str) -> Function:
    """The model under a name."""
    path = tmp_path / "model.joblib"
    joblib.dump(model, path)
    return platform.deploy(path, name)


def answered(function: Function, rows: object) -> dict:
    """All outputs for some rows."""
    response = function.post({"inputs": rows})
    assert response.status_code == 200, response.text
    return wire.strict_json(response.content)["outputs"]


def same(found: dict, model: BaseEstimator, asked: object) -> None:
    """Labels always, numbers to the last places."""
    if is_classifier(model):
        assert found["label"] == model.predict(asked).tolist()
    for output, method in [("probabilities", "predict_proba"), ("decision", "decision_function")]:
        if output in found:
            np.testing.assert_allclose(found[output], getattr(model, method)(asked), rtol=RELATIVE, atol=RELATIVE)


@pytest.mark.parametrize("name", PIPELINES)
def test_texts_are_answered_as_scikit_learn_does(platform: Platform, tmp_path: Path, name: str):
    """A list of texts, and one alone."""
    model = PIPELINES[name]().fit(TEXTS, NAMES)
    function = deployed(platform, model, tmp_path, "texts")
    same(answered(function, {"text": ASKED}), model, ASKED)
    for one in ASKED[3:6]:
        same(answered(function, {"text": [one]}), model, [one])
    plain = function.post(ASKED[3:6]).raise_for_status()
    assert plain.json()["outputs"]["label"] == model.predict(ASKED[3:6]).tolist()
    platform.cli("delete", "texts", "--yes")


def test_what_a_vectoriser_makes_is_the_answer_where_nothing_is_behind_it(platform: Platform, tmp_path: Path):
    """Numbers in all columns, also those that a sparse matrix does not hold."""
    model = TfidfVectorizer(max_features=30).fit(TEXTS)
    found = answered(deployed(platform, model, tmp_path, "texts-alone"), {"text": ASKED})["transformed"]
    np.testing.assert_allclose(found, model.transform(ASKED).toarray(), rtol=RELATIVE, atol=RELATIVE)


def frame(rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Texts in two columns, beside a category and a number."""
    found, praise = reviews(rows, seed)
    random = np.random.RandomState(seed)
    table = {"review": found, "title": reviews(rows, seed + 1)[0], "shop": random.choice(["a", "b"], rows)}
    return pd.DataFrame(table | {"price": random.uniform(1, 9, rows).round(2)}), praise


def test_texts_stand_beside_other_columns(platform: Platform, tmp_path: Path):
    """Two columns of texts, each with a vectoriser of its own; the empty text is one, and a missing one is refused."""
    parts = [("review", TfidfVectorizer(), "review"), ("title", CountVectorizer(analyzer="char"), "title")]
    parts += [("shop", OneHotEncoder(handle_unknown="ignore"), ["shop"]), ("price", StandardScaler(), ["price"])]
    table, praise = frame(300, 0)
    model = make_pipeline(ColumnTransformer(parts), LINE).fit(table, praise)
    function = deployed(platform, model, tmp_path, "texts-frame")
    asked, _ = frame(40, 7)
    asked.loc[: len(AWKWARD) - 1, "review"] = AWKWARD
    rows = records(asked)
    same(answered(function, rows), model, asked)
    refused = function.post({"inputs": [rows[0] | {"title": None}]})
    assert refused.status_code == 400 and "title" in refused.text
    platform.cli("delete", "texts-frame", "--yes")


def test_a_missing_text_is_refused(platform: Platform, tmp_path: Path):
    """scikit-learn raises for it, too."""
    function = deployed(platform, PIPELINES["usual"]().fit(TEXTS, PRAISE), tmp_path, "texts-missing")
    refused = function.post({"inputs": {"text": ["good", None]}})
    assert refused.status_code == 400 and "text" in refused.text


#: Vectorisers whose answer depends on each character: what is a word, a capital, an accent, a space.
TELLING: dict[str, HashingVectorizer] = {
    "words": HashingVectorizer(n_features=1_024, norm=None, token_pattern=r"\b\w+\b"),
    "characters": HashingVectorizer(n_features=1_024, norm=None, analyzer="char", ngram_range=(1, 2)),
    "without-accents": HashingVectorizer(n_features=1_024, norm=None, analyzer="char_wb", strip_accents="unicode"),
    "ascii": HashingVectorizer(n_features=1_024, norm=None, analyzer="char", strip_accents="ascii", lowercase=False),
}


@pytest.mark.parametrize("name", TELLING)
def test_each_character_is_taken_as_python_takes_it(platform: Platform, tmp_path: Path, name: str):
    """Within a word, before and behind a sigma; ideographs and private characters one in 64. Letters that are newer
    than Python 3.8 are refused by name."""
    model = make_pipeline(TELLING[name], Ridge()).fit(TEXTS, PRAISE)
    model[-1].coef_ = np.random.RandomState(1).normal(size=1_024)
    function = deployed(platform, model, tmp_path, "texts-characters")
    many = [
        range(0x3400, 0x9FF0),
        range(0xAC00, 0xD7A0),
        range(0xE000, 0xF900),
        range(0x17000, 0x18B00),
        range(0x20000, 0x110000),
    ]
    every = [code for code in range(0x20000) if not 0xD800 <= code < 0xE000 and not any(code in some for some in many)]
    codes = [code for code in every if unicodedata.category(chr(code)) != "Cn"]
    codes += [code for some in many for code in some[::64] if unicodedata.category(chr(code)) != "Cn"]
    refused, wrong = [], []
    for start in range(0, len(codes), 2_000):
        some = codes[start : start + 2_000]
        while True:
            asked = [f"aΣ{chr(code)}b{chr(code)}Σ {chr(code)}" for code in some]
            response = function.post({"inputs": {"text": asked}})
            if response.status_code == 200:
                break
            assert response.status_code == 400, response.text
            code = int(response.json()["error"]["found"].split()[0][2:], 16)
            refused.append(code)
            some.remove(code)
        found = wire.strict_json(response.content)["outputs"]["prediction"]
        wanted = model.predict(asked)
        wrong += [hex(code) for code, one, other in zip(some, found, wanted, strict=True) if abs(one - other) > 1e-9]
    assert not wrong
    assert 100 < len(refused) < 2_000
    assert all(
        unicodedata.category(chr(code))[0] in "LNMCZ" or unicodedata.category(chr(code)) == "Sk" for code in refused
    )
    platform.cli("delete", "texts-characters", "--yes")


@pytest.mark.parametrize("name", ["usual", "pairs-and-stop-words", "characters-of-words", "hashes"])
def test_the_proof_asks_texts_of_the_models_own_words(platform: Platform, tmp_path: Path, name: str):
    """All rows are answered by both, and the same."""
    joblib.dump(PIPELINES[name]().fit(TEXTS, NAMES), tmp_path / "model.joblib")
    certificate = platform.cli_json("prove", tmp_path / "model.joblib", "--python", sys.executable)
    assert certificate["verdict"] == "proved", certificate
    assert certificate["rows"]["refused_answered"] == 0 and certificate["rows"]["made"] > 1_000


FOLDER = Path(__file__).parent / "sklearn_texts"


@pytest.mark.parametrize("version", sorted(path.stem for path in FOLDER.glob("*.json")))
def test_texts_of_older_versions_are_answered_as_those_versions_did(platform: Platform, version: str):
    """What changed between them: how weights of terms are kept."""
    said = json.loads((FOLDER / f"{version}.json").read_text())
    function = platform.deploy(FOLDER / f"{version}.joblib", "texts-old")
    found = answered(function, {"text": said["rows"]})["probabilities"]
    np.testing.assert_allclose(found, said["probabilities"], rtol=RELATIVE, atol=RELATIVE)
    platform.cli("delete", "texts-old", "--yes")


REFUSED: dict[str, tuple[BaseEstimator, str]] = {
    "tokenizer": (make_pipeline(CountVectorizer(tokenizer=str.split, token_pattern=None), LINE), "it is not loaded"),
    "pattern": (make_pipeline(CountVectorizer(token_pattern=r"(?i)[a-z]\w*"), LINE), "its token_pattern"),
    "single": (make_pipeline(TfidfVectorizer(dtype=np.float32), LINE), "is not float64"),
    "small-counts": (make_pipeline(CountVectorizer(dtype=np.uint8), LINE), "that hold every count"),
    "too-many-hashes": (make_pipeline(HashingVectorizer(), LINE), "use n_features=2**18"),
    "topics": (make_pipeline(TfidfVectorizer(), NMF(2, max_iter=500), LINE), "NMF: importing it"),
    "within-votes": (
        CalibratedClassifierCV(make_pipeline(TfidfVectorizer(), LinearSVC()), cv=2),
        "takes texts or categories",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_said_exactly_is_refused_with_what_to_do(platform: Platform, tmp_path: Path, name: str):
    """At deploy, by name."""
    model, says = REFUSED[name]
    joblib.dump(model.fit(TEXTS, PRAISE), tmp_path / "model.joblib")
    assert says in platform.refused(tmp_path / "model.joblib")
