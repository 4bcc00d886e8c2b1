"""From zero and back to zero, under bursts, kills and deadlines: no call is lost, none hangs, limits hold."""

from __future__ import annotations

import os
import re
import signal
import time

import httpx
import pytest
import wire
from burst import Pending, at_once, in_background
from harness import AT_ONCE_S, PATIENCE_S, Function, Platform, eventually
from processes import NEVER_STUCK, computing, descendants, held_still, is_running

pytestmark = pytest.mark.alone


@pytest.fixture
def iris_body(cases) -> dict:
    """One row of iris."""
    return wire.by_name(cases["iris-matrix"].call("one").inputs)


def slow_body(function: Function, seconds: float) -> dict:
    """A body for the `slow` model that takes about this long on this machine, and longer where others compute too: the
    quickest of some calls tells how quick it is."""
    probe, taken = 250, []
    for _ in range(4):  # the first one pays for the start
        begin = time.monotonic()
        assert function.post(loops(probe)).status_code == 200
        taken.append(time.monotonic() - begin)
    return loops(int(probe * seconds / min(taken)))


def loops(number: int) -> dict:
    """A body for the `slow` model: so much work."""
    return {"inputs": {"loops": number}}


#: Work for minutes, here or on a machine ten times as quick: what gets it runs into its timeout.
ENDLESS = loops(1_000_000)


def warm(function: Function) -> dict:
    """The one instance of a function of the `slow` model, which it starts with a call that is over in no time."""
    assert function.post(loops(1)).status_code == 200
    (instance,) = function.instances()
    return instance


def ended(calls: list[Pending]) -> list[Pending]:
    """Those that have their answer."""
    return [call for call in calls if not call.is_waiting]


def test_nothing_runs_before_the_first_call_and_nothing_after_the_idle_timeout(function, iris_body):
    """Zero, one held call, one instance, zero again."""
    iris = function("iris-matrix", "idle-soon", idle_timeout_ms=3_000)
    assert iris.instances() == []
    assert iris.post(iris_body).status_code == 200
    (instance,) = iris.instances()
    assert is_running(instance["pid"])
    eventually(lambda: not iris.instances(), what="no instance after the idle timeout")
    eventually(lambda: not is_running(instance["pid"]), what="its process is gone")
    assert iris.post(iris_body).status_code == 200, "and from zero again"


def test_an_instance_that_is_used_is_not_stopped_as_idle(function):
    """A call longer than the idle timeout is answered by the instance that began it."""
    slow = function("slow", "slow-idle-soon", idle_timeout_ms=300)
    answer = slow.post(slow_body(slow, 1.5))
    assert answer.status_code == 200
    assert answer.headers["x-modelet-instance"]


def test_a_thousand_calls_at_zero_are_all_answered_by_one_wave_of_starts(function, cases, iris_body):
    """S44: 1,000 at once, four instances at most, a queue of 1,000: every call 200 with its own answer."""
    iris = function("iris-matrix", "thousand", max_instances=4, queue_limit=1_000)
    assert iris.instances() == []
    inputs = cases["iris-matrix"].call("batch32")
    bodies = [{"inputs": {"X": [inputs.inputs["X"][i % 32].tolist()]}} for i in range(1_000)]
    answers = at_once(iris, bodies)
    assert {answer.status for answer in answers} == {200}
    used = {answer.headers["x-modelet-instance"] for answer in answers}
    exist = {instance["id"] for instance in iris.instances()}
    assert len(used | exist) <= 4
    for i, answer in enumerate(answers):
        found = wire.strict_json(answer.body)["outputs"]["label"]
        assert found == [inputs.outputs["label"][i % 32].item()], f"call {i} got the answer of another"


def test_calls_beyond_the_queue_are_refused_at_once(function):
    """One instance, one call at a time, five may wait: the others get 429 and are told when to come back."""
    slow = function("slow", "small-queue", max_instances=1, concurrency=1, queue_limit=5, **NEVER_STUCK)
    with held_still(warm(slow)):
        calls = [in_background(slow, loops(1)) for _ in range(20)]
        refused = eventually(lambda: found if len(found := ended(calls)) >= 14 else None, what="all but six have an answer")
    statuses = [call.answer().status_code for call in calls]
    assert (statuses.count(200), statuses.count(429)) == (6, 14), "one in the instance, five that wait"
    for answer in (call.answer() for call in refused):
        assert int(answer.headers["retry-after"]) >= 1
        error = answer.json()["error"]
        assert error["code"] == "queue-full"
        assert "queue_limit" in error["message"] + error["hint"]


def test_more_calls_than_one_instance_takes_start_more_but_never_past_the_limit(function):
    """Two instances at most, one call each: never more than two at any moment we look, and the second serves while the
    first has a call that does not end."""
    slow = function("slow", "two-at-most", max_instances=2, concurrency=1, **NEVER_STUCK)
    looks = []

    def all_but_one(calls: list[Pending]) -> bool:
        looks.append(len(slow.instances()))
        return len(ended(calls)) == len(calls) - 1

    with held_still(warm(slow)):
        calls = [in_background(slow, loops(1)) for _ in range(6)]
        eventually(lambda: all_but_one(calls), what="five are served by the other instance")
    assert [call.answer().status_code for call in calls] == [200] * 6
    assert max(looks) == 2


