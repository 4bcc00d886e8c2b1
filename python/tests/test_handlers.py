"""Functions of Lambda's shape, `handler(event, context)`, as they stand: by /fn and boto3; those that crash."""

from __future__ import annotations

import base64
import gzip
import json
import re
import time
from typing import Any

import pytest
import wire
from aws import lambda_client
from burst import at_once
from functions import SCIENCE, lines
from harness import AT_ONCE_S, Function, eventually
from test_lambda_invoke import http_event

#: Answers what the event's `expr` comes to: whatever a test wants. It asks the event for nothing that a request has.
ANYTHING = """\
import ctypes, json, math, os, sys, time

def lambda_handler(event, context):
    return eval(event["expr"])
"""


@pytest.fixture(scope="module")
def anything(code) -> Function:
    """`ANYTHING`, without packages."""
    return code("handler-anything", ANYTHING)


@pytest.fixture
def client(platform):
    """boto3's, which tries once."""
    return lambda_client(platform.url)


def invoke(client: Any, function: Function, event: object, **arguments: object) -> tuple[Any, dict]:
    """The payload of an answer, and the answer."""
    answer = client.invoke(FunctionName=function.name, Payload=json.dumps(event), **arguments)
    return wire.strict_json(answer["Payload"].read()), answer


def expr(text: str) -> dict:
    """The event that has it evaluated."""
    return {"expr": text}


# -- answers ----


def test_a_handler_answers_everybody_alike(anything, client):
    """By /fn, by boto3 and by the command line: the same value."""
    for text, value in (
        ("{'a': [1, 2.5, None, True]}", {"a": [1, 2.5, None, True]}),
        ("None", None),
        ("'text'", "text"),
        ("[]", []),
        ("10 ** 30", 10**30),
        ("event", expr("event")),
    ):
        plain = anything.post(expr(text))
        assert (plain.status_code, plain.headers["content-type"]) == (200, "application/json"), plain.text
        assert wire.strict_json(plain.content) == value
        payload, answer = invoke(client, anything, expr(text))
        assert (payload, answer["StatusCode"], answer.get("FunctionError")) == (value, 200, None)
        told = anything.platform.cli("invoke", anything.name, json.dumps(expr(text))).stdout
        assert json.loads(told) == value


