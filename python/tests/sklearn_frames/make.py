"""Writes a pipeline over a frame by one version of scikit-learn, and what it answers: the files beside this one.

RUN="uv run --no-project --with"; OLD="--with numpy<2 --with joblib<1.5 --with pandas<2.2"
for v in 1.1.3 1.2.2 1.3.2; do $RUN scikit-learn==$v $OLD make.py; done
for v in 1.4.2 1.5.2 1.6.1 1.7.2 1.8.0; do $RUN scikit-learn==$v --with "numpy<2.4" --with "pandas<3" make.py; done
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import joblib
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent))
from frames import passengers, records, survived  # noqa: E402


def main() -> None:
    """A step of each kind, and rows with gaps and with categories that nobody knows."""
    frame = passengers()
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", drop="first"))
    places = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    rare = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=25)
    parts = [("numbers", numbers, ["age", "fare"]), ("texts", texts, ["sex", "port"]), ("places", places, ["port"])]
    parts += [("rare", rare, ["deck"]), ("gone", "drop", ["note"])]
    model = make_pipeline(ColumnTransformer(parts, remainder="passthrough"), LogisticRegression(max_iter=1000))
    model.fit(frame, survived(frame))
    asked = passengers(40, seed=5)
    asked.loc[::7, "deck"] = "nobody knows"
    asked.loc[3::7, "sex"] = "nobody knows"
    version = sklearn.__version__.rpartition(".")[0]
    joblib.dump(model, HERE / f"{version}.joblib", compress=9)
    rows = [
        {name: int(value) if name == "alone" else value for name, value in row.items() if name != "note"}
        for row in records(asked)
    ]
    said = {"rows": rows, "probabilities": model.predict_proba(asked).tolist()}
    (HERE / f"{version}.json").write_text(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
