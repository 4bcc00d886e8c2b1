"""A real platform under test: starts the built binary, talks to it as a user does, and stops it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from casefile import Case

ROOT = Path(__file__).resolve().parents[2]
#: Long enough for a loaded machine with two cores; nothing waits this long when all is well.
PATIENCE_S = 60
#: What fails "at once" does so within this, on such a machine too; else it would wait for a limit of a minute or more.
AT_ONCE_S = 15
#: What brings packages and Pythons: as in `setup.sh`.
UV = os.environ.get("MODELET_UV") or shutil.which("uv") or str(ROOT / ".cache" / "tools" / "bin" / "uv")
#: What lies in a case's folder for the tests' own use.
NOT_DEPLOYED = {"case.json", "calls.npz", "stamp"}


def find_binary() -> Path:
    """`$MODELET_BIN`, else the newest of the release and the debug build."""
    if os.environ.get("MODELET_BIN"):
        return Path(os.environ["MODELET_BIN"]).resolve()
    built = [path for kind in ("release", "debug") if (path := ROOT / "target" / kind / "modelet").exists()]
    if not built:
        raise SystemExit("tests: there is no modelet binary to test\nnext: cargo build --release, or set MODELET_BIN")
    return max(built, key=lambda path: path.stat().st_mtime)


def eventually(probe: Callable[[], Any], within_s: float = PATIENCE_S, what: str = "") -> Any:
    """Asks until the answer is true, and returns it; fails at the deadline with what was waited for."""
    deadline = time.monotonic() + within_s
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {what or probe}; last answer {answer!r}")
        time.sleep(0.02)


class CliFailed(AssertionError):
    """A command that should have worked did not."""

    def __init__(self, done: subprocess.CompletedProcess):
        self.done = done
        super().__init__(
            f"modelet {' '.join(map(str, done.args[1:]))} exited {done.returncode}\n{done.stderr}\n{done.stdout}"
        )


class Metrics:
    """A page in Prometheus' text format."""

    SAMPLE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)")
    LABEL = re.compile(r'([a-z_]+)="([^"]*)"')

    def __init__(self, text: str):
        self.samples: list[tuple[str, dict[str, str], float]] = []
        for line in text.splitlines():
            if not line.startswith("#"):
                name, labels, value = self.SAMPLE.fullmatch(line).groups()
                self.samples.append((name, dict(self.LABEL.findall(labels or "")), float(value)))

    def total(self, metric: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels; 0 when there are none."""
        return sum(value for name, found, value in self.samples if name == metric and labels.items() <= found.items())

    def by(self, label: str, metric: str, **labels: str) -> dict[str, float]:
        """The samples that have these labels, by one more label."""
        picked = [(found, value) for name, found, value in self.samples if name == metric]
        return {found[label]: value for found, value in picked if labels.items() <= found.items() and value}


class Platform:
    """One running `modelet up` on its own data folder."""

    def __init__(self, work: Path):
        self.work = work
        self.data = work / "data"
        self.binary = find_binary()
        self.process: subprocess.Popen | None = None
        self.url = ""
        self._runs = 0

    # -- life ----

    def start(self, *arguments: str) -> Platform:
        """Starts the platform and waits until it answers."""
        self._runs += 1
        log = self.work / f"up-{self._runs}.log"
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [self.binary, "up", "--listen", "127.0.0.1:0", "--data", self.data, *arguments],
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self.environment(),
            )
        self.url = eventually(lambda: self._announced(log), what=f"an address in {self.data}/platform.json")
        self.http = httpx.Client(base_url=self.url, timeout=PATIENCE_S, trust_env=False)
        eventually(lambda: self._is_live(), what=f"{self.url} answers")
        return self

    def _announced(self, log: Path) -> str:
        """The address that this process, not one before it, wrote down."""
        if self.process.poll() is not None:
            raise AssertionError(f"modelet up exited {self.process.returncode}:\n{log.read_text()}")
        try:
            card = json.loads((self.data / "platform.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return ""
        return card["url"] if card["pid"] == self.process.pid else ""

    def _is_live(self) -> bool:
        try:
            return self.http.get("/v2/health/live").status_code == 200
        except httpx.TransportError:
            return False

    @property
    def pid(self) -> int:
        """The platform's process."""
        return self.process.pid

    def stop(self) -> None:
        """Ends it as a user does, and holds it to exit code 0."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(PATIENCE_S) == 0, f"exit code; log:\n{self.log()[-3000:]}"

    def kill(self) -> None:
        """Ends it as a power cut does."""
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def log(self) -> str:
        """All that this run wrote."""
        return (self.work / f"up-{self._runs}.log").read_text(errors="replace")

    def metrics(self) -> Metrics:
        """What Prometheus would read now."""
        return Metrics(self.http.get("/metrics").raise_for_status().text)

    # -- command line ----

    def environment(self) -> dict[str, str]:
        """What commands see: this platform, this Python first on the PATH, no colours."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return os.environ | {"PATH": path, "MODELET_SERVER": self.url, "MODELET_UV": UV, "NO_COLOR": "1"}

    def cli(self, *arguments: object, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess:
        """Runs one command."""
        done = subprocess.run(
            [self.binary, *map(str, arguments)],
            check=False,
            capture_output=True,
            text=True,
            input=stdin if stdin is not None else "",
            env=self.environment(),
            timeout=3 * PATIENCE_S,
        )
        if check and done.returncode != 0:
            raise CliFailed(done)
        return done

    def cli_json(self, *arguments: object) -> object:
        """Runs one command with `--json` and reads what it prints."""
        return json.loads(self.cli(*arguments, "--json").stdout)

    def deploy(self, source: Case | Path, name: str, manifest: dict | None = None, **settings: int) -> Function:
        """Deploys a case (with a manifest of its own, where asked) or a path as it is."""
        path = stage(source, self.work / "staged" / name, manifest, settings) if isinstance(source, Case) else source
        # Proofs take seconds: test_certificate.py has them.
        card = self.cli_json("deploy", path, "--name", name, "--no-proof")
        return Function(self, name, card)

    def refused(self, path: Path) -> str:
        """What the deploy of something says that must not be deployed."""
        done = self.cli("deploy", path, "--name", "refused", "--no-proof", check=False)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def functions(self) -> list[str]:
        """Names of all functions."""
        return sorted(row["name"] for row in self.cli_json("ls"))


@dataclass
class Function:
    """A deployed function."""

    platform: Platform
    name: str
    card: dict

    @property
    def path(self) -> str:
        """Where clients call it."""
        return f"/fn/{self.name}"

    def post(self, body: object = None, **options) -> httpx.Response:
        """One call with a JSON body, or with `content=` and headers of the test's own."""
        if body is not None:
            options["json"] = body
        return self.platform.http.post(self.path, **options)

    def status(self) -> dict:
        """What the admin API says of it."""
        return self.platform.http.get(f"/api/v1/functions/{self.name}").raise_for_status().json()

    def damage(self) -> None:
        """Spoils the stored model, as a bad disk does: instances that start from now on cannot load it."""
        view = self.status()
        files = self.platform.data / "artifacts" / view["versions"][-1]["sha256"] / "files"
        model = files / view["card"]["handler"]["file"]
        model.unlink()
        model.write_bytes(b"damaged")

    def instances(self) -> list[dict]:
        """The instances that exist now."""
        return self.status()["instances"]

    def busy_instance(self) -> dict | None:
        """An instance with a call in flight, which it may not have read yet."""
        return next((i for i in self.instances() if i["in_flight"] > 0), None)

    def waiting(self) -> int:
        """Calls that wait for an instance."""
        return int(self.platform.metrics().total("modelet_calls_waiting", function=self.name))


def stage(case: Case, folder: Path, manifest: dict | None, settings: dict[str, int]) -> Path:
    """Lays out what a user would have: the model's files and, where there is something to say, a `modelet.toml`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in case.folder.iterdir():
        if path.name not in NOT_DEPLOYED:
            shutil.copyfile(path, folder / path.name)
    said = tomllib.loads((folder / "modelet.toml").read_text()) if (folder / "modelet.toml").exists() else {}
    said |= manifest or {}
    if settings:
        said["settings"] = settings
    if said:
        (folder / "modelet.toml").write_text(toml(said))
    return folder


def toml(table: dict, prefix: str = "") -> str:
    """A table as TOML: plain values first, then its sub-tables."""
    plain = [f"{key} = {json.dumps(value)}" for key, value in table.items() if not isinstance(value, dict)]
    lines = ([f"[{prefix}]"] if prefix and plain else []) + plain
    for key, value in table.items():
        if isinstance(value, dict):
            lines += ["", toml(value, f"{prefix}.{key}" if prefix else key)]
    return "\n".join(lines).strip() + "\n"
