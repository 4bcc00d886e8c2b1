"""Models that were loaded once, kept for the calls that load them again.

The commonest handler there is loads its model within the call. What it loads is kept under what it was loaded from:
the loader, the file (its real path, size and time of change; of a folder those of all its files) and the other
arguments, if they can be compared by what they say. The handler gets the same object each time. That is wrong where it
changes the model: fine-tunes it, compiles it anew, takes layers off; `memoize_loaders = false` under `[python]` of
modelet.toml leaves all loaders alone.

Of loaders that give anything only models are kept: what can predict, transform or be called. Dicts, lists, arrays and
frames, which handlers change, are read anew each time (but see `copied`), and so are networks with stateful layers,
whose answers depend on those before.
"""

import os
import threading
import time

from modelet_worker.records import log

#: Models that are kept at once; the one that was not asked for the longest goes first.
MODELS = 8
#: Files of a folder that are looked at; of one with more nothing is kept.
FILES = 10_000
#: Loaders that give whatever was saved.
ANYTHING = ("joblib.load", "pickle.load", "torch.load")
#: What models can do, one of these at least, where they cannot be called.
ABLE = ("predict", "transform", "score_samples", "forward")
#: Kinds that can so too, and that handlers change without a thought.
CHANGED = {"DataFrame", "Series", "Tensor"}
#: Kinds that nobody can change, which may stand beside a model.
FIXED = (str, bytes, int, float)

NOTICE = (
    "{loader}({path!r}) is called within the handler. It took {took_ms:.0f} ms the first time; modelet kept the model, "
    "which saves that in each further call. Where the handler changes the model, set memoize_loaders = false under "
    "[python] in modelet.toml; where it does not, load it outside of the handler, and it is ready before the first call"
)
TOO_MANY = f"more than {MODELS} models are loaded, and the ones not used for the longest are loaded again"


class Uncomparable(Exception):
    """An argument that says nothing by which it could be compared."""


class Kept:
    """One load: in work, or done."""

    def __init__(self):
        self.lock = threading.RLock()
        self.done = False
        self.value = None
        self.took_ms = 0.0


class Memo:
    """The models of this process."""

    def __init__(self):
        self.lock = threading.Lock()
        self.kept = {}
        self.told = set()

    def load(self, loader, path, arguments, load):
        """What `load()` gives, or what it gave for the same; two threads that ask for the same wait for one load."""
        try:
            key = (loader, file_state(path), comparable(arguments))
        except (Uncomparable, OSError):
            return load()
        kept = self._entry(key)
        with kept.lock:
            if kept.done:
                self._tell(loader, path, kept)
                return copied(kept.value)
            since = time.perf_counter()
            value = load()
            if has_state(value) or (loader in ANYTHING and not is_model(value) and not is_tensors(value)):
                self.kept.pop(key, None)
                return value
            kept.value, kept.done = value, True
            kept.took_ms = (time.perf_counter() - since) * 1000
            return copied(value)

    def _entry(self, key):
        """The entry of a key, as the one that was asked for last."""
        with self.lock:
            kept = self.kept[key] = self.kept.pop(key, None) or Kept()
            if len(self.kept) > MODELS:
                self.kept.pop(next(iter(self.kept)))
                self._once("limit", "WARNING", TOO_MANY)
            return kept

    def _tell(self, loader, path, kept):
        """Says once for each loader what it saved, where that was within a call."""
        if log.invocation():
            self._once(loader, "INFO", NOTICE.format(loader=loader, path=path, took_ms=kept.took_ms))

    def _once(self, what, level, message):
        if what not in self.told:
            self.told.add(what)
            log.notice(level, message)


def file_state(path):
    """A file, or all files of a folder, by real path, size and time of change."""
    real = os.path.realpath(path)
    if not os.path.isdir(real):
        found = os.stat(real)
        return (real, found.st_size, found.st_mtime_ns)
    states = []
    for folder, _, files in os.walk(real):
        for file in files:
            found = os.stat(os.path.join(folder, file))
            states.append((folder, file, found.st_size, found.st_mtime_ns))
        if len(states) > FILES:
            raise Uncomparable
    return (real, *sorted(states))


def comparable(value):
    """A value as one that is equal where it says the same. Raises `Uncomparable` where nobody can tell."""
    kind = type(value)
    if isinstance(value, dict):
        return ("dict", *((comparable(key), comparable(one)) for key, one in value.items()))
    if isinstance(value, (list, tuple)):
        return (kind.__name__, *(comparable(one) for one in value))
    if callable(value) and "<locals>" not in getattr(value, "__qualname__", "<locals>"):
        return value
    if value is not None and kind.__hash__ in (None, object.__hash__):
        raise Uncomparable
    return (kind, value)


def is_model(value):
    """Whether a result is something that handlers use as it is."""
    if isinstance(value, tuple):
        return all(is_model(one) for one in value)
    kind = type(value)
    if isinstance(value, FIXED):
        return True
    able = callable(value) or any(hasattr(kind, one) for one in ABLE)
    return able and not CHANGED.intersection(base.__name__ for base in kind.__mro__)


def has_state(value):
    """Whether it is a network of Keras that remembers from call to call."""
    layers = getattr(value, "_flatten_layers", None)
    return bool(layers) and any(getattr(one, "stateful", False) for one in layers())


def is_tensors(value):
    """Whether it is what PyTorch's `state_dict` gives: tensors by name."""
    return isinstance(value, dict) and bool(value) and all(type(one).__name__ == "Tensor" for one in value.values())


def copied(value):
    """What a handler gets: the model itself, or a dict of its own with the state's tensors."""
    if not is_tensors(value):
        return value
    import copy

    return copy.copy(value)


#: The memo of this process.
memo = Memo()