def test_a_call_without_a_body_is_an_empty_event_and_one_that_is_no_json_is_refused(code, client):
    """As a call without arguments; what cannot be read says where."""
    echo = code("handler-echo", "def handler(event, context):\n    return [event]\n")
    assert echo.post(content=b"").json() == [{}]
    assert invoke(client, echo, {"a": 1})[0] == [{"a": 1}]
    answer = echo.post(content=b'{"a": 1', headers={"content-type": "application/json"})
    error = answer.json()["error"]
    assert answer.status_code == 400, answer.text
    assert error["code"] == "bad-body"
    assert "JSON" in error["message"]
    answer = echo.post(content=b"\x00\x01", headers={"content-type": "application/octet-stream"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported-media-type")
    assert 'event = "http_v2"' in answer.json()["error"]["hint"]


def test_text_beyond_ascii_is_utf8_and_not_escaped(anything, client):
    """S13: 1,000 letters of two bytes and two quotes are 2,002 bytes."""
    answer = anything.post(expr("'é' * 1000"))
    assert (len(answer.content), answer.json()) == (2_002, "é" * 1_000)
    raw = client.invoke(FunctionName=anything.name, Payload=json.dumps(expr("'é' * 1000")))["Payload"].read()
    assert raw == answer.content
    tricky = 'naïve 日本 🦀 \u2028 \x00 \\ "'
    assert anything.post({"expr": "event['t']", "t": tricky}).json() == tricky
    half = anything.post(expr(r"'\ud800'"))
    assert (half.status_code, "surrogates" in half.json()["error"]["message"]) == (500, True), (
        "half a character is no text"
    )


def test_five_megabytes_go_in_and_out(anything, client):
    """Near Lambda's own limit, by both."""
    big = "é" * (5 << 19)
    event = {"expr": "[len(event['t']), event['t']]", "t": big}
    answer = anything.post(event)
    assert answer.status_code == 200, answer.text[:300]
    assert answer.json() == [len(big), big]
    payload, answer = invoke(client, anything, {"expr": "[len(event['t']), 'x' * 5_000_000]", "t": "y" * 5_000_000})
    assert (payload, answer.get("FunctionError")) == ([5_000_000, "x" * 5_000_000], None)


def test_what_is_beyond_the_limits_is_refused_by_name(code):
    """The body before the function sees it, the answer behind it; the next call is fine."""
    small = code("handler-small", ANYTHING, body_limit_mib=1, response_limit_mib=1)
    answer = small.post({"expr": "1", "pad": "x" * (1 << 20)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body-too-large")
    answer = small.post(expr("'x' * (1 << 20)"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "response-too-large")
    assert "1048578 bytes, the limit is 1048576" in answer.json()["error"]["message"]
    assert small.post(expr("2")).json() == 2


def test_values_of_numpy_and_pandas_just_work(code, client):
    """S12: what a plain `json.dumps` raises for."""
    source = """\
import datetime, decimal
import numpy as np, pandas as pd

def lambda_handler(event, context):
    return {"p": np.float32(1.5), "y": np.int64(3), "v": np.arange(3), "b": np.bool_(True),
            "frame": pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), "series": pd.Series([0.1, 0.2]),
            "day": datetime.date(2026, 11, 28), "price": decimal.Decimal("1.10"), "set": {1}}
"""
    numbers = code("handler-numpy", source, SCIENCE)
    expected = {
        "p": 1.5, "y": 3, "v": [0, 1, 2], "b": True, "frame": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
        "series": [0.1, 0.2], "day": "2026-11-28", "price": 1.10, "set": [1],
    }  # fmt: skip
    answer = numbers.post({})
    assert (answer.status_code, answer.json()) == (200, expected), answer.text
    assert invoke(client, numbers, {})[0] == expected


def test_strict_answers_to_the_letter_of_the_cloud(code, client):
    """S12: the same TypeError, NaN as Lambda writes it."""
    source = "import numpy as np\n" + ANYTHING
    strict = code("handler-strict", source, SCIENCE, {"python": {"strict": True}})
    payload, answer = invoke(client, strict, expr("{'p': np.float32(1)}"))
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "Runtime.MarshalError"
    assert payload["errorMessage"] == "Unable to marshal response: Object of type float32 is not JSON serializable"
    assert strict.post(expr("[float('nan'), 1.5]")).content == b"[NaN, 1.5]"


@pytest.mark.parametrize(
    ("non_finite", "expected"),
    [(None, [None, None, 1.0]), ("null", [None, None, 1.0]), ("text", ["NaN", "-Infinity", 1.0])],
)
def test_what_json_has_no_word_for_is_written_as_the_manifest_says(code, non_finite, expected):
    """S11: every answer parses strictly."""
    manifest = {"non_finite": non_finite} if non_finite else None
    function = code(f"handler-nan-{non_finite or 'default'}".lower(), ANYTHING, manifest=manifest)
    answer = function.post(expr("[math.nan, -math.inf, 1.0]"))
    assert wire.strict_json(answer.content) == expected


def test_nan_can_be_an_error_that_names_the_place(code, client):
    function = code("handler-nan-error", ANYTHING, manifest={"non_finite": "error"})
    answer = function.post(expr("{'a': [1.0, math.nan]}"))
    assert answer.status_code == 500, answer.text
    assert re.search(r"NaN at .*a.*1", answer.json()["error"]["message"]), answer.text
    assert invoke(client, function, expr("math.inf"))[1]["FunctionError"] == "Unhandled"


# -- responses ----


def test_an_answer_with_a_status_is_a_response(anything, client):
    """Status, headers, several cookies, body; boto3 gets it as it is, as from Lambda."""
    response = {
        "statusCode": 201,
        "headers": {"X-Model": "churn", "content-type": "text/plain"},
        "cookies": ["a=1", "b=2; HttpOnly"],
        "body": "made",
    }
    answer = anything.post(expr(repr(response)))
    assert (answer.status_code, answer.text) == (201, "made")
    assert (answer.headers["x-model"], answer.headers["content-type"]) == ("churn", "text/plain")
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2; HttpOnly"]
    assert invoke(client, anything, expr(repr(response)))[0] == response
    several = {"statusCode": 200, "multiValueHeaders": {"x-a": ["1", "2"]}, "body": None}
    answer = anything.post(expr(repr(several)))
    assert (answer.headers.get_list("x-a"), answer.content) == (["1", "2"], b"")


def test_a_body_in_base64_is_the_bytes_that_it_stands_for(anything):
    """S21: the client gets five bytes."""
    response = {"statusCode": 200, "body": base64.b64encode(b"hello").decode(), "isBase64Encoded": True}
    assert anything.post(expr(repr(response))).content == b"hello"
    wrong = anything.post(expr(repr(response | {"body": "no base64!"})))
    assert wrong.status_code == 500
    assert "isBase64Encoded" in wrong.json()["error"]["message"]


def test_a_status_that_is_text_is_taken_and_one_that_is_none_is_an_error(anything):
    """S31: never a 200 for what its author did not mean as one."""
    answer = anything.post(expr("{'statusCode': '404', 'body': 'no such thing'}"))
    assert (answer.status_code, answer.text) == (404, "no such thing")
    for status in ("'OK'", "None", "99", "1000", "200.5"):
        answer = anything.post(expr(f"{{'statusCode': {status}, 'body': ''}}"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "handler-failed"), status
        assert "statusCode" in answer.json()["error"]["message"]


# -- events ----


def test_code_that_asks_for_the_request_gets_all_of_it_and_the_deploy_says_so(platform, code, tmp_path):
    """`event["body"]`: payload format 2.0; `httpMethod`: 1.0; else the body is the event."""
    v2 = code(
        "handler-v2",
        "import json\ndef lambda_handler(event, context):\n    event['body']\n    return {'event': event}\n",
    )
    answer = v2.platform.http.post(
        f"{v2.path}?a=1&a=2&b=%C3%BC", content=b'{"x": "\xc3\xbc"}',
        headers={"content-type": "application/json", "cookie": "c=3; d=4", "x-mine": "yes"},
    )  # fmt: skip
    event = answer.json()["event"]
    assert (event["version"], event["body"], event["isBase64Encoded"]) == ("2.0", '{"x": "ü"}', False)
    assert event["queryStringParameters"] == {"a": "1,2", "b": "ü"}
    assert (event["cookies"], event["headers"]["x-mine"]) == (["c=3", "d=4"], "yes")
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["requestContext"]["requestId"] == answer.headers["x-modelet-invocation"]
    v1 = code("handler-v1", "def handler(event, context):\n    return [event['httpMethod'], event]\n")
    method, event = v1.post({"a": 1}).json()
    assert (method, event["version"], json.loads(event["body"])) == ("POST", "1.0", {"a": 1})
    source = "def handler(event, context):\n    return event.get('body')\n"
    (tmp_path / "app.py").write_text(source)
    done = platform.cli("deploy", tmp_path, "--name", "handler-said")
    assert re.search(r'event +the whole request, since it asks its event for "body"', done.stdout + done.stderr)


def test_a_binary_body_reaches_the_handler_as_base64(code):
    """S22: with the whole request as its event, and back as bytes."""
    source = """\
import base64
def handler(event, context):
    body = base64.b64decode(event["body"])
    return {"statusCode": 200, "headers": {"content-type": "application/octet-stream"},
            "isBase64Encoded": event["isBase64Encoded"], "body": base64.b64encode(body[::-1]).decode()}
"""
    binary = code("handler-binary", source, manifest={"python": {"event": "http_v2"}})
    answer = binary.post(content=bytes(range(256)), headers={"content-type": "application/octet-stream"})
    assert (answer.status_code, answer.content) == (200, bytes(range(255, -1, -1)))


def test_a_compressed_body_is_the_event_that_it_holds_and_another_coding_is_refused_by_name(anything):
    """S18, S24: gzip, and in chunks of which nobody said the length."""
    body = json.dumps(expr("event")).encode()
    json_of = {"content-type": "application/json"}
    answer = anything.post(content=gzip.compress(body), headers=json_of | {"content-encoding": "gzip"})
    assert (answer.status_code, answer.json()) == (200, expr("event")), answer.text
    answer = anything.post(content=body, headers=json_of | {"content-encoding": "zip"})
    assert (answer.status_code, "zip" in answer.json()["error"]["message"]) == (415, True)
    assert anything.post(content=iter([body[:5], body[5:]]), headers=json_of).json() == expr("event")


def test_every_method_and_path_reaches_a_handler_of_whole_requests(code):
    """As those of a function URL do: handlers that route for themselves."""
    source = "def handler(event, context):\n    http = event['requestContext']['http']\n"
    source += "    return [http['method'], http['path'], event['rawPath']]\n"
    function = code("handler-routes", source)
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        answer = function.platform.http.request(method, f"{function.path}/items/3")
        assert answer.status_code == 200, (method, answer.text)
        assert [answer.json()[0], answer.json()[2].endswith("/items/3")] == [method, True]


def test_an_event_of_a_gateway_by_boto3_is_the_event_as_it_is(anything, client):
    """Lambda's clients send events, whatever the function asks for."""
    event = {"version": "2.0", "body": "{}", "expr": "event"}
    assert invoke(client, anything, event)[0] == event


def test_of_an_event_of_a_gateway_the_body_is_the_event_where_the_manifest_asks_for_it(code, client):
    """What a handler that was written for direct calls needs behind API Gateway."""
    function = code("handler-unwrap", ANYTHING, manifest={"python": {"unwrap": True}})
    event = http_event(json.dumps(expr("event")))
    assert invoke(client, function, event)[0] == expr("event")
    packed = http_event(base64.b64encode(json.dumps(expr("event")).encode()).decode(), isBase64Encoded=True)
    assert invoke(client, function, packed)[0] == expr("event")
    assert invoke(client, function, expr("event"))[0] == expr("event"), "any other event is as it is"
    assert function.post(expr("event")).json() == expr("event")


# -- context ----


def test_the_context_says_what_it_says_on_lambda(code, client):
    """Of the call its id, the time left, what the client sent along; of the function its name, version, memory, ARN."""
    source = """\
import os
def handler(event, context):
    custom = context.client_context and context.client_context.custom
    names = ("AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "_HANDLER")
    return [context.aws_request_id, context.function_name, context.function_version, context.memory_limit_in_mb,
            context.invoked_function_arn, context.get_remaining_time_in_millis(), custom,
            context.identity.cognito_identity_id, [os.environ[name] for name in names]]
"""
    function = code("handler-context", source, memory_mib=300, request_timeout_ms=20_000)
    answer = function.post({})
    request_id, name, version, memory, arn, left_ms, custom, identity, variables = answer.json()
    assert request_id == answer.headers["x-modelet-invocation"]
    assert (name, version, memory, custom, identity) == ("handler-context", "1", "300", None, None)
    assert re.fullmatch(r"arn:aws:lambda:\w+:\d{12}:function:handler-context:1", arn)
    assert 0 < left_ms <= 20_000
    assert variables == ["handler-context", "1", "300", "app.handler"]
    sent = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
    payload, answer = invoke(client, function, {}, ClientContext=sent)
    assert (payload[0], payload[6]) == (answer["ResponseMetadata"]["RequestId"], {"k": "v"})


def test_time_runs_down_while_a_handler_works(code):
    source = """\
import time
def handler(event, context):
    before = context.get_remaining_time_in_millis()
    time.sleep(0.2)
    return before - context.get_remaining_time_in_millis()
"""
    assert 200 <= code("handler-clock", source).post({}).json() < 5_000


# -- failures ----


def test_what_a_handler_raises_is_told_with_type_message_and_trace(code, client):
    """S30, S31: 500 by /fn, a function error by boto3; the next call is answered by the same instance."""
    source = """\
class ModelMissing(Exception):
    pass

def inner(event):
    raise ModelMissing("no model for é")

def handler(event, context):
    return inner(event) if event else "fine"
"""
    function = code("handler-raises", source)
    first = function.post({"a": 1})
    error = first.json()["error"]
    assert (first.status_code, error["code"], error["type"]) == (500, "handler-failed", "ModelMissing")
    assert "no model for é" in error["message"]
    payload, answer = invoke(client, function, {"a": 1})
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert (payload["errorType"], payload["errorMessage"]) == ("ModelMissing", "no model for é")
    trace = payload["stackTrace"]
    assert ["in handler" in trace[0], "in inner" in trace[1], len(trace)] == [True, True, 2], trace
    assert "app.py" in trace[1] and "line 5" in trace[1] and "modelet_worker" not in "".join(trace)
    second = function.post({})
    assert (second.status_code, second.json()) == (200, "fine")
    assert second.headers["x-modelet-instance"] == first.headers["x-modelet-instance"]


@pytest.mark.parametrize(
    ("how", "says"),
    [("os._exit(3)", "code 3"), ("ctypes.string_at(1)", "SIGSEGV"), ("os.kill(os.getpid(), 9)", "SIGKILL")],
)
def test_a_handler_that_takes_python_down_fails_its_call_and_no_other(anything, client, how, says):
    """At once, with how it ended; boto3 hears what Lambda says of it; the next call gets a new instance."""
    begin = time.monotonic()
    answer = anything.post(expr(how))
    assert time.monotonic() - begin < AT_ONCE_S
    assert answer.status_code == 502, answer.text
    error = answer.json()["error"]
    assert error["code"] == "instance-died"
    assert re.search(says, error["message"]), error["message"]
    payload, answer = invoke(client, anything, expr(how))
    assert (answer["FunctionError"], payload["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert anything.post(expr("'alive'")).json() == "alive"


def test_a_handler_that_ends_python_in_order_is_told_so(anything):
    """`sys.exit` in a call: an error of that call, and the next one is answered however soon it comes."""
    for _ in range(10):
        answer = anything.post(expr("sys.exit(4)"))
        assert answer.status_code in (500, 502), answer.text
        assert "exit code 4" in answer.json()["error"]["message"]
        following = anything.post(expr("1"))
        assert (following.status_code, following.json()) == (200, 1)


def test_a_handler_that_takes_too_long_is_given_up_and_the_next_call_answered(code, client):
    slow = code("handler-slow", ANYTHING, request_timeout_ms=500, max_instances=1)
    assert slow.post(expr("1")).json() == 1
    begin = time.monotonic()
    answer = slow.post(expr("time.sleep(3600)"))
    assert time.monotonic() - begin < AT_ONCE_S
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "request-timeout")
    assert "request_timeout_ms = 500" in answer.json()["error"]["message"]
    assert slow.post(expr("2")).json() == 2
    payload, answer = invoke(client, slow, expr("time.sleep(3600)"))
    assert (answer["FunctionError"], payload["errorType"]) == ("Unhandled", "Sandbox.Timedout")
    assert slow.post(expr("3")).json() == 3


def test_memory_beyond_the_limit_ends_the_instance_and_says_how_much_it_was(code):
    greedy = code("handler-greedy", ANYTHING, memory_mib=128)
    answer = greedy.post(expr("len(b'x' * (1 << 30))"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "out-of-memory"), answer.text
    assert "memory_mib = 128" in answer.json()["error"]["message"]
    assert greedy.post(expr("1")).json() == 1


# -- several at once ----

#: Calls meet in one instance, or wait for each other in vain.
MEETS = """\
import threading
barrier = threading.Barrier(4)
def handler(event, context):
    try:
        barrier.wait(timeout=event["patience_s"])
        return "met"
    except threading.BrokenBarrierError:
        return "alone"
"""


def test_concurrency_is_threads_in_one_instance(code):
    """Four calls are in the function at once; none would be answered otherwise."""
    function = code("handler-threads", MEETS, concurrency=4, max_instances=1)
    answers = at_once(function, [{"patience_s": 30}] * 4)
    assert [(a.status, json.loads(a.body)) for a in answers] == [(200, "met")] * 4
    assert len({a.headers["x-modelet-instance"] for a in answers}) == 1


def test_without_a_word_an_instance_works_on_one_call_at_a_time(code):
    """Code is not made for several at once unless its author says so: others are instances of their own."""
    function = code("handler-alone", MEETS, max_instances=2)
    assert function.status()["card"]["settings"]["concurrency"] == 1
    answers = at_once(function, [{"patience_s": 0.3}] * 4)
    assert [(a.status, json.loads(a.body)) for a in answers] == [(200, "alone")] * 4
    assert len({a.headers["x-modelet-instance"] for a in answers}) == 2


def test_calls_in_threads_have_their_own_context_and_records(code):
    """What one prints is the record of its own call, and its id is its own."""
    source = """\
import threading
barrier = threading.Barrier(4)
def handler(event, context):
    barrier.wait(timeout=30)
    print("said by", event["n"])
    return [event["n"], context.aws_request_id]
"""
    function = code("handler-contexts", source, concurrency=4, max_instances=1)
    answers = at_once(function, [{"n": n} for n in range(4)])
    said = {}
    for answer in answers:
        number, request_id = json.loads(answer.body)
        assert request_id.lower() == answer.headers["x-modelet-invocation"]
        said[request_id.lower()] = f"said by {number}"
    printed = eventually(lambda: rows if len(rows := lines(function, "said by")) == 4 else None, what="four records")
    assert {row["invocation"].lower(): row["text"] for row in printed} == said
