"""Asynchronous invocations: accepted with 202 for good, run once there is an instance, tried again when they fail, answered later."""

from __future__ import annotations

import os
import random
import signal
import threading
import time

import httpx
import numpy as np
import pytest
import wire
from harness import Function, Platform, eventually
from processes import NEVER_STUCK, computing, held_still
from tenants import Tenants

#: What asks for it.
ASYNC = {"prefer": "respond-async"}
#: Times the platform is killed, and clients that call meanwhile.
ROUNDS, CLIENTS = 5, 3


@pytest.fixture
def rows(cases) -> np.ndarray:
    """Rows of iris, all different."""
    return next(iter(cases["iris-matrix"].call("batch32").inputs.values()))


@pytest.fixture
def tenant(tmp_path, cases):
    """A function that can be told to crash or to compute, and is patient only for moments."""
    own = Tenants(rung=4).start()
    yield own.deploy(cases["iris-matrix"], "tenant", async_retry_ms=50, max_instances=1, **NEVER_STUCK)
    own.stop()


def accept(function: Function, body: object, **options) -> str:
    """Calls, and gives the id of what was accepted."""
    answer = function.post(body, headers=ASYNC, **options)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"{function.path}/invocations/{answer.headers['x-modelet-invocation']}"
    return answer.headers["x-modelet-invocation"]


def result(function: Function, invocation: str, wait_s: int = 60) -> httpx.Response:
    """The answer of one, waited for."""
    return function.platform.http.get(
        f"{function.path}/invocations/{invocation}", headers={"prefer": f"wait={wait_s}"}, timeout=wait_s + 10
    )


def attempts(function: Function, invocation: str) -> list[dict]:
    """The records of one, by attempt."""
    page = function.platform.http.get(f"/api/v1/functions/{function.name}/logs?after=0&limit=10000").json()
    mine = [row for row in page["rows"] if row["kind"] == "invocation" and row["id"] == invocation]
    return sorted(mine, key=lambda record: record["attempt"])


def test_at_zero_an_accepted_call_wakes_the_function_and_its_answer_is_kept(own_platform, cases, rows):
    """S43: 202 at once; the same answer as a call that waits gets; fetched as often as wanted."""
    iris = own_platform.deploy(cases["iris-matrix"], "iris", idle_timeout_ms=0)
    body = {"inputs": rows[:2].tolist()}
    expected = iris.post(body)
    eventually(lambda: not iris.instances(), what="nothing runs")

    answer = iris.post(body, headers={"prefer": "return=minimal, Respond-Async; q=1", "authorization": "Bearer s3cret"})
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "respond-async")
    invocation = answer.json()["invocation"]
    assert answer.json()["result"] == answer.headers["location"]
    for _ in range(2):
        fetched = result(iris, invocation)
        assert (fetched.status_code, fetched.content) == (200, expected.content)
        assert fetched.headers["content-type"] == expected.headers["content-type"]
        assert fetched.headers["x-modelet-invocation"] == invocation
    (record,) = attempts(iris, invocation)
    assert (record["attempt"], record["cold_start"], record["outcome"]) == (1, True, "ok")
    assert record["billed_ms"] >= 1
    assert b"s3cret" not in b"".join(path.read_bytes() for path in own_platform.data.glob("state.db*"))


def test_every_protocol_and_form_can_be_answered_later(function, cases, rows):
    """KServe V2, and npy in and out with a query: routes, headers and bytes are kept as they came."""
    iris = function("iris-matrix")
    http = iris.platform.http
    name = cases["iris-matrix"].call("batch32").inputs
    tensor = {"name": next(iter(name)), "shape": list(rows.shape), "datatype": "FP32", "data": rows.ravel().tolist()}
    for path, request in (
        (f"/v2/models/{iris.name}/infer", {"json": {"inputs": [tensor]}}),
        (
            f"{iris.path}/versions/1?output=label",
            {"content": wire.npy_bytes(rows), "headers": wire.NPY | {"accept": "application/x-npy"}},
        ),
    ):
        expected = http.post(path, **request)
        request["headers"] = request.get("headers", {}) | ASYNC
        accepted = http.post(path, **request)
        assert (expected.status_code, accepted.status_code) == (200, 202), expected.text
        fetched = result(iris, accepted.headers["x-modelet-invocation"])
        assert fetched.headers["content-type"] == expected.headers["content-type"]
        if "npy" in expected.headers["content-type"]:
            assert fetched.content == expected.content
        else:
            assert fetched.json()["outputs"] == expected.json()["outputs"]


class Asker(threading.Thread):
    """Has one row after the other accepted until the platform is gone; notes the id and the row of each 202."""

    def __init__(self, platform: Platform, rows: np.ndarray, seed: int):
        super().__init__(daemon=True)
        self.platform, self.rows, self.accepted = platform, rows, {}
        self.random = random.Random(seed)
        self.start()

    def run(self) -> None:
        with httpx.Client(base_url=self.platform.url, timeout=60, trust_env=False) as client:
            while True:
                place = self.random.randrange(len(self.rows))
                try:
                    answer = client.post("/fn/iris", json={"inputs": [self.rows[place].tolist()]}, headers=ASYNC)
                except httpx.TransportError:
                    return
                assert answer.status_code == 202, answer.text
                self.accepted[answer.headers["x-modelet-invocation"]] = place


