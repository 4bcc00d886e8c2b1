"""Paths of the machine that a model was made on: `/home/me/model.keras` in a handler's text means what the artifact
holds of it."""

import builtins
import functools
import io
import os

#: From paths that handlers name to where the artifact has them.
places = {}


def install(outside):
    """From here on these paths are found, by loaders and by `open`."""
    places.update(outside)
    builtins.open = io.open = opening(builtins.open)


def found(path):
    """Where a path leads: to itself where it exists, else into the artifact if that has it."""
    if not places or not isinstance(path, (str, os.PathLike)) or os.path.exists(path):
        return path
    text = os.path.normpath(os.fspath(path))
    for named, held in places.items():
        if text == named or text.startswith(named.rstrip("/") + "/"):
            inside = held + text[len(named.rstrip("/")) :]
            return inside if os.path.exists(inside) else path
    return path


def opening(original):
    """`open`, for which these paths exist to be read."""

    @functools.wraps(original)
    def open(file, mode="r", *args, **kwargs):
        return original(found(file) if "r" in mode else file, mode, *args, **kwargs)

    return open
