"""FastAPI and Flask on AWS Lambda: the lean runtime under AWS' own emulator, their packages from a layer."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from emulator import Emulator
from functions import WEB, deployed
from harness import Function, eventually
from test_lambda_invoke import http_event
from test_lambda_runtime import artifact
from proofs import EMULATOR, proof

pytestmark = proof("AWS Lambda", "FastAPI and Flask answer its events", EMULATOR)

FASTAPI = """\
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

app = FastAPI()

class Row(BaseModel):
    age: int

@app.post("/rows", status_code=201)
def rows(rows: list[Row], factor: int = 1):
    return {"ages": [row.age * factor for row in rows]}

@app.post("/bytes")
async def double(request: Request):
    return Response(await request.body() * 2, media_type="image/png")

@app.get("/tags")
def tags(request: Request):
    text = ",".join(request.query_params.getlist("tag")) + request.headers["x-mine"]
    answer = Response(text, media_type="text/plain")
    answer.set_cookie("a", "1")
    answer.set_cookie("b", "2")
    return answer

@app.get("/fails")
def fails():
    raise LookupError("no such model")
"""
FLASK = """\
from flask import Flask, request

app = Flask(__name__)

@app.post("/rows")
def rows():
    rows, factor = request.get_json(), request.args.get("factor", 1, int)
    if not all(isinstance(row.get("age"), int) for row in rows):
        return {"detail": [{"loc": ["body", 0, "age"]}]}, 422
    return {"ages": [row["age"] * factor for row in rows]}, 201

@app.post("/bytes")
def double():
    return request.get_data() * 2, {"content-type": "image/png"}

@app.get("/tags")
def tags():
    text = ",".join(request.args.getlist("tag")) + request.headers["x-mine"]
    cookies = [("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2; Path=/")]
    return text, 200, [("content-type", "text/plain"), *cookies]

@app.get("/fails")
def fails():
    raise LookupError("no such model")
"""


def rest_event(body: str | None, **changed) -> dict:
    """What a REST API makes of a POST: version 1."""
    return {
        "resource": "/{proxy+}", "path": "/rows", "httpMethod": "POST",
        "headers": {"content-type": "application/json"}, "multiValueHeaders": {"content-type": ["application/json"]},
        "queryStringParameters": None, "multiValueQueryStringParameters": None,
        "requestContext": {"stage": "prod", "path": "/prod/rows", "httpMethod": "POST", "requestId": "x"},
        "body": body, "isBase64Encoded": False,
    } | changed  # fmt: skip


def called(method: str, path: str, body: str | None = None, **changed) -> dict:
    """The same of an HTTP API: version 2."""
    context = {"http": {"method": method, "path": path}, "stage": "$default"}
    return http_event(body, rawPath=path, requestContext=context, **changed)


@pytest.fixture(params=["fastapi", "flask"])
def hosted(request: pytest.FixtureRequest, platform, on_lambda: Callable[..., Emulator]) -> Emulator:
    """An application of each framework under the emulator; its artifact and its layer are those of a platform."""
    source = {"fastapi": FASTAPI, "flask": FLASK}[request.param]
    app = deployed(platform, f"lambda-{request.param}", source, WEB)
    return on_lambda(
        LAMBDA_TASK_ROOT=str(artifact(app)), MODELET_PYTHON=sys.executable, MODELET_PACKAGES=str(layer(app))
    )


def layer(function: Function) -> Path:
    """The folder of its packages."""
    return function.platform.data / "layers" / function.status()["card"]["handler"]["packages"]["sha256"]


def answered(emulator: Emulator, event: dict) -> dict:
    """What comes back for an event."""
    return emulator.call(json.dumps(event).encode()).json()


def test_events_of_an_http_api_and_of_a_rest_api_are_requests(hosted):
    rows = json.dumps([{"age": 3}, {"age": 4}])
    of_http = answered(hosted, called("POST", "/rows", rows, rawQueryString="factor=2"))
    of_rest = answered(hosted, rest_event(rows, queryStringParameters={"factor": "2"}))
    for response in (of_http, of_rest):
        assert (response["statusCode"], json.loads(response["body"])) == (201, {"ages": [6, 8]})
        assert response["isBase64Encoded"] is False


def test_bytes_come_and_go_as_base64(hosted):
    raw = bytes(range(256))
    encoded = {"isBase64Encoded": True, "headers": {"content-type": "application/octet-stream"}}
    sent = base64.b64encode(raw).decode()
    for event in (called("POST", "/bytes", sent, **encoded), rest_event(sent, path="/bytes", **encoded)):
        response = answered(hosted, event)
        assert (response["statusCode"], response["isBase64Encoded"]) == (200, True)
        assert base64.b64decode(response["body"]) == raw * 2


def test_values_that_come_several_times_are_all_there(hosted):
    """Of the query, in both versions; cookies of an answer in the form of each."""
    headers = {"x-mine": "!"}
    of_http = answered(hosted, called("GET", "/tags", rawQueryString="tag=a&tag=%C3%BC", headers=headers))
    query = {"multiValueQueryStringParameters": {"tag": ["a", "ü"]}, "queryStringParameters": {"tag": "ü"}}
    several = {"multiValueHeaders": {"x-mine": ["!"]}, "headers": headers}
    of_rest = answered(hosted, rest_event(None, path="/tags", httpMethod="GET", **query, **several))
    assert of_http["body"] == of_rest["body"] == "a,ü!"
    assert [cookie.split(";")[0] for cookie in of_http["cookies"]] == ["a=1", "b=2"]
    assert [cookie.split(";")[0] for cookie in of_rest["multiValueHeaders"]["set-cookie"]] == ["a=1", "b=2"]


def test_what_the_application_refuses_is_its_own_answer_and_what_fails_is_its_500(hosted):
    """A 422, a 404, a 405 and an exception; its trace is in the log, and the same process answers the next event."""
    response = answered(hosted, called("POST", "/rows", '[{"age": "old"}]'))
    assert (response["statusCode"], json.loads(response["body"])["detail"][0]["loc"]) == (422, ["body", 0, "age"])
    for path, status in (("/nothing", 404), ("/rows", 405), ("/fails", 500)):
        assert answered(hosted, called("GET", path))["statusCode"] == status
    eventually(lambda: "LookupError: no such model" in hosted.said(), what="the trace is in the log")
    assert answered(hosted, called("POST", "/rows", '[{"age": 1}]'))["statusCode"] == 201
    assert hosted.said().count("INIT START") == 1
