"""Tenants of one platform: a hostile one, whose instances do what a body says, and an ordinary neighbour."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
from harness import PATIENCE_S, Function, eventually, find_binary
from rungs import OnRung

#: What the neighbour would not like to be read.
SECRET = "s3cret-of-the-neighbour"
#: Between two calls of a neighbour that is called all the time: what is tested is the platform, not its client.
PAUSE_S = 0.002
#: The client of a spinner.
SPIN = Path(__file__).with_name("spin.py")


def find_hostile() -> Path:
    """`$MODELET_HOSTILE`, else the example of the room `runtime`, beside the binary under test."""
    asked = os.environ.get("MODELET_HOSTILE")
    path = Path(asked) if asked else find_binary().parent / "examples" / "hostile"
    if not path.exists():
        raise SystemExit(
            f"tests: there is no {path}\nnext: cargo build -p modelet-runtime --example hostile, or set MODELET_HOSTILE"
        )
    return path


class Tenants(OnRung):
    """A platform on one rung of isolation, every instance of which is a program that can be told to be hostile."""

    def start(self, *arguments: str) -> Tenants:
        """Starts it with that program."""
        super().start("--runtime", str(find_hostile()), *arguments)
        return self

    def stop(self) -> None:
        """Ends it and leaves nothing behind."""
        super().stop()
        shutil.rmtree(self.work)

    def records(self, name: str, kind: str) -> list[dict]:
        """The newest records of a kind in the log of a function."""
        page = self.http.get(f"/api/v1/functions/{name}/logs?after=0&limit=10000").raise_for_status().json()
        return [row for row in page["rows"] if row["kind"] == kind]


def tell(function: Function, act: str, target: object = "") -> httpx.Response:
    """Tells a function's instance to be hostile, and gives the platform's answer."""
    return function.post({"hostile": act, "target": str(target)})


def outcome(function: Function, act: str, target: object = "") -> tuple[str, str]:
    """`contained` or `escaped`, and what came of it."""
    answer = tell(function, act, target)
    assert answer.status_code == 200, f"{act} {target}: {answer.text}"
    ((word, what),) = answer.json().items()
    return word, what


class Spinning:
    """A call that spins on all processors, again and again, while this is entered; from a process of its own: see `spin`."""

    def __init__(self, function: Function, for_ms: int = 300):
        self.function, self.for_ms = function, for_ms

    def is_running(self) -> bool:
        """Whether all its calls so far were answered."""
        return self.client.poll() is None

    def __enter__(self) -> Spinning:
        address = self.function.platform.url.removeprefix("http://")
        command = [sys.executable, SPIN, address, self.function.path, str(self.for_ms)]
        self.client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.client.stdout.readline() == "begins\n"
        eventually(self.function.busy_instance, what="it spins")
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        self.client.terminate()
        code = self.client.wait(PATIENCE_S)
        self.client.stdout.close()
        if kind is None:
            assert code == 0, "a call of the spinner was not answered"


class Neighbour:
    """Calls a function all the time from a thread; every answer must be there and be right. Used by `with`."""

    def __init__(self, function: Function, body: dict, expected: list):
        self.function, self.body, self.expected = function, body, expected
        self.client = httpx.Client(base_url=function.platform.url, timeout=60, trust_env=False)

    def call(self) -> None:
        """One call."""
        answer = self.client.post(self.function.path, json=self.body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["outputs"]["label"] == self.expected

    def times_ms(self, calls: int) -> list[float]:
        """How long so many calls took, one after the other; sorted."""
        times = []
        for _ in range(calls):
            begin = time.perf_counter()
            self.call()
            times.append((time.perf_counter() - begin) * 1e3)
        return sorted(times)

    def __enter__(self) -> Neighbour:
        self.call()
        self.calls, self.failure, self.ended = 0, None, threading.Event()
        self.thread = threading.Thread(target=self._call_until_told, daemon=True)
        self.thread.start()
        return self

    def _call_until_told(self) -> None:
        try:
            while not self.ended.wait(PAUSE_S):
                self.call()
                self.calls += 1
        except (AssertionError, httpx.HTTPError) as error:
            self.failure = error

    def __exit__(self, kind: type | None, *_: object) -> None:
        self.ended.set()
        self.thread.join(60)
        if kind is None:
            assert self.failure is None, f"beside a hostile tenant, after {self.calls} calls: {self.failure!r}"
            self.call()
