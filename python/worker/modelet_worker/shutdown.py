"""The end: the call in hand is answered, the user's hooks run, and the process ends.

SIGTERM closes the receiving side of the socket: calls that are here already are answered, and behind them the stream
ends as it does when the runtime closes it.
"""

import _signal
import _thread
import os
import sys

from modelet_worker.records import log


class Ending:
    """What is to be done at the end."""

    def __init__(self):
        self.wire = None
        self.theirs = None
        self.masks = {}

    def on_term(self, number, frame):
        self.wire.stop_receiving()


ending = Ending()


def prepare(wire):
    """From here on SIGTERM ends the worker in order. Children that the user's code forks have nothing to do with it."""
    ending.wire = wire
    _signal.signal(_signal.SIGTERM, ending.on_term)
    os.register_at_fork(before=hold, after_in_parent=release, after_in_child=leave)


def take_over():
    """Remembers the handler that the user's code set for SIGTERM; it runs at the end, once no call is in hand."""
    theirs = _signal.getsignal(_signal.SIGTERM)
    if callable(theirs) and theirs != ending.on_term:
        ending.theirs = theirs
        _signal.signal(_signal.SIGTERM, ending.on_term)


def hold():
    """Holds SIGTERM back while a thread forks: Python forgets a signal that comes to a child before it is one."""
    ending.masks[_thread.get_ident()] = _signal.pthread_sigmask(_signal.SIG_BLOCK, [_signal.SIGTERM])


def release():
    """Lets SIGTERM come again."""
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ending.masks.pop(_thread.get_ident()))


def leave():
    """In a forked child: SIGTERM ends it, as it does any process, and the socket is the parent's."""
    if _signal.getsignal(_signal.SIGTERM) == ending.on_term:
        _signal.signal(_signal.SIGTERM, ending.theirs or _signal.SIG_DFL)
    ending.wire.close()
    release()


def finish(code):
    """Runs the user's handler of SIGTERM, and ends the process, which runs what `atexit` knows."""
    take_over()
    log.begin(None, alone=True)
    if ending.theirs:
        try:
            ending.theirs(_signal.SIGTERM, None)
        except SystemExit:
            pass  # handlers end so, and we are at the end
    sys.exit(code)
