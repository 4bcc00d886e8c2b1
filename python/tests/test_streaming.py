"""Answers that are sent while they are made, and websockets: of applications and of programs, through the platform."""

from __future__ import annotations

import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from aws import lambda_client
from functions import WEB, lines, records
from harness import Function, eventually
from test_programs import deploy
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

#: Of servers that programs run.
UVICORN = "uvicorn==0.54.0\nwebsockets==17.4\n"
SETTINGS = {"concurrency": 6, "request_timeout_ms": 60_000, "max_instances": 1}
#: One that says what its clients did, by `/seen`.
APP = """\
import asyncio
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import Response, StreamingResponse

app = FastAPI()
gate = asyncio.Event()
seen = []

@app.get("/events")
async def events():
    async def made():
        yield "data: first\\n\\n"
        await gate.wait()
        yield "data: second\\n\\n"
    return StreamingResponse(made(), media_type="text/event-stream", headers={"x-mine": "1"})

@app.post("/go")
async def go():
    gate.set()

@app.get("/endless")
async def endless():
    async def made():
        try:
            while True:
                yield b"x" * 65536
                await asyncio.sleep(0)
        finally:
            seen.append("left")
    return StreamingResponse(made())

@app.get("/silent")
async def silent():
    async def made():
        yield b"begun"
        await asyncio.sleep(3600)
    return StreamingResponse(made())

@app.get("/breaks")
async def breaks():
    async def made():
        yield b"begun"
        raise ValueError("broken in the middle")
    return StreamingResponse(made())

@app.get("/large")
def large():
    return StreamingResponse(bytes([n % 256]) * 100_000 for n in range(300))

@app.get("/length")
def length():
    return Response("whole")

@app.get("/seen")
def what():
    return seen

@app.websocket("/echo")
async def echo(ws: WebSocket):
    asked = ws.scope["subprotocols"]
    await ws.accept(subprotocol=asked[-1] if asked else None, headers=[(b"x-mine", b"1")])
    try:
        while True:
            message = await ws.receive()
            if message["type"] == "websocket.disconnect":
                seen.append(f"closed {message['code']}")
                return
            if message.get("text") == "end":
                return await ws.close(4000, "as told")
            if message.get("text") == "raise":
                raise ValueError("broken in a websocket")
            await ws.send({**message, "type": "websocket.send"})
    except WebSocketDisconnect:
        pass

@app.websocket("/closed")
async def closed(ws: WebSocket):
    await ws.close()
"""
FLASK = """\
import threading, flask
app = flask.Flask(__name__)
gate = threading.Event()
seen = []

@app.get("/events")
def events():
    def made():
        yield "data: first\\n\\n"
        gate.wait()
        yield "data: second\\n\\n"
    return flask.Response(made(), mimetype="text/event-stream", headers={"x-mine": "1"})

@app.post("/go")
def go():
    gate.set()
    return {}

@app.get("/endless")
def endless():
    def made():
        try:
            while True:
                yield b"x" * 65536
        finally:
            seen.append("left")
    return flask.Response(made())

@app.get("/seen")
def what():
    return seen
"""


@pytest.fixture(scope="module")
def fastapi(code) -> Function:
    return code("stream-fastapi", APP, WEB, **SETTINGS)


@pytest.fixture(scope="module")
def flask(code) -> Function:
    return code("stream-flask", FLASK, WEB, **SETTINGS)


@pytest.fixture(scope="module")
def program(platform) -> Function:
    """uvicorn itself, as a server that listens on `$PORT`."""
    command = ["python3", "-m", "uvicorn", "app:app", "--host", "127.0.0.1", "--port", "$PORT"]
    manifest = {"program": {"command": command, "speaks": "http"}, "settings": SETTINGS}
    return deploy(platform, "stream-program", {"app.py": APP, "requirements.txt": WEB + UVICORN}, manifest)


@pytest.fixture(params=["fastapi", "flask", "program"])
def server(request) -> Function:
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["fastapi", "program"])
def talker(request) -> Function:
    return request.getfixturevalue(request.param)


