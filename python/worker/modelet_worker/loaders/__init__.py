"""The loaders of libraries, as handlers call them: each is wrapped once its library is imported, so that models are
kept (see `memo.py`) and paths of the machine that a model was made on lead to where the artifact has it.

To add one: a function is a line in `FUNCTIONS`, a class that loads as it is made one in `CLASSES`; what else there is
has a file of its own here, and a line in `OTHERS`. The module is the one that defines it, so that every name under
which users know it is meant.
"""

from modelet_worker.imports import imported, watch
from modelet_worker.records import log

#: The module, the function, the parameter for the path, and how users call it.
FUNCTIONS = (
    ("joblib.numpy_pickle", "load", "filename", "joblib.load"),
    ("keras.src.saving.saving_api", "load_model", "filepath", "keras.models.load_model"),
    ("tf_keras.src.saving.saving_api", "load_model", "filepath", "tf_keras.models.load_model"),
    ("tensorflow.python.saved_model.load", "load", "export_dir", "tf.saved_model.load"),
    ("torch.serialization", "load", "f", "torch.load"),
    ("torch.jit._serialization", "load", "f", "torch.jit.load"),
)
#: The module, the class, the parameter for the path and its place, and how users call it.
CLASSES = (
    (
        "onnxruntime.capi.onnxruntime_inference_collection",
        "InferenceSession",
        "path_or_bytes",
        0,
        "onnxruntime.InferenceSession",
    ),
    ("lightgbm.basic", "Booster", "model_file", 2, "lightgbm.Booster"),
    ("xgboost.core", "Booster", "model_file", 2, "xgboost.Booster"),
)
#: Modules, and who wraps what they load with: `wrap(module)` in a file here.
OTHERS = {
    "pickle": "pickles",
    "xgboost.core": "xgboost_boosters",
    "xgboost.sklearn": "estimators",
    "catboost.core": "estimators",
}


#: Modules whose loaders are wrapped once they are imported.
watched = set()
#: Whether models are kept; paths are looked up in any case.
options = {"memoize": True}


def watch_loaders():
    """Wraps loaders as their libraries are imported. It is done before they are: a package hands the functions of its
    modules on as they are, under names of its own."""
    known = {entry[0] for entry in (*FUNCTIONS, *CLASSES)} | OTHERS.keys()
    for name in known - watched:
        watched.add(name)
        watch.when_loaded(name, lambda module, name=name: try_to_wrap(module, name))


def use_loaders(memoize, outside):
    """What wrapped loaders do from here on; none is wrapped where there is nothing to do."""
    if not memoize and not outside:
        return
    watch_loaders()
    options["memoize"] = memoize
    if outside:
        from modelet_worker.loaders import outside as paths

        paths.install(outside)


def try_to_wrap(module, name):
    """Wraps what is as we know it; a version that is not loads as it always did."""
    try:
        wrap(module, name)
    except Exception as error:
        log.notice(
            "WARNING", f"the loaders of {name} are not known in this version, and are left as they are: {error!r}"
        )


def wrap(module, name):
    """Wraps the loaders of one module."""
    from modelet_worker.loaders import wrapped

    for where, function, parameter, known in FUNCTIONS:
        if where == name and hasattr(module, function):
            wrapped.function(module, function, parameter, known)
    for where, kind, parameter, place, known in CLASSES:
        if where == name and hasattr(module, kind):
            wrapped.constructor(getattr(module, kind), parameter, place, known)
    if name in OTHERS:
        imported(f"modelet_worker.loaders.{OTHERS[name]}").wrap(module)
