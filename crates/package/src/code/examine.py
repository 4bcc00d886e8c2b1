"""Says what Python files define, without running them. Arguments: paths. Answer: JSON, a list with an entry for each."""

import ast
import json
import sys

# What belongs to Python itself; older ones do not say all of it.
STANDARD = getattr(sys, "stdlib_module_names", sys.builtin_module_names)
# What makes an application, by the name of what is called.
APPLICATIONS = {
    "FastAPI", "Starlette", "Flask", "get_wsgi_application", "get_asgi_application", "Quart", "Litestar", "Dash",
    "mount_gradio_app",
}
# How code answers in pieces or by websockets, by the last name of what is called.
WAYS = {
    "StreamingResponse": "stream", "EventSourceResponse": "stream", "stream_with_context": "stream",
    "websocket": "websocket", "websocket_route": "websocket", "add_websocket_route": "websocket",
    "add_api_websocket_route": "websocket", "WebSocketRoute": "websocket",
}
# What loads a model from the path that is its first argument, by the last name of what is called.
LOADERS = {"load_model", "load", "InferenceSession"}


def dotted(node):
    """`a.b.c` of a name, an attribute, or of what is called; empty for anything else."""
    if isinstance(node, ast.Call):
        return dotted(node.func)
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return node.id if isinstance(node, ast.Name) else ""


def function(node):
    args = node.args
    params = [arg.arg for arg in args.posonlyargs + args.args]
    return {
        "name": node.name,
        "line": node.lineno,
        "params": params,
        "required": len(params) - len(args.defaults),
        "any": args.vararg is not None,
        "is_async": isinstance(node, ast.AsyncFunctionDef),
        "decorators": [dotted(decorator) for decorator in node.decorator_list],
        "event_keys": event_keys(node, params[0]) if params else [],
    }


def event_keys(node, event):
    """The keys that a function asks its first argument for: `event["body"]`, `event.get("body")`."""
    found = []
    for inner in ast.walk(node):
        if isinstance(inner, ast.Subscript) and dotted(inner.value) == event:
            found.append(inner.slice)
        elif isinstance(inner, ast.Call) and dotted(inner.func) == f"{event}.get" and inner.args:
            found.append(inner.args[0])
    return sorted({key.value for key in found if isinstance(key, ast.Constant) and isinstance(key.value, str)})


def paths(tree):
    """The absolute paths that loaders are given as they stand."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and dotted(node.func).rpartition(".")[2] in LOADERS:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value.startswith("/"):
                yield {"path": first.value, "line": node.lineno, "call": dotted(node.func)}


def ways(tree):
    """Where code answers in pieces or by websockets."""
    for node in ast.walk(tree):
        kind = WAYS.get(dotted(node).rpartition(".")[2]) if isinstance(node, ast.Call) else None
        if kind:
            yield {"kind": kind, "line": node.lineno}


def imports(tree):
    """The top-level packages that are imported, each with the line where it is first; not those that the code can do without."""
    found = {}
    for node in needed(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module]
        else:
            continue
        for name in names:
            top = name.partition(".")[0]
            found[top] = min(node.lineno, found.get(top, node.lineno))
    return [{"name": name, "line": line} for name, line in sorted(found.items()) if name not in STANDARD]


def needed(node):
    """All nodes, but what is tried and may fail, and what only type checkers see."""
    for inner in ast.iter_child_nodes(node):
        is_tried = isinstance(node, ast.Try) and inner in node.body and any(map(forgives, node.handlers))
        is_for_types = isinstance(node, ast.If) and dotted(node.test).endswith("TYPE_CHECKING") and inner in node.body
        if not is_tried and not is_for_types:
            yield inner
            yield from needed(inner)


def forgives(handler):
    """Whether an `except` catches a module that is missing."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {dotted(kind) for kind in kinds if kind is not None}
    return handler.type is None or bool(names & {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


def applications(tree):
    """Those at the top level, by their names: one that is made anew is what it is made last."""
    found = {}
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Call):
            made = dotted(node.value.func).rpartition(".")[2]
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name) and made in APPLICATIONS:
                    found[target.id] = {"name": target.id, "made": made, "line": node.lineno}
    return list(found.values())


def examine(path):
    with open(path, "rb") as file:
        source = file.read()
    try:
        tree = ast.parse(source, path)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return {"error": {"line": getattr(error, "lineno", None), "message": getattr(error, "msg", None) or str(error)}}
    functions = [function(node) for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return {
        "functions": functions,
        "applications": applications(tree),
        "imports": imports(tree),
        "paths": list(paths(tree)),
        "ways": list(ways(tree)),
    }


json.dump([examine(path) for path in sys.argv[1:]], sys.stdout)
