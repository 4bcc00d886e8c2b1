"""Networks as their own frameworks load them, with the names that inputs and outputs have in the converted model.

Read by `convert.py`, which makes ONNX of them, and by `answer.py`, which asks them for a proof.
"""

import importlib
import json
import os

#: Rows that are answered at once.
BLOCK = 256
#: Operators of TorchScript that look places up.
OPERATORS = ["aten::index", "aten::embedding", "aten::index_select", "aten::gather", "aten::scatter", "aten::one_hot"]
OPERATORS += ["aten::index_put", "aten::embedding_bag", "aten::take", "aten::take_along_dim", "aten::scatter_add"]


def load(loader, path, shapes=()):
    """The network in a file; `shapes` are those of its inputs, where the file does not say them."""
    if loader in ("keras", "tf-keras"):
        return Keras(path, loader.replace("-", "_"))
    if loader == "saved-model":
        return SavedModel(path)
    return TorchScript(path, shapes) if loader == "torchscript" else TorchExport(path)


class Network:
    """A network: `inputs` and `outputs` by name, and how many `rows` it takes, where it takes no others."""

    #: Rows that it takes at once.
    most_rows = BLOCK

    def table_rows(self):
        """Inputs that are looked up in tables, where the layers say it, and how many rows each table has."""
        return []

    def counts_from_the_end(self, node):
        """True when places below zero are right to a node of the converted model."""
        return False


class Keras(Network):
    """What Keras saved."""

    def __init__(self, path, module):
        import tensorflow as tf

        keras = importlib.import_module(module)
        self.model = keras.models.load_model(path, compile=False)
        if not getattr(self.model, "inputs", None):
            raise SystemExit("the model was saved before it knew its inputs: give it an Input, and save it again")
        inputs = [tf.TensorSpec(one.shape, one.dtype, name=one.name.split(":")[0]) for one in self.model.inputs]
        names = getattr(self.model, "output_names", None) or [self.model.layers[-1].name]
        self.inputs = dict(zip(distinct([one.name for one in inputs]), inputs, strict=True))
        self.outputs = distinct(names)
        self.rows = inputs[0].shape[0]

    def table_rows(self):
        """By the layers: Keras counts negative places from the end before it looks them up."""
        tables = [layer for layer in self.model.layers if type(layer).__name__ == "Embedding"]
        looked_up = [(layer.input.name.split(":")[0], layer.input_dim) for layer in tables]
        return [(name, rows) for name, rows in looked_up if name in self.inputs]

    def packed(self, tensors):
        """The inputs in the form in which the model takes them."""
        import tensorflow as tf

        ordered = [tensors[name] for name in self.inputs]
        return ordered[0] if len(ordered) == 1 else tf.nest.pack_sequence_as(self.model.input, ordered)

    def answer(self, inputs):
        """The outputs of some rows, by `predict`."""
        import tensorflow as tf

        found = self.model.predict(self.packed(inputs), batch_size=self.rows or BLOCK, verbose=0)
        return dict(zip(self.outputs, tf.nest.flatten(found), strict=True))


class SavedModel(Network):
    """What TensorFlow saved, by its signature for serving."""

    def __init__(self, path):
        import tensorflow as tf

        self.model = tf.saved_model.load(path)
        signatures = dict(self.model.signatures)
        if len(signatures) != 1 and "serving_default" not in signatures:
            raise SystemExit(f"the SavedModel has the signatures {sorted(signatures)}, none of them serving_default")
        self.function = signatures.get("serving_default") or next(iter(signatures.values()))
        self.inputs = dict(sorted(self.function.structured_input_signature[1].items()))
        self.outputs = sorted(self.function.structured_outputs)
        self.rows = next((one.shape[0] for one in self.inputs.values() if one.shape.rank), None)

    def answer(self, inputs):
        """The outputs of some rows."""
        import tensorflow as tf

        def ask(part):
            found = self.function(**{name: tf.constant(rows) for name, rows in part.items()})
            return {name: found[name].numpy() for name in self.outputs}

        return in_blocks(ask, inputs, self.rows, self.most_rows)


class Torch(Network):
    """What both forms of PyTorch share: `call` takes tensors, in the order of the inputs."""

    def answer(self, inputs):
        """The outputs of some rows."""
        import torch

        torch.set_num_threads(1)

        def ask(part):
            with torch.no_grad():
                found = self.call([torch.from_numpy(part[name].copy()) for name in self.inputs])
            return {name: one.numpy() for name, one in zip(*flat(found), strict=True)}

        return in_blocks(ask, inputs, self.rows, self.most_rows)

    def check(self, operators):
        """Refuses what is converted to something that answers where PyTorch refuses."""
        if "one_hot" in operators:
            raise SystemExit(
                "one_hot refuses classes that it does not have, what ONNX makes of it answers zeros: write "
                "(x[..., None] == torch.arange(classes)).float() in its place"
            )


