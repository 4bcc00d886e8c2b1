"""Writes pipelines over texts by one version of scikit-learn, and what they answer: the files beside this one.

RUN="uv run --no-project --with"; OLD="--with numpy<2 --with joblib<1.5"
for v in 1.1.3 1.2.2 1.3.2; do $RUN scikit-learn==$v $OLD make.py; done
for v in 1.4.2 1.5.2 1.6.1 1.7.2 1.8.0; do $RUN scikit-learn==$v --with "numpy<2.4" make.py; done
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import joblib
import sklearn
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent))
from texts import AWKWARD, reviews  # noqa: E402


def main() -> None:
    """All three vectorisers side by side."""
    found, praise = reviews()
    vectorisers = make_union(
        TfidfVectorizer(ngram_range=(1, 2), stop_words="english", sublinear_tf=True, max_features=60),
        CountVectorizer(analyzer="char_wb", ngram_range=(2, 3), strip_accents="unicode", max_features=60),
        HashingVectorizer(n_features=32),
    )
    model = make_pipeline(vectorisers, LogisticRegression(max_iter=1000)).fit(found, praise)
    asked = [*AWKWARD, *reviews(20, seed=5)[0]]
    version = sklearn.__version__.rpartition(".")[0]
    joblib.dump(model, HERE / f"{version}.joblib", compress=9)
    said = {"rows": asked, "probabilities": model.predict_proba(asked).tolist()}
    (HERE / f"{version}.json").write_text(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
