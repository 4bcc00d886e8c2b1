"""Code as functions: what a user would have in a folder."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from harness import Function, Platform, toml

#: The packages of all functions under test. Few sets, for each is resolved, brought and packed once on a machine.
SCIENCE = "numpy==2.4.0\npandas==3.0.0\nscikit-learn==1.9.1\n"
WEB = "fastapi==0.165.0\nflask==3.1.3\nfunctions-framework==3.10.2\n"


def folder(place: Path, files: dict[str, str | bytes], manifest: dict | None = None, **settings: int) -> Path:
    """Lays out files and, where there is something to say, a `modelet.toml`; what was there before is gone."""
    shutil.rmtree(place, ignore_errors=True)
    said = (manifest or {}) | ({"settings": settings} if settings else {})
    if said:
        files = files | {"modelet.toml": toml(said)}
    for name, content in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return place


def deployed(
    platform: Platform,
    name: str,
    source: str,
    requirements: str | None = None,
    manifest: dict | None = None,
    **settings: int,
) -> Function:
    """Deploys `app.py` of this source, with the packages that it needs."""
    files = {"app.py": source} | ({"requirements.txt": requirements} if requirements else {})
    return platform.deploy(folder(platform.work / "code" / name, files, manifest, **settings), name)


def lines(function: Function, word: str) -> list[dict]:
    """The records of what it printed, logged or failed with that have a word in them, in their order."""
    return [row for row in records(function) if row["kind"] == "line" and word in row["text"]]


def records(function: Function) -> list[dict]:
    """The newest records of its log, in their order."""
    page = function.platform.http.get(f"/api/v1/functions/{function.name}/logs?after=0&limit=10000")
    return page.raise_for_status().json()["rows"]


def wheel(place: Path, name: str, size: int = 0, files: dict[str, bytes] | None = None) -> Path:
    """A wheel with these files, and with one large file of nothing, which takes no room while it is zipped."""
    path = place / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    content = {f"{name}/__init__.py": b""} | (files or {})
    content[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()
    content[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    named = [*content, f"{info}/RECORD"] + ([f"{name}/weights.bin"] if size else [])
    content[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in named).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, data in content.items():
            archive.writestr(file, data)
        if size:
            with archive.open(f"{name}/weights.bin", "w", force_zip64=True) as file:
                for _ in range(size >> 20):
                    file.write(bytes(1 << 20))
    return path
