#!/usr/bin/env python3
"""Makes the model cases that the tests use, with the answers of Python's onnxruntime as reference.

    .venv-tests/bin/python python/tests/models.py [FOLDER] [--only NAME ...] [--list]

FOLDER is `$MODELET_TEST_MODELS`, else `.cache/models`. A case is made again only when its recipe or a pinned version
changed. As a library: `cases(folder)` makes what is missing and returns them all.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import inspect
import os
import shutil
import sys
import time
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import casefile  # noqa: E402
import numpy as np  # noqa: E402
from casefile import Arrays, Call, Case  # noqa: E402

ORIGINS = ["trained", "carried", "handmade", "broken"]
COMMON = ["models.py", "casefile.py", "requirements.txt", "requirements-models.txt"]
#: Loading one of these must fail: no reference answers.
BROKEN = "broken"


def names(*origins: str) -> list[str]:
    """The names of the cases of these origins (all, when none is given); nothing is made or imported for it."""
    return [name for origin in origins or ORIGINS for name in _names(origin)]


def default_folder() -> Path:
    """Where the cases lie unless one says otherwise."""
    return Path(os.environ.get("MODELET_TEST_MODELS") or HERE.parents[1] / ".cache" / "models")


def cases(folder: Path | None = None, only: list[str] | None = None, say=lambda _: None) -> list[Case]:
    """Every case, those that are missing or out of date made first."""
    folder = folder or default_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for origin in ORIGINS:
        stamp = _stamp(origin)
        for name in _names(origin):
            if only and name not in only:
                continue
            if _is_fresh(folder / name, stamp):
                say(f"{name:26} up to date")
                continue
            _make(origin, name, folder, stamp, say)
    known = set(names())
    return [case for case in casefile.load_all(folder) if case.name in known]


def _make(origin: str, name: str, folder: Path, stamp: str, say) -> None:
    """Makes one case beside its place and moves it there when it is whole."""
    begin = time.monotonic()
    work = folder / f".{name}.making"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    recipe = importlib.import_module(f"recipes.{origin}").RECIPES[name]
    case = Case(name, inspect.getdoc(recipe) or "", work)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = recipe(case)
        if origin == BROKEN:
            case.refused_with = made
        else:
            _answer(case, made)
    except Exception as error:
        raise SystemExit(
            f"models: {name} could not be made: {type(error).__name__}: {error}\n"
            f"next: run python/tests/setup.sh, then this again with --only {name}"
        ) from error
    casefile.save(case)
    (work / "stamp").write_text(stamp)
    shutil.rmtree(folder / name, ignore_errors=True)
    work.rename(folder / name)
    size = sum(path.stat().st_size for path in (folder / name).iterdir())
    say(f"{name:26} made in {time.monotonic() - begin:4.1f} s, {size / 1e6:.2f} MB")


def _answer(case: Case, calls: dict[str, Arrays]) -> None:
    """Runs the calls through the reference."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(_loadable(case), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    for call, inputs in calls.items():
        outputs = {}
        for name, value in zip(names, session.run(None, inputs), strict=True):
            if isinstance(value, list):
                case.classes[name] = list(value[0]) if value else case.classes.get(name, [])
                value = _matrix(value, case.classes[name])
            outputs[name] = np.asarray(value)
        case.calls.append(Call(call, inputs, outputs))


def _matrix(maps: list[dict], classes: list) -> np.ndarray:
    """A list of maps, one a row, as a matrix with one column a class."""
    return np.array([[row[key] for key in classes] for row in maps], dtype=np.float32).reshape(-1, len(classes))


def _loadable(case: Case) -> str | bytes:
    """The model's path; or its content, changed to load where the locale en_US.UTF-8 is missing, as on plain Debian."""
    import onnx

    path = case.folder / case.model
    model = onnx.load(path, load_external_data=False)
    nodes = [node for node in model.graph.node if node.op_type == "StringNormalizer"]
    for node in nodes:
        kept = [attribute for attribute in node.attribute if attribute.name != "locale"]
        del node.attribute[:]
        node.attribute.extend([*kept, onnx.helper.make_attribute("locale", "C.UTF-8")])
    return model.SerializeToString() if nodes else str(path)


def _names(origin: str) -> list[str]:
    """The names in a recipe module's table, read without importing what the module needs."""
    source = (HERE / "recipes" / f"{origin}.py").read_text()
    table = source.split("RECIPES = {", 1)[1]
    return [line.split('"')[1] for line in table.splitlines() if '"' in line]


def _stamp(origin: str) -> str:
    digest = hashlib.sha256()
    paths = [HERE / name for name in COMMON] + [HERE / "recipes" / f"{origin}.py"]
    if origin == BROKEN:
        paths.append(HERE / "recipes" / "handmade.py")
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _is_fresh(folder: Path, stamp: str) -> bool:
    path = folder / "stamp"
    return path.exists() and path.read_text() == stamp


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=default_folder())
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="print each case's calls and shapes")
    arguments = parser.parse_args()
    made = cases(arguments.folder, arguments.only, lambda line: print(f"models: {line}", file=sys.stderr, flush=True))
    print(f"models: {len(made)} cases in {arguments.folder}", file=sys.stderr)
    if arguments.list:
        for case in made:
            print(f"{case.name}: {case.about}")
            for call in case.calls:
                shapes = [f"{k} {v.dtype}{list(v.shape)}" for k, v in call.inputs.items()]
                print(f"   {call.name}: {', '.join(shapes)} -> ", end="")
                print(", ".join(f"{k} {v.dtype}{list(v.shape)}" for k, v in call.outputs.items()))


if __name__ == "__main__":
    main()
