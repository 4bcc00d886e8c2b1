"""Text posted as text: tokenizer, padding, pooling and normalising are the folder's own, and the answers those of the original."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tritonclient.http as triton
import wire
from harness import Function, Platform
from recipes import sentences
from tokenizers import Tokenizer

#: Of every length and script; the last ones are longer than the model takes.
TEXTS = [
    "The cat sits outside",
    "A man is playing guitar",
    "",
    "  \t ",
    "Ünïcödé — naïve café, 北京 и Москва 🎉",
    "[CLS] [MASK] are words to a reader, and tokens to a tokenizer [SEP]",
    "a" * 300,
    "long " * 700,
    "the quick brown fox jumps over the lazy dog. " * 60,
]
#: What the model takes: sentence_bert_config.json of the package.
MAX_TOKENS = 256


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Path:
    """A folder as the hub has it: the files of sentence-transformers, the model below `onnx`."""
    folder = tmp_path_factory.mktemp("hub") / "all-MiniLM-L6-v2"
    shutil.copytree(sentences.folder(), folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "onnx").mkdir()
    sentences.export(folder / "onnx" / "model.onnx")
    return folder


@pytest.fixture(scope="module")
def minilm(platform: Platform, hub: Path) -> Function:
    """The folder, deployed as it is."""
    return platform.deploy(hub, "minilm")


@pytest.fixture(scope="module")
def original() -> np.ndarray:
    """One vector for each text, each computed alone: tokens by the tokenizer, the network in float64, mean, length one."""
    tokenizer = Tokenizer.from_file(str(sentences.folder() / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    weights = sentences.weights()

    def embedding(text: str) -> np.ndarray:
        ids = np.array([tokenizer.encode(text).ids])
        mean = sentences.last_hidden_state(weights, ids, np.ones_like(ids))[0].mean(0)
        return mean / np.linalg.norm(mean)

    return np.stack([embedding(text) for text in TEXTS])


def embeddings(function: Function, texts: list[str]) -> np.ndarray:
    """The platform's answer to some texts in one call."""
    answer = function.post({"text": texts}, headers={"accept": "application/x-npy"})
    assert answer.status_code == 200, answer.text
    return wire.read_npy(answer.content)


def test_texts_are_answered_as_the_original_answers_them(minilm, original):
    """All in one call, which must be filled up to the longest, and each alone."""
    together = embeddings(minilm, TEXTS)
    assert together.shape == (len(TEXTS), sentences.WIDTH)
    np.testing.assert_allclose(together, original, rtol=0, atol=2e-6)
    alone = np.concatenate([embeddings(minilm, [text]) for text in TEXTS])
    np.testing.assert_allclose(alone, original, rtol=0, atol=2e-6)


def test_many_texts_in_any_order_keep_their_places(minilm, original):
    """More than are computed at once, long ones among short ones."""
    order = np.random.default_rng(1).integers(0, len(TEXTS), 100)
    found = embeddings(minilm, [TEXTS[place] for place in order])
    np.testing.assert_allclose(found, original[order], rtol=0, atol=2e-6)
    assert embeddings(minilm, []).shape[0] == 0


def test_every_client_can_send_text(minilm, original, triton_client):
    """JSON of each form, CSV, plain text, KServe V2 from tritonclient."""
    text = TEXTS[0]
    for options in (
        {"json": {"inputs": [text]}},
        {"json": [{"text": text}]},
        {"content": text.encode(), "headers": {"content-type": "text/plain"}},
        {"content": f"text\n{text}\n".encode(), "headers": wire.CSV},
    ):
        answer = minilm.platform.http.post(minilm.path, **options)
        assert answer.status_code == 200, answer.text
        np.testing.assert_allclose(answer.json()["outputs"]["embedding"], original[:1], rtol=0, atol=2e-6)
    predictions = minilm.post({"instances": [text]}).json()["predictions"]
    np.testing.assert_allclose(predictions, original[:1], rtol=0, atol=2e-6)
    tensor = triton.InferInput("text", [2], "BYTES")
    tensor.set_data_from_numpy(np.array(TEXTS[:2], dtype=object))
    found = triton_client.infer("minilm", [tensor]).as_numpy("embedding")
    np.testing.assert_allclose(found, original[:2], rtol=0, atol=2e-6)


