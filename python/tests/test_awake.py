"""Idle processors wait awake while calls follow each other, where the platform may say so, and sleep as ever otherwise."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import wire
from harness import AT_ONCE_S, Platform, eventually

pytestmark = pytest.mark.alone

DEVICE = Path("/dev/cpu_dma_latency")


def may_take_us() -> int:
    """How long an idle processor may take to come back: the least that anybody on this machine asks for."""
    with DEVICE.open("rb") as device:
        return struct.unpack("i", device.read(4))[0]


@pytest.fixture(autouse=True)
def others_say_nothing():
    """A machine on which something else keeps processors awake, or on which one may not look, tells nothing."""
    try:
        may_take_us()
    except OSError as error:
        pytest.skip(f"{DEVICE}: {error}")
    try:
        # The platform of the tests before may have answered a moment ago.
        eventually(lambda: may_take_us() != 0, AT_ONCE_S)
    except AssertionError:
        pytest.skip("something else keeps processors awake")


def awake_after_a_call(platform: Platform, cases) -> list[bool]:
    """Whether they are, after each of ten calls."""
    case = cases["iris-matrix"]
    iris = platform.deploy(case, "iris")
    seen = []
    for _ in range(10):
        assert iris.post(wire.by_name(case.call("one").inputs)).status_code == 200
        seen.append(may_take_us() == 0)
    return seen


def test_processors_are_awake_after_a_call_and_sleep_again(tmp_path, cases):
    platform = Platform(tmp_path).start("--awake-ms", "1000")
    try:
        assert any(awake_after_a_call(platform, cases))
        eventually(lambda: may_take_us() != 0, what="they may sleep")
        assert any(awake_after_a_call(platform, cases)), "and again"
    finally:
        platform.stop()
    assert may_take_us() != 0, "what an ended platform has said counts no more"


def test_processors_are_left_alone_where_that_is_asked_for(tmp_path, cases):
    platform = Platform(tmp_path).start("--awake-ms", "0")
    try:
        assert not any(awake_after_a_call(platform, cases))
    finally:
        platform.stop()
