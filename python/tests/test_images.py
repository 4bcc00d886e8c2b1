"""Pictures posted as pictures: what a model is given is, to the bit, what Pillow and numpy make of the file."""

from __future__ import annotations

import base64
import io
import json
import math
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import tritonclient.http as triton
import wire
from harness import Function, Platform
from onnx import TensorProto
from PIL import Image, ImageDraw, ImageOps
from recipes import pictures
from sklearn.datasets import load_sample_image

PICTURES = Path(__file__).resolve().parents[2] / "crates" / "model" / "tests" / "pictures"
JPEG = {"content-type": "image/jpeg"}


def photographs() -> dict[str, bytes]:
    """Two real photographs as a camera and the web have them, whole, with landscape and portrait formats."""

    def saved(image: Image.Image, kind: str, **options) -> bytes:
        file = io.BytesIO()
        image.save(file, kind, **options)
        return file.getvalue()

    china, flower = (Image.fromarray(load_sample_image(name)) for name in ("china.jpg", "flower.jpg"))
    exif = Image.Exif()
    exif[0x0112] = 6
    return {
        "camera": saved(china, "JPEG", quality=92, exif=exif),
        "web": saved(flower, "JPEG", quality=75, progressive=True),
        "portrait": saved(flower.crop((200, 0, 420, 427)), "PNG"),
        "lossy": saved(china, "WEBP", quality=80),
        "palette": saved(flower.quantize(64), "GIF"),
        "small": saved(flower.resize((30, 21)), "JPEG", quality=90),
    }


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """The photographs, made once."""
    return photographs()


# -- as transformers 4.49 does with Pillow, in numpy ----


def loaded(file: bytes) -> Image.Image:
    """`transformers.image_utils.load_image`."""
    return ImageOps.exif_transpose(Image.open(io.BytesIO(file))).convert("RGB")


def shortest(image: Image.Image, edge: int, resample: int) -> Image.Image:
    """`get_resize_output_image_size` and `resize`."""
    short, long = sorted(image.size)
    made = int(edge * long / short)
    return image.resize((edge, made) if image.width <= image.height else (made, edge), resample)


def center_crop(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """`center_crop`, black around what is too small."""
    old_height, old_width = pixels.shape[:2]
    top, left = (old_height - height) // 2, (old_width - width) // 2
    padded = np.zeros((max(height, old_height), max(width, old_width), 3), np.uint8)
    down, right = math.ceil((len(padded) - old_height) / 2), math.ceil((padded.shape[1] - old_width) / 2)
    padded[down : down + old_height, right : right + old_width] = pixels
    top, left = top + down, left + right
    return padded[max(0, top) : top + height, max(0, left) : left + width]


def numbers(pixels: np.ndarray, *normalize: tuple[list, list]) -> np.ndarray:
    """`rescale` and `normalize`, colours first."""
    values = (pixels.astype(np.float64) * (1 / 255)).astype(np.float32)
    for mean, std in normalize:
        values = (values - np.array(mean, np.float32)) / np.array(std, np.float32)
    return values.transpose(2, 0, 1)


def processed(name: str, file: bytes) -> np.ndarray:
    """What the processor of a name makes of a file."""
    said, image = pictures.PROCESSORS[name], loaded(file)
    mean, std, resample = said["image_mean"], said["image_std"], said["resample"]
    size = said["size"]
    if name in ("vit", "efficientnet"):
        image = image.resize((size["width"], size["height"]), resample)
    elif name == "convnext":
        image = shortest(image, int(size["shortest_edge"] / said["crop_pct"]), resample)
    else:
        image = shortest(image, size["shortest_edge"], resample)
    pixels = np.asarray(image)
    crop = {"height": size["shortest_edge"], "width": size["shortest_edge"]} if name == "convnext" else said.get("crop_size")
    if crop:
        pixels = center_crop(pixels, crop["height"], crop["width"])
    again = [([0.0] * 3, std)] if name == "efficientnet" else []
    return numbers(pixels, (mean, std), *again)


# -- the platform ----


def answered(function: Function, file: bytes, **headers: str) -> np.ndarray:
    """The tensor that a model of one output was given for a file posted as it is."""
    answer = function.post(content=file, headers=headers | {"accept": "application/x-npy"})
    assert answer.status_code == 200, answer.text
    return wire.read_npy(answer.content)


@pytest.fixture(scope="module")
def clip(platform: Platform, tmp_path_factory) -> Function:
    """A folder with CLIP's processor, deployed as it is."""
    return platform.deploy(pictures.processor_folder(tmp_path_factory.mktemp("hub") / "clip", "clip"), "clip")


@pytest.mark.parametrize("name", sorted(pictures.PROCESSORS))
def test_processors_of_the_hub_give_the_numbers_of_transformers(platform, tmp_path, files, name):
    """Each class, each kind of file, equal to the last bit."""
    function = platform.deploy(pictures.processor_folder(tmp_path / name, name), name)
    for kind, file in files.items():
        found = answered(function, file, **{"content-type": "image/*"})
        expected = processed(name, file)[None]
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected, err_msg=f"{name} {kind}")


