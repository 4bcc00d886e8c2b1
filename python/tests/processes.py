"""Processes of instances: what they come to, whether they compute, and how one is held still."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness import Function, eventually

#: For a function whose instance a test holds still: it must not be taken for stuck.
NEVER_STUCK = {"stuck_timeout_ms": 600_000}
#: An instance that has used the processor for this long since it was given a call has read it, and computes.
COMPUTING_S = 0.1


def stat(pid: int | str) -> list[str]:
    """What the kernel says of a process, from its state on (proc_pid_stat(5)); nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def is_running(pid: int) -> bool:
    """True unless the process is gone or only waits to be reaped."""
    return stat(pid)[:1] not in ([], ["Z"])


def processor_s(pid: int) -> float:
    """Processor time that a process has used, all its threads together; 0 when it is gone."""
    return sum(map(int, stat(pid)[11:13])) / os.sysconf("SC_CLK_TCK")


def descendants(pid: int) -> list[int]:
    """Every process below one, however deep."""
    pids = [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    parents = {int(name): int(fields[1]) for name in pids if (fields := stat(name))}
    found, frontier = [], [pid]
    while frontier:
        frontier = [child for child, parent in parents.items() if parent in frontier]
        found += frontier
    return found


def resident_mib(pid: int) -> float:
    """Resident memory of one process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def computing(function: Function) -> dict:
    """An instance that is in the middle of computing a call, waited for. One that merely has a call may not have read it yet,
    and when it is killed then, the call is not lost."""
    first_seen: dict[int, float] = {}

    def found() -> dict | None:
        instance = function.busy_instance()
        if instance is None:
            return None
        used_s = processor_s(instance["pid"])
        return instance if used_s >= first_seen.setdefault(instance["pid"], used_s) + COMPUTING_S else None

    return eventually(found, what=f"an instance of {function.name} computes")


@contextmanager
def held_still(instance: dict) -> Iterator[None]:
    """The process of an instance stands still meanwhile: calls in it stay in it, and those that wait for it wait, for as long
    as a test wants, on a quick machine and on a slow one. Its function is to be `NEVER_STUCK`."""
    os.kill(instance["pid"], signal.SIGSTOP)
    try:
        eventually(lambda: stat(instance["pid"])[:1] == ["T"], what=f"{instance['id']} stands still")
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(instance["pid"], signal.SIGCONT)
