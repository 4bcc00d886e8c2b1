"""Workers and peers of the tests."""

from __future__ import annotations

import textwrap

import pytest
import runtime
from peers import Emulator


@pytest.fixture
def write(tmp_path):
    """Writes the files of a handler, indented as the test is, and returns their folder."""

    def write(text: str = "", name: str = "app.py", **more: str):
        folder = tmp_path / "handler"
        folder.mkdir(exist_ok=True)
        for file, content in {name: text, **{f"{key}.py": value for key, value in more.items()}}.items():
            (folder / file).write_text(textwrap.dedent(content))
        return folder

    return write


@pytest.fixture
def start(write):
    """Starts a worker with a handler's text, or with a folder; it ends with the test."""
    workers = []

    def start(code, kind: str = "lambda", **fields) -> runtime.Worker:
        folder = write(code) if isinstance(code, str) else code
        workers.append(runtime.launch(folder, kind, **fields))
        return workers[-1]

    yield start
    for worker in workers:
        if worker.process.poll() is None:
            try:
                worker.end()
            finally:
                # One that does not end must not compute beside the tests that follow.
                worker.process.kill()


@pytest.fixture
def emulator(write):
    """AWS Lambda's own emulator with its own client for Python, and a handler's text in it."""
    running = []

    def emulator(code: str, **env: str) -> Emulator:
        running.append(Emulator(write(code), **env))
        return running[-1]

    yield emulator
    for one in running:
        one.end()
