"""Programs that answer: clients of Lambda's Runtime API, AWS' own among them, and servers that listen on `$PORT`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from aws import lambda_client
from functions import folder, lines
from harness import Function, Platform, eventually
from test_handlers import invoke
from proofs import RIC, proof

#: AWS' own client for Python, unmodified.
AWSLAMBDARIC = {"program": {"command": ["python3", "-m", "awslambdaric", "app.handler"]}}
HANDLER = """\
import os
print("begins")
def handler(event, context):
    if event.get("do") == "raise":
        raise ValueError("no such row: é")
    if event.get("do") == "end":
        os._exit(7)
    return {"event": event, "id": context.aws_request_id, "name": context.function_name,
            "left_ms": context.get_remaining_time_in_millis()}
"""
#: Another client, of the standard library alone: what a `bootstrap` of any language does.
BOOTSTRAP = """\
#!/usr/bin/env python3
import json, os, urllib.request
api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/"
while True:
    with urllib.request.urlopen(api + "invocation/next") as invocation:
        event, call = json.load(invocation), invocation.headers["Lambda-Runtime-Aws-Request-Id"]
    if event.get("do") == "fail":
        where, answer = "error", {"errorType": "Own.Kind", "errorMessage": "failed as told", "stackTrace": []}
    else:
        where, answer = "response", {"event": event, "id": call}
    urllib.request.urlopen(f"{api}invocation/{call}/{where}", json.dumps(answer).encode()).read()
"""
SERVER = """\
import json, os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path.endswith("/end"):
            os._exit(7)
        said = json.dumps([self.command, self.path, self.headers.get("x-mine"), body.decode("latin-1")]).encode()
        self.send_response(418 if self.path.endswith("/teapot") else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
    do_GET = do_POST = do_PUT = do_DELETE = answer
    def log_message(self, *_):
        pass

time.sleep(1)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Server).serve_forever()
"""


def deploy(platform: Platform, name: str, files: dict[str, str], manifest: dict | None = None) -> Function:
    """Deploys a folder; a `bootstrap` in it can be run."""
    return platform.deploy(laid_out(platform.work / "code" / name, files, manifest), name)


def laid_out(place: Path, files: dict[str, str], manifest: dict | None = None) -> Path:
    """A folder whose `bootstrap`, where it has one, can be run."""
    folder(place, files, manifest)
    if "bootstrap" in files:
        (place / "bootstrap").chmod(0o755)
    return place


@pytest.fixture
def client(platform):
    """boto3's, which tries once."""
    return lambda_client(platform.url)


@pytest.fixture(scope="module")
def awslambdaric(platform) -> Function:
    """A handler that AWS' own client runs."""
    files = {"app.py": HANDLER, "requirements.txt": "awslambdaric==4.2.2\n"}
    return deploy(platform, "program-awslambdaric", files, AWSLAMBDARIC)


@proof("Clients", "AWS' client of the Runtime API is a program here, unmodified", RIC)
def test_awslambdaric_answers_unmodified(awslambdaric, client):
    """By /fn and boto3, with the call's own id and time."""
    answer = awslambdaric.post({"a": "é"})
    said = answer.json()
    assert (said["event"], said["id"]) == ({"a": "é"}, answer.headers["x-modelet-invocation"])
    assert said["name"] == awslambdaric.name
    assert 0 < said["left_ms"] <= 60_000
    payload, answer = invoke(client, awslambdaric, {"b": [1]})
    assert (payload["event"], payload["id"]) == ({"b": [1]}, answer["ResponseMetadata"]["RequestId"])
    eventually(lambda: lines(awslambdaric, "begins"), what="what it prints is in the log")


