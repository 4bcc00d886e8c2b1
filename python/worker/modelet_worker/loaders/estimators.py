"""`model.load_model(path)` of XGBoost's and CatBoost's estimators, which loads into an object that is there.

What is kept is another object of the same parameters that loaded; the handler's gets what that one has.
"""

import functools

from modelet_worker.loaders.outside import found
from modelet_worker.loaders.wrapped import is_path, kept_load
from modelet_worker.memo import Uncomparable, comparable


def wrap(module):
    """Wraps the method of the module's class."""
    if hasattr(module, "XGBModel"):
        method(module.XGBModel, "fname", "xgboost.XGBModel.load_model", lambda model: hasattr(model, "_Booster"))
    if hasattr(module, "CatBoost"):
        method(module.CatBoost, "fname", "catboost.CatBoost.load_model", lambda model: model.is_fitted())


def method(kind, parameter, known, is_fitted):
    """Wraps `load_model` of a class for objects that hold nothing yet."""
    original = kind.load_model

    def anew(model, path, args, kwargs):
        one = type(model)(**model.get_params())
        original(one, path, *args, **kwargs)
        return one

    @functools.wraps(original)
    def load_model(self, *args, **kwargs):
        path = found(kwargs.pop(parameter) if parameter in kwargs else args[0] if args else None)
        rest = args[1:]
        if not is_path(path) or is_fitted(self):
            return original(self, path, *rest, **kwargs)
        state = (type(self), self.get_params(), rest, kwargs)
        try:
            comparable(state)
        except Uncomparable:
            return original(self, path, *rest, **kwargs)
        kept = kept_load(known, path, state, lambda: anew(self, path, rest, kwargs))
        vars(self).update(vars(kept))
        return self if known.startswith("catboost") else None

    kind.load_model = load_model
