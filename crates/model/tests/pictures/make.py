#!/usr/bin/env python3
"""Makes the pictures of this folder, and what Pillow says of them: `expected.txt`, which the tests of the [image] step read.

    python crates/model/tests/pictures/make.py      # Pillow 13, and scikit-learn for its photograph

A line of `expected.txt`: a file, colours, a size and a filter, and the SHA-256 of the pixels, upright and resized.
"""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_image

HERE = Path(__file__).resolve().parent
FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
SIZES = [(24, 24), (90, 70), (7, 65), (53, 11)]
SHAPES = [("photo-420.jpg", "RGB"), ("tall.png", "RGB"), ("grey.png", "L")]


def save() -> None:
    """A photograph's part in every form that is read."""
    photo = Image.fromarray(load_sample_image("china.jpg")).crop((280, 90, 333, 155))
    noise = np.random.default_rng(1).integers(0, 256, (65, 53), dtype=np.uint8)
    for name, options in {
        "photo-444": {"quality": 95, "subsampling": 0},
        "photo-422": {"quality": 75, "subsampling": 1},
        "photo-420": {"quality": 75, "subsampling": 2},
        "photo-411": {"quality": 30, "subsampling": "4:1:1"},
        "photo-progressive": {"quality": 75, "progressive": True},
        "photo-restarts": {"quality": 60, "restart_marker_blocks": 3, "optimize": True},
        "photo-rgb": {"quality": 80, "keep_rgb": True},
    }.items():
        photo.save(HERE / f"{name}.jpg", **options)
    photo.resize((2, 65)).save(HERE / "thin.jpg", quality=75)
    photo.convert("L").save(HERE / "grey.jpg", quality=75)
    photo.convert("L").save(HERE / "grey-progressive.jpg", quality=75, progressive=True)
    photo.convert("CMYK").save(HERE / "cmyk.jpg")
    for orientation in (3, 6, 7):
        exif = Image.Exif()
        exif[0x0112] = orientation
        photo.save(HERE / f"turned-{orientation}.jpg", quality=75, exif=exif)
    photo.save(HERE / "turned-xmp.jpg", quality=75, xmp=b'<x:xmpmeta><rdf:Description tiff:Orientation="8"/></x:xmpmeta>')
    photo.save(HERE / "lossy.webp", quality=70)
    clear = photo.convert("RGBA")
    clear.putalpha(Image.fromarray(noise))
    clear.save(HERE / "clear.webp", quality=70)
    photo.crop((0, 0, 20, 20)).save(HERE / "lossless.webp", lossless=True)
    clear.crop((0, 0, 20, 30)).save(HERE / "clear.png")
    photo.crop((0, 0, 9, 65)).save(HERE / "tall.png")
    photo.convert("L").save(HERE / "grey.png")
    photo.convert("1").save(HERE / "bits.png")
    photo.quantize(40).save(HERE / "palette.png", transparency=3)
    Image.fromarray(noise.astype(np.uint16) * 257).crop((0, 0, 8, 8)).save(HERE / "grey-16.png")
    photo.quantize(40).save(HERE / "first.gif", save_all=True, append_images=[photo.rotate(180).quantize(40)])


def digest(image: Image.Image) -> str:
    """What the pixels are."""
    return hashlib.sha256(image.tobytes()).hexdigest()


def main() -> None:
    """Both."""
    save()
    lines = []
    for path in sorted(HERE.glob("*.*")):
        if path.suffix not in (".jpg", ".png", ".webp", ".gif") or path.name in ("cmyk.jpg", "grey-16.png"):
            continue
        image = ImageOps.exif_transpose(Image.open(path))
        for mode in ("RGB", "L"):
            same = image.convert(mode)
            lines.append(f"{path.name} {mode} {same.width} {same.height} nearest {digest(same)}")
    for name, mode in SHAPES:
        image = Image.open(HERE / name).convert(mode)
        for width, height in SIZES:
            for filter_name, number in FILTERS.items():
                made = digest(image.resize((width, height), number))
                lines.append(f"{name} {mode} {width} {height} {filter_name} {made}")
    (HERE / "expected.txt").write_text("\n".join(lines) + "\n")


main()
