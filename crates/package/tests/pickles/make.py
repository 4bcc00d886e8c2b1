"""Writes the model files that the Rust tests read, by the libraries themselves, at pinned versions.

    python -m venv /tmp/v && /tmp/v/bin/pip install numpy==1.26.4 scikit-learn==1.5.2 joblib==1.4.2 skops==0.11.0 \
        pandas==2.2.3 xgboost-cpu==2.1.4 lightgbm==4.5.0
    /tmp/v/bin/python crates/package/tests/pickles/make.py
"""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import joblib
import lightgbm
import numpy as np
import pandas as pd
import skops.io
import xgboost
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

HERE = Path(__file__).parent / "files"


def main() -> None:
    """Writes all of them."""
    X, y = load_iris(return_X_y=True, as_frame=True)
    X.columns = ["sepal length", "sepal width", "petal length", "petal width"]
    names = np.array(["setosa", "versicolor", "virginica"], dtype=object)[y]
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, names)
    joblib.dump(pipeline, HERE / "pipeline.joblib")
    joblib.dump(pipeline, HERE / "pipeline.zlib.joblib", compress=("zlib", 3))
    joblib.dump(pipeline, HERE / "pipeline.gzip.joblib", compress=("gzip", 3))
    joblib.dump(pipeline, HERE / "pipeline.xz.joblib", compress=("xz", 3))
    for protocol in (0, 2, 5):
        (HERE / f"pipeline.{protocol}.pkl").write_bytes(pickle.dumps(pipeline, protocol=protocol))
    skops.io.dump(pipeline, HERE / "pipeline.skops", compression=zipfile.ZIP_DEFLATED)
    # Its nodes are an array of records.
    joblib.dump(DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, y), HERE / "tree.joblib")
    frame = pd.DataFrame({"plan": pd.Categorical(["free", "pro"]), "age": [31, 52]})
    (HERE / "frame.pkl").write_bytes(pickle.dumps(frame))
    booster = xgboost.XGBClassifier(n_estimators=1, max_depth=1).fit(X, y)
    (HERE / "xgboost.pkl").write_bytes(pickle.dumps(booster))
    booster = lightgbm.LGBMClassifier(n_estimators=1, num_leaves=2, verbose=-1).fit(X, y)
    (HERE / "lightgbm.pkl").write_bytes(pickle.dumps(booster))


if __name__ == "__main__":
    main()
