"""Latency of a function alone, and beside one that computes on all processors: median and p99 in milliseconds, on each rung.

    bench/neighbour.sh

In TURNS of CALLS each, alone and beside in turn, one ordinary client; the multiple of each turn, and of all calls together.
`$MODELET_BIN` names another binary (beside it, in `examples`, the hostile runtime; or `$MODELET_HOSTILE`), `$BENCH_RUNGS` fewer rungs.
"""

from __future__ import annotations

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python" / "tests"))

import models  # noqa: E402
import wire  # noqa: E402
from tenants import Neighbour, Spinning, Tenants  # noqa: E402

TURNS, CALLS = 5, 1_000
RUNGS = os.environ.get("BENCH_RUNGS", "1 2 3 4").split()


def percentile(times: list[float], percent: int) -> float:
    """Of times in any order."""
    return sorted(times)[len(times) * percent // 100]


def measure(rung: int, case: models.Case) -> str:
    """A line of the table."""
    tenants = Tenants(rung)
    try:
        tenants.start()
        call = case.call("one")
        served = tenants.deploy(case, "neighbour", memory_mib=200)
        neighbour = Neighbour(served, wire.by_name(call.inputs), call.outputs["label"].tolist())
        spinner = tenants.deploy(case, "spinner", cpu_millis=1_000 * os.cpu_count(), max_instances=1)
        spinner.post(neighbour.body).raise_for_status()
        alone, beside = [], []
        for _ in range(TURNS):
            alone.append(neighbour.times_ms(CALLS))
            with Spinning(spinner):
                beside.append(neighbour.times_ms(CALLS))
    finally:
        tenants.stop()
    turns = [percentile(there, 99) / percentile(here, 99) for here, there in zip(alone, beside, strict=True)]
    here, there = sum(alone, []), sum(beside, [])
    cells = [f"{percentile(times, percent):8.2f}" for times in (here, there) for percent in (50, 99)]
    multiple = percentile(there, 99) / percentile(here, 99)
    return f"{rung:4}" + "".join(cells) + f"{multiple:10.2f}   {' '.join(f'{turn:.1f}' for turn in turns)}"


def main() -> None:
    """Measures and prints."""
    case = next(case for case in models.cases(say=lambda line: None) if case.name == "iris-matrix")
    print(f"{os.cpu_count()} processors\n          alone ms       beside ms        p99")
    print("rung     p50     p99     p50     p99  multiple   of each turn")
    for rung in map(int, RUNGS):
        print(measure(rung, case), flush=True)


if __name__ == "__main__":
    main()
