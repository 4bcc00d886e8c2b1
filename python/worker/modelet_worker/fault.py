"""Failures as the runtime hears of them: a type, a message, and the lines of the user's code that led there.

The forms are those of AWS Lambda's own client for Python (awslambdaric 4, `bootstrap.py`), which handlers and alarms
know.
"""

#: Files of the worker have names of this beginning; its frames are not the user's business.
OWN_FILES = "modelet_worker/"
#: Nor are those of Python's own import.
IMPORT_FILES = "<frozen importlib"


class Fault(Exception):
    """A failure that the worker itself found, with the words for it."""

    def __init__(self, kind, message, stack=()):
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.stack = list(stack)


def described(error):
    """An exception as `{"type", "message", "stack"}`."""
    if isinstance(error, Fault):
        return {"type": error.kind, "message": error.message, "stack": error.stack}
    return {"type": type(error).__name__, "message": words(error), "stack": stack(error.__traceback__)}


def exit_code(error):
    """What a process ends with that this error ends; None where it does not end one."""
    if not isinstance(error, SystemExit):
        return None
    if error.code is None:
        return 0
    return error.code & 0xFF if isinstance(error.code, int) else 1


def words(error):
    """What an exception says of itself, also where its own `__str__` fails."""
    try:
        return str(error)
    except Exception:
        return f"(the exception {type(error).__name__} cannot be shown: its __str__ failed)"


def stack(trace):
    """The lines of a traceback without the worker's own frames, as `traceback.format_list` writes them."""
    import traceback

    return traceback.format_list([(one.filename, one.lineno, one.name, one.line) for one in user_frames(trace)])


def user_frames(trace):
    """The frames of a traceback that are not the worker's own."""
    import traceback

    return [one for one in traceback.extract_tb(trace) if not one.filename.startswith((OWN_FILES, IMPORT_FILES))]


def as_text(fault):
    """A described failure as one text of several lines."""
    head = ": ".join(part for part in (fault["type"], fault["message"]) if part)
    if not fault["stack"]:
        return head
    return "\n".join([head, "Traceback (most recent call last):", "".join(fault["stack"]).rstrip("\n")])
