"""Makes ONNX of a network with its own framework and that framework's converter, and writes it to standard output.

    python convert.py LOADER MODEL SHAPES PATHS

Runs in a sandbox. SHAPES is a JSON list of what the file may not say: `[type, sizes]` for each input, `null` for a free
size. PATHS is a JSON list of the folders with packages. The answer is a line of JSON (which inputs are looked up in
tables, the limits of sizes), and the model behind it.
"""

import io
import json
import os
import sys

#: ONNX's own limit: a message of Protocol Buffers has at most so many bytes.
MAX_BYTES = (2 << 30) - 1
#: The operators of ONNX to write with.
OPSET = 18
#: Operators that hand an index on as it is.
PASS_INDEX = ("Cast", "Identity")


def convert(loader, network):
    """The ONNX model of a network, and the limits of its sizes."""
    if loader in ("keras", "tf-keras"):
        return from_keras(network), []
    if loader == "saved-model":
        return from_tensorflow(network.function, network), []
    return (from_torchscript(network), []) if loader == "torchscript" else from_torch_export(network)


def from_keras(network):
    """By TensorFlow: the model's call, without what only training does."""
    import tensorflow as tf

    @tf.function
    def function(**tensors):
        found = tf.nest.flatten(network.model(network.packed(tensors), training=False))
        return dict(zip(network.outputs, found, strict=True))

    specs = {name: tf.TensorSpec(one.shape, one.dtype, name=name) for name, one in sorted(network.inputs.items())}
    return from_tensorflow(function.get_concrete_function(**specs), network)


def from_tensorflow(function, network):
    """A concrete function of TensorFlow."""
    import tensorflow as tf
    from tf2onnx import convert, tf_loader

    inputs = [one.name for one in function.inputs if one.dtype != tf.resource]
    outputs = [one.name for one in function.outputs]
    with tf.device("/cpu:0"):
        graph = tf_loader.from_function(function, inputs, outputs)
        model, _ = convert._convert_common(
            graph,
            name="model",
            continue_on_error=True,
            opset=OPSET,
            input_names=inputs,
            output_names=outputs,
            tensors_to_rename=convert.tensor_names_from_structed(function, inputs, outputs),
        )
    for one in [*model.graph.input, *model.graph.output]:
        sizes = one.type.tensor_type.shape.dim
        for axis, size in enumerate(sizes):
            # Each free size has a name of its own, which says nothing.
            if size.dim_param and axis == 0:
                size.dim_param = "batch"
            elif size.dim_param:
                size.ClearField("dim_param")
    rename_outputs(model, sorted(network.outputs))
    return model


def from_torchscript(network):
    """By the exporter that walks the graph of TorchScript."""
    import onnx
    import torch

    free = {
        name: {axis: "batch" if axis == 0 else f"{name}_{axis}" for axis, size in enumerate(sizes) if size is None}
        for name, (_, sizes) in network.inputs.items()
    }
    file = io.BytesIO()
    names = {"input_names": list(network.inputs), "output_names": network.outputs}
    examples = tuple(network.examples())
    torch.onnx.export(network.model, examples, file, dynamo=False, opset_version=OPSET, dynamic_axes=free, **names)
    return onnx.load_from_string(file.getvalue())


def from_torch_export(network):
    """By the exporter that translates the exported program."""
    import torch

    program = freed(network)
    model = torch.onnx.export(program, dynamo=True, opset_version=OPSET, verbose=False).model_proto
    symbols = {}
    for one in [*model.graph.input, *model.graph.output]:
        for size in one.type.tensor_type.shape.dim:
            if size.dim_param:
                size.dim_param = symbols.setdefault(size.dim_param, f"size_{len(symbols)}" if symbols else "batch")
    rename_outputs(model, network.outputs)
    limits = network.limits(program).items()
    return model, [{"name": symbols[symbol], **own} for symbol, own in limits if symbol in symbols]