def test_a_killed_instance_fails_its_call_at_once_and_the_next_is_fine(function):
    """S32: kill -9 during a call: 502 that names the instance, without a wait; then a new instance serves."""
    slow = function("slow", "killed", max_instances=1)
    call = in_background(slow, ENDLESS)
    victim = computing(slow)
    os.kill(victim["pid"], signal.SIGKILL)
    answer = call.answer(AT_ONCE_S)
    assert answer.status_code == 502
    error = answer.json()["error"]
    assert error["code"] == "instance-died"
    assert victim["id"] in error["message"]
    after = slow.post(loops(1))
    assert after.status_code == 200
    assert after.headers["x-modelet-instance"] != victim["id"]


def test_a_call_past_its_timeout_is_a_504_that_names_the_setting(function):
    """The deadline is the call's: 504 soon after it, and the next short call is fine."""
    slow = function("slow", "short-timeout", request_timeout_ms=1_500)
    assert slow.post(loops(1)).status_code == 200
    begin = time.monotonic()
    answer = slow.post(ENDLESS)
    assert 1.5 <= time.monotonic() - begin < 1.5 + AT_ONCE_S
    assert answer.status_code == 504
    error = answer.json()["error"]
    assert error["code"] == "request-timeout"
    assert "request_timeout_ms" in error["message"] + error["hint"]
    assert slow.post(loops(1)).status_code == 200


def test_a_call_that_takes_too_much_memory_fails_alone(function):
    """Past `memory_mib` the instance is stopped; the call says so, the platform and the next call live."""
    hungry = function("hungry", memory_mib=256)
    assert hungry.post({"inputs": {"mib": [1]}}).status_code == 200
    answer = hungry.post({"inputs": {"mib": [4_000]}})
    assert answer.status_code in (500, 502), answer.text
    error = answer.json()["error"]
    assert error["code"] in ("out-of-memory", "prediction-failed"), error
    assert hungry.post({"inputs": {"mib": [1]}}).status_code == 200


def test_after_kill_9_of_the_platform_all_functions_answer_and_no_orphan_remains(own_platform, cases, iris_body):
    """What was deployed is deployed; instances of the dead platform are gone."""
    own_platform.deploy(cases["iris-matrix"], "iris")
    text = own_platform.deploy(cases["passthrough"], "text")
    inputs = wire.by_name(cases["passthrough"].call("edge").inputs)
    assert text.post(inputs).status_code == 200
    orphans = descendants(own_platform.pid)
    assert orphans, "an instance ran"
    own_platform.kill()
    eventually(lambda: not any(map(is_running, orphans)), what="instances end with their platform")
    own_platform.start()
    assert own_platform.functions() == ["iris", "text"]
    assert Function(own_platform, "iris", {}).post(iris_body).status_code == 200
    answer = text.post(inputs)
    assert answer.status_code == 200
    assert answer.headers["x-modelet-version"] == "1"


def test_sigterm_lets_the_call_in_flight_end(own_platform, cases):
    """S56: an accepted call is answered, a new one is refused or not accepted, exit code 0."""
    slow = own_platform.deploy(cases["slow"], "slow")
    call = in_background(slow, slow_body(slow, 2))
    computing(slow)
    left = descendants(own_platform.pid)
    own_platform.process.send_signal(signal.SIGTERM)
    # One that comes before the signal is heard is answered as the first is.
    eventually(lambda: is_refused(slow), what="a new call is refused")
    assert call.answer().status_code == 200
    own_platform.stop()
    assert own_platform.process.returncode == 0
    eventually(lambda: not any(map(is_running, left)), what="nothing of it is left")


def is_refused(function: Function) -> bool:
    """True when a new call gets 503, or its connection is not accepted, which is as good."""
    try:
        answer = httpx.post(function.platform.url + function.path, json=loops(1), timeout=PATIENCE_S, trust_env=False)
        return answer.status_code == 503
    except httpx.TransportError:
        return True


def test_a_second_platform_on_the_same_data_is_refused_with_the_first_ones_pid(own_platform):
    """Two writers on one folder cannot be."""
    second = own_platform.cli("up", "--listen", "127.0.0.1:0", "--data", own_platform.data, check=False)
    assert second.returncode != 0
    assert re.search(rf"\b{own_platform.pid}\b", second.stderr)
    assert "data-in-use" in second.stderr
    assert own_platform.http.get("/v2/health/live").status_code == 200


def test_a_redeploy_under_load_loses_no_call(own_platform: Platform, cases, iris_body, tmp_path):
    """Calls before, while and after version 2 goes live are all answered; those after it by version 2."""
    iris = own_platform.deploy(cases["iris-matrix"], "iris")
    assert iris.post(iris_body).status_code == 200
    calls = [in_background(iris, iris_body) for _ in range(20)]
    own_platform.deploy(cases["iris-zipmap-numbers"], "iris")
    calls += [in_background(iris, iris_body) for _ in range(20)]
    answers = [call.answer() for call in calls]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["x-modelet-version"] for answer in answers[20:]} == {"2"}
