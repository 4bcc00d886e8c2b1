"""The proof that a converted model answers as its original: real frameworks, broken conversions, hostile originals."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import catboost as cb
import joblib
import lightgbm as lgb
import numpy as np
import pytest
import telling
import xgboost as xgb
from harness import Platform

PYTHON = sys.executable
TABLE = telling.numbers(1_000, 0, np.float32)
SCORE = telling.score(TABLE)
TWO = (SCORE > 0.7).astype(int)
KINDS = ["c"] + ["float"] * (telling.COLUMNS - 1)


def classifier(folder: Path) -> Path:
    """XGBoost's wrapper, in its own file."""
    path = folder / "classifier.ubj"
    xgb.XGBClassifier(n_estimators=15, random_state=0).fit(TABLE, TWO).save_model(path)
    return path


def pickled(folder: Path) -> Path:
    """The same, pickled."""
    path = folder / "pickled.joblib"
    joblib.dump(xgb.XGBClassifier(n_estimators=15, random_state=0).fit(TABLE, TWO), path)
    return path


def with_categories(folder: Path) -> Path:
    """The first column holds codes; a code that is no whole number is cut to one."""
    rows = telling.numbers(1_000, 1, np.float32, categories=True)
    y = telling.score(rows) + 3 * np.sin(np.nan_to_num(rows[:, 0]))
    path = folder / "categories.json"
    data = xgb.DMatrix(rows, y, feature_types=KINDS, enable_categorical=True)
    xgb.train({"max_cat_to_onehot": 1}, data, 8).save_model(path)
    return path


def lightgbm_text(folder: Path) -> Path:
    """LightGBM's text file, in float64."""
    path = folder / "lightgbm.txt"
    rows = TABLE.astype(np.float64)
    lgb.train(
        {"objective": "multiclass", "num_class": 3, "verbose": -1}, lgb.Dataset(rows, np.digitize(SCORE, [0, 2])), 8
    ).save_model(path)
    return path


def lightgbm_categories(folder: Path) -> Path:
    """Codes of categories, which LightGBM cuts in another way."""
    rows = telling.numbers(1_000, 1, np.float64, categories=True)
    y = telling.score(rows) + 3 * np.sin(np.nan_to_num(rows[:, 0]))
    path = folder / "lightgbm-categories.txt"
    data = lgb.Dataset(rows, y, categorical_feature=[0], params={"verbose": -1})
    lgb.train({"objective": "regression", "min_data_per_group": 5, "cat_smooth": 1, "verbose": -1}, data, 8).save_model(
        path
    )
    return path


def catboost_json(folder: Path) -> Path:
    """CatBoost's JSON, of a classifier."""
    path = folder / "catboost.json"
    cb.CatBoostClassifier(**CATBOOST).fit(TABLE, np.digitize(SCORE, [0, 2])).save_model(path, format="json")
    return path


def catboost_pickled(folder: Path) -> Path:
    """A regressor, pickled, with the form that CatBoost saves otherwise in it."""
    path = folder / "catboost.pkl"
    joblib.dump(cb.CatBoostRegressor(loss_function="Poisson", **CATBOOST).fit(TABLE, np.abs(SCORE)), path)
    return path


CATBOOST = {"iterations": 10, "verbose": 0, "allow_writing_files": False, "random_seed": 0}
MODELS: list[Callable[[Path], Path]] = [classifier, pickled, with_categories, lightgbm_text, lightgbm_categories]
MODELS += [catboost_json, catboost_pickled]
VERSIONS = {"xgboost": xgb.__version__, "lightgbm": lgb.__version__, "catboost": cb.__version__}


def prove(
    platform: Platform, path: Path, *arguments: object, python: object = PYTHON
) -> tuple[dict, subprocess.CompletedProcess]:
    """The certificate, and how the command went."""
    done = platform.cli("prove", path, "--python", python, "--json", *arguments, check=False)
    return json.loads(done.stdout or "{}"), done


