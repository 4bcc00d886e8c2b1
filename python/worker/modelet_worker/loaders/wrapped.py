"""Loaders with the memo before them: functions that return a model, and classes that load one as they are made."""

import functools
import os
import weakref

from modelet_worker.loaders import options
from modelet_worker.loaders.outside import found
from modelet_worker.memo import memo

#: Objects that were made by the memo, which need not be made again.
made = weakref.WeakSet()


def kept_load(known, path, arguments, act):
    """What `act` loads, kept where that is wanted."""
    return memo.load(known, path, arguments, act) if options["memoize"] else act()


def is_path(value):
    return isinstance(value, (str, os.PathLike)) and os.path.exists(value)


def argument(parameter, place, args, kwargs):
    """The path among the arguments, and the arguments with the place where it leads."""
    if parameter in kwargs:
        path = found(kwargs[parameter])
        return path, args, {**kwargs, parameter: path}
    if len(args) > place:
        path = found(args[place])
        return path, (*args[:place], path, *args[place + 1 :]), kwargs
    return None, args, kwargs


def function(module, name, parameter, known):
    """Wraps a function whose first parameter is a path."""
    original = getattr(module, name)

    @functools.wraps(original)
    def loader(*args, **kwargs):
        path, args, kwargs = argument(parameter, 0, args, kwargs)
        if not is_path(path):
            return original(*args, **kwargs)
        return kept_load(known, path, (args[1:], kwargs), lambda: original(*args, **kwargs))

    loader.__module__ = module.__name__
    setattr(module, name, loader)


def constructor(kind, parameter, place, known):
    """Lets a class give the object that it made before for the same arguments. It stays the class that it is; classes
    that inherit from it load as they always did."""
    if kind.__new__ is not object.__new__:
        return  # a version that we do not know
    original = kind.__init__

    def anew(args, kwargs):
        one = object.__new__(kind)
        original(one, *args, **kwargs)
        made.add(one)
        return one

    @functools.wraps(original)
    def __new__(cls, *args, **kwargs):
        path, args, kwargs = argument(parameter, place, args, kwargs)
        if cls is not kind or not is_path(path):
            return object.__new__(cls)
        rest = (args[:place], args[place + 1 :], {key: one for key, one in kwargs.items() if key != parameter})
        return kept_load(known, path, rest, lambda: anew(args, kwargs))

    @functools.wraps(original)
    def __init__(self, *args, **kwargs):
        if self not in made:
            _, args, kwargs = argument(parameter, place, args, kwargs)
            original(self, *args, **kwargs)

    kind.__new__, kind.__init__ = __new__, __init__
