"""Applications of WSGI (PEP 3333): Flask, Django and others, as `module:app`."""

import io
import sys
from urllib.parse import unquote_to_bytes

from modelet_worker import entry
from modelet_worker.fault import Fault
from modelet_worker.http_form import as_bytes

#: Headers that are not `HTTP_…`.
BARE = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
#: What belongs to a connection, and not to what an application sees or says.
HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}


def load(start):
    """The application, as what answers calls."""
    _, app = entry.find(start["module"], start["function"])
    if not callable(app):
        name = f"{start['module']}:{start['function']}"
        raise Fault("Runtime.HandlerNotFound", f"{name} is not a WSGI application but {type(app).__name__}")
    return host(app, start.get("threads", 1))


def host(app, threads):
    """Answers calls by an application."""

    def call(header, body):
        response = Response()
        pieces = made(app(environ(header, body, threads), response.start), response)
        # Until there is something to send, its status and its headers may change.
        first = next(pieces, b"")
        if response.status is None:
            raise Fault("Runtime.WsgiError", "the application answered without calling start_response")
        if response.is_whole or not first:
            body = b"".join([first, *pieces])
            return response.head(), body
        response.is_sent = True
        return response.head(), behind(first, pieces)

    return call


def made(result, response):
    """The pieces of an answer that are not empty, as the application makes them."""
    try:
        response.is_whole = response.is_whole or isinstance(result, (list, tuple))
        for piece in result:
            yield from response.written()
            if piece:
                yield piece
        yield from response.written()
    finally:
        if hasattr(result, "close"):
            result.close()


def behind(first, pieces):
    """The first piece, and the others as they are made."""
    try:
        yield first
        yield from pieces
    finally:
        pieces.close()


class Response:
    """What an application says of its answer."""

    def __init__(self):
        self.status = None
        self.headers = []
        #: What it wrote by what `start_response` gave it.
        self.body = []
        #: Its length is known, or all of it is there: it is sent at once.
        self.is_whole = False
        self.is_sent = False

    def start(self, status, headers, exc_info=None):
        """PEP 3333's `start_response`; an error may replace what was said until that is sent."""
        if self.status is not None and exc_info is None:
            raise AssertionError("start_response was called twice, without exc_info")
        if self.is_sent:
            raise exc_info[1].with_traceback(exc_info[2])
        self.status = int(status.split(" ", 1)[0])
        self.headers = [[name, value] for name, value in headers if name.lower() not in HOP]
        self.is_whole = self.is_whole or any(name.lower() == "content-length" for name, _ in headers)
        return self.body.append

    def head(self):
        return {"status": self.status, "headers": self.headers}

    def written(self):
        """What it wrote since the last time."""
        body, self.body = self.body, []
        return filter(None, body)


def environ(call, body, threads):
    """A call as PEP 3333's dictionary."""
    host_name, port = server(call)
    values = {
        "REQUEST_METHOD": call["method"],
        "SCRIPT_NAME": call.get("root", ""),
        "PATH_INFO": unquote_to_bytes(call["path"]).decode("latin-1"),
        "QUERY_STRING": as_bytes(call.get("query") or "").decode("latin-1"),
        "SERVER_NAME": host_name,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": threads > 1,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if call.get("client"):
        values["REMOTE_ADDR"], values["REMOTE_PORT"] = call["client"][0], str(call["client"][1])
    for name, value in call["headers"]:
        add_header(values, name.lower(), value)
    if body:
        values["CONTENT_LENGTH"] = str(len(body))
    return values


def add_header(values, name, value):
    """A header among the variables. `x_y` would be taken for `x-y`, and is left out."""
    if "_" in name or name in HOP:
        return
    key = BARE.get(name) or "HTTP_" + name.upper().replace("-", "_")
    if key in values and name not in BARE:
        value = values[key] + ("; " if name == "cookie" else ",") + value
    values[key] = as_bytes(value).decode("latin-1")


def server(call):
    """The name and the port that the client asked for."""
    asked = next((value for name, value in call["headers"] if name.lower() == "host"), "")
    name, colon, port = asked.rpartition(":")
    return (name, port) if colon and port.isdigit() else (asked or "localhost", "80")
