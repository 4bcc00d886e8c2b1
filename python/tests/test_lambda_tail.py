"""`LogType=Tail` of Lambda's Invoke: the end of a call's log with its answer, by boto3 and the AWS command line."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import functions
import pytest
from aws import environment, lambda_client
from test_lambda_invoke import refusal
from test_programs import BOOTSTRAP
from proofs import BOTO3, proof

pytestmark = proof("Clients", "the log of a call (LogType=Tail)", BOTO3)

TALKING = """\
import logging
import os
import time

logging.getLogger().setLevel("INFO")


def handler(event, context):
    for number in range(event.get("lines", 0)):
        print(event["name"], number)
    logging.info("about %s", event["name"])
    if "secret" in event:
        print("the key is", os.environ["API_KEY"])
    if "pause" in event:
        time.sleep(event["pause"])
    if "raise" in event:
        raise KeyError(event["raise"])
    if "end" in event:
        print("last words", flush=True)
        os._exit(7)
    print("done", event["name"], end="")
"""


@pytest.fixture
def talking(platform, code):
    """A handler that speaks, with a secret."""
    platform.cli("secret", "set", "tail-key", stdin="of-the-partner")
    return code("tail-talking", TALKING, manifest={"secrets": {"API_KEY": "tail-key"}})


@pytest.fixture
def client(platform):
    """boto3's, which tries once."""
    return lambda_client(platform.url)


def tail(answer: dict) -> list[str]:
    """The lines that came with an answer."""
    text = base64.b64decode(answer["LogResult"]).decode()
    assert len(text) <= 4096
    return text.split("\n")


def invoke(client, function, **event) -> tuple[dict, list[str]]:
    """An answer, and what came with it."""
    answer = client.invoke(FunctionName=function.name, LogType="Tail", Payload=json.dumps(event))
    return answer, tail(answer)


def test_the_log_of_a_call_comes_with_its_answer(talking, client):
    """What was printed and logged, whole, between Lambda's own lines; a log that nobody asked for does not come."""
    answer, (start, *said, end, report, last) = invoke(client, talking, name="a", lines=2)
    call = answer["ResponseMetadata"]["RequestId"]
    assert (start, end, last) == (f"START RequestId: {call} Version: 1", f"END RequestId: {call}", "")
    assert said[:2] == ["a 0", "a 1"]
    assert re.fullmatch(rf"\[INFO\]\t\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z\t{call}\tabout a", said[2])
    assert said[3:] == ["done a"]
    found = re.fullmatch(
        rf"REPORT RequestId: {call}\tDuration: ([\d.]+) ms\tBilled Duration: (\d+) ms\tMemory Size: (\d+) MB\t"
        r"Max Memory Used: (\d+) MB(\tInit Duration: [\d.]+ ms)?\t",
        report,
    )
    duration, billed, size, used = map(float, found.groups()[:4])
    assert billed >= duration > 0
    assert size >= used > 0
    assert "LogResult" not in client.invoke(FunctionName=talking.name, Payload='{"name": "b"}')
    assert "Init Duration" not in invoke(client, talking, name="warm")[1][-2]


def test_an_error_is_in_it_as_lambda_writes_it(talking, client):
    """On one line for the log, its own lines parted by carriage returns."""
    answer, said = invoke(client, talking, name="a", **{"raise": "oh no"})
    assert answer["FunctionError"] == "Unhandled"
    (error,) = [line for line in said if line.startswith("[ERROR]")]
    head, trace, *frames = error.split("\r")
    assert (head, trace) == ("[ERROR] KeyError: 'oh no'", "Traceback (most recent call last):")
    assert frames[-1].endswith('raise KeyError(event["raise"])')