@proof("Clients", "AWS' client of the Runtime API is a program here, unmodified", RIC)
def test_what_it_reports_as_an_error_is_one_and_the_next_call_is_answered(awslambdaric, client):
    answer = awslambdaric.post({"do": "raise"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["type"]) == (500, "handler-failed", "ValueError")
    assert "no such row: é" in error["message"]
    payload, told = invoke(client, awslambdaric, {"do": "raise"})
    assert (told["FunctionError"], payload["errorType"], payload["errorMessage"]) == (
        "Unhandled",
        "ValueError",
        "no such row: é",
    )
    assert "in handler" in payload["stackTrace"][-1]
    again = awslambdaric.post({})
    assert again.status_code == 200
    assert again.headers["x-modelet-instance"] == answer.headers["x-modelet-instance"]


def test_one_that_ends_fails_its_call_and_no_other(awslambdaric):
    answer = awslambdaric.post({"do": "end"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "instance-died")
    assert "code 7" in answer.json()["error"]["message"]
    assert awslambdaric.post({}).status_code == 200


def test_an_executable_bootstrap_is_found_and_answers(platform, client):
    """As AWS Lambda runs a folder without a language."""
    function = deploy(platform, "program-bootstrap", {"bootstrap": BOOTSTRAP})
    answer = function.post({"n": 1})
    assert answer.json() == {"event": {"n": 1}, "id": answer.headers["x-modelet-invocation"]}
    answer = function.post({"do": "fail"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "Own.Kind")
    payload, told = invoke(client, function, {"do": "fail"})
    assert (told["FunctionError"], payload["errorMessage"]) == ("Unhandled", "failed as told")
    assert function.post({}).status_code == 200


def test_a_server_gets_requests_below_its_functions_path_once_it_listens(platform):
    """S41: it listens a second after its start, and nobody is turned away."""
    server = {"program": {"command": ["python3", "server.py"], "speaks": "http"}}
    function = deploy(platform, "program-server", {"server.py": SERVER}, server)
    http = platform.http
    answer = http.post(f"{function.path}/a/b%20c?q=%C3%A9", content=bytes(range(256)), headers={"x-mine": "yes"})
    method, path, mine, body = answer.json()
    assert (answer.status_code, method, mine, body.encode("latin-1")) == (200, "POST", "yes", bytes(range(256)))
    assert path.endswith("/a/b%20c?q=%C3%A9")
    for method in ("GET", "PUT", "DELETE"):
        assert http.request(method, f"{function.path}/x").json()[0] == method
    assert http.get(f"{function.path}/teapot").status_code == 418
    dead = http.get(f"{function.path}/end")
    assert (dead.status_code, dead.json()["error"]["code"]) == (502, "instance-died")
    assert http.get(f"{function.path}/x").status_code == 200


def test_a_program_that_is_not_there_ends_or_never_asks_is_refused_with_its_last_words(platform, tmp_path):
    def refused(files: dict[str, str], command: list[str], **settings: int) -> str:
        manifest = {"program": {"command": command}, "settings": {"load_timeout_ms": 10_000} | settings}
        return platform.refused(laid_out(tmp_path / "refused", files, manifest))

    assert "there is no bootstrap in the folder" in refused({"x.txt": "x"}, ["./bootstrap"])
    text = refused({"bootstrap": "#!/bin/sh\necho the last words >&2\nexit 3\n"}, ["./bootstrap"])
    assert "the last words" in text and "3" in text
    text = refused({"x.txt": "x"}, ["no-such-program-of-modelet"])
    assert "no-such-program-of-modelet" in text
    text = refused({"bootstrap": "#!/bin/sh\nexec sleep 60\n"}, ["./bootstrap"], load_timeout_ms=500)
    assert "load-timeout" in text and "load_timeout_ms = 500" in text


def test_a_program_has_the_environment_of_its_manifest_and_of_lambda_and_nothing_of_the_platform(platform):
    source = BOOTSTRAP.replace('{"event": event, "id": call}', "dict(os.environ)")
    function = deploy(platform, "program-environment", {"bootstrap": source}, {"env": {"MODE": "fast"}})
    names = function.post({}).json()
    assert (names["MODE"], names["AWS_LAMBDA_FUNCTION_NAME"]) == ("fast", "program-environment")
    assert names["HOME"].startswith("/tmp")
    assert [name for name in names if name.startswith(("MODELET_", "LISTEN_"))] == []
    assert json.dumps(os.environ["PATH"]) not in json.dumps(names)
