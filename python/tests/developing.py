"""A real `modelet dev` under test: a folder that is edited as an editor does it, and everything that is printed, as it comes."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from harness import AT_ONCE_S, PATIENCE_S, Platform, eventually, find_binary


class Dev:
    """One running `modelet dev`. With `as_json` what it prints are records, else lines."""

    def __init__(self, path: Path, *arguments: object, as_json: bool = True, env: dict[str, str] | None = None):
        self.path = path
        self.as_json = as_json
        self.printed: list[dict | str] = []
        self._news = threading.Condition()
        command = [find_binary(), "dev", path, "--listen", "127.0.0.1:0", *arguments]
        self.process = subprocess.Popen(
            [str(word) for word in command] + (["--json"] if as_json else []),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            env=Platform(path).environment() | (env or {}),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            line = line.rstrip("\n")
            with self._news:
                self.printed.append(json.loads(line) if self.as_json and line.startswith("{") else line)
                self._news.notify_all()

    # -- what it says ----

    def said(self, is_it: Callable[[dict | str], bool], after: int = 0, within_s: float = PATIENCE_S):
        """Waits for something that it prints, beyond the first `after`; gives it."""
        with self._news:
            found = self._news.wait_for(
                lambda: next((one for one in self.printed[after:] if is_it(one)), None) or self._is_over(), within_s
            )
        assert found and found is not True, f"not printed: {is_it}; printed was\n" + self.text()
        return found

    def _is_over(self) -> bool:
        return self.process.poll() is not None and not self._reader.is_alive()

    def record(self, kind: str, after: int = 0) -> dict:
        """Waits for a record of a kind."""
        return self.said(lambda one: isinstance(one, dict) and one.get("kind") == kind, after)

    def records(self, kind: str) -> list[dict]:
        """Those of a kind that there are."""
        return [one for one in self.printed if isinstance(one, dict) and one.get("kind") == kind]

    def line(self, *words: str, after: int = 0) -> str:
        """Waits for a line with these words."""
        return self.said(lambda one: isinstance(one, str) and all(word in one for word in words), after)

    def text(self) -> str:
        """All of it."""
        return "\n".join(map(str, self.printed))

    def mark(self) -> int:
        """How much was printed till now."""
        return len(self.printed)

    # -- the function ----

    def up(self) -> Dev:
        """Waits until the function answers for the first time."""
        self.url = self.record("up")["url"]
        self.name = self.record("reload")["function"]
        self.http = httpx.Client(base_url=self.url, timeout=PATIENCE_S, trust_env=False)
        return self

    def call(self, body: object = None, path: str = "", **options) -> httpx.Response:
        """One call."""
        return self.http.post(f"/fn/{self.name}{path}", json={} if body is None else body, **options)

    # -- the editor ----

    def save(self, name: str, text: str) -> int:
        """Saves as editors do: into another file, which takes the name. Gives the mark of before."""
        mark = self.mark()
        draft = self.path / f".{name}.draft"
        draft.write_text(text)
        draft.rename(self.path / name)
        return mark

    def saved_and_answered(self, name: str, text: str, is_new: Callable[[], bool]) -> float:
        """Seconds from a save to the first answer of the new code."""
        begin = time.monotonic()
        self.save(name, text)
        while not is_new():
            assert time.monotonic() - begin < PATIENCE_S, self.text()
        return time.monotonic() - begin

    # -- its end ----

    def stop(self) -> None:
        """Ends it as Ctrl-C does, and holds it to leaving nothing behind."""
        family = self._family()
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(AT_ONCE_S) == 0, self.text()
        self._reader.join(AT_ONCE_S)
        # The kernel ends what is left of them, which takes it a moment.
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family), AT_ONCE_S, f"an end of {family}")
        for up in self.records("up"):
            assert not Path(up["data"]).exists(), up["data"]

    def kill(self) -> None:
        """Ends it without a word."""
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def _family(self) -> list[int]:
        parents = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                parents[int(entry.name)] = int(fields[1])
        family = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in family} - family:
            family |= more
        return sorted(family)

