"""Handlers that load a network within the call, as the tutorials write them, in the Python worker: loaded once, and
answered as by the framework."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from pathlib import Path

import numpy as np
import pytest
import runtime
from harness import ROOT

#: Sums of float32 follow the number of threads in their last digits, which is not what is tested here.
RTOL = 1e-5
#: The commonest handler there is, as the tutorials have it: not a letter is ours but the path.
TUTORIAL = """
import json
import numpy as np
import tensorflow as tf

def lambda_handler(event, context):
    model = tf.keras.models.load_model('/path/to/model.keras')
    data = np.array(event['data'])
    prediction = model.predict(data)
    return {'statusCode': 200, 'body': json.dumps({'prediction': prediction.tolist()})}
"""

TRAIN_TENSORFLOW = """
import sys, numpy as np, keras, tensorflow as tf
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
model.save("model.keras")
model.save("model.h5")
model.export("saved", verbose=False)
rows = np.linspace(-1, 1, 8).reshape(2, 4)
np.save("answers.npy", model.predict(rows, verbose=0))
"""

TRAIN_TORCH = """
import numpy as np, torch
model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh()).eval()
torch.save(model.state_dict(), "state.pt")
torch.save(model, "whole.pt")
torch.jit.script(model).save("script.pt")
with torch.no_grad():
    np.save("answers.npy", model(torch.linspace(-1, 1, 8).reshape(2, 4)).numpy())
"""

#: How handlers load networks and how they ask them; last, under which name the notice tells it.
TENSORFLOW = {
    "keras": ("import keras", "keras.models.load_model('model.keras')", "model(rows)", "keras.models.load_model"),
    "keras.saving": (
        "import keras",
        "keras.saving.load_model('model.h5', compile=False)",
        "model(rows)",
        "keras.models.load_model",
    ),
    "by name": (
        "from tensorflow.keras.models import load_model",
        "load_model('model.keras')",
        "model.predict(rows, verbose=0)",
        "keras.models.load_model",
    ),
    "a saved model": (
        "import tensorflow as tf",
        "tf.saved_model.load('saved')",
        "model.serve(rows.astype('f4'))",
        "tf.saved_model.load",
    ),
}
TORCH = {
    "script": (
        "import torch",
        "torch.jit.load('script.pt')",
        "model(torch.tensor(rows).float()).detach()",
        "torch.jit.load",
    ),
    "whole": (
        "import torch",
        "torch.load('whole.pt', map_location=torch.device('cpu'), weights_only=False)",
        "model(torch.tensor(rows).float())",
        "torch.load",
    ),
}
HANDLER = """
{imports}
import numpy as np

seen = []


def lambda_handler(event, context):
    rows = np.array(event["data"])
    model = {load}
    seen.append(model)
    return {{"prediction": {ask}, "same": model is seen[0]}}
"""
ROWS = {"data": np.linspace(-1, 1, 8).reshape(2, 4).tolist()}


def trained(framework: str, script: str, folder: Path) -> Path:
    python = environment(framework)
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(
        [python, "-c", script], cwd=folder, env=quiet, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def environment(framework: str) -> str:
    """The Python that `make test-frameworks` made."""
    return os.environ.get(f"MODELET_{framework.upper()}_PYTHON") or str(ROOT / f".venv-{framework}" / "bin" / "python")


@pytest.fixture(scope="module")
def tensorflow_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained("tensorflow", TRAIN_TENSORFLOW, tmp_path_factory.mktemp("tensorflow"))


@pytest.fixture(scope="module")
def torch_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained("torch", TRAIN_TORCH, tmp_path_factory.mktemp("torch"))


def launch(framework: str, folder: Path, code: str, **start) -> runtime.Worker:
    """A worker with a handler beside the models, in the framework's Python."""
    (folder / "app.py").write_text(textwrap.dedent(code))
    python = environment(framework)
    packages = [str(path) for path in (Path(python).parents[1] / "lib").glob("python*/site-packages")]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "TF_ENABLE_ONEDNN_OPTS": "0"}
    worker = runtime.launch(folder, python=python, packages=packages, env=quiet, **start)
    assert "ready" in worker.started, worker.started
    return worker


def check(framework: str, folder: Path, way: tuple[str, str, str, str]) -> None:
    """Three calls: one model, the framework's answers, and one notice."""
    imports, load, ask, known = way
    worker = launch(framework, folder, HANDLER.format(imports=imports, load=load, ask=ask))
    answers = np.load(folder / "answers.npy")
    for _ in range(3):
        found = worker.event(ROWS).json
        assert found["same"] is True
        np.testing.assert_allclose(found["prediction"], answers, rtol=RTOL)
    notices = [one for one in worker.records() if "memoize_loaders" in one["message"]]
    assert [one["invocation"] for one in notices] == ["call-2"]
    assert notices[0]["message"].startswith(f"{known}('")


def test_the_tutorials_handler_runs_as_it_stands_and_loads_once(tensorflow_folder):
    held = str(tensorflow_folder / "model.keras")
    outside = {"/path/to/model.keras": held}
    kept = launch("tensorflow", tensorflow_folder, TUTORIAL, outside=outside)
    plain = launch("tensorflow", tensorflow_folder, TUTORIAL, outside=outside, options={"memoize_loaders": False})
    answers = np.load(tensorflow_folder / "answers.npy")
    for worker in (kept, plain):
        for _ in range(3):
            answer = worker.event(ROWS).json
            assert answer["statusCode"] == 200
            np.testing.assert_allclose(json.loads(answer["body"])["prediction"], answers, rtol=RTOL)
    notices = [
        [one["message"] for one in worker.records() if "memoize_loaders" in one["message"]] for worker in (kept, plain)
    ]
    assert [len(one) for one in notices] == [1, 0]
    assert notices[0][0].startswith(f"keras.models.load_model('{held}') is called within the handler")


@pytest.mark.parametrize("way", TENSORFLOW)
def test_networks_of_keras_and_tensorflow_are_loaded_once(tensorflow_folder, way):
    check("tensorflow", tensorflow_folder, TENSORFLOW[way])


def test_a_network_that_remembers_from_call_to_call_is_loaded_anew(tensorflow_folder):
    code = """
        import keras
        import numpy as np

        if not __import__("os").path.exists("stateful.keras"):
            inputs = keras.Input(batch_shape=(1, 2, 2))
            keras.Model(inputs, keras.layers.LSTM(2, stateful=True)(inputs)).save("stateful.keras")

        def lambda_handler(event, context):
            return keras.models.load_model("stateful.keras")(np.ones((1, 2, 2)))
    """
    worker = launch("tensorflow", tensorflow_folder, code)
    found = [worker.event({}).json for _ in range(3)]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("way", TORCH)
def test_networks_of_pytorch_are_loaded_once(torch_folder, way):
    check("torch", torch_folder, TORCH[way])


def test_a_state_of_pytorch_is_read_once_and_each_call_has_its_own_dict(torch_folder):
    code = """
        import numpy as np
        import torch

        kept = []

        def lambda_handler(event, context):
            state = torch.load("state.pt")
            kept.append(state["0.weight"])
            model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh())
            model.load_state_dict(state)
            state.clear()
            return {"prediction": model(torch.tensor(event["data"])).detach(), "same": kept[-1] is kept[0]}
    """
    worker = launch("torch", torch_folder, code)
    answers = np.load(torch_folder / "answers.npy")
    for _ in range(3):
        found = worker.event(ROWS).json
        assert found["same"] is True
        np.testing.assert_allclose(found["prediction"], answers, rtol=RTOL)
