"""Lambda's Invoke API by AWS' own clients, unmodified: boto3 and the AWS command line."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import wire
from aws import ACCOUNT, environment, lambda_client
from botocore.exceptions import ClientError
from harness import eventually
from tenants import Tenants
from test_async import attempts, result
from proofs import BOTO3, proof

pytestmark = proof("Clients", "Lambda's Invoke", BOTO3)


@pytest.fixture
def iris(function):
    """Three measures in, a label and probabilities out."""
    return function("iris-matrix")


@pytest.fixture
def client(platform):
    """boto3's, which tries once."""
    return lambda_client(platform.url)


@pytest.fixture
def rows(cases) -> np.ndarray:
    """Rows of iris, all different."""
    return next(iter(cases["iris-matrix"].call("batch32").inputs.values()))


def payload(answer: dict) -> dict:
    """What a function answered."""
    return wire.strict_json(answer["Payload"].read())


def refusal(call, **arguments) -> tuple[str, int, ClientError]:
    """The exception that boto3 makes of a refusal: its name, its status, itself."""
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    error = refused.value
    return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"], error


def http_event(body: str, **changed) -> dict:
    """What an HTTP API or a function URL makes of a POST."""
    return {
        "version": "2.0", "routeKey": "$default", "rawPath": "/", "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": "x.example"},
        "requestContext": {"http": {"method": "POST", "path": "/", "protocol": "HTTP/1.1"}, "stage": "$default"},
        "body": body, "isBase64Encoded": False,
    } | changed  # fmt: skip


def test_a_model_answers_boto3_as_it_answers_everybody(iris, client, rows):
    """The payload in two forms of /fn; the version and the id of the call come along."""
    for body in ({"inputs": rows.tolist()}, rows.tolist()):
        answer = client.invoke(FunctionName=iris.name, Payload=json.dumps(body))
        assert (answer["StatusCode"], answer["ExecutedVersion"], answer.get("FunctionError")) == (200, "1", None)
        assert payload(answer) == iris.post(body).json()
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        assert answer["ResponseMetadata"]["RequestId"] == headers["x-modelet-invocation"]
        assert "inference" in headers["server-timing"]


def test_names_arns_and_qualifiers_mean_versions(own_platform, cases, rows):
    """Two versions: each way of naming one, and the live one when none is named."""
    iris = own_platform.deploy(cases["iris-matrix"], "iris")
    own_platform.deploy(cases["iris-matrix"], "iris", {"description": "the second"})
    client = lambda_client(own_platform.url)
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:iris"
    for name, qualifier, version in (
        ("iris", None, "2"), ("iris:1", None, "1"), ("iris", "1", "1"), ("iris:1", "1", "1"), (arn, None, "2"),
        (f"{arn}:1", None, "1"), ("123456789012:function:iris:1", None, "1"), (arn, "live", "2"),
        ("iris", "$LATEST", "2"),
    ):  # fmt: skip
        asked = {"Qualifier": qualifier} if qualifier else {}
        answer = client.invoke(FunctionName=name, Payload=json.dumps(rows[:1].tolist()), **asked)
        assert (answer["ExecutedVersion"], answer.get("FunctionError")) == (version, None), (name, qualifier)
    assert len(iris.instances()) == 2


def test_an_input_that_the_model_refuses_is_an_error_of_the_function(iris, client):
    """200 with FunctionError; the payload says what /fn says; the log has it as what it is."""
    body = {"inputs": [["long", 2, 3, 4]]}
    answer = client.invoke(FunctionName=iris.name, Payload=json.dumps(body))
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    error, plain = payload(answer), iris.post(body).json()["error"]
    assert (error["errorType"], error["error"]["code"]) == ("Function.BadInput", "bad-input")
    assert error["errorMessage"].startswith(plain["message"])
    assert error["error"]["nearest"] == plain["nearest"]

    def record() -> list[dict]:
        page = iris.platform.http.get(f"/api/v1/functions/{iris.name}/logs?after=0&limit=10000").json()["rows"]
        return [row for row in page if row.get("id") == answer["ResponseMetadata"]["RequestId"]]

    (logged,) = eventually(record, what="the call is in the log")
    assert (logged["protocol"], logged["status"], logged["outcome"]) == ("lambda_invoke", 200, "function_error")
    assert logged["code"] == "bad-input"
    assert payload(client.invoke(FunctionName=iris.name))["errorType"] == "Function.BadInput", "no payload at all"


