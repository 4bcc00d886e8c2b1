"""The peer: FastAPI with ONNX Runtime, as its users write it; async, so that a small model stays on the event loop."""

import os
import pathlib

import numpy as np
import onnxruntime as ort
from fastapi import Body, FastAPI

options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(
    pathlib.Path(os.environ["BENCH_MODEL"]).read_bytes(), options, providers=["CPUExecutionProvider"]
)
app = FastAPI()


@app.post("/predict")
async def predict(body: dict = Body(...)):
    label, probabilities = session.run(None, {"X": np.asarray(body["inputs"], np.float32)})
    return {"outputs": {"label": label.tolist(), "probabilities": probabilities.tolist()}}
