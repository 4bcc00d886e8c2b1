"""Trains networks with PyTorch and saves them, with rows that they never saw and what PyTorch answers for those.

.venv-torch/bin/python python/frameworks/train_torch.py FOLDER
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

ROWS = 40
BATCH = torch.export.Dim("batch")


class Series(nn.Module):
    """A GRU over a series of measurements."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(3, 8, batch_first=True)
        self.last = nn.Linear(8, 1)

    def forward(self, series):
        """One number for each series."""
        return self.last(self.gru(series)[0][:, -1])


class Words(nn.Module):
    """A transformer's encoder over tokens."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(50, 16)
        self.places = nn.Parameter(torch.randn(10, 16))
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1)
        self.classes = nn.Linear(16, 2)

    def forward(self, tokens):
        """By name: the logits, and the mean that they are made of."""
        mean = self.encoder(self.table(tokens) + self.places).mean(1)
        return {"logits": self.classes(mean), "mean": mean}


class Computed(nn.Module):
    """Places in a table that it computes itself."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(5, 3)

    def forward(self, a, b):
        """The sum of what is found."""
        return self.table(a - b).sum(1)


class FromTheEnd(nn.Module):
    """Places that PyTorch itself counts from the end."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(5, 3))

    def forward(self, a, b):
        """The sum of what is found."""
        return self.table[a - b].sum(1)


class Hot(nn.Module):
    """Classes as zeros and ones."""

    def forward(self, classes):
        """PyTorch refuses those that it does not have."""
        return nn.functional.one_hot(classes, 4).float()


class Branches(nn.Module):
    """What it does depends on how long the series is."""

    def forward(self, series):
        """The sum, and twice the sum of long ones."""
        if series.size(1) > 20:
            return 2 * series.sum(1)
        return series.sum(1)


class Named(nn.Module):
    """A dict, which TorchScript's converter does not know."""

    def forward(self, x):
        """The input by name."""
        return {"same": x * 1}


def train(model, rows, wanted, loss, steps=40):
    """A few steps, and ready to answer."""
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        found = model(rows)
        loss(found["logits"] if isinstance(found, dict) else found, wanted).backward()
        optimizer.step()
    return model.eval()


def save_answers(folder, name, model, inputs):
    """Rows and answers."""
    with torch.no_grad():
        found = model(*inputs.values())
    outputs = found if isinstance(found, dict) else {"output": found}
    np.savez(folder / f"{name}.npz", **{f"in_{key}": one.numpy() for key, one in inputs.items()},
             **{f"out_{key}": one.numpy() for key, one in outputs.items()})  # fmt: skip


def mlp(folder):
    """TorchScript, by script and by trace."""
    layers = [nn.Linear(7, 16), nn.ReLU(), nn.BatchNorm1d(16), nn.Dropout(0.2), nn.Linear(16, 3), nn.Softmax(-1)]
    rows = torch.randn(200, 7)
    model = train(nn.Sequential(*layers), rows, (rows.sum(1) > 0).long(), nn.CrossEntropyLoss())
    torch.jit.script(model).save(folder / "mlp.pt")
    torch.jit.trace(model, rows[:2]).save(folder / "traced.pt")
    save_answers(folder, "mlp", model, {"input": torch.randn(ROWS, 7)})
    # What is saved too often, and holds no model.
    torch.save(model.state_dict(), folder / "state.pt")
    torch.save({"epoch": 3, "model": model.state_dict()}, folder / "checkpoint.pt")
    torch.save(model, folder / "whole.pt")
    torch.save(model.state_dict(), folder / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.jit.script(Named()).save(folder / "named.pt")


def cnn(folder):
    """An exported program, for any number of rows and for one alone."""
    layers = [nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3)]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)]
    rows = torch.rand(100, 1, 16, 16)
    model = train(nn.Sequential(*layers), rows, torch.randint(0, 5, (100,)), nn.CrossEntropyLoss(), 10)
    torch.export.save(torch.export.export(model, (rows[:2],), dynamic_shapes=({0: BATCH},)), folder / "cnn.pt2")
    torch.export.save(torch.export.export(model, (rows[:1],)), folder / "one.pt2")
    for name in ("cnn", "one"):
        save_answers(folder, name, model, {"input": torch.rand(ROWS, 1, 16, 16)})


def series(folder):
    """A recurrent network, as TorchScript."""
    rows = torch.randn(100, 6, 3)
    model = train(Series(), rows, rows.sum((1, 2))[:, None], nn.MSELoss(), 20)
    torch.jit.script(model).save(folder / "series.pt")
    save_answers(folder, "series", model, {"series": torch.randn(ROWS, 6, 3)})


def words(folder):
    """A transformer, as an exported program with named outputs."""
    rows = torch.randint(0, 50, (100, 10))
    model = train(Words(), rows, (rows > 25).sum(1).gt(4).long(), nn.CrossEntropyLoss(), 20)
    torch.export.save(torch.export.export(model, (rows[:2],), dynamic_shapes=({0: BATCH},)), folder / "words.pt2")
    save_answers(folder, "words", model, {"tokens": torch.randint(0, 50, (ROWS, 10))})


def places(folder):
    """Models that look up what they computed, as both forms; and one whose classes ONNX would not refuse."""
    rows = (torch.randint(2, 5, (2, 4)), torch.randint(0, 2, (2, 4)))
    free = {0: BATCH, 1: torch.export.Dim("length")}
    for name, model in (("computed", Computed()), ("from_the_end", FromTheEnd())):
        torch.jit.script(model).save(folder / f"{name}.pt")
        torch.export.save(torch.export.export(model, rows, dynamic_shapes=(free, free)), folder / f"{name}.pt2")
    torch.jit.script(Hot()).save(folder / "hot.pt")
    torch.export.save(torch.export.export(Hot(), rows[1:], dynamic_shapes=({0: BATCH},)), folder / "hot.pt2")


def sizes(folder):
    """A model that looks at a size, with both ways kept and with the one that was seen."""
    rows = torch.randn(2, 8, 3)
    torch.jit.script(Branches()).save(folder / "branches.pt")
    free = ({0: torch.export.Dim("batch", max=16), 1: torch.export.Dim("length", min=4, max=20)},)
    torch.export.save(torch.export.export(Branches(), (rows,), dynamic_shapes=free), folder / "short.pt2")


def main():
    """The command line."""
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    for make in (mlp, cnn, series, words, places, sizes):
        make(folder)


if __name__ == "__main__":
    main()
