"""Networks as frameworks save them: converted, proved, and answered as the framework answers; or refused with words."""

from __future__ import annotations

import shutil
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import Models
from harness import Platform

#: The tolerance of the proof.
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
#: From the request at zero instances to the answer, seconds: a hundred times what SPECIFICATION.md has and more, since the build
#: under test may be a slow one, on a slow and busy machine.
COLD_S = 10
KERAS = ["plans.keras", "plans.h5", "pictures.keras", "pictures.h5", "words.keras", "words.h5"]
TORCH = [
    ("mlp.pt", "mlp", ["--input", "float32[any,7]"]),
    ("series.pt", "series", ["--input", "float32[any,6,3]"]),
    ("cnn.pt2", "cnn", []),
    ("one.pt2", "one", []),
    ("words.pt2", "words", []),
]
DATATYPES = {"float32": "FP32", "int32": "INT32", "int64": "INT64"}


def infer(platform: Platform, name: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """One call, by the Open Inference Protocol."""
    listed = [
        {"name": key, "shape": rows.shape, "datatype": DATATYPES[rows.dtype.name], "data": rows.ravel().tolist()}
        for key, rows in inputs.items()
    ]
    response = platform.http.post(f"/v2/models/{name}/infer", json={"inputs": listed})
    assert response.status_code == 200, response.text
    return {one["name"]: np.array(one["data"]).reshape(one["shape"]) for one in response.json()["outputs"]}


def check(platform: Platform, path: Path, case: tuple[dict, dict], *options: object) -> dict:
    """Deploys with a proof, calls from zero with rows that the model never saw, and compares."""
    name = path.name.replace(".", "-")
    card = platform.cli_json("deploy", path, "--name", name, "--require-proof", *options)
    assert card["certificate"]["verdict"] == "proved"
    inputs, wanted = case
    began = time.monotonic()
    first = infer(platform, name, {key: rows[:1] for key, rows in inputs.items()})
    cold_s = time.monotonic() - began
    apart = max(one["largest_absolute"] for one in card["certificate"]["outputs"])
    print(f"{path.name}: {card['engine']}, largest difference {apart:.0e}, cold {1e3 * cold_s:.0f} ms")
    assert cold_s < COLD_S
    found = infer(platform, name, inputs)
    assert found.keys() == wanted.keys()
    for key, answers in wanted.items():
        np.testing.assert_allclose(found[key], answers, **CLOSE)
        np.testing.assert_allclose(first[key], answers[:1], **CLOSE)
    return card


def refused(platform: Platform, path: Path, *options: object) -> str:
    """What a deploy says that makes nothing."""
    before = platform.functions()
    done = platform.cli("deploy", path, "--name", "refused", *options, check=False)
    assert done.returncode != 0, done.stdout
    assert platform.functions() == before and not done.stdout
    return done.stderr


@pytest.mark.parametrize("file", KERAS)
def test_keras_answers_as_keras(platform: Platform, tensorflow: Models, file: str) -> None:
    """In an environment that uv makes of the version in the file."""
    name = file.partition(".")[0]
    card = check(platform, tensorflow.folder / file, tensorflow.case(name))
    said = {one["name"]: one["version"] for one in card["certificate"]["original"]}
    assert said["keras"] == "3.15.1"
    assert "tf2onnx" in [one["name"] for one in card["certificate"]["imported"]]


def test_a_saved_model_answers_as_tensorflow_also_out_of_an_archive(
    platform: Platform, tensorflow: Models, tmp_path: Path
) -> None:
    """The folder, and the same as a zip: the same function."""
    check(platform, tensorflow.folder / "saved", tensorflow.case("saved"))
    archive = shutil.make_archive(str(tmp_path / "saved"), "zip", tensorflow.folder / "saved")
    assert not platform.cli_json("deploy", archive, "--name", "saved")["created"], "the same model, the same artifact"


@pytest.mark.parametrize(
    ("flavor", "file", "own", "options"),
    [
        ("keras: {data: data, keras_backend: tensorflow}", "plans.keras", "data/model.keras", []),
        ("pytorch: {model_data: data}", "mlp.pt", "data/model.pth", ["--input", "float32[any,7]"]),
    ],
)
def test_a_folder_of_mlflows_is_its_network(
    platform: Platform, request: pytest.FixtureRequest, tmp_path: Path, flavor: str, file: str, own: str, options: list[str]
) -> None:
    """As MLflow lays it out."""
    models = request.getfixturevalue("torch" if "torch" in flavor else "tensorflow")
    folder = tmp_path / "logged"
    (folder / own).parent.mkdir(parents=True)
    shutil.copy(models.folder / file, folder / own)
    (folder / "MLmodel").write_text(f"flavors:\n  python_function: {{}}\n  {flavor}\n")
    python = ["--python", models.python] if "torch" in flavor else []
    check(platform, folder, models.case(file.partition(".")[0]), *python, *options)


def test_a_network_for_so_many_rows_is_proved_with_many_times_those(platform: Platform, tensorflow: Models) -> None:
    """It is asked batch by batch."""
    path = tensorflow.folder / "two_rows.keras"
    card = platform.cli_json("deploy", path, "--name", "two-rows", "--require-proof")
    assert card["certificate"]["rows"]["made"] == 1_000
    inputs, wanted = tensorflow.case("two_rows")
    found = infer(platform, "two-rows", {key: rows[:2] for key, rows in inputs.items()})
    np.testing.assert_allclose(found["both"], wanted["both"][:2], **CLOSE)


@pytest.mark.parametrize(("file", "case", "options"), TORCH)
def test_pytorch_answers_as_pytorch(
    platform: Platform, torch: Models, file: str, case: str, options: list[str]
) -> None:
    """In the user's own environment."""
    card = check(platform, torch.folder / file, torch.case(case), "--python", torch.python, *options)
    assert card["certificate"]["original"][0]["name"] == "torch"


def sizes(card: dict) -> dict[int, int]:
    """Of the first input with a free size behind the rows: how many rows were compared, by that size where all are alike."""
    found = {}
    for one in card["certificate"]["sizes"]:
        lengths = {int(shape.split(", ")[1].rstrip("]")) for shape in one["inputs"].split("[")[1:]}
        if len(lengths) == 1:
            found[lengths.pop()] = one["compared"]
    return found


def test_free_sizes_are_proved_at_several(platform: Platform, tensorflow: Models) -> None:
    """Those that the original refuses, since two inputs have to agree, stand in the certificate as such."""
    card = check(platform, tensorflow.folder / "lengths.keras", tensorflow.case("lengths"))
    assert set(sizes(card)) >= {1, 2, 3, 17, 33} and all(sizes(card).values())
    said = {one["inputs"]: one["compared"] for one in card["certificate"]["sizes"]}
    assert said["mask [any, 2, 1], series [any, 3, 3]"] == 0, said
    assert said["mask [any, 1, 1], series [any, 33, 3]"] > 0 or said["mask [any, 33, 1], series [any, 1, 3]"] > 0


def test_what_depends_on_a_size_is_proved_on_both_sides_of_it(platform: Platform, torch: Models) -> None:
    """Both ways are in the file."""
    options = ("--require-proof", "--python", torch.python)
    path = torch.folder / "branches.pt"
    card = platform.cli_json("deploy", path, "--name", "branches", *options, "--input", "float32[any,any,3]")
    assert {1, 3, 17, 33} <= {size for size, rows in sizes(card).items() if rows}
    for length, times in ((9, 1), (33, 2)):
        series = np.random.default_rng(1).normal(size=(2, length, 3)).astype("f4")
        (answer,) = infer(platform, "branches", {"series": series}).values()
        np.testing.assert_allclose(answer, times * series.sum(1), **CLOSE)


def test_sizes_that_a_program_does_not_take_are_refused(platform: Platform, torch: Models) -> None:
    """It was exported for lengths from 4 to 20, and up to 16 rows; what it was converted to would take more."""
    options = ("--require-proof", "--python", torch.python)
    card = platform.cli_json("deploy", torch.folder / "short.pt2", "--name", "short", *options)
    assert {4, 17, 20} <= {size for size, rows in sizes(card).items() if rows} <= set(range(4, 21))
    for rows, length, status in ((1, 4, 200), (16, 20, 200), (1, 3, 400), (1, 21, 400), (17, 8, 400)):
        answer = platform.http.post("/fn/short", json={"series": np.zeros((rows, length, 3)).tolist()})
        assert answer.status_code == status, (rows, length, answer.text)
        assert status == 200 or "4 <= size_1 <= 20" in answer.text


@pytest.mark.parametrize(
    ("file", "dtype", "options"),
    [("computed.pt", "i8", ["--input", "int64[any,any]"] * 2), ("computed.pt2", "i8", []), ("computed", "i4", [])],
)
def test_places_that_a_network_computes_are_refused_below_zero(
    platform: Platform, request: pytest.FixtureRequest, file: str, dtype: str, options: list[str]
) -> None:
    """As PyTorch and TensorFlow refuse them; ONNX would count them from the end."""
    models = request.getfixturevalue("torch" if ".pt" in file else "tensorflow")
    python = ["--python", models.python] if ".pt" in file else []
    name = file.replace(".", "-") + "-places"
    card = platform.cli_json("deploy", models.folder / file, "--name", name, "--require-proof", *python, *options)
    assert card["certificate"]["rows"]["refused"] > 0
    wanted = {key: np.array([[value, 0]], dtype) for key, value in (("a", 3), ("b", 1))}
    infer(platform, name, wanted)
    for a, b in ((1, 2), (4, 9), (5, 0)):
        answer = platform.http.post(f"/fn/{name}", json={"a": [[a, 1]], "b": [[b, 0]]})
        assert answer.status_code == 500 and "prediction-failed" in answer.text, (a, b, answer.text)


@pytest.mark.parametrize(("file", "options"), [("from_the_end.pt", ["--input", "int64[any,any]"] * 2), ("from_the_end.pt2", [])])
def test_places_that_pytorch_counts_from_the_end_are_answered_so(
    platform: Platform, torch: Models, file: str, options: list[str]
) -> None:
    """`table[places]` takes them."""
    name = file.replace(".", "-").replace("_", "-")
    python = ("--python", torch.python)
    platform.cli_json("deploy", torch.folder / file, "--name", name, "--require-proof", *python, *options)
    below, above = ({"a": np.array([[one, 0]]), "b": np.array([[0, 0]])} for one in (-1, 4))
    for found, wanted in zip(infer(platform, name, below).values(), infer(platform, name, above).values(), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_table_within_a_model_refuses_what_is_not_in_it(platform: Platform, tensorflow: Models) -> None:
    """Keras counts from the end itself, and refuses what is further away."""
    # Each of the hundreds of rows that Keras refuses is asked alone.
    patience = ("--proof-timeout-s", 600)
    card = check(platform, tensorflow.folder / "shared.keras", tensorflow.case("shared"), *patience)
    assert card["certificate"]["rows"]["refused"] > 0
    ask = lambda place: platform.http.post("/fn/shared-keras", json={"one": [[place] * 4], "other": [[0] * 4]})  # noqa: E731
    assert ask(-1).json() == ask(5).json()
    for place in (-7, -8, 6):
        assert ask(place).status_code == 500, ask(place).text


def test_classes_below_zero_are_zeros_to_tensorflow_and_refused_by_pytorch(
    platform: Platform, tensorflow: Models, torch: Models
) -> None:
    """To ONNX they are counted from the end."""
    platform.cli_json("deploy", tensorflow.folder / "hot", "--name", "hot", "--require-proof")
    found = infer(platform, "hot", {"classes": np.array([[-1, 3]], "i4")})["hot"]
    np.testing.assert_array_equal(found, [[[0, 0, 0, 0], [0, 0, 0, 1]]])
    for file, options in (("hot.pt", ["--input", "int64[any,4]"]), ("hot.pt2", [])):
        said = refused(platform, torch.folder / file, "--python", torch.python, *options)
        assert "one_hot refuses classes that it does not have" in said, said


def test_what_is_not_in_the_table_is_refused_and_so_is_what_is_no_number(platform: Platform, torch: Models) -> None:
    """PyTorch refuses such tokens; ONNX would count from the end."""
    options = ("--no-proof", "--python", torch.python)
    platform.cli("deploy", torch.folder / "words.pt2", "--name", "tokens", *options)
    for token in (-1, 50):
        answer = platform.http.post("/fn/tokens", json=[[token] * 10])
        assert answer.status_code == 400 and "numbers from 0 to 49" in answer.text, answer.text
    assert platform.http.post("/fn/tokens", json=[[49] * 10]).status_code == 200
    platform.cli("deploy", torch.folder / "mlp.pt", "--name", "mlp", *options, "--input", "float32[any,7]")
    answer = platform.http.post("/fn/mlp", json=[[None, 1, 1, 1, 1, 1, 1]])
    assert answer.status_code == 400 and "got NaN in row 0" in answer.text, answer.text


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("lambda.keras", 'the Lambda layer "twice"'),
        ("lambda.h5", 'the Lambda layer "twice"'),
        ("own.keras", 'mine>Twice "own"'),
        ("only.weights.h5", "weights alone make no model"),
        ("unknown", "the converter does not know the operator Betainc"),
    ],
)
def test_keras_and_tensorflow_refused_with_words(platform: Platform, tensorflow: Models, file: str, words: str) -> None:
    """What is code, what is no model, and what ONNX cannot say."""
    assert words in refused(platform, tensorflow.folder / file)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("state.pt", "is a state_dict: weights without the model"),
        ("checkpoint.pt", "wrote of a dict"),
        ("whole.pt", "is a pickled torch.nn.modules.container.Sequential"),
        ("legacy.pt", "from before 1.6"),
    ],
)
def test_weights_and_pickles_of_pytorch_are_refused_with_what_to_save(
    platform: Platform, torch: Models, file: str, words: str
) -> None:
    """They are never loaded."""
    said = refused(platform, torch.folder / file)
    assert words in said and "torch.export.save(" in said and "torch.jit.trace(" in said


