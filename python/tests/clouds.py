"""AWS under test: moto, a model of its control planes, behind a proxy that records each call and may fail it, or kill the caller.

moto does not run functions, does not check permissions, and knows no IAM delay: what it is asked and what it keeps is what is looked at.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import boto3
import httpx
from botocore.config import Config
from emulator import free_port
from harness import PATIENCE_S, ROOT, eventually, find_binary

REGION = "eu-west-1"
ACCOUNT = "123456789012"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "v3ry-s3cret", "AWS_SESSION_TOKEN": "t0ken-t0ken"}
#: Headers that a proxy does not pass on.
HOPS = {"connection", "transfer-encoding", "content-length", "host", "keep-alive", "server", "date"}


@dataclass(frozen=True)
class Call:
    """One call as it came over the wire."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str] = field(hash=False)
    body: bytes
    #: Path and query as they came, encoded.
    target: str

    @property
    def operation(self) -> str:
        """As AWS names it, where the call does; else the method and the path."""
        if target := self.headers.get("x-amz-target"):
            return target.rsplit(".", 1)[1]
        is_form = "urlencoded" in self.headers.get("content-type", "")
        if is_form and (action := parse_qs(self.body.decode("latin-1")).get("Action")):
            return action[0]
        return f"{self.method} {self.path}"

    @property
    def writes(self) -> bool:
        """True for a call that may change something."""
        if "x-amz-target" in self.headers or self.operation[0].isupper() and " " not in self.operation:
            return not self.operation.startswith(("Get", "List", "Describe", "Filter"))
        return self.method not in ("GET", "HEAD") and not self.path.endswith("/invocations")

    def parsed(self) -> Any:
        """The body as what it is: JSON, a form, or text."""
        kind = self.headers.get("content-type", "")
        if "json" in kind or self.body.startswith(b"{"):
            return json.loads(self.body or b"null")
        if "urlencoded" in kind:
            return dict(parse_qsl(self.body.decode(), keep_blank_values=True))
        return self.body.decode("latin-1")


