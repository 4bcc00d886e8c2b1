"""Artifacts for arm64, made on a machine with another processor and run by qemu, an emulator of that one: what they answer is what this
machine answers. No real arm64 is in here."""

from __future__ import annotations

import json
import os
import platform as machine
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import functions
import httpx
import numpy as np
import pytest
import wire
from emulator import free_port
from harness import PATIENCE_S, ROOT, Platform, eventually, stage
from packaged import ARM64, elf, elsewhere, forest, machines, unzipped
from proofs import QEMU, proof

EMULATOR = "qemu-aarch64-static"
#: The C library for arm64, and C++'s, as Debian's cross compiler has them.
SYSTEM = Path("/usr/aarch64-linux-gnu")
#: Where `scripts/runtimes.sh` puts what it makes.
RUNTIMES = Path(os.environ.get("MODELET_RUNTIMES") or ROOT / "target" / "runtimes")
#: Starts a program where there is no /sys, as on AWS Lambda: this machine's tells of another processor, by which ONNX Runtime goes astray.
WITHOUT_SYS = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", 'mount -t tmpfs none /sys && exec "$@"', "start")
#: Between the kernels of two processors, for vectors whose numbers are about 1.
APART = 5e-6
#: As long as a start may take there: all that is run is translated first.
START_S = 3 * PATIENCE_S
IRIS = ROOT / "examples" / "iris"
PLAIN = "def lambda_handler(event, context):\n    return event\n"
ARM = ("--arch", "arm64")
#: Compiled for both processors, and for the old system that is there with this Python on Lambda.
NUMPY, LAMBDA = "numpy==2.2.6\n", {"python": {"version": "3.11"}}


def missing(kind: str = "") -> str | None:
    """Why nothing of arm64 can be made and run here, if so."""
    if machine.machine() != "x86_64":
        return f"this machine is {machine.machine()}: it needs no emulator of arm64"
    if shutil.which(EMULATOR) is None:
        return f"{EMULATOR} is not installed: run python/tests/setup-arm64.sh as root"
    name = f"modelet-runtime-aarch64{kind}"
    return None if (RUNTIMES / name).exists() else f"there is no {name}: run scripts/runtimes.sh aarch64"


pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


class Emulated:
    """A runtime for arm64 with what lies beside it, on a port."""

    def __init__(self, program: Path, log: Path):
        self.port, self.log = free_port(), log
        environment = {"PORT": str(self.port), "PATH": "/usr/bin:/bin"}
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [*WITHOUT_SYS, EMULATOR, "-L", SYSTEM, program],
                env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=START_S, trust_env=False)
        eventually(self.answers, START_S, what=f"it answers: {log}")

    def answers(self) -> bool:
        """Whether it is ready."""
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.http.get("/").status_code == 200
        except httpx.TransportError:
            return False

    def post(self, value: object) -> httpx.Response:
        """One call with JSON."""
        response = self.http.post("/", json=value)
        assert response.status_code == 200, response.text
        return response

    def stop(self) -> None:
        """Ends it."""
        self.http.close()
        self.process.kill()
        self.process.wait(PATIENCE_S)


@pytest.fixture
def package(platform: Platform) -> Callable[..., dict]:
    """`modelet package` for arm64, and what it says as JSON."""

    def package(*words: object) -> dict:
        return platform.cli_json("package", *words, *ARM)

    return package


@pytest.fixture
def emulated(package, tmp_path) -> Iterator[Callable[..., Emulated]]:
    """Packages a model for arm64, looks at the processor of all that is in it, and starts it."""
    running: list[Emulated] = []

    def start(path: Path, *words: object) -> Emulated:
        said = package(path, "-o", tmp_path / "arm64.zip", *words)
        assert said["processor"] == "arm64"
        found = machines(content(tmp_path / "arm64.zip"))
        assert "bootstrap" in found and set(found.values()) == {ARM64}, found
        folder = unzipped(tmp_path / "arm64.zip", tmp_path / f"unzipped-{len(running)}")
        running.append(Emulated(folder / "bootstrap", tmp_path / f"{len(running)}.log"))
        return running[-1]

    yield start
    for one in running:
        one.stop()


def content(archive: Path) -> dict[str, bytes]:
    """The files of a zip."""
    with zipfile.ZipFile(archive) as opened:
        return {entry.filename: opened.read(entry) for entry in opened.infolist()}


