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
