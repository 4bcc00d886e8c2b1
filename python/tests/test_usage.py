"""The meter: every answered call is recorded once, whatever is killed; phases add up; cold starts are explained."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import threading
import time
from collections import Counter

import httpx
import pytest
import wire
from harness import Platform, eventually

#: Times the platform is killed.
ROUNDS = 6
#: Clients that call meanwhile.
CLIENTS = 4


@pytest.fixture
def iris_body(cases) -> dict:
    """One row of iris."""
    return wire.by_name(cases["iris-matrix"].call("one").inputs)


def records(platform: Platform, name: str, kind: str) -> list[dict]:
    """Every record of a kind in the log of a function."""
    rows, after = [], 0
    while page := platform.http.get(f"/api/v1/functions/{name}/logs?after={after}&limit=10000").json()["rows"]:
        rows += page
        after = page[-1]["seq"]
    return [row for row in rows if row["kind"] == kind]


def usage(platform: Platform, name: str) -> dict:
    """What a function used in the last hours."""
    return platform.cli_json("usage", name, "--hours", "48")["total"]


def timing(answer: httpx.Response) -> dict[str, float]:
    """The durations of a Server-Timing header."""
    return {name: float(ms) for name, ms in re.findall(r"([a-z_]+);dur=([0-9.]+)", answer.headers["server-timing"])}


class Caller(threading.Thread):
    """Calls until the platform is gone, and notes the id of every answer."""

    def __init__(self, url: str, path: str, body: dict):
        super().__init__(daemon=True)
        self.url, self.path, self.body = url, path, body
        self.answered: list[str] = []
        self.start()

    def run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=60, trust_env=False) as client:
            while True:
                try:
                    answer = client.post(self.path, json=self.body)
                except httpx.TransportError:
                    return
                assert answer.status_code == 200, answer.text
                self.answered.append(answer.headers["x-modelet-invocation"])


def test_kills_leave_no_answered_call_unrecorded_and_none_twice(own_platform, cases, iris_body):
    """kill -9 at random moments under load: ids in the log are those answered, once each, and usage is their sum."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    iris = own_platform.deploy(cases["iris-matrix"], "iris", max_instances=1)
    answered: list[str] = []
    for _ in range(ROUNDS):
        callers = [Caller(own_platform.url, iris.path, iris_body) for _ in range(CLIENTS)]
        eventually(lambda callers=callers: all(caller.answered for caller in callers), what="an answer for each client")
        time.sleep(moments.uniform(0.0, 0.6))
        own_platform.kill()
        for caller in callers:
            caller.join(60)
            assert not caller.is_alive()
            answered += caller.answered
        own_platform.start()
    logged = records(own_platform, "iris", "invocation")
    times = Counter(record["id"] for record in logged)
    assert set(answered) <= set(times), f"{len(set(answered) - set(times))} answered calls are missing"
    assert set(times.values()) == {1}
    assert len(times) - len(answered) <= ROUNDS * CLIENTS, "only those that were under way at a kill may be more"
    total = usage(own_platform, "iris")
    assert total["invocations"] == len(times)
    assert total["billed_ms"] == sum(record["billed_ms"] for record in logged)
    assert total["billed_mib_ms"] == sum(record["billed_ms"] * record["memory_mib"] for record in logged)
    assert min(record["billed_ms"] for record in logged) >= 1
    # An instance was there at each kill, and the next start has closed its account.
    cut_off = [record for record in records(own_platform, "iris", "instance") if "platform ended" in record["end"]]
    assert len(cut_off) == total["instances"] == ROUNDS
    assert own_platform.cli_json("usage", "iris")["lost_records"] == 0


def test_server_timing_has_the_phases_and_they_add_up(own_platform, cases, iris_body):
    """On a cold, a warm and a failed call."""
    iris = own_platform.deploy(cases["iris-matrix"], "iris")
    cold, warm = iris.post(iris_body), iris.post(iris_body)
    bad, missing = iris.post({"inputs": {}}), own_platform.http.post("/fn/no-such", json={})
    assert (bad.status_code, missing.status_code) == (400, 404)
    for answer in (cold, warm, bad, missing):
        found = timing(answer)
        parts = sum(found[name] for name in ("receive", "queue", "start", "load", "instance"))
        assert abs(parts - found["total"]) <= 0.01, found
        assert found["inference"] <= found["instance"]
    cold_timing, warm_timing = timing(cold), timing(warm)
    assert cold_timing["load"] > 0
    assert cold_timing["start"] > 0
    assert cold_timing["first_inference"] == cold_timing["inference"] > 0
    assert (warm_timing["start"], warm_timing["load"], "first_inference" in warm_timing) == (0, 0, False)
    for name in ("decode", "encode", "cpu"):
        assert warm_timing[name] > 0, name
    first, second, third = records(own_platform, "iris", "invocation")
    assert first["cold_start"]
    assert first["billed_ms"] >= first["phases"]["load_ms"] + first["phases"]["handler_ms"]
    assert first["phases"]["first_inference"]
    assert not second["cold_start"]
    assert second["billed_ms"] - 1 < second["phases"]["handler_ms"] <= second["billed_ms"]
    assert third["outcome"] == "function_error"
    assert third["cpu_ms"] > 0
    total = usage(own_platform, "iris")
    assert (total["invocations"], total["errors_function"], total["cold_starts"]) == (3, 1, 1)
    assert total["request_bytes"] == sum(record["request_bytes"] for record in (first, second, third)) > 0


