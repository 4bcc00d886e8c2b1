"""Libraries with pools of threads answer and never hang: from a new process and from a Python that waited, four calls
at a time, and on every rung of isolation. A hang ends at the limit of a start or a call, and fails."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from functions import records
from harness import Function, Platform, eventually
from libraries import LIBRARIES, PARTS, Library, ask
from rungs import ALL, OnRung, running
from test_pythons import CELL, NEW

#: Calls that each client makes.
IN_A_ROW = 5


#: The platform keeps Pythons ready; else it is on a rung.
KEEPING = "keeping"


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest, libraries: Path) -> Iterator[Platform]:
    """The platform of the libraries, which is one after the other: it keeps Pythons ready, or is on a rung that works on this machine."""
    if request.param != KEEPING:
        yield from running(OnRung(request.param, libraries))
        return
    platform = Platform(libraries).start("--pythons", "2")
    yield platform
    platform.stop()


def burst(function: Function, library: Library) -> str:
    """A client for each part of the rows calls from zero, several times; what their instance was started from."""
    eventually(lambda: not function.instances(), what="nothing runs")
    with ThreadPoolExecutor(PARTS) as pool:
        clients = pool.map(lambda part: [ask(function, library, part) for _ in range(IN_A_ROW)], range(PARTS))
        ids = {call for calls in clients for call in calls}

    def told() -> list[dict]:
        rows = [row for row in records(function) if row.get("id") in ids]
        return rows if len(rows) == len(ids) else []

    rows = eventually(told, what="their records")
    return next(row["started_from"] for row in rows if row.get("started_from"))


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
@pytest.mark.parametrize("place", [KEEPING], indirect=True)
def test_four_at_a_time_are_answered_from_a_new_process_and_from_a_python_that_waited(place, library):
    function = Function(place, library.name, {})
    seen = set()

    def both() -> bool:
        seen.add(burst(function, library).partition(":")[0])
        return {CELL, NEW} <= seen

    eventually(both, what="it was started in both ways")


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
@pytest.mark.parametrize("place", ALL, indirect=True, ids=lambda rung: f"rung{rung}")
def test_it_answers_as_itself_on_every_rung(place, library):
    function = Function(place, library.name, {})
    for part in range(PARTS):
        ask(function, library, part)
