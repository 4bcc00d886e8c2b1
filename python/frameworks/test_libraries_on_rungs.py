"""Libraries with pools of threads load and predict in the sandbox on every rung of isolation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Function
from libraries import LIBRARIES, PARTS, ask
from rungs import ALL, OnRung, running

pytestmark = pytest.mark.xdist_group("libraries")


@pytest.fixture(scope="module", params=ALL, ids=lambda rung: f"rung{rung}")
def on_rung(request: pytest.FixtureRequest, libraries: Path) -> Iterator[OnRung]:
    """The platform, on each rung that works on this machine."""
    yield from running(OnRung(request.param, libraries))


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
def test_it_answers_as_itself_on_every_rung(on_rung, library):
    function = Function(on_rung, library.name, {})
    for part in range(PARTS):
        ask(function, library, part)
