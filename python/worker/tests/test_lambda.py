"""Handlers of AWS Lambda, beside AWS' own client for Python under AWS' own emulator."""

from __future__ import annotations

import json
import re

import pytest
from proofs import RIC, proof

ECHO = """
    def lambda_handler(event, context):
        return event
"""

FAILING = """
    class Sold(Exception):
        pass


    def inner(event):
        if event == "key":
            return {}["data"]
        if event == "own":
            raise Sold("out", 3)
        if event == "silent":
            raise ValueError
        if event == "chained":
            try:
                1 / 0
            except ZeroDivisionError as error:
                raise RuntimeError("both") from error
        if event == "result":
            return {"o": object()}
        if event == "key of a tuple":
            return {(1, 2): 3}
        return event


    def lambda_handler(event, context):
        return inner(event)
"""


def test_an_event_comes_as_the_client_wrote_it_and_the_result_goes_back(start):
    worker = start(ECHO)
    for event in ({"data": [[1, 2.5, "é", None, True]]}, [], "text", 7, None, 10**30, 0.1, "\U0001f600"):
        answer = worker.event(event)
        cpu_ms = answer.header.pop("cpu_ms")
        assert answer.header == {"call": worker.calls, "event": True}
        assert 0 <= cpu_ms < 1_000
        assert answer.json == event


def test_none_is_null(start):
    assert start("def lambda_handler(event, context): pass").event({}).body == b"null"


@proof("AWS Lambda", "handlers in Python do what they do under AWS' own client", RIC)
def test_bytes_are_the_answer_as_they_are(start, emulator):
    code = """
        def lambda_handler(event, context):
            return b"\\x00raw\\xff"
    """
    assert start(code).event({}).body == emulator(code).event(b"{}") == b"\x00raw\xff"


@proof("AWS Lambda", "handlers in Python do what they do under AWS' own client", RIC)
def test_errors_are_those_of_the_cloud(start, emulator):
    """Type, message and lines of the trace, and the call behind an error is answered as if nothing had been."""
    worker, cloud = start(FAILING), emulator(FAILING)
    for event in ("key", "own", "silent", "chained"):
        theirs = json.loads(cloud.event(json.dumps(event).encode()))
        ours = worker.event(event).error
        assert ours == {"type": theirs["errorType"], "message": theirs["errorMessage"], "stack": theirs["stackTrace"]}
        assert worker.event("fine").json == "fine"


@proof("AWS Lambda", "handlers in Python do what they do under AWS' own client", RIC)
def test_in_strict_mode_results_that_the_cloud_refuses_are_refused_in_its_words(start, emulator):
    worker, cloud = start(FAILING, options={"strict": True}), emulator(FAILING)
    for event in ("result", "key of a tuple"):
        theirs = json.loads(cloud.event(json.dumps(event).encode()))
        ours = worker.event(event).error
        assert ours == {"type": theirs["errorType"], "message": theirs["errorMessage"], "stack": []}
        assert theirs["stackTrace"] == []


def test_a_result_without_a_form_is_an_error_that_names_its_place(start):
    error = start(FAILING).event("result").error
    assert error["type"] == "Runtime.MarshalError"
    text = 'Unable to marshal response: Object of type object is not JSON serializable (at result["o"])'
    assert error["message"] == text


@pytest.mark.parametrize("body", [b"{", b"", b"[1,]", b"NaN", b"\xff", b"[" * 100_000, b'{"a": 1} x'])
def test_an_event_that_is_no_json_is_an_error_of_the_call_alone(start, body):
    worker = start(ECHO)
    error = worker.event(body).error
    assert error["type"] == "Runtime.UnmarshalError"
    assert error["message"].startswith("Unable to unmarshal input: ")
    assert worker.event(1).json == 1


