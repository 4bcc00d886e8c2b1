"""Places that are looked up. Frameworks refuse those below zero, ONNX counts them from the end: behind a guard every engine
refuses them too."""

#: Operators that look up, and at which of their inputs the places stand.
PLACES = {"Gather": 1, "GatherElements": 1, "GatherND": 1, "ScatterElements": 1, "ScatterND": 1, "OneHot": 0}
#: A place that no table has, and that engines of 32 bits have too. `OneHot` has nothing there, as TensorFlow has below zero.
NOWHERE = 2**31 - 1


def guard(model, is_left):
    """Guards the places of each node that looks up, but for constants, and where `is_left` says that they are right."""
    below = _Below()
    _guard(model.graph, set(), is_left, below)


class _Below:
    """The nodes that make what is below zero nowhere, with names of their own."""

    def __init__(self):
        self.count = 0

    def nodes(self, places):
        """The nodes, and the name of what they make."""
        from onnx import TensorProto, helper

        name = f"modelet_places_{self.count}"
        self.count += 1

        def constant(part, number):
            value = helper.make_tensor(part, TensorProto.INT64, [], [number])
            return helper.make_node("Constant", [], [f"{name}_{part}"], value=value)

        return [
            constant("zero", 0),
            constant("nowhere", NOWHERE),
            helper.make_node("Cast", [places], [f"{name}_whole"], to=TensorProto.INT64),
            helper.make_node("Less", [f"{name}_whole", f"{name}_zero"], [f"{name}_below"]),
            helper.make_node("Where", [f"{name}_below", f"{name}_nowhere", f"{name}_whole"], [name]),
        ], name


def _guard(graph, outer, is_left, below):
    """One graph, with those in it. `outer` are the constants around it."""
    constants = outer | {one.name for one in graph.initializer}
    nodes = []
    for node in graph.node:
        inner = [one for attribute in node.attribute for one in [attribute.g, *attribute.graphs] if one.node]
        for one in inner:
            _guard(one, constants, is_left, below)
        if not inner and all(name in constants for name in node.input if name):
            constants.update(node.output)
        at = PLACES.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if at is not None and node.input[at] not in constants and not is_left(node, node.input[at]):
            guards, name = below.nodes(node.input[at])
            nodes.extend(guards)
            node.input[at] = name
        nodes.append(node)
    kept = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)