# -- models ----


@proof("Any container host", "a model for arm64 answers as on x86_64 (emulated)", QEMU)
def test_trees_answer_to_the_bit_as_here(emulated, platform, tmp_path):
    """scikit-learn's forest, which the engine of our own computes: float64 sums in the same order."""
    model = forest(tmp_path / "churn.joblib", 1)
    there = emulated(model, "--no-proof", "--for", "aws-lambda")
    here = platform.deploy(model, "here-forest")
    rows = np.random.default_rng(7).normal(0, 2, (500, 20)).tolist()
    assert there.post(rows).json()["outputs"] == here.post(rows).json()["outputs"]
    platform.cli("delete", "here-forest", "--yes")


@proof("Any container host", "a model for arm64 answers as on x86_64 (emulated)", QEMU)
def test_a_network_answers_within_its_tolerance(emulated, cases, tmp_path):
    """MiniLM by rten, whose kernels are others on each processor: held to the answers of Python's onnxruntime."""
    there = emulated(stage(cases["minilm"], tmp_path / "minilm", None, {}), "--engine", "rten")
    for call in cases["minilm"].calls[:1]:
        found = wire.json_outputs(there.post(wire.by_name(call.inputs)).json(), call)
        for name, expected in call.outputs.items():
            np.testing.assert_allclose(found[name], expected, rtol=1e-5, atol=APART, err_msg=f"{call.name}: {name}")


@pytest.mark.skipif(missing("-glibc") is not None, reason=str(missing("-glibc")))
def test_onnx_runtime_for_arm64_goes_along_and_answers(emulated, platform):
    """The runtime that loads libraries, with ONNX Runtime's library out of the pinned wheel for that processor."""
    said = platform.cli_json("engines", "install", *ARM)
    assert machines({"library": Path(said["path"]).read_bytes()}) == {"library": ARM64}
    there = emulated(IRIS, "--engine", "onnxruntime")
    here = platform.deploy(IRIS, "here-iris")
    rows = np.random.default_rng(8).uniform(0, 8, (50, 4)).tolist()
    found, expected = (one.post(rows).json()["outputs"] for one in (there, here))
    assert found["label"] == expected["label"]
    np.testing.assert_allclose(found["probabilities"], expected["probabilities"], rtol=1e-5, atol=1e-7)
    platform.cli("delete", "here-iris", "--yes")


def test_one_program_for_arm64_carries_its_model(package, tmp_path):
    """It finds the artifact behind itself."""
    package(IRIS, "--standalone", "--engine", "tabular", "-o", tmp_path / "iris")
    done = subprocess.run([EMULATOR, tmp_path / "iris", "--help"], capture_output=True, text=True, timeout=START_S, check=False)
    assert done.returncode == 0 and "--port" in done.stdout, done


# -- what is in artifacts ----


def test_the_same_model_is_the_same_artifact_and_another_for_another_processor(package, platform, tmp_path):
    here = package(IRIS, "-o", tmp_path / "a.zip")
    with elsewhere():
        there = package(IRIS, "-o", tmp_path / "b.zip")
    assert here["sha256"] == there["sha256"]
    other = platform.cli_json("package", IRIS, "-o", tmp_path / "c.zip")
    assert (other["processor"], other["source_sha256"]) == ("x86_64", here["source_sha256"])
    assert other["sha256"] != here["sha256"]


def test_an_image_says_that_it_is_for_arm64_and_is(package, tmp_path):
    """Its config, the index of its layout, and the programs in its layers; the same twice."""
    digests = set()
    for name in ("one", "two"):
        said = package(IRIS, "--image", "--engine", "tabular", "-o", tmp_path / name)
        digests.add(said["image"]["digest"])
    assert said["processor"] == "arm64" and len(digests) == 1
    blobs = tmp_path / "one" / "blobs" / "sha256"
    (entry,) = json.loads((tmp_path / "one" / "index.json").read_text())["manifests"]
    assert entry["platform"] == {"architecture": "arm64", "os": "linux"}
    manifest = json.loads((blobs / entry["digest"].removeprefix("sha256:")).read_text())
    config = json.loads((blobs / manifest["config"]["digest"].removeprefix("sha256:")).read_text())
    assert (config["architecture"], config["os"]) == ("arm64", "linux")
    found = {}
    for layer in manifest["layers"]:
        with tarfile.open(blobs / layer["digest"].removeprefix("sha256:")) as opened:
            found |= machines({entry.name: opened.extractfile(entry).read() for entry in opened if entry.isfile()})
    assert found == {"modelet/bootstrap": ARM64}


