"""What values are in JSON that `json` does not know: those that models answer with.

| value | JSON |
|---|---|
| NumPy's scalars and arrays, Series and indexes of pandas, tensors of PyTorch and TensorFlow | numbers, texts, lists |
| DataFrame of pandas or polars | a list of records, one for each row |
| Timestamp, datetime, date, time | text, ISO 8601 |
| timedelta | seconds |
| UUID, path | text |
| bytes | text, base64 |
| set, frozenset | list, sorted where its values can be |
| dataclass | object |
| Enum | its value |
| NaT and NA of pandas | NaN, for which there is a rule of its own |

Libraries are recognised by the names and methods of their classes, and never imported.
"""

import binascii


def simpler(value):
    """A value in terms of simpler ones, one step. Raises TypeError, in `json`'s words, for what has no form."""
    kind = type(value)
    form = BY_NAME.get(kind.__name__)
    found = form(value) if form else by_shape(value, kind)
    if found is NOTHING:
        found = by_method(value, kind)
    if found is NOTHING or type(found) is kind:
        raise TypeError(f"Object of type {kind.__name__} is not JSON serializable")
    return found


def by_shape(value, kind):
    """By what Python knows it as."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return binascii.b2a_base64(value, newline=False).decode()
    if isinstance(value, (set, frozenset)):
        return in_order(value)
    if hasattr(kind, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in kind.__dataclass_fields__}
    if any(base.__name__ == "Enum" for base in kind.__mro__):
        return value.value
    return NOTHING


def by_method(value, kind):
    """By what its class can do."""
    for method, form in BY_METHOD.items():
        if callable(getattr(kind, method, None)):
            return form(value)
    return NOTHING


def array(value):
    """NumPy's arrays. Its own `tolist` makes bare numbers of dates in nanoseconds, also within records."""
    return list(value) if value.dtype.kind in "mMV" and value.ndim else value.tolist()


def date(value):
    """A date of NumPy, in the precision that it has."""
    return str(value) if value == value else missing(value)  # noqa: PLR0124 NaT is not itself


def duration(value):
    """A duration of NumPy, in seconds."""
    seconds = value.astype("m8[ns]").astype("int64") / 1e9
    return float(seconds) if value == value else missing(value)  # noqa: PLR0124 NaT is not itself


def record(value):
    """A row of a structured array, or raw bytes."""
    return [value[name] for name in value.dtype.names] if value.dtype.names else value.tolist()


def data_frame(value):
    """A data frame's rows as records; of columns of one name all but one would be lost."""
    if hasattr(value, "to_dicts"):
        return value.to_dicts()
    if not value.columns.is_unique:
        names = sorted({str(name) for name in value.columns[value.columns.duplicated()]})
        raise TypeError(f"a DataFrame has several columns named {', '.join(names)}, and a record can have one")
    return value.to_dict("records")


def missing(_value):
    """What stands for no value."""
    return float("nan")


def in_order(value):
    """The values of a set, in the same order each time where they have one."""
    try:
        return sorted(value)
    except TypeError:
        return list(value)


#: No form was found.
NOTHING = object()
#: Forms of classes of these names.
BY_NAME = {
    "ndarray": array,
    "datetime64": date,
    "timedelta64": duration,
    "void": record,
    "DataFrame": data_frame,
    "NaTType": missing,
    "NAType": missing,
    "UUID": str,
}
#: Forms of classes that have these methods; the first that fits is taken.
BY_METHOD = {
    "tolist": lambda value: value.tolist(),
    "to_list": lambda value: value.to_list(),
    "numpy": lambda value: value.numpy(),
    "item": lambda value: value.item(),
    "total_seconds": lambda value: value.total_seconds(),
    "isoformat": lambda value: value.isoformat(),
    "__fspath__": str,
}