def test_what_was_accepted_is_answered_rightly_though_the_platform_is_killed(own_platform, cases, rows):
    """At any moment: while it is accepted, waits for an instance that loads, is worked on, or its answer is kept."""
    iris = own_platform.deploy(cases["iris-matrix"], "iris")
    labels = iris.post({"inputs": rows.tolist()}).json()["outputs"]["label"]
    moments, accepted = random.Random(3), {}
    for round_number in range(ROUNDS):
        askers = [Asker(own_platform, rows, CLIENTS * round_number + number) for number in range(CLIENTS)]
        eventually(lambda askers=askers: all(asker.accepted for asker in askers), what="something accepted of each")
        time.sleep(moments.uniform(0.0, 0.35))
        own_platform.kill()
        for asker in askers:
            asker.join(60)
            assert not asker.is_alive()
            accepted |= asker.accepted
        own_platform.start()
    assert len(accepted) >= ROUNDS * CLIENTS
    for invocation, place in accepted.items():
        answer = result(iris, invocation)
        assert answer.status_code == 200, answer.text
        assert answer.json()["outputs"]["label"] == [labels[place]]
    eventually(lambda: own_platform.metrics().total("modelet_async_invocations_open") == 0)


def test_a_stop_lets_attempts_end_and_keeps_the_rest_for_the_next_start(own_platform, cases, rows):
    """Ctrl-C with a long line, all on one slow rate."""
    iris = own_platform.deploy(cases["iris-matrix"], "iris", rate_limit_per_s=20, rate_burst=1)
    ids = [accept(iris, {"inputs": [row.tolist()]}) for row in rows[:30]]
    own_platform.stop()
    own_platform.start()
    answers = [result(iris, invocation) for invocation in ids]
    assert {answer.status_code for answer in answers} == {200}
    assert all(len(attempts(iris, invocation)) >= 1 for invocation in ids)


def test_a_failure_is_tried_again_and_the_last_one_is_the_answer(tenant):
    """Three attempts by default; each is on record."""
    invocation = accept(tenant, {"hostile": "crash", "target": "oh no"})
    answer = result(tenant, invocation)
    assert (answer.status_code, answer.headers["x-modelet-error"]) == (502, "instance-died")
    assert answer.json()["error"]["invocation"] == invocation
    records = attempts(tenant, invocation)
    assert [(record["attempt"], record["code"]) for record in records] == [(n, "instance-died") for n in (1, 2, 3)]
    waits_ms = np.diff([record["arrived_at_ms"] for record in records])
    assert waits_ms[0] >= 50, waits_ms
    assert waits_ms[1] >= 100, waits_ms


def test_an_attempt_whose_instance_is_killed_is_made_up_for(tenant):
    """The client sees nothing of it."""
    invocation = accept(tenant, {"hostile": "spin", "target": "3000"})
    os.kill(computing(tenant)["pid"], signal.SIGKILL)
    assert result(tenant, invocation).json().keys() == {"escaped"}
    assert [record["outcome"] for record in attempts(tenant, invocation)] == ["platform_error", "ok"]


def test_an_answer_is_waited_for_as_long_as_the_client_prefers(tenant):
    """Not at all, for a second, and until it is there."""
    body = {"hostile": "sleep", "target": "1"}
    assert tenant.post(body).status_code == 200
    (instance,) = tenant.instances()
    with held_still(instance):
        invocation = accept(tenant, body)
        for wait_s in (0, 1):
            begin = time.monotonic()
            pending = result(tenant, invocation, wait_s)
            assert (pending.status_code, pending.json()["attempts"], pending.headers["retry-after"]) == (202, 0, "1")
            assert time.monotonic() - begin >= wait_s
    assert result(tenant, invocation).json() == {"escaped": "1"}


def test_clients_who_wait_are_not_crowded_out_and_a_long_line_fails_nothing(tmp_path, cases):
    """One slot, twenty invocations of 0.3 s, and a request timeout that no twenty of them fit into."""
    own = Tenants(rung=4).start()
    limits = {"concurrency": 1, "max_instances": 1, "request_timeout_ms": 5_000}
    tenant = own.deploy(cases["iris-matrix"], "tenant", **limits)
    ids = [accept(tenant, {"hostile": "sleep", "target": "300"}) for _ in range(20)]
    eventually(tenant.busy_instance, what="they are worked on")
    waited = tenant.post({"hostile": "sleep", "target": "0"})
    assert waited.status_code == 200
    assert {result(tenant, invocation).status_code for invocation in ids} == {200}
    records = own.records("tenant", "invocation")
    assert sorted(record["id"] for record in records if record.get("attempt")) == sorted(ids), "one attempt each"
    assert len(in_front_of(records, waited.headers["x-modelet-invocation"])) <= 2, "one worked on, one in line before it"
    own.stop()