class TorchScript(Torch):
    """What `torch.jit` saved. It does not say how large its inputs are."""

    def __init__(self, path, shapes):
        import torch

        self.model = torch.jit.load(path, map_location="cpu").eval()
        wanted = self.model.forward.schema.arguments[1:]
        others = [f"{one.name} ({one.type})" for one in wanted if str(one.type) != "Tensor"]
        if others:
            raise SystemExit(f"the model's forward takes what is no tensor: {', '.join(others)}")
        names = [one.name for one in wanted]
        if len(shapes) != len(names):
            each = " ".join("--input 'float32[any,30]'" for _ in names)
            raise SystemExit(
                f"TorchScript does not say the shapes of its inputs ({', '.join(names)}), and {len(shapes)} were "
                f"given: say one for each, such as {each}"
            )
        self.inputs = dict(zip(names, shapes, strict=True))
        self.call = lambda tensors: self.model(*tensors)
        self.rows = shapes[0][1][0] if shapes[0][1] else None
        graph = self.model.inlined_graph
        self.operators = {node.kind().removeprefix("aten::") for kind in OPERATORS for node in graph.findAllNodes(kind)}
        self.check(self.operators)

    def counts_from_the_end(self, node):
        """As `x[places]` does, and nothing else that looks up. Which of both a node was is not kept: where both are, none may."""
        return self.operators == {"index"}

    @property
    def outputs(self):
        """What it gives for an example: it does not say it either."""
        import torch

        with torch.no_grad():
            return flat(self.call(list(self.examples())))[0]

    def examples(self):
        """A small input of each shape."""
        import torch

        for kind, sizes in self.inputs.values():
            yield torch.ones([size or 2 for size in sizes], dtype=getattr(torch, kind))


class TorchExport(Torch):
    """What `torch.export` saved."""

    def __init__(self, path):
        import torch
        from torch.utils import _pytree

        self.model = torch.export.load(path)
        names = self.model.graph_signature.user_inputs
        if not all(isinstance(name, str) for name in names):
            raise SystemExit(f"the model takes what is no tensor: {[one for one in names if not isinstance(one, str)]}")
        values = {node.name: node.meta["val"] for node in self.model.graph.nodes if node.op == "placeholder"}
        self.inputs = {name: values[name] for name in names}
        module = self.model.module()

        def call(tensors):
            args, kwargs = _pytree.tree_unflatten(tensors, self.model.call_spec.in_spec)
            return module(*args, **kwargs)

        self.call = call
        self.check({str(node.target).split(".")[1] for node in self.model.graph.nodes if "aten." in str(node.target)})
        outputs = len(self.model.graph_signature.user_outputs)
        self.outputs = flat(_pytree.tree_unflatten(list(range(outputs)), self.model.call_spec.out_spec))[0]
        first = [*values[names[0]].shape[:1]]
        self.rows = next((size for size in first if isinstance(size, int)), None)
        own = self.limits(self.model).get(str(*first), {})
        if "min" in own:
            raise SystemExit(
                f"the model takes no single row: it was exported for batches of {own['min']} and more; export it with "
                "dynamic_shapes=({0: torch.export.Dim('batch')},), one for each input"
            )
        self.most_rows = min(own.get("max", BLOCK), BLOCK)

    @staticmethod
    def limits(program):
        """The limits of sizes that have some, by symbol. None, one and two are always taken, whatever a program says."""
        found = {}
        for symbol, sizes in program.range_constraints.items():
            ends = {"min": sizes.lower, "max": sizes.upper}
            own = {end: int(size) for end, size in ends.items() if size.is_Integer and (end == "max" or size > 2)}
            found |= {str(symbol): own} if own else {}
        return found

    def counts_from_the_end(self, node):
        """As `x[places]` does, and nothing else that looks up; the exporter notes of each node what it was."""
        return any("aten.index." in one.value for one in node.metadata_props)


def flat(found, name="output"):
    """The names and the tensors of what a model of PyTorch gives: by key where it gives a dict, else by place."""
    if isinstance(found, dict):
        parts = [flat(one, str(key)) for key, one in found.items()]
    elif isinstance(found, list | tuple):
        several = len(found) > 1
        parts = [flat(one, f"{name}_{place}" if several else name) for place, one in enumerate(found)]
    else:
        return [name], [found]
    return [one for names, _ in parts for one in names], [one for _, tensors in parts for one in tensors]


def in_blocks(ask, inputs, rows, most):
    """Asks block by block; where a model takes so many rows and no others, the last ones are filled up with copies."""
    import numpy as np

    count, size = len(next(iter(inputs.values()))), rows or most
    parts = []
    for start in range(0, count, size):
        part = {name: one[start : start + size] for name, one in inputs.items()}
        own = min(size, count - start)
        if rows and own < rows:
            part = {name: np.concatenate([one, one[-1:].repeat(rows - own, axis=0)]) for name, one in part.items()}
        answers = ask(part)
        parts.append({name: one[:own] if rows else one for name, one in answers.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def distinct(names):
    """The names, each once: those that come again get a number."""
    return [name if name not in names[:at] else f"{name}_{at}" for at, name in enumerate(names)]


def read_shapes(text):
    """Type and sizes of each input as they were given, `None` for a free size."""
    return [(kind, sizes) for kind, sizes in json.loads(text)]


def quiet():
    """Frameworks that talk less, and compute on the processor."""
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"}
