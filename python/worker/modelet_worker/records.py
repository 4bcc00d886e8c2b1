"""Log records: what is printed, logged or raised, each as one record with its level and the call that it belongs to.

In the form `sequence` a record is one write to descriptor 2, a JSON text sequence (RFC 7464):

    \x1e{"level": "INFO", "invocation": ID or null, "message": TEXT, "at_ms": milliseconds since 1970}\n

What is printed becomes a record when a line ends, so that what one `print` says stays whole, however many lines it
has, and so does a traceback. In the form `text` everything is written as AWS Lambda's own client for Python writes it.
What C libraries write goes to the descriptors as it is.
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
#: The levels of what is printed.
STDOUT_LEVEL = "INFO"
STDERR_LEVEL = "WARNING"

#: How a traceback begins.
TRACE = b"Traceback (most recent call last):"

_invocation = ContextVar("invocation", default=None)


class Log:
    """Where records go, and in which form."""

    def __init__(self):
        self.is_open = False
        self.sequence = False
        self.alone = None
        self.lines = []

    def open(self, form):
        """From here on what is printed are records, of the form `sequence` or `text`; of the first that was asked for."""
        if self.is_open:
            return
        self.is_open = True
        self.sequence = form == "sequence"
        if self.sequence:
            self.lines = [Lines(1, STDOUT_LEVEL), Lines(2, STDERR_LEVEL)]
            sys.stdout, sys.stderr = map(printed, self.lines)
        else:
            sys.stdout, sys.stderr = (printed(io.FileIO(fd, "w", closefd=False)) for fd in (1, 2))

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

    def record(self, level, message):
        """Writes one record of the form `sequence`."""
        message = message.replace("\r\n", "\n").replace("\r", "\n")
        fields = {"level": level, "invocation": self.invocation(), "message": message, "at_ms": int(time.time() * 1000)}
        write_all(2, fitting(fields))

    def notice(self, level, message):
        """A record of the worker's own, in either form."""
        if self.sequence:
            self.record(level, message)
        else:
            sys.stdout.write(f"[{level}] {message}\n")

    def failed(self, fault):
        """The record of a failure that nobody caught."""
        if self.sequence:
            from modelet_worker.fault import as_text

            # What was printed before it comes before it.
            self.end()
            self.record("ERROR", as_text(fault))
        else:
            sys.stdout.write(lambda_text(fault))


#: The log of this process.
log = Log()


class Lines(io.RawIOBase):
    """What `sys.stdout` writes to: makes a record of what a thread wrote, once it ends with the end of a line."""

    def __init__(self, fd, level):
        super().__init__()
        self.fd = fd
        self.level = level
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
            log.record(self.level, text.decode("utf-8", "backslashreplace").removesuffix("\n"))


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


def fitting(fields):
    """A record as bytes, its message cut where it would be too long."""
    message = fields["message"]
    line = encoded(fields) if len(message) <= RECORD_BYTES else b""
    keep = RECORD_BYTES
    while not line or len(line) > RECORD_BYTES:
        keep = keep * 3 // 4  # bytes and escapes: a character takes from one to six
        line = encoded({**fields, "message": message[:keep] + CUT})
    return line


def encoded(fields):
    text = json.dumps(fields, ensure_ascii=False)
    return b"\x1e" + text.encode("utf-8", "backslashreplace") + b"\n"


def write_all(fd, data):
    """One write, and more only where a signal came between."""
    while data:
        data = data[os.write(fd, data) :]


def lambda_text(fault):
    """A failure as awslambdaric prints it: one record for CloudWatch, whose lines are parted by carriage returns."""
    head = "[ERROR]"
    if fault["type"]:
        head += f" {fault['type']}"
    if fault["message"]:
        head += f"{':' if fault['type'] else ''} {fault['message']}"
    lines = [head, "Traceback (most recent call last):"]
    for frame in fault["stack"]:
        for line in frame.splitlines():
            text = line.lstrip(" ")
            lines.append("\u00a0" * (len(line) - len(text)) + text)
    return "\r".join(lines) + "\n"
