"""What code asks of its machine is told with its lines where a function is tried for another host, and nowhere else."""

from __future__ import annotations

import pytest

ASKS = """
    import multiprocessing, os, socket, subprocess, sys

    def tried(act, *args):
        try:
            act(*args)
        except OSError:
            pass

    def handler(event, context):
        tried(open, "/nowhere/x", "w")
        tried(open, "/nowhere/x", "a")
        tried(os.mkdir, "/nowhere/deep")
        tried(open, "words.txt", "r+")
        tried(open, "/tmp/fine", "w")
        tried(open, "/dev/null", "w")
        tried(open, "/sys/devices/system/cpu/possible")
        tried(socket.getaddrinfo, "models.invalid", 443)
        tried(socket.create_connection, ("127.0.0.1", 9))
        tried(subprocess.run, ["uname"])
        tried(subprocess.run, [sys.executable, "-c", ""])
        multiprocessing.Lock()
        return 1
"""


def asked(worker) -> list[tuple[str, str]]:
    """What was told, each with the user's line."""
    told = [record for record in worker.records() if "asks" in record.get("fields", {})]
    assert all(record["logger"] == "modelet" for record in told)
    asks = [record["fields"]["asks"] for record in told]
    return [(one["kind"], one["target"], one["lines"][0]) for one in asks]


@pytest.fixture
def called(start):
    """A worker that has answered the call."""

    def called(**fields):
        worker = start(ASKS, function="handler", **fields)
        assert worker.event({}).json == 1
        return worker

    return called


def test_each_is_told_once_with_its_line(called):
    line = "app.py:6"
    told = asked(called(watched=["/sys"]))
    assert ("write", "/nowhere/x", line) in told and told.count(("write", "/nowhere/x", line)) == 1
    assert ("write", "words.txt", line) in told and ("write", "/nowhere/deep", line) in told
    assert ("machine", "/sys/devices/system/cpu/possible", line) in told
    assert ("network", "models.invalid:443", line) in told and ("program", "uname", line) in told
    assert ("shared_memory", "a semaphore of multiprocessing", "app.py:22") in told
    targets = [target for _, target, _ in told]
    assert not {"/tmp/fine", "/dev/null"} & set(targets) and not any("127.0.0.1" in target for target in targets)
    assert sum(kind == "program" for kind, _, _ in told) == 1


def test_nobody_is_watched_otherwise(called):
    assert asked(called()) == []