@pytest.mark.parametrize("model", MODELS)
def test_what_a_framework_saved_is_proved_against_it(platform: Platform, tmp_path: Path, model: Callable[[Path], Path]):
    """S02, S03: every made row is answered as by the framework, in its versions, under isolation."""
    certificate, done = prove(platform, model(tmp_path))
    assert done.returncode == 0, done.stderr
    assert certificate["verdict"] == "proved"
    assert certificate["rows"]["made"] >= 1_000
    assert certificate["rows"]["refused_asked"] == certificate["rows"]["refused"]
    assert certificate["rows"]["refused_answered"] == 0
    assert certificate["rung"] in (1, 2, 3)
    assert certificate["original"][0]["version"] == VERSIONS[certificate["original"][0]["name"]]
    assert {library["name"] for library in certificate["original"]} >= {"numpy", "Python"}
    for output in certificate["outputs"]:
        assert output["values"] >= certificate["rows"]["made"] - certificate["rows"]["refused"]
        assert (output["beyond"], output["labels_differ"]) == (0, 0)


def test_a_deploy_carries_its_certificate_and_the_same_again_is_unchanged(platform: Platform, tmp_path: Path):
    """S03: in the deploy's card, in describe, as JSON; the same each time; without a proof it says so."""
    path = classifier(tmp_path)
    deploy = ("deploy", path, "--name", "proved", "--engine", "tabular")
    said = platform.cli(*deploy, "--python", PYTHON).stdout
    line = next(line for line in said.splitlines() if line.strip().startswith("proved"))
    assert "against xgboost" in line
    assert "(tolerance 1e-6)" in line
    assert line.strip() in [line.strip() for line in platform.cli("describe", "proved").stdout.splitlines()]
    first = platform.cli_json("describe", "proved")
    assert first["card"]["handler"]["certificate"]["verdict"] == "proved"
    assert "unchanged" in platform.cli(*deploy, "--python", PYTHON).stdout
    platform.cli("deploy", path, "--name", "proved", "--engine", "tabular", "--no-proof", "--set", "concurrency=2")
    without = platform.cli_json("describe", "proved")
    assert without["card"]["handler"]["certificate"]["verdict"] == "not-proved"
    assert "--no-proof" in without["card"]["handler"]["certificate"]["reason"]
    again = platform.cli_json(*deploy, "--python", PYTHON, "--tolerance", "1e-6")
    assert again["certificate"]["tolerance"]["reason"] == "chosen by --tolerance"
    certificate, _ = prove(platform, path, "--engine", "tabular")
    assert {key: certificate[key] for key in first["card"]["handler"]["certificate"]} == first["card"]["handler"]["certificate"]


def test_rows_that_a_user_gives_are_compared_too(platform: Platform, tmp_path: Path):
    """By column name in a CSV, or as a matrix; what does not fit is refused before anything runs."""
    names = [f"column {letter}" for letter in "abcdef"]
    path = tmp_path / "named.ubj"
    xgb.train({"objective": "binary:logistic"}, xgb.DMatrix(TABLE, TWO, feature_names=names), 5).save_model(path)
    sample = tmp_path / "rows.csv"
    lines = [
        ",".join(reversed(names)),
        *(",".join(map(repr, reversed(row))) for row in np.nan_to_num(TABLE[:20]).tolist()),
    ]
    sample.write_text("\n".join(lines) + "\n")
    certificate, done = prove(platform, path, "--sample", sample)
    assert done.returncode == 0, done.stderr
    assert certificate["rows"]["given"] == 20
    assert len(certificate["rows"]["sample_sha256"]) == 64
    np.save(tmp_path / "rows.npy", TABLE[:30].astype(np.float64))
    assert prove(platform, path, "--sample", tmp_path / "rows.npy")[0]["rows"]["given"] == 30
    sample.write_text("x,y\n1,2\n")
    _, done = prove(platform, path, "--sample", sample)
    assert "does not name the columns" in done.stderr


# -- what is not proved ----


