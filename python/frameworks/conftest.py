"""Fixtures: the models, trained in their frameworks, and one platform for all tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from harness import ROOT, Platform
from libraries import LIBRARIES
from rungs import ALL, OnRung, open_folder

HERE = Path(__file__).parent


@dataclass
class Models:
    """The models of one framework, and its Python."""

    folder: Path
    python: Path

    def case(self, name: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Rows that a model never saw, and what its framework answers for them."""
        kept = np.load(self.folder / f"{name}.npz")
        parts = {kind: {key: kept[kind + key] for key in names(kept, kind)} for kind in ("in_", "out_")}
        return parts["in_"], parts["out_"]


def names(kept: np.lib.npyio.NpzFile, kind: str) -> list[str]:
    """Of the arrays of one kind, without its mark."""
    return [key.removeprefix(kind) for key in kept if key.startswith(kind)]


def trained(framework: str, folder: Path) -> Models:
    """Trains the models of a framework in its environment, which `make test-frameworks` makes."""
    named = os.environ.get(f"MODELET_{framework.upper()}_PYTHON")
    python = Path(named) if named else ROOT / f".venv-{framework}" / "bin" / "python"
    done = subprocess.run(
        [python, HERE / f"train_{framework}.py", folder], check=False, capture_output=True, text=True, timeout=800
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return Models(folder, python)


@pytest.fixture(scope="session")
def tensorflow(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """What Keras and TensorFlow saved."""
    return trained("tensorflow", tmp_path_factory.mktemp("models") / "tensorflow")


@pytest.fixture(scope="session")
def torch(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """What PyTorch saved."""
    return trained("torch", tmp_path_factory.mktemp("models") / "torch")


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The platform that all tests share."""
    shared = Platform(tmp_path_factory.mktemp("platform")).start()
    yield shared
    shared.stop()


@pytest.fixture(scope="session")
def libraries() -> Iterator[Path]:
    """A folder for platforms, one after the other, with a function of each library. The packages, gigabytes,
    are sent once, and nothing is left of them."""
    work = open_folder()
    platform = Platform(work).start()
    manifest = OnRung(ALL[-1], work).manifest()
    for library in LIBRARIES:
        library.train(work)
        function = platform.deploy(library.lay_out(work, manifest), library.name)
        layer = function.status()["card"]["handler"]["packages"]
        print(f"{library.name}: {len(layer['packages'])} packages, {layer['size_bytes'] / 1e6:,.0f} MB")
    platform.stop()
    yield work
    shutil.rmtree(work)
