"""Throughput at 64 connections and latency at one, with calls computed together and without.

    bench/batching.sh        (wrk comes from Debian: apt-get install wrk; the models from python/tests/models.py)

Of each model two functions, alike but for `batch_max_rows`: 1, and the default. One instance each, so that the figures are of
the instance and not of how many there are; both are measured in turn within each run, medians of RUNS. Every call has one row.
`$MODELET_BIN` names another binary, `$BENCH_SECONDS` how long each measurement takes.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python" / "tests"))

import models  # noqa: E402

BINARY = pathlib.Path(os.environ.get("MODELET_BIN") or ROOT / "target/release/modelet")
PORT = 18_811
RUNS, SECONDS = 3, int(os.environ.get("BENCH_SECONDS", "4"))
CONNECTIONS = (1, 64)
CASES = ("boosting-classifier", "lightgbm", "minilm")
#: As many calls at once as there are connections, in one instance: waiting calls are in it, not before it.
SETTINGS = {"concurrency": 64, "max_instances": 1}
#: Tokens of a search query, for MiniLM.
TOKENS = 8
WAIT_S = 30


def body(case) -> bytes:
    """One row, as JSON."""
    if case.name == "minilm":
        ids = np.random.default_rng(0).integers(1_000, 30_000, (1, TOKENS))
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    else:
        inputs = case.call("one").inputs
    return json.dumps({"inputs": {name: value.tolist() for name, value in inputs.items()}}).encode()


def modelet(*arguments: object) -> str:
    command = [BINARY, *map(str, arguments), "--server", f"http://127.0.0.1:{PORT}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def wrk(name: str, content: bytes, connections: int) -> tuple[float, float]:
    """The median latency in milliseconds, and requests a second."""
    script = pathlib.Path(tempfile.gettempdir()) / f"modelet-bench-{os.getpid()}.lua"
    headers = "wrk.headers['content-type']='application/json'"
    script.write_text(f"wrk.method='POST'; wrk.body='{content.decode()}'; {headers}\n")
    url = f"http://127.0.0.1:{PORT}/fn/{name}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", "-s", script, url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    script.unlink()
    if "Non-2xx" in text:
        sys.exit(f"bench: {name} did not answer every call\n{text}")
    value, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", text).groups()
    return float(value) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit], float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])


def deploy(case) -> dict[str, str]:
    """The two functions of a model, by what differs; says what the deploy found."""
    names = {}
    for word, extra in (("alone", ["--set", "batch_max_rows=1"]), ("together", [])):
        names[word] = f"{case.name}-{word}"
        settings = [argument for key, value in SETTINGS.items() for argument in ("--set", f"{key}={value}")]
        said = json.loads(modelet("deploy", case.folder / case.model, "--name", names[word], "--json", *settings, *extra))
        print(f"bench: {names[word]}: {said['evidence']['batching']['reason']}", file=sys.stderr)
    return names


def measure(case, names: dict[str, str]) -> list[str]:
    """Lines of the table for one model."""
    found = {(word, connections): [] for word in names for connections in CONNECTIONS}
    content = body(case)
    for name in names.values():
        modelet("invoke", name, content.decode())
    for _ in range(RUNS):
        for word, connections in found:
            found[word, connections].append(wrk(names[word], content, connections))
    lines = []
    for word in names:
        one = statistics.median(latency for latency, _ in found[word, 1])
        many = statistics.median(latency for latency, _ in found[word, 64])
        rate = statistics.median(rate for _, rate in found[word, 64])
        lines.append(f"| {case.name} | {word} | {rate:,.0f} | {many:.2f} | {one:.3f} |")
    return lines


def main() -> None:
    cases = {case.name: case for case in models.cases(only=list(CASES))}
    with tempfile.TemporaryDirectory() as data:
        up = subprocess.Popen(
            [BINARY, "up", "--listen", f"127.0.0.1:{PORT}", "--data", data],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + WAIT_S
            while not (pathlib.Path(data) / "platform.json").exists():
                if time.monotonic() > deadline or up.poll() is not None:
                    sys.exit(f"bench: the platform did not start within {WAIT_S} s")
                time.sleep(0.01)
            lines = [line for name in CASES for line in measure(cases[name], deploy(cases[name]))]
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(WAIT_S)
    print("| model | calls | requests/s at 64 connections | p50 there, ms | p50 at 1 connection, ms |")
    print("|---|---|---:|---:|---:|")
    print("\n".join(lines))


main()
