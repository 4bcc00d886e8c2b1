"""Small graphs written by hand, each for one thing that a platform can get wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from casefile import Arrays, Case
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper

OPSET, IR_VERSION = 17, 8


def graph(nodes: list, inputs: list, outputs: list, initializers: list | None = None) -> onnx.ModelProto:
    """A checked model; inputs and outputs are (name, element type, shape)."""
    body = h.make_graph(
        nodes,
        "graph",
        [h.make_tensor_value_info(*spec) for spec in inputs],
        [h.make_tensor_value_info(*spec) for spec in outputs],
        [numpy_helper.from_array(value, name) for name, value in initializers or []],
    )
    model = h.make_model(body, opset_imports=[h.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


def write(folder: Path, model: onnx.ModelProto) -> None:
    """Saves the model under the name that every case uses."""
    (folder / "model.onnx").write_bytes(model.SerializeToString())


def mlp() -> onnx.ModelProto:
    """64 → 512 → 10 with random weights."""
    rng = np.random.default_rng(0)
    w1 = rng.normal(0, 0.1, (64, 512)).astype(np.float32)
    w2 = rng.normal(0, 0.1, (512, 10)).astype(np.float32)
    nodes = [
        h.make_node("MatMul", ["x", "w1"], ["a"]),
        h.make_node("Relu", ["a"], ["b"]),
        h.make_node("MatMul", ["b", "w2"], ["c"]),
        h.make_node("Softmax", ["c"], ["y"]),
    ]
    return graph(nodes, [("x", T.FLOAT, ["batch", 64])], [("y", T.FLOAT, ["batch", 10])], [("w1", w1), ("w2", w2)])


def save_external(folder: Path) -> None:
    """The net above with its weights in a file beside it."""
    onnx.save_model(
        mlp(),
        folder / "model.onnx",
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location="weights.bin",
        size_threshold=0,
    )


def external_weights(case: Case) -> dict[str, Arrays]:
    """A small net whose weights lie in `weights.bin` beside the model."""
    save_external(case.folder)
    x = np.random.default_rng(1).normal(size=(32, 64)).astype(np.float32)
    return {"one": {"x": x[:1]}, "batch32": {"x": x}}


def passthrough(case: Case) -> dict[str, Arrays]:
    """Text ids and 64-bit whole numbers come out as they went in: leading zeros, extremes, beyond 2^53."""
    nodes = [h.make_node("Identity", [name], [f"{name}_out"]) for name in ("id", "n", "u")]
    columns = [("id", T.STRING), ("n", T.INT64), ("u", T.UINT64)]
    inputs = [(name, dtype, ["rows", 1]) for name, dtype in columns]
    outputs = [(f"{name}_out", dtype, ["rows", 1]) for name, dtype in columns]
    write(case.folder, graph(nodes, inputs, outputs))
    ids = ["001", "0", "-0", "1e5", " 7 ", "NaN", "null", "true", 'say "hi", then\ngo', "日本 🚀"]
    n = [0, -1, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 7, 10**18, -(10**18), 1]
    u = [0, 1, 2**53 + 1, 2**64 - 1, 2**63, 7, 8, 10**19, 9, 10]
    edge = {
        "id": np.array(ids, dtype=object).reshape(-1, 1),
        "n": np.array(n, dtype=np.int64).reshape(-1, 1),
        "u": np.array(u, dtype=np.uint64).reshape(-1, 1),
    }
    return {"one": {k: v[:1] for k, v in edge.items()}, "edge": edge}


def dtypes(case: Case) -> dict[str, Arrays]:
    """One input and one output of each element type that numpy has."""
    values = {
        "bool": np.array([True, False, True]),
        "string": np.array(["a", "é", ""], dtype=object),
        "float16": np.array([0.1, -65504.0, 6e-8], dtype=np.float16),
        "float32": np.array([0.1, 3.4028235e38, 1e-45], dtype=np.float32),
        "float64": np.array([0.1, 1.7976931348623157e308, 5e-324]),
    }
    for bits in (8, 16, 32, 64):
        for kind in ("int", "uint"):
            info = np.iinfo(f"{kind}{bits}")
            values[info.dtype.name] = np.array([info.min, info.max, 1], dtype=info.dtype)
    types = {name: T.STRING if name == "string" else h.np_dtype_to_tensor_dtype(v.dtype) for name, v in values.items()}
    nodes = [h.make_node("Identity", [name], [f"{name}_out"]) for name in values]
    inputs = [(name, dtype, ["n"]) for name, dtype in types.items()]
    outputs = [(f"{name}_out", dtype, ["n"]) for name, dtype in types.items()]
    write(case.folder, graph(nodes, inputs, outputs))
    return {"one": {k: v[:1] for k, v in values.items()}, "three": values}


def nonfinite(case: Case) -> dict[str, Arrays]:
    """Logarithm and reciprocal: NaN, infinity and minus infinity come out of ordinary numbers."""
    nodes = [h.make_node("Log", ["x"], ["log"]), h.make_node("Reciprocal", ["x"], ["reciprocal"])]
    out = ["rows", 3]
    model = graph(nodes, [("x", T.FLOAT, out)], [("log", T.FLOAT, out), ("reciprocal", T.FLOAT, out)])
    write(case.folder, model)
    x = np.array([[-1.0, 0.0, 1.0], [2.0, -0.0, 4.0]], dtype=np.float32)
    return {"one": {"x": x[:1]}, "two": {"x": x}}


def optional_input(case: Case) -> dict[str, Arrays]:
    """`bias` has a default in the graph: a call may leave it out."""
    node = h.make_node("Add", ["x", "bias"], ["y"])
    inputs = [("x", T.FLOAT, ["rows", 2]), ("bias", T.FLOAT, [2])]
    default = np.array([10.0, 20.0], dtype=np.float32)
    write(case.folder, graph([node], inputs, [("y", T.FLOAT, ["rows", 2])], [("bias", default)]))
    x = np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32)
    return {"without": {"x": x}, "with": {"x": x, "bias": np.array([0.5, -0.5], dtype=np.float32)}}


def scalars(case: Case) -> dict[str, Arrays]:
    """Inputs and output without any axis."""
    node = h.make_node("Mul", ["price", "quantity"], ["total"])
    inputs = [("price", T.DOUBLE, []), ("quantity", T.DOUBLE, [])]
    write(case.folder, graph([node], inputs, [("total", T.DOUBLE, [])]))
    return {"one": {"price": np.array(19.99), "quantity": np.array(3.0)}}


def float16(case: Case) -> dict[str, Arrays]:
    """Half precision in and out."""
    nodes = [h.make_node("Mul", ["x", "two"], ["a"]), h.make_node("Add", ["a", "one"], ["y"])]
    constants = [("two", np.array(2, dtype=np.float16)), ("one", np.array(1, dtype=np.float16))]
    shape = ["rows", 3]
    write(case.folder, graph(nodes, [("x", T.FLOAT16, shape)], [("y", T.FLOAT16, shape)], constants))
    x = np.linspace(-3, 3, 96).reshape(32, 3).astype(np.float16)
    return {"one": {"x": x[:1]}, "batch32": {"x": x}}


def slow(case: Case) -> dict[str, Arrays]:
    """Takes as long as `loops` says: that many products of 256 × 256 matrices, a quarter of a millisecond each."""
    size = 256
    body = h.make_graph(
        [
            h.make_node("Identity", ["going"], ["goes_on"]),
            h.make_node("MatMul", ["state", "shuffle"], ["next"]),
        ],
        "body",
        [
            h.make_tensor_value_info("i", T.INT64, []),
            h.make_tensor_value_info("going", T.BOOL, []),
            h.make_tensor_value_info("state", T.FLOAT, [size, size]),
        ],
        [
            h.make_tensor_value_info("goes_on", T.BOOL, []),
            h.make_tensor_value_info("next", T.FLOAT, [size, size]),
        ],
    )
    rng = np.random.default_rng(0)
    shuffle = np.eye(size, dtype=np.float32)[rng.permutation(size)]
    start = rng.integers(0, 10, (size, size)).astype(np.float32)
    nodes = [
        h.make_node("Loop", ["loops", "", "start"], ["end"], body=body),
        h.make_node("ReduceSum", ["end"], ["sum"], keepdims=0),
    ]
    model = graph(nodes, [("loops", T.INT64, [])], [("sum", T.FLOAT, [])], [("shuffle", shuffle), ("start", start)])
    write(case.folder, model)
    return {"one": {"loops": np.array(3, dtype=np.int64)}}


def slow_load(case: Case) -> dict[str, Arrays]:
    """Takes more than a second to load: an engine folds a chain of products of constants while it makes its session."""
    size, links = 1_024, 60
    shuffle = np.eye(size, dtype=np.float32)[np.random.default_rng(0).permutation(size)]
    nodes = [h.make_node("MatMul", ["w" if i == 0 else f"p{i - 1}", "w"], [f"p{i}"]) for i in range(links)]
    nodes += [h.make_node("MatMul", ["x", f"p{links - 1}"], ["y"])]
    shape = ["rows", size]
    model = graph(nodes, [("x", T.FLOAT, shape)], [("y", T.FLOAT, shape)], [("w", shuffle)])
    write(case.folder, model)
    (case.folder / "modelet.toml").write_text('engine = "onnxruntime"\n')
    return {"one": {"x": np.arange(size, dtype=np.float32).reshape(1, size)}}


def hungry(case: Case) -> dict[str, Arrays]:
    """Takes as much memory as `mib` says, for one call."""
    nodes = [
        h.make_node("Mul", ["mib", "floats"], ["n"]),
        h.make_node("ConstantOfShape", ["n"], ["ones"], value=h.make_tensor("v", T.FLOAT, [1], [1.0])),
        h.make_node("ReduceMax", ["ones"], ["one"], keepdims=0),
    ]
    floats = np.array([2**18], dtype=np.int64)
    write(case.folder, graph(nodes, [("mib", T.INT64, [1])], [("one", T.FLOAT, [])], [("floats", floats)]))
    return {"one": {"mib": np.array([1], dtype=np.int64)}}


RECIPES = {
    "external-weights": external_weights,
    "passthrough": passthrough,
    "dtypes": dtypes,
    "nonfinite": nonfinite,
    "optional-input": optional_input,
    "scalars": scalars,
    "float16": float16,
    "slow": slow,
    "slow-load": slow_load,
    "hungry": hungry,
}
