"""A model case on disk: a folder with a model, perhaps a `modelet.toml`, and calls with the answers they must get.

`case.json` holds what a test reads first; `calls.npz` holds every array, under `CALL/in/INPUT` and `CALL/out/OUTPUT`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

Arrays = dict[str, np.ndarray]


@dataclass
class Call:
    """One request: its inputs, and the outputs of the reference."""

    name: str
    inputs: Arrays
    outputs: Arrays = field(default_factory=dict)


@dataclass
class Case:
    """A model with its calls."""

    name: str
    about: str
    folder: Path
    model: str = "model.onnx"
    calls: list[Call] = field(default_factory=list)
    #: Class names of outputs that are maps in the model (`ZipMap`); their expected values are matrices.
    classes: dict[str, list] = field(default_factory=dict)
    #: For a model that must be refused at deploy: words that the refusal has to contain.
    refused_with: list[str] = field(default_factory=list)

    def call(self, name: str) -> Call:
        """A call by name."""
        return next(call for call in self.calls if call.name == name)

    def __str__(self) -> str:
        return self.name


def save(case: Case) -> None:
    """Writes `case.json` and `calls.npz` beside the model."""
    arrays = {}
    for call in case.calls:
        arrays |= {f"{call.name}/in/{name}": value for name, value in call.inputs.items()}
        arrays |= {f"{call.name}/out/{name}": value for name, value in call.outputs.items()}
    np.savez(case.folder / "calls.npz", **{key: _storable(value) for key, value in arrays.items()})
    card = {
        "name": case.name,
        "about": case.about,
        "model": case.model,
        "classes": case.classes,
        "refused_with": case.refused_with,
        "calls": [{"name": c.name, "inputs": _specs(c.inputs), "outputs": _specs(c.outputs)} for c in case.calls],
    }
    (case.folder / "case.json").write_text(json.dumps(card, indent=1))


def load(folder: Path) -> Case:
    """Reads a case back."""
    card = json.loads((folder / "case.json").read_text())
    with np.load(folder / "calls.npz") as stored:
        calls = [
            Call(
                call["name"],
                {i: _usable(stored[f"{call['name']}/in/{i}"]) for i in call["inputs"]},
                {o: _usable(stored[f"{call['name']}/out/{o}"]) for o in call["outputs"]},
            )
            for call in card["calls"]
        ]
    return Case(card["name"], card["about"], folder, card["model"], calls, card["classes"], card["refused_with"])


def load_all(root: Path) -> list[Case]:
    """Every case below a folder, by name."""
    return [load(path.parent) for path in sorted(root.glob("*/case.json"))]


def _specs(arrays: Arrays) -> dict[str, str]:
    return {
        name: f"{'string' if value.dtype == object else value.dtype}{list(value.shape)}"
        for name, value in arrays.items()
    }


def _storable(value: np.ndarray) -> np.ndarray:
    """Strings as fixed-width unicode: no pickle in the file."""
    return value.astype(str) if value.dtype == object else value


def _usable(value: np.ndarray) -> np.ndarray:
    """Strings as objects, as onnxruntime and tritonclient take them."""
    return value.astype(object) if value.dtype.kind == "U" else value
