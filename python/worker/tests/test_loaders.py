"""Models that handlers load within the call: loaded once, the same object each time, and everything else as without
us."""

from __future__ import annotations

import collections
import json
import os
import pickle
import time

import joblib
import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.linear_model import LogisticRegression

ROWS = np.random.default_rng(5).normal(size=(200, 4))
LABELS = (ROWS.sum(axis=1) > 0).astype(int)


#: What is imported ahead, of what a handler imports.
PACKAGES = ("joblib", "pickle", "onnxruntime", "xgboost", "lightgbm", "catboost")


@pytest.fixture(params=["a new Python", "a Python with packages imported"])
def start(request, start):
    """Each test twice: libraries that are imported before the code is known load as those that it imports itself."""
    if request.param == "a new Python":
        return start

    def started(code, **fields):
        return start(code, ahead=[name for name in PACKAGES if name in code], **fields)

    return started


class Slow:
    """Takes its time to be unpickled, as large models do."""

    def __reduce__(self):
        return eval, ("__import__('time').sleep(0.2) or __import__('threading').Lock",)


def made(folder):
    """A model of each library, saved as its users save it."""
    import onnx
    from onnx import TensorProto, helper

    classifier = LogisticRegression().fit(ROWS, LABELS)
    joblib.dump(classifier, folder / "model.joblib")
    (folder / "model.pkl").write_bytes(pickle.dumps(classifier) + pickle.dumps("second"))
    data = xgboost.DMatrix(ROWS, LABELS)
    booster = xgboost.train({"max_depth": 2}, data, 3)
    booster.save_model(folder / "booster.ubj")
    wrapper = xgboost.XGBClassifier(n_estimators=3, max_depth=2).fit(ROWS, LABELS)
    wrapper.save_model(folder / "wrapper.json")
    lightgbm.train({"verbosity": -1}, lightgbm.Dataset(ROWS, LABELS), 3).save_model(folder / "lightgbm.txt")
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 4]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", shapes[:1], shapes[1:])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "model.onnx"
    )
    import catboost

    catboost.CatBoostClassifier(iterations=3, verbose=0, allow_writing_files=False).fit(ROWS, LABELS).save_model(
        folder / "model.cbm"
    )


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    made(folder)
    return folder


#: How handlers load and ask a model: by library, with the name under which the notice tells it.
WAYS = {
    "joblib": ("import joblib", "joblib.load('model.joblib')", "model.predict_proba(rows)", "joblib.load"),
    "joblib by name": (
        "from joblib import load",
        "load(filename='model.joblib')",
        "model.predict_proba(rows)",
        "joblib.load",
    ),
    "pickle": ("import pickle", "pickle.load(open('model.pkl', 'rb'))", "model.predict_proba(rows)", "pickle.load"),
    "onnxruntime": (
        "import onnxruntime as ort",
        "ort.InferenceSession('model.onnx', providers=['CPUExecutionProvider'])",
        "model.run(None, {'x': rows.astype('float32')})[0]",
        "onnxruntime.InferenceSession",
    ),
    "xgboost": (
        "import xgboost",
        "xgboost.Booster(model_file='booster.ubj')",
        "model.predict(xgboost.DMatrix(rows))",
        "xgboost.Booster",
    ),
    "lightgbm": (
        "import lightgbm",
        "lightgbm.Booster(model_file='lightgbm.txt')",
        "model.predict(rows)",
        "lightgbm.Booster",
    ),
}

#: Those that load into an object of the handler's own.
IN_PLACE = {
    "xgboost's booster": (
        "import xgboost",
        "xgboost.Booster()",
        "booster.ubj",
        "model.predict(xgboost.DMatrix(rows))",
        "xgboost.Booster.load_model",
    ),
    "xgboost's estimator": (
        "import xgboost",
        "xgboost.XGBClassifier(n_jobs=1)",
        "wrapper.json",
        "model.predict_proba(rows)",
        "xgboost.XGBModel.load_model",
    ),
    "catboost": (
        "import catboost",
        "catboost.CatBoostClassifier()",
        "model.cbm",
        "model.predict_proba(rows)",
        "catboost.CatBoost.load_model",
    ),
}

