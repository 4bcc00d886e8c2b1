"""The runtime by itself, as other hosts start their containers: on the paths and with the bodies that they document."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import applications
import httpx
import numpy as np
import pytest
import tritonclient.http as triton
import wire
from applications import asked
from emulator import free_port
from harness import PATIENCE_S, Function, eventually, find_binary
from test_lambda_runtime import artifact
from proofs import DOCUMENTATION, proof


class Container:
    """The program, with what a host says to it."""

    def __init__(self, log: Path, port: int, *arguments: str, **environment: str):
        self.log, self.port = log, port
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MODELET_"))}
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [find_binary().with_name("modelet-runtime"), *arguments],
                env=clean | environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S, trust_env=False)

    def is_ready(self, path: str, status: int) -> bool:
        """Whether a host's probe finds it ready."""
        try:
            return self.http.get(path).status_code == status
        except httpx.TransportError:
            return False

    def said(self) -> str:
        """What it wrote."""
        return self.log.read_text(errors="replace")

    def stop(self) -> int:
        """Tells it to end, as hosts do, and waits until it has."""
        self.process.send_signal(signal.SIGTERM)
        self.http.close()
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def iris(function) -> Function:
    """On a platform of ours, for comparison; its artifact is what is hosted elsewhere."""
    return function("iris-matrix")


@pytest.fixture
def rows(cases) -> np.ndarray:
    """Rows of iris, all different."""
    return next(iter(cases["iris-matrix"].call("batch32").inputs.values()))


@pytest.fixture
def host(tmp_path, iris) -> Iterator[Callable[..., Container]]:
    """Starts a container, waits until a probe finds it ready, and holds it to exit code 0 in the end."""
    running: list[Container] = []

    def start(probe: str, port: str, *arguments: str, ready: int = 200, **environment: str) -> Container:
        number = free_port()
        said = {port: str(number), "MODELET_ARTIFACT": str(artifact(iris))} | environment
        container = Container(tmp_path / f"container-{len(running)}.log", number, *arguments, **said)
        running.append(container)
        eventually(lambda: container.is_ready(probe, ready), what=f"{probe} is answered: {container.log}")
        return container

    yield start
    assert [container.stop() for container in running] == [0] * len(running)


@proof("SageMaker", "the runtime answers as its containers do", DOCUMENTATION)
def test_sagemaker_finds_a_container_of_its_own(host, iris, rows):
    """`serve`, /ping, /invocations: JSON of the built-in algorithms, CSV, npy, and attributes that come back."""
    container = host("/ping", "SAGEMAKER_BIND_TO_PORT", "serve")
    expected = iris.post({"instances": rows.tolist()}).json()
    features = {"instances": [{"features": row} for row in rows.tolist()]}
    said = {"x-amzn-sagemaker-custom-attributes": "trace=7"}
    answer = container.http.post("/invocations", json=features, headers=said)
    assert (answer.status_code, answer.json()) == (200, expected)
    assert answer.headers["x-amzn-sagemaker-custom-attributes"] == "trace=7"
    csv = "".join(",".join(map(str, row)) + "\n" for row in rows.tolist())
    for kind, content in (("text/csv", csv), ("application/x-npy", wire.npy_bytes(rows))):
        asked = {"content-type": kind, "accept": "text/csv"}
        found = container.http.post("/invocations", content=content, headers=asked)
        assert (found.status_code, found.text) == (200, iris.post(content=content, headers=asked).text)
    wrong = container.http.post("/invocations", json={"instances": [{"features": [1]}]})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "bad-input")
    assert "contract http: SageMaker (the argument is serve" in container.said()


@proof("SageMaker", "the runtime answers as its containers do", DOCUMENTATION)
def test_sagemaker_has_its_artifact_where_it_unpacks_models(tmp_path):
    """/opt/ml/model, when nothing else is said; what is not there is named."""
    port = free_port()
    container = Container(tmp_path / "log", port, "serve", SAGEMAKER_BIND_TO_PORT=str(port))
    assert container.process.wait(PATIENCE_S) == 2
    assert "could not read /opt/ml/model/artifact.json" in container.said()


@proof("Vertex AI", "the runtime answers as its containers do", DOCUMENTATION)
def test_vertex_finds_its_routes(host, iris, rows):
    """Health and predictions where the variables say; parameters that say something are refused."""
    path = "/v1/endpoints/7/deployedModels/9:predict"
    container = host("/health", "AIP_HTTP_PORT", AIP_HEALTH_ROUTE="/health", AIP_PREDICT_ROUTE=path, PORT="1")
    body = {"instances": rows.tolist()}
    answer = container.http.post(path, json=body | {"parameters": {}})
    assert (answer.status_code, answer.json()) == (200, iris.post(body).json())
    assert len(answer.json()["predictions"]) == len(rows)
    refused = container.http.post(path, json=body | {"parameters": {"top": 3}})
    assert (refused.status_code, refused.json()["error"]["field"]) == (400, "parameters")


@proof("Azure Machine Learning", "the runtime answers as its containers do", DOCUMENTATION)
def test_azure_machine_learning_scores(host, iris, rows):
    """/score, and the form of MLflow's models there, answered by a list."""
    container = host("/", "PORT", AZUREML_MODEL_DIR=str(artifact(iris)))
    columns = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    split = {"columns": columns, "index": list(range(len(rows))), "data": rows.tolist()}
    answer = container.http.post("/score", json={"input_data": split})
    assert (answer.status_code, answer.json()) == (200, iris.post({"dataframe_split": split}).json()["predictions"])
    assert container.http.post("/score", json=rows.tolist()).json() == iris.post(rows.tolist()).json()