@contextmanager
def asked(function: Function, path: str):
    """An answer that has begun."""
    with function.platform.http.stream("GET", f"{function.path}{path}", timeout=60) as answer:
        yield answer


def url(function: Function, path: str) -> str:
    return f"{function.platform.url.replace('http', 'ws', 1)}{function.path}{path}"


def record(function: Function, call: str) -> dict:
    """The record of a call, once there is one."""
    rows = eventually(lambda: [row for row in records(function) if row.get("id") == call], what="its record")
    return rows[0]


# -- answers ----


def test_a_client_has_what_was_made_before_the_rest_is(server):
    """The rest is made only when another request asks for it."""
    with asked(server, "/events") as answer:
        pieces = answer.iter_text()
        assert next(pieces) == "data: first\n\n"
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-length" not in answer.headers
        assert (answer.headers["x-mine"], answer.headers["x-modelet-version"]) == ("1", "1")
        (timing,) = answer.headers.get_list("server-timing")
        assert "total;dur=" in timing
        assert server.platform.http.post(f"{server.path}/go").status_code == 200
        assert list(pieces) == ["data: second\n\n"]
    row = record(server, answer.headers["x-modelet-invocation"])
    assert (row["status"], row["outcome"], row["response_bytes"]) == (200, "ok", 27)


def test_an_answer_that_nobody_reads_waits_and_one_that_nobody_wants_ends(server):
    """It has no end: only the client's going ends it."""
    with asked(server, "/endless") as answer:
        pieces, read = answer.iter_raw(), 0
        while read < 4 << 20:
            read += len(next(pieces))
        # While this one is not read, others are answered.
        assert server.platform.http.get(f"{server.path}/seen").json() == []
    eventually(lambda: server.platform.http.get(f"{server.path}/seen").json() == ["left"], what="it has heard")
    row = record(server, answer.headers["x-modelet-invocation"])
    assert (row["status"], row["outcome"]) == (499, "cancelled")
    assert row["response_bytes"] >= read
    eventually(lambda: sum(one["in_flight"] for one in server.instances()) == 0, what="its place is free")


def test_a_large_answer_comes_whole_and_one_with_a_length_keeps_it(fastapi):
    answer = fastapi.platform.http.get(f"{fastapi.path}/large", timeout=60)
    assert answer.content == b"".join(bytes([n % 256]) * 100_000 for n in range(300)), "30 MB"
    answer = fastapi.platform.http.get(f"{fastapi.path}/length")
    assert (answer.text, answer.headers["content-length"]) == ("whole", "5")


def test_an_answer_that_breaks_off_is_seen_to_be_broken_and_costs_no_other_call(talker):
    with asked(talker, "/breaks") as answer, pytest.raises(httpx.RemoteProtocolError):
        assert answer.status_code == 200
        for piece in answer.iter_text():
            assert piece == "begun"
    eventually(lambda: lines(talker, "broken in the middle"), what="the log says why")
    assert talker.platform.http.get(f"{talker.path}/length").text == "whole"
    assert len({row["instance"] for row in records(talker) if row.get("instance")}) == 1, "the instance stays"


def test_the_deadline_of_a_call_ends_its_answer(platform, code):
    function = code("stream-deadline", APP, WEB, concurrency=2, request_timeout_ms=1500, max_instances=1)
    with asked(function, "/silent") as answer, pytest.raises(httpx.RemoteProtocolError):
        for piece in answer.iter_text():
            assert piece == "begun"
    row = record(function, answer.headers["x-modelet-invocation"])
    assert (row["status"], row["code"]) == (504, "request-timeout")


def test_events_and_calls_for_later_get_such_an_answer_whole(fastapi):
    event = {"version": "2.0", "rawPath": "/large", "requestContext": {"http": {"method": "GET", "path": "/large"}}}
    # As large as Lambda would take it, and larger.
    invoked = lambda_client(fastapi.platform.url).invoke(FunctionName=fastapi.name, Payload=json.dumps(event))
    assert len(json.loads(invoked["Payload"].read())["body"]) == 40_000_000, "in base64"


