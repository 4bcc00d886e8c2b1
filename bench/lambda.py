"""A model under Lambda's emulator, beside a handler that does nothing under Lambda's own client of the Runtime API.

    bench/lambda.sh        (the emulator and awslambdaric come with python/tests/setup.sh)

Cold: from the first call of a fresh emulator, which starts the bootstrap, to its answer; the two in turn. Warm: calls
on one connection. `$MODELET_BIN` and `$MODELET_RUNTIME` name other binaries.
"""

from __future__ import annotations

import json
import os
import pathlib
import socket
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python" / "tests"))

from emulator import PATH, Emulator  # noqa: E402
from harness import Platform  # noqa: E402

RUNTIME = pathlib.Path(os.environ.get("MODELET_RUNTIME") or ROOT / "target/release/modelet-runtime")
COLD, WARM, WARMING_UP = 20, 2_000, 100
EVENT = b"[[5.1, 3.5, 1.4, 0.2]]"
REQUEST = b"POST %s HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%s" % (PATH.encode(), len(EVENT), EVENT)


def call(connection: socket.socket) -> bytes:
    """One event on a connection that is kept: its answer."""
    connection.sendall(REQUEST)
    answer = b""
    while True:
        answer += connection.recv(65_536)
        head, end, body = answer.partition(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if end and len(body) == int(lengths[0]):
            return body


def measure(work: pathlib.Path, bootstrap: list[str | pathlib.Path], calls: int, **environment: str) -> list[float]:
    """Milliseconds of each call of a fresh emulator, the cold one first."""
    emulator = Emulator(work / "emulator.log", bootstrap, **environment)
    taken = []
    with socket.create_connection(("127.0.0.1", emulator.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(calls):
            begin = time.perf_counter()
            answer = json.loads(call(connection))
            taken.append((time.perf_counter() - begin) * 1e3)
            assert "errorType" not in answer, answer
    emulator.stop()
    return taken


def main() -> None:
    work = pathlib.Path(tempfile.mkdtemp(prefix="modelet-bench-"))
    (work / "app.py").write_text("def handler(event, context):\n    return event\n")
    platform = Platform(work).start()
    iris = platform.deploy(ROOT / "examples" / "iris", "iris")
    artifact = platform.data / "artifacts" / iris.status()["versions"][-1]["sha256"]
    peers = {
        "modelet, a model": ([RUNTIME], {"MODELET_ARTIFACT": str(artifact)}),
        "awslambdaric, a handler that returns its event": (
            [sys.executable, "-m", "awslambdaric", "app.handler"],
            {"PYTHONPATH": str(work), "LAMBDA_TASK_ROOT": str(work)},
        ),
    }
    cold: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(COLD):
        for name, (bootstrap, environment) in peers.items():
            cold[name] += measure(work, bootstrap, 1, **environment)
    for name, (bootstrap, environment) in peers.items():
        warm = measure(work, bootstrap, WARMING_UP + WARM, **environment)[WARMING_UP:]
        print(f"{name}: cold p50 {statistics.median(cold[name]):.1f} ms, warm p50 {statistics.median(warm):.3f} ms")
    platform.stop()


if __name__ == "__main__":
    main()
