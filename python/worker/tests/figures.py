"""The figures of the worker beside AWS' own client for Python under AWS' own emulator, on the same handlers.

.venv-worker/bin/python python/worker/tests/figures.py
"""

from __future__ import annotations

import http.client
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import runtime
from peers import Emulator

STARTS = 40
CALLS = 5_000
HANDLER = "def lambda_handler(event, context): return event\n"
EVENT = b'{"data": [[5.1, 3.5, 1.4, 0.2]]}'


def timed(act) -> float:
    """Milliseconds that it takes."""
    since = time.perf_counter()
    act()
    return (time.perf_counter() - since) * 1000


def p50(values: list[float]) -> float:
    return statistics.median(values)


def bare() -> None:
    subprocess.run([runtime.PYTHON, "-I", "-S", "-c", "pass"], check=True)


def start_and_call(folder: Path) -> None:
    worker = runtime.launch(folder, packages=[])
    worker.event(json.loads(EVENT))
    worker.process.kill()
    worker.end()


def start(folder: Path) -> float:
    """Milliseconds until the runtime hears that the worker is ready."""
    since = time.perf_counter()
    worker = runtime.launch(folder, packages=[])
    took_ms = (time.perf_counter() - since) * 1000
    worker.end()
    return took_ms


def round_trips(folder: Path) -> list[float]:
    """Microseconds of each call over the socket, the tests' own JSON left out."""
    worker = runtime.launch(folder, packages=[])
    head = json.dumps({"call": 1, "form": "event", "id": "01J", "deadline_ms": 1 << 41, "trace": None}).encode()
    frame = len(head).to_bytes(4, "little") + len(EVENT).to_bytes(4, "little") + head + EVENT
    worker.socket.settimeout(None)
    found = []
    for _ in range(CALLS):
        since = time.perf_counter()
        worker.socket.sendall(frame)
        worker.socket.recv(4096)
        found.append((time.perf_counter() - since) * 1e6)
    worker.end()
    return found


def peer_start(folder: Path) -> float:
    """Milliseconds until awslambdaric asks for its first call."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        env = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{listening.getsockname()[1]}"}
        since = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "awslambdaric", "app.lambda_handler"], cwd=folder, env=env)
        connection, _ = listening.accept()
        assert b"invocation/next" in connection.recv(4096)
        took_ms = (time.perf_counter() - since) * 1000
        process.kill()
        process.wait()
        connection.close()
        return took_ms


def peer_calls(folder: Path) -> list[float]:
    """Microseconds of each call of awslambdaric under the emulator, and over HTTP."""
    cloud = Emulator(folder)
    path = "/2015-03-31/functions/function/invocations"
    cloud.event(EVENT)
    connection = http.client.HTTPConnection("127.0.0.1", cloud.port)
    found = []
    for _ in range(CALLS // 10):
        since = time.perf_counter()
        connection.request("POST", path, EVENT)
        connection.getresponse().read()
        found.append((time.perf_counter() - since) * 1e6)
    cloud.end()
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "app.py").write_text(HANDLER)
        started = [(timed(bare), start(folder), timed(lambda: start_and_call(folder))) for _ in range(STARTS)]
        nothing, ready, first = (p50(list(one)) for one in zip(*started))
        print(f"python that does nothing, ms      {nothing:6.1f}")
        print(f"worker until it is ready, ms      {ready:6.1f}   {ready - nothing:.1f} more")
        print(f"worker until its first answer, ms {first:6.1f}")
        print(f"a call over the socket, µs        {p50(round_trips(folder)):6.0f}")
        print(f"awslambdaric until it is ready, ms{p50([peer_start(folder) for _ in range(STARTS)]):6.1f}")
        print(f"awslambdaric, a call, µs          {p50(peer_calls(folder)):6.0f}")


if __name__ == "__main__":
    main()