def test_a_function_that_is_too_slow_or_cannot_start_has_failed(function, client, cases):
    """Lambda's own names for it."""
    slow = function("slow-load", "lambda-hasty", load_timeout_ms=100)
    answer = client.invoke(
        FunctionName=slow.name, Payload=json.dumps(wire.by_name(cases["slow-load"].call("one").inputs))
    )
    assert (answer["FunctionError"], payload(answer)["errorType"]) == ("Unhandled", "Sandbox.Timedout")
    broken = function("iris-matrix", "lambda-broken")
    broken.damage()
    answer = client.invoke(FunctionName=broken.name, Payload="[[1, 2, 3, 4]]")
    assert (answer["FunctionError"], payload(answer)["errorType"]) == ("Unhandled", "Runtime.ExitError")


def test_what_is_wrong_with_a_call_is_an_exception_of_the_api(iris, client, function, rows):
    """By the names and statuses of botocore's model, with a sentence."""
    good = json.dumps(rows[:1].tolist())
    for arguments, exception, status, says in (
        ({"FunctionName": "no-such"}, "ResourceNotFoundException", 404, "no-such"),
        ({"FunctionName": iris.name, "Qualifier": "7"}, "ResourceNotFoundException", 404, "no such version"),
        ({"FunctionName": iris.name, "Qualifier": "prod"}, "ResourceNotFoundException", 404, "alias"),
        ({"FunctionName": f"{iris.name}:1", "Qualifier": "2"}, "InvalidParameterValueException", 400, "qualifier"),
        ({"FunctionName": "Iris_Matrix"}, "InvalidParameterValueException", 400, 'try "iris-matrix"'),
        ({"FunctionName": iris.name, "TenantId": "t"}, "InvalidParameterValueException", 400, "tenant"),
        ({"FunctionName": iris.name, "Payload": "{'a': 1}"}, "InvalidRequestContentException", 400, "JSON"),
        ({"FunctionName": iris.name, "InvocationType": "Later"}, "InvalidParameterValueException", 400, "DryRun"),
    ):
        code, found, error = refusal(client.invoke, **{"Payload": good} | arguments)
        assert (code, found) == (exception, status), arguments
        assert says in error.response["Error"]["Message"], arguments
        assert isinstance(error, getattr(client.exceptions, exception))
    small = function("iris-matrix", "lambda-small-bodies", body_limit_mib=1)
    code, found, _ = refusal(client.invoke, FunctionName=small.name, Payload=json.dumps(["x" * (2 << 20)]))
    assert (code, found) == ("RequestTooLargeException", 413)


def test_a_throttled_call_says_when_to_come_back_and_boto3_does(function, client, platform, rows):
    """429 with Reason and Retry-After; a client that may try again gets its answer."""
    iris = function("iris-matrix", "lambda-throttled", rate_limit_per_s=2, rate_burst=1)
    call = {"FunctionName": iris.name, "Payload": json.dumps(rows[:1].tolist())}
    client.invoke(**call)
    code, status, error = refusal(client.invoke, **call)
    assert (code, status) == ("TooManyRequestsException", 429)
    assert error.response["Reason"] == "FunctionInvocationRateLimitExceeded"
    assert int(error.response["retryAfterSeconds"]) >= 1
    patient = lambda_client(platform.url, attempts=8)
    assert {patient.invoke(**call)["StatusCode"] for _ in range(4)} == {200}


def test_an_event_is_accepted_and_answered_later(iris, client, rows):
    """202 without a payload; the answer lies where those of asynchronous invocations lie, and no token on the disk."""
    body = {"inputs": rows[:2].tolist()}
    accepted = client.invoke(FunctionName=iris.name, InvocationType="Event", Payload=json.dumps(body))
    assert (accepted["StatusCode"], accepted["Payload"].read()) == (202, b"")
    answer = result(iris, accepted["ResponseMetadata"]["RequestId"])
    assert (answer.status_code, answer.json()) == (200, iris.post(body).json())
    wrong = client.invoke(FunctionName=iris.name, InvocationType="Event", Payload="{}")["ResponseMetadata"]["RequestId"]
    answer = result(iris, wrong)
    assert (answer.headers["x-amz-function-error"], answer.json()["errorType"]) == ("Unhandled", "Function.BadInput")
    assert [record["outcome"] for record in attempts(iris, wrong)] == ["function_error"], "it would fail again"
    kept = b"".join(path.read_bytes() for path in iris.platform.data.glob("state.db*"))
    assert b"x-amz-invocation-type" in kept
    assert ACCOUNT["AWS_SESSION_TOKEN"].encode() not in kept
    code, status, _ = refusal(client.invoke, FunctionName="no-such", InvocationType="Event", Payload="[]")
    assert (code, status) == ("ResourceNotFoundException", 404)


