"""The runtime on AWS Lambda: the lean binary as a bootstrap under AWS' own emulator."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import applications
import functions
import pytest
import wire
from applications import asked
from aws import lambda_client
from emulator import Emulator
from harness import Function, eventually
from test_lambda_invoke import http_event
from proofs import EMULATOR, proof

pytestmark = proof("AWS Lambda", "the runtime speaks the Runtime API, for models and code", EMULATOR)


@pytest.fixture
def iris(function) -> Function:
    """On a platform of ours, for comparison; its artifact is what is taken to Lambda."""
    return function("iris-matrix")


def artifact(function: Function) -> Path:
    """The folder of what a function is."""
    return function.platform.data / "artifacts" / function.status()["versions"][-1]["sha256"]


def bootstraps(emulator: Emulator) -> list[int]:
    """The processes that the emulator has started, whichever of its threads did."""
    tasks = Path(f"/proc/{emulator.process.pid}/task").iterdir()
    return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]


def test_a_model_answers_on_lambda_as_it_does_here(iris, on_lambda, cases):
    """Many calls in a row in one process, found by the task root; boto3 reads it too."""
    emulator = on_lambda(LAMBDA_TASK_ROOT=str(artifact(iris)))
    rows = next(iter(cases["iris-matrix"].call("batch32").inputs.values()))
    for body in [rows.tolist(), *([row.tolist()] for row in rows)]:
        assert emulator.call(json.dumps(body).encode()).json() == iris.post(body).json()
    answer = lambda_client(emulator.url).invoke(FunctionName="function", Payload=json.dumps(rows[:1].tolist()))
    assert wire.strict_json(answer["Payload"].read()) == iris.post(rows[:1].tolist()).json()
    said = emulator.said()
    assert said.count("INIT START") == 1
    assert said.count("contract lambda: AWS_LAMBDA_RUNTIME_API is 127.0.0.1:") == 1


def test_what_fails_is_an_error_with_a_type_and_the_next_call_is_answered(iris, on_lambda):
    """A bad input, a payload that is no JSON, none at all; the words are those of Invoke."""
    emulator = on_lambda(MODELET_ARTIFACT=str(artifact(iris)))
    for event, error_type, says in (
        (b'{"inputs": [["long", 2, 3, 4]]}', "Function.BadInput", "inputs[0][0]"),
        (b"{'inputs': 1}", "InvalidRequestContentException", "JSON"),
        (b"{}", "Function.BadInput", "sepal_length"),
    ):
        error = emulator.call(event).json()
        assert error["errorType"] == error_type
        assert says in error["errorMessage"]
        assert emulator.call(b"[[1, 2, 3, 4]]").json() == iris.post([[1, 2, 3, 4]]).json()
    assert emulator.said().count("INIT START") == 1, "one process had them all"


def test_a_function_url_gets_a_response(iris, on_lambda, cases):
    """JSON as text, npy as base64, what is wrong as a 400."""
    emulator = on_lambda(MODELET_ARTIFACT=str(artifact(iris)))
    rows = next(iter(cases["iris-matrix"].call("batch32").inputs.values()))
    response = emulator.call(json.dumps(http_event(json.dumps(rows.tolist()))).encode()).json()
    assert (response["statusCode"], response["isBase64Encoded"]) == (200, False)
    assert json.loads(response["body"]) == iris.post(rows.tolist()).json()
    asked = {"content-type": "application/x-npy", "accept": "application/x-npy"}
    content = base64.b64encode(wire.npy_bytes(rows)).decode()
    event = http_event(content, isBase64Encoded=True, headers=asked, rawQueryString="output=label")
    response = emulator.call(json.dumps(event).encode()).json()
    plain = iris.platform.http.post(f"{iris.path}?output=label", content=wire.npy_bytes(rows), headers=asked)
    assert base64.b64decode(response["body"]) == plain.raise_for_status().content
    assert emulator.call(json.dumps(http_event("[[1, 2]]")).encode()).json()["statusCode"] == 400


def test_an_answer_beyond_lambdas_limit_is_said_as_lambda_says_it(iris, on_lambda):
    """Its own type and words, and the next call is answered."""
    emulator = on_lambda(MODELET_ARTIFACT=str(artifact(iris)))
    error = emulator.call(json.dumps([[1, 2, 3, 4]] * 200_000).encode()).json()
    assert error["errorType"] == "Function.ResponseSizeTooLarge"
    assert "exceeded maximum allowed payload size (6291556 bytes)." in error["errorMessage"]
    assert emulator.call(b"[[1, 2, 3, 4]]").json() == iris.post([[1, 2, 3, 4]]).json()


@pytest.mark.parametrize(
    ("kind", "error_type"), [("damaged", "Runtime.ModelRefused"), ("missing", "Runtime.BadArtifact")]
)
def test_what_cannot_load_is_an_error_of_the_init_phase(kind, error_type, iris, on_lambda, tmp_path):
    """The emulator hears why before the process ends with exit code 1, and so does the log."""
    folder = tmp_path / "artifact"
    if kind == "damaged":
        shutil.copytree(artifact(iris), folder)
        for file in (folder / "files").iterdir():
            file.write_bytes(b"damaged")
    emulator = on_lambda(LAMBDA_TASK_ROOT=str(folder))
    error = emulator.call(b"[[1, 2, 3, 4]]").json()
    assert error["errorType"] == error_type
    said = eventually(lambda: "exit status 1" in emulator.said() and emulator.said(), what="the process ends")
    assert f"could not load: {error['errorMessage']}" in said


def test_it_ends_when_it_is_told(iris, on_lambda):
    """SIGTERM between two calls: exit code 0."""
    emulator = on_lambda(MODELET_ARTIFACT=str(artifact(iris)))
    assert emulator.call(b"[[1, 2, 3, 4]]").status_code == 200
    (pid,) = bootstraps(emulator)
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: "exit status 0" in emulator.said(), what="the emulator sees it end")


PYTHON = """\
import sys

