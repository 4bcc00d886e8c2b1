"""`predict(inputs)`: a function that no cloud's shape is asked of.

The body becomes what the first parameter is annotated as: an array of NumPy's, a data frame of pandas', or plain
Python. A second parameter named `context` gets what Lambda's handlers get.
"""

import inspect

from modelet_worker import entry
from modelet_worker.accept import KNOWN, NotAcceptable, chosen, offers, written
from modelet_worker.context import LambdaContext
from modelet_worker.fault import Fault
from modelet_worker.http_form import answer, failure, header_of
from modelet_worker.inputs import BadBody, UnknownType, read
from modelet_worker.result import Results


def load(start):
    """The function, as what answers calls."""
    _, function = entry.find(start["module"], start["function"])
    form, wants_context = check(function, start)
    results = Results(start["options"].get("non_finite", "null"))

    def call(header, body):
        accept = header_of(header, "accept") or ""
        try:
            # What could never be taken is not computed.
            chosen(accept, KNOWN)
            inputs = read(form, header_of(header, "content-type"), body)
        except BadBody as error:
            return failure(400, "bad-body", str(error))
        except UnknownType as error:
            return failure(415, "unsupported-media-type", str(error))
        except NotAcceptable as error:
            return failure(406, "not-acceptable", str(error))
        context = [LambdaContext(header, start.get("arn"))] if wants_context else []
        result = function(inputs, *context)
        try:
            wanted = chosen(accept, offers(result))
        except NotAcceptable as error:
            return failure(406, "not-acceptable", str(error))
        return answer(200, *written(result, wanted, results))

    return call


def check(function, start):
    """What the function wants its inputs as (`array`, `frame` or `plain`), and whether it wants the context."""
    name = f"{start['module']}.{start['function']}"
    if not callable(function):
        raise Fault("Runtime.HandlerNotFound", f"{name} is not a function but {type(function).__name__}")
    if entry.is_coroutine(function):
        raise Fault(
            "Runtime.HandlerNotCallable", f"{name} is `async def`\nnext: make it `def`, or an application of ASGI"
        )
    found = list(inspect.signature(function).parameters.values())
    places = [one for one in found if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    wants_context = len(places) > 1 and places[1].name == "context"
    needed = [
        one.name for one in found if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    given = [one.name for one in places[: 1 + wants_context]]
    extra = [one for one in needed if one not in given]
    if not places or extra:
        text = f"{name} takes {', '.join(needed) or 'nothing'}, and is called with its inputs" + (
            " and the context" if wants_context else ""
        )
        raise Fault(
            "Runtime.HandlerNotCallable",
            f"{text}\nnext: write `def {start['function']}(inputs):` or `(inputs, context)`",
        )
    return form_of(places[0].annotation), wants_context


def form_of(annotation):
    """What an annotation asks for; one that is text is read by its name."""
    if isinstance(annotation, str):
        name = annotation.partition("[")[0].rpartition(".")[2].strip()
    else:
        name = getattr(getattr(annotation, "__origin__", annotation), "__name__", "")
    return {"ndarray": "array", "NDArray": "array", "DataFrame": "frame"}.get(name, "plain")
