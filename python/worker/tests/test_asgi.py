"""Applications of ASGI: what they see, calls in flight together, and their lifespan."""

from __future__ import annotations

import time

import pytest
import runtime

SEEN = """
    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            raise ValueError("not known here")
        request = await receive()
        await send({"type": "http.response.start", "status": 207, "headers": [(b"x-a", b"1"), (b"x-a", b"2")]})
        await send({"type": "http.response.body", "body": repr(scope).encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b"|" + repr(request).encode()})
        assert await receive() == {"type": "http.disconnect"}
        print("over")
"""


def test_an_application_sees_the_request(start):
    worker = start(SEEN, "asgi", function="app")
    answer = worker.http(path="/caf%C3%A9", query="q=%20", body=b"\x00", headers=[("Host", "a.example"), ("X-Y", "é")])
    assert (answer.header["status"], answer.header["headers"]) == (207, [["x-a", "1"], ["x-a", "2"]])
    scope, request = map(eval, answer.body.decode().split("|"))
    assert request == {"type": "http.request", "body": b"\x00", "more_body": False}
    expected = {
        "type": "http",
        "method": "POST",
        "path": "/café",
        "raw_path": b"/caf%C3%A9",
        "query_string": b"q=%20",
        "root_path": "",
        "headers": [(b"host", b"a.example"), (b"x-y", b"\xe9")],
        "client": None,
        "server": ("a.example", 80),
    }
    assert {key: scope[key] for key in expected} == expected
    worker.http()
    assert [(one["invocation"], one["message"]) for one in worker.records()] == [("call-1", "over"), ("call-2", "over")]


FASTAPI = """
    import asyncio
    import contextlib
    import pathlib
    import threading

    import fastapi
    import pydantic

    here = pathlib.Path(__file__).parent
    together = asyncio.Event()
    waiting = []


    @contextlib.asynccontextmanager
    async def lifespan(app):
        yield {"model": "loaded"}
        (here / "ended").write_text("x")


    app = fastapi.FastAPI(lifespan=lifespan)


    class Item(pydantic.BaseModel):
        n: int


    @app.post("/items/{name}")
    async def item(name: str, item: Item, request: fastapi.Request):
        return {"name": name, "n": item.n, "model": request.state.model}


    @app.get("/together")
    async def wait(background: fastapi.BackgroundTasks):
        waiting.append(1)
        background.add_task(print, "behind the answer")
        if len(waiting) == 3:
            together.set()
        await asyncio.wait_for(together.wait(), 30)
        return len(waiting)


    @app.get("/thread")
    def thread():
        print("in a thread")
        return threading.current_thread() is not threading.main_thread()


    @app.get("/slow")
    async def slow():
        (here / "began").write_text("x")
        await asyncio.sleep(0.3)
        return "done"


    @app.get("/fail")
    async def fail():
        raise KeyError("data")
"""


def test_fastapi_answers(start):
    worker = start(FASTAPI, "asgi", function="app")
    headers = [("content-type", "application/json")]
    answer = worker.http(path="/items/a", body=b'{"n": 1}', headers=headers)
    assert answer.json == {"name": "a", "n": 1, "model": "loaded"}
    assert worker.http(path="/items/a", body=b"{}", headers=headers).header["status"] == 422
    assert worker.http("GET", "/openapi.json").json["info"]["title"] == "FastAPI"
    assert worker.http("GET", "/thread").json is True
    records = worker.records()
    assert [(one["invocation"], one["message"]) for one in records] == [("call-4", "in a thread")]


def test_calls_are_in_flight_together_and_answered_as_they_are_done(start):
    worker = start(FASTAPI, "asgi", function="app")
    numbers = [worker.ask("http", method="GET", path="/together", query="", headers=[]) for _ in range(3)]
    answers = [worker.receive() for _ in numbers]
    assert sorted(one.header["call"] for one in answers) == numbers
    assert [one.json for one in answers] == [3, 3, 3]
    behind = [one for one in worker.records() if one["message"] == "behind the answer"]
    assert sorted(one["invocation"] for one in behind) == ["call-1", "call-2", "call-3"]


def test_an_application_that_fails_answers_what_it_made_of_it_and_the_log_has_why(start):
    worker = start(FASTAPI, "asgi", function="app")
    answer = worker.http("GET", "/fail")
    assert (answer.header["status"], answer.body) == (500, b"Internal Server Error")
    assert worker.http("GET", "/thread").json is True
    failure = next(one for one in worker.records() if one["level"] == "ERROR")
    assert failure["invocation"] == "call-1"
    assert failure["message"].startswith("KeyError: 'data'\nTraceback")


