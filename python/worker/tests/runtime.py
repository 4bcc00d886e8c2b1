"""The other end of the worker's socket, as the runtime has it: starts the worker from its sources, hands it calls,
takes answers."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

WORKER = Path(__file__).resolve().parents[1] / "modelet_worker"
#: The worker's Python: another one than the tests' runs what needs no packages.
PYTHON = os.environ.get("MODELET_WORKER_PYTHON", sys.executable)
#: The packages of the environment that the tests run in: what a deploy would have installed.
PACKAGES = [path for path in sys.path if path.endswith("site-packages")]
#: Long enough for a loaded machine; nothing waits this long when all is well.
PATIENCE_S = 60
#: Nothing comes for this long: it waits.
SILENCE_S = 0.5


def sources() -> dict[str, str]:
    """The worker as the runtime carries it."""
    return {str(path.relative_to(WORKER.parent)): path.read_text() for path in WORKER.rglob("*.py")}


@dataclass
class Answer:
    """One frame of the worker's; or all those of an answer that is sent while it is made, with the head of the first."""

    header: dict[str, Any]
    body: bytes
    pieces: list[bytes] | None = None

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        return self.header["error"]

    @property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.header["headers"]}


def printed(file: IO[bytes]) -> str:
    """What was written to a file so far."""
    file.seek(0)
    return file.read().decode()


@dataclass
class Worker:
    """A worker that runs."""

    process: subprocess.Popen
    socket: socket.socket
    stdout: IO[bytes]
    stderr: IO[bytes]
    started: dict[str, Any] = field(default_factory=dict)
    calls: int = 0

    def send(self, header: dict[str, Any], body: bytes = b"") -> None:
        head = json.dumps(header).encode()
        lengths = len(head).to_bytes(4, "little") + len(body).to_bytes(4, "little")
        self.socket.sendall(lengths + head + body)

    def receive(self) -> Answer:
        lengths = self._take(8)
        header = json.loads(self._take(int.from_bytes(lengths[:4], "little")))
        return Answer(header, self._take(int.from_bytes(lengths[4:], "little")))

    def _take(self, size: int) -> bytes:
        taken = bytearray()
        while len(taken) < size:
            more = self.socket.recv(size - len(taken))
            if not more:
                raise EOFError(f"the worker closed its end; it said: {self.end()[1]}")
            taken += more
        return bytes(taken)

    def ask(self, form: str, body: bytes = b"", **fields: Any) -> int:
        """Sends a call and does not wait for its answer; its number."""
        self.calls += 1
        known = {"id": f"call-{self.calls}", "deadline_ms": int(time.time() * 1000) + 30_000, "trace": None}
        self.send({"call": self.calls, "form": form, **known, **fields}, body)
        return self.calls

    def event(self, event: Any, **fields: Any) -> Answer:
        """Calls a Lambda handler; bytes are sent as they are."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        number = self.ask("event", body, client_context=fields.pop("client_context", None), **fields)
        answer = self.receive()
        assert answer.header["call"] == number
        return answer

    def http(self, method: str = "POST", path: str = "/", body: bytes = b"", headers=(), query: str = "") -> Answer:
        """Calls a handler that speaks HTTP."""
        number = self.ask_http(method, path, body, headers, query)
        frames = [self.receive()]
        while frames[-1].header.get("more"):
            frames.append(self.receive())
        assert {one.header["call"] for one in frames} == {number}
        if len(frames) == 1:
            return frames[0]
        pieces = [one.body for one in frames]
        last = {key: value for key, value in frames[-1].header.items() if key == "error"}
        return Answer({**frames[0].header, **last}, b"".join(pieces), pieces)

    def ask_http(self, method="GET", path="/", body=b"", headers=(), query="", form="http", **more: Any) -> int:
        """Sends a request and does not wait for its answer; its number."""
        return self.ask(form, body, method=method, path=path, query=query, headers=[list(one) for one in headers], **more)

    def pause(self, call: int) -> None:
        """Tells it to wait, and holds it to that: what was on its way comes, and then nothing more."""
        self.control(call, "pause")
        while select.select([self.socket], [], [], SILENCE_S)[0]:
            assert self.receive().header["call"] == call

    def control(self, call: int, what: str, body: bytes = b"", **fields: Any) -> None:
        """Says something of a call that was made already."""
        self.send({"call": call, "control": what, **fields}, body)

    def end(self) -> tuple[int, str]:
        """Closes the socket and waits; the exit code and what was written to standard error."""
        self.socket.close()
        self.process.wait(PATIENCE_S)
        return self.process.returncode, printed(self.stderr)

    def records(self) -> list[dict[str, Any]]:
        """Ends the worker; its log records."""
        _, log = self.end()
        return [json.loads(one) for one in log.split("\x1e") if one.strip()]

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)


def launch(
    folder: Path,
    kind: str = "lambda",
    python: str = PYTHON,
    env: dict[str, str] | None = None,
    ahead: list[str] | None = None,
    **start: Any,
) -> Worker:
    """Starts a worker and asks it to load a handler, after it was prepared with the modules `ahead`, if any; it may have
    failed to."""
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE_S)
    boot = (WORKER / "boot.py").read_text()
    stdout, stderr = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115 they stay with the worker
    process = subprocess.Popen(
        [python, "-I", "-S", "-c", boot, str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env={"PATH": os.environ["PATH"], "HOME": "/tmp", "LANG": "C.UTF-8", **(env or {})},
    )
    theirs.close()
    worker = Worker(process, ours, stdout, stderr)
    worker.send({"sources": sources()})
    options = {"memoize_loaders": True, "strict": False, "non_finite": "null"} | start.pop("options", {})
    if ahead is not None:
        wrap = options["memoize_loaders"] or bool(start.get("outside"))
        prepare = {"packages": PACKAGES, "modules": ahead, "wrap_loaders": wrap}
        worker.send({"prepare": prepare})
        assert worker.receive().header["prepared"]["missing"] == []
    known = {"kind": kind, "folder": str(folder), "packages": PACKAGES, "module": "app", "function": "lambda_handler"}
    known |= {"signature_type": None, "threads": 1, "name": "churn", "version": "3", "memory_mib": 512, "outside": {}}
    known |= {"arn": "arn:aws:lambda:local:000000000000:function:churn:3"}
    worker.send({"start": {**known, **start, "options": options}})
    worker.started = worker.receive().header
    return worker