def test_a_load_is_billed_once_however_many_wait_for_it(own_platform, cases, iris_body):
    """Calls that wait for one instance: all are cold, one has paid for the load."""
    iris = own_platform.deploy(cases["iris-matrix"], "iris", max_instances=1)
    with httpx.Client(base_url=own_platform.url, timeout=60, trust_env=False) as client:
        call = {"target": client.post, "args": (iris.path,), "kwargs": {"json": iris_body}}
        threads = [threading.Thread(**call) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    calls = records(own_platform, "iris", "invocation")
    assert len(calls) == 8
    (first,) = [call for call in calls if call["phases"]["first_inference"]]
    assert first["billed_ms"] - 1 < first["phases"]["load_ms"] + first["phases"]["handler_ms"] <= first["billed_ms"]
    for call in calls:
        if call is not first:
            assert call["billed_ms"] - 1 < call["phases"]["handler_ms"] <= call["billed_ms"]
    assert len(own_platform.cli_json("why-slow", "iris")["cold_starts"]) == 1


def test_instances_have_an_account_that_adds_up(own_platform, cases, iris_body):
    """Loading, serving and idle time of an instance are its life; usage has them when it has ended."""
    iris = own_platform.deploy(cases["iris-matrix"], "iris", idle_timeout_ms=3_000)
    for _ in range(3):
        assert iris.post(iris_body).status_code == 200
    (record,) = eventually(lambda: records(own_platform, "iris", "instance"), what="the account of the instance")
    assert record["end"] == "stopped: idle"
    assert record["calls"] == 3
    assert record["peak_memory_kib"] > 1_000
    life_ms = record["at_ms"] - record["started_at_ms"]
    # Both ends are noted on another clock, a moment earlier and later: longer when others compute just then.
    assert -250 <= record["loading_ms"] + record["serving_ms"] + record["idle_ms"] - life_ms <= 5
    assert record["loading_ms"] > 0
    assert record["idle_ms"] >= 2_999
    total = usage(own_platform, "iris")
    for name in ("loading_ms", "serving_ms", "idle_ms"):
        assert total[name] == record[name]
    assert total["instances"] == 1


def test_usage_outlives_its_function_and_is_told_by_the_hour(own_platform, cases, iris_body):
    """Deleted, its log is gone and its bill is not."""
    iris = own_platform.deploy(cases["iris-matrix"], "iris")
    assert iris.post(iris_body).status_code == 200
    before = usage(own_platform, "iris")
    own_platform.cli("delete", "iris", "--yes")
    after = usage(own_platform, "iris")
    assert after["invocations"] == before["invocations"] == 1
    assert after["idle_ms"] >= before["idle_ms"]
    for by in ("hour", "day"):
        page = own_platform.cli_json("usage", "--by", by)
        assert sum(row["invocations"] for row in page["rows"]) == page["total"]["invocations"] == 1
        assert {row["from_ms"] % 3_600_000 for row in page["rows"]} == {0}
    assert "iris" in own_platform.cli("usage").stdout
    refused = own_platform.cli("usage", "no-such", check=False)
    assert refused.returncode == 1
    assert "function-not-found" in refused.stderr


def test_why_slow_shows_a_waterfall_and_names_the_largest_part(own_platform, cases, iris_body):
    """The part with the most of the time, in words, with something to do."""
    iris = own_platform.deploy(cases["iris-matrix"], "iris")
    assert "no call of iris has waited" in own_platform.cli("why-slow", "iris").stderr
    answer = iris.post(iris_body)
    told = own_platform.cli_json("why-slow", "iris")
    (call,) = told["cold_starts"]
    assert call["id"] == answer.headers["x-modelet-invocation"]
    phases = call["phases"]
    parts = {
        "receive": phases["receive_ms"],
        "queue": phases["queue_ms"],
        "start": phases["start_ms"],
        "load": phases["load_ms"],
        "first_inference": phases["inference_ms"],
        "rest": phases["handler_ms"] - phases["inference_ms"],
    }
    assert told["largest"]["part"] == max(parts, key=parts.get)
    assert told["advice"]
    text = own_platform.cli("why-slow", "iris", "-n", "3").stdout
    assert "largest: " in text
    assert "█" in text
    assert json.dumps(call["id"]).strip('"') in text
    assert told["advice"][0] in text


def test_why_slow_shows_starts_that_failed_with_how_far_they_came(own_platform, cases, iris_body):
    """A model that cannot be loaded, and one that is not loaded in time: the phase, the code, what to do."""
    broken = own_platform.deploy(cases["iris-matrix"], "broken")
    late = own_platform.deploy(cases["slow-load"], "late", load_timeout_ms=100)
    assert broken.post(iris_body).status_code == 200
    os.kill(broken.instances()[0]["pid"], signal.SIGKILL)
    eventually(lambda: not broken.instances(), what="it is gone")
    broken.damage()
    assert broken.post(iris_body).json()["error"]["code"] == "start-failed"
    assert late.post(wire.by_name(cases["slow-load"].call("one").inputs)).json()["error"]["code"] == "load-timeout"
    for name, code in (("broken", "start-failed"), ("late", "load-timeout")):

        def told(name=name) -> dict | None:
            page = own_platform.cli_json("why-slow", name)
            return page if page["failed_starts"] else None

        page = eventually(told, what=f"the failed start of {name}")
        failure = page["failed_starts"][0]["failure"]
        assert (failure["phase"], failure["code"]) == ("load", code)
        assert name in failure["message"]
        assert page["failed_starts"][0]["loading_ms"] >= (100 if name == "late" else 0)
        assert len(page["cold_starts"]) == (1 if name == "broken" else 0)
        text = own_platform.cli("why-slow", name).stdout
        assert f"while it loaded: {code}" in text
        assert f"modelet explain {code}" in text