HANDLER = """
{imports}
import os
import numpy as np

os.chdir({folder!r})
seen = []


def lambda_handler(event, context):
    rows = np.array(event["data"])
    model = {load}
    {then}
    seen.append(model)
    return {{"prediction": ({ask}).tolist(), "same": model is seen[0], "type": type(model).__name__}}
"""


def handler(models, imports, load, ask, then="pass"):
    return HANDLER.format(imports=imports, load=load, ask=ask, then=then, folder=str(models))


def three_calls(worker):
    event = {"data": ROWS[:3].tolist()}
    return [worker.event(event).json for _ in range(3)]


@pytest.mark.parametrize("way", WAYS)
def test_a_model_that_is_loaded_in_each_call_is_loaded_once(start, models, way):
    imports, load, ask, known = WAYS[way]
    code = handler(models, imports, load, ask)
    worker, plain = start(code), start(code, options={"memoize_loaders": False})
    expected, found = three_calls(plain), three_calls(worker)
    assert [one["same"] for one in found] == [True, True, True]
    assert [one["same"] for one in expected] == [True, False, False]
    assert [one["prediction"] for one in found] == [one["prediction"] for one in expected]
    assert [one["type"] for one in found] == [one["type"] for one in expected]
    notices = [one for one in worker.records() if "memoize_loaders" in one["message"]]
    assert [(one["level"], one["invocation"]) for one in notices] == [("INFO", "call-2")], (
        "once, for a call that was saved something"
    )
    assert notices[0]["message"].startswith(f"{known}('")
    assert not [one for one in plain.records() if "memoize_loaders" in one["message"]]


@pytest.mark.parametrize("way", IN_PLACE)
def test_a_model_that_is_loaded_into_an_object_is_read_once(start, models, way):
    imports, make, file, ask, known = IN_PLACE[way]
    code = handler(models, imports, make, ask, then=f"model.load_model({file!r})")
    worker, plain = start(code), start(code, options={"memoize_loaders": False})
    expected, found = three_calls(plain), three_calls(worker)
    assert found == expected
    notices = [one["message"] for one in worker.records() if "memoize_loaders" in one["message"]]
    assert len(notices) == 1
    assert notices[0].startswith(f"{known}('{file}')")
    assert worker.process.returncode == 0


def test_boosters_may_go_while_others_that_share_their_trees_stay(start, models):
    code = handler(
        models,
        "import gc, pickle, xgboost",
        "xgboost.Booster()",
        "model.predict(xgboost.DMatrix(rows))",
        then="model.load_model('booster.ubj')",
    )
    code += """
    again = lambda_handler


def lambda_handler(event, context):
    first = again(event, context)["prediction"]
    seen.clear()
    gc.collect()
    model = xgboost.Booster()
    model.load_model("booster.ubj")
    other = pickle.loads(pickle.dumps(model))
    del model
    gc.collect()
    return [first, other.predict(xgboost.DMatrix(np.array(event["data"]))).tolist()]
""".replace("    again", "again", 1)
    worker = start(code)
    for _ in range(3):
        first, other = worker.event({"data": ROWS[:3].tolist()}).json
        assert first == other
    assert worker.end()[0] == 0


def test_a_file_that_changes_is_loaded_again(start, models, tmp_path):
    path = tmp_path / "model.joblib"
    joblib.dump(LogisticRegression(C=1.0).fit(ROWS, LABELS), path)
    worker = start(f"import joblib\ndef lambda_handler(event, context): return joblib.load({str(path)!r}).C")
    assert worker.event({}).json == 1.0
    joblib.dump(LogisticRegression(C=2.0).fit(ROWS, LABELS), path)
    os.utime(path, ns=(time.time_ns(), time.time_ns()))
    assert worker.event({}).json == 2.0


