"""`module.function(event, context)`, as AWS Lambda has it."""

import json
import os

from modelet_worker import entry
from modelet_worker.context import LambdaContext
from modelet_worker.fault import Fault, words
from modelet_worker.result import Results


def load(start):
    """The function that answers events."""
    strict = start["options"].get("strict", False)
    _, function = entry.find(start["module"], start["function"])
    if not strict:
        check(function, start)
    arn = start.get("arn")
    encode = encoder(start["options"], strict)

    def call(header, body):
        remember_trace(header.get("trace"))
        context = LambdaContext(header, arn)
        return {"event": True}, marshalled(function(unmarshalled(body), context), encode)

    return call


def encoder(options, strict):
    """How results are written: by the rules of this project, or by the cloud's."""
    if not strict:
        return Results(options.get("non_finite", "null")).encode
    from modelet_worker.strict import StrictResults

    return StrictResults().encode


def unmarshalled(body):
    """The event."""
    try:
        return json.loads(str(body, "utf-8").removeprefix("\ufeff"), parse_constant=no_constant)
    except Exception as error:
        raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {words(error)}") from None


def no_constant(name):
    raise ValueError(f"Expecting value: {name} is not JSON")


def marshalled(result, encode):
    """The answer; bytes are taken as they are."""
    if isinstance(result, bytes):
        return result
    try:
        return encode(result)
    except Exception as error:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {words(error)}") from None


def remember_trace(trace):
    """Where tracing looks for the call's trace."""
    if trace is not None:
        os.environ["_X_AMZN_TRACE_ID"] = trace
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)


def check(function, start):
    """Refuses at start what no call could answer."""
    name = f"{start['module']}.{start['function']}"
    if not callable(function):
        raise Fault("Runtime.HandlerNotFound", f"{name} is not a function but {type(function).__name__}")
    if entry.is_coroutine(function):
        text = f"{name} is `async def`, which AWS Lambda does not await either"
        raise Fault("Runtime.HandlerNotCallable", f"{text}\nnext: make it `def`, and call `asyncio.run(…)` within")
    counts = entry.parameters(function)
    if counts and not counts[0] <= 2 <= counts[1]:
        code = function.__code__
        where = f"{os.path.relpath(code.co_filename)}:{code.co_firstlineno}"
        text = f"{name} ({where}) takes {counts[0]} arguments, and is called with two"
        raise Fault("Runtime.HandlerNotCallable", f"{text}\nnext: write `def {start['function']}(event, context):`")
