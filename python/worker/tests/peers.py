"""The programs that the worker is compared with, as their makers ship them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO

import pytest
import samcli
from runtime import printed

#: AWS' emulator of the Lambda service, within the wheel of aws-sam-cli.
EMULATOR = Path(samcli.__file__).parent / "local" / "rapid" / f"aws-lambda-rie-{os.uname().machine}"
PATIENCE_S = 60


def free_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return listening.getsockname()[1]


def ask(url: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None):
    """The status, the headers and the body of an answer, whatever its status."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, {name.lower(): value for name, value in answer.headers.items()}, answer.read()


def wait_for(port: int, process: subprocess.Popen, output: IO[bytes]) -> None:
    """Waits until somebody listens."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert process.poll() is None, f"it ended at its start: {printed(output)}"
        time.sleep(0.05)
    raise AssertionError(f"nobody listens at port {port}")


class Peer:
    """A program that listens on a port, in a session of its own."""

    def __init__(self, command: list[str], port: int, folder: Path, env: dict[str, str]):
        self.port = port
        self.output = tempfile.TemporaryFile()  # noqa: SIM115 it stays with the program
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "HOME": "/tmp",
                "LANG": "C.UTF-8",
                **env,
            },
            stdout=self.output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        wait_for(port, self.process, self.output)

    def end(self) -> str:
        """Ends it and all that it started; what it printed."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        return printed(self.output)


class Emulator(Peer):
    """awslambdaric under the emulator."""

    def __init__(self, folder: Path, **env: str):
        port, api = free_port(), free_port()
        command = [str(EMULATOR), "--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
        command += ["--runtime-api-address", f"127.0.0.1:{api}"]
        command += [sys.executable, "-m", "awslambdaric", "app.lambda_handler"]
        known = {"AWS_LAMBDA_FUNCTION_NAME": "churn", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"}
        super().__init__(command, port, folder, {**known, "AWS_LAMBDA_FUNCTION_TIMEOUT": "30", **env})

    def event(self, body: bytes) -> bytes:
        return ask(f"http://127.0.0.1:{self.port}/2015-03-31/functions/function/invocations", "POST", body)[2]


class FunctionsFramework(Peer):
    """functions-framework's own server."""

    def __init__(self, folder: Path, target: str, signature_type: str):
        port = free_port()
        command = ["functions-framework", "--target", target, "--signature-type", signature_type, "--source", "app.py"]
        super().__init__([*command, "--host", "127.0.0.1", "--port", str(port)], port, folder, {})

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]):
        return ask(f"http://127.0.0.1:{self.port}{path}", method, body or None, headers)


class AzureServer:
    """azureml-inference-server-http, which listens on all addresses and therefore in a network of its own."""

    SCRIPT = Path(__file__).with_name("azure_in_a_network.py")

    def __init__(self, folder: Path):
        apart = ["unshare", "--map-root-user", "--net"]
        if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
            pytest.skip("this machine gives no network of its own to a process")
        command = [*apart, sys.executable, str(self.SCRIPT)]
        env = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": "/tmp", "LANG": "C.UTF-8"}
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.receive()

    def receive(self):
        line = self.process.stdout.readline()
        assert line, "Azure ML's server did not start"
        return json.loads(line)

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]):
        self.process.stdin.write(json.dumps([method, path, body.hex(), headers]) + "\n")
        self.process.stdin.flush()
        status, found, text = self.receive()
        return status, found, bytes.fromhex(text)

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()