def test_code_for_arm64_gets_packages_for_it_and_is_tried_with_those_for_this_machine(package, tmp_path):
    """numpy, which is compiled: it is imported at the top level here, and what goes along is for arm64 alone."""
    files = {"app.py": "import numpy\n\n" + PLAIN, "requirements.txt": NUMPY}
    folder = functions.folder(tmp_path / "echo", files, LAMBDA)
    said = package(folder, "--for", "aws-lambda", "-o", tmp_path / "echo.zip")
    assert said["processor"] == "arm64" and said["lambda"]["runtime"] == "python3.11"
    packed = content(tmp_path / "echo.zip")
    found = machines(packed)
    assert len([name for name in found if name.startswith("packages/numpy/")]) > 5 and set(found.values()) == {ARM64}
    assert "numpy" in json.loads(packed["artifact.json"])["handler"]["imports"]


def test_code_with_a_library_for_arm64_is_packaged_for_that_alone_and_not_tried(package, platform, tmp_path):
    folder = functions.folder(tmp_path / "fast", {"app.py": PLAIN, "lib/fast.so": elf(ARM64)})
    package(folder, "-o", tmp_path / "fast.zip")
    assert machines(content(tmp_path / "fast.zip")) == {"bootstrap": ARM64, "files/lib/fast.so": ARM64}
    said = platform.cli("package", folder, *ARM, "-o", tmp_path / "fast.zip").stdout
    assert "not at all: lib/fast.so is for another processor" in said
    refused = platform.cli("package", folder, "-o", tmp_path / "x.zip", check=False)
    assert refused.returncode != 0 and "lib/fast.so is made for arm64, and the function runs on x86_64" in refused.stderr


# -- what is told ----


def test_a_check_for_arm64_says_what_was_read_and_what_was_run(platform, tmp_path):
    def checked(*words: object) -> dict:
        return {found["about"]: found for found in platform.cli_json("check", *words, *ARM)["findings"]}

    folder = functions.folder(tmp_path / "echo", {"app.py": "import numpy\n\n" + PLAIN, "requirements.txt": NUMPY}, LAMBDA)
    found = checked(folder, "--as", "aws-lambda", "--sample", "{}")
    assert found["binaries"]["what"].endswith(", of arm64") and found["binaries"]["verdict"] == "ok"
    assert found["machine"]["verdict"] == "note" and "it was run on x86_64" in found["machine"]["what"]
    assert found["call"]["verdict"] == "ok"
    folder = functions.folder(tmp_path / "fast", {"app.py": PLAIN, "lib/fast.so": elf(ARM64)})
    found = checked(folder, "--as", "aws-lambda", "--sample", "{}")
    assert found["machine"]["verdict"] == "warning" and found["machine"]["places"] == ["lib/fast.so"]
    assert "call" not in found


def test_what_cannot_be_made_for_arm64_is_refused_by_what_is_missing(platform, tmp_path, monkeypatch):
    """A target without that processor; no runtime; no library of ONNX Runtime."""

    def refused(*words: object) -> str:
        done = platform.cli(*words, *ARM, "-o", tmp_path / "x.zip", check=False)
        assert done.returncode != 0 and not (tmp_path / "x.zip").exists(), done.stdout
        return done.stderr

    assert "Cloud Run has x86_64 alone, not arm64" in refused("package", IRIS, "--for", "cloud-run")
    monkeypatch.setenv("MODELET_RUNTIMES", str(tmp_path))
    said = refused("package", IRIS)
    assert f"there is no runtime for arm64 to package; it was looked for at {tmp_path}" in said
    assert "scripts/runtimes.sh aarch64" in said
    monkeypatch.undo()
    if missing("-glibc") is None:
        monkeypatch.setenv("MODELET_ONNXRUNTIME", platform.cli_json("engines")[0]["path"])
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        said = refused("package", IRIS, "--engine", "onnxruntime")
        assert "ONNX Runtime for arm64 was not found" in said and "modelet engines install --arch arm64" in said
