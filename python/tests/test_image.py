"""A function as a container image: built without a daemon, pushed to a registry, pulled, and run by podman with runc, as strictly as
hosts do: nobody's user, no capability, a read-only root."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


import functions
import pytest
import yaml
from containers import PASSWORD, Hosted, Podman, Registry, layout, needs_containers, python_image, tool
from emulator import PATH, find_emulator, free_port
from harness import PATIENCE_S, ROOT, Platform, eventually
from packaged import elsewhere, forest
from proofs import CONTAINERS, DOCUMENTATION, EMULATOR, proof
from test_applications import FASTAPI
from test_lambda_invoke import http_event

pytestmark = needs_containers

IRIS = ROOT / "examples" / "iris"
ROW = [[5.1, 3.5, 1.4, 0.2]]
#: What a strict user would take for "the image of a small model".
LIMIT_BYTES = 20_000_000


@pytest.fixture(scope="module")
def registry(tmp_path_factory) -> Iterator[Registry]:
    """A registry, with this machine's Python as an image to stand on."""
    folder = tmp_path_factory.mktemp("registry")
    running = Registry(folder / "registry")
    base = python_image(folder / "python")
    tool("skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{base}", f"docker://{running.host}/python:slim")
    shutil.rmtree(base)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def podman() -> Iterator[Podman]:
    """Podman with a store of its own."""
    running = Podman()
    yield running
    running.close()


@pytest.fixture(scope="module")
def package(platform: Platform) -> Callable[..., dict]:
    """`modelet package`, and what it says as JSON."""

    def package(*words: object) -> dict:
        return platform.cli_json("package", *words, "--image")

    return package


@pytest.fixture(scope="module")
def pushed(package, registry, podman) -> Callable[..., str]:
    """Brings a function to the registry as an image, and from there to podman; the image's name."""
    known: dict[str, str] = {}

    def pushed(path: Path, name: str, *words: object) -> str:
        if name not in known:
            said = package(path, "--push", f"{registry.host}/{name}:1", "--name", name, *words)
            known[name] = said["image"]["reference"]
            podman.pull(known[name])
        return known[name]

    return pushed


@pytest.fixture(scope="module")
def iris_image(pushed) -> str:
    """The sample model's image."""
    return pushed(IRIS, "iris")


@pytest.fixture(scope="module")
def web_image(pushed, registry, tmp_path_factory) -> str:
    """The image of an application of FastAPI."""
    files = {"app.py": FASTAPI, "requirements.txt": functions.WEB}
    folder = functions.folder(tmp_path_factory.mktemp("code") / "web", files)
    return pushed(folder, "web", "--base", f"{registry.host}/python:slim")


@pytest.fixture
def expected(platform: Platform) -> object:
    """What the sample model answers here."""
    return platform.deploy(IRIS, "iris-expected").post(ROW).json()


@proof("Any container host", "the same image from the same files, small, layered", CONTAINERS)
def test_the_same_model_is_the_same_image_and_a_new_one_sends_its_own_layer(package, registry, tmp_path):
    """Whatever the folder, the umask, the locale and the time zone."""
    one = package(forest(tmp_path / "a" / "churn.joblib", 1), "--push", f"{registry.host}/churn:1")
    with elsewhere():
        again = package(forest(tmp_path / "b" / "churn.joblib", 1), "-o", tmp_path / "churn.tar")
    assert again["image"]["digest"] == one["image"]["digest"]
    assert one["image"]["size_bytes"] <= LIMIT_BYTES
    assert one["image"]["sent_bytes"] == one["image"]["size_bytes"] - registry.manifest_bytes("churn:1")
    third = package(forest(tmp_path / "c" / "churn.joblib", 2), "--push", f"{registry.host}/churn:2")
    layers = {layer["part"]: layer["compressed_bytes"] for layer in third["image"]["layers"]}
    assert third["image"]["sent_bytes"] < layers["function"] + 10_000 < layers["runtime"] / 2
    # Others read it.
    assert registry.manifest("churn:1")["config"]["digest"].startswith("sha256:")
    shown = json.loads(tool("skopeo", "inspect", f"oci-archive:{tmp_path / 'churn.tar'}"))
    assert (shown["Digest"], shown["Architecture"], shown["Os"]) == (one["image"]["digest"], "amd64", "linux")


@proof("Cloud Run and Cloud Functions", "the image answers as its containers do", DOCUMENTATION)
@proof("Any container host", "the image runs as nobody, on a read-only root", CONTAINERS)
def test_a_host_that_names_a_port_gets_answers(podman, iris_image, expected):
    """Cloud Run's contract: PORT and K_SERVICE. Nothing of the image is root's to change or anybody's to write."""
    hosted = podman.start(iris_image, K_SERVICE="iris", K_REVISION="iris-1", K_CONFIGURATION="iris")
    assert hosted.http.post("/", json=ROW).json() == expected
    assert hosted.http.post("/", json=[["x"]]).status_code == 400
    pid = int(tool(*podman.words, "inspect", "--format", "{{.State.Pid}}", hosted.name))
    status = Path(f"/proc/{pid}/status").read_text()
    assert "Uid:\t65532\t65532" in status and "CapEff:\t0000000000000000" in status
    assert '"severity":' in hosted.said()
    assert hosted.stop() == 0


