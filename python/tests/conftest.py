"""Fixtures: the model cases, one platform for all tests that leave it as they found it, and fresh ones for the rest."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import functions
import models
import pytest
import tritonclient.http as triton
from casefile import Case
from emulator import Emulator
from harness import Function, Platform, find_binary


@pytest.fixture(scope="session")
def cases() -> dict[str, Case]:
    """Every model case, made first where it is missing."""
    return {case.name: case for case in models.cases(say=lambda line: print(f"models: {line}", file=sys.stderr))}


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The platform that most tests share."""
    shared = Platform(tmp_path_factory.mktemp("platform")).start()
    yield shared
    shared.stop()


@pytest.fixture
def own_platform(tmp_path: Path) -> Iterator[Platform]:
    """A platform for a test that kills it or looks at all that it holds."""
    fresh = Platform(tmp_path).start()
    yield fresh
    fresh.stop()


@pytest.fixture(scope="session")
def function(platform: Platform, cases: dict[str, Case]) -> Callable[..., Function]:
    """Deploys a case on the shared platform, once for each set of settings."""
    deployed: dict[str, Function] = {}

    def deploy(case: str, name: str | None = None, manifest: dict | None = None, **settings: int) -> Function:
        name = name or case
        if name not in deployed:
            deployed[name] = platform.deploy(cases[case], name, manifest, **settings)
        return deployed[name]

    return deploy


@pytest.fixture(scope="session")
def code(platform: Platform) -> Callable[..., Function]:
    """Deploys code on the shared platform: `code(name, source, requirements, manifest, **settings)`."""
    return functools.partial(functions.deployed, platform)


@pytest.fixture(scope="session")
def triton_client(platform: Platform) -> Iterator[triton.InferenceServerClient]:
    """Triton's own client, unmodified."""
    client = triton.InferenceServerClient(platform.url.removeprefix("http://"), network_timeout=60.0)
    yield client
    client.close()


@pytest.fixture
def on_lambda(tmp_path: Path) -> Iterator[Callable[..., Emulator]]:
    """Starts the lean runtime as a bootstrap under AWS' emulator, and ends what was started with the test."""
    running: list[Emulator] = []

    def start(**environment: str) -> Emulator:
        bootstrap = find_binary().with_name("modelet-runtime")
        running.append(Emulator(tmp_path / f"emulator-{len(running)}.log", [bootstrap], **environment))
        return running[-1]

    yield start
    for emulator in running:
        emulator.stop()
