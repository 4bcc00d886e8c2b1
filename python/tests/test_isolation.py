"""Isolation as a user chooses it: `up --isolation`, `isolation` in a manifest, and what describe and doctor say of it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import wire
from harness import Function, Platform, find_binary


@pytest.fixture
def iris_body(cases) -> dict:
    """One row of iris."""
    return wire.by_name(cases["iris-matrix"].call("one").inputs)


@pytest.fixture
def forced() -> int:
    """A rung that works here and is not the strongest."""
    return max(2, best_rung())


@pytest.fixture
def weak_platform(tmp_path: Path, forced: int) -> Iterator[Platform]:
    """A platform that uses this rung and no other."""
    weak = Platform(tmp_path).start("--isolation", str(forced))
    yield weak
    weak.stop()


def best_rung() -> int:
    """What doctor says that instances get."""
    done = subprocess.run([find_binary(), "doctor", "--json"], check=True, capture_output=True, timeout=60)
    (found,) = [check["found"] for check in json.loads(done.stdout) if check["name"] == "isolation"]
    return int(re.match(r"instances get (\d)", found)[1])


def rung(function: Function) -> int:
    """The rung of its instance, as described for people; the JSON says the same."""
    (instance,) = function.platform.cli_json("describe", function.name)["instances"]
    (told,) = re.findall(r"instance .*, isolation (\d)", function.platform.cli("describe", function.name).stdout)
    assert int(told) == instance["isolation"]
    return int(told)


def test_the_rung_that_is_forced_is_the_one_that_instances_get(weak_platform, cases, forced, iris_body):
    """Also one that is no stem cell, and one whose manifest would do with less."""
    plain = weak_platform.deploy(cases["iris-matrix"], "plain")
    own_process = weak_platform.deploy(cases["iris-matrix"], "own", {"env": {"MODE": "x"}})
    for function in (plain, own_process):
        assert function.post(iris_body).status_code == 200
        assert rung(function) == forced


def test_a_function_that_demands_more_than_the_platform_gives_is_told_what_to_do(
    weak_platform, cases, forced, iris_body
):
    strict = weak_platform.deploy(cases["iris-matrix"], "strict", {"isolation": forced - 1})
    answer = strict.post(iris_body)
    assert answer.status_code == 503, answer.text
    error = answer.json()["error"]
    assert error["code"] == "isolation-unavailable"
    assert f"isolation {forced - 1} or better is needed" in error["message"]
    assert f"--isolation {forced}" in error["message"]
    assert "modelet doctor" in error["hint"]
    assert "modelet up --isolation" in weak_platform.cli("explain", error["code"]).stdout
    (failed,) = weak_platform.cli_json("why-slow", "strict")["failed_starts"]
    assert (failed["failure"]["phase"], failed["failure"]["code"]) == ("start", "isolation-unavailable")
    content = weak_platform.deploy(cases["iris-matrix"], "content", {"isolation": 4})
    assert content.post(iris_body).status_code == 200
    assert rung(content) == forced


def test_doctor_and_describe_agree_on_the_best_rung(own_platform, cases, iris_body):
    """Without a word about it an instance gets the best that the machine has, also when its manifest would do with less."""
    best = best_rung()
    for name, manifest in {"silent": {}, "content": {"isolation": 4}, "strict": {"isolation": best}}.items():
        function = own_platform.deploy(cases["iris-matrix"], name, manifest)
        assert function.post(iris_body).status_code == 200
        assert rung(function) == best


def test_a_rung_that_there_is_not_is_refused_by_name(own_platform, cases):
    done = own_platform.cli("up", "--isolation", "5", "--data", own_platform.work / "other", check=False)
    assert done.returncode == 2
    assert "the rungs are 1 (the strongest) to 4" in done.stderr
    with pytest.raises(AssertionError, match="the rungs are 1"):
        own_platform.deploy(cases["iris-matrix"], "none", {"isolation": 0})
