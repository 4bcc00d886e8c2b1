"""Bodies as the inputs of a `predict` function: JSON, CSV with a header, or npy; as plain Python, an array or a data
frame.

JSON may be a list of rows, a list of records, one record, an object of columns, or any of these as the only value of
`inputs`, `instances` or `data`. Plain Python gets the JSON as it is. In CSV an empty cell is missing, and a column
with leading zeros is text. Rows have as many cells as the header, and names are there once.
"""

import io
import json

#: The names under which clients send rows.
ROWS = ("inputs", "instances", "data")
#: The keys of pandas' form `split`.
SPLIT = {"columns", "index", "data"}
#: Cells that are no numbers: `007`, and whole ones that a double does not hold.
LEADING, LONG = r"[+-]?0\d", r"[+-]?\d{16,}$"


class BadBody(Exception):
    """The body is not what it says that it is, or does not fit."""


class UnknownType(Exception):
    """A content type that is not read here."""


def read(form, content_type, body):
    """A body as `plain` Python, an `array` or a `frame`."""
    kind = (content_type or "application/json").partition(";")[0].strip().lower()
    if kind in ("application/json", "application/x-www-form-urlencoded") or kind.endswith("+json"):
        return of_json(form, loaded(body))
    if kind == "text/csv":
        return of_csv(form, body)
    if kind == "application/x-npy":
        return of_npy(form, body)
    raise UnknownType(f"the content type {kind} is not read here; send application/json, text/csv or application/x-npy")


def loaded(body):
    """The body's JSON."""
    if not body:
        raise BadBody("the body is empty; send the inputs as JSON, CSV or npy")
    try:
        return json.loads(str(body, "utf-8"), parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise BadBody(f"the body is not JSON: {error}") from None


def no_constant(name):
    raise ValueError(f"{name} is not JSON; send null for what is missing")


def of_json(form, value):
    if form == "plain":
        return value
    rows = unwrapped(value)
    return array(rows) if form == "array" else frame(rows)


def unwrapped(value):
    """The rows within what clients put around them."""
    if isinstance(value, dict) and len(value) == 1:
        name, inner = next(iter(value.items()))
        return inner if name in ROWS and isinstance(inner, (list, dict)) else value
    return value


def array(rows):
    """An array of NumPy's: rows as they are, records and columns in their order."""
    import numpy

    if isinstance(rows, dict):
        rows = [rows] if not all(isinstance(one, list) for one in rows.values()) else columns_as_rows(rows)
    if isinstance(rows, list) and rows and all(isinstance(one, dict) for one in rows):
        names = list(rows[0])
        for at, row in enumerate(rows):
            if row.keys() != rows[0].keys():
                raise BadBody(
                    f"row {at} has the columns {sorted(row)}, and row 0 {sorted(names)}; send the same ones in each"
                )
        rows = [[row[name] for name in names] for row in rows]
    try:
        made = numpy.array(rows)
    except ValueError as error:
        raise BadBody(f"the rows make no array: {error}") from None
    if made.dtype.kind in "biuf":
        return made
    values = numpy.array(rows, dtype=object).ravel().tolist()
    if all(isinstance(one, str) for one in values):
        return made
    if all(is_number(one) for one in values):
        return made.astype(float)
    raise BadBody(
        "the rows make no array: they have other values than numbers, or texts and numbers; a data frame may have both"
    )


def is_number(value):
    """What a double of NumPy's says without a loss; null is a missing number."""
    return value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) <= 1 << 53)


def columns_as_rows(columns):
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise BadBody(f"the columns have different lengths: {lengths}")
    return [list(row) for row in zip(*columns.values())]


def frame(rows):
    """A data frame of pandas'."""
    import pandas

    try:
        if isinstance(rows, dict) and SPLIT >= rows.keys() >= {"columns", "data"}:
            return pandas.DataFrame(rows["data"], columns=rows["columns"])
        if isinstance(rows, dict) and not any(isinstance(one, list) for one in rows.values()):
            rows = [rows]
        return pandas.DataFrame(rows)
    except (ValueError, TypeError) as error:
        raise BadBody(f"the rows make no data frame: {error}") from None


def of_csv(form, body):
    """A table of CSV; as plain Python its cells are texts."""
    try:
        text = str(body, "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadBody(f"the CSV is not UTF-8: {error}") from None
    header, rows = csv_rows(text)
    if form == "plain":
        return [dict(zip(header, row)) for row in rows]
    table = csv_frame(text)
    if form == "frame":
        return table
    made = table.to_numpy()
    if made.dtype == object:
        raise BadBody("the CSV has columns of texts, which make no array of numbers")
    return made


def csv_rows(text):
    """The header and the rows of CSV, each with as many cells as the header has."""
    import csv

    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise BadBody(f"the CSV cannot be read: {error}") from None
    header, *rows = [line for line in lines if line] or [[]]
    if not header:
        raise BadBody("the CSV cannot be read: it has no header")
    if len(header) == 1 and len(rows) + 1 < len(lines):
        raise BadBody('the CSV has one column and an empty line; write "" for a missing cell')
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise BadBody(f"the CSV has several columns named {', '.join(twice)}")
    for at, row in enumerate(rows):
        if len(row) != len(header):
            raise BadBody(f"row {at} of the CSV has {len(row)} cells, and its header {len(header)}")
    return header, rows


def csv_frame(text):
    """A data frame of CSV: a column is numbers where all of its cells are, and none would lose a digit."""
    import pandas

    options = {"keep_default_na": False, "na_values": [""], "index_col": False, "float_precision": "round_trip"}
    try:
        table = pandas.read_csv(io.StringIO(text), **options)
        cells = pandas.read_csv(io.StringIO(text), dtype=str, **options)
    except ValueError as error:
        raise BadBody(f"the CSV cannot be read: {error}") from None
    for name in table.columns:
        kind = getattr(table[name].dtype, "kind", "O")
        lost = {"i": LEADING, "u": LEADING, "f": LEADING + "|" + LONG}.get(kind)
        if lost and cells[name].str.match(lost).any():
            table[name] = cells[name]
    return table


def of_npy(form, body):
    """An array of npy; nothing of it is run."""
    try:
        import numpy
    except ImportError:
        raise UnknownType("npy is read by NumPy, which this function does not have; send JSON") from None
    try:
        made = numpy.load(io.BytesIO(body), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise BadBody(f"the body is not npy: {error}") from None
    if form == "array":
        return made
    return made.tolist() if form == "plain" else frame(made)