def test_an_instance_ends_its_answers_before_it_stops(platform, code):
    """A new version takes over in the middle of one."""
    settings = {**SETTINGS, "max_instances": 2}
    function = code("stream-stop", APP, WEB, **settings)
    with asked(function, "/events") as answer, ThreadPoolExecutor() as pool:
        pieces = answer.iter_text()
        assert next(pieces) == "data: first\n\n"
        old = f"{function.path}:1"
        code("stream-stop", APP + "\n# again\n", WEB, **settings)
        assert pool.submit(function.platform.http.post, f"{old}/go").result().status_code == 200
        assert list(pieces) == ["data: second\n\n"]


# -- websockets ----


def test_a_websocket_answers_each_message_in_its_kind(talker):
    with connect(url(talker, "/echo"), subprotocols=["a", "b"]) as ws:
        assert (ws.subprotocol, ws.response.headers["x-mine"]) == ("b", "1")
        for message in ("é", b"\x00\xff", "", "x" * 200_000, os.urandom(300_000)):
            ws.send(message)
            assert ws.recv(timeout=60) == message
        ws.ping().wait(60)
        call = ws.response.headers["x-modelet-invocation"]
        eventually(lambda: sum(one["in_flight"] for one in talker.instances()) == 1, what="it has a place")
    row = record(talker, call)
    assert (row["status"], row["outcome"]) == (101, "ok")
    assert row["response_bytes"] > 300_000
    eventually(lambda: "closed 1000" in talker.platform.http.get(f"{talker.path}/seen").json(), what="it has heard")


def test_several_websockets_and_requests_are_there_together(talker):
    with connect(url(talker, "/echo")) as one, connect(url(talker, "/echo")) as two:
        for ws, word in ((one, "one"), (two, "two"), (one, "three")):
            ws.send(word)
            assert ws.recv(timeout=60) == word
        assert talker.platform.http.get(f"{talker.path}/length").text == "whole"


@pytest.mark.parametrize(("word", "closed_with"), [("end", 4000), ("raise", 1011)])
def test_a_websocket_that_the_application_ends_says_why(talker, word, closed_with):
    with connect(url(talker, "/echo")) as ws:
        ws.send(word)
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(timeout=60)
    # uvicorn breaks off without a word where the application fails.
    assert closed.value.rcvd.code == closed_with if closed.value.rcvd else (talker.name, word) == ("stream-program", "raise")
    if word == "raise":
        eventually(lambda: lines(talker, "broken in a websocket"), what="the log says why")


def test_a_websocket_that_is_refused_or_asked_of_what_has_none_is_a_plain_answer(talker, function):
    with pytest.raises(InvalidStatus) as refused, connect(url(talker, "/closed")):
        pass
    assert refused.value.response.status_code == 403
    assert refused.value.response.headers["x-modelet-invocation"]
    with pytest.raises(InvalidStatus) as refused, connect(url(function("iris-matrix"), "")):
        pass
    assert refused.value.response.status_code in (200, 404, 405)


def test_a_client_that_breaks_a_websocket_off_frees_its_place(talker):
    with connect(url(talker, "/echo")) as ws:
        ws.send("hello")
        assert ws.recv(timeout=60) == "hello"
        # Without a word.
        ws.socket.shutdown(socket.SHUT_RDWR)
    eventually(lambda: sum(one["in_flight"] for one in talker.instances()) == 0, what="its place is free")
    eventually(
        lambda: any(f"closed {code}" in talker.platform.http.get(f"{talker.path}/seen").json() for code in (1005, 1006)),
        what="the application has heard",
    )


def test_the_deadline_of_a_call_ends_a_websocket(platform, code):
    function = code("stream-socket-deadline", APP, WEB, concurrency=2, request_timeout_ms=1500, max_instances=1)
    with connect(url(function, "/echo")) as ws, pytest.raises(ConnectionClosed):
        ws.recv(timeout=60)
    row = record(function, ws.response.headers["x-modelet-invocation"])
    assert row["code"] == "request-timeout"


# -- what must not happen ----

