"""Writes models of one version of scikit-learn, and what they answer: the files beside this one.

RUN="uv run --no-project --with"; OLD="--with numpy<2 --with joblib<1.5"
for v in 1.1.3 1.2.2 1.3.2; do $RUN scikit-learn==$v $OLD make.py; done
$RUN scikit-learn==1.4.2 --with "numpy<2" make.py
for v in 1.5.2 1.6.1 1.7.2 1.8.0; do $RUN scikit-learn==$v make.py; done
"""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import sklearn
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).parent
#: So many of the rows are answered.
ANSWERS = 60


def rows() -> np.ndarray:
    """The same in every version of numpy."""
    return np.random.RandomState(0).normal(size=(200, 3))


def main() -> None:
    """Small models, each for another reason: weights, several classes, labels by probabilities, steps."""
    table = rows()
    y = np.array(["low", "middle", "high"])[(table[:, 0] > 0).astype(int) + (table[:, 1] * table[:, 2] > 0)]
    weights = np.random.RandomState(1).uniform(size=len(table))
    steps = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    models = {
        "forest": RandomForestClassifier(n_estimators=3, max_depth=4, random_state=0).fit(table, y, weights),
        "boosted": GradientBoostingClassifier(n_estimators=3, max_depth=2, random_state=0).fit(table, y),
        "histogram": HistGradientBoostingClassifier(max_iter=4, max_leaf_nodes=5, max_bins=15).fit(table, y == "low"),
        "steps": steps.fit(table, y),
    }
    minor = sklearn.__version__.rpartition(".")[0]
    answers = {}
    for name, model in models.items():
        joblib.dump(model, HERE / f"{minor}-{name}.joblib", compress=9)
        answers[f"{name}-label"] = model.predict(table[:ANSWERS])
        answers[f"{name}-probabilities"] = model.predict_proba(table[:ANSWERS])
    np.savez_compressed(HERE / f"{minor}-answers.npz", **answers)


if __name__ == "__main__":
    main()
