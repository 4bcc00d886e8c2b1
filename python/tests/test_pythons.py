"""Pythons that were started ahead, a function's packages imported: who takes one, who does not, how many there are."""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from functions import SCIENCE, deployed, folder, records
from harness import Function, Platform, eventually
from processes import descendants, is_running

pytestmark = pytest.mark.alone

#: Packages whose import takes most of a start, and a number that no two instances should have in common.
SCIENTIST = """\
import numpy, pandas, sklearn.linear_model

def handler(event, context):
    return numpy.random.random()
"""
HANDLER = "import os\ndef handler(event, context):\n    return os.getpid()\n"
CELL, NEW = "a stem cell", "a new process"
#: Starts of which the median is told.
STARTS = 5


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Platform]:
    """A platform that keeps Pythons for two sets of needs."""
    platform = Platform(tmp_path).start("--pythons", "2")
    yield platform
    platform.stop()


def cold(function: Function) -> tuple[httpx.Response, str]:
    """A call from zero, and what its instance was started from."""
    eventually(lambda: not function.instances(), what="nothing runs")
    answer = function.post({})
    assert answer.status_code == 200, answer.text
    call = answer.headers["x-modelet-invocation"]
    (record,) = eventually(lambda: [row for row in records(function) if row.get("id") == call], what="its record")
    return answer, record["started_from"]


def from_cell(function: Function) -> httpx.Response:
    """A call whose instance was a Python that waited; one may have to be made first."""

    def called() -> httpx.Response | None:
        answer, started_from = cold(function)
        return answer if started_from == CELL else None

    return eventually(called, what="a Python waits for it")


def both_ways(function: Function) -> dict[str, Any]:
    """What it answers from zero, by what its instance was started from."""
    seen: dict[str, Any] = {}

    def both() -> bool:
        answer, started_from = cold(function)
        seen[started_from.partition(":")[0]] = answer.json()
        return {CELL, NEW} <= seen.keys()

    eventually(both, what="it was started in both ways")
    return seen


def waiting(platform: Platform) -> list[int]:
    """The processes of Pythons that wait, while no function has an instance."""

    def is_python(pid: int) -> bool:
        try:
            return b"\0-I\0-S\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return False

    return [pid for pid in descendants(platform.pid) if is_python(pid)]


def total_ms(answer: httpx.Response) -> float:
    """From the request to the answer, as the platform says it."""
    return float(answer.headers["server-timing"].rpartition("total;dur=")[2].split(",")[0])


def test_scikit_learn_answers_from_zero_in_a_part_of_the_time_and_with_randomness_of_its_own(platform, code):
    """Beside it the same code with a secret, which no Python that is started ahead may have."""
    platform.cli("secret", "set", "key", stdin="s3cret")
    ahead = code("pythons-ahead", SCIENTIST, SCIENCE, idle_timeout_ms=0)
    secret = code("pythons-secret", SCIENTIST, SCIENCE, {"secrets": {"KEY": "key"}}, idle_timeout_ms=0)
    of_cells = [from_cell(ahead) for _ in range(STARTS)]
    of_new = []
    for _ in range(STARTS):
        answer, started_from = cold(secret)
        assert started_from == f"{NEW}: it has secrets, or too many or too large files for a Python that was started ahead"
        of_new.append(answer)
    assert len({answer.json() for answer in of_cells + of_new}) == 2 * STARTS, "no two drew the same number"
    cells_ms, new_ms = (statistics.median(map(total_ms, answers)) for answers in (of_cells, of_new))
    print(
        f"scikit-learn and pandas from zero, median of {STARTS}: {cells_ms:.0f} ms, from a new process {new_ms:.0f} ms"
    )
    assert cells_ms < new_ms / 2


