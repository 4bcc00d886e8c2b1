"""Results as JSON: what `json` writes, where that is all there is to it, and a writer of our own for the rest.

Text is UTF-8, not escaped. Values that `json` does not know have the forms of `plain.py`. A Decimal is the number as
it is written. NaN and the infinities, which JSON does not have, are written as `non_finite` says: `null`, their names
as `text`, or an `error` that names the place.
"""

import json
import math

#: How deep values may lie within each other where `json` alone does not do: each costs frames of Python.
DEPTH = 200


class Writer:
    """Writes a value piece by piece. `strict.py` has another one's rules."""

    def __init__(self, text):
        self.text = text
        self.open = []

    def write(self, value, place):
        """A value as JSON; `place` says where it lies."""
        if isinstance(value, str) or value is None or isinstance(value, bool):
            return self.text(value)
        if isinstance(value, int):
            return int.__repr__(value)
        if isinstance(value, float):
            return self.number(value, place)
        if isinstance(value, dict):
            return self.within(value, self.object, place)
        if isinstance(value, (list, tuple)):
            return self.within(value, self.array, place)
        return self.within(value, self.other, place)

    def within(self, value, write, place):
        """Writes what may contain others, and notices what contains itself."""
        if any(one is value for one in self.open):
            raise ValueError("Circular reference detected" + self.where(place))
        if len(self.open) == DEPTH:
            raise ValueError(f"values lie more than {DEPTH} deep within each other" + self.where(place[:80] + " …"))
        self.open.append(value)
        written = write(value, place)
        self.open.pop()
        return written

    def array(self, value, place):
        return f"[{', '.join([self.write(one, f'{place}[{at}]') for at, one in enumerate(value)])}]"

    def object(self, value, place):
        inner = []
        for key, one in value.items():
            name = self.key(key, place)
            inner.append(f"{name}: {self.write(one, f'{place}[{name}]')}")
        return f"{{{', '.join(inner)}}}"

    def key(self, key, place):
        """A key as the text that it is in JSON."""
        if isinstance(key, str):
            return self.text(key)
        if isinstance(key, float):
            return quoted(self.number(key, place))
        if key is None or isinstance(key, int):
            return quoted(self.text(key))
        return self.other_key(key, place)


class Plain(Writer):
    """The rules of this project."""

    def __init__(self, text, non_finite):
        super().__init__(text)
        self.non_finite = non_finite

    def where(self, place):
        return f" (at {place})"

    def number(self, value, place):
        if math.isfinite(value):
            return float.__repr__(value)
        name = name_of(value)
        if self.non_finite == "error":
            raise ValueError(
                f'{name} at {place}, which JSON does not have; with non_finite = "null" or "text" it has a form'
            )
        return "null" if self.non_finite == "null" else f'"{name}"'

    def other(self, value, place):
        if type(value).__name__ == "Decimal":
            return str(value) if value.is_finite() else self.number(float("nan" if value.is_nan() else value), place)
        try:
            simple = simpler(value)
        except TypeError as error:
            raise TypeError(str(error) + self.where(place)) from None
        return self.write(simple, place)

    def other_key(self, key, place):
        if type(key).__name__ == "Decimal":
            return quoted(self.other(key, place))
        try:
            simple = simpler(key)
        except TypeError:
            simple = None
        if isinstance(simple, (str, int, float)):
            return self.key(simple, place)
        raise TypeError(f"keys must be texts or numbers, not {type(key).__name__}" + self.where(place))


class Results:
    """Writes results by one policy for `non_finite`."""

    def __init__(self, non_finite="null"):
        self.non_finite = non_finite
        self.quick = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=simpler).encode

    def encode(self, value):
        """A value as JSON in UTF-8. Raises TypeError or ValueError, with the place, for what has no form."""
        try:
            return self.quick(value).encode()
        except (TypeError, ValueError, RecursionError):
            return Plain(self.quick, self.non_finite).write(value, "result").encode()


def simpler(value):
    """What `plain.py` makes of a value; it is imported once there is one."""
    from modelet_worker import plain

    return plain.simpler(value)


def name_of(value):
    """The name that `json` and JavaScript have for a number that JSON does not have."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def quoted(text):
    return text if text.startswith('"') else f'"{text}"'
