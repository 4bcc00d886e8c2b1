# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "numpy==2.4.6",
#     "onnx==1.21.0",
#     "onnxruntime==1.28.0",
#     "scikit-learn==1.9.1",
#     "scipy==1.17.1",
#     "skl2onnx==1.20.0",
# ]
# ///
"""Trains the iris classifier and writes `model.onnx` beside this file. Run it with `uv run train.py`.

The same packages give the same bytes, so the committed model can be made again and compared.
"""

from pathlib import Path

import numpy as np
import onnxruntime
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

iris = load_iris()
X, y = iris.data.astype(np.float32), iris.target_names[iris.target].astype(str)

model = make_pipeline(StandardScaler(), GradientBoostingClassifier(n_estimators=25, max_depth=2, random_state=0))
print(f"accuracy in 5-fold cross-validation: {cross_val_score(model, X, y, cv=5).mean():.3f}")
model.fit(X, y)

onnx_model = convert_sklearn(
    model,
    "iris",
    initial_types=[("X", FloatTensorType([None, 4]))],
    options={id(model): {"zipmap": False}},
    target_opset={"": 17, "ai.onnx.ml": 3},
)
onnx_model.opset_import.sort(key=lambda opset: opset.domain)  # the converter's order changes from run to run
onnx_model.graph.doc_string = "Iris species from four measures in cm."

# The file must answer as the pipeline does before it is worth keeping.
content = onnx_model.SerializeToString()
labels, probabilities = onnxruntime.InferenceSession(content).run(None, {"X": X})
assert (labels == model.predict(X)).all(), "the converted model gives other labels"
difference = np.abs(probabilities - model.predict_proba(X)).max()
assert difference < 1e-5, f"the converted model's probabilities are off by {difference}"

path = Path(__file__).with_name("model.onnx")
path.write_bytes(content)
print(f"{path.name}: {len(content):,} bytes; 150 rows, 0 labels differ, largest difference {difference:.0e}")