def test_code_finds_its_files_and_its_environment_in_a_python_that_waited_as_in_a_new_one(platform):
    """Relative paths, folders, modules beside it, 5 MB of data, variables of the manifest."""
    source = """\
import hashlib, os
from lib import part
LOADED = hashlib.sha256(open("data/big.bin", "rb").read()).hexdigest()
def handler(event, context):
    files = sorted(os.path.join(at, name) for at, _, names in os.walk(".") for name in names)
    return [LOADED, part.N, open("data/deep/er/é.txt").read(), os.environ["MODE"], files, __file__, os.getcwd()]
"""
    files = {
        "app.py": source, "lib/__init__.py": "", "lib/part.py": "N = 3\n", "data/big.bin": os.urandom(5 << 20),
        "data/deep/er/é.txt": "é", "empty.txt": "",
    }  # fmt: skip
    place = folder(platform.work / "code" / "pythons-files", files, {"env": {"MODE": "fast é"}}, idle_timeout_ms=0)
    function = platform.deploy(place, "pythons-files")
    seen = both_ways(function)
    assert seen[CELL] == seen[NEW]
    assert seen[CELL][1:4] == [3, "é", "fast é"]


def test_a_model_that_is_loaded_within_calls_is_loaded_once_in_a_python_that_waited_too(code, platform):
    """Its loader was imported before anybody knew of the code that asks for it."""
    source = """\
import os, joblib, sklearn.linear_model
PATH = os.path.join("/tmp", "model.joblib")
joblib.dump(sklearn.linear_model.LinearRegression(), PATH)
def handler(event, context):
    return joblib.load(PATH) is joblib.load(PATH)
"""
    kept = code("pythons-kept", source, SCIENCE, idle_timeout_ms=0)
    anew = code("pythons-anew", source, SCIENCE, {"python": {"memoize_loaders": False}}, idle_timeout_ms=0)
    assert both_ways(kept) == {CELL: True, NEW: True}
    assert both_ways(anew) == {CELL: False, NEW: False}


def test_functions_with_the_same_needs_share_one_and_only_so_many_are_kept(keeping):
    """What was needed least lately makes room; a stop leaves none behind."""

    def function(name: str, mode: str) -> Function:
        return deployed(keeping, name, HANDLER, manifest={"env": {"MODE": mode}}, idle_timeout_ms=0)

    one = function("one", "1")
    (first,) = eventually(lambda: waiting(keeping), what="one waits from the deploy on")
    same = function("same", "1")
    from_cell(same)
    from_cell(one)
    eventually(lambda: len(waiting(keeping)) == 1 and not is_running(first), what="they share one")
    two = function("two", "2")
    eventually(lambda: len(waiting(keeping)) == 2, what="another need, another Python")
    three = function("three", "3")
    from_cell(three)
    from_cell(two)
    eventually(lambda: len(waiting(keeping)) == 2, what="a third need, and two are kept")
    kept = waiting(keeping)
    assert cold(one)[1].startswith(NEW), "its Python made room"
    keeping.stop()
    eventually(lambda: not any(map(is_running, kept)), what="they end with the platform")


def test_one_that_is_killed_is_replaced_and_no_call_is_lost(keeping):
    """Also a call that comes at once."""
    function = deployed(keeping, "function", HANDLER, idle_timeout_ms=0)
    for _ in range(4):
        eventually(lambda: not function.instances(), what="nothing runs")
        (first,) = eventually(lambda: waiting(keeping), what="one waits")
        os.kill(first, signal.SIGKILL)
        answer = function.post({})
        assert answer.status_code == 200, answer.text
    from_cell(function)


def test_without_any_each_start_is_from_a_new_process_and_says_so(tmp_path):
    platform = Platform(tmp_path).start("--pythons", "0")
    function = deployed(platform, "function", HANDLER, idle_timeout_ms=0)
    for _ in range(3):
        assert cold(function)[1].startswith(f"{NEW}: no Python with its packages was ready")
        time.sleep(0.1)  # in which one would be started
    assert waiting(platform) == []
    platform.stop()
