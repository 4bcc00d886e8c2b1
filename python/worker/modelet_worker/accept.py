"""What an answer is made as: of the types that a result can have, the one that the client likes best, as for models."""

import io

from modelet_worker.fault import Fault, words

JSON = "application/json"
CSV = "text/csv"
NPY = "application/x-npy"
TEXT = "text/plain"
OCTETS = "application/octet-stream"
#: All that there may be.
KNOWN = [JSON, CSV, NPY, TEXT, OCTETS]


class NotAcceptable(Exception):
    """The client takes nothing that there is."""


def chosen(accept, offers):
    """Of the offers, best first, the one that an `Accept` header likes best."""
    ranges = [weighed(one) for one in accept.split(",") if one.strip()]
    if not ranges:
        return offers[0]
    best = max(offers, key=lambda offer: quality(offer, ranges))
    if quality(best, ranges) > 0:
        return best
    asked = ", ".join(name for name, _ in ranges)
    raise NotAcceptable(f'the answer cannot be made as "{asked[:80]}"; it can be {", ".join(offers)}')


def weighed(text):
    """A media range and how much it is liked."""
    name, *parameters = [part.strip().lower() for part in text.split(";")]
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return name, min(max(float(value), 0.0), 1.0)
            except ValueError:
                break
    return name, 1.0


def quality(offer, ranges):
    """How much a client likes an offer: the quality of the most specific range that covers it."""
    family = offer.partition("/")[0]
    for covering in (offer, f"{family}/*", "*/*"):
        for name, liked in ranges:
            if name == covering:
                return liked
    return 0.0


def offers(result):
    """What a result can be answered as, the best first."""
    if isinstance(result, str):
        return [TEXT, JSON]
    if isinstance(result, (bytes, bytearray, memoryview)):
        return [OCTETS, JSON]
    kind = type(result)
    library = (kind.__module__ or "").partition(".")[0]
    if library == "pandas" and kind.__name__ == "DataFrame":
        return [JSON, CSV]
    if library == "numpy" and kind.__name__ == "ndarray" and not result.dtype.hasobject:
        return [JSON, NPY]
    return [JSON]


def written(result, form, results):
    """A result as one of its offers: the content type and the bytes."""
    try:
        if form == TEXT:
            return f"{TEXT}; charset=utf-8", result.encode("utf-8", "backslashreplace")
        if form == OCTETS:
            return form, bytes(result)
        if form == CSV:
            return form, result.to_csv(index=False).encode("utf-8", "backslashreplace")
        return form, npy(result) if form == NPY else results.encode(result)
    except (TypeError, ValueError) as error:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {words(error)}") from None


def npy(array):
    """An array as a file of NumPy's."""
    from numpy.lib.format import write_array

    file = io.BytesIO()
    write_array(file, array, allow_pickle=False)
    return file.getvalue()
