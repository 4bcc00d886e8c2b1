"""Answers that are sent while they are made: in pieces, each a frame of its own.

- worker: `{"call": 17, "status": …, "headers": …, "more": true}` with the first piece, `{"call": 17, "more": true}` with
  each further one, `{"call": 17}` behind the last; or `{"call": 17, "error": …}` where it breaks off
- runtime: `{"call": 17, "control": "pause"}` while nobody takes what was sent, `"resume"` once somebody does, `"cancel"`
  when nobody will
"""

import _thread

from modelet_worker.controls import controls


class Way:
    """Of one answer: whether more may be sent now, and whether anybody still wants it."""

    def __init__(self):
        self.is_open = True
        self.is_wanted = True
        #: Nothing more will be said of it: it is sent to its end, as long as somebody takes it.
        self.is_last = False

    def control(self, what):
        self.is_open = what != "pause"
        self.is_wanted = self.is_wanted and what != "cancel"
        self.is_last = self.is_last or what == "last"


def send(wire, number, fields, pieces, alone):
    """Sends an answer as it is made; `alone`: nobody else receives frames meanwhile."""
    way, woken = Way(), _thread.allocate_lock()

    def listen(header, _):
        way.control(header["control"])
        if woken.locked():
            woken.release()

    controls.begin(number, listen)
    try:
        for piece in pieces:
            if not may_go_on(wire, way, woken, alone) or wire.is_gone:
                break
            wire.send({"call": number, "more": True, **fields}, piece)
            fields = {}
    finally:
        controls.end(number)
        pieces.close()
    wire.send({"call": number, **fields})


def may_go_on(wire, way, woken, alone):
    """Waits while nobody takes what was sent; false once nobody wants more."""
    while alone and way.is_wanted and not way.is_last and (not way.is_open or wire.is_readable()):
        frame = wire.receive_new()
        if frame is None:
            way.control("last")
        elif not controls.take(*frame):
            controls.expect(frame[0]["call"])
            wire.kept.append(frame)
    woken.acquire(blocking=False)
    while way.is_wanted and not way.is_open:
        woken.acquire()
    return way.is_wanted
