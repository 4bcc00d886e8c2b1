"""Files that must be refused at deploy, with a sentence that names the reason."""

from __future__ import annotations

import onnx
from casefile import Case
from onnx import TensorProto as T
from onnx import helper as h

from recipes.handmade import graph, mlp, save_external, write


def ir_version_99(case: Case) -> list[str]:
    """A valid graph that says it was written by a far newer onnx."""
    model = mlp()
    model.ir_version = 99
    write(case.folder, model)
    return ["99"]


def opset_999(case: Case) -> list[str]:
    """A valid graph over an operator set that does not exist yet."""
    model = mlp()
    model.opset_import[0].version = 999
    write(case.folder, model)
    return ["999"]


def truncated(case: Case) -> list[str]:
    """The first two thirds of a model."""
    content = mlp().SerializeToString()
    (case.folder / "model.onnx").write_bytes(content[: len(content) * 2 // 3])
    return []


def not_a_model(case: Case) -> list[str]:
    """Text under the name of a model."""
    (case.folder / "model.onnx").write_text("version https://example.org/spec\noid sha256:abc\nsize 12345\n" * 20)
    return []


def empty(case: Case) -> list[str]:
    """No bytes at all."""
    (case.folder / "model.onnx").write_bytes(b"")
    return []


def external_missing(case: Case) -> list[str]:
    """The weights' file was left behind."""
    save_external(case.folder)
    (case.folder / "weights.bin").unlink()
    return ["weights.bin"]


def external_short(case: Case) -> list[str]:
    """The weights' file was cut on its way."""
    save_external(case.folder)
    weights = case.folder / "weights.bin"
    weights.write_bytes(weights.read_bytes()[:1_000])
    return ["weights.bin"]


def external_outside(case: Case) -> list[str]:
    """The model asks for a file outside its own folder."""
    save_external(case.folder)
    model = onnx.load(case.folder / "model.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../../../etc/passwd"
    write(case.folder, model)
    (case.folder / "weights.bin").unlink()
    return ["/etc/passwd"]


def unknown_operator(case: Case) -> list[str]:
    """An operator of a domain that no engine has."""
    node = h.make_node("Teleport", ["x"], ["y"], domain="com.example")
    body = h.make_graph(
        [node],
        "graph",
        [h.make_tensor_value_info("x", T.FLOAT, [1])],
        [h.make_tensor_value_info("y", T.FLOAT, [1])],
    )
    opsets = [h.make_opsetid("", 17), h.make_opsetid("com.example", 1)]
    write(case.folder, h.make_model(body, opset_imports=opsets, ir_version=8))
    return ["Teleport"]


def shapes_that_clash(case: Case) -> list[str]:
    """A product of matrices that do not fit each other."""
    model = graph([h.make_node("MatMul", ["x", "x"], ["y"])], [("x", T.FLOAT, [2, 3])], [("y", T.FLOAT, [2, 3])])
    write(case.folder, model)
    return []


RECIPES = {
    "broken-ir-version-99": ir_version_99,
    "broken-opset-999": opset_999,
    "broken-truncated": truncated,
    "broken-not-a-model": not_a_model,
    "broken-empty": empty,
    "broken-external-missing": external_missing,
    "broken-external-short": external_short,
    "broken-external-outside": external_outside,
    "broken-unknown-operator": unknown_operator,
    "broken-shapes-that-clash": shapes_that_clash,
}
