"""The runtime on AWS Lambda behind a function URL that streams: what it reports, piece by piece, to a Runtime API of the test's own,
which shows the wire; and to AWS' emulator, which puts it together."""

from __future__ import annotations

import base64
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from functions import deployed
from harness import PATIENCE_S
from test_lambda_invoke import http_event
from test_lambda_runtime import artifact
from proofs import EMULATOR, proof

pytestmark = proof("AWS Lambda", "streamed answers", EMULATOR)

#: It makes the second piece once a file is there that its environment names.
APP = """\
import asyncio, os

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    headers = [(b"content-type", b"text/event-stream"), (b"set-cookie", b"a=b"), (b"set-cookie", b"c=d")]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": b"first", "more_body": True})
    if scope["path"] == "/breaks":
        raise KeyError("in the middle")
    while not os.path.exists(os.environ["GATE"]):
        await asyncio.sleep(0.01)
    await send({"type": "http.response.body", "body": b"second", "more_body": True})
    await send({"type": "http.response.body"})
"""
HANDLER = "def handler(event, context): return {'statusCode': 202, 'body': 'made', 'cookies': ['a=b']}\n"
MANIFEST = {"handler": "app.app", "python": {"interface": "asgi"}}
KIND, BODY = "lambda-runtime-function-error-type", "lambda-runtime-function-error-body"


class RuntimeApi(ThreadingHTTPServer):
    """Lambda's Runtime API for one function: `ask` puts an event, `heard` has what was reported, as it came."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.events: queue.Queue[bytes] = queue.Queue()
        self.heard: queue.Queue[tuple] = queue.Queue()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def ask(self, event: dict) -> None:
        self.events.put(json.dumps(event).encode())

    def next(self) -> tuple:
        return self.heard.get(timeout=PATIENCE_S)


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RuntimeApi

    def do_GET(self) -> None:
        event = self.server.events.get()
        self.send_response(200)
        self.send_header("lambda-runtime-aws-request-id", "call-1")
        self.send_header("lambda-runtime-deadline-ms", "4102444800000")
        self.send_header("content-length", str(len(event)))
        self.end_headers()
        self.wfile.write(event)

    def do_POST(self) -> None:
        heard = self.server.heard
        heard.put(("head", self.path.rpartition("/")[2], {name.lower(): value for name, value in self.headers.items()}))
        if "chunked" in self.headers.get("transfer-encoding", ""):
            while size := int(self.rfile.readline(), 16):
                heard.put(("piece", self.rfile.read(size)))
                self.rfile.readline()
            lines = iter(lambda: self.rfile.readline().strip(), b"")
            heard.put(("end", dict(line.decode().split(": ", 1) for line in lines)))
        else:
            heard.put(("whole", self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hosted(platform, tmp_path) -> Iterator[Callable[..., RuntimeApi]]:
    """The runtime with some code, as the client of such an API."""
    running = []

    def hosted(name: str, source: str, manifest: dict | None = None, mode: str = "response_stream") -> RuntimeApi:
        api = RuntimeApi()
        folder = artifact(deployed(platform, name, source, manifest=manifest))
        environment = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}",
            "LAMBDA_TASK_ROOT": str(folder),
            "MODELET_INVOKE_MODE": mode,
            "MODELET_PYTHON": sys.executable,
            "GATE": str(tmp_path / "gate"),
            "PATH": os.environ["PATH"],
        }
        runtime = Path(os.environ["MODELET_BIN"]).with_name("modelet-runtime")
        running.append((subprocess.Popen([runtime], env=environment), api))
        return api

    yield hosted
    for process, api in running:
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
        api.shutdown()
        api.server_close()


def head_of(piece: tuple) -> dict:
    """What is said before the body: JSON, and eight zero bytes."""
    kind, content = piece
    assert kind == "piece"
    head, _, rest = content.partition(bytes(8))
    assert rest == b""
    return json.loads(head)


def test_a_response_is_reported_while_it_is_made(hosted, tmp_path):
    api = hosted("lambda-stream", APP, MANIFEST)
    api.ask(http_event("", rawPath="/"))
    kind, path, headers = api.next()
    assert (kind, path) == ("head", "response")
    assert headers["lambda-runtime-function-response-mode"] == "streaming"
    assert headers["content-type"] == "application/vnd.awslambda.http-integration-response"
    head = head_of(api.next())
    assert (head["statusCode"], head["cookies"]) == (201, ["a=b", "c=d"])
    assert head["headers"]["content-type"] == "text/event-stream"
    assert api.next() == ("piece", b"first"), "the second is not made yet"
    (tmp_path / "gate").touch()
    assert [api.next(), api.next()] == [("piece", b"second"), ("end", {})]
    # And the next call is answered.
    api.ask(http_event("", rawPath="/"))
    assert api.next()[1] == "response"


def test_what_breaks_a_response_off_comes_as_trailers(hosted):
    api = hosted("lambda-stream", APP, MANIFEST)
    api.ask(http_event("", rawPath="/breaks"))
    assert [api.next()[1], head_of(api.next())["statusCode"], api.next()] == ["response", 201, ("piece", b"first")]
    kind, trailers = api.next()
    assert (kind, trailers[KIND]) == ("end", "Runtime.StreamError")
    assert "in the middle" in json.loads(base64.b64decode(trailers[BODY]))["errorMessage"]


def test_what_others_say_in_json_is_reported_as_a_response_and_what_is_none_as_it_is(hosted):
    api = hosted("lambda-stream-handler", HANDLER)
    api.ask(http_event(""))
    assert api.next()[2]["lambda-runtime-function-response-mode"] == "streaming"
    head = head_of(api.next())
    assert (head["statusCode"], head["cookies"]) == (202, ["a=b"])
    assert [api.next(), api.next()] == [("piece", b"made"), ("end", {})]
    api.ask({"plain": "event"})
    assert "lambda-runtime-function-response-mode" not in api.next()[2]
    kind, content = api.next()
    assert (kind, json.loads(content)["statusCode"]) == ("whole", 202)


def test_without_the_mode_it_is_reported_whole(hosted, tmp_path):
    (tmp_path / "gate").touch()
    api = hosted("lambda-stream", APP, MANIFEST, mode="buffered")
    api.ask(http_event("", rawPath="/"))
    assert "lambda-runtime-function-response-mode" not in api.next()[2]
    assert json.loads(api.next()[1])["body"] == "firstsecond"


def test_awss_emulator_takes_it(platform, on_lambda, tmp_path):
    """It answers what a function's URL would make a response of."""
    (tmp_path / "gate").touch()
    function = deployed(platform, "lambda-stream", APP, manifest=MANIFEST)
    emulator = on_lambda(
        LAMBDA_TASK_ROOT=str(artifact(function)),
        MODELET_PYTHON=sys.executable,
        MODELET_INVOKE_MODE="response_stream",
        GATE=str(tmp_path / "gate"),
    )
    for _ in range(2):
        answer = emulator.call(json.dumps(http_event("", rawPath="/")).encode())
        head, _, body = answer.content.partition(bytes(8))
        assert (json.loads(head)["statusCode"], body) == (201, b"firstsecond")