@proof("SageMaker", "the image answers as its containers do", DOCUMENTATION)
def test_sagemaker_serves_it(podman, iris_image, platform):
    """The argument `serve`, /ping and /invocations."""
    expected = platform.deploy(IRIS, "iris-expected").post({"instances": ROW}).json()
    hosted = podman.start(iris_image, "serve", probe="/ping", SAGEMAKER_BIND_TO_PORT="PORT")
    answer = hosted.http.post("/invocations", json={"instances": ROW})
    assert answer.json() == expected
    assert hosted.http.post("/invocations", content="5.1,3.5,1.4,0.2\n", headers={"content-type": "text/csv"}).is_success
    assert hosted.stop() == 0


@proof("Vertex AI", "the image answers as its containers do", DOCUMENTATION)
def test_vertex_predicts_with_it(podman, iris_image):
    """Its variables say the port and the paths."""
    route = "/v1/endpoints/7/deployedModels/9:predict"
    said = {"AIP_HTTP_PORT": "PORT", "AIP_HEALTH_ROUTE": "/health", "AIP_PREDICT_ROUTE": route}
    hosted = podman.start(iris_image, probe="/health", **said)
    assert len(hosted.http.post(route, json={"instances": ROW * 3}).json()["predictions"]) == 3
    assert hosted.stop() == 0


@proof("Azure Machine Learning", "the image answers as its containers do", DOCUMENTATION)
def test_azure_machine_learning_scores_with_it(podman, iris_image):
    """Its variable names a folder that has no artifact: the image's own is taken."""
    hosted = podman.start(iris_image, AZUREML_MODEL_DIR="/var/azureml-app")
    assert hosted.http.post("/score", json={"input_data": ROW}).is_success
    assert hosted.stop() == 0


@proof("Knative", "the image drains when it is told to end", CONTAINERS)
def test_a_call_that_is_worked_on_when_the_host_says_to_end_is_answered(podman, pushed, registry, tmp_path):
    """SIGTERM within a call, as Knative and Cloud Run send it."""
    slow = "import time\n\ndef lambda_handler(event, context):\n    time.sleep(1.5)\n    return 'done'\n"
    folder = functions.folder(tmp_path / "slow", {"app.py": slow})
    image = pushed(folder, "slow", "--base", f"{registry.host}/python:slim")
    hosted = podman.start(image, K_SERVICE="slow", K_REVISION="slow-1", K_CONFIGURATION="slow")
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(hosted.http.post, "/", json={})
        time.sleep(0.5)
        tool(*podman.words, "kill", "--signal", "TERM", hosted.name)
        assert call.result(PATIENCE_S).json() == "done"
    assert int(tool(*podman.words, "wait", hosted.name)) == 0
    podman.running.remove(hosted)


@proof("Any container host", "Python code in an image that stands on another", CONTAINERS)
def test_an_application_with_packages_stands_on_an_image_with_its_python(podman, web_image):
    """FastAPI, its packages in a layer of their own."""
    hosted = podman.start(web_image, probe="/begun", K_SERVICE="web")
    assert hosted.http.get("/items/7?q=x").json() == {"item": 7, "q": "x", "mine": None}
    assert hosted.http.get("/items/seven").status_code == 422
    assert hosted.stop() == 0


@proof("Any container host", "ONNX Runtime in an image that stands on another", CONTAINERS)
def test_a_model_of_onnx_runtime_brings_the_library(podman, pushed, registry, expected):
    """The library lies in a layer of its own, and what it is linked with in the image below."""
    words = ("--engine", "onnxruntime", "--base", f"{registry.host}/python:slim")
    hosted = podman.start(pushed(IRIS, "iris-ort", *words), K_SERVICE="iris")
    assert hosted.http.post("/", json=ROW).json()["outputs"].keys() == expected["outputs"].keys()
    assert hosted.stop() == 0


@pytest.fixture
def on_lambda(podman) -> Callable[[str], Hosted]:
    """Starts an image with AWS' emulator as its first program, which starts the image's own, on a read-only root."""

    def start(image: str) -> Hosted:
        port = free_port()
        addresses = ("--runtime-interface-emulator-address", f"127.0.0.1:{port}", "--runtime-api-address")
        options = ("--volume", f"{find_emulator()}:/rie:ro", "--entrypoint", "/rie")
        command = (*addresses, f"127.0.0.1:{free_port()}", "/modelet/bootstrap")
        hosted = podman.run(image, *command, options=options, port=port)
        eventually(lambda: hosted.is_ready("/", 404), what="the emulator listens")
        return hosted

    return start


