"""AWS' own emulator of Lambda, a program out of the wheel `aws-sam-cli`.

It starts a bootstrap with the first call, gives it events through the Runtime API, and answers Lambda's Invoke; but it
knows one function, called `function`, and does not mark the answer of one that failed.
"""

from __future__ import annotations

import importlib.util
import os
import platform as machine
import signal
import socket
import subprocess
from pathlib import Path

import httpx
from harness import PATIENCE_S, eventually

#: The one function that it knows.
PATH = "/2015-03-31/functions/function/invocations"


def find_emulator() -> Path:
    """The program for this machine."""
    package = importlib.util.find_spec("samcli")
    assert package, "the wheel aws-sam-cli is not installed: run python/tests/setup.sh"
    kind = {"aarch64": "arm64"}.get(machine.machine(), machine.machine())
    return Path(package.submodule_search_locations[0]) / "local" / "rapid" / f"aws-lambda-rie-{kind}"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Emulator:
    """One function's sandbox: the bootstrap is started by the first call."""

    def __init__(self, log: Path, bootstrap: list[str | Path], **environment: str):
        self.port, self.log = free_port(), log
        addresses = {"interface-emulator": self.port, "api": free_port()}
        options = [
            word for name, port in addresses.items() for word in (f"--runtime-{name}-address", f"127.0.0.1:{port}")
        ]
        about = {
            "AWS_LAMBDA_FUNCTION_NAME": "function",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": "30",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        }
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MODELET_", "LAMBDA_"))
        }
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [find_emulator(), *options, *bootstrap],
                env=clean | about | environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.url, timeout=PATIENCE_S, trust_env=False)
        eventually(self._listens, what=f"the emulator listens: {log}")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def call(self, event: bytes) -> httpx.Response:
        """One event."""
        return self.http.post(PATH, content=event)

    def said(self) -> str:
        """What it and the function wrote."""
        return self.log.read_text(errors="replace")

    def stop(self) -> None:
        """Ends it, and what it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)
        self.http.close()
