"""Frames over the socket to the runtime: two lengths, a header in JSON, a body of any bytes.

u32 LE length of the header | u32 LE length of the body | header | body
"""

import _socket
import _thread
import json

#: Frames up to this size are read into one buffer that stays; larger ones into one of their own.
BUFFER_BYTES = 64 << 10
LENGTHS_BYTES = 8


class Wire:
    """One end of the stream. One thread receives; any may send."""

    def __init__(self, fd):
        self.socket = _socket.socket(fileno=fd)
        self.fd = fd
        self.buffer = memoryview(bytearray(BUFFER_BYTES))
        self.start = self.end = 0
        self.sending = _thread.allocate_lock()
        #: Frames that came while something else was waited for.
        self.kept = []
        #: Nobody takes what is sent any more.
        self.is_gone = False

    def receive(self):
        """The next frame, `(header, body)`, or None when the runtime has closed its end."""
        return self.kept.pop(0) if self.kept else self.receive_new()

    def receive_new(self):
        """The same, behind those that are kept."""
        lengths = self._take(LENGTHS_BYTES)
        if lengths is None:
            return None
        header = self._take(int.from_bytes(lengths[:4], "little"))
        body = self._take(int.from_bytes(lengths[4:], "little"))
        if header is None or body is None:
            return None
        return json.loads(header), body

    def has_more(self):
        """Whether the beginning of another frame was read already."""
        return self.end > self.start

    def is_readable(self):
        """Whether there is something to receive, be it the end."""
        from select import select

        return self.has_more() or bool(select([self.fd], [], [], 0)[0])

    def send(self, header, body=b""):
        """Sends one frame, whole."""
        text = json.dumps(header).encode()
        head = len(text).to_bytes(4, "little") + len(body).to_bytes(4, "little") + text
        with self.sending:
            try:
                sent = self.socket.sendmsg([head, body])
                if sent < len(head) + len(body):
                    self._send_rest(head, body, sent)
            except (BrokenPipeError, ConnectionResetError):
                self.is_gone = True

    def stop_receiving(self):
        """Frames that are here already are still received; behind them the stream ends."""
        try:
            self.socket.shutdown(_socket.SHUT_RD)
        except OSError:
            pass  # the runtime was the first to close

    def close(self):
        self.socket.close()

    def _send_rest(self, head, body, sent):
        if sent < len(head):
            self.socket.sendall(head[sent:])
            sent = len(head)
        self.socket.sendall(memoryview(body)[sent - len(head) :])

    def _take(self, size):
        """The next bytes of the stream, or None where it ends."""
        if size > BUFFER_BYTES:
            return self._take_large(size)
        while self.end - self.start < size:
            if not self._fill():
                return None
        taken = bytes(self.buffer[self.start : self.start + size])
        self.start += size
        return taken

    def _fill(self):
        """Reads what has come, behind what was read before; false where the stream ends."""
        if self.start:
            left = self.end - self.start
            self.buffer[:left] = bytes(self.buffer[self.start : self.end])
            self.start, self.end = 0, left
        got = self._read(self.buffer[self.end :])
        self.end += got
        return got > 0

    def _read(self, room):
        """Reads what has come; 0 where the stream ends."""
        try:
            return self.socket.recv_into(room)
        except ConnectionResetError:
            return 0  # the runtime went without reading all that was sent

    def _take_large(self, size):
        taken = bytearray(size)
        view = memoryview(taken)
        have = self.end - self.start
        view[:have] = self.buffer[self.start : self.end]
        self.start = self.end = 0
        while have < size:
            got = self._read(view[have:])
            if not got:
                return None
            have += got
        return taken
