"""Zips under AWS' own emulator of Lambda: unpacked as Lambda does it, started as Lambda starts them, and told nothing else."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import functions
import pytest
from emulator import Emulator
from harness import ROOT, Function, Platform, eventually
from packaged import unzipped
from proofs import EMULATOR, proof
from test_lambda_invoke import http_event

pytestmark = proof("AWS Lambda", "a zip runs", EMULATOR)

IRIS = ROOT / "examples" / "iris"
ROW = [[5.1, 3.5, 1.4, 0.2]]
#: Lambda's own word for more than it gives back.
TOO_LARGE = "Function.ResponseSizeTooLarge"
CODE = """\
import os
import time

def lambda_handler(event, context):
    if "sleep" in event:
        time.sleep(event["sleep"])
    if "size" in event:
        return "x" * event["size"]
    if "raise" in event:
        raise ValueError(event["raise"])
    return {"event": event, "name": context.function_name, "root": os.environ["LAMBDA_TASK_ROOT"]}
"""
FASTAPI = """\
from fastapi import FastAPI, Request, Response

app = FastAPI()

@app.get("/hello/{name}")
def hello(name: str, times: int = 1):
    return {"hello": [name] * times}

@app.post("/bytes")
async def double(request: Request):
    return Response(await request.body() * 2, media_type="image/png")
"""
S3_EVENT = {
    "Records": [
        {
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1", "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "rows"}, "object": {"key": "in/a+b.csv", "size": 12, "eTag": "0"}},
        }
    ]
}  # fmt: skip
SCHEDULE_EVENT = {
    "version": "0", "id": "53dc4d37", "detail-type": "Scheduled Event", "source": "aws.events", "account": "1",
    "time": "2026-11-28T01:00:00Z", "region": "eu-west-1", "resources": ["arn:aws:events:eu-west-1:1:rule/nightly"], "detail": {},
}  # fmt: skip


def event_v1(method: str, path: str, body: str | None = None, **changed) -> dict:
    """What a REST API of API Gateway sends."""
    return {
        "resource": "/{proxy+}", "path": path, "httpMethod": method, "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {"Content-Type": ["application/json"]}, "queryStringParameters": None,
        "multiValueQueryStringParameters": None, "pathParameters": None, "stageVariables": None,
        "requestContext": {"httpMethod": method, "path": path, "stage": "prod", "resourcePath": "/{proxy+}"},
        "body": body, "isBase64Encoded": False,
    } | changed  # fmt: skip


def event_v2(method: str, path: str, body: str = "", **changed) -> dict:
    """What an HTTP API or a function URL sends."""
    context = {"http": {"method": method, "path": path, "protocol": "HTTP/1.1"}, "stage": "$default"}
    return http_event(body, rawPath=path, requestContext=context, **changed)


@pytest.fixture
def on_lambda(platform: Platform, tmp_path: Path) -> Iterator[Callable[..., Emulator]]:
    """Packages something, and starts it as Lambda would."""
    running: list[Emulator] = []

    def start(path: Path, *words: object, **environment: str) -> Emulator:
        zipped = tmp_path / f"{path.name}.zip"
        said = platform.cli_json("package", path, "--for", "aws-lambda", "-o", zipped, *words)
        root = unzipped(zipped, tmp_path / "task" / path.name)
        command, told = [str(root / "bootstrap")], said["lambda"]
        if told["runtime"].startswith("python"):
            assert told["environment"] == {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/bootstrap"}
            # As a managed runtime starts its wrapper: with its own command line, and its Python on the PATH.
            command += [f"/var/lang/bin/{told['runtime']}", "/var/runtime/bootstrap.py"]
            environment["AWS_LAMBDA_EXEC_WRAPPER"] = command[0]
            environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        # Lambda starts it in its folder, which cannot be written to.
        environment |= {"LAMBDA_TASK_ROOT": str(root), "_HANDLER": told["handler"]}
        running.append(Emulator(tmp_path / f"emulator-{len(running)}.log", command, **environment))
        return running[-1]

    yield start
    for emulator in running:
        emulator.stop()


def sent(emulator: Emulator, event: object) -> object:
    """The answer to an event."""
    return emulator.call(json.dumps(event).encode()).json()


@pytest.fixture
def iris(platform: Platform) -> Function:
    """On a platform of ours, for comparison."""
    return platform.deploy(IRIS, "iris-zipped")


def test_a_model_answers_as_on_the_platform(on_lambda, iris):
    """Rows as they are; by both kinds of API gateways; bodies in base64; what is wrong; what is too large."""
    emulator = on_lambda(IRIS)
    expected = iris.post(ROW).json()
    assert sent(emulator, ROW) == expected
    for event in (event_v2("POST", "/", json.dumps(ROW)), event_v1("POST", "/", json.dumps(ROW))):
        answer = sent(emulator, event)
        assert (answer["statusCode"], json.loads(answer["body"])) == (200, expected)
    encoded = base64.b64encode(json.dumps(ROW).encode()).decode()
    answer = sent(emulator, event_v2("POST", "/", encoded, isBase64Encoded=True))
    assert (answer["statusCode"], json.loads(answer["body"])) == (200, expected)
    assert sent(emulator, event_v1("POST", "/", "[[1]]"))["statusCode"] == 400
    assert sent(emulator, [["x", 1, 1, 1]])["errorType"] == "Function.BadInput"
    assert sent(emulator, ROW * 200_000)["errorType"] == TOO_LARGE
    assert sent(emulator, ROW) == expected
    assert emulator.said().count("INIT START") == 1, "one process had them all"


def test_a_handler_gets_events_of_all_kinds(on_lambda, tmp_path):
    """Of S3, of schedules, of gateways: as they are. Its errors are its own, and an answer beyond 6 MB is refused in Lambda's words."""
    emulator = on_lambda(functions.folder(tmp_path / "echo", {"app.py": CODE}))
    for event in (S3_EVENT, SCHEDULE_EVENT, event_v2("GET", "/a"), event_v1("GET", "/a")):
        answer = sent(emulator, event)
        assert answer["event"] == event
        assert answer["root"].endswith("/task/echo/files"), "where its own files lie"
    error = sent(emulator, {"raise": "no such row"})
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no such row")
    assert len(sent(emulator, {"size": 6 * 1024 * 1024})) == 6 * 1024 * 1024
    assert sent(emulator, {"size": 6 * 1024 * 1024 + 100})["errorType"] == TOO_LARGE
    assert sent(emulator, SCHEDULE_EVENT)["event"] == SCHEDULE_EVENT