def test_torchscript_says_no_shapes_and_not_every_operator_is_known(platform: Platform, torch: Models) -> None:
    """What to give is said; the operator is named."""
    python = ("--python", torch.python)
    assert "--input 'float32[any,30]'" in refused(platform, torch.folder / "traced.pt", *python)
    wrong = refused(platform, torch.folder / "traced.pt", *python, "--input", "float32[any,8]")
    assert "cannot be converted" in wrong
    named = refused(platform, torch.folder / "named.pt", *python, "--input", "float32[any,3]")
    assert "prim::DictConstruct" in named
    assert "leave --input out" in refused(platform, torch.folder / "cnn.pt2", *python, "--input", "float32[any,8]")


def test_damage_is_refused(platform: Platform, tensorflow: Models, torch: Models, tmp_path: Path) -> None:
    """Half a file, and one whose description is none."""
    for path in (tensorflow.folder / "plans.h5", torch.folder / "mlp.pt"):
        half = tmp_path / path.name
        half.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert "error: " in refused(platform, half)
    with zipfile.ZipFile(tmp_path / "no.keras", "w") as archive:
        for name in ("config.json", "metadata.json", "model.weights.h5"):
            archive.writestr(name, "no")
    assert "config.json is damaged" in refused(platform, tmp_path / "no.keras")


def test_a_python_without_the_framework_or_its_converter_is_refused(
    platform: Platform, tensorflow: Models, torch: Models
) -> None:
    """It is said what it lacks."""
    said = refused(platform, torch.folder / "cnn.pt2", "--python", tensorflow.python)
    assert "it has no torch" in said
    said = refused(platform, tensorflow.folder / "plans.keras", "--python", tensorflow.python)
    assert "tf2onnx" in said
