"""Every real model answers as Python's onnxruntime does, in every body and over every protocol that fits it."""

from __future__ import annotations

import models
import numpy as np
import pytest
import wire
from proofs import TRITON, proof

pytestmark = proof("Clients", "the Open Inference Protocol (KServe V2), JSON and binary", TRITON)

NAMES = models.names("trained", "carried", "handmade")
TABLES = [name for name in NAMES if name.startswith(("iris", "tickets", "passthrough"))]
TICKETS_AND_IRIS = [name for name in TABLES if name != "passthrough"]
IRIS_COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
ONE_INPUT = [
    "boosting-classifier", "boosting-regressor", "external-weights", "float16", "iris-matrix", "lightgbm", "magika",
    "rapidocr-cls", "rapidocr-det",
]  # fmt: skip
#: Raw bytes say nothing of their shape: it must follow from the model's, with one free axis at most.
RAW_BYTES = [name for name in ONE_INPUT if not name.startswith("rapidocr")]
#: JSON has no word for infinities, the default policy writes null.
NON_FINITE = {"nonfinite"}


def columns(name: str) -> list[str] | None:
    """Names of the columns along the one matrix, where there is one."""
    return IRIS_COLUMNS if name.startswith("iris") else None


@pytest.mark.parametrize("name", NAMES)
def test_json_by_input_name_answers_as_the_reference(name, function, cases):
    """`{"inputs": {...}}`: every model, every call, classes of maps named."""
    for call in cases[name].calls:
        response = function(name).post(wire.by_name(call.inputs))
        assert response.status_code == 200, f"{call.name}: {response.text[:500]}"
        answer = wire.strict_json(response.content)
        found = wire.json_outputs(answer, call)
        wire.assert_same(found, call.outputs, call.name, infinity_is_nan=name in NON_FINITE)
        for output, classes in cases[name].classes.items():
            assert answer["classes"][output] == classes


@pytest.mark.parametrize("name", NAMES)
def test_tritonclient_checks_and_infers(name, function, cases, triton_client):
    """KServe V2 by Triton's own client: metadata, readiness, and every call with JSON tensors."""
    function(name)
    assert triton_client.is_model_ready(name)
    described = {i["name"]: i["datatype"] for i in triton_client.get_model_metadata(name)["inputs"]}
    for call in cases[name].calls:
        for key, value in call.inputs.items():
            assert described[key] == wire.np_to_triton_dtype(value.dtype)
        found = wire.triton_infer(triton_client, name, call)
        wire.assert_same(found, call.outputs, call.name, infinity_is_nan=name in NON_FINITE)


def test_tritonclient_lists_every_function(function, triton_client):
    """Server health and metadata, and the repository index with what is deployed."""
    function("iris-matrix")
    assert triton_client.is_server_live()
    assert triton_client.is_server_ready()
    assert triton_client.get_server_metadata()["name"]
    index = {model["name"]: model for model in triton_client.get_model_repository_index()}
    assert index["iris-matrix"]["state"] == "READY"


def test_tritonclient_reads_our_errors(function, triton_client):
    """A wrong name is an error with a sentence, not a crash of the client."""
    assert not triton_client.is_model_ready("no-such-function")
    with pytest.raises(wire.triton.InferenceServerException, match="no-such-function"):
        triton_client.get_model_metadata("no-such-function")


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("backwards", [False, True], ids=["in-order", "backwards"])
def test_rows_as_objects_bind_by_name(name, backwards, function, cases):
    """A list of objects, its keys in the model's order and in the opposite one; and one object alone."""
    for call in cases[name].calls:
        if call.name == "none":
            continue
        rows = wire.records(call.inputs, columns(name), backwards=backwards)
        for body in [rows] + ([rows[0]] if len(rows) == 1 else []):
            response = function(name).post(body)
            assert response.status_code == 200, response.text[:500]
            wire.assert_same(wire.json_outputs(response.json(), call), call.outputs, call.name)


@pytest.mark.parametrize("name", TABLES)
def test_bare_rows_bind_by_position(name, function, cases):
    """`[[…], […]]`, values in the model's order."""
    for call in cases[name].calls:
        if call.name == "none":
            continue
        response = function(name).post(wire.table(call.inputs))
        assert response.status_code == 200, response.text[:500]
        wire.assert_same(wire.json_outputs(response.json(), call), call.outputs, call.name)