def test_every_client_can_send_a_picture(clip, files, triton_client):
    """As the body with and without its type, as base64 in JSON of each form, as KServe V2 raw and in JSON; several at once."""
    file, other = files["camera"], files["palette"]
    one, two = processed("clip", file)[None], np.stack([processed("clip", file), processed("clip", other)])
    for headers in (JPEG, wire.RAW, {}, {"content-type": "application/x-www-form-urlencoded"}):
        np.testing.assert_array_equal(answered(clip, file, **headers), one, err_msg=str(headers))
    text, more = (base64.b64encode(each).decode() for each in (file, other))
    for body in (
        {"inputs": text},
        {"inputs": [text]},
        [{"image": text}],
        {"image": [text]},
        {"inputs": [f"data:image/jpeg;base64,{text}"]},
    ):
        answer = clip.post(body, headers={"accept": "application/x-npy"})
        assert answer.status_code == 200, answer.text
        np.testing.assert_array_equal(wire.read_npy(answer.content), one)
    answer = clip.post({"instances": [text, more]})
    np.testing.assert_array_equal(np.array(answer.json()["predictions"], np.float32), two)
    for binary, values in ((True, [file, other]), (False, [text.encode(), more.encode()])):
        tensor = triton.InferInput("image", [2], "BYTES")
        tensor.set_data_from_numpy(np.array(values, dtype=object), binary_data=binary)
        np.testing.assert_array_equal(triton_client.infer("clip", [tensor]).as_numpy("same"), two)


def test_the_command_line_sends_a_file(clip, files, tmp_path):
    """`modelet invoke NAME @FILE`, and what describe says of it."""
    (tmp_path / "photo.jpg").write_bytes(files["web"])
    said = json.loads(clip.platform.cli("invoke", "clip", f"@{tmp_path / 'photo.jpg'}").stdout)
    np.testing.assert_array_equal(np.array(said["outputs"]["same"], np.float32)[0], processed("clip", files["web"]))
    shown = clip.platform.cli("describe", "clip").stdout
    assert "its shorter edge made 64 (bicubic), its middle 56 × 56" in shown
    assert "a picture (JPEG, PNG, WebP or GIF) in base64" in shown
    page = clip.platform.http.get("/fn/clip").json()
    for sample in page["samples"]:
        body = sample.get("body") or base64.b64decode(sample["body_base64"])
        answer = clip.platform.http.post(sample["path"], content=body, headers={"content-type": sample["content_type"]})
        assert answer.status_code == 200, (sample, answer.text)


