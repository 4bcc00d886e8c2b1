"""What a user may point at besides a model file: archives of one, and folders that MLflow wrote."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import wire
import xgboost

#: As MLflow 3.17.2 writes it.
MLMODEL = """\
flavors:
  python_function:
    data: model.ubj
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.xgboost
    python_version: 3.11.7
  xgboost:
    code: null
    data: model.ubj
    model_class: xgboost.sklearn.XGBClassifier
    model_format: ubj
    xgb_version: 3.2.0
mlflow_version: 3.17.2
model_size_bytes: 3249
model_uuid: b15241600e9f48d597b591e5bb9ac030
signature:
  inputs: '[{"type": "double", "name": "age", "required": true}, {"type": "double",
    "name": "income", "required": true}, {"type": "double", "name": "visits", "required":
    true}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]'
utc_time_created: '2026-11-25 13:55:54.026022'
"""


def archived(folder: Path, target: Path, *, inner: str = "") -> Path:
    """An archive of a folder's files, below a folder of this name in it where one is given."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [str(Path(inner) / path.relative_to(folder)) for path in files]
    if target.suffix == ".zip":
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, name in zip(files, names, strict=True):
                archive.write(path, name)
    else:
        with tarfile.open(target, "w:gz" if target.suffix in (".gz", ".tgz") else "w") as archive:
            for path, name in zip(files, names, strict=True):
                archive.add(path, name)
    return target


@pytest.fixture
def iris_folder(cases, tmp_path) -> Path:
    """A model with a manifest that says its columns."""
    folder = tmp_path / "iris"
    folder.mkdir()
    for name in ("model.onnx", "modelet.toml"):
        shutil.copyfile(cases["iris-matrix"].folder / name, folder / name)
    return folder


@pytest.mark.parametrize(
    ("name", "inner"), [("churn.tar.gz", ""), ("churn.tgz", "some/where"), ("churn.tar", "m"), ("churn.zip", "m")]
)
def test_an_archive_is_deployed_as_its_folder(platform, cases, iris_folder, tmp_path, name, inner):
    """As SageMaker has `model.tar.gz`: manifest and all; the function is named as the archive is."""
    archive = archived(iris_folder, tmp_path / name, inner=inner)
    card = platform.cli_json("deploy", archive)
    assert card["name"] == "churn"
    call = cases["iris-matrix"].call("one")
    answer = platform.http.post("/fn/churn", json=wire.records(call.inputs, ["a", "b", "c", "d"])[0])
    assert answer.status_code in (200, 400), answer.text
    body = wire.by_name(call.inputs)
    assert platform.http.post("/fn/churn", json=body).json()["outputs"]["label"] == call.outputs["label"].tolist()
    again = platform.cli_json("deploy", iris_folder, "--name", "churn")
    assert not again["created"], "the same files in any wrapping are the same source"


def test_archives_that_are_none_or_harmful_are_refused_and_named(platform, tmp_path, iris_folder):
    """Links, paths that lead elsewhere, damage: nothing is written outside, and the message says what it was."""
    link = tmp_path / "link.tar.gz"
    with tarfile.open(link, "w:gz") as archive:
        entry = tarfile.TarInfo("model.onnx")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)
    assert '"model.onnx" in it is no plain file' in platform.refused(link)
    outside = tmp_path / "outside.zip"
    with zipfile.ZipFile(outside, "w") as archive:
        archive.writestr("../../escaped.onnx", b"x")
    assert "leads elsewhere" in platform.refused(outside)
    whole = archived(iris_folder, tmp_path / "whole.tar.gz").read_bytes()
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    assert "cut.tar.gz cannot be unpacked" in platform.refused(cut)
    empty = tmp_path / "empty.zip"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("notes.txt", b"no model here")
    assert f"{empty} has no model file" in platform.refused(empty)


def test_a_folder_of_mlflow_is_deployed_by_its_best_flavor(platform, tmp_path):
    """Its columns are known by name; the folder, and an archive of it, as SageMaker is given one."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(200, 3))
    model = xgboost.XGBClassifier(n_estimators=5, max_depth=3).fit(rows, rows[:, 0] > 0)
    folder = tmp_path / "mlflow-churn"
    folder.mkdir()
    model.save_model(folder / "model.ubj")
    (folder / "MLmodel").write_text(MLMODEL)
    (folder / "conda.yaml").write_text("name: mlflow-env\n")
    function = platform.deploy(folder, "mlflow-churn")
    names = ["age", "income", "visits"]
    records = [dict(zip(reversed(names), reversed(row.tolist()), strict=True)) for row in rows[:20]]
    answer = function.post(records).json()["outputs"]
    assert answer["label"] == model.predict(rows[:20]).tolist()
    np.testing.assert_allclose(answer["probabilities"], model.predict_proba(rows[:20]), rtol=0, atol=4e-7)
    assert function.status()["card"]["handler"]["signature"]["inputs"][0]["columns"] == names
    archive = archived(folder, tmp_path / "model.tar.gz")
    assert not platform.cli_json("deploy", archive, "--name", "mlflow-churn", "--no-proof")["created"]
    (folder / "MLmodel").write_text("flavors:\n  spark: {model_data: sparkml}\n")
    assert "has the flavors spark" in platform.refused(folder)