def test_an_event_whose_instance_crashes_is_tried_again_though_its_answer_has_status_200(cases):
    """Three attempts, as on Lambda."""
    own = Tenants(rung=4).start()
    tenant = own.deploy(cases["iris-matrix"], "tenant", async_retry_ms=50, max_instances=1)
    crash = {"FunctionName": "tenant", "Payload": json.dumps({"hostile": "crash", "target": "oh no"})}
    client = lambda_client(own.url)
    answer = client.invoke(**crash)
    assert (answer["FunctionError"], payload(answer)["errorType"]) == ("Unhandled", "Runtime.ExitError")
    accepted = client.invoke(InvocationType="Event", **crash)["ResponseMetadata"]["RequestId"]
    answer = result(tenant, accepted)
    assert (answer.status_code, answer.json()["errorType"]) == (200, "Runtime.ExitError")
    assert [(record["attempt"], record["code"]) for record in attempts(tenant, accepted)] == [
        (n, "instance-died") for n in (1, 2, 3)
    ]
    own.stop()


def test_a_dry_run_checks_and_starts_nothing(function, client):
    """204, or the exception that the call would get."""
    iris = function("iris-matrix", "lambda-dry", idle_timeout_ms=0)
    eventually(lambda: not iris.instances(), what="nothing runs")
    answer = client.invoke(FunctionName=iris.name, InvocationType="DryRun", Payload="[[1, 2, 3, 4]]")
    assert (answer["StatusCode"], answer["Payload"].read()) == (204, b"")
    assert iris.instances() == []
    code, _, _ = refusal(client.invoke, FunctionName=iris.name, InvocationType="DryRun", Qualifier="9")
    assert code == "ResourceNotFoundException"


def test_an_http_event_is_answered_with_a_response(iris, client, rows):
    """S21, S22: JSON as text, npy as base64 both ways; what is wrong is a 400 in it and no function error."""
    body = {"inputs": rows[:3].tolist()}
    answer = client.invoke(FunctionName=iris.name, Payload=json.dumps(http_event(json.dumps(body))))
    response = payload(answer)
    assert (answer.get("FunctionError"), response["statusCode"], response["isBase64Encoded"]) == (None, 200, False)
    assert json.loads(response["body"]) == iris.post(body).json()

    binary = {"content-type": "application/octet-stream", "accept": "application/x-npy"}
    event = http_event(
        base64.b64encode(rows[:3].tobytes()).decode(),
        isBase64Encoded=True,
        headers=binary,
        rawQueryString="output=label",
    )
    response = payload(client.invoke(FunctionName=iris.name, Payload=json.dumps(event)))
    assert (response["isBase64Encoded"], response["headers"]["content-type"]) == (True, "application/x-npy")
    plain = iris.platform.http.post(f"{iris.path}?output=label", content=rows[:3].tobytes(), headers=binary)
    assert base64.b64decode(response["body"]) == plain.content

    answer = client.invoke(FunctionName=iris.name, Payload=json.dumps(http_event('{"inputs": 1}')))
    response = payload(answer)
    assert (answer.get("FunctionError"), response["statusCode"]) == (None, 400)
    assert json.loads(response["body"])["error"]["code"] == "bad-input"


def test_the_command_line_invokes(iris, tmp_path, rows):
    """`aws lambda invoke`, and what it prints of an error."""
    out = tmp_path / "out.json"

    def aws(*arguments: str) -> subprocess.CompletedProcess:
        program = [sys.executable, str(Path(sys.executable).with_name("aws"))]
        call = ["lambda", "invoke", "--endpoint-url", iris.platform.url, *arguments, str(out)]
        return subprocess.run(
            [*program, *call], check=False, capture_output=True, text=True, env=environment(iris.platform), timeout=120
        )

    done = aws("--function-name", iris.name, "--payload", json.dumps(rows[:1].tolist()))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"StatusCode": 200, "ExecutedVersion": "1"}
    assert json.loads(out.read_text()) == iris.post(rows[:1].tolist()).json()
    done = aws("--function-name", "no-such", "--payload", "[]")
    assert done.returncode != 0
    assert "ResourceNotFoundException" in done.stderr


def test_no_client_says_what_only_a_host_may_say(iris, rows):
    """Lambda's own headers of a call go no further than the gateway, and not onto the disk."""
    path = f"/2015-03-31/functions/{iris.name}/invocations"
    claim = {"Lambda-Runtime-Invoked-Function-Arn": "arn:of-somebody-else", "X-Amz-Invocation-Type": "Event"}
    told = iris.platform.http.post(path, json=rows[:1].tolist(), headers=claim)
    assert (told.status_code, told.content) == (202, b"")
    assert result(iris, told.headers["x-amzn-requestid"]).status_code == 200
    assert b"arn:of-somebody-else" not in b"".join(file.read_bytes() for file in iris.platform.data.glob("state.db*"))
    assert iris.platform.http.get(path).status_code == 405
    assert iris.platform.http.get("/2015-03-31/functions").headers["x-amzn-errortype"] == "ResourceNotFoundException"