@pytest.mark.parametrize("name", TICKETS_AND_IRIS)
def test_instances_are_answered_with_predictions(name, function, cases):
    """`{"instances": […]}` as Vertex and TensorFlow Serving have it: one prediction a row, labels equal."""
    call = cases[name].call("batch32")
    label = next(key for key in call.outputs if "label" in key)
    for rows in (wire.table(call.inputs), wire.records(call.inputs, columns(name))):
        response = function(name).post({"instances": rows})
        assert response.status_code == 200, response.text[:500]
        predictions = response.json()["predictions"]
        assert [prediction[label] for prediction in predictions] == call.outputs[label].tolist()


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("form", ["header", "backwards", "no-header"])
def test_csv_with_and_without_header(name, form, function, cases):
    """CSV: by header in both orders, by position without one."""
    for call in cases[name].calls:
        if call.name == "none":
            continue
        body = wire.csv_text(call.inputs, columns(name), header=form != "no-header", backwards=form == "backwards")
        response = function(name).post(content=body.encode(), headers=wire.CSV)
        assert response.status_code == 200, response.text[:500]
        wire.assert_same(wire.json_outputs(response.json(), call), call.outputs, call.name)


@pytest.mark.parametrize("name", ONE_INPUT)
def test_npy_in_and_out(name, function, cases):
    """A .npy body, and each output as .npy by `Accept`: the same bits as the reference, or within the tolerance."""
    for call in cases[name].calls:
        (value,) = call.inputs.values()
        for output, expected in call.outputs.items():
            response = function(name).post(
                content=wire.npy_bytes(value),
                headers=wire.NPY | {"accept": "application/x-npy"},
                params={"output": output},
            )
            assert response.status_code == 200, response.text[:500]
            assert response.headers["content-type"] == "application/x-npy"
            found = wire.read_npy(response.content)
            assert found.dtype == expected.dtype
            wire.assert_same({output: found}, {output: expected}, call.name)


def test_npy_in_fortran_order_and_big_endian(function, cases):
    """What numpy can write, we read: column-major and big-endian arrays give the same answer."""
    call = cases["iris-matrix"].call("batch32")
    for value in (np.asfortranarray(call.inputs["X"]), call.inputs["X"].astype(">f4")):
        response = function("iris-matrix").post(content=wire.npy_bytes(value), headers=wire.NPY)
        assert response.status_code == 200, response.text[:500]
        wire.assert_same(wire.json_outputs(response.json(), call), call.outputs, str(value.dtype))


@pytest.mark.parametrize("name", RAW_BYTES)
def test_raw_bytes_for_models_with_one_input(name, function, cases):
    """Little-endian elements, nothing else: the number of rows follows from the length."""
    for call in cases[name].calls:
        if call.name == "none":
            continue
        (value,) = call.inputs.values()
        response = function(name).post(content=value.tobytes(), headers=wire.RAW)
        assert response.status_code == 200, response.text[:500]
        wire.assert_same(wire.json_outputs(response.json(), call), call.outputs, call.name)


def test_csv_out(function, cases):
    """`Accept: text/csv` with `?output=`: one line a row, numbers that read back the same."""
    call = cases["iris-matrix"].call("batch32")
    response = function("iris-matrix").post(
        wire.by_name(call.inputs), headers={"accept": "text/csv"}, params={"output": "probabilities"}
    )
    assert response.status_code == 200, response.text[:500]
    assert response.headers["content-type"].startswith("text/csv")
    lines = [line.split(",") for line in response.text.splitlines()]
    numbers = [line for line in lines if _is_number(line[0])]
    assert len(lines) - len(numbers) <= 1, "at most one line of names"
    wire.assert_same(
        {"probabilities": np.array(numbers, dtype=np.float32)}, {"probabilities": call.outputs["probabilities"]}, "csv"
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_a_function_explains_itself(function):
    """`GET /fn/NAME` names inputs, their known categories, outputs and limits, and shows curl lines."""
    explained = function("tickets-matrix").platform.http.get(
        "/fn/tickets-matrix", headers={"accept": "application/json"}
    )
    assert explained.status_code == 200
    for word in ("text", "plan", "age", "spend", "probabilities", "request_timeout_ms", "curl"):
        assert word in explained.text, word
    for plan in ("free", "pro", "team"):
        assert f'"{plan}"' in explained.text, "categories of the encoder"


def test_an_answer_says_who_gave_it_and_where_the_time_went(function, cases):
    """Headers of every answer: invocation, version, instance, Server-Timing."""
    headers = function("iris-matrix").post(wire.by_name(cases["iris-matrix"].call("one").inputs)).headers
    assert headers["x-modelet-version"] == "1"
    assert len(headers["x-modelet-invocation"]) >= 10
    assert headers["x-modelet-instance"]
    (timing,) = headers.get_list("server-timing")
    assert "dur=" in timing


def test_the_admin_api_is_described(platform):
    """`/openapi.json` is an OpenAPI 3 file whose paths include the functions'."""
    document = platform.http.get("/openapi.json").raise_for_status().json()
    assert document["openapi"].startswith("3.")
    assert any(path.startswith("/api/v1/functions") for path in document["paths"])