def test_an_event_that_is_no_json_is_refused_by_the_cloud_in_the_same_words(start, emulator):
    theirs = json.loads(emulator(ECHO).event(b"[1, x]"))
    ours = start(ECHO).event(b"[1, x]").error
    assert (ours["type"], ours["message"]) == (theirs["errorType"], theirs["errorMessage"])


CONTEXT = """
    def shown(value):
        return {name: repr(getattr(value, name)) for name in dir(value) if not name.startswith("_")}


    def lambda_handler(event, context):
        left = context.get_remaining_time_in_millis()
        assert isinstance(left, int) and 0 < left <= 30_000, left
        client = context.client_context
        return {
            "names": sorted(name for name in dir(context) if not name.startswith("_")),
            "repr": repr(context),
            "identity": shown(context.identity),
            "client": client and [client.custom, client.env, shown(client.client)],
            "w3c": context.w3c(),
        }
"""


@proof("AWS Lambda", "handlers in Python do what they do under AWS' own client", RIC)
def test_the_context_has_what_the_clouds_has(start, emulator):
    theirs = json.loads(emulator(CONTEXT).event(b"{}"))
    ours = start(CONTEXT).event({}).json
    assert ours["names"] == theirs["names"]
    assert ours["identity"] == theirs["identity"]
    names = r"(\w+)="
    assert re.findall(names, ours["repr"]) == re.findall(names, theirs["repr"])
    for part in ("function_name=churn", "memory_limit_in_mb=512", "function_version=3", "aws_request_id=call-1"):
        assert part in ours["repr"]


@pytest.mark.parametrize("form", [json.dumps, lambda value: value])
def test_what_a_client_sends_along_is_in_the_context(start, form):
    client = {
        "custom": {"a": 1},
        "env": {"b": 2},
        "client": {"app_title": "shop"},
        "w3c": {"traceparent": "00-1", "x": 1},
    }
    identity = {"cognitoIdentityId": "me", "cognitoIdentityPoolId": "pool"}
    found = start(CONTEXT).event({}, client_context=form(client), identity=form(identity)).json
    assert found["client"][:2] == [{"a": 1}, {"b": 2}]
    assert found["client"][2]["app_title"] == "'shop'"
    assert found["identity"]["cognito_identity_id"] == "'me'"
    assert found["w3c"] == {"traceparent": "00-1"}


def test_the_time_that_is_left_ends_at_zero(start):
    code = "def lambda_handler(event, context): return context.get_remaining_time_in_millis()"
    assert start(code).event({}, deadline_ms=1).json == 0


def test_the_environment_says_which_function_this_is(start):
    code = """
        import os

        def lambda_handler(event, context):
            return {name: os.environ.get(name) for name in event}
    """
    worker = start(code)
    names = ["AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "_HANDLER"]
    found = worker.event([*names, "_X_AMZN_TRACE_ID", "AWS_REGION"], trace="Root=1-5").json
    assert list(found.values()) == ["churn", "3", "512", "app.lambda_handler", "Root=1-5", None]
    assert worker.event(["_X_AMZN_TRACE_ID"]).json == {"_X_AMZN_TRACE_ID": None}


def test_modules_are_imported_once(start, write):
    folder = write(
        "import counted\ndef lambda_handler(event, context): return counted.times",
        counted="times = []\ntimes.append(1)",
    )
    worker = start(folder)
    assert [worker.event({}).json for _ in range(10)] == [[1]] * 10


def test_times_of_imports_are_told_by_package_without_what_each_imports(start, write):
    folder = write(
        "import slow, json\ndef lambda_handler(event, context): pass",
        slow="import time, inner\ntime.sleep(0.05)",
        inner="import time\ntime.sleep(0.2)",
    )
    ready = start(folder).started["ready"]
    assert 200 <= ready["imports_ms"]["inner"] < 250
    assert 50 <= ready["imports_ms"]["slow"] < 100
    assert len(ready["imports_ms"]) <= 8
    assert ready["took_ms"] >= 250