def test_the_function_says_that_it_takes_text(minilm):
    """Docs and describe; the artifact carries the tokenizer and what was read, and nothing else of the folder."""
    view = minilm.status()
    step = view["card"]["handler"]["steps"]["text"]
    expected = {"pooling": "mean", "normalize": True, "max_tokens": MAX_TOKENS, "tokenizer": "tokenizer.json"}
    assert expected.items() <= step.items()
    names = {Path(file["path"]).name for file in view["card"]["files"]}
    assert names <= {"tokenizer.json", "model.onnx", "model.onnx.data"}
    (spec,) = view["card"]["handler"]["signature"]["inputs"]
    assert (spec["name"], spec["dtype"]) == ("text", "string")
    shown = minilm.platform.cli("describe", "minilm").stdout
    assert "mean" in shown
    assert f"{MAX_TOKENS} tokens" in shown


def test_a_manifest_says_what_the_folder_does_not_or_says_otherwise(platform, hub, tmp_path, original):
    """Pooling, normalising, the limit of tokens, the model's own outputs, and tokens as before."""

    def deployed(name: str, **text: object) -> Function:
        folder = tmp_path / name
        shutil.copytree(hub, folder)
        lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in text.items())
        (folder / "modelet.toml").write_text(f"[text]\n{lines}\n")
        return platform.deploy(folder, name)

    long = deployed("unit-free", normalize=False)
    found = embeddings(long, TEXTS[:2])
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    assert (lengths > 1.5).all()
    np.testing.assert_allclose(found / lengths, original[:2], rtol=0, atol=2e-6)
    cut = embeddings(deployed("cut", max_tokens=8), ["one two three four five six seven eight nine ten"])
    np.testing.assert_allclose(cut, embeddings(minilm_of(platform), ["one two three four five six"]), rtol=0, atol=2e-6)
    vectors = deployed("vectors", pooling="none").post({"text": ["one two"]}).json()["outputs"]["last_hidden_state"]
    assert np.shape(vectors) == (1, 4, sentences.WIDTH)
    tokens = deployed("tokens", off=True)
    assert [spec["name"] for spec in tokens.status()["card"]["handler"]["signature"]["inputs"]][0] == "input_ids"


def minilm_of(platform: Platform) -> Function:
    """The function of the module's fixture."""
    return Function(platform, "minilm", {})


def test_what_does_not_fit_is_refused_with_what_to_do(platform, hub, cases, tmp_path):
    """No tokenizer, a damaged one, a model that takes no tokens, a module that we do not know."""

    def folder(name: str, manifest: str = "", **files: str) -> Path:
        made = tmp_path / name
        shutil.copytree(hub, made)
        (made / "modelet.toml").write_text(manifest)
        for file, text in files.items():
            (made / file.replace("_json", ".json")).write_text(text)
        return made

    assert "no-such.json" in platform.refused(folder("missing", '[text]\ntokenizer = "no-such.json"\n'))
    assert "tokenizer.json cannot be used" in platform.refused(folder("damaged", tokenizer_json='{"model": 5}'))
    dense = '[{"path": "2_Dense", "type": "sentence_transformers.models.Dense"}]'
    assert "Dense" in platform.refused(folder("dense", modules_json=dense))
    numbers = tmp_path / "numbers"
    numbers.mkdir()
    shutil.copyfile(cases["iris-matrix"].folder / "model.onnx", numbers / "model.onnx")
    shutil.copyfile(hub / "tokenizer.json", numbers / "tokenizer.json")
    (numbers / "modelet.toml").write_text("[text]\n")
    assert "it has the input X float32" in platform.refused(numbers)
