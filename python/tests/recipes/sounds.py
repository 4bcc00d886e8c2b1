"""Models of sounds, and the files that are sent to them."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

#: What `transformers` saves for wav2vec2.
WAV2VEC2 = {
    "feature_extractor_type": "Wav2Vec2FeatureExtractor",
    "feature_size": 1,
    "sampling_rate": 16000,
    "do_normalize": True,
    "padding_side": "right",
    "padding_value": 0.0,
    "return_attention_mask": False,
}


def echo(path: Path, shape: list, dtype: int = TensorProto.FLOAT, second: bool = False) -> None:
    """A model whose answer is the tensor that it was given: what was done with a sound can be seen to the bit."""
    given = [helper.make_tensor_value_info("input_values", dtype, shape)]
    answers = [helper.make_tensor_value_info("same", dtype, shape)]
    nodes = [helper.make_node("Identity", ["input_values"], ["same"])]
    if second:
        given.append(helper.make_tensor_value_info("attention_mask", TensorProto.INT64, shape))
        answers.append(helper.make_tensor_value_info("mask", TensorProto.INT64, shape))
        nodes.append(helper.make_node("Identity", ["attention_mask"], ["mask"]))
    graph = helper.make_graph(nodes, "echo", given, answers)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def classifier(folder: Path) -> Path:
    """As the hub has it: is a sound low or high? Its numbers are its least and its greatest sample."""
    given = helper.make_tensor_value_info("input_values", TensorProto.FLOAT, ["batch", "samples"])
    answer = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])
    nodes = [
        helper.make_node("ReduceMin", ["input_values"], ["least"], axes=[1], keepdims=1),
        helper.make_node("ReduceMax", ["input_values"], ["greatest"], axes=[1], keepdims=1),
        helper.make_node("Concat", ["least", "greatest"], ["logits"], axis=1),
    ]
    graph = helper.make_graph(nodes, "low-or-high", [given], [answer])
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "model.onnx")
    (folder / "preprocessor_config.json").write_text(json.dumps(WAV2VEC2 | {"do_normalize": False}))
    said = {"architectures": ["Wav2Vec2ForSequenceClassification"], "id2label": {"0": "low", "1": "high"}}
    (folder / "config.json").write_text(json.dumps(said))
    return folder


def hub_folder(folder: Path, **said: object) -> Path:
    """A folder as the hub has it: the feature extractor, the model below `onnx`."""
    echo(folder / "onnx" / "model.onnx", ["batch", "samples"])
    (folder / "preprocessor_config.json").write_text(json.dumps(WAV2VEC2 | said))
    return folder


def wav(data: bytes, tag: int, channels: int, rate: int, bits: int) -> bytes:
    """A file of samples that are written already."""
    frame = channels * bits // 8
    body = struct.pack("<4sIHHIIHH", b"fmt ", 16, tag, channels, rate, rate * frame % 2**32, frame, bits)
    body += struct.pack("<4sI", b"data", len(data)) + data + bytes(len(data) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def tone(count: int, rate: int, seed: int = 0) -> np.ndarray:
    """Some voices and noise, from -0.9 to 0.9."""
    time = np.arange(count) / rate
    voices = 0.5 * np.sin(2 * np.pi * 220 * time) + 0.2 * np.sin(2 * np.pi * 1760 * time + 1)
    return voices + np.random.default_rng(seed).uniform(-0.2, 0.2, count)
