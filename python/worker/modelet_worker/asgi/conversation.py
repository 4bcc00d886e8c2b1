"""A websocket, as ASGI's messages. The frames of the protocol itself are the runtime's.

- worker: `{"call": 17, "status": 101, "headers": …, "more": true}` to accept it, any other answer to refuse it; then
  `{"call": 17, "text": true, "more": true}` and the message, and `{"call": 17, "close": [code, reason]}` in the end
- runtime: `{"call": 17, "control": "message", "text": true}` and the message; `{"call": 17, "control": "closed", "code":
  …, "reason": …}` in the end; and what it says of pieces (see `pieces.py`)
"""

import asyncio

from modelet_worker.asgi.exchange import Gate, text_headers
from modelet_worker.controls import controls
from modelet_worker.fault import Fault

#: What a client sends ahead of an application that does not receive it: then the websocket is closed.
AHEAD_BYTES = 16 << 20
#: What a message counts for beside its content.
MESSAGE_BYTES = 256
#: The longest reason of a close (RFC 6455, 5.5).
REASON_BYTES = 123
#: What closes say (RFC 6455, 7.4.1).
NORMAL, GOING_AWAY, ABNORMAL, POLICY = 1000, 1001, 1006, 1008


class Conversation:
    """What an application receives and sends over one websocket."""

    def __init__(self, wire, header, _):
        self.wire = wire
        self.number = header["call"]
        self.over = asyncio.Event()
        self.is_accepted = False
        self.way = Gate()
        self.received = asyncio.Queue()
        self.received.put_nowait({"type": "websocket.connect"})
        self.ahead_bytes = 0
        controls.begin(self.number, self.control)

    async def receive(self):
        """The next message of the client, or that there will be none."""
        message = await self.received.get()
        if message["type"] == "websocket.receive":
            self.ahead_bytes -= size(message)
        elif message["type"] == "websocket.disconnect":
            # For whoever asks once more.
            self.received.put_nowait(message)
        return message

    async def send(self, message):
        """Takes what the application says. What comes behind the end is for nobody."""
        kind = message["type"]
        if self.over.is_set():
            await asyncio.sleep(0)
            return
        if kind == "websocket.accept" and not self.is_accepted:
            self.is_accepted = True
            headers = text_headers(message)
            if message.get("subprotocol"):
                headers.append(["sec-websocket-protocol", message["subprotocol"]])
            self.wire.send({"call": self.number, "status": 101, "headers": headers, "more": True})
        elif kind == "websocket.close":
            self.close(*sendable(message.get("code", NORMAL), message.get("reason") or ""))
        elif kind == "websocket.send" and self.is_accepted:
            await self.way.passed()
            if not self.over.is_set():
                text = message.get("text")
                data = message.get("bytes") or b"" if text is None else text.encode()
                self.wire.send({"call": self.number, "text": text is not None, "more": True}, data)
        else:
            raise Fault("Runtime.AsgiError", f"a message {kind!r} has no place here")

    def returned(self):
        """The application has nothing more to say."""
        if self.over.is_set():
            return
        if not self.is_accepted:
            raise Fault("Runtime.AsgiError", "the application neither accepted the websocket nor closed it")
        self.close(NORMAL, "")

    def close(self, code, reason):
        """Ends it; refuses it, where it was not accepted yet."""
        if self.is_accepted:
            self.wire.send({"call": self.number, "close": [code, reason]})
        else:
            self.wire.send({"call": self.number, "status": 403, "headers": []})
        self.end(code, reason)

    def end(self, code, reason):
        """Nothing is sent any more, nor received."""
        if not self.over.is_set():
            self.over.set()
            self.way.control("cancel")  # whoever waits to send
            self.received.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})

    def control(self, header, body):
        """The runtime says something."""
        what = header["control"]
        if what == "message" and not self.over.is_set():
            # One message has a limit of its own.
            if self.ahead_bytes and self.ahead_bytes + len(body) + MESSAGE_BYTES > AHEAD_BYTES:
                self.close(POLICY, "the application does not take what is sent")
                return
            self.ahead_bytes += len(body) + MESSAGE_BYTES
            text = {"text": bytes(body).decode()} if header["text"] else {"bytes": bytes(body)}
            self.received.put_nowait({"type": "websocket.receive", **text})
        elif what == "last" and not self.over.is_set():
            self.close(GOING_AWAY, "")
        elif what == "closed":
            self.end(header["code"], header["reason"])
        elif what != "message":
            self.way.control(what)
            if not self.way.is_wanted:
                self.end(ABNORMAL, "")


def size(message):
    """What counts of a message of a client, in bytes."""
    return MESSAGE_BYTES + len(message["text"].encode() if "text" in message else message["bytes"])


def sendable(code, reason):
    """The code and the reason of a close, as a frame can hold them."""
    if code not in (*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)):
        raise Fault("Runtime.AsgiError", f"a websocket cannot be closed with the code {code!r}")
    return int(code), reason.encode("utf-8", "replace")[:REASON_BYTES].decode("utf-8", "ignore")
