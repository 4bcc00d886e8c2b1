"""A request and its answer, as ASGI's messages."""

import asyncio

from modelet_worker.controls import controls
from modelet_worker.fault import Fault
from modelet_worker.kinds.wsgi import HOP
from modelet_worker.pieces import Way

UNFINISHED = "the application returned before its answer was whole"


class Exchange:
    """What an application receives and sends for one call. An answer with a length is sent when it is whole, any other
    while it is made."""

    def __init__(self, wire, header, body):
        self.wire = wire
        self.number = header["call"]
        self.request = {"type": "http.request", "body": bytes(body), "more_body": False}
        #: Nothing more is sent, or nobody wants it.
        self.over = asyncio.Event()
        #: What goes with the first piece, once it is known.
        self.head = None
        self.has_length = False
        self.body = []
        self.way = Gate()
        controls.begin(self.number, self.control)

    async def receive(self):
        """The whole body; then, once the answer is over, that the client has what it wanted, or has gone."""
        if self.request:
            request, self.request = self.request, None
            return request
        await self.over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        """Takes the parts of the answer. What comes behind its end is for nobody."""
        if self.over.is_set():
            # An application that sends on and on has to hear of it.
            await asyncio.sleep(0)
            return
        if message["type"] == "http.response.start":
            headers = text_headers(message)
            self.head = {"status": message["status"], "headers": headers}
            self.has_length = any(name.lower() == "content-length" for name, _ in headers)
        elif message["type"] == "http.response.body" and self.head is not None:
            await self.take(message.get("body", b""), message.get("more_body", False))
        else:
            raise Fault("Runtime.AsgiError", f"a message {message['type']!r} has no place here")

    async def take(self, piece, more):
        """Takes a piece of the body."""
        if self.has_length:
            self.body.append(piece)
            if more:
                return
            piece = b"".join(self.body)
        if more:
            await self.way.passed()
        if not self.over.is_set() and (piece or self.head or not more):
            self.wire.send({"call": self.number, "more": more, **self.head}, piece)
            self.head = {}
        if not more or self.wire.is_gone:
            self.over.set()

    def returned(self):
        """The application has nothing more to say."""
        if not self.over.is_set():
            raise Fault("Runtime.AsgiError", UNFINISHED)
        if not self.way.is_wanted:
            self.wire.send({"call": self.number})

    def control(self, header, _):
        """The runtime says something of the answer."""
        self.way.control(header["control"])
        if not self.way.is_wanted:
            self.over.set()


class Gate(Way):
    """A way that tasks of one loop wait before."""

    def __init__(self):
        super().__init__()
        self.changed = asyncio.Event()

    def control(self, what):
        super().control(what)
        self.changed.set()

    async def passed(self):
        """Until more may be sent, or nobody wants it. What is said meanwhile is heard, and others have their turn: an
        application that only sends waits for nothing else."""
        await asyncio.sleep(0)
        while self.is_wanted and not self.is_open:
            self.changed.clear()
            await self.changed.wait()


def text_headers(message):
    """Headers of a message as texts, but for those of a connection."""
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in message.get("headers") or ()]
    return [pair for pair in headers if pair[0].lower() not in HOP]
