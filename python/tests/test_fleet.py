"""A thousand functions on one machine: what they cost while idle, and what happens when all are called."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import re
import time
from pathlib import Path

import pytest
from fleet import clone
from harness import Platform, eventually
from processes import descendants

pytestmark = pytest.mark.alone

FUNCTIONS = 1_000
#: SPECIFICATION.md: the whole platform with a thousand idle functions.
IDLE_LIMIT_MIB = 60
#: The first calls are spread over this time.
SPREAD_S = 60
#: Clients that call.
CALLERS = 64


def resident_mib(pid: int) -> float:
    """What a process adds to the machine's memory: its own pages, and its part of those that it shares (Pss); 0 of one that is
    gone."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return int(re.search(r"^Pss:\s+(\d+)", rollup, re.M)[1]) / 1024


def idle_mib(platform: Platform) -> float:
    """What the platform and all that come of it hold."""
    processes = [platform.pid, *descendants(platform.pid)]
    resident = sum(map(resident_mib, processes))
    print(f"{FUNCTIONS} idle functions: {len(processes)} processes, {resident:.1f} MiB")
    return resident


def test_a_thousand_functions_cost_little_while_idle_and_all_answer_when_called(own_platform: Platform, cases):
    first = own_platform.deploy(cases["iris-matrix"], "iris")
    functions = clone(first, [f"iris-{n}" for n in range(FUNCTIONS - 1)])
    eventually(lambda: descendants(own_platform.pid), what="a stem cell")
    time.sleep(1)  # in which it has prepared itself
    # What the deploys took for themselves is given back a moment after them.
    eventually(lambda: idle_mib(own_platform) <= IDLE_LIMIT_MIB, what=f"at most {IDLE_LIMIT_MIB} MiB")

    rows = cases["iris-matrix"].calls[0].inputs["X"][:1].tolist()

    body = json.dumps({"inputs": rows})
    begun = time.monotonic()

    def call(n: int) -> tuple[int, str, float]:
        time.sleep(max(0.0, begun + n * SPREAD_S / len(functions) - time.monotonic()))
        started = time.monotonic()
        connection = http.client.HTTPConnection(own_platform.url.removeprefix("http://"), timeout=60)
        connection.request("POST", functions[n].path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text, time.monotonic() - started

    with concurrent.futures.ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(call, range(len(functions))))
    failures = [answer for answer in answers if answer[0] != 200]
    assert not failures, (len(failures), failures[:3])
    times = sorted(took for _, _, took in answers)
    print(f"first calls: p50 {times[len(times) // 2] * 1e3:.1f} ms, p99 {times[len(times) * 99 // 100] * 1e3:.1f} ms")