def test_the_lifespan_ends_when_the_runtime_closes(start, write):
    folder = write(FASTAPI)
    worker = start(folder, "asgi", function="app")
    assert not (folder / "ended").exists()
    assert worker.end()[0] == 0
    assert (folder / "ended").exists()


def test_sigterm_waits_for_the_calls_in_flight(start, write):
    folder = write(FASTAPI)
    worker = start(folder, "asgi", function="app")
    worker.ask("http", method="GET", path="/slow", query="", headers=[])
    deadline = time.monotonic() + runtime.PATIENCE_S
    while not (folder / "began").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    worker.terminate()
    assert worker.receive().json == "done"
    assert worker.process.wait(runtime.PATIENCE_S) == 0
    assert (folder / "ended").exists()


def test_an_application_that_ends_python_is_told_and_ends_it(start, write):
    folder = write(FASTAPI + "\n\n    @app.get('/end')\n    async def end():\n        raise SystemExit(3)\n")
    worker = start(folder, "asgi", function="app")
    error = worker.http("GET", "/end").error
    assert (error["type"], error["message"]) == ("Runtime.ExitError", "the handler ended Python: exit code 3")
    assert worker.process.wait(runtime.PATIENCE_S) == 3
    assert (folder / "ended").exists()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise KeyError('data')", "'data'"),
        ("return", "returned before its answer was whole"),
        ("await send({'type': 'http.response.start', 'status': 200})", "returned before its answer was whole"),
        ("await send({'type': 'http.response.body'})", "'http.response.body' has no place here"),
        ("await send({'type': 'websocket.accept'})", "'websocket.accept' has no place here"),
        (
            "await send({'type': 'http.response.start', 'status': b'2'}); await send({'type': 'http.response.body'})",
            "bytes",
        ),
    ],
)
def test_a_call_that_is_not_answered_is_an_error(start, body, words):
    code = f"async def app(scope, receive, send):\n    if scope['type'] == 'lifespan': return\n    {body}"
    worker = start(code, "asgi", function="app")
    for _ in range(2):
        assert words in worker.http().error["message"]


def test_a_startup_that_fails_is_a_start_that_fails(start):
    code = """
        import contextlib, fastapi


        @contextlib.asynccontextmanager
        async def lifespan(app):
            raise ValueError("no model here")
            yield


        app = fastapi.FastAPI(lifespan=lifespan)
    """
    failed = start(code, "asgi", function="app").started["failed"]
    assert "the application's startup failed" in failed["message"]
    assert "no model here" in failed["message"]


STREAMS = """
    import asyncio

    seen = []


    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            return
        path = scope["path"]
        if path == "/seen":
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": repr(seen).encode()})
            return
        length = [(b"Content-Length", b"6")] if path == "/length" else []
        await send({"type": "http.response.start", "status": 200, "headers": [(b"X-A", b"1"), *length]})
        if path == "/endless":
            await endless(receive, send)
        for piece in (b"", b"one", b"two"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            if path == "/fail" and piece:
                raise KeyError("data")
        await send({"type": "http.response.body", "body": b""})


    async def endless(receive, send):
        async def listen():
            await receive()
            seen.append((await receive())["type"])

        left = asyncio.create_task(listen())
        while not left.done():
            await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
            await asyncio.sleep(0)
"""


def test_an_answer_without_a_length_is_sent_while_it_is_made(start):
    worker = start(STREAMS, "asgi", function="app")
    answer = worker.http()
    assert (answer.header["status"], answer.headers) == (200, {"x-a": "1"})
    assert answer.pieces == [b"", b"one", b"two", b""], "its head at once"
    answer = worker.http(path="/fail")
    assert (answer.body, answer.error["type"]) == (b"one", "KeyError")
    answer = worker.http(path="/length")
    assert (answer.body, answer.pieces, answer.headers["content-length"]) == (b"onetwo", None, "6")


def test_an_application_waits_while_nobody_takes_its_answer_and_hears_that_nobody_wants_it(start):
    worker = start(STREAMS, "asgi", function="app")
    number = worker.ask_http(path="/endless")
    for _ in range(3):
        assert worker.receive().header["more"]
    worker.pause(number)
    assert worker.http(path="/seen").body == b"[]", "others are answered meanwhile"
    worker.control(number, "resume")
    assert worker.receive().header["more"]
    worker.control(number, "cancel")
    left = worker.ask_http(path="/seen")
    while (answer := worker.receive()).header["call"] != left:
        assert answer.header["call"] == number
    assert answer.body == b"['http.disconnect']"