class Proxy:
    """Stands between modelet and moto."""

    def __init__(self, upstream: str):
        self.upstream = upstream
        self.calls: list[Call] = []
        #: Asked before a call is passed on: a status to answer in its place, or nothing.
        self.fail: Callable[[Call], int | None] = lambda _: None
        #: Asked before a call is read: True breaks the connection in the middle of it.
        self.cut: Callable[[str, str], bool] = lambda *_: False
        #: Told once a call has been carried out, and before its answer goes back.
        self.after: Callable[[Call], None] = lambda _: None
        self.client = httpx.Client(trust_env=False, timeout=PATIENCE_S)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body are two writes.
            disable_nagle_algorithm = True

            def serve(self) -> None:
                proxy.serve(self)

            do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = serve

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        """Passes one call on."""
        length = int(request.headers.get("content-length", 0))
        if self.cut(request.command, request.path):
            request.rfile.read(length // 2)
            request.close_connection = True
            request.connection.shutdown(socket.SHUT_RDWR)
            return
        body = request.rfile.read(length)
        split = urlsplit(request.path)
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(request.command, split.path, tuple(parse_qsl(split.query, keep_blank_values=True)), headers, body, request.path)
        self.calls.append(call)
        if status := self.fail(call):
            kind = {"x-amzn-errortype": "AccessDeniedException" if status == 403 else "ServiceException"}
            self.answer(request, status, kind, b'{"message": "as the test wants it"}')
            return
        passed = {name: value for name, value in headers.items() if name not in HOPS - {"host"}}
        answer = self.client.request(call.method, self.upstream + request.path, headers=passed, content=body)
        self.after(call)
        self.answer(request, answer.status_code, answer.headers, answer.content)

    def answer(self, request: BaseHTTPRequestHandler, status: int, headers: Any, body: bytes) -> None:
        """Sends an answer; a caller that is gone does not get it."""
        try:
            request.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in HOPS and name.lower() != "content-encoding":
                    request.send_header(name, value)
            request.send_header("content-length", str(len(body)))
            request.end_headers()
            if request.command != "HEAD":
                request.wfile.write(body)
        except OSError:
            pass

    def taken(self) -> list[Call]:
        """The calls since it was last asked."""
        calls, self.calls = self.calls, []
        return calls

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Cloud:
    """One moto server, with the proxy before it, and modelet's command line led there."""

    def __init__(self, work: Path):
        self.work = work
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        program = Path(os.environ.get("MODELET_MOTO") or ROOT / ".venv-moto" / "bin" / "moto_server")
        assert program.exists(), f"{program} is not there: run python/tests/setup.sh"
        with (work / "moto.log").open("wb") as log:
            self.process = subprocess.Popen(
                [program, "-H", "127.0.0.1", "-p", str(port)],
                env=os.environ | {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        eventually(self._is_up, what=f"moto answers at {self.url}")
        self.proxy = Proxy(self.url)
        self.reset()

    def _is_up(self) -> bool:
        assert self.process.poll() is None, (self.work / "moto.log").read_text()[-2000:]
        try:
            return httpx.get(f"{self.url}/moto-api/data.json", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def reset(self) -> None:
        """As if nothing had ever been there."""
        patient = {"trust_env": False, "timeout": PATIENCE_S}
        httpx.post(f"{self.url}/moto-api/reset", **patient).raise_for_status()
        # Its other way to run functions wants Docker.
        config = {"lambda": {"use_docker": False}}
        httpx.post(f"{self.url}/moto-api/config", json=config, **patient).raise_for_status()
        for proxy in self.proxies():
            proxy.fail, proxy.after = lambda _: None, lambda _: None
            proxy.taken()

    def proxies(self) -> list[Proxy]:
        """All that stands between modelet and this cloud."""
        return [self.proxy]

    def close(self) -> None:
        self.proxy.close()
        self.process.terminate()
        self.process.wait(PATIENCE_S)

    @functools.cache  # noqa: B019 (one for each server)
    def client(self, service: str, url: str | None = None) -> Any:
        """boto3's own client, of moto itself."""
        config = Config(retries={"total_max_attempts": 1}, proxies={})
        keys = {name.lower(): value for name, value in KEYS.items()}
        return boto3.client(service, endpoint_url=url or self.url, region_name=REGION, config=config, **keys)

    def environment(self) -> dict[str, str]:
        """What modelet is told: where AWS is, and a key."""
        told = {"AWS_ENDPOINT_URL": self.proxy.url, "AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true"}
        own = {"HOME": str(self.work), "MODELET_DATA": str(self.work / "none"), "NO_COLOR": "1", "NO_PROXY": "*"}
        kept = ("MODELET_RUNTIMES",)
        clean = {name: value for name, value in os.environ.items() if name in kept or not name.startswith(("AWS_", "MODELET_"))}
        return clean | told | own | KEYS

    def start(self, *arguments: object) -> subprocess.Popen:
        """Starts one command."""
        return subprocess.Popen(
            [find_binary(), *map(str, arguments)],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def cli(self, *arguments: object, code: int = 0) -> subprocess.CompletedProcess:
        """Runs one command, which has to end with this exit code."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=2 * PATIENCE_S)
        assert process.returncode == code, f"{arguments}: exit code {process.returncode}\n{err}\n{out}"
        for secret in ("v3ry-s3cret", "t0ken-t0ken"):
            assert secret not in out + err
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def json(self, *arguments: object, code: int = 0) -> Any:
        """Runs one command and reads the JSON that it prints."""
        return json.loads(self.cli(*arguments, "--json", code=code).stdout)

    def killed_after(self, number: int, *arguments: object) -> bool:
        """Runs one command and kills it once its call number `number` that writes was carried out; False when it makes fewer."""
        process = self.start(*arguments)
        seen = 0
        hit = threading.Event()

        def after(call: Call) -> None:
            nonlocal seen
            seen += call.writes
            if call.writes and seen == number:
                hit.set()
                os.kill(process.pid, signal.SIGKILL)
                # Its answer does not reach it any more.
                eventually(lambda: process.poll() is not None, what="the killed command is gone")

        for proxy in self.proxies():
            proxy.after = after
        process.communicate(timeout=2 * PATIENCE_S)
        for proxy in self.proxies():
            proxy.after = lambda _: None
        return hit.is_set()
