"""`/metrics` tells what really happened: calls by how they ended, instances by why they ended, and what there is now."""

from __future__ import annotations

import os
import signal

import httpx
import pytest
import wire
from burst import in_background
from harness import Function, Platform, eventually
from processes import NEVER_STUCK, held_still
from test_scaling import ENDLESS, loops, warm

INVOCATIONS = "modelet_invocations_total"
DURATION = "modelet_invocation_duration_seconds"
ENDS = "modelet_instance_ends_total"


@pytest.fixture
def iris_body(cases) -> dict:
    """One row of iris."""
    return wire.by_name(cases["iris-matrix"].call("one").inputs)


def ends(platform: Platform, name: str) -> dict[str, float]:
    """How many instances of a function ended, by why."""
    return platform.metrics().by("reason", ENDS, function=name)


def test_calls_are_counted_by_their_outcome_and_their_time(own_platform, cases, iris_body):
    iris = own_platform.deploy(cases["iris-matrix"], "iris")
    assert own_platform.metrics().total(INVOCATIONS) == 0
    for _ in range(5):
        assert iris.post(iris_body).status_code == 200
    for _ in range(2):
        assert iris.post({"inputs": {}}).status_code == 400
    metrics = own_platform.metrics()
    assert metrics.by("outcome", INVOCATIONS, function="iris") == {"ok": 5, "function_error": 2}
    assert metrics.total("modelet_cold_starts_total", function="iris") == 1
    assert metrics.total("modelet_instance_starts_total", function="iris") == 1
    assert metrics.total(f"{DURATION}_count", function="iris") == 7
    buckets = [value for name, _, value in metrics.samples if name == f"{DURATION}_bucket"]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 7, "the last bucket has all"
    usage = own_platform.cli_json("usage", "iris")["total"]
    assert 0 < metrics.total(f"{DURATION}_sum", function="iris") < 7 * 60
    assert usage["invocations"] == 7
    assert metrics.total("modelet_records_lost_total") == 0


def test_instances_that_end_are_counted_by_why(own_platform, cases, iris_body):
    """Idle, killed, recycled, not started, a call that timed out, taken out of service: each where it belongs."""
    case = cases["iris-matrix"]
    idle = own_platform.deploy(case, "idle", idle_timeout_ms=100)
    killed = own_platform.deploy(case, "killed")
    recycled = own_platform.deploy(case, "recycled", recycle_calls=2)
    late = own_platform.deploy(cases["slow-load"], "late", load_timeout_ms=100)
    slow = own_platform.deploy(cases["slow"], "slow", request_timeout_ms=500)
    for function in (idle, killed, recycled, recycled):
        assert function.post(iris_body).status_code == 200
    os.kill(killed.instances()[0]["pid"], signal.SIGKILL)
    assert slow.post(ENDLESS).status_code == 504
    assert late.post(wire.by_name(cases["slow-load"].call("one").inputs)).status_code == 503
    told = {
        "idle": {"idle": 1},
        "killed": {"crashed": 1},
        "recycled": {"recycled": 1},
        "slow": {"request-timeout": 1},
        "late": {"load-timeout": 1},
    }
    for name, expected in told.items():
        eventually(lambda name=name, expected=expected: ends(own_platform, name) == expected, what=f"{name}: {expected}")


def test_a_model_that_cannot_be_loaded_is_a_start_that_failed(own_platform, cases, iris_body):
    iris = own_platform.deploy(cases["iris-matrix"], "iris")
    iris.damage()
    answer = iris.post(iris_body)
    assert answer.status_code == 503, answer.text
    assert answer.json()["error"]["code"] == "start-failed"
    eventually(lambda: ends(own_platform, "iris") == {"start-failed": 1}, what="its end")
    assert own_platform.metrics().by("outcome", INVOCATIONS, function="iris") == {"platform_error": 1}


def test_what_there_is_now_is_told_and_a_deleted_function_is_gone(own_platform, cases):
    slow = own_platform.deploy(cases["slow"], "slow", max_instances=1, concurrency=1, **NEVER_STUCK)

    def now() -> tuple[float, ...]:
        metrics = own_platform.metrics()
        ready = metrics.total("modelet_instances", function="slow", state="ready")
        gauges = ("modelet_calls_in_flight", "modelet_calls_waiting")
        return (ready, *(metrics.total(gauge, function="slow") for gauge in gauges))

    with held_still(warm(slow)):
        calls = [in_background(slow, loops(1)) for _ in range(3)]
        eventually(lambda: now() == (1, 1, 2), what="one instance, one call in it, two that wait")
        metrics = own_platform.metrics()
    assert 0 < metrics.total("modelet_memory_charged_bytes") < metrics.total("modelet_memory_budget_bytes")
    assert [call.answer().status_code for call in calls] == [200] * 3
    own_platform.cli("delete", "slow", "--yes")
    assert not [labels for _, labels, _ in own_platform.metrics().samples if labels.get("function") == "slow"]


def test_a_restart_begins_to_count_anew(own_platform, cases, iris_body):
    """As Prometheus expects of counters; what a killed run left in the journal is not counted to the next."""
    iris = own_platform.deploy(cases["iris-matrix"], "iris")
    for _ in range(3):
        assert iris.post(iris_body).status_code == 200
    own_platform.kill()
    own_platform.start()
    assert own_platform.metrics().total(INVOCATIONS) == 0
    assert Function(own_platform, "iris", {}).post(iris_body).status_code == 200
    assert own_platform.metrics().total(INVOCATIONS, function="iris") == 1


def test_metrics_are_kept_from_web_pages_and_described(platform):
    """The rules of the admin API: no foreign origin, no foreign host, in the description."""
    assert platform.http.get("/metrics").headers["content-type"] == "text/plain; version=0.0.4"
    for headers in ({"origin": "http://evil.example"}, {"host": "evil.example"}):
        assert httpx.get(f"{platform.url}/metrics", headers=headers, trust_env=False).status_code == 403
    assert "/metrics" in platform.http.get("/openapi.json").json()["paths"]
