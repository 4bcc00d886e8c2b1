"""What comes after a classifier: softmax or sigmoid, names of classes, the best of them, as the pipelines of transformers answer."""

from __future__ import annotations

import base64
import io
import json
import shutil

import numpy as np
import onnx
import pytest
import tritonclient.http as triton
from harness import Function, Platform
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from recipes import pictures, sentences
from tokenizers import Tokenizer

NAMES = ["red", "green", "blue"]
TEXTS = ["what a lovely day", "the worst film I have ever seen", "", "北京"]
CSV = {"accept": "text/csv"}
#: How well scores agree whose numbers a float32 network added up.
SUMMED = 1e-4


def softmax(logits: np.ndarray) -> np.ndarray:
    """As the pipelines, in float64."""
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Of each number by itself."""
    return 1 / (1 + np.exp(-logits))


def listed(names: list[str], scores: np.ndarray, top: int) -> list[dict]:
    """The best of one row."""
    return [{"label": names[at], "score": scores[at]} for at in np.argsort(-scores, kind="stable")[:top]]


def check(found: list[dict], expected: list[dict], tolerance: float = 1e-6) -> None:
    """Labels equal, scores to the last digits of float32."""
    assert [one["label"] for one in found] == [one["label"] for one in expected]
    np.testing.assert_allclose([one["score"] for one in found], [one["score"] for one in expected], rtol=tolerance)


def png(colour: tuple[int, int, int]) -> bytes:
    """A picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (80, 60), colour).save(file, "PNG")
    return file.getvalue()


def logits(colour: tuple[int, int, int]) -> np.ndarray:
    """What the classifier says of it: its colours, normalised in float32."""
    said = pictures.PROCESSORS["clip"]
    mean, std = np.float32(said["image_mean"]), np.float32(said["image_std"])
    return ((np.float32(np.array(colour) * (1 / 255)) - mean) / std).astype(np.float64)


@pytest.fixture(scope="module")
def colours(platform: Platform, tmp_path_factory) -> Function:
    """A folder with an image classifier, deployed as it is."""
    return platform.deploy(pictures.colours(tmp_path_factory.mktemp("hub") / "colours"), "colours")


def test_a_classifier_of_pictures_answers_labels_with_scores(colours, triton_client):
    """At /fn a list of labels, the best first; as CSV, npy and KServe V2 the scores of all classes in their order."""
    colour, other = (200, 40, 120), (10, 30, 220)
    expected = softmax(logits(colour))
    answer = colours.post(content=png(colour), headers={"content-type": "image/png"})
    assert list(answer.json()) == ["outputs"]
    check(answer.json()["outputs"]["scores"][0], listed(NAMES, expected, 5))
    texts = [base64.b64encode(png(each)).decode() for each in (colour, other)]
    first, second = colours.post({"instances": texts}).json()["predictions"]
    check(first, listed(NAMES, expected, 5))
    check(second, listed(NAMES, softmax(logits(other)), 5))
    assert second[0]["label"] == "blue"
    table = colours.post({"inputs": texts}, headers=CSV).text.splitlines()
    assert table[0] == "scores.red,scores.green,scores.blue"
    np.testing.assert_allclose([float(cell) for cell in table[1].split(",")], expected, rtol=1e-5)
    tensor = triton.InferInput("image", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([png(colour)], dtype=object))
    np.testing.assert_allclose(triton_client.infer("colours", [tensor]).as_numpy("scores"), [expected], rtol=1e-5)
    shown = colours.platform.cli("describe", "colours").stdout
    assert "softmax of logits for 3 classes, the best 5 listed" in shown


def test_the_folder_and_the_manifest_say_how(platform, tmp_path):
    """Several labels at once, thresholds, fewer, other names, and the model's own numbers."""
    colour = (200, 40, 120)
    picture = {"content": png(colour), "headers": {"content-type": "image/png"}}

    def answered(name: str, manifest: str = "", **config: object) -> dict:
        folder = pictures.colours(tmp_path / name, **config)
        (folder / "modelet.toml").write_text(manifest)
        return platform.deploy(folder, name).post(**picture).json()["outputs"]

    several = answered("several", problem_type="multi_label_classification")["scores"][0]
    check(several, listed(NAMES, sigmoid(logits(colour)), 3))
    some = answered("some", "[labels]\nthreshold = 0.5\n", problem_type="multi_label_classification")["scores"][0]
    assert [one["label"] for one in some] == ["red", "blue"]
    best = answered("best", "[labels]\ntop = 1\nnames = ['R', 'G', 'B']\nscores = 'none'\n")["scores"][0]
    check(best, [{"label": "R", "score": logits(colour)[0]}])
    own = answered("own", "[labels]\noff = true\n")
    np.testing.assert_array_equal(np.float32(own["logits"]), [np.float32(logits(colour))])


