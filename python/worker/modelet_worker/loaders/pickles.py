"""`pickle.load` of a file that was opened to be read and is read from its beginning."""

import functools
import io
import os

from modelet_worker.loaders.wrapped import kept_load


def wrap(pickle):
    """Wraps `pickle.load`."""
    original = pickle.load

    @functools.wraps(original)
    def load(file, **options):
        path = path_of(file)
        if path is None:
            return original(file, **options)
        value, end = kept_load("pickle.load", path, options, lambda: (original(file, **options), file.tell()))
        file.seek(end)
        return value

    load.__module__ = pickle.__name__
    pickle.load = load


def path_of(file):
    """The path of an open file that still is the one that lies there, and of which nothing was read; else None."""
    if type(file) is not io.BufferedReader or not isinstance(file.name, str) or file.tell():
        return None
    try:
        there = os.stat(file.name)
    except OSError:
        return None
    return file.name if os.path.samestat(os.fstat(file.fileno()), there) else None
