"""Many calls at once: one connection each, opened together, answers gathered with their headers."""

from __future__ import annotations

import asyncio
import json
import resource
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from harness import Function

DEADLINE_S = 90


@dataclass
class Answer:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict:
        """What `/fn` says of a failure."""
        return json.loads(self.body)["error"]


def at_once(function: Function, bodies: list[object]) -> list[Answer]:
    """Posts every body at the same moment and waits for all answers; a broken connection fails the test."""
    _allow_open_files(len(bodies) + 256)
    return asyncio.run(asyncio.wait_for(_all(function, bodies), DEADLINE_S))


class Pending:
    """A call on its way; `ended_at` is there with its answer."""

    def __init__(self, function: Function, body: object):
        self._answer: httpx.Response | Exception | None = None
        self._thread = threading.Thread(target=self._post, args=(function, body), daemon=True)
        self._thread.start()

    def _post(self, function: Function, body: object) -> None:
        try:
            with httpx.Client(base_url=function.platform.url, timeout=DEADLINE_S, trust_env=False) as client:
                self._answer = client.post(function.path, json=body)
        except httpx.HTTPError as error:
            self._answer = error
        self.ended_at = time.monotonic()

    @property
    def is_waiting(self) -> bool:
        """True until the answer is there."""
        return self._thread.is_alive()

    def answer(self, within_s: float = DEADLINE_S) -> httpx.Response:
        """The answer, which must come in time."""
        self._thread.join(within_s)
        assert not self._thread.is_alive(), f"no answer within {within_s} s"
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def in_background(function: Function, body: object) -> Pending:
    """Posts in a thread, for tests that do something to the platform meanwhile."""
    return Pending(function, body)


async def _all(function: Function, bodies: list[object]) -> list[Answer]:
    address = urlsplit(function.platform.url)
    calls = [_post(address.hostname, address.port, function.path, json.dumps(body).encode()) for body in bodies]
    return await asyncio.gather(*calls)


async def _post(host: str, port: int, path: str, body: bytes) -> Answer:
    reader, writer = await asyncio.open_connection(host, port)
    head = f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\nconnection: close\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    raw = await reader.read()
    writer.close()
    return parse(raw)


def parse(raw: bytes) -> Answer:
    """One whole answer, its connection closed after it."""
    head, _, body = raw.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1."):
        raise ValueError(f"not an HTTP answer: {raw[:100]!r}")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
    return Answer(int(first.split()[1]), headers, body)


def _allow_open_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
