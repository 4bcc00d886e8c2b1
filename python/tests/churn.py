"""Steady load whose every answer is known, and what is done to the platform meanwhile."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
from collections.abc import Callable

import httpx
import wire
from fleet import publish
from harness import Function, eventually

#: Every call of a test has a number of its own.
NUMBERS = itertools.count(1)


def echo() -> tuple[dict, dict]:
    """A body for the `passthrough` model that no other call has, and its answer."""
    number = next(NUMBERS)
    values = {"id": [[f"call {number:06}"]], "n": [[-number]], "u": [[2**64 - number]]}
    return {"inputs": values}, {f"{name}_out": value for name, value in values.items()}


def rows_of(case) -> Callable[[], tuple[dict, dict]]:
    """Bodies of one row of `iris-matrix`, in turn, and their labels."""
    call = case.call("batch32")
    rows = itertools.cycle(range(32))

    def one() -> tuple[dict, dict]:
        row = next(rows)
        return {"inputs": {"X": [call.inputs["X"][row].tolist()]}}, {"label": [call.outputs["label"][row].item()]}

    return one


def mistake(status: int, content: bytes, expected: dict) -> str | None:
    """What is wrong with an answer, if something is."""
    if status != 200:
        return f"{status} {content[:300]!r}"
    outputs = wire.strict_json(content)["outputs"]
    found = {name: outputs[name] for name in expected}
    return None if found == expected else f"{expected} was expected, not {found}"


class Load(threading.Thread):
    """One client that calls a function over one connection until it is told to stop, and looks at every answer."""

    def __init__(self, function: Function, calls: Callable[[], tuple[dict, dict]]):
        super().__init__(daemon=True)
        self.function, self.calls = function, calls
        self.answered = 0
        self.mistakes: list[str] = []
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        with httpx.Client(base_url=self.function.platform.url, timeout=60, trust_env=False) as client:
            while not self._over.is_set():
                body, expected = self.calls()
                try:
                    answer = client.post(self.function.path, json=body)
                    wrong = mistake(answer.status_code, answer.content, expected)
                except httpx.HTTPError as error:
                    wrong = repr(error)
                self.answered += 1
                if wrong:
                    self.mistakes.append(f"{self.function.name}: {wrong}")

    def end(self) -> None:
        """Lets the last call end."""
        self._over.set()
        self.join(60)
        assert not self.is_alive()


def kill_idle(function: Function) -> None:
    """kill -9 of the one instance of a function that has no call in it."""
    (instance,) = eventually(lambda: idle(function), what="one idle instance")
    os.kill(instance["pid"], signal.SIGKILL)


def idle(function: Function) -> list[dict]:
    """Its instances, if all are ready and none has a call."""
    instances = [instance for instance in function.instances() if instance["state"] != "stopping"]
    return instances if all(i["state"] == "ready" and i["in_flight"] == 0 for i in instances) else []


def next_version(function: Function, number: int) -> None:
    """Publishes the function's files again with another setting: a version like the one before."""
    folder = function.platform.data / "artifacts" / function.card["sha256"]
    card = json.loads((folder / "artifact.json").read_text())
    files = {f"files/{file['path']}": (folder / "files" / file["path"]).read_bytes() for file in card["files"]}
    card["settings"]["queue_limit"] = 1_000 + number
    card["source_sha256"] = f"{number:064x}"
    publish(function, function.name, card, files)
