"""Between functions: minimum and reserve, rate limits, memory of the machine, recycling. Real processes, real limits."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import wire
from burst import at_once
from churn import Load
from harness import AT_ONCE_S, Function, Platform, eventually
from test_scaling import slow_body

pytestmark = pytest.mark.alone


@pytest.fixture
def small_platform(tmp_path: Path) -> Iterator[Platform]:
    """A machine with room for one or two instances of a small model."""
    small = Platform(tmp_path).start("--memory-mib", "64")
    yield small
    small.stop()


@pytest.fixture
def iris_body(cases) -> dict:
    """One row of iris."""
    return wire.by_name(cases["iris-matrix"].call("one").inputs)


def ready(function: Function) -> list[dict]:
    """Its instances that take calls."""
    return [instance for instance in function.instances() if instance["state"] == "ready"]


def test_the_minimum_is_there_without_a_call_comes_again_and_moves_with_the_live_version(own_platform, cases):
    case = cases["iris-matrix"]
    settings = {"min_instances": 1, "idle_timeout_ms": 300}
    iris = own_platform.deploy(case, "iris", **settings)
    (first,) = eventually(lambda: ready(iris), what="the minimum is ready, nobody has called")
    os.kill(first["pid"], signal.SIGKILL)
    eventually(lambda: [i for i in ready(iris) if i["id"] != first["id"]], what="it is replaced")
    own_platform.deploy(case, "iris", **settings, queue_limit=7)
    eventually(lambda: {i["version"] for i in ready(iris)} == {2}, what="only the live version has a minimum")
    own_platform.stop()
    own_platform.start()
    again = Function(own_platform, "iris", {})
    eventually(lambda: ready(again), what="the minimum is there after a restart")


def test_calls_beyond_the_rate_are_throttled_and_told_when_to_come_back(function, iris_body):
    iris = function("iris-matrix", "throttled", rate_limit_per_s=2, rate_burst=3)
    begin = time.monotonic()
    answers = at_once(iris, [iris_body] * 10)
    took_s = time.monotonic() - begin
    refused = [answer for answer in answers if answer.status == 429]
    served = sum(answer.status == 200 for answer in answers)
    assert served + len(refused) == 10
    assert 3 <= served <= 3 + 2 * took_s, "three at once, and two more for each second that they took to come"
    for answer in refused:
        assert answer.error["code"] == "throttled"
        assert "rate_limit_per_s = 2" in answer.error["message"]
        assert int(answer.headers["retry-after"]) == 1
    time.sleep(1)
    assert iris.post(iris_body).status_code == 200


def test_recycled_instances_lose_no_call(function, iris_body):
    iris = function("iris-matrix", "recycled", recycle_calls=10, max_instances=2)
    answers = [answer for _ in range(5) for answer in at_once(iris, [iris_body] * 20)]
    assert {answer.status for answer in answers} == {200}
    served: dict[str, int] = {}
    for answer in answers:
        served[answer.headers["x-modelet-instance"]] = served.get(answer.headers["x-modelet-instance"], 0) + 1
    assert max(served.values()) <= 10, served
    assert len(served) >= 10


def test_what_can_never_fit_is_refused_at_once_and_says_which_setting(small_platform, cases, iris_body):
    case = cases["iris-matrix"]
    reserved = small_platform.deploy(case, "reserved", reserved_instances=2)
    other = small_platform.deploy(case, "other")
    begin = time.monotonic()
    answer = other.post(iris_body)
    assert time.monotonic() - begin < AT_ONCE_S
    assert answer.status_code == 503, answer.text
    error = answer.json()["error"]
    assert error["code"] == "machine-full"
    assert "--memory-mib = 64" in error["message"]
    assert reserved.post(iris_body).status_code == 200, "what is kept is there"


def test_a_burst_that_holds_the_memory_does_not_starve_a_trickle(small_platform, cases, iris_body):
    burst = small_platform.deploy(cases["slow"], "burst", concurrency=1, max_instances=4)
    trickle = small_platform.deploy(cases["iris-matrix"], "trickle")
    body = slow_body(burst, 0.2)
    loads = [Load(burst, lambda: (body, {})) for _ in range(8)]
    eventually(burst.waiting, what="the burst takes all there is")
    assert trickle.post(iris_body).status_code == 200, "though the burst goes on for as long as nobody ends it"
    for load in loads:
        load.end()
        assert not load.mistakes, load.mistakes


def test_a_deploy_that_asks_for_more_than_the_machine_has_warns_and_is_deployed(small_platform, cases, iris_body):
    """What is asked, what there is, what to do; all the same it answers."""
    case = cases["iris-matrix"]
    fits = small_platform.deploy(case, "fits", min_instances=1)
    assert "warning" not in fits.card
    folder = small_platform.work / "staged" / "fits"
    done = small_platform.cli("deploy", folder, "--name", "greedy", "--set", "reserved_instances=3")
    warning = next(line for line in done.stderr.splitlines() if line.startswith("warning: "))
    asked, budget, kept = map(int, re.search(r"about (\d+) MiB, .* = (\d+) MiB (\d+) are kept", warning).groups())
    assert (budget, asked > budget, 0 < kept < budget) == (64, True, True), warning
    assert "3 instances" in warning
    assert "--memory-mib" in warning
    assert "greedy" in small_platform.functions()
    assert fits.post(iris_body).status_code == 200
    small_platform.cli("delete", "fits", "--yes")
    assert Function(small_platform, "greedy", {}).post(iris_body).status_code == 200
