"""Watches imports: what is to be done once a module is there, and how long each package takes.

A finder at the front of `sys.meta_path`. A name that nobody waits for costs one look into a dict; while the handler is
loaded, all imports are timed.
"""

import sys
import time

#: Packages that are named with their times, the longest first.
NAMED = 8


def imported(name):
    """A module by its whole name, without the lines that `importlib` would put into tracebacks."""
    __import__(name)
    return sys.modules[name]


class Watched:
    """Stands before a module's loader until it is loaded; everything else is the loader's own."""

    def __init__(self, loader, watch):
        self._loader = loader
        self._watch = watch

    def create_module(self, spec):
        create = getattr(self._loader, "create_module", None)
        return create(spec) if create else None

    def exec_module(self, module):
        spec = module.__spec__
        spec.loader = module.__loader__ = self._loader
        self._watch.load(module, self._loader)

    def __getattr__(self, name):
        return getattr(self._loader, name)


class Watch:
    """The finder."""

    def __init__(self):
        self.waiting = {}
        self.timed = False
        self.took = {}
        self.above = []
        #: Where the user's own modules lie, what of them is being loaded now, and what they asked for themselves.
        self.own_folder = None
        self.own = []
        self.asked = []
        self.since = 0.0

    def when_loaded(self, name, act):
        """Calls `act(module)` once a module of this name is loaded, now if it is already."""
        if name in sys.modules:
            act(sys.modules[name])
        else:
            self.waiting[name] = act

    def find_spec(self, name, path=None, target=None):
        if not self.timed and name not in self.waiting:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None) if finder is not self else None
            spec = find(name, path, target) if find else None
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = Watched(spec.loader, self)
                return spec
        return None

    def load(self, module, loader):
        if self.timed:
            self._load_timed(module, loader)
        else:
            loader.exec_module(module)
        act = self.waiting.pop(module.__name__, None)
        if act:
            act(sys.modules.get(module.__name__, module))

    def _load_timed(self, module, loader):
        name = module.__name__
        is_own = self._is_own(module)
        if not is_own and (not self.own or self.own[-1]):
            self.asked.append(name)
        self._enter(name.partition(".")[0], is_own)
        try:
            loader.exec_module(module)
        finally:
            self._leave()

    def slowest(self):
        """The packages that took the longest, each without the others that it imported, in milliseconds."""
        longest = sorted(self.took.items(), key=lambda one: -one[1])[:NAMED]
        return {name: round(seconds * 1000, 1) for name, seconds in longest}

    def _is_own(self, module):
        """Whether a module is the user's or the worker's, and not a package's."""
        file = getattr(module.__spec__, "origin", None) or ""
        in_folder = self.own_folder is not None and file.startswith(self.own_folder)
        return in_folder or file.startswith("modelet_worker/")

    def _enter(self, package, is_own):
        self._charge()
        self.above.append(package)
        self.own.append(is_own)

    def _leave(self):
        self._charge()
        self.above.pop()
        self.own.pop()

    def _charge(self):
        """Adds the time since the last change to the package that was being loaded."""
        now = time.perf_counter()
        if self.above:
            package = self.above[-1]
            self.took[package] = self.took.get(package, 0.0) + now - self.since
        self.since = now


#: The finder of this process.
watch = Watch()