STUBBORN = """\
import time
from flask import Flask, Response
app = Flask(__name__)

@app.get("/stubborn")
def stubborn():
    def made():
        yield b"begun"
        time.sleep(2)
        yield b"more"
        yield b"never"
    return Response(made())

@app.get("/raises")
def raises():
    def made():
        yield b"begun"
        raise ValueError("in the middle")
    return Response(made())

@app.get("/ok")
def ok():
    return "ok"
"""
ODD = """\
import asyncio

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        if scope["path"].endswith("/busy"):
            await asyncio.sleep(3600)
        message = await receive()
        return await send({"type": "websocket.close", **eval(message["text"])})
    status, value = {"/odd": (101, b"1"), "/odder": (70000, b"1")}.get(scope["path"].removeprefix(scope["root_path"]), (200, b"1"))
    await send({"type": "http.response.start", "status": status, "headers": [(b"x", value)]})
    await send({"type": "http.response.body", "body": b"ok"})
"""


def test_a_place_is_taken_until_the_code_has_ended_whose_client_left(code):
    """With one call at a time the next one has an instance of its own, or waits for this one: it never pays for it."""
    function = code("stream-stubborn", STUBBORN, WEB, concurrency=1, max_instances=1)
    with asked(function, "/stubborn") as answer:
        assert next(answer.iter_text()) == "begun"
    after = function.platform.http.get(f"{function.path}/ok", timeout=60)
    assert after.text == "ok"
    left, waited = record(function, answer.headers["x-modelet-invocation"]), record(function, after.headers["x-modelet-invocation"])
    assert (left["status"], left["outcome"]) == (499, "cancelled")
    assert left["billed_ms"] >= 1_900, "as long as it worked"
    assert waited["billed_ms"] < 1_000
    assert waited["phases"]["queue_ms"] > 1_000


def test_a_function_that_fails_in_the_middle_has_failed_and_not_its_instance(code):
    function = code("stream-stubborn", STUBBORN, WEB, concurrency=1, max_instances=1)
    with asked(function, "/raises") as answer, pytest.raises(httpx.RemoteProtocolError):
        list(answer.iter_text())
    row = record(function, answer.headers["x-modelet-invocation"])
    assert (row["outcome"], row["code"]) == ("function_error", "handler-failed")
    assert row["billed_ms"] > 0


def test_what_no_frame_can_hold_fails_its_own_websocket_alone(code):
    function = code("stream-odd", ODD, manifest={"handler": "app.app", "python": {"interface": "asgi"}}, **SETTINGS)
    for said, expected in (
        ({"code": 4001, "reason": "é" * 200}, (4001, "é" * 61)),
        ({"code": 100_000}, (1011, "")),
        ({"code": 1005}, (1011, "")),
        ({"code": 3000, "reason": "\ud800"}, (3000, "?")),
    ):
        with connect(url(function, "/")) as ws:
            ws.send(repr(said))
            with pytest.raises(ConnectionClosed) as closed:
                ws.recv(timeout=60)
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == expected
    for path in ("/odd", "/odder"):
        assert function.platform.http.get(f"{function.path}{path}").status_code == 500
    assert function.platform.http.get(f"{function.path}/even").text == "ok"
    assert len({row["instance"] for row in records(function) if row.get("instance")}) == 1, "the instance stays"


def test_a_client_that_says_more_than_is_taken_waits_and_is_closed_in_the_end(code):
    function = code("stream-odd", ODD, manifest={"handler": "app.app", "python": {"interface": "asgi"}}, **SETTINGS)
    with connect(url(function, "/busy"), max_size=None) as ws, pytest.raises(ConnectionClosed) as closed:
        for _ in range(200):
            ws.send(b"x" * (1 << 20))
        ws.recv(timeout=60)
    assert closed.value.rcvd.code == 1008
    assert function.platform.http.get(f"{function.path}/even").text == "ok"


def test_an_old_client_gets_a_stream_too(fastapi):
    """HTTP/1.0, as nginx speaks it if nobody says anything else: the end of the connection ends the answer."""
    with socket.create_connection((httpx.URL(fastapi.platform.url).host, httpx.URL(fastapi.platform.url).port)) as client:
        client.sendall(f"GET {fastapi.path}/large HTTP/1.0\r\nhost: localhost\r\n\r\n".encode())
        received = b"".join(iter(lambda: client.recv(1 << 16), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert len(body) == 30_000_000
