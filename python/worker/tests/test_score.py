"""`score.py` of Azure ML, beside Azure ML's own server on the same code: byte for byte."""

from __future__ import annotations

import textwrap

import pytest
from peers import AzureServer
from proofs import AZUREML_SERVER, proof

#: What belongs to a server and its connection, or is another one each time.
OF_THE_SERVER = {"server", "date", "connection", "content-length", "x-ms-server-version", "x-ms-run-fn-exec-ms"}
IDS = {"x-request-id": "r-1", "x-ms-client-request-id": "c-1"}

PLAIN = """
    import json
    import os

    times = 0


    def init():
        global times
        times += 1
        print("model in", os.path.basename(os.environ["AZUREML_MODEL_DIR"]))


    def run(raw_data, request_headers):
        if raw_data == "fail":
            raise KeyError("data")
        if raw_data == "none":
            return None
        if raw_data == "text":
            return "é \\u2028 \\""
        if raw_data == "object":
            return object()
        if raw_data == "flask":
            import flask

            return flask.Response("made", status=201, headers={"X-A": "b"})
        if raw_data == "flask fails":
            import flask

            return flask.Response("broken", status=503)
        return {"times": times, "raw": raw_data, "kind": type(raw_data).__name__, "x": request_headers.get("X-Shop")}
"""

RAW = """
    from azureml.contrib.services.aml_request import AMLRequest, rawhttp
    from azureml.contrib.services.aml_response import AMLResponse


    def init():
        pass


    @rawhttp
    def run(request):
        if request.method == "GET":
            return AMLResponse("got", 200, {"X-A": "b, c"})
        return AMLResponse(request.get_data()[::-1], 202)
"""

SCHEMA = """
    import numpy as np
    from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
    from inference_schema.schema_decorators import input_schema, output_schema


    def init():
        pass


    @input_schema("data", NumpyParameterType(np.array([[1.0, 2.0]])))
    @output_schema(NumpyParameterType(np.array([1.0])))
    def run(data):
        return data.sum(axis=1).tolist()
"""

CASES = {
    "health": (PLAIN, "GET", "/", b"", {}),
    "json": (PLAIN, "POST", "/score", b'{"data": [1, 2]}', {"content-type": "application/json", "x-shop": "s"}),
    "utf-8": (PLAIN, "POST", "/score", "é".encode(), {}),
    "not utf-8": (PLAIN, "POST", "/score", b"\xff", {}),
    "a query": (PLAIN, "GET", "/score?a=1&b=[1,2]&c=x&d=null&a=2&e=", b"", {}),
    "an error": (PLAIN, "POST", "/score", b"fail", {}),
    "none": (PLAIN, "POST", "/score", b"none", {}),
    "text": (PLAIN, "POST", "/score", b"text", {}),
    "a response of Flask's": (PLAIN, "POST", "/score", b"flask", {}),
    "a response of Flask's that failed": (PLAIN, "POST", "/score", b"flask fails", {}),
    "an object": (PLAIN, "POST", "/score", b"object", {}),
    "options": (PLAIN, "OPTIONS", "/score", b"", {}),
    "options of the health": (PLAIN, "OPTIONS", "/", b"", {}),
    "a head of the health": (PLAIN, "HEAD", "/", b"", {}),
    "put to the health": (PLAIN, "PUT", "/", b"x", {}),
    "put": (PLAIN, "PUT", "/score", b"x", {}),
    "elsewhere": (PLAIN, "GET", "/elsewhere", b"", {}),
    "a long identifier": (PLAIN, "POST", "/score", b"x", {"x-request-id": "r" * 101}),
    "a long client's identifier": (PLAIN, "POST", "/score", b"x", {"x-ms-client-request-id": "r" * 101}),
    "an old identifier": (PLAIN, "POST", "/score", b"x", {"x-ms-request-id": "old", "x-ms-client-request-id": ""}),
    "raw": (RAW, "POST", "/score", b"\x00ab", {}),
    "raw got": (RAW, "GET", "/score?x=1", b"", {}),
    "a schema": (SCHEMA, "POST", "/score", b'{"data": [[1, 2], [3, 4]]}', {"content-type": "application/json"}),
    "no schema": (SCHEMA, "POST", "/score", b'{"x": 1}', {"content-type": "application/json"}),
    "a schema without its type": (SCHEMA, "POST", "/score", b'{"data": [[1, 2]]}', {}),
}


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """Azure ML's servers, one for each script."""
    running = {}

    def server(code):
        if code not in running:
            folder = tmp_path_factory.mktemp("azure")
            (folder / "app.py").write_text(textwrap.dedent(code))
            running[code] = AzureServer(folder)
        return running[code]

    yield server
    for one in running.values():
        one.end()