@proof("Azure Functions", "the runtime is a custom handler", DOCUMENTATION)
def test_azure_functions_forwards_requests_and_sends_envelopes(host, iris, rows):
    """`/api/…` as /fn; a request in an envelope is answered by the output `res`, a message by the return value."""
    container = host("/", "FUNCTIONS_CUSTOMHANDLER_PORT", FUNCTIONS_APP_ROOT_PATH=str(artifact(iris)), PORT="1")
    expected = iris.post(rows.tolist())
    assert container.http.post("/api/iris", json=rows.tolist()).json() == expected.json()

    def sent(data: dict) -> httpx.Response:
        sys = {"MethodName": "iris", "UtcNow": "2026-11-24T23:00:00Z", "RandGuid": "5"}
        return container.http.post("/iris", json={"Data": data, "Metadata": {"sys": sys}})

    def asked(body: str) -> dict:
        request = {
            "Url": "http://h/api/iris",
            "Method": "POST",
            "Query": {},
            "Params": {},
            "Identities": [],
            "Body": body,
        }
        return {"req": request | {"Headers": {"Content-Type": ["application/json"]}}}

    response = sent(asked(json.dumps(rows.tolist()))).raise_for_status().json()["Outputs"]["res"]
    assert (response["statusCode"], json.loads(response["body"])) == ("200", expected.json())
    response = sent(asked("[[1]]")).raise_for_status().json()["Outputs"]["res"]
    assert (response["statusCode"], json.loads(response["body"])["error"]["code"]) == ("400", "bad-input")
    message = sent({"item": json.dumps(json.dumps(rows.tolist()))}).raise_for_status().json()
    assert json.loads(message["ReturnValue"]) == expected.json()
    assert sent({"item": json.dumps("no rows")}).status_code == 400, "the host may try it again"
    assert sent({"item": "1234"}).status_code == 400, "a number, or bytes"


@proof("Cloud Run and Cloud Functions", "the runtime answers requests and CloudEvents", DOCUMENTATION)
def test_cloud_run_sends_requests_and_events(host, iris, rows):
    """`POST /` as /fn; CloudEvents in binary and structured form; what is no event is a 400: not acknowledged."""
    container = host("/", "PORT", K_SERVICE="iris", K_REVISION="iris-00001", K_CONFIGURATION="iris")
    expected = iris.post(rows.tolist()).json()
    assert container.http.post("/", json=rows.tolist()).json() == expected
    attributes = {
        "specversion": "1.0",
        "id": "777",
        "source": "//s",
        "type": "google.cloud.pubsub.topic.v1.messagePublished",
    }
    headers = wire.JSON | {f"ce-{name}": value for name, value in attributes.items()}
    assert container.http.post("/", content=json.dumps(rows.tolist()), headers=headers).json() == expected
    structured = {"content-type": "application/cloudevents+json"}
    encoded = base64.b64encode(json.dumps(rows.tolist()).encode()).decode()
    for event in (attributes | {"data": rows.tolist()}, attributes | {"data_base64": encoded}):
        assert container.http.post("/", content=json.dumps(event), headers=structured).json() == expected
    assert container.http.post("/", content=json.dumps({"data": 1}), headers=structured).status_code == 400
    assert "contract http: Cloud Run or Knative, service iris" in container.said()


def test_a_port_alone_is_enough_for_our_own_protocols(host, iris, cases):
    """/fn, and KServe V2 by tritonclient."""
    container = host("/", "PORT")
    call = cases["iris-matrix"].call("batch32")
    answer = container.http.post("/fn/iris-matrix", json=wire.by_name(call.inputs))
    assert answer.json() == iris.post(wire.by_name(call.inputs)).json()
    client = triton.InferenceServerClient(f"127.0.0.1:{container.port}", network_timeout=60.0)
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("iris-matrix")
    wire.assert_same(wire.triton_infer(client, "iris-matrix", call), call.outputs, "by tritonclient")
    client.close()
    assert container.http.get("/nothing").status_code == 404


def test_an_application_has_its_own_paths(platform, host, tmp_path):
    """Every method and path is its own, those that mean something to a host included."""
    web = applications.deploy(platform, tmp_path / "web", "hosted-web")
    said = {"MODELET_ARTIFACT": str(artifact(web)), "MODELET_PYTHON": sys.executable}
    on_cloud_run = host("/any", "PORT", ready=201, K_SERVICE="web", **said)
    on_sagemaker = host("/ping", "SAGEMAKER_BIND_TO_PORT", "serve", ready=201, **said)
    for http in (on_cloud_run.http, on_sagemaker.http):
        assert http.get("/").json() == asked("GET", "/")
        assert http.post("/invocations?a=1", content="b").json() == asked("POST", "/invocations", "a=1", "b")
        assert http.delete("/items/7").json() == asked("DELETE", "/items/7")
        assert http.get("/raise").status_code == 500


def test_what_cannot_load_is_never_found_ready(tmp_path, iris):
    """It ends with exit code 1 and says why."""
    folder, port = tmp_path / "artifact", free_port()
    shutil.copytree(artifact(iris), folder)
    for file in (folder / "files").iterdir():
        file.write_bytes(b"damaged")
    container = Container(tmp_path / "log", port, PORT=str(port), MODELET_ARTIFACT=str(folder))
    assert container.process.wait(PATIENCE_S) == 1
    assert "could not load: " in container.said()