def in_front_of(records: list[dict], invocation: str) -> list[dict]:
    """What ended before a call, in the order of the log, and after it had arrived."""
    (mine,) = [at for at, record in enumerate(records) if record["id"] == invocation]
    arrived_ms = records[mine]["arrived_at_ms"]
    # Two moments in whole milliseconds: within one of them none is before the other.
    return [one for one in records[:mine] if one["arrived_at_ms"] + one["phases"]["total_ms"] > arrived_ms + 1]


def test_what_would_fail_again_is_not_tried_again(function):
    """A wrong input: one attempt, and the answer says what is wrong with it."""
    iris = function("iris-matrix")
    invocation = accept(iris, {"inputs": "nonsense"})
    answer = result(iris, invocation)
    assert (answer.status_code, answer.headers["x-modelet-error"]) == (400, "bad-input")
    assert [record["attempt"] for record in attempts(iris, invocation)] == [1]


def test_what_cannot_begin_waits_and_costs_no_attempt(own_platform, cases, rows):
    """A function that starts only later: its secret is set after the call."""
    iris = own_platform.deploy(cases["iris-matrix"], "iris", {"secrets": {"KEY": "partner-key"}})
    invocation = accept(iris, {"inputs": [rows[0].tolist()]})
    eventually(lambda: attempts(iris, invocation), what="a first try")
    own_platform.cli("secret", "set", "partner-key", stdin="value")
    answer = result(iris, invocation)
    assert answer.status_code == 200, answer.text
    records = attempts(iris, invocation)
    assert {record["attempt"] for record in records} == {1}
    assert [record["outcome"] for record in records][-1] == "ok"


def test_limits_are_kept_and_named(own_platform, cases, rows):
    """Of the line, of bodies, of answers, of their time."""
    limits = {"async_queue_limit": 3, "async_result_ms": 4_000, "max_instances": 1}
    iris = own_platform.deploy(cases["iris-matrix"], "iris", **limits, **NEVER_STUCK)
    body = {"inputs": [rows[0].tolist()]}
    assert iris.post(body).status_code == 200
    (instance,) = iris.instances()
    with held_still(instance):
        ids = [accept(iris, body) for _ in range(3)]
        full = iris.post(body, headers=ASYNC)
    assert (full.status_code, full.headers["x-modelet-error"]) == (429, "queue-full")
    assert "async_queue_limit" in full.text
    large = iris.post(content=b" " * (2 << 20), headers=ASYNC)
    assert large.status_code == 413
    assert "async_body_limit_mib" in large.text
    assert result(iris, ids[0]).status_code == 200
    gone = eventually(lambda: (answer := result(iris, ids[0], 0)).status_code == 404 and answer)
    assert gone.headers["x-modelet-error"] == "invocation-not-found"
    assert "async_result_ms" in gone.text


def test_only_what_was_accepted_for_a_function_is_found(own_platform, cases, rows):
    """Neither another function's, nor a deleted one's, nor a call that was not asynchronous."""
    iris, other = (own_platform.deploy(cases["iris-matrix"], name) for name in ("iris", "other"))
    body = {"inputs": [rows[0].tolist()]}
    invocation = accept(iris, body)
    assert result(iris, invocation).status_code == 200
    waited = iris.post(body).headers["x-modelet-invocation"]
    for function, unknown in ((other, invocation), (iris, waited), (iris, "no%20such"), (iris, "x" * 3_000)):
        answer = result(function, unknown, 0)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "invocation-not-found")
    own_platform.cli("delete", "iris", "--yes")
    answer = result(iris, invocation, 0)
    assert answer.json()["error"]["code"] == "function-not-found"
    again = own_platform.deploy(cases["iris-matrix"], "iris")
    assert result(again, invocation, 0).json()["error"]["code"] == "invocation-not-found"
    assert own_platform.metrics().total("modelet_async_invocations_open") == 0


def test_the_command_line_asks_now_and_answers_later(function, rows):
    """`invoke --async` prints the id, `result` the answer, or that there is none yet."""
    iris = function("iris-matrix")
    platform, body = iris.platform, f"[{rows[0].tolist()}]"
    done = platform.cli("invoke", iris.name, body, "--async")
    assert f"modelet result {iris.name}" in done.stderr
    answer = platform.cli("result", iris.name, done.stdout.strip(), "--wait", "60")
    assert answer.stdout == platform.cli("invoke", iris.name, body).stdout
    assert platform.cli_json("invoke", iris.name, body, "--async")["result"].startswith(iris.path)
    missing = platform.cli("result", iris.name, "01K", check=False)
    assert (missing.returncode, "async_result_ms" in missing.stderr) == (1, True)
