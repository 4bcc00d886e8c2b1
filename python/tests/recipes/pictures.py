"""Models of pictures: one that answers with what it was given, and a real one, of the direction of texts."""

from __future__ import annotations

import json
from importlib.metadata import files
from pathlib import Path
from shutil import copyfile

import onnx
from onnx import TensorProto, helper

#: What `transformers` 4.49 says of its own defaults, made small: each class that is read, in the form that it saves.
PROCESSORS = {
    "vit": {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": 48, "width": 64},
        "resample": 2,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    },
    "clip": {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 64},
        "crop_size": {"height": 56, "width": 56},
        "resample": 3,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
    },
    "convnext": {
        "image_processor_type": "ConvNextImageProcessor",
        "size": {"shortest_edge": 56},
        "crop_pct": 0.875,
        "resample": 3,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    },
    "mobilenet": {
        "image_processor_type": "MobileNetV2ImageProcessor",
        "size": {"shortest_edge": 40},
        "crop_size": {"height": 56, "width": 56},
        "resample": 2,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    },
    "efficientnet": {
        "image_processor_type": "EfficientNetImageProcessor",
        "size": {"height": 60, "width": 60},
        "do_center_crop": True,
        "crop_size": {"height": 51, "width": 51},
        "resample": 0,
        "include_top": True,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.47853944, 0.4732864, 0.47434163],
    },
}


def echo(path: Path, shape: list, dtype: int = TensorProto.FLOAT) -> None:
    """A model whose answer is the tensor that it was given: what was done with a picture can be seen to the bit."""
    given = helper.make_tensor_value_info("pixel_values", dtype, shape)
    answer = helper.make_tensor_value_info("same", dtype, shape)
    node = helper.make_node("Identity", ["pixel_values"], ["same"])
    graph = helper.make_graph([node], "echo", [given], [answer])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)


def processor_folder(folder: Path, name: str) -> Path:
    """A folder as the hub has it: the processor, the model below `onnx`."""
    echo(folder / "onnx" / "model.onnx", ["batch", 3, "height", "width"])
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSORS[name]))
    return folder


def directions(folder: Path) -> Path:
    """The classifier of rapidocr: is a line of text the right way up? Takes 48 × 192, from -1 to 1."""
    folder.mkdir(parents=True, exist_ok=True)
    name = "models/ch_ppocr_mobile_v2.0_cls_mobile.onnx"
    model = next(path for path in files("rapidocr") if str(path).endswith(name))
    copyfile(model.locate(), folder / "model.onnx")
    (folder / "modelet.toml").write_text(
        "[image]\nresize = { height = 48, width = 192 }\nfilter = 'bilinear'\nmean = [0.5]\nstd = [0.5]\n"
    )
    return folder


def colours(folder: Path, **config: object) -> Path:
    """A classifier as the hub has it: which colour has the brightest spot of a picture? Its numbers are those spots."""
    given = helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch", 3, 56, 56])
    answer = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])
    node = helper.make_node("ReduceMax", ["pixel_values"], ["logits"], axes=[2, 3], keepdims=0)
    graph = helper.make_graph([node], "colours", [given], [answer])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSORS["clip"]))
    said = {"architectures": ["CLIPForImageClassification"], "id2label": {"0": "red", "1": "green", "2": "blue"}}
    (folder / "config.json").write_text(json.dumps(said | config))
    return folder
