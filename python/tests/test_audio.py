"""Sounds posted as sounds: what a model is given is what soundfile, torchaudio and numpy make of the file."""

from __future__ import annotations

import base64
import io
import json
import math
import shutil
import wave

import numpy as np
import pytest
import tritonclient.http as triton
import wire
from harness import Function, Platform
from onnx import TensorProto
from recipes import sounds

WAV = {"content-type": "audio/wav"}
RATES = (8000, 11025, 22050, 44100, 48000)


# -- as soundfile 0.14, torchaudio 2.11 and transformers 5.24 do, in numpy ----


def pcm16(samples: np.ndarray, rate: int) -> bytes:
    """A file as Python's own `wave` writes it; columns are channels."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setparams((samples.shape[1] if samples.ndim == 2 else 1, 2, rate, 0, "NONE", ""))
        written.writeframes((samples * 32768).round().clip(-32768, 32767).astype("<i2").tobytes())
    return file.getvalue()


def read16(file: bytes) -> np.ndarray:
    """Its samples from -1 to 1, the mean of its channels."""
    with wave.open(io.BytesIO(file)) as opened:
        samples = np.frombuffer(opened.readframes(opened.getnframes()), "<i2")
        samples = samples.reshape(-1, opened.getnchannels()).astype(np.float32) / np.float32(32768)
    return np.ascontiguousarray(samples.T).mean(axis=0)


def resampled(samples: np.ndarray, old: int, new: int) -> np.ndarray:
    """`torchaudio.functional.resample` with its defaults: weights in float32, sums in float64."""
    if old == new:
        return samples
    divisor = math.gcd(old, new)
    old, new = old // divisor, new // divisor
    base = min(old, new) * 0.99
    width = math.ceil(6 * old / base)
    index = np.arange(-width, width + old, dtype=np.float32) / np.float32(old)
    t = (-np.arange(new, dtype=np.float32)[:, None] / np.float32(new) + index) * np.float32(base)
    t = t.clip(-6, 6)
    window = np.cos(t * np.float32(np.pi) / np.float32(6) / np.float32(2)) ** 2
    t *= np.float32(np.pi)
    kernels = np.where(t == 0, np.float32(1), np.sin(t) / np.where(t == 0, np.float32(1), t)) * (window * np.float32(base / old))
    padded = np.pad(samples, (width, width + old)).astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * width + old)[::old]
    length = int(np.ceil(np.float32(new * len(samples) / old)))
    return (windows @ kernels.T.astype(np.float64)).reshape(-1)[:length].astype(np.float32)


def normalized(samples: np.ndarray) -> np.ndarray:
    """`Wav2Vec2FeatureExtractor.zero_mean_unit_var_norm`."""
    return (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)


# -- the platform ----


def answered(function: Function, file: bytes, **headers: str) -> np.ndarray:
    """The tensor that a model was given for a file posted as it is."""
    answer = function.post(content=file, headers=WAV | headers | {"accept": "application/x-npy"})
    assert answer.status_code == 200, answer.text
    return wire.read_npy(answer.content)[0]


@pytest.fixture(scope="module")
def speech(platform: Platform, tmp_path_factory) -> Function:
    """A folder of wav2vec2, deployed as it is."""
    return platform.deploy(sounds.hub_folder(tmp_path_factory.mktemp("hub") / "speech"), "speech")


@pytest.mark.parametrize("rate", [16000, *RATES])
def test_a_posted_sound_is_resampled_and_normalised(speech, rate):
    """Of every usual rate, mono and stereo, of odd lengths."""
    for count in (1001, rate + 7):
        for samples in (sounds.tone(count, rate), np.stack([sounds.tone(count, rate, seed) for seed in (1, 2)], axis=1)):
            file = pcm16(samples, rate)
            expected = normalized(resampled(read16(file), rate, 16000))
            found = answered(speech, file)
            assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
            np.testing.assert_allclose(found, expected, rtol=0, atol=0 if rate == 16000 else 2e-6)


@pytest.mark.parametrize("rate", RATES)
def test_a_manifest_says_the_rate_where_no_extractor_does(platform, tmp_path, rate):
    """The other way round, and sounds of one sample."""
    sounds.echo(tmp_path / "m" / "model.onnx", ["n", "samples"])
    (tmp_path / "m" / "modelet.toml").write_text(f"[audio]\nsampling_rate = {rate}\n")
    function = platform.deploy(tmp_path / "m", f"rate-{rate}")
    for count in (1, 997, 16000):
        file = pcm16(sounds.tone(count, 16000), 16000)
        expected = resampled(read16(file), 16000, rate)
        np.testing.assert_allclose(answered(function, file), expected, rtol=0, atol=1e-6)


def test_every_coding_is_read(platform, tmp_path):
    """Whole numbers of four widths and floats of two, to the bit."""
    folder = sounds.hub_folder(tmp_path / "codings", do_normalize=False)
    function = platform.deploy(folder, "codings")
    tone = sounds.tone(2000, 16000)
    whole = (tone * 2**31).astype(np.int64)
    three = (whole >> 8).astype("<i4").tobytes()
    three = b"".join(three[at : at + 3] for at in range(0, len(three), 4))
    eight = (whole >> 24) + 128
    for bits, tag, data, expected in (
        (8, 1, eight.astype("u1").tobytes(), (eight - 128) / 128),
        (16, 1, (whole >> 16).astype("<i2").tobytes(), (whole >> 16) / 2**15),
        (24, 1, three, (whole >> 8) / 2**23),
        (32, 1, whole.astype("<i4").tobytes(), whole.astype(np.float32) / 2**31),
        (32, 3, tone.astype("<f4").tobytes(), tone),
        (64, 3, tone.astype("<f8").tobytes(), tone),
    ):
        found = answered(function, sounds.wav(data, tag, 1, 16000, bits))
        np.testing.assert_array_equal(found, expected.astype(np.float32), err_msg=f"{tag} {bits}")


def test_every_client_can_send_a_sound(speech, triton_client):
    """As the body with and without its type, as base64 in JSON of each form, as KServe V2 raw and in JSON; several at once."""
    file, other = (pcm16(sounds.tone(3000, 16000, seed), 16000) for seed in (1, 2))
    one, two = (normalized(read16(each)) for each in (file, other))
    for headers in (WAV, wire.RAW, {"content-type": "audio/x-wav"}, {"content-type": "application/x-www-form-urlencoded"}):
        np.testing.assert_array_equal(answered(speech, file, **headers), one, err_msg=str(headers))
    text, more = (base64.b64encode(each).decode() for each in (file, other))
    for body in ({"inputs": text}, [{"audio": text}], {"audio": [text]}, {"inputs": [f"data:audio/wav;base64,{text}"]}):
        answer = speech.post(body, headers={"accept": "application/x-npy"})
        assert answer.status_code == 200, answer.text
        np.testing.assert_array_equal(wire.read_npy(answer.content)[0], one)
    csv = speech.post(content=f"audio\n{text}\n".encode(), headers=wire.CSV | {"accept": "application/x-npy"})
    np.testing.assert_array_equal(wire.read_npy(csv.content)[0], one)
    for binary, values in ((True, [file, other]), (False, [text.encode(), more.encode()])):
        tensor = triton.InferInput("audio", [2], "BYTES")
        tensor.set_data_from_numpy(np.array(values, dtype=object), binary_data=binary)
        np.testing.assert_array_equal(triton_client.infer("speech", [tensor]).as_numpy("same"), np.stack([one, two]))


def test_the_page_of_a_function_shows_a_sound_that_works(speech):
    """Each sample request is answered; `describe` says what is done."""
    shown = speech.platform.cli("describe", "speech").stdout
    assert "as one channel of 16000 samples a second, less its mean, divided by its standard deviation" in shown
    for sample in speech.platform.http.get("/fn/speech").json()["samples"]:
        body = sample.get("body") or base64.b64decode(sample["body_base64"])
        answer = speech.platform.http.post(sample["path"], content=body, headers={"content-type": sample["content_type"]})
        assert answer.status_code == 200, (sample, answer.text)


def test_files_that_are_no_sounds_or_lie_are_refused_with_the_place(speech):
    """Claims of 4 GB, no channels, no samples, foreign, cut off, of other lengths: 400 each, and the instance lives on."""

    def refused(**options) -> dict:
        answer = speech.post(**options)
        assert answer.status_code == 400, answer.text
        return answer.json()["error"]

    good = pcm16(sounds.tone(3000, 16000), 16000)
    claims = good[:40] + b"\xff\xff\xff\xff" + good[44:]
    for file, why in (
        (claims, 'its chunk "data" at byte 36 says that it has 4294967295 bytes, and 6000 are left'),
        (good[:-100], "it was cut off"),
        (sounds.wav(b"", 1, 1, 16000, 16), "it has no samples"),
        (sounds.wav(bytes(4), 1, 0, 16000, 16), "it has 0 channels"),
        (sounds.wav(bytes(18), 1, 9, 16000, 16), "1 to max_channels = 8 are read"),
        (sounds.wav(bytes(4), 1, 1, 2_000_000, 16), "it has 2000000 samples a second, and 1 to 1000000 are read"),
        (sounds.wav(bytes(2000), 1, 1, 1, 16), "it lasts 1000.0 seconds, longer than max_seconds = 600"),
        (sounds.wav(bytes(4), 2, 1, 16000, 4), "in the coding 2"),
        (b"OggS" + bytes(20), "an Ogg file, which is not read here"),
        (b"", "an empty file"),
    ):
        error = refused(content=file, headers=WAV)
        assert error["field"] == "audio[0]"
        assert why in error["found"], error
    texts = [base64.b64encode(pcm16(sounds.tone(count, 16000), 16000)).decode() for count in (500, 501)]
    error = refused(body={"inputs": texts})
    assert error["field"] == "audio[1]"
    assert "a sound of 500 samples" in error["expected"]
    assert "one by one" in json.dumps(error)
    assert speech.post(content=b"x", headers={"content-type": "image/png"}).status_code == 415
    assert speech.post({"inputs": texts[0]}).status_code == 200


def test_floods_are_refused(platform, tmp_path):
    """A few bytes that become many samples, and too many sounds."""
    folder = sounds.hub_folder(tmp_path / "floods")
    (folder / "modelet.toml").write_text("[audio]\nmax_samples = 20_000\nmax_sounds = 3\n")
    function = platform.deploy(folder, "floods")
    slow = function.post(content=sounds.wav(bytes(600), 1, 1, 1, 16), headers=WAV)
    assert slow.status_code == 400
    assert "a sound of 4800000 samples when it is resampled, more than max_samples = 20000" in slow.text
    text = base64.b64encode(pcm16(sounds.tone(4000, 16000), 16000)).decode()
    assert "at most max_sounds = 3, got 4 sounds" in function.post({"inputs": [text] * 4}).text
    assert function.post({"inputs": [text] * 3}).status_code == 200


def test_what_does_not_fit_is_refused_at_deploy(platform, tmp_path):
    """Spectrograms, a fixed length, other types, a mask, no rate: each by name; `off` serves the model as it is."""

    def said(name: str, manifest: str, shape: list, extractor: dict | None = None, **options) -> str:
        folder = tmp_path / name
        sounds.echo(folder / "model.onnx", shape, **options)
        (folder / "modelet.toml").write_text(manifest)
        if extractor:
            (folder / "preprocessor_config.json").write_text(json.dumps(extractor))
        return platform.refused(folder)

    free, rate = ["n", "samples"], "[audio]\nsampling_rate = 8000\n"
    for kind in ("WhisperFeatureExtractor", "ASTFeatureExtractor"):
        spectrogram = sounds.WAV2VEC2 | {"feature_extractor_type": kind}
        assert f"names {kind}, which does not give the model samples" in said(kind.lower(), "", ["n", 80, 30], spectrogram)
    assert "needs sampling_rate" in said("rate", "[audio]\n", free)
    assert "sampling_rate = 0 is not from 1 to 1000000" in said("none", "[audio]\nsampling_rate = 0\n", free)
    assert "sounds are of any length" in said("fixed", rate, ["n", 16000])
    assert "tensors of two axes" in said("axes", rate, ["n", 1, "samples"])
    assert "sounds become float32" in said("type", rate, free, dtype=TensorProto.DOUBLE)
    assert "a model of one input, and this one has 2: input_values, attention_mask" in said("mask", rate, free, second=True)
    assert "[image] and [audio]: a model takes texts, pictures or sounds" in said("both", rate + "[image]\n", free)
    folder = tmp_path / "off"
    shutil.copytree(tmp_path / "whisperfeatureextractor", folder)
    (folder / "modelet.toml").write_text("[audio]\noff = true\n")
    off = platform.deploy(folder, "off")
    assert [spec["name"] for spec in off.status()["card"]["handler"]["signature"]["inputs"]] == ["input_values"]


def test_a_classifier_of_sounds_answers_labels(platform, tmp_path):
    """Softmax, the best first, as the pipeline does."""
    function = platform.deploy(sounds.classifier(tmp_path / "loud"), "loud")
    file = pcm16(sounds.tone(3000, 16000), 16000)
    samples = read16(file)
    scores = np.exp([samples.min(), samples.max()])
    found = function.post(content=file, headers=WAV).json()["outputs"]["scores"][0]
    assert [one["label"] for one in found] == ["high", "low"]
    np.testing.assert_allclose([one["score"] for one in found], np.sort(scores / scores.sum())[::-1], atol=1e-6)