def handler(event, context):
    if "raise" in event:
        raise KeyError(event["raise"])
    if "exit" in event:
        sys.exit(event["exit"])
    return {"event": event, "name": context.function_name, "left": context.get_remaining_time_in_millis() > 1000}
"""


def test_python_code_answers_on_lambda_as_under_its_own_client(platform, on_lambda, tmp_path):
    """Events as they are, the context as Lambda has it, errors with type and trace; Python's end is told, and another one begins."""
    code = functions.deployed(platform, "lambda-python", PYTHON)
    emulator = on_lambda(LAMBDA_TASK_ROOT=str(artifact(code)), MODELET_PYTHON=sys.executable)
    for event in ({"data": [1, "é"]}, http_event("hello")):
        answer = emulator.call(json.dumps(event).encode()).json()
        assert answer == {"event": event, "name": "lambda-python", "left": True}
    error = emulator.call(b'{"raise": "data"}').json()
    assert (error["errorType"], error["errorMessage"]) == ("KeyError", "'data'")
    assert 'raise KeyError(event["raise"])' in error["stackTrace"][0]
    assert emulator.call(b"{").json()["errorType"] == "Runtime.UnmarshalError"
    assert emulator.call(b'{"exit": 4}').json()["errorType"] == "Runtime.ExitError"
    assert emulator.call(b"{}").json()["event"] == {}


def test_an_application_gets_the_requests_that_events_were_made_of(platform, on_lambda, tmp_path):
    """On Lambda and through Invoke here: method, path, query, body; cookies each alone; an error is the function's."""
    web = applications.deploy(platform, tmp_path / "web", "lambda-web")
    emulator = on_lambda(LAMBDA_TASK_ROOT=str(artifact(web)), MODELET_PYTHON=sys.executable)
    client = lambda_client(platform.url)
    context = {"http": {"method": "PUT", "path": "/prod/items"}, "stage": "prod"}
    event = http_event("hello", rawPath="/prod/items", rawQueryString="a=1&a=2", requestContext=context)

    content = json.dumps(event).encode()
    here = client.invoke(FunctionName=web.name, Payload=content)
    assert here.get("FunctionError") is None
    for response in (emulator.call(content).json(), wire.strict_json(here["Payload"].read())):
        assert (response["statusCode"], response["cookies"]) == (201, ["a=b", "c=d"])
        assert json.loads(response["body"]) == asked("PUT", "/items", "a=1&a=2", "hello")
    raised = json.dumps(event | {"rawPath": "/prod/raise"}).encode()
    here = client.invoke(FunctionName=web.name, Payload=raised)
    assert here["FunctionError"] == "Unhandled"
    for error in (emulator.call(raised).json(), wire.strict_json(here["Payload"].read())):
        assert (error["errorType"], error["errorMessage"]) == ("KeyError", "'oh no'")
    assert emulator.call(b'{"a": 1}').json() == asked("POST", "/", "", '{"a": 1}'), "any other payload is a body"