def test_a_call_beyond_its_time_is_ended_and_the_next_one_is_answered(on_lambda, tmp_path):
    """Lambda ends the process; a new one has the next call."""
    emulator = on_lambda(functions.folder(tmp_path / "slow", {"app.py": CODE}), AWS_LAMBDA_FUNCTION_TIMEOUT="2")
    assert sent(emulator, {"a": 1})["event"] == {"a": 1}
    assert "timed out after 2" in emulator.call(b'{"sleep": 30}').text.lower()
    assert eventually(lambda: sent(emulator, {"a": 2}), what="the next call is answered")["event"] == {"a": 2}


def test_a_fastapi_application_has_its_packages_beside_it(on_lambda, tmp_path):
    """Requests of both kinds of gateways; bytes both ways in base64."""
    files = {"app.py": FASTAPI, "requirements.txt": functions.WEB}
    emulator = on_lambda(functions.folder(tmp_path / "web", files))
    answer = sent(emulator, event_v2("GET", "/hello/you", rawQueryString="times=2"))
    assert (answer["statusCode"], json.loads(answer["body"])) == (200, {"hello": ["you", "you"]})
    query = {"queryStringParameters": {"times": "2"}, "multiValueQueryStringParameters": {"times": ["2"]}}
    answer = sent(emulator, event_v1("GET", "/hello/you", **query))
    assert (answer["statusCode"], json.loads(answer["body"])) == (200, {"hello": ["you", "you"]})
    encoded = base64.b64encode(b"\x00\xff").decode()
    answer = sent(emulator, event_v2("POST", "/bytes", encoded, isBase64Encoded=True))
    assert (answer["isBase64Encoded"], base64.b64decode(answer["body"])) == (True, b"\x00\xff" * 2)
    assert sent(emulator, event_v2("GET", "/nothing"))["statusCode"] == 404
    assert "contract lambda" in emulator.said()
