"""Libraries with pools of threads, as functions of code: a model that is loaded and asked while it is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from functions import folder
from harness import Function
from test_worker import environment

HERE = Path(__file__).parent
ANSWERS = "answers.npy"
#: Enough for a pool to have something to do in each call, which asks about a part of them.
ROWS, COLUMNS, PARTS = 2_000, 16, 4
#: As many as two processors come with, and as two threads of each pool do.
MEMORY_MIB = 3_600
#: Ends a call, or a start, that hangs.
HANGS_AFTER_MS = 40_000
#: Those of small libraries, in one layer.
BOOSTED = "lightgbm==4.7.0\nnumpy==2.4.0\nonnxruntime==1.28.0\nscikit-learn==1.9.1\nxgboost-cpu==3.2.0\n"

#: What a user writes; the pool of the library is there before the first call, and its threads are counted.
SOURCE = """\
import os

import numpy as np
{imports}

def threads():
    return len(os.listdir("/proc/self/task"))

before = threads()
{load}

def ask(rows):
    return {ask}

rows = np.load("rows.npy")
first = np.asarray(ask(rows)).tolist()
started = threads() - before

def handler(event, context):
    answers = np.asarray(ask(rows[event["begin"] : event["end"]])).tolist()
    return {{"answers": answers, "first": first[event["begin"] : event["end"]], "started": started}}
"""
#: Makes the model, and what the library itself answers.
TRAIN = """\
import numpy as np
{imports}
rows = np.load("rows.npy")
wanted = rows[:, 0] * rows[:, 1] + rows[:, 2] > 0
{make}
{load}
np.save("{answers}", {ask})
"""


@dataclass(frozen=True)
class Library:
    """One library: how its model is made, loaded and asked."""

    name: str
    imports: str
    make: str
    load: str
    ask: str
    #: Equal to the bit, or but for the order of sums, which follows the number of rows.
    tolerance: float = 0.0
    #: The framework whose environment it is trained in; else that of these tests.
    framework: str = ""

    def train(self, work: Path) -> None:
        """Makes rows, the model and the library's own answers."""
        place = work / "trained" / self.name
        place.mkdir(parents=True)
        np.save(place / "rows.npy", np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).astype(np.float32))
        script = TRAIN.format(imports=self.imports, make=self.make, load=self.load, ask=self.ask, answers=ANSWERS)
        python = environment(self.framework) if self.framework else sys.executable
        # What is trained is the same with one thread, and sooner there where others compute too.
        env = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [python, "-c", script], cwd=place, env=env, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]

    def answers(self, work: Path) -> np.ndarray:
        """What the library itself answered."""
        return np.load(work / "trained" / self.name / ANSWERS)

    def lay_out(self, work: Path, manifest: dict) -> Path:
        """The folder that is deployed."""
        source = SOURCE.format(imports=self.imports, load=self.load, ask=self.ask)
        trained = (work / "trained" / self.name).iterdir()
        files = {path.name: path.read_bytes() for path in trained if path.name != ANSWERS}
        return folder(
            work / "code" / self.name,
            files | {"app.py": source} | self.packages(),
            manifest,
            concurrency=PARTS,
            max_instances=1,
            idle_timeout_ms=0,
            memory_mib=MEMORY_MIB,
            request_timeout_ms=HANGS_AFTER_MS,
            load_timeout_ms=HANGS_AFTER_MS,
        )

    def packages(self) -> dict[str, str]:
        """The files that say which packages it needs."""
        if self.framework == "torch":
            return {name: (HERE / "torch_wheels" / name).read_text() for name in ("pyproject.toml", "uv.lock")}
        if self.framework == "tensorflow":
            return {"requirements.txt": tensorflow_pin()}
        return {"requirements.txt": BOOSTED}


def tensorflow_pin() -> str:
    """The version that networks are trained with, as the list of its environment has it."""
    lines = (HERE / "requirements-tensorflow.in").read_text().splitlines()
    return next(line for line in lines if line.startswith("tensorflow-cpu==")) + "\n"


LIBRARIES = [
    Library(
        "xgboost",
        "import xgboost",
        'xgboost.XGBClassifier(n_estimators=50).fit(rows, wanted).save_model("model.ubj")',
        'model = xgboost.Booster(model_file="model.ubj")',
        "model.predict(xgboost.DMatrix(rows))",
    ),
    Library(
        "lightgbm",
        "import lightgbm",
        'lightgbm.LGBMClassifier(n_estimators=50, verbose=-1).fit(rows, wanted).booster_.save_model("model.txt")',
        'model = lightgbm.Booster(model_file="model.txt")',
        "model.predict(rows)",
    ),
    Library(
        "hist-gradient-boosting",
        "import joblib\nfrom sklearn.ensemble import HistGradientBoostingClassifier",
        'joblib.dump(HistGradientBoostingClassifier(max_iter=50).fit(rows, wanted), "model.joblib")',
        'model = joblib.load("model.joblib")',
        "model.predict_proba(rows)",
    ),
    Library(
        "onnxruntime",
        "import onnxruntime",
        """\
import onnx
from onnx import helper, numpy_helper, TensorProto
drawn = np.random.default_rng(1)
weights = {"a": drawn.normal(size=(16, 256)), "b": drawn.normal(size=(256, 3))}
onnx.save(helper.make_model(helper.make_graph(
    [helper.make_node("MatMul", ["x", "a"], ["xa"]), helper.make_node("Tanh", ["xa"], ["t"]),
     helper.make_node("MatMul", ["t", "b"], ["y"])],
    "network",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 16])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 3])],
    [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
), opset_imports=[helper.make_opsetid("", 21)], ir_version=10), "model.onnx")""",
        """\
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 2
model = onnxruntime.InferenceSession("model.onnx", options)""",
        'model.run(None, {"x": rows})[0]',
        tolerance=1e-5,
    ),
    Library(
        "torch",
        "import torch",
        """\
layers = torch.nn.Sequential(torch.nn.Linear(16, 256), torch.nn.Tanh(), torch.nn.Linear(256, 3))
torch.save(layers.state_dict(), "state.pt")""",
        """\
model = torch.nn.Sequential(torch.nn.Linear(16, 256), torch.nn.Tanh(), torch.nn.Linear(256, 3)).eval()
model.load_state_dict(torch.load("state.pt"))""",
        "model(torch.from_numpy(rows)).detach().numpy()",
        tolerance=1e-5,
        framework="torch",
    ),
    Library(
        "tensorflow",
        "import keras",
        """\
layers = [keras.Input((16,)), keras.layers.Dense(256, activation="tanh"), keras.layers.Dense(3)]
keras.Sequential(layers).save("model.keras")""",
        'model = keras.models.load_model("model.keras")',
        "model.predict(rows, verbose=0)",
        tolerance=1e-5,
        framework="tensorflow",
    ),
]


def ask(function: Function, library: Library, part: int) -> str:
    """One call about a part of the rows: answered as by the library itself, by a pool that was there before. Its id."""
    of_part = slice(part * ROWS // PARTS, (part + 1) * ROWS // PARTS)
    answer = function.post({"begin": of_part.start, "end": of_part.stop})
    assert answer.status_code == 200, answer.text
    said, known = answer.json(), library.answers(function.platform.work)[of_part]
    for answers in (said["answers"], said["first"]):
        np.testing.assert_allclose(answers, known, rtol=library.tolerance, atol=library.tolerance)
    assert said["started"] > 0, "its pool has threads before the first call"
    return answer.headers["x-modelet-invocation"]