def test_what_comes_behind_the_model_in_a_file_is_still_read(start, models):
    code = f"""
        import pickle

        def lambda_handler(event, context):
            with open({str(models / "model.pkl")!r}, "rb") as file:
                first, second = pickle.load(file), pickle.load(file)
            return [type(first).__name__, second]
    """
    worker = start(code)
    assert [worker.event({}).json for _ in range(3)] == [["LogisticRegression", "second"]] * 3


CHANGED = {
    "a dict": "{'a': 1}",
    "a list": "[1]",
    "a model in a dict": "{'model': LogisticRegression()}",
    "an array": "np.zeros(3)",
    "a frame": "pd.DataFrame({'a': [1]})",
    "a dict in a tuple": "(LogisticRegression(), {'a': 1})",
    "what draws numbers": "np.random.RandomState(5)",
    "an object that is no model": "collections.deque([1])",
}


@pytest.mark.parametrize("kind", CHANGED)
def test_what_a_handler_may_change_is_its_own_each_time(start, kind, tmp_path):
    import pandas as pd

    known = {"np": np, "pd": pd, "LogisticRegression": LogisticRegression, "collections": collections}
    value = eval(CHANGED[kind], known)
    joblib.dump(value, tmp_path / "value.joblib")
    code = f"""
        import joblib

        seen = []

        def lambda_handler(event, context):
            seen.append(joblib.load({str(tmp_path / "value.joblib")!r}))
            return seen[-1] is seen[0]
    """
    worker = start(code)
    assert [worker.event({}).json for _ in range(2)] == [True, False]


def test_a_model_with_its_threshold_is_kept(start, tmp_path):
    joblib.dump((LogisticRegression(), 0.5, "name"), tmp_path / "value.joblib")
    code = f"""
        import joblib

        seen = []

        def lambda_handler(event, context):
            seen.append(joblib.load({str(tmp_path / "value.joblib")!r}))
            return seen[-1] is seen[0]
    """
    worker = start(code)
    assert [worker.event({}).json for _ in range(2)] == [True, True]


def test_threads_that_load_the_same_wait_for_one_load(start, tmp_path):
    (tmp_path / "slow.pkl").write_bytes(pickle.dumps(Slow()))
    code = f"""
        import pickle, time

        def lambda_handler(event, context):
            since = time.monotonic()
            return [id(pickle.load(open({str(tmp_path / "slow.pkl")!r}, "rb"))), time.monotonic() - since]
    """
    worker = start(code, threads=4)
    for _ in range(4):
        worker.ask("event", b"{}")
    found = [worker.receive().json for _ in range(4)]
    assert len({identity for identity, _ in found}) == 1
    assert max(took for _, took in found) < 0.4, "not one after the other"


def test_models_that_are_kept_have_a_limit_that_is_told(start, tmp_path):
    model = LogisticRegression()
    for number in range(10):
        joblib.dump(model, tmp_path / f"{number}.joblib")
    code = f"""
        import joblib, os

        os.chdir({str(tmp_path)!r})
        seen = {{}}

        def lambda_handler(event, context):
            model = joblib.load(f"{{event}}.joblib")
            same = seen.get(event) is model
            seen[event] = model
            return same
    """
    worker = start(code)
    assert [worker.event(number).json for number in [*range(8), *range(8)]] == [False] * 8 + [True] * 8
    assert [worker.event(number).json for number in (8, 0, 8, 7)] == [False, False, True, True]
    warnings = [one["message"] for one in worker.records() if one["level"] == "WARNING"]
    assert warnings == ["more than 8 models are loaded, and the ones not used for the longest are loaded again"]


