"""The handler that the tutorials of Lambda show, deployed as it stands with TensorFlow: not a letter of it is ours but the path."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

import numpy as np
import pytest
from aws import lambda_client
from harness import Function
from test_lambda_invoke import http_event
from test_worker import TUTORIAL

#: The version that the models were trained with, as the lock has it.
LOCK = Path(__file__).with_name("requirements-tensorflow.in")
CALLS = 50


def laid_out(tensorflow, folder: Path) -> Path:
    """It names its model by an absolute path, and takes the body of an API gateway's events."""
    model = tensorflow.folder / "pictures.keras"
    (folder / "lambda_function.py").write_text(TUTORIAL.replace("/path/to/model.keras", str(model)))
    pin = next(line for line in LOCK.read_text().splitlines() if line.startswith("tensorflow-cpu=="))
    (folder / "requirements.txt").write_text(pin + "\n")
    (folder / "modelet.toml").write_text("[python]\nunwrap = true\n[settings]\nmemory_mib = 2048\n")
    return folder


@pytest.fixture(scope="module")
def tutorial(platform, tensorflow, tmp_path_factory) -> Function:
    """Deployed on a platform of ours."""
    folder = laid_out(tensorflow, tmp_path_factory.mktemp("tutorial"))
    deployed = platform.cli_json("deploy", folder, "--name", "tutorial")
    return Function(platform, "tutorial", deployed)


def test_it_answers_as_keras_by_every_way(platform, tensorflow, tutorial):
    inputs, outputs = tensorflow.case("pictures")
    (rows,), (known,) = inputs.values(), outputs.values()
    event = {"data": rows.tolist()}
    client = lambda_client(platform.url)

    def predicted(text: str) -> np.ndarray:
        return np.array(json.loads(text)["prediction"])

    for _ in range(2):
        answer = tutorial.post(event)
        assert answer.status_code == 200, answer.text
        np.testing.assert_allclose(predicted(answer.text), known, rtol=1e-5)
    for payload in (event, http_event(json.dumps(event))):
        invoked = client.invoke(FunctionName="tutorial", Payload=json.dumps(payload))
        assert invoked.get("FunctionError") is None
        said = json.loads(invoked["Payload"].read())
        assert said["statusCode"] == 200
        np.testing.assert_allclose(predicted(said["body"]), known, rtol=1e-5)
    assert "memoize_loaders = false" in platform.cli("logs", "tutorial").stdout, "what was saved is told once"


def test_calls_after_the_first_do_not_load_again(tensorflow, tutorial):
    (rows,) = tensorflow.case("pictures")[0].values()
    event = {"data": rows[:1].tolist()}
    assert tutorial.post(event).status_code == 200
    times = []
    for _ in range(CALLS):
        began = time.perf_counter()
        assert tutorial.post(event).status_code == 200
        times.append((time.perf_counter() - began) * 1e3)
    print(f"\nthe tutorial's handler, p50 of {CALLS} calls after the first: {statistics.median(times):.1f} ms")
