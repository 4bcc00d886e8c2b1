"""`booster.load_model(path)` of XGBoost: a booster that holds nothing gets the handle of one that is kept, and does
not free it."""

import functools
import weakref

from modelet_worker.loaders.outside import found
from modelet_worker.loaders.wrapped import is_path, kept_load


class Owner:
    """The booster that a handle belongs to, for as long as others use it. It is not part of what a booster is when
    pickled."""

    def __init__(self, booster):
        self.booster = booster

    def __reduce__(self):
        return type(None), ()


def wrap(module):
    """Wraps how a booster is made, loads and ends."""
    kind = module.Booster
    make, load, end = kind.__init__, kind.load_model, kind.__del__
    empty = weakref.WeakSet()

    def anew(path):
        one = kind()
        load(one, path)
        return one

    @functools.wraps(make)
    def __init__(self, *args, **kwargs):
        make(self, *args, **kwargs)
        if not args and not kwargs:
            empty.add(self)

    @functools.wraps(load)
    def load_model(self, fname):
        path = found(fname)
        if self not in empty or not is_path(path):
            return load(self, path)
        empty.discard(self)
        kept = kept_load("xgboost.Booster.load_model", path, (), lambda: anew(path))
        end(self)
        vars(self).update(vars(kept), _modelet_owner=Owner(kept))
        return None

    @functools.wraps(end)
    def __del__(self):
        if not vars(self).get("_modelet_owner"):
            end(self)

    kind.__init__, kind.load_model, kind.__del__ = __init__, load_model, __del__