def test_files_that_are_not_pictures_are_refused_with_format_and_place(clip, files):
    """Damaged, cut off, foreign, empty, four colours, no base64: 400 each, by name, and the instance lives on."""

    def refused(**options) -> dict:
        answer = clip.post(**options)
        assert answer.status_code == 400, answer.text
        return answer.json()["error"]

    good = base64.b64encode(files["small"]).decode()
    for file, why in (
        (files["camera"][:-5000], "a JPEG file, but"),
        (files["portrait"][:9000], "a PNG file, but it is damaged"),
        (b"", "an empty file"),
        (b"BM" + bytes(100), "a BMP file, which is not read here"),
        ((PICTURES / "cmyk.jpg").read_bytes(), "four colours (CMYK)"),
        ((PICTURES / "grey-16.png").read_bytes(), "16 bits"),
    ):
        error = refused(content=file, headers=JPEG)
        assert error["field"] == "image[0]"
        assert why in error["found"], error
    error = refused(body={"inputs": [good, good, "no base64!"]})
    assert error["field"] == "image[2]"
    assert "base64" in error["found"]
    refused(body={"inputs": [5]})
    assert clip.post(content=b"1,2", headers={"content-type": "audio/wav"}).status_code == 415
    assert clip.post({"inputs": good}).status_code == 200


def png_of(width: int, height: int) -> bytes:
    """A true PNG of grey nothing, far smaller than what it unpacks to."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packed = zlib.compressobj(9)
    rows = b"".join(packed.compress(bytes(width + 1)) for _ in range(height)) + packed.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_bombs_and_floods_are_refused_within_the_memory_of_an_instance(platform, tmp_path, files):
    """A picture of 100 megapixels in 100 KB, one that only says so, too many of them: 400, and nothing dies."""
    folder = pictures.processor_folder(tmp_path / "bombs", "clip")
    (folder / "modelet.toml").write_text("[settings]\nmemory_mib = 128\n[image]\nmax_pixels = 1_000_000\nmax_images = 3\n")
    function = platform.deploy(folder, "bombs")
    bomb = png_of(10_000, 10_000)
    assert len(bomb) < 200_000
    for _ in range(3):
        answer = function.post(content=bomb, headers={"content-type": "image/png"})
        assert answer.status_code == 400
        assert "10000 × 10000 pixels, more than max_pixels = 1000000" in answer.text
    text = base64.b64encode(files["small"]).decode()
    assert "at most max_images = 3, got 4 pictures" in function.post({"inputs": [text] * 4}).text
    assert function.post({"inputs": [text] * 3}).status_code == 200
    assert len(function.instances()) == 1


def test_a_manifest_says_what_is_done_where_no_processor_does(platform, tmp_path, files):
    """Bytes in rows of colours as mobile models take them, grey, half precision, the model's own size."""

    def deployed(name: str, manifest: str, shape: list, dtype: int) -> Function:
        pictures.echo(tmp_path / name / "model.onnx", shape, dtype)
        (tmp_path / name / "modelet.toml").write_text(manifest)
        return platform.deploy(tmp_path / name, name)

    image = loaded(files["web"])
    raw = deployed("raw", "[image]\nfilter = 'lanczos'\n", ["n", 40, 50, 3], TensorProto.UINT8)
    np.testing.assert_array_equal(answered(raw, files["web"], **JPEG)[0], np.asarray(image.resize((50, 40), 1)))
    grey = deployed("grey", "[image]\ncolours = 'grey'\nfilter = 'box'\n", [1, 1, 28, 28], TensorProto.FLOAT)
    small = np.asarray(image.convert("L").resize((28, 28), 4))
    expected = (small.astype(np.float64) / 255 * 1.0).astype(np.float32)
    np.testing.assert_allclose(answered(grey, files["web"], **JPEG)[0, 0], expected, rtol=0, atol=6e-8)
    half = deployed(
        "half", "[image]\nresize = {shortest_edge = 33}\nmean = [0.5]\nstd = [0.25]\n", ["n", 3, "h", "w"], TensorProto.FLOAT16
    )
    expected = numbers(np.asarray(shortest(image, 33, 3)), ([0.5], [0.25])).astype(np.float16)
    np.testing.assert_array_equal(answered(half, files["web"], **JPEG)[0], expected)
    both = [base64.b64encode(files[name]).decode() for name in ("web", "portrait")]
    answer = half.post({"inputs": both})
    assert answer.status_code == 400
    assert "image[1]: expected a picture that is 49 × 33" in answer.text
    turned = deployed("turned", "[image]\norient = false\n", ["n", 3, 40, 50], TensorProto.FLOAT)
    expected = numbers(np.asarray(Image.open(io.BytesIO(files["camera"])).convert("RGB").resize((50, 40), 3)))
    np.testing.assert_array_equal(answered(turned, files["camera"], **JPEG)[0], expected)


