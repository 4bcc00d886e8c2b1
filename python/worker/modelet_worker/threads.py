"""Calls on several threads at once, where the user asks for it."""

import _queue
import threading

from modelet_worker.controls import controls
from modelet_worker.worker import answer


def serve(wire, call, threads):
    """Answers up to so many calls at once until there are no more; the exit code."""
    waiting = _queue.SimpleQueue()
    codes = []

    def work():
        while True:
            frame = waiting.get()
            if frame is None:
                return
            code = answer(wire, call, *frame, alone=False)
            controls.end(frame[0]["call"])
            if code is not None:
                codes.append(code)
                wire.stop_receiving()

    team = [threading.Thread(target=work, name=f"call-{number}") for number in range(threads)]
    for one in team:
        one.start()
    while (frame := wire.receive()) is not None:
        if not controls.take(*frame):
            controls.expect(frame[0]["call"])
            waiting.put(frame)
    controls.say_last()
    for _ in team:
        waiting.put(None)
    for one in team:
        one.join()
    return codes[0] if codes else 0
