"""Log records: what is printed, logged or raised, each as one record with its level and the call that it belongs to.

A record is one write to descriptor 2, a JSON text sequence (RFC 7464):

    \x1e{"level": "INFO", "invocation": ID or null, "message": TEXT, "at_ms": milliseconds since 1970, …}\n

and, where there is more to say of it:

- `to`: `stderr`, where it was printed there
- `logger`: whose it is, where it was logged; `counts_as`: the standard level nearest to one of the user's own
- `said`: the message without its traceback, or the object that was logged; `location`: `file:function:line` of that
- `fields`: what `extra` gave it
- `raised`: `{"type", "message", "stack"}`; without a logger it is an error that nobody caught

What is printed becomes a record when a line ends, so that what one `print` says stays whole, however many lines it
has, and so does a traceback. What C libraries write goes to the descriptors as it is. The forms that clouds want are
made of these by whoever reads them.
"""

import _thread
import io
import json
import os
import sys
import time
from _contextvars import ContextVar

#: A longer record is cut, and says so.
RECORD_BYTES = 64 << 10
CUT = " … (cut by modelet: a record has at most 64 KiB)"
#: What is printed, by its descriptor: the level, and what else there is to say.
PRINTED = {1: ("INFO", {}), 2: ("WARNING", {"to": "stderr"})}
#: Whose records are the worker's own.
OWN = "modelet"

#: How a traceback begins.
TRACE = b"Traceback (most recent call last):"

_invocation = ContextVar("invocation", default=None)


class Log:
    """Where records go."""

    def __init__(self):
        self.alone = None
        self.lines = []

    def open(self):
        """From here on what is printed are records."""
        if not self.lines:
            self.lines = [Lines(1), Lines(2)]
            sys.stdout, sys.stderr = map(printed, self.lines)

    def begin(self, invocation, alone):
        """What follows belongs to a call; also what threads of the user's say, where calls come one at a time."""
        _invocation.set(invocation)
        self.alone = invocation if alone else None

    def end(self):
        """The call is over: what was printed and not ended is a record too."""
        for lines in self.lines:
            lines.finish()

    def invocation(self):
        """The call that the running code belongs to, or None."""
        return _invocation.get() or self.alone

    def record(self, level, message, **details):
        """Writes one record."""
        message = message.replace("\r\n", "\n").replace("\r", "\n")
        fields = {"level": level, "invocation": self.invocation(), "message": message, "at_ms": int(time.time() * 1000)}
        write_all(2, fitting(fields, details))

    def notice(self, level, message):
        """A record of the worker's own."""
        self.record(level, message, logger=OWN)

    def failed(self, fault):
        """The record of a failure that nobody caught."""
        from modelet_worker.fault import as_text

        # What was printed before it comes before it.
        self.end()
        self.record("ERROR", as_text(fault), raised=fault)


#: The log of this process.
log = Log()


class Lines(io.RawIOBase):
    """What `sys.stdout` writes to: makes a record of what a thread wrote, once it ends with the end of a line."""

    def __init__(self, fd):
        super().__init__()
        self.fd = fd
        self.level, self.details = PRINTED[fd]
        self.own = _thread._local()

    def writable(self):
        return True

    def fileno(self):
        return self.fd

    def write(self, data):
        text = getattr(self.own, "text", b"") + bytes(data)
        self.own.text = text
        if (text.endswith(b"\n") and not is_open_trace(text)) or len(text) > RECORD_BYTES:
            self.finish()
        return len(data)

    def finish(self):
        """Makes a record of what this thread wrote since the last one; an empty line is none."""
        text, self.own.text = getattr(self.own, "text", b""), b""
        if text.strip(b"\r\n"):
            log.record(self.level, text.decode("utf-8", "backslashreplace").removesuffix("\n"), **self.details)


def is_open_trace(text):
    """Whether it is a traceback that goes on: it ends with a line that is not indented, and `traceback` writes its
    lines one by one."""
    if not text.startswith(TRACE):
        return False
    last = text.rstrip(b"\n").rpartition(b"\n")[2]
    return last.startswith((b" ", TRACE))


def printed(stream):
    """A text file over a stream, to which each `write` goes at once."""
    return io.TextIOWrapper(stream, encoding="utf-8", errors="backslashreplace", write_through=True)


def fitting(fields, details):
    """A record as bytes: without details that are too long or cannot be written, its message cut where that is long."""
    message = fields["message"]
    if len(message) <= RECORD_BYTES:
        try:
            line = encoded({**fields, **details})
        except (TypeError, ValueError, RecursionError):
            line = encoded(fields)
        if len(line) <= RECORD_BYTES:
            return line
    line = encoded(fields) if len(message) <= RECORD_BYTES else b""
    keep = RECORD_BYTES
    while not line or len(line) > RECORD_BYTES:
        keep = keep * 3 // 4  # bytes and escapes: a character takes from one to six
        line = encoded({**fields, "message": message[:keep] + CUT})
    return line


def encoded(fields):
    # What logs are given may be anything; and half a surrogate is no text.
    text = json.dumps(fields, ensure_ascii=False, default=str, allow_nan=False)
    return b"\x1e" + text.encode("utf-8", "replace") + b"\n"


def write_all(fd, data):
    """One write, and more only where a signal came between."""
    while data:
        data = data[os.write(fd, data) :]