def test_what_does_not_fit_is_refused_at_deploy(platform, tmp_path):
    """Another size, other axes, other types, half of a normalisation, processors that are not done to the bit."""

    def said(name: str, manifest: str, shape: list, dtype: int = TensorProto.FLOAT, processor: dict | None = None) -> str:
        folder = tmp_path / name
        pictures.echo(folder / "model.onnx", shape, dtype)
        (folder / "modelet.toml").write_text(manifest)
        if processor:
            (folder / "preprocessor_config.json").write_text(json.dumps(processor))
        return platform.refused(folder)

    free = ["n", 3, "h", "w"]
    size = "[image]\nresize = { height = 20, width = 20 }\n"
    assert "pictures are made 20 × 20" in said("size", size, ["n", 3, 30, 30])
    assert "tensors of four axes" in said("axes", "[image]\n", ["n", 3])
    assert "neither its second nor its last axis is 3" in said("colours", "[image]\n", ["n", 4, 30, 30])
    assert "float32, float16 or uint8" in said("type", size, free, TensorProto.DOUBLE)
    assert "make fractions" in said("bytes", size + "rescale = 0.5\n", free, TensorProto.UINT8)
    assert "only one of mean and std" in said("half", size + "mean = [0.5]\n", free)
    assert "mean has 2 numbers" in said("two", size + "mean = [0.5, 0.5]\nstd = [1, 1]\n", free)
    assert "[text] and [image]" in said("both", "[text]\n[image]\n", free)
    fast = pictures.PROCESSORS["vit"] | {"image_processor_type": "ViTImageProcessorFast"}
    assert "resizes with torchvision" in said("fast", "", free, processor=fast)
    detr = {"image_processor_type": "DetrImageProcessor"}
    assert "DetrImageProcessor, which is not known here" in said("detr", "", free, processor=detr)
    folder = tmp_path / "off"
    shutil.copytree(tmp_path / "detr", folder)
    (folder / "modelet.toml").write_text("[image]\noff = true\n")
    off = platform.deploy(folder, "off")
    assert [spec["name"] for spec in off.status()["card"]["handler"]["signature"]["inputs"]] == ["pixel_values"]


def test_a_real_classifier_reads_posted_pictures(platform, tmp_path):
    """rapidocr's: lines of text, upright and upside down, in four formats; the same numbers as by Pillow and ONNX Runtime."""
    folder = pictures.directions(tmp_path / "directions")
    function = platform.deploy(folder, "directions")
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    name = session.get_inputs()[0].name
    line = Image.new("RGB", (192, 48), (235, 230, 220))
    ImageDraw.Draw(line).text((8, 8), "modelet deploy", fill=(30, 20, 20), font_size=26)
    right = []
    for turned, options in ((0, ("JPEG", "PNG")), (180, ("WEBP", "GIF"))):
        for kind in options:
            file = io.BytesIO()
            line.rotate(turned).resize((400, 100)).save(file, kind)
            image = loaded(file.getvalue()).resize((192, 48), 2)
            expected = session.run(None, {name: numbers(np.asarray(image), ([0.5], [0.5]))[None]})[0]
            found = answered(function, file.getvalue(), **{"content-type": f"image/{kind.lower()}"})
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
            right.append(int(found.argmax()) == turned // 180)
    assert all(right), right
