"""`modelet package`: a zip that is the same wherever it is made, and one program that serves a model with nothing beside it."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import functions
import httpx
import pytest
from emulator import free_port
from harness import PATIENCE_S, ROOT, Platform, eventually, stage
from packaged import elsewhere, forest, modes, unzipped
from recipes import sentences

IRIS = ROOT / "examples" / "iris"
ROW = [[5.1, 3.5, 1.4, 0.2]]
#: What a strict user would take for "the zip of a small model".
LIMIT_BYTES = 15_000_000
ECHO = "def lambda_handler(event, context):\n    return event\n"
#: Shows a folder as the whole file system, which cannot be written to, and starts a program of it there.
ALONE = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && cd "$1" && shift && exec chroot . "$@"'


@pytest.fixture
def package(platform: Platform) -> Callable[..., dict]:
    """`modelet package`, and what it says as JSON."""

    def package(*words: object) -> dict:
        return platform.cli_json("package", *words)

    return package


@pytest.fixture
def refused(platform: Platform) -> Callable[..., str]:
    """What `modelet package` says that must not package anything."""

    def refused(*words: object) -> str:
        done = platform.cli("package", *words, check=False)
        assert done.returncode != 0, done.stdout
        return done.stderr

    return refused


class Program:
    """One program, alone in a file system that it cannot write to."""

    def __init__(self, path: Path, *arguments: str, log: Path):
        assert [path] == list(path.parent.iterdir()), "there is nothing else"
        self.port, self.log = free_port(), log
        words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", ALONE, "alone", path.parent]
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [*words, f"/{path.name}", "--port", str(self.port), *arguments],
                env={}, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE_S, trust_env=False)
        eventually(self._is_ready, what=f"it answers: {log}")

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.http.get("/").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        """Tells it to end."""
        self.http.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def alone(package, tmp_path) -> Iterator[Callable[..., Program]]:
    """Makes one program of a model and starts it alone."""
    running: list[Program] = []

    def start(path: Path, name: str, *words: object) -> Program:
        folder = tmp_path / f"{name}-root"
        folder.mkdir()
        said = package(path, "--standalone", "--name", name, "-o", folder / name, *words)
        assert (said["form"], said["size_bytes"]) == ("standalone", (folder / name).stat().st_size)
        running.append(Program(folder / name, log=tmp_path / f"{name}.log"))
        return running[-1]

    yield start
    for program in running:
        assert program.stop() == 0


# -- a zip ----


def test_the_same_model_is_the_same_zip(package, tmp_path):
    """Whatever the folder, the umask, the locale and the time zone; and it is small."""
    here = package(forest(tmp_path / "a" / "churn.joblib", 1), "--for", "aws-lambda", "-o", tmp_path / "a.zip")
    with elsewhere():
        there = package(forest(tmp_path / "b" / "churn.joblib", 1), "--for", "aws-lambda", "-o", tmp_path / "b.zip")
    assert (there["sha256"], there["size_bytes"]) == (here["sha256"], here["size_bytes"])
    assert here["size_bytes"] == (tmp_path / "a.zip").stat().st_size <= LIMIT_BYTES
    assert here["unzipped_bytes"] < here["unzipped_limit_bytes"] == 262_144_000
    found = modes(tmp_path / "a.zip")
    assert list(found) == sorted(found)
    assert {name for name, mode in found.items() if mode == "0o755"} == {"bootstrap"}
    another = package(forest(tmp_path / "c" / "churn.joblib", 2), "-o", tmp_path / "c.zip")
    assert another["sha256"] != here["sha256"]


def test_the_same_code_is_the_same_zip_with_its_packages_and_their_bytecode(package, tmp_path):
    """Programs that pip puts beside packages are left out."""
    files = {"app.py": "import fastapi\n\n" + ECHO, "requirements.txt": functions.WEB}
    here = package(functions.folder(tmp_path / "a" / "echo", files), "-o", tmp_path / "a.zip")
    with elsewhere():
        there = package(functions.folder(tmp_path / "b" / "echo", files), "-o", tmp_path / "b.zip")
    assert there["sha256"] == here["sha256"]
    found = modes(tmp_path / "a.zip")
    assert {"bootstrap", "artifact.json", "files/app.py", "packages/fastapi/__init__.py"} <= found.keys()
    assert any(name.startswith("packages/fastapi/__pycache__/") for name in found)
    assert not any(name.startswith("packages/bin/") for name in found)
    sizes = {part["part"]: part["size_bytes"] for part in here["parts"]}
    assert sum(sizes.values()) == here["unzipped_bytes"]
    assert here["largest_packages"][0]["size_bytes"] < sizes["packages"]


def test_lambda_is_told_how_to_start_it(package, tmp_path):
    """A model by a program of its own; code within Lambda's own Python, whose place the runtime takes."""
    model = package(IRIS, "--for", "aws-lambda", "-o", tmp_path / "iris.zip")
    assert model["lambda"] == {"runtime": "provided.al2023", "handler": "bootstrap", "environment": {}}
    folder = functions.folder(tmp_path / "echo", {"app.py": ECHO}, {"python": {"version": "3.11"}})
    code = package(folder, "--for", "aws-lambda", "-o", tmp_path / "echo.zip")
    wrapper = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/bootstrap"}
    assert code["lambda"] == {"runtime": "python3.11", "handler": "app.lambda_handler", "environment": wrapper}
    assert "lambda" not in package(IRIS, "-o", tmp_path / "any.zip")


