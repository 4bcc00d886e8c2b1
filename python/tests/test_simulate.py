"""`modelet simulate` as people and scripts use it: formats, figures, the sentence, errors. It needs no platform."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from harness import find_binary

#: A call of a tenth of a second every two minutes.
EVERY_TWO_MINUTES = "app,func,end_timestamp,duration\n" + "".join(f"a,f,{1 + n * 120},0.1\n" for n in range(10))


def simulate(*arguments: object, fails: bool = False) -> subprocess.CompletedProcess:
    """Runs the command; `fails` says how it has to end."""
    command = [find_binary(), "simulate", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode != 0) == fails, done.stderr + done.stdout
    return done


def figures(*arguments: object) -> dict:
    return json.loads(simulate(*arguments, "--json").stdout)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "trace.csv"
    path.write_text(EVERY_TWO_MINUTES)
    return path


def test_policies_stand_side_by_side_and_a_sentence_says_what_that_means(trace):
    """The table is data, on stdout; what goes on meanwhile is talk, on stderr."""
    done = simulate(trace, "--policy", "fixed:10m,fixed:60s", "--function-memory-mib", 1024)
    assert "10 calls of 1 function in 18.0 minutes" in done.stdout
    assert "FIXED:10M" in done.stdout and "FIXED:1M" in done.stdout
    assert "fixed:1m against fixed:10m: 10 cold starts instead of 1 (+900.0 %), " in done.stdout
    assert "each further cold start saves 59.9 GiB·s" in done.stdout
    assert "simulating 10 calls, 2 times" in done.stderr


def test_figures_are_exact_and_say_where_memory_went(trace):
    """One cold start of 30 ms, ten calls of 100 ms, idle for the rest up to the end of the last call; 1 GiB."""
    result = figures(trace, "--policy", "fixed", "--function-memory-mib", 1024, "--by", "function")
    [policy] = result["policies"]
    assert (result["calls"], policy["cold_starts"], policy["served"], policy["starts"]) == (10, 1, 10, 1)
    memory = policy["memory_gib_s"]
    assert memory["loading"] == pytest.approx(0.03)
    assert memory["serving"] == pytest.approx(1.0)
    assert memory["idle"] == pytest.approx(9 * 119.9 - 0.03)
    assert memory["total"] == pytest.approx(1080.1)
    assert policy["wait_ms"]["max"] == pytest.approx(30.0)
    assert [function["function"] for function in policy["by_function"]] == ["a/f"]


def test_settings_and_the_machine_are_the_platforms(tmp_path):
    """Two functions in turn on a machine with room for one evict each other; a queue of none refuses."""
    rows = "".join(f"a,{'fg'[n % 2]},{10 + n * 10},1\n" for n in range(6))
    path = tmp_path / "turns.csv"
    path.write_text("app,func,end_timestamp,duration\n" + rows)
    [policy] = figures(path, "--policy", "fixed", "--memory-mib", 128)["policies"]
    assert (policy["evictions"], policy["cold_starts"], policy["peak_instances"]) == (5, 6, 1)

    path.write_text("app,func,end_timestamp,duration\n" + "a,f,10,1\n" * 3)
    limits = ["--set", "max_instances=1", "--set", "concurrency=1", "--set", "queue_limit=0"]
    [policy] = figures(path, "--policy", "hybrid", *limits)["policies"]
    assert (policy["served"], policy["rejected"]) == (1, {"queue-full": 2})


def test_a_made_up_trace_is_the_same_for_the_same_seed():
    """The published table can be made again."""
    made = ["--generate", "azure-like", "--functions", 30, "--days", 1, "--seed", 4]
    first, again = figures(*made), figures(*made)
    assert first == again
    assert first["functions"] == 30
    assert [policy["policy"] for policy in first["policies"]] == ["fixed", "hybrid"]
    assert figures(*made[:-1], 5)["calls"] != first["calls"]


def test_the_other_formats_are_known_by_their_first_line(tmp_path):
    """Arrivals, 2019, our own log."""
    arrivals = tmp_path / "llm.csv"
    arrivals.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n")
    assert figures(arrivals, "--by", "function")["policies"][0]["by_function"][0]["function"] == "llm"

    year = tmp_path / "2019"
    year.mkdir()
    (year / "invocations.csv").write_text("HashOwner,HashApp,HashFunction,Trigger,1,2,3\no,a,f,timer,1,2,0\n")
    assert figures(year)["calls"] == 3

    call = {
        "seq": 1, "kind": "invocation", "id": "01", "function": "iris", "version": 1, "instance": "iris-1-i1",
        "arrived_at_ms": 1_700_000_000_000, "protocol": "fn", "status": 200, "outcome": "ok", "code": None,
        "cold_start": False, "request_bytes": 1, "response_bytes": 1,
        "phases": {"queue_ms": 0.0, "start_ms": 0.0, "handler_ms": 2.5, "total_ms": 3.0},
    }  # fmt: skip
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps(call) + "\n")
    served = figures(log)["policies"][0]
    assert (served["calls"], served["instance_s"]["serving"]) == (1, pytest.approx(0.0025))


def test_errors_name_the_place_and_what_was_expected(tmp_path, trace):
    """Each with a code that can be explained."""
    trace.write_text(EVERY_TWO_MINUTES.replace("a,f,121,0.1", "a,f,121,quick"))
    failed = simulate(trace, fails=True)
    assert f'{trace}:3, column duration: expected a number, 0 or more, found "quick"' in failed.stderr
    assert "modelet explain bad-trace" in failed.stderr
    assert "could not read" in simulate(tmp_path / "none.csv", fails=True).stderr
    assert "the policies are fixed and hybrid" in simulate(trace, "--policy", "lru", fails=True).stderr
    assert "memory_mib" in simulate(trace, "--set", "memory=1", fails=True).stderr
    assert "TRACE" in simulate(fails=True).stderr
