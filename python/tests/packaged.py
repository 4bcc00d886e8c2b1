"""What `modelet package` makes, as others see it: unpacked as hosts do, and described by what is in it."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import joblib
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

#: Processors by the numbers that files for them have.
X86_64, ARM64 = 62, 183


def elf(machine: int) -> bytes:
    """The head of a library of some machine."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 0, 0, 0, 64, 56, 0, 64, 0, 0)


def machines(files: dict[str, bytes]) -> dict[str, int]:
    """What libraries and programs among files are made for."""
    return {name: struct.unpack_from("<H", content, 18)[0] for name, content in files.items() if content.startswith(b"\x7fELF")}


def unzipped(archive: Path, folder: Path) -> Path:
    """Unpacked with the modes that it says, as AWS Lambda does it."""
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            path = Path(opened.extract(entry, folder))
            path.chmod(entry.external_attr >> 16 & 0o777)
    return folder


def modes(archive: Path) -> dict[str, str]:
    """The mode of each file, octal, in the order of the zip."""
    with zipfile.ZipFile(archive) as opened:
        return {entry.filename: oct(entry.external_attr >> 16 & 0o777) for entry in opened.infolist()}


def forest(path: Path, seed: int) -> Path:
    """A pipeline as scikit-learn's users save it."""
    rows, labels = make_classification(2_000, 20, random_state=seed)
    pipeline = make_pipeline(StandardScaler(), RandomForestClassifier(100, random_state=seed)).fit(rows, labels)
    path.parent.mkdir(parents=True, exist_ok=True)
    joblib.dump(pipeline, path)
    return path


@contextmanager
def elsewhere() -> Iterator[None]:
    """Another umask, time zone and locale than usual."""
    before, names = os.umask(0o077), {"TZ": "Asia/Tokyo", "LC_ALL": "tr_TR.UTF-8"}
    known = {name: os.environ.get(name) for name in names}
    os.environ |= names
    try:
        yield
    finally:
        os.umask(before)
        for name, value in known.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
