"""Starts the worker: takes its sources from the runtime, which carries them, and imports them from memory.

    python -I -S -c BOOT FD

FD is the socket to the runtime. The first frame on it (see `wire.py`) is `{"sources": {"modelet_worker/wire.py": TEXT,
…}}`; what comes behind it is for `worker.py`.
"""

import _frozen_importlib
import _socket
import json
import sys


class Sources:
    """Finds and loads modules whose text it holds, by path; tracebacks ask it for their lines."""

    def __init__(self, texts):
        self.texts = texts

    def find_spec(self, name, path=None, target=None):
        stem = name.replace(".", "/")
        for file, is_package in ((stem + ".py", False), (stem + "/__init__.py", True)):
            if file in self.texts:
                spec = _frozen_importlib.ModuleSpec(name, self, origin=file, is_package=is_package)
                spec.has_location = True
                return spec
        return None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        file = module.__spec__.origin
        exec(compile(self.texts[file], file, "exec", dont_inherit=True), module.__dict__)

    def get_source(self, name):
        return self.texts[self.find_spec(name).origin]


def take(socket, size):
    """Exactly the next bytes of the stream."""
    taken = bytearray()
    while len(taken) < size:
        more = socket.recv(size - len(taken))
        if not more:
            raise SystemExit("modelet: the runtime closed the socket before it sent the worker's sources")
        taken += more
    return taken


def boot(fd):
    socket = _socket.socket(fileno=fd)
    lengths = take(socket, 8)
    header = json.loads(take(socket, int.from_bytes(lengths[:4], "little")))
    take(socket, int.from_bytes(lengths[4:], "little"))
    sys.meta_path.insert(0, Sources(header["sources"]))
    from modelet_worker import worker

    worker.main(socket.detach())


if __name__ == "__main__":
    boot(int(sys.argv[1]))