def test_a_call_hears_of_no_other_and_all_of_itself(code, client):
    """Many at once, four in each of several instances: each has exactly its own lines, however full the pipes are."""
    function = code("tail-many", TALKING, concurrency=4, max_instances=3)

    def one(name: str) -> tuple[str, list[str]]:
        return name, invoke(client, function, name=name, lines=40, pause=0.01)[1]

    with ThreadPoolExecutor(12) as team:
        for name, said in team.map(one, [f"call-{number}" for number in range(120)]):
            lines = [line.split("\t")[-1] for line in said[1:-3]]
            assert lines == [*(f"{name} {number}" for number in range(40)), f"about {name}", f"done {name}"]


def test_only_the_end_of_a_long_log_comes(talking, client):
    """Its last 4 KiB, of a log that is cut nowhere else."""
    _, said = invoke(client, talking, name="long", lines=3000)
    assert "long 2999" in said
    assert "long 2500" not in said
    assert said[-2].startswith("REPORT RequestId: ")


def test_secrets_are_kept_out_of_it(talking, client):
    """As they are kept out of the log."""
    _, said = invoke(client, talking, name="a", secret=True)
    assert "the key is [secret tail-key]" in said
    _, said = invoke(client, talking, name="a", **{"raise": "of-the-partner"})
    assert "of-the-partner" not in str(said)
    assert any(line.startswith("[ERROR] KeyError: '[secret tail-key]'\r") for line in said)


def test_an_instance_that_ends_within_its_call_is_heard(talking, client):
    """Its last words, with the error."""
    answer, said = invoke(client, talking, name="a", end=True)
    assert answer["FunctionError"] == "Unhandled"
    assert "last words" in said
    assert said[-2].startswith("REPORT RequestId: ")


def test_models_and_programs_have_a_log_too(platform, function, client, tmp_path):
    """A model says nothing; what a program prints is its call's, where that is alone in it."""
    iris = function("iris-matrix")
    answer = client.invoke(FunctionName=iris.name, LogType="Tail", Payload="[[1, 2, 3, 4]]")
    start, end, report, _ = tail(answer)
    assert (start[:5], end[:3], report[:6]) == ("START", "END", "REPORT")
    talks = BOOTSTRAP.replace(
        "    if event.get", "    print('program', event['name'], flush=True)\n    if event.get", 1
    )
    place = functions.folder(tmp_path / "program", {"bootstrap": talks})
    (place / "bootstrap").chmod(0o755)
    program = platform.deploy(place, "tail-program")
    for name in ("a", "b"):
        assert invoke(client, program, name=name)[1][1:-3] == [f"program {name}"]


def test_the_command_line_reads_it(talking, tmp_path):
    """`aws lambda invoke --log-type Tail`."""
    out = tmp_path / "out.json"
    program = [sys.executable, str(Path(sys.executable).with_name("aws")), "lambda", "invoke", "--log-type", "Tail"]
    call = ["--endpoint-url", talking.platform.url, "--function-name", talking.name, "--payload", '{"name": "cli"}']
    done = subprocess.run(
        [*program, *call, str(out)],
        check=True,
        capture_output=True,
        text=True,
        env=environment(talking.platform),
        timeout=120,
    )
    assert "done cli" in tail(json.loads(done.stdout))


def test_a_log_type_that_there_is_not_is_refused(talking, platform, client):
    """By the gateway, in the words of the API; an event has no log to tell."""
    path = f"/2015-03-31/functions/{talking.name}/invocations"
    refused = platform.http.post(path, json={"name": "a"}, headers={"X-Amz-Log-Type": "Head"})
    assert (refused.status_code, refused.headers["x-amzn-errortype"]) == (400, "InvalidParameterValueException")
    assert "neither None nor Tail" in refused.json()["message"]
    code, _, _ = refusal(client.invoke, FunctionName="no-such", LogType="Tail")
    assert code == "ResourceNotFoundException"
    accepted = client.invoke(FunctionName=talking.name, LogType="Tail", InvocationType="Event", Payload='{"name": "a"}')
    assert (accepted["StatusCode"], "LogResult" in accepted) == (202, False)
