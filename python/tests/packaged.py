"""What `modelet package` makes, as others see it: unpacked as hosts do, and described by what is in it."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import joblib
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


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
