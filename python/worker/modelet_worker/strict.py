"""Results as AWS Lambda's own client for Python writes them, to the letter: the `Encoder` of awslambdaric 4
(`lambda_runtime_marshaller.py`) over simplejson.

It differs from Python's `json`: NaN and the infinities are written as such, bytes are text, namedtuples objects,
Decimals the numbers that they say; and from `result.py`: what is none of these is refused.
"""

import json
import math
import sys

from modelet_worker.result import Writer, name_of

#: From this version of Python on the cloud does not escape letters beyond ASCII.
UNESCAPED = (3, 12)


class Strict(Writer):
    """The rules of the cloud."""

    def where(self, place):
        return ""

    def write(self, value, place):
        if isinstance(value, bytes):
            return self.text(value.decode())
        if type(value).__name__ == "RawJSON":
            return value.encoded_json
        if callable(getattr(value, "_asdict", None)):
            return self.within(value, self.named, place)
        return super().write(value, place)

    def named(self, value, place):
        fields = value._asdict()
        if not isinstance(fields, dict):
            raise TypeError(f"_asdict() must return a dict, not {type(fields).__name__}")
        return self.object(fields, place)

    def number(self, value, place):
        return float.__repr__(value) if math.isfinite(value) else name_of(value)

    def other(self, value, place):
        if type(value).__name__ == "Decimal":
            return "NaN" if value.is_nan() else str(value)
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")

    def other_key(self, key, place):
        if isinstance(key, bytes):
            return self.text(key.decode())
        raise TypeError(f"keys must be str, int, float, bool or None, not {type(key).__name__}")


class StrictResults:
    """Writes results as the cloud does."""

    def __init__(self, escaped=sys.version_info < UNESCAPED):
        self.text = json.JSONEncoder(ensure_ascii=escaped).encode

    def encode(self, value):
        """A value as JSON. Raises what simplejson raises."""
        return Strict(self.text).write(value, "result").encode()