def freed(network):
    """The program for any number of rows: it was exported for those of its example, unless it was said otherwise."""
    import torch
    from torch.utils import _pytree

    program = network.model
    if network.rows is None:
        return program
    # One row would be taken for a size that never changes.
    rows = {name: torch.zeros([2, *one.shape[1:]], dtype=one.dtype) for name, one in network.inputs.items()}
    args, kwargs = _pytree.tree_unflatten(list(rows.values()), program.call_spec.in_spec)
    sizes = _pytree.tree_map(lambda _: {0: torch.export.Dim("batch")}, (args, kwargs))
    try:
        module = program.module(check_guards=False)
        return torch.export.export(module, args, kwargs, dynamic_shapes=(*sizes[0], *sizes[1].values()))
    except Exception as error:
        said = str(error).strip().splitlines() or ["nothing"]
        raise SystemExit(
            f"the model was exported for batches of {network.rows} and takes no others ({said[0][:200]}): export it "
            "with dynamic_shapes=({0: torch.export.Dim('batch')},), one for each input"
        ) from error


def rename_outputs(model, names):
    """Gives the outputs their names in the network."""
    from onnx import helper

    for one, name in zip(model.graph.output, names, strict=True):
        if one.name != name:
            model.graph.node.append(helper.make_node("Identity", [one.name], [name]))
            one.name = name


def check(model):
    """Refuses what the converter left as it was: an operator that ONNX does not have."""
    from onnx import defs

    own = {(one.domain, one.name) for one in model.functions}
    versions = {one.domain: one.version for one in model.opset_import}
    unknown = set()
    for node in nodes(model.graph):
        version = versions.get(node.domain, 1)
        if (node.domain, node.op_type) not in own and not defs.has(node.op_type, version, node.domain):
            unknown.add(node.op_type)
    if unknown:
        raise SystemExit(f"the converter does not know the operator {', '.join(sorted(unknown))}")


def nodes(graph):
    """All nodes, those of graphs within them included."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs]:
                yield from nodes(inner)


def roots(model):
    """The inputs, by the names of what hands them on as they are."""
    found = {one.name: one.name for one in model.graph.input}
    for node in model.graph.node:
        if node.op_type in PASS_INDEX and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]]
    return found


def table_rows(model, roots):
    """How many rows the table has in which an input is looked up, by input: what lies outside, the original refuses."""
    tables = {one.name: one.dims[0] for one in model.graph.initializer if one.dims}
    found = {}
    for node in model.graph.node:
        is_first_axis = not any(one.name == "axis" and one.i for one in node.attribute)
        if node.op_type == "Gather" and node.input[1] in roots and node.input[0] in tables and is_first_axis:
            root, rows = roots[node.input[1]], tables[node.input[0]]
            found[root] = min(rows, found.get(root, rows))
    return found


def main():
    """The command line."""
    loader, path, shapes, paths = sys.argv[1:]
    sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), *json.loads(paths)]
    # What a library prints must not stand amid the answer.
    file = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    import guards
    import networks

    networks.quiet()
    network = networks.load(loader, path, networks.read_shapes(shapes))
    model, limits = convert(loader, network)
    check(model)
    inputs = roots(model)
    tables = table_rows(model, inputs)
    for name, rows in network.table_rows():
        tables[name] = min(rows, tables.get(name, rows))
    # Of these inputs what lies outside of the table is refused before any engine sees it.
    guards.guard(model, lambda node, places: inputs.get(places) in tables or network.counts_from_the_end(node))
    if model.ByteSize() > MAX_BYTES:
        raise SystemExit(f"as ONNX the model has {model.ByteSize()} bytes, the limit is {MAX_BYTES}")
    head = {"table_rows": tables, "limits": limits}
    file.write(json.dumps(head).encode() + b"\n" + model.SerializeToString(deterministic=True))
    file.flush()


if __name__ == "__main__":
    main()