def test_what_is_too_large_for_lambda_is_refused_with_two_ways_out(refused, package, tmp_path):
    """Case S58; nothing is written. Other hosts take it."""
    folder = functions.folder(tmp_path / "large", {"app.py": ECHO})
    with (folder / "weights.bin").open("wb") as file:
        file.truncate(262_144_000)
    said = refused(folder, "--for", "aws-lambda", "-o", tmp_path / "large.zip")
    assert "AWS Lambda takes 262144000 bytes unzipped" in said and "container image" in said
    assert not (tmp_path / "large.zip").exists()
    assert package(folder, "-o", tmp_path / "large.zip")["size_bytes"] < LIMIT_BYTES


def test_what_cannot_be_packaged_is_refused_by_name(refused, tmp_path):
    """A limit that the target does not have, another processor, a place within the folder, no runtime, a wrong one."""
    folder = functions.folder(tmp_path / "echo", {"app.py": ECHO}, timeout_ms=1)
    assert "timeout_ms" in refused(folder, "-o", tmp_path / "x.zip")
    folder = functions.folder(tmp_path / "echo", {"app.py": ECHO})
    assert "request_timeout_ms up to 900000" in refused(folder, "--for", "aws-lambda", "--set", "request_timeout_ms=900001")
    assert "the processors are x86_64 and arm64" in refused(folder, "--arch", "riscv64")
    assert "within the folder" in refused(folder, "-o", folder / "echo.zip")
    assert "looked for at /no/such" in refused(folder, "--runtime", "/no/such", "-o", tmp_path / "x.zip")
    assert "has to need nothing" in refused(folder, "--runtime", "/bin/sh", "-o", tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


def test_a_model_of_onnx_runtime_has_its_library_and_a_runtime_for_older_systems(package, platform, tmp_path):
    """What the runtime asks of glibc is held to that of AWS Lambda when it is packaged; it answers with what lies beside it."""
    said = package(IRIS, "--engine", "onnxruntime", "-o", tmp_path / "iris.zip")
    assert [part["part"] for part in said["parts"]] == ["runtime", "engine", "function"]
    folder = unzipped(tmp_path / "iris.zip", tmp_path / "unzipped")
    port, log = free_port(), tmp_path / "log"
    environment = {"PORT": str(port), "PATH": "/usr/bin:/bin"}
    with log.open("wb") as out:
        process = subprocess.Popen([folder / "bootstrap"], env=environment, stdout=out, stderr=subprocess.STDOUT, cwd="/")
    try:
        address = f"http://127.0.0.1:{port}/"

        def answers() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                return httpx.get(address, trust_env=False).status_code == 200
            except httpx.TransportError:
                return False

        eventually(answers, what="it answers")
        expected = platform.deploy(IRIS, "iris-packaged").post(ROW).json()
        assert httpx.post(address, json=ROW, trust_env=False).json()["outputs"]["label"] == expected["outputs"]["label"]
    finally:
        process.kill()
        process.wait(PATIENCE_S)


# -- one program ----


def test_one_program_serves_a_model_in_an_empty_root(alone, platform):
    """No /proc, no /tmp, no library, nothing to write to: the same answers as the platform's, in each protocol."""
    program = alone(IRIS, "iris")
    here = platform.deploy(IRIS, "iris-alone")
    assert program.http.post("/", json=ROW).json() == here.post(ROW).json()
    assert program.http.post("/fn/iris", json=ROW).json() == here.post(ROW).json()
    inputs = [{"name": "X", "shape": [1, 4], "datatype": "FP32", "data": ROW[0]}]
    assert program.http.post("/v2/models/iris/infer", json={"inputs": inputs}).status_code == 200
    assert program.http.post("/", json=[["x"]]).json()["error"]["code"] == "bad-input"
    assert f"listening on http://127.0.0.1:{program.port}" in program.log.read_text()


def test_one_program_carries_tokenizer_and_weights(alone, platform, cases, tmp_path):
    """MiniLM under rten, whose weights lie in a file beside the model: the same vectors of texts as on the platform."""
    folder = stage(cases["minilm"], tmp_path / "minilm", {"engine": "rten"}, {})
    ignored = shutil.ignore_patterns("*.safetensors", "modelet.toml")
    shutil.copytree(sentences.folder(), folder, ignore=ignored, dirs_exist_ok=True)
    here = platform.deploy(folder, "minilm-alone")
    body = {"text": ["The cat sits outside", "Ünïcödé 北京", ""]}
    program = alone(folder, "minilm")
    answer = program.http.post("/", json=body)
    assert answer.status_code == 200 and answer.json() == here.post(body).json()


def test_one_program_says_what_it_is_and_what_is_wrong(package, tmp_path):
    """--help, --version, words that make no sense, a damaged byte, a cut."""
    path = tmp_path / "iris"
    package(IRIS, "--standalone", "-o", path)

    def run(*words: str, program: Path = path) -> subprocess.CompletedProcess:
        return subprocess.run([program, *words], capture_output=True, text=True, timeout=PATIENCE_S, env={}, check=False)

    told = run("--help")
    assert (told.returncode, told.stderr) == (0, "") and "--address A" in told.stdout
    assert run("--version").stdout.startswith("iris: iris, made by modelet ")
    wrong = run("--workers", "2")
    assert (wrong.returncode, wrong.stdout) == (2, "") and "there is no --workers" in wrong.stderr
    content = path.read_bytes()
    for name, damaged in (("bit", content[:-100] + bytes([content[-100] ^ 1]) + content[-99:]), ("cut", content[:-1])):
        other = tmp_path / name
        other.write_bytes(damaged)
        other.chmod(0o755)
        done = run(program=other)
        assert done.returncode == 2 and ("damaged or cut" in done.stderr or "PORT is not set" in done.stderr), done


def test_what_one_program_cannot_serve_is_refused(refused, tmp_path):
    """Code, and models that only ONNX Runtime computes."""
    folder = functions.folder(tmp_path / "echo", {"app.py": ECHO})
    assert "it is Python code" in refused(folder, "--standalone", "-o", tmp_path / "x")
    said = refused(IRIS, "--standalone", "--engine", "onnxruntime", "-o", tmp_path / "x")
    assert "onnxruntime computes this model" in said and "a zip or an image" in said
    assert not (tmp_path / "x").exists()