@proof("AWS Lambda", "the image runs: a model", EMULATOR)
def test_the_image_of_a_model_answers_on_lambda(on_lambda, iris_image, expected):
    """A body, an event of API Gateway, and what is wrong."""
    hosted = on_lambda(iris_image)
    assert hosted.http.post(PATH, json=ROW).json() == expected
    answer = hosted.http.post(PATH, json=http_event(json.dumps(ROW))).json()
    assert (answer["statusCode"], json.loads(answer["body"])) == (200, expected)
    assert hosted.http.post(PATH, json=[["x"]]).json()["errorType"] == "Function.BadInput"
    assert "contract lambda" in hosted.said()
    hosted.stop()


@proof("AWS Lambda", "the image runs: FastAPI", EMULATOR)
def test_the_image_of_an_application_answers_on_lambda(on_lambda, web_image):
    """An event of API Gateway is a request of its own."""
    hosted = on_lambda(web_image)

    def get(path: str) -> dict:
        http = {"method": "GET", "path": path, "protocol": "HTTP/1.1"}
        return hosted.http.post(PATH, json=http_event("", rawPath=path, requestContext={"http": http})).json()

    answer = get("/items/7")
    assert (answer["statusCode"], json.loads(answer["body"])["item"]) == (200, 7)
    assert get("/items/seven")["statusCode"] == 422
    hosted.stop()


def test_a_saved_image_is_loaded_by_podman(package, podman, expected, tmp_path):
    """`-o FILE.tar` is an archive that others load."""
    said = package(IRIS, "-o", tmp_path / "iris.tar")
    assert said["saved"] == str(tmp_path / "iris.tar")
    name = tool(*podman.words, "load", "-q", "-i", tmp_path / "iris.tar").split("Loaded image: ")[1].strip()
    hosted = podman.start(name, K_SERVICE="iris")
    assert hosted.http.post("/", json=ROW).json() == expected
    assert hosted.stop() == 0


def test_a_registry_that_wants_to_know_who_asks_is_told(platform, tmp_path):
    """Nobody, a wrong password, the right one on standard input, and what `podman login` keeps."""
    registry = Registry(tmp_path / "locked", locked=True)
    words = ("package", IRIS, "--image", "--push", f"{registry.host}/iris:1", "--json")
    try:
        refused = platform.cli(*words, check=False)
        assert refused.returncode != 0 and "target-denied" in refused.stderr and "login" in refused.stderr
        wrong = platform.cli(*words, "--registry-user", "me", check=False, stdin="wrong\n")
        assert wrong.returncode != 0 and "target-denied" in wrong.stderr and "wrong" not in wrong.stderr
        said = json.loads(platform.cli(*words, "--registry-user", "me", stdin=f"{PASSWORD}\n").stdout)
        assert said["image"]["sent_bytes"] > 0
        login = ("podman", "login", "--tls-verify=false", "-u", "me", "--password-stdin", registry.host)
        tool(*login, "--authfile", tmp_path / "auth.json", input=PASSWORD)
        environment = platform.environment() | {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}
        again = subprocess.run([platform.binary, *map(str, words)], capture_output=True, text=True, env=environment)
        assert json.loads(again.stdout)["image"]["sent_bytes"] == 0
    finally:
        registry.stop()


def test_an_image_with_another_python_is_refused(platform, registry, tmp_path):
    """The base says which Python it has, as python:X.Y does."""
    base = layout(tmp_path / "base", {}, ["PYTHON_VERSION=3.9.1"])
    tool("skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{base}", f"docker://{registry.host}/old:1")
    folder = functions.folder(tmp_path / "code", {"app.py": "def lambda_handler(event, context):\n    return 1\n"})
    done = platform.cli("package", folder, "--image", "--base", f"{registry.host}/old:1", check=False)
    assert done.returncode != 0 and "has Python 3.9.1" in done.stderr


@proof("Knative", "files for it", DOCUMENTATION)
@proof("Cloud Run and Cloud Functions", "files for it", DOCUMENTATION)
def test_files_for_hosts_name_the_image_by_its_digest(package, registry, podman, expected, tmp_path):
    """`--files`: what gcloud and kubectl take, and a script that runs it here."""
    said = package(IRIS, "--push", f"{registry.host}/iris-files:1", "--files", tmp_path / "files")
    reference = said["image"]["reference"]
    assert sorted(said["files"]) == sorted(path.name for path in (tmp_path / "files").iterdir())
    for name in ("knative.yaml", "cloud-run.yaml"):
        service = yaml.safe_load((tmp_path / "files" / name).read_text())
        spec = service["spec"]["template"]["spec"]
        assert (service["apiVersion"], spec["containers"][0]["image"]) == ("serving.knative.dev/v1", reference)
        assert spec["containers"][0]["ports"] == [{"name": "http1", "containerPort": 8080}]
    podman.pull(reference)