def test_a_classifier_of_texts_answers_its_best_label(platform, tmp_path):
    """tokenizer.json, config.json and a model of tokens: one label a text, as the pipeline; all of them where asked."""
    tokenizer = Tokenizer.from_file(str(sentences.folder() / "tokenizer.json"))
    weights = np.random.default_rng(1).normal(0, 1, (tokenizer.get_vocab_size(), 2)).astype(np.float32)
    given = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])
    mask = helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["batch", "length"])
    answer = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])
    nodes = [
        helper.make_node("Gather", ["weights", "input_ids"], ["vectors"]),
        helper.make_node("Cast", ["attention_mask"], ["kept"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["kept", "last"], ["column"]),
        helper.make_node("Mul", ["vectors", "column"], ["own"]),
        helper.make_node("ReduceSum", ["own", "middle"], ["logits"], keepdims=0),
    ]
    constants = [numpy_helper.from_array(weights, "weights")]
    constants += [numpy_helper.from_array(np.array([axis]), name) for axis, name in ((2, "last"), (1, "middle"))]
    graph = helper.make_graph(nodes, "moods", [given, mask], [answer], constants)
    folder = tmp_path / "moods"
    folder.mkdir()
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "model.onnx")
    shutil.copyfile(sentences.folder() / "tokenizer.json", folder / "tokenizer.json")
    config = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "NEGATIVE", "1": "POSITIVE"}}
    (folder / "config.json").write_text(json.dumps(config))

    tokenizer.no_padding()
    ids = [tokenizer.encode(text).ids for text in TEXTS]
    scores = [softmax(weights[each].astype(np.float64).sum(0)) for each in ids]
    moods = platform.deploy(folder, "moods")
    for found, expected in zip(moods.post({"instances": TEXTS}).json()["predictions"], scores, strict=True):
        check(found, listed(["NEGATIVE", "POSITIVE"], expected, 1), SUMMED)
    (folder / "modelet.toml").write_text("[labels]\ntop = 2\n")
    both = platform.deploy(folder, "moods").post({"inputs": TEXTS[:1]}).json()["outputs"]["scores"][0]
    check(both, listed(["NEGATIVE", "POSITIVE"], scores[0], 2), SUMMED)


def test_the_directions_of_rapidocr_have_names(platform, tmp_path):
    """A real classifier whose folder says nothing: the manifest gives names; its numbers are scores already."""
    folder = pictures.directions(tmp_path / "named")
    manifest = (folder / "modelet.toml").read_text()
    (folder / "modelet.toml").write_text(manifest + "[labels]\nnames = ['upright', 'upside down']\nscores = 'none'\n")
    function = platform.deploy(folder, "named")
    found = function.post(content=png((255, 255, 255)), headers={"content-type": "image/png"}).json()["outputs"]["scores"][0]
    assert {one["label"] for one in found} == {"upright", "upside down"}
    np.testing.assert_allclose(sum(one["score"] for one in found), 1, rtol=1e-5)


def test_labels_that_do_not_fit_are_refused_at_deploy(platform, tmp_path):
    """More names than numbers, no names, no such output, a kind of problem that is not known."""

    def said(name: str, manifest: str, **config: object) -> str:
        folder = pictures.colours(tmp_path / name, **config)
        (folder / "modelet.toml").write_text(manifest)
        return platform.refused(folder)

    assert "there are 4 names" in said("four", "[labels]\nnames = ['a', 'b', 'c', 'd']\n")
    assert "needs names" in said("none", "[labels]\n", id2label={"LABEL": "a"})
    assert "the model has no output other, only logits" in said("other", "[labels]\noutput = 'other'\n")
    assert "needs scores" in said("kind", "", problem_type="object_detection")
