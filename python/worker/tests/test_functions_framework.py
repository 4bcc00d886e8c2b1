"""Functions of functions-framework, beside its own server on the same code: byte for byte."""

from __future__ import annotations

import json

import pytest
from peers import FunctionsFramework
from proofs import FUNCTIONS_FRAMEWORK, proof

#: What belongs to a server and its connection, and not to a function's answer.
OF_THE_SERVER = {"server", "date", "connection", "transfer-encoding", "content-length"}

CODE = """
    import flask
    import functions_framework


    @functions_framework.http
    def on_http(request):
        if request.path == "/fail":
            raise ValueError("no such thing: é")
        if request.path == "/tuple":
            return "made", 201, {"X-A": "b"}
        if request.path == "/none":
            return None
        if request.path == "/stream":
            return flask.Response((f"{n};" for n in range(3)), mimetype="text/csv")
        return {"path": request.path, "args": request.args.to_dict(), "method": request.method, "body":
        request.get_data(as_text=True)}


    @functions_framework.cloud_event
    def on_event(event):
        if event["type"] == "fail":
            raise KeyError("data")
        print(event["id"], event["source"], event.data)


    def background(data, context):
        print(data, context.event_id)


    @functions_framework.typed(dict)
    def unused(value):
        return value
"""
CODE = CODE.split("    @functions_framework.typed", maxsplit=1)[0]

BINARY = {
    "ce-specversion": "1.0",
    "ce-id": "777",
    "ce-type": "google.cloud.storage.object.v1.finalized",
    "ce-source": "//storage.googleapis.com/projects/_/buckets/up",
    "ce-subject": "objects/in/a.csv",
    "content-type": "application/json",
}
STRUCTURED = {"specversion": "1.0", "id": "778", "type": "t", "source": "//s", "data": {"name": "a b"}}
BACKGROUND = {"eventId": "5", "timestamp": "2026-01-01T00:00:00Z", "eventType": "t", "resource": "r"}
JSON = {"content-type": "application/json"}

CASES = {
    "a get": ("on_http", "http", "GET", "/a/b?x=1&y=%C3%A9", b"", {}),
    "a post": ("on_http", "http", "POST", "/", b'{"n": 1}', JSON),
    "a put": ("on_http", "http", "PUT", "/x", b"\xc3\xa9", {"content-type": "text/plain"}),
    "a tuple": ("on_http", "http", "GET", "/tuple", b"", {}),
    "a stream": ("on_http", "http", "GET", "/stream", b"", {}),
    "robots": ("on_http", "http", "GET", "/robots.txt", b"", {}),
    "an error": ("on_http", "http", "GET", "/fail", b"", {}),
    "none": ("on_http", "http", "GET", "/none", b"", {}),
    "binary": ("on_event", "cloudevent", "POST", "/", b'{"bucket": "up", "name": "in/a.csv"}', BINARY),
    "structured": (
        "on_event",
        "cloudevent",
        "POST",
        "/",
        json.dumps(STRUCTURED).encode(),
        {"content-type": "application/cloudevents+json"},
    ),
    "no event": ("on_event", "cloudevent", "POST", "/", b'{"a": 1}', JSON),
    "an event got": ("on_event", "cloudevent", "GET", "/", b"", {}),
    "an event that fails": ("on_event", "cloudevent", "POST", "/", b"{}", {**BINARY, "ce-type": "fail"}),
    "a background event": (
        "background",
        "event",
        "POST",
        "/",
        json.dumps({"context": BACKGROUND, "data": {"a": 1}}).encode(),
        JSON,
    ),
}


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """The framework's own servers, one for each function."""
    import textwrap

    folder = tmp_path_factory.mktemp("framework")
    (folder / "app.py").write_text(textwrap.dedent(CODE))
    running = {}

    def server(function, signature_type):
        if function not in running:
            running[function] = FunctionsFramework(folder, function, signature_type)
        return running[function]

    yield server
    for one in running.values():
        one.end()


@proof("Cloud Run and Cloud Functions", "functions answer as under functions-framework", FUNCTIONS_FRAMEWORK)
@pytest.mark.parametrize("case", CASES)
def test_a_function_answers_as_under_its_own_server(start, servers, case):
    function, signature_type, method, target, body, headers = CASES[case]
    server = servers(function, signature_type)
    status, theirs, text = server.ask(method, target, body, headers)
    worker = start(CODE, "functions_framework", function=function, signature_type=signature_type)
    path, _, query = target.partition("?")
    sent = {
        **headers,
        "host": f"127.0.0.1:{server.port}",
        "accept-encoding": "identity",
        "user-agent": "Python-urllib/3.11",
    }
    sent |= {"content-length": str(len(body)), "connection": "close"} if body else {"connection": "close"}
    answer = worker.http(method, path, body, list(sent.items()), query)
    assert answer.header["status"] == status
    if case != "no event":  # it tells the headers that came, in their order
        assert answer.body == text
    kept = {name: value for name, value in theirs.items() if name not in OF_THE_SERVER}
    assert {name: value for name, value in answer.headers.items() if name not in OF_THE_SERVER} == kept


def test_the_signature_type_may_be_left_to_the_function(start):
    worker = start(CODE, "functions_framework", function="on_event")
    assert worker.http(body=b'{"a": 1}', headers=list(BINARY.items())).body == b"OK"
    assert [one["message"] for one in worker.records()] == [
        "777 //storage.googleapis.com/projects/_/buckets/up {'a': 1}"
    ]


def test_a_function_that_is_async_is_answered_too(start):
    code = """
        import functions_framework.aio


        @functions_framework.aio.http
        async def on_http(request):
            return {"body": (await request.body()).decode()}
    """
    assert start(code, "functions_framework", function="on_http").http(body=b"x").json == {"body": "x"}


def test_without_the_package_the_start_is_refused_with_what_to_do(start):
    failed = start("def f(request): pass", "functions_framework", function="f", packages=[]).started["failed"]
    assert "add `functions-framework` to requirements.txt" in failed["message"]


def test_a_package_that_is_missing_is_named_with_what_to_do(start):
    code = "import functions_framework\nimport notthere\ndef f(request): pass"
    failed = start(code, "functions_framework", function="f").started["failed"]
    assert failed["type"] == "Runtime.ImportModuleError"
    assert "No module named 'notthere' (app.py:2)" in failed["message"]
    assert "`notthere` to requirements.txt" in failed["message"]


def test_a_function_that_is_not_there_is_refused(start):
    failed = start("def f(request): pass", "functions_framework", function="g").started["failed"]
    assert "expected to contain a function named 'g'" in failed["message"]