def test_without_uv_and_python_a_model_is_deployed_and_says_that_it_is_not_proved(platform: Platform, tmp_path: Path):
    """The reason and what to do, in a line; `--require-proof` refuses; a name alone cannot be proved."""
    path = classifier(tmp_path)
    bare = {key: value for key, value in platform.environment().items() if key not in {"MODELET_UV", "VIRTUAL_ENV"}}
    bare["PATH"] = str(tmp_path / "empty")
    bare["XDG_CACHE_HOME"] = str(tmp_path / "cache")

    def run(*arguments: object) -> subprocess.CompletedProcess:
        command = [platform.binary, *map(str, arguments)]
        return subprocess.run(command, check=False, capture_output=True, text=True, env=bare, timeout=180)

    done = run("deploy", path, "--name", "unproved")
    assert done.returncode == 0, done.stderr
    assert "not proved" in done.stdout
    assert "neither uv nor a Python" in done.stderr
    assert "--python PATH" in done.stderr
    assert "not proved" in platform.cli("describe", "unproved").stdout
    required = run("deploy", path, "--name", "required", "--require-proof")
    assert required.returncode == 1
    assert "conversion-not-proved" in required.stderr
    assert "required" not in platform.functions()
    named = run("prove", "unproved")
    assert "keeps no originals" in named.stderr


def test_the_active_virtual_environment_is_taken_when_its_versions_are_those_of_the_file(platform: Platform, tmp_path: Path):
    """S09: nothing is made or downloaded then."""
    env = platform.environment() | {"VIRTUAL_ENV": sys.prefix, "MODELET_UV": "/no/such/uv"}
    command = [platform.binary, "prove", classifier(tmp_path), "--engine", "tabular", "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=env, timeout=180)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["original"][0]["version"] == xgb.__version__


def test_a_python_of_other_versions_is_named_with_both(platform: Platform, tmp_path: Path):
    """S09: no proof against something else than what wrote the file."""
    fake = fake_python(tmp_path, "", version="1.0.0")
    certificate, done = prove(platform, classifier(tmp_path), python=fake)
    assert done.returncode == 1
    assert certificate["verdict"] == "not-proved"
    assert f"it has xgboost 1.0.0, the file was written by xgboost {xgb.__version__}" in certificate["reason"]


def test_plain_onnx_has_no_certificate(platform: Platform, cases):
    """Nothing was converted."""
    done = platform.cli(
        "deploy", cases["iris-matrix"].folder / cases["iris-matrix"].model, "--name", "plain", "--require-proof"
    )
    assert "proved" not in done.stdout
    assert "certificate" not in platform.cli_json("describe", "plain")["card"]["handler"]
    _, done = prove(platform, cases["iris-matrix"].folder / cases["iris-matrix"].model)
    assert "nothing was converted" in done.stderr


# -- originals that differ, or would rather do something else ----


def fake_python(folder: Path, module: str, version: str = xgb.__version__) -> Path:
    """A virtual environment whose xgboost is ours: the tests' own, and then what `module` does to it."""
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    packages = next((venv / "lib").glob("python*")) / "site-packages"
    real = Path(np.__file__).parents[1]
    (packages / "real.pth").write_text(f"{real}\n")
    (packages / "xgboost").mkdir()
    (packages / "xgboost" / "__init__.py").write_text(module)
    info = packages / f"xgboost-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: xgboost\nVersion: {version}\n")
    return venv / "bin" / "python"


#: Takes the place of the real module, and then changes it.
REAL = """
import importlib, os, sys
here = os.path.dirname(os.path.dirname(__file__))
sys.path.remove(here)
del sys.modules["xgboost"]
real = importlib.import_module("xgboost")
sys.path.insert(0, here)
"""


OTHER_MODEL = """
class Booster(real.Booster):
    def load_model(self, content):
        super().load_model(bytearray(CONTENT))
Booster.__module__ = real.Booster.__module__
real.Booster = Booster
"""


def changed(path: Path, target: Path, change: Callable[[dict], None]) -> Path:
    """A copy of a JSON model with something changed in it."""
    saved = json.loads(path.read_text())
    change(saved["learner"]["gradient_booster"]["model"]["trees"][0])
    target.write_text(json.dumps(saved))
    return target