@proof("Azure Machine Learning", "score.py answers as under Azure's own server", AZUREML_SERVER)
@pytest.mark.parametrize("case", CASES)
def test_a_script_answers_as_under_its_own_server(start, servers, case):
    code, method, target, body, headers = CASES[case]
    headers = {**IDS, "content-type": "text/plain", **headers}
    status, theirs, text = servers(code).ask(method, target, body, headers)
    worker = start(code, "score", function="run")
    path, _, query = target.partition("?")
    answer = worker.http(method, path, body, list(headers.items()), query)
    assert answer.header["status"] == status
    assert answer.body == text or method == "HEAD"
    kept = {name: value for name, value in theirs.items() if name not in OF_THE_SERVER | {"allow"}}
    assert {name: value for name, value in answer.headers.items() if name not in OF_THE_SERVER} == kept
    assert ("x-ms-run-fn-exec-ms" in theirs) == ("x-ms-run-fn-exec-ms" in answer.headers)


def test_the_function_itself_is_scored(start):
    assert start(PLAIN, "score").http(path="/", body=b"none").body == b"{}"
    assert start(RAW, "score").http(path="/", body=b"ab").body == b"ba"


def test_init_runs_once_and_its_folder_is_the_models(start):
    worker = start(PLAIN, "score")
    assert [worker.http(body=b"x").json["times"] for _ in range(3)] == [1, 1, 1]
    assert [one["message"] for one in worker.records()] == ["model in handler"]


def test_an_error_is_in_the_log_with_its_trace(start):
    worker = start(PLAIN, "score")
    worker.http(body=b"fail")
    record = worker.records()[-1]
    assert record["invocation"] == "call-1"
    assert record["message"].startswith("KeyError: 'data'\nTraceback")


NUMBERS = """
    import numpy as np

    def init(): pass

    def run(data):
        return {"p": np.float32(1), "v": np.array([1.0, np.nan])}
"""


def test_numbers_of_numpy_are_answered_where_the_server_would_fail(start):
    assert start(NUMBERS, "score").http().json == {"p": 1.0, "v": [1.0, None]}


def test_in_strict_mode_they_fail_as_under_the_server(start):
    answer = start(NUMBERS, "score", options={"strict": True}).http()
    assert (answer.header["status"], answer.json) == (
        500,
        {"message": "An unexpected internal error occurred. Check the logs for more info."},
    )


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def run(x): pass", "Handler 'init' missing"),
        ("def init(): pass", "Handler 'run' missing"),
        ("def init(): pass\ndef run(): pass", "run() needs to accept an argument for input data."),
        ("def init(): pass\ndef run(request_headers): pass", 'other than "request_headers"'),
        (
            "def init(): pass\ndef run(*data): pass",
            "run() cannot accept positional-only arguments, *args, or **kwargs.",
        ),
        ("def init(): 1 / 0\ndef run(x): pass", "division by zero"),
    ],
)
def test_a_script_that_cannot_be_served_is_refused(start, code, words):
    assert words in start(code, "score").started["failed"]["message"]


def test_what_only_the_server_answers_is_refused_without_it(start):
    failed = start(RAW, "score", packages=[]).started["failed"]
    assert "add `azureml-inference-server-http` to requirements.txt" in failed["message"]
