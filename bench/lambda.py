"""Zips of `modelet package` under Lambda's emulator, beside Lambda's own client of the Runtime API for Python: a small model beside a
handler that does nothing, and a pipeline of scikit-learn beside the handler that one would write for it.

    bench/lambda.sh        (the emulator and awslambdaric come with python/tests/setup.sh)

Cold: from the first call of a fresh emulator, which starts the bootstrap, to its answer; the two in turn. Warm: calls
on one connection. `$MODELET_BIN` and `$MODELET_RUNTIMES` name other programs.
"""

from __future__ import annotations

import json
import pathlib
import socket
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python" / "tests"))

from emulator import PATH, Emulator  # noqa: E402
from harness import Platform  # noqa: E402
from packaged import forest, unzipped  # noqa: E402

COLD, WARM, WARMING_UP = 20, 2_000, 100
IRIS_EVENT = b"[[5.1, 3.5, 1.4, 0.2]]"
CHURN_EVENT = json.dumps([[0.5] * 20]).encode()
NOTHING = "def handler(event, context):\n    return event\n"
CODE = """\
import pathlib

import joblib

model = joblib.load(pathlib.Path(__file__).parent / "churn.joblib")

def handler(event, context):
    return {"label": model.predict(event).tolist(), "probabilities": model.predict_proba(event).tolist()}
"""


def call(connection: socket.socket, event: bytes) -> bytes:
    """One event on a connection that is kept: its answer."""
    head = f"POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(event)}\r\n\r\n"
    connection.sendall(head.encode() + event)
    answer = b""
    while True:
        answer += connection.recv(65_536)
        head, end, body = answer.partition(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if end and len(body) == int(lengths[0]):
            return body


@dataclass(frozen=True)
class Peer:
    """A program, what it is called with, and what else it is told."""

    bootstrap: list[str | pathlib.Path]
    event: bytes
    environment: dict[str, str]


def measure(work: pathlib.Path, peer: Peer, calls: int) -> list[float]:
    """Milliseconds of each call of a fresh emulator, the cold one first."""
    emulator = Emulator(work / "emulator.log", peer.bootstrap, **peer.environment)
    taken = []
    with socket.create_connection(("127.0.0.1", emulator.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(calls):
            begin = time.perf_counter()
            answer = json.loads(call(connection, peer.event))
            taken.append((time.perf_counter() - begin) * 1e3)
            assert "errorType" not in answer, answer
    emulator.stop()
    return taken


def zipped(platform: Platform, path: pathlib.Path, event: bytes) -> Peer:
    """What `modelet package` makes of a file or folder, unpacked."""
    archive = platform.work / f"{path.stem}.zip"
    platform.cli("package", path, "--for", "aws-lambda", "--no-proof", "-o", archive)
    return Peer([unzipped(archive, platform.work / path.stem) / "bootstrap"], event, {})


def main() -> None:
    work = pathlib.Path(tempfile.mkdtemp(prefix="modelet-bench-"))
    churn = forest(work / "handler" / "churn.joblib", 1)
    for name, code in (("churn", CODE), ("nothing", NOTHING)):
        churn.with_name(f"{name}.py").write_text(code)
    platform = Platform(work)
    own = {"PYTHONPATH": str(churn.parent), "LAMBDA_TASK_ROOT": str(churn.parent)}
    ric = [sys.executable, "-m", "awslambdaric"]
    peers = {
        "modelet, examples/iris": zipped(platform, ROOT / "examples" / "iris", IRIS_EVENT),
        "awslambdaric, a handler that returns its event": Peer([*ric, "nothing.handler"], IRIS_EVENT, own),
        "modelet, a pipeline of scikit-learn": zipped(platform, churn, CHURN_EVENT),
        "awslambdaric, the same pipeline by scikit-learn": Peer([*ric, "churn.handler"], CHURN_EVENT, own),
    }
    cold: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(COLD):
        for name, peer in peers.items():
            cold[name] += measure(work, peer, 1)
    for name, peer in peers.items():
        warm = measure(work, peer, WARMING_UP + WARM)[WARMING_UP:]
        print(f"{name}: cold p50 {statistics.median(cold[name]):.1f} ms, warm p50 {statistics.median(warm):.3f} ms")


if __name__ == "__main__":
    main()