def other_threshold(tree: dict) -> None:
    """The next float32: the smallest change that there is."""
    tree["split_conditions"][0] = float(np.nextafter(np.float32(tree["split_conditions"][0]), np.float32(np.inf)))


def other_leaf(tree: dict) -> None:
    """A leaf that is a thousandth off."""
    at = tree["left_children"].index(-1)
    tree["split_conditions"][at] = tree["split_conditions"][at] * 1.001


def other_default(tree: dict) -> None:
    """Missing numbers go the other way."""
    tree["default_left"][0] = 1 - tree["default_left"][0]


@pytest.mark.parametrize("change", [other_threshold, other_leaf, other_default])
def test_a_conversion_that_differs_in_one_number_is_caught(
    platform: Platform, tmp_path: Path, change: Callable[[dict], None]
):
    """S04: the original loads a model that is one threshold, leaf or direction apart from the file that is converted."""
    path = tmp_path / "model.json"
    data = xgb.DMatrix(TABLE, SCORE)
    xgb.train({"objective": "reg:squarederror"}, data, 5).save_model(path)
    other = changed(path, tmp_path / "venv-model.json", change)
    python = fake_python(tmp_path, REAL + OTHER_MODEL.replace("CONTENT", repr(other.read_bytes())))
    certificate, done = prove(platform, path, python=python)
    assert certificate["verdict"] == "differs", done.stderr
    assert 0 < len(certificate["worst"]) <= 3
    assert "the original says" in certificate["worst"][0]
    deploy = ("deploy", path, "--name", "differing", "--engine", "tabular", "--python", python)
    refused = platform.cli(*deploy, check=False)
    assert refused.returncode == 1
    for said in ("conversion-differs", "the original says", "--tolerance", "ONNX"):
        assert said in refused.stderr, refused.stderr
    assert "differing" not in platform.functions()
    allowed = platform.cli_json(*deploy, "--tolerance", "1000")
    assert allowed["certificate"]["verdict"] == "proved"
    platform.cli("delete", "differing", "--yes")


REFUSING = """
class Booster(real.Booster):
    def predict(self, data, **how):
        if (data.get_data().toarray() > 1e30).any():
            raise ValueError("too large")
        return super().predict(data, **how)
Booster.__module__ = real.Booster.__module__
real.Booster = Booster
"""


def test_a_row_that_only_the_original_refuses_is_a_difference(platform: Platform, tmp_path: Path):
    """Each is asked of the converted model alone, and must not be answered there; the message has its row and what to do."""
    path = tmp_path / "model.json"
    xgb.train({"objective": "reg:squarederror"}, xgb.DMatrix(TABLE, SCORE), 5).save_model(path)
    python = fake_python(tmp_path, REAL + REFUSING)
    certificate, done = prove(platform, path, python=python)
    assert certificate["verdict"] == "differs", done.stderr
    rows = certificate["rows"]
    assert 0 < rows["refused_answered"] < rows["refused_asked"] == rows["refused"], "infinite ones are refused by both"
    assert "the original refuses with ValueError: too large, for X[0]=" in certificate["worst"][0]
    refused = platform.cli("deploy", path, "--name", "answering", "--python", python, check=False)
    assert refused.returncode == 1
    for said in ("conversion-differs", "answered that the original refuses", "too large", "--no-proof"):
        assert said in refused.stderr, refused.stderr
    assert "answering" not in platform.functions()