SOCKETS = """
    closed = []


    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            return
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": repr(closed).encode()})
            return
        assert (await receive()) == {"type": "websocket.connect"}
        if scope["path"] == "/refuse":
            return await send({"type": "websocket.close"})
        if scope["path"] == "/return":
            return
        if scope["path"] == "/raise":
            raise KeyError("data")
        await send({"type": "websocket.accept", "subprotocol": (scope["subprotocols"] or [None])[-1], "headers": [(b"X-A", b"1")]})
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                closed.append((message["code"], message["reason"]))
                return
            if message.get("text") == "raise":
                raise KeyError("data")
            if message.get("text") == "return":
                return
            if message.get("text") == "close":
                return await send({"type": "websocket.close", "code": 3001, "reason": "enough"})
            await send({**message, "type": "websocket.send"})
"""


def opened(worker, path="/", headers=()):
    number = worker.ask_http(path=path, headers=headers, form="websocket")
    return number, worker.receive()


def test_a_websocket_is_accepted_and_answers_each_message_in_its_kind(start):
    worker = start(SOCKETS, "asgi", function="app")
    number, answer = opened(worker, headers=[("Sec-WebSocket-Protocol", "a, b")])
    assert (answer.header["status"], answer.headers) == (101, {"x-a": "1", "sec-websocket-protocol": "b"})
    other, _ = opened(worker)
    for call, text, body in ((number, True, "é".encode()), (other, False, b"\x00\xff"), (number, True, b"")):
        worker.control(call, "message", body, text=text)
        answer = worker.receive()
        assert (answer.header, answer.body) == ({"call": call, "text": text, "more": True}, body)
    worker.control(number, "closed", code=1001, reason="gone")
    worker.control(other, "cancel")
    assert worker.http(path="/closed").body in (b"[(1001, 'gone'), (1006, '')]",)


@pytest.mark.parametrize(("word", "close"), [("close", [3001, "enough"]), ("return", [1000, ""])])
def test_a_websocket_that_the_application_ends_is_closed(start, word, close):
    worker = start(SOCKETS, "asgi", function="app")
    number, _ = opened(worker)
    worker.control(number, "message", word.encode(), text=True)
    assert worker.receive().header == {"call": number, "close": close}


def test_a_websocket_that_is_not_accepted_is_refused(start):
    worker = start(SOCKETS, "asgi", function="app")
    assert opened(worker, "/refuse")[1].header["status"] == 403
    assert "neither accepted" in opened(worker, "/return")[1].error["message"]
    assert opened(worker, "/raise")[1].error["type"] == "KeyError"
    number, _ = opened(worker)
    worker.control(number, "message", b"raise", text=True)
    assert worker.receive().error["type"] == "KeyError"


def test_what_an_application_does_not_take_has_a_limit(start):
    worker = start(
        """
        import asyncio

        async def app(scope, receive, send):
            if scope["type"] == "websocket":
                await send({"type": "websocket.accept"})
                await asyncio.sleep(3600)
        """,
        "asgi",
        function="app",
    )
    number, _ = opened(worker)
    for _ in range(17):
        worker.control(number, "message", bytes(1 << 20), text=False)
    answer = worker.receive()
    assert answer.header == {"call": number, "close": [1008, "the application does not take what is sent"]}
    worker.process.kill()


def test_an_application_that_never_waits_hears_that_nobody_wants_more(start):
    worker = start(STREAMS.replace("await asyncio.sleep(0)", "pass"), "asgi", function="app")
    number = worker.ask_http(path="/endless")
    assert worker.receive().header["more"]
    seen = worker.ask_http(path="/seen")
    while worker.receive().header["call"] != seen:
        pass
    worker.control(number, "cancel")
    seen = worker.ask_http(path="/seen")
    while (answer := worker.receive()).header["call"] != seen:
        assert answer.header["call"] == number
    assert answer.body == b"['http.disconnect']"


def test_a_message_may_be_larger_than_what_may_wait(start):
    worker = start(SOCKETS, "asgi", function="app")
    number, _ = opened(worker)
    worker.control(number, "message", bytes(20 << 20), text=False)
    answer = worker.receive()
    assert (answer.header.get("close"), len(answer.body)) == (None, 20 << 20)
    worker.control(number, "cancel")


def test_what_is_said_at_once_of_a_call_is_heard(start):
    worker = start(STREAMS, "asgi", function="app")
    number = worker.ask_http(path="/endless")
    worker.control(number, "cancel")
    said = b""
    while said != b"['http.disconnect']":
        seen = worker.ask_http(path="/seen")
        while (answer := worker.receive()).header["call"] != seen:
            assert answer.header["call"] == number
        said = answer.body
