"""A platform on one rung of isolation, where others can look in: what is tested on each rung of this machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Function, Platform

#: Where everybody can read.
SYSTEM = Path("/usr/bin")
#: From the strongest to the weakest.
ALL = (1, 2, 3, 4)
#: The weakest keeps accidents apart, not enemies.
NOT_4 = (1, 2, 3)


class OnRung(Platform):
    """A platform whose instances get this rung and no other."""

    def __init__(self, rung: int, work: Path | None = None):
        super().__init__(work or open_folder())
        self.rung = rung
        self.has_own_root = rung <= 2
        self.library = self.work / "libonnxruntime.so"

    def start(self, *arguments: str) -> OnRung:
        """Starts it; where instances have no file system of their own, in a data folder that they can pass through."""
        found = subprocess.run([self.binary, "engines", "--json"], check=True, capture_output=True, text=True)
        if not self.library.exists():
            shutil.copyfile(json.loads(found.stdout)[0]["path"], self.library)
        super().start("--isolation", str(self.rung), *arguments)
        if not self.has_own_root:
            self.data.chmod(0o711)
        return self

    def environment(self) -> dict[str, str]:
        """With a library, and on weak rungs with Pythons, that everybody can read."""
        known = super().environment() | {"MODELET_ONNXRUNTIME": str(self.library)}
        return known if self.has_own_root else known | {"PATH": str(SYSTEM)}

    def manifest(self) -> dict:
        """What functions of code say, so that they get such a Python: the system's own."""
        if self.has_own_root:
            return {}
        asked = [SYSTEM / "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        version = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
        return {"python": {"version": version}}

    def artifact(self, function: Function) -> Path:
        """The folder of a function's artifact, on the host."""
        return self.data / "artifacts" / function.card["sha256"]


def open_folder() -> Path:
    """A folder that others can pass through, unlike pytest's own: without namespaces an instance is somebody else."""
    folder = Path(tempfile.mkdtemp(prefix="modelet-rung-"))
    folder.chmod(0o711)
    return folder


def running(platform: OnRung) -> Iterator[OnRung]:
    """For a fixture: it started, and stopped at the end; skips where the machine does not have its rung."""
    try:
        platform.start()
    except AssertionError as error:
        if "is not to be had on this machine" in str(error):
            pytest.skip(f"rung {platform.rung} does not work here")
        raise
    yield platform
    platform.stop()
