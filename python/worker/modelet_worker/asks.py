"""What code asks of its machine: files to write, others to speak to, what other hosts do not have, programs.

For a function that is tried before it leaves this machine, and never where it serves. Each is told in the log, once for
each line of code that asked, whether or not it got it:

    "fields": {"asks": {"kind": "write", "target": "/home/me/.cache", "lines": ["app.py:3", "packages/x/y.py:9"]}}

`lines`: the user's own that led there, and the one of a package that did it. What C libraries ask for is not seen.
"""

import _thread
import os
import sys

from modelet_worker.fault import IMPORT_FILES, OWN_FILES
from modelet_worker.imports import watch
from modelet_worker.records import OWN, log

#: So many are told; whoever asks for more asks for more of the same.
MOST = 200
#: Flags of what is opened to be written.
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
#: Events of Python's that change files, and which of their arguments are paths of what is changed.
CHANGES = {
    "os.mkdir": (0,),
    "os.remove": (0,),
    "os.rmdir": (0,),
    "os.rename": (0, 1),
    "os.link": (1,),
    "os.symlink": (1,),
    "os.truncate": (0,),
}
#: Events of Python's that speak to others, and where their arguments have the address.
ADDRESSES = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1}
NAMES = {"socket.getaddrinfo": (0, 1), "socket.gethostbyname": (0, None)}
#: Events of Python's that start a program, and where their arguments have its name and its own arguments.
PROGRAMS = {"subprocess.Popen": (0, 1), "os.exec": (0, 1), "os.posix_spawn": (0, 1), "os.system": (0, None)}
#: Where everybody can write.
WRITABLE = ("/tmp", "/dev", "/proc")
#: Of the standard library: they ask the machine about itself, and do without an answer.
ABOUT_THE_MACHINE = ("platform.py", "ctypes/util.py", "uuid.py")


class Asks:
    """What is told, and what was."""

    def __init__(self, start):
        self.folders = [(os.path.join(start["folder"], ""), "")]
        self.folders += [(os.path.join(one, ""), "packages/") for one in start["packages"]]
        #: Paths that the host to be has not.
        self.missing = tuple(start["watched"])
        self.told = set()
        self.here = _thread._local()

    def heard(self, event, args):
        """Python's audit hook."""
        if getattr(self.here, "is_busy", False):
            return
        self.here.is_busy = True
        try:
            self.look(event, args)
        except Exception:
            # What cannot be told is not told: the code must not notice.
            pass
        finally:
            self.here.is_busy = False

    def look(self, event, args):
        if event == "open":
            self.opened(*args)
        elif event in CHANGES:
            self.changed(event, args)
        elif event in ("os.listdir", "os.scandir"):
            self.is_missing(args[0])
        elif event in ADDRESSES:
            address = args[ADDRESSES[event]]
            if isinstance(address, tuple):
                self.spoken(*address[:2])
        elif event in NAMES:
            host, port = NAMES[event]
            self.spoken(args[host], None if port is None else args[port])
        elif event in PROGRAMS:
            name, arguments = PROGRAMS[event]
            self.started(args[name] or args[arguments][0])

    # -- files ----

    def opened(self, path, mode, flags):
        if not self.is_missing(path) and flags & WRITING:
            self.written(path)

    def changed(self, event, args):
        is_relative = isinstance(args[-1], int) and args[-1] != -1
        for place in CHANGES[event]:
            path = text(args[place])
            # A folder that is made where there is one is no change; of what lies below an open folder the path is not known.
            if path and not (event == "os.mkdir" and os.path.isdir(path)) and (path.startswith("/") or not is_relative):
                self.written(path)

    def written(self, path):
        path = text(path)
        if not path:
            return
        path = os.path.abspath(path)
        prefix, name = self.named(path)
        if prefix is not None or not below(path, WRITABLE):
            self.tell("write", name)

    def is_missing(self, path):
        path = text(path)
        if not path or not below(path, self.missing):
            return False
        self.tell("machine", path)
        return True

    # -- others ----

    def spoken(self, host, port):
        host = text(host)
        if host and not is_here(host):
            self.tell("network", f"{host}:{text(port) or port}" if port else host)

    def started(self, program):
        program = text(program)
        if program and program != sys.executable:
            self.tell("program", program)

    # -- telling ----

    def tell(self, kind, target):
        lines = self.lines()
        if lines is None or (key := (kind, target, *lines)) in self.told or len(self.told) >= MOST:
            return
        self.told.add(key)
        asked = {"kind": kind, "target": target, "lines": lines}
        log.record("INFO", f"asks: {kind} {target}", logger=OWN, fields={"asks": asked})

    def lines(self):
        """The user's line that led here, and the package's; None where nobody wants to know."""
        own = package = other = None
        frame = sys._getframe(1)
        while frame is not None:
            file = frame.f_code.co_filename
            if not file.startswith((OWN_FILES, IMPORT_FILES, "<")):
                prefix, name = self.named(file)
                line = f"{name}:{frame.f_lineno}"
                if prefix == "":
                    own = own or line
                elif prefix is not None:
                    package = package or line
                elif not own and not package:
                    if name.endswith(ABOUT_THE_MACHINE):
                        return None
                    other = other or line
            frame = frame.f_back
        lines = [line for line in (own, package) if line] or [line for line in (other,) if line]
        # What no line asked for is Python's own: bytecode that it would keep.
        return lines or None

    def named(self, file):
        for folder, prefix in self.folders:
            if file.startswith(folder):
                return prefix, prefix + file[len(folder) :]
        return None, file


def text(value):
    """A path or a name as text; None of what is neither."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, os.PathLike):
        return text(os.fspath(value))
    return value if isinstance(value, str) else None


def below(path, folders):
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


def is_here(host):
    """Whether a name or an address is this machine's own."""
    return host in ("localhost", "::1", "::", "0.0.0.0", "") or host.startswith("127.") or host == os.uname().nodename


def install(start):
    """From here on all is told."""
    asks = Asks(start)
    sys.addaudithook(asks.heard)
    # No event tells of memory that processes share.
    watch.when_loaded("_multiprocessing", lambda module: tell_semaphores(module, asks))
    watch.when_loaded("_posixshmem", lambda module: tell_segments(module, asks))


def tell_semaphores(module, asks):
    original = module.SemLock

    class SemLock(original):
        def __new__(cls, *args, **kwargs):
            asks.tell("shared_memory", "a semaphore of multiprocessing")
            return original.__new__(cls, *args, **kwargs)

    module.SemLock = SemLock


def tell_segments(module, asks):
    original = module.shm_open

    def shm_open(path, *args, **kwargs):
        asks.tell("shared_memory", path)
        return original(path, *args, **kwargs)

    module.shm_open = shm_open