@pytest.mark.parametrize(
    ("argument", "same"),
    [("mmap_mode='r'", True), ("mmap_mode=None", True), ("ensure_native_byte_order=event['b']", False)],
)
def test_other_arguments_are_part_of_what_is_asked_for(start, models, argument, same):
    code = f"""
        import joblib

        seen = []

        def lambda_handler(event, context):
            seen.append(joblib.load({str(models / "model.joblib")!r}, {argument}))
            return seen[-1] is seen[0]
    """
    worker = start(code)
    worker.event({"b": "auto"})
    assert worker.event({"b": False}).json is same


def test_a_load_that_fails_fails_each_time_as_without_us(start, tmp_path):
    (tmp_path / "bad.joblib").write_bytes(b"nothing")
    code = "import joblib\ndef lambda_handler(event, context): return joblib.load(event)"
    worker, plain = start(code), start(code, options={"memoize_loaders": False})
    for path in (str(tmp_path / "bad.joblib"), str(tmp_path / "none.joblib")):
        for _ in range(2):
            theirs, ours = plain.event(path).error, worker.event(path).error
            assert (ours["type"], ours["message"]) == (theirs["type"], theirs["message"])
            assert ours["stack"] == theirs["stack"]


def test_classes_stay_what_they_are(start, models):
    code = f"""
        import inspect, pickle

        import joblib
        import onnxruntime as ort
        from onnxruntime.capi.onnxruntime_inference_collection import InferenceSession

        path = {str(models / "model.onnx")!r}


        class Own(ort.InferenceSession):
            def __init__(self, path):
                super().__init__(path, providers=["CPUExecutionProvider"])
                self.own = 5


        def lambda_handler(event, context):
            session, own, options = ort.InferenceSession(path), Own(path), ort.SessionOptions()
            return [
                isinstance(session, ort.InferenceSession) and isinstance(own, InferenceSession),
                type(session) is ort.InferenceSession is InferenceSession,
                own.own, own is not Own(path), type(own) is Own,
                ort.InferenceSession(path) is session,
                ort.InferenceSession(path, options) is not session,
                ort.InferenceSession(open(path, "rb").read()) is not session,
                list(inspect.signature(ort.InferenceSession).parameters)[0],
                list(inspect.signature(joblib.load).parameters)[0],
                pickle.loads(pickle.dumps(joblib.load)) is joblib.load,
                pickle.loads(pickle.dumps(pickle.load)) is pickle.load,
            ]
    """
    worker = start(code)
    assert worker.event({}).json == [
        True,
        True,
        5,
        True,
        True,
        True,
        True,
        True,
        "path_or_bytes",
        "filename",
        True,
        True,
    ]


def test_paths_of_the_machine_where_the_model_was_made_lead_to_the_artifact(start, models, tmp_path):
    (tmp_path / "held").mkdir()
    joblib.dump(LogisticRegression(C=7), tmp_path / "held" / "inner.joblib")
    (tmp_path / "held" / "note.txt").write_text("read")
    code = """
        import joblib, pathlib

        def lambda_handler(event, context):
            return [joblib.load("/home/me/folder/inner.joblib").C, open("/home/me/folder/note.txt").read(),
                    pathlib.Path("/home/me/folder/note.txt").read_text()]
    """
    for options in ({}, {"memoize_loaders": False}):
        worker = start(code, outside={"/home/me/folder": str(tmp_path / "held")}, options=options)
        assert worker.event({}).json == [7, "read", "read"]
    error = start(
        "def lambda_handler(e, c): open('/home/me/folder/none.txt')",
        outside={"/home/me/folder": str(tmp_path / "held")},
    ).event({})
    assert error.error["message"] == "[Errno 2] No such file or directory: '/home/me/folder/none.txt'"


def test_a_library_that_is_not_imported_costs_nothing(start):
    worker = start(
        "import sys\ndef lambda_handler(e, c): return [one for one in sys.modules if 'loaders' in one or 'memo' in one]"
    )
    assert worker.event({}).json == ["modelet_worker.loaders"]
    assert json.dumps(worker.started["ready"]["imports_ms"])
