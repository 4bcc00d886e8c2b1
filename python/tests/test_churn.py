"""Nothing is lost under churn: instances come, go, wear out, are killed and replaced by new versions while clients call."""

from __future__ import annotations

import itertools
import os
import signal
import time

import churn
import pytest
from burst import at_once, in_background
from churn import Load
from harness import AT_ONCE_S, Platform, eventually
from processes import computing
from test_scaling import slow_body

pytestmark = pytest.mark.alone

#: Of each kind of event, at least.
EVENTS = 50
#: For all of them: far more than it takes, also on a slow machine.
WITHIN_S = 400
ENDS = "modelet_instance_ends_total"


def burst(function, mistakes: list[str]) -> None:
    """More calls at once than one instance takes."""
    calls = [churn.echo() for _ in range(8)]
    answers = at_once(function, [body for body, _ in calls])
    for answer, (_, expected) in zip(answers, calls, strict=True):
        wrong = churn.mistake(answer.status, answer.body, expected)
        mistakes += [f"{function.name}: {wrong}"] if wrong else []


def call_after_kill(function, mistakes: list[str]) -> None:
    """Kills the idle instance; the call that comes right after finds another one."""
    for kill in (False, True):
        if kill:
            churn.kill_idle(function)
        body, expected = churn.echo()
        answer = function.post(body)
        wrong = churn.mistake(answer.status_code, answer.content, expected)
        mistakes += [f"{function.name}, {kill=}: {wrong}"] if wrong else []


def test_nothing_is_lost_while_instances_come_and_go(own_platform: Platform, cases):
    """S37: at least 50 starts, idle ends, recycles and kills, with deploys in between: every call has its own answer."""
    echo, iris = cases["passthrough"], cases["iris-matrix"]
    many = own_platform.deploy(echo, "many", concurrency=4, max_instances=2, recycle_calls=20)
    single = own_platform.deploy(iris, "single", concurrency=1, max_instances=2, recycle_calls=20)
    bursty = own_platform.deploy(echo, "bursty", concurrency=1, max_instances=4, idle_timeout_ms=50)
    killed = own_platform.deploy(echo, "killed", max_instances=1)
    loads = [Load(many, churn.echo), Load(many, churn.echo), Load(single, churn.rows_of(iris))]
    mistakes: list[str] = []
    deploys = 0

    def so_far() -> dict[str, float]:
        metrics = own_platform.metrics()
        starts = metrics.total("modelet_instance_starts_total", function="bursty")
        ends = {reason: metrics.total(ENDS, reason=reason) for reason in ("idle", "recycled", "crashed")}
        return ends | {"starts": starts, "deploys": deploys}

    deadline = time.monotonic() + WITHIN_S
    for turn in itertools.count():
        eventually(lambda: not bursty.instances(), what="a quick machine comes back before they were idle for long enough")
        burst(bursty, mistakes)
        for _ in range(4):
            call_after_kill(killed, mistakes)
        if turn % 2:
            deploys += 1
            churn.next_version([many, single, bursty][deploys % 3], deploys)
        events = so_far()
        if min(events[kind] for kind in ("starts", "idle", "recycled", "crashed")) >= EVENTS:
            break
        assert time.monotonic() < deadline, events
    for load in loads:
        load.end()
        mistakes += load.mistakes
    print(f"{sum(load.answered for load in loads)} calls beside, {events}")
    assert not mistakes, f"{len(mistakes)} calls: {mistakes[:5]}"
    assert deploys >= 3
    outcomes = own_platform.metrics().by("outcome", "modelet_invocations_total")
    assert set(outcomes) == {"ok"}, outcomes


def test_a_kill_fails_only_the_calls_in_that_instance_and_at_once(own_platform: Platform, cases):
    """S32, S37: each of them without a wait and naming the instance; all others are answered."""
    slow = own_platform.deploy(cases["slow"], "slow", concurrency=2, max_instances=2)
    other = own_platform.deploy(cases["passthrough"], "other")
    load = Load(other, churn.echo)
    body = slow_body(slow, 2.0)
    for _ in range(3):
        calls = [in_background(slow, body) for _ in range(6)]
        victim = computing(slow)
        os.kill(victim["pid"], signal.SIGKILL)
        killed_at = time.monotonic()
        failed = [call for call in calls if call.answer().status_code != 200]
        assert 1 <= len(failed) <= 2, "those that it had taken in"
        for call in failed:
            assert call.ended_at - killed_at < AT_ONCE_S
            error = call.answer().json()["error"]
            assert (call.answer().status_code, error["code"]) == (502, "instance-died")
            assert victim["id"] in error["message"]
    eventually(lambda: load.answered > 100, what="the other function is called all the while")
    load.end()
    assert not load.mistakes, load.mistakes[:5]
    crashed = own_platform.metrics().by("function", ENDS, reason="crashed")
    assert crashed == {"slow": 3}


def test_an_instance_that_dies_with_a_large_call_unread_fails_it_with_its_name(own_platform: Platform, cases):
    """Of a call that does not fit into one read nobody can tell whether it was begun: it is not sent again."""
    echo = own_platform.deploy(cases["passthrough"], "echo", max_instances=1)
    ids = [[f"row {row:05}"] for row in range(5_000)]
    body = {"inputs": {"id": ids, "n": [[1]] * 5_000, "u": [[1]] * 5_000}}
    for _ in range(10):
        assert echo.post(body).status_code == 200
        (instance,) = eventually(lambda: churn.idle(echo), what="one idle instance")
        os.kill(instance["pid"], signal.SIGKILL)
        answer = echo.post(body)
        if answer.status_code != 200:
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "instance-died")
            assert instance["id"] in answer.json()["error"]["message"]
    assert echo.post(body).status_code == 200