#: How long an original may take that would take for ever; one that only has to come so far as its act gets a minute.
SHORT_S, LONG_S = 3, 60
NO_ANSWER = f"did not answer within {SHORT_S} s"
HOSTILE = {
    "hangs": ("import time\nwhile True: time.sleep(1)", NO_ANSWER),
    "burns": ("while True: pass", NO_ANSWER),
    "takes all memory": ("held = []\nwhile True: held.append(b'x' * (16 << 20))", "more than 256 MiB of memory"),
    # Its children only wait: what they would say of their own failures would mingle with what it says.
    "forks": ("import os, time\nwhile True:\n    if os.fork() == 0: time.sleep(600)", "BlockingIOError"),
    "talks for ever": ("import os\nwhile True: os.write(2, b'x' * 65536)", NO_ANSWER),
    "opens a socket": ("import socket\nsocket.create_connection(('127.0.0.1', PORT), 2)", "Error"),
    "reads a secret": ("print(open('SECRET').read())", "No such file"),
    "writes a file": ("open('TARGET', 'w').write('was here')", "Error"),
    "kills": ("import os\nos.kill(PLATFORM, 9)", "Error"),
    "crashes": ("import os\nos.abort()", "(SIG"),
    "looks into the environment": (
        "import os\nassert 'MODELET_SERVER' not in os.environ\nraise SystemExit('clean')",
        "clean",
    ),
    "fills its scratch folder": ("f = open('/tmp/full', 'wb')\nwhile True: f.write(b'x' * (1 << 20))", "Error"),
}


@pytest.mark.parametrize("act", HOSTILE)
def test_a_hostile_original_does_nothing_outside_its_sandbox_and_is_named(platform: Platform, tmp_path: Path, act: str):
    """S61: what runs beside the framework meets a wall, and the reason says which."""
    (tmp_path / "secret").write_text("the host's own")
    code, says = HOSTILE[act]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        code = code.replace("PORT", str(listener.getsockname()[1])).replace("PLATFORM", str(platform.pid))
        code = code.replace("SECRET", str(tmp_path / "secret")).replace("TARGET", str(tmp_path / "written"))
        python = fake_python(tmp_path, code)
        time_s = SHORT_S if says == NO_ANSWER else LONG_S
        # Without control groups pages that processes share are counted once for each of them.
        memory_mib = 8_192 if act == "forks" else 256
        limits = ("--proof-timeout-s", time_s, "--proof-memory-mib", memory_mib)
        certificate, done = prove(platform, classifier(tmp_path), *limits, python=python)
        with pytest.raises(TimeoutError):
            listener.accept()
    assert certificate["verdict"] == "not-proved", done.stdout
    assert says in certificate["reason"], certificate["reason"]
    assert not (tmp_path / "written").exists()
    assert platform.http.get("/v2/health/live").status_code == 200


def test_a_pickle_that_may_run_anything_is_never_loaded(platform: Platform, tmp_path: Path):
    """S61: not for a proof either, whatever it is called."""
    path = tmp_path / "model.pkl"
    path.write_bytes(f"cos\nsystem\n(S'touch {tmp_path}/was-run'\ntR.".encode())
    for command in (["prove", path], ["deploy", path, "--name", "hostile"]):
        done = platform.cli(*command, "--python", PYTHON, check=False)
        assert done.returncode == 1
        assert "system" in done.stderr
    assert not (tmp_path / "was-run").exists()


# -- environments ----


USERS_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def test_an_environment_is_made_once_with_the_versions_of_the_file(platform: Platform, tmp_path: Path):
    """S10: by uv, of pinned packages; two at once make one; the second time nothing is made."""
    path = classifier(tmp_path)
    cache = tmp_path / "cache"
    env = platform.environment() | {"XDG_CACHE_HOME": str(cache)}
    # Of uv's own cache, which has the packages of this very environment: an index that is slow today is not what is tested.
    env |= {"UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR") or str(USERS_CACHE / "uv")}
    env.pop("VIRTUAL_ENV", None)
    command = [platform.binary, "prove", path, "--engine", "tabular", "--json"]
    both = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for one in both:
        out, err = one.communicate(timeout=400)
        assert one.returncode == 0, err
        certificate = json.loads(out)
        assert certificate["original"][0] == {"name": "xgboost", "version": xgb.__version__}
    made = [folder for folder in (cache / "modelet" / "proofs").iterdir() if not folder.name.startswith(".")]
    assert len(made) == 1
    third = subprocess.run(
        command, env=env | {"MODELET_UV": "/no/such/uv"}, capture_output=True, text=True, check=False, timeout=180
    )
    assert third.returncode == 0, third.stderr
    assert "making an environment" not in third.stderr
