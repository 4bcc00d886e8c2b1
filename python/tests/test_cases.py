"""Failures that people reported against other tools (shared/cases.md); the id of each is in its docstring.

S32 and S44 are in test_scaling.py.
"""

from __future__ import annotations

import gzip
import io
import json
import socket
import time
import zipfile
from urllib.parse import urlsplit

import models
import numpy as np
import pytest
import wire
from burst import in_background
from harness import CliFailed, eventually


def infer(function, *inputs: dict):
    """A KServe V2 call, its JSON written by hand."""
    return function.platform.http.post(f"/v2/models/{function.name}/infer", json={"inputs": list(inputs)})


def tickets_v2(**changed) -> list[dict]:
    """The four columns of the tickets model, two rows, as V2 tensors; the text tensor may be changed."""
    text = {"name": "text", "shape": [2, 1], "datatype": "BYTES", "data": ["late invoice", "URGENT outage"]} | changed
    return [
        text,
        {"name": "plan", "shape": [2, 1], "datatype": "BYTES", "data": ["pro", "free"]},
        {"name": "age", "shape": [2, 1], "datatype": "FP32", "data": [30, 40]},
        {"name": "spend", "shape": [2, 1], "datatype": "FP32", "data": [10.5, 99]},
    ]


# -- models and their files ----


def test_a_classifier_with_maps_gives_labels_and_a_matrix_with_class_names(function, cases):
    """S06: `seq(map(string, float))` over /fn and V2."""
    iris, call = function("iris-zipmap"), cases["iris-zipmap"].call("one")
    answer = iris.post(wire.by_name(call.inputs)).json()
    assert answer["outputs"]["output_label"] == ["setosa"]
    assert answer["classes"]["output_probability"] == ["setosa", "versicolor", "virginica"]
    assert np.shape(answer["outputs"]["output_probability"]) == (1, 3)
    row = {"name": "X", "shape": [1, 4], "datatype": "FP32", "data": call.inputs["X"].ravel().tolist()}
    outputs = {output["name"]: output for output in infer(iris, row).raise_for_status().json()["outputs"]}
    assert outputs["output_label"]["datatype"] == "BYTES"
    assert (outputs["output_probability"]["datatype"], outputs["output_probability"]["shape"]) == ("FP32", [1, 3])


@pytest.mark.parametrize("name", models.names("broken"))
def test_a_broken_model_is_refused_at_deploy_with_its_reason(name, platform, cases):
    """S07, S08: a sentence and a next step, no trace, no function, no version."""
    with pytest.raises(CliFailed) as failed:
        platform.deploy(cases[name], name)
    error = failed.value.done.stderr
    assert "model-refused" in error
    for word in cases[name].refused_with:
        assert word in error
    assert len(error) >= 40
    assert "panicked" not in error
    assert "onnxruntime_src" not in error
    assert name not in platform.functions()


def test_a_model_of_a_newer_ir_version_is_told_what_is_supported(platform, cases):
    """S07: has 99, supported up to 13, how to fix."""
    with pytest.raises(CliFailed) as failed:
        platform.deploy(cases["broken-ir-version-99"], "ir-99")
    assert "99" in failed.value.done.stderr
    assert "13" in failed.value.done.stderr


def test_weights_beside_the_model_come_along(platform, cases, tmp_path):
    """S08: only the .onnx is named; the file that it refers to is found and deployed with it."""
    case = cases["external-weights"]
    for file in ("model.onnx", "weights.bin"):
        (tmp_path / file).write_bytes((case.folder / file).read_bytes())
    net = platform.deploy(tmp_path / "model.onnx", "weights-beside")
    (tmp_path / "weights.bin").unlink()
    call = case.call("batch32")
    wire.assert_same(wire.json_outputs(net.post(wire.by_name(call.inputs)).json(), call), call.outputs, "")


# -- payloads and encodings ----


def test_nan_and_infinity_are_null_by_default(function):
    """S11: a strict parser reads the answer over /fn and V2."""
    logs = function("nonfinite")
    answer = wire.strict_json(logs.post({"inputs": {"x": [[-1.0, 0.0, 1.0]]}}).content)
    assert answer["outputs"] == {"log": [[None, None, 0.0]], "reciprocal": [[-1.0, None, 1.0]]}
    tensor = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [-1, 0, 1]}
    outputs = wire.strict_json(infer(logs, tensor).content)["outputs"]
    assert outputs[0]["data"] == [None, None, 0.0]


def test_nan_and_infinity_as_text_where_asked(function):
    """S11: `non_finite = "text"`."""
    logs = function("nonfinite", "nonfinite-text", {"non_finite": "text"})
    answer = wire.strict_json(logs.post({"inputs": {"x": [[-1.0, 0.0, -0.0]]}}).content)
    assert answer["outputs"]["log"] == [["NaN", "-Infinity", "-Infinity"]]
    assert answer["outputs"]["reciprocal"] == [[-1.0, "Infinity", "-Infinity"]]


def test_nan_and_infinity_as_an_error_where_asked(function):
    """S11: `non_finite = "error"` names the output; finite answers are unaffected."""
    logs = function("nonfinite", "nonfinite-error", {"non_finite": "error"})
    refused = logs.post({"inputs": {"x": [[2.0, 0.0, 1.0]]}})
    assert refused.status_code == 500
    assert refused.json()["error"]["code"] == "non-finite-output"
    assert "log" in refused.json()["error"]["message"]
    assert logs.post({"inputs": {"x": [[2.0, 3.0, 1.0]]}}).status_code == 200


def test_text_tensors_may_be_flat_or_nested(function):
    """S14: the same result both ways; wrong nesting is told expected and found shape."""
    tickets = function("tickets-matrix")
    flat = infer(tickets, *tickets_v2())
    nested = infer(tickets, *tickets_v2(data=[["late invoice"], ["URGENT outage"]]))
    assert flat.status_code == nested.status_code == 200
    assert flat.json()["outputs"] == nested.json()["outputs"]
    wrong = infer(tickets, *tickets_v2(data=[["late invoice", "URGENT outage"]]))
    assert wrong.status_code == 400
    assert "[2, 1]" in wrong.json()["error"]
    assert "[1, 2]" in wrong.json()["error"]


def test_text_data_that_is_no_list_is_told_so(function):
    """S15: the place and what is expected there."""
    tickets = function("tickets-matrix")
    answer = infer(tickets, *tickets_v2(data="abc"))
    assert answer.status_code == 400
    assert "inputs[0].data" in answer.json()["error"]
    assert "list" in answer.json()["error"]
    assert infer(tickets, *tickets_v2()).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        '{"inputs": [{"name": "X", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4}]}',
        '{"inputs": ' + "[" * 100_000,
        '{"inputs": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"inputs": [{"name": "X", "shape": [1, 4], "datatype": "FP32", "data": [1, "a", null, [2]]}]}',
    ],
    ids=["bracket-cut", "deep-and-cut", "deep", "mixed-types"],
)
def test_malformed_json_is_a_400_and_the_next_call_is_fine(body, function, cases):
    """S16: over V2 and /fn."""
    iris = function("iris-matrix")
    for path in ("/v2/models/iris-matrix/infer", iris.path):
        answer = iris.platform.http.post(path, content=body, headers=wire.JSON)
        assert answer.status_code == 400, answer.text
    assert iris.post(wire.by_name(cases["iris-matrix"].call("one").inputs)).status_code == 200


def test_a_negative_dimension_in_a_request_is_a_400(function):
    """S17: the signature may say -1, a request may not."""
    answer = infer(function("iris-matrix"), {"name": "X", "shape": [-1, 4], "datatype": "FP32", "data": [1] * 8})
    assert answer.status_code == 400
    assert "inputs[0].shape" in answer.json()["error"]
    assert "-1" in answer.json()["error"]


def test_gzip_and_deflate_bodies_are_read_and_others_are_named(function, cases):
    """S18: `Content-Encoding: gzip` works, zip bytes under that name do not, other encodings are named."""
    iris, call = function("iris-matrix"), cases["iris-matrix"].call("batch32")
    body = json.dumps(wire.by_name(call.inputs)).encode()
    good = iris.post(content=gzip.compress(body), headers=wire.JSON | {"content-encoding": "gzip"})
    wire.assert_same(wire.json_outputs(good.raise_for_status().json(), call), call.outputs, "gzip")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("body.json", body)
    zipped = iris.post(content=packed.getvalue(), headers=wire.JSON | {"content-encoding": "gzip"})
    assert zipped.status_code == 400
    assert "gzip" in zipped.json()["error"]["message"]
    named = iris.post(content=packed.getvalue(), headers=wire.JSON | {"content-encoding": "zip"})
    assert named.status_code == 415
    assert "zip" in named.json()["error"]["message"]


def test_an_oversize_body_is_refused_before_an_instance_sees_it(function):
    """S19: 413 with actual and allowed size, and the way out: a binary body."""
    iris = function("iris-matrix", "small-bodies", body_limit_mib=4)
    image = json.dumps({"inputs": {"X": [[0.123456789] * 512] * 480 * 3}}).encode()
    answer = iris.post(content=image, headers=wire.JSON)
    assert answer.status_code == 413
    error = answer.json()["error"]
    assert error["code"] == "body-too-large"
    said = error["message"] + error["hint"]
    assert "4 MiB" in said or str(4 << 20) in said.replace(",", "").replace(" ", "")
    assert "npy" in said or "binary" in said
    assert iris.instances() == [], "nothing was started for it"


def test_a_body_of_3_mb_is_accepted_by_default(function, cases):
    """S20: and `describe` shows the limit."""
    X = np.tile(cases["iris-matrix"].call("batch32").inputs["X"].astype(float) + 1e-12, (2_000, 1))
    body = json.dumps({"inputs": {"X": X.tolist()}}).encode()
    assert len(body) > 3_000_000
    iris = function("iris-matrix")
    answer = iris.post(content=body, headers=wire.JSON)
    assert answer.status_code == 200
    assert len(answer.json()["outputs"]["label"]) == len(X)
    assert "body_limit_mib" in iris.platform.cli("describe", iris.name).stdout


def test_leading_zeros_of_a_text_id_survive(function):
    """S23: in JSON and in CSV; extremes of 64 bits too."""
    echo = function("passthrough")
    as_json = echo.post([{"id": "001", "n": 2**63 - 1, "u": 2**64 - 1}]).raise_for_status().json()["outputs"]
    as_csv = echo.post(content=f"id,n,u\n001,{-(2**63)},0\n", headers=wire.CSV).raise_for_status().json()["outputs"]
    assert as_json == {"id_out": [["001"]], "n_out": [[2**63 - 1]], "u_out": [[2**64 - 1]]}
    assert as_csv == {"id_out": [["001"]], "n_out": [[-(2**63)]], "u_out": [[0]]}


def test_a_chunked_body_without_a_length_reaches_the_function(function, cases):
    """S24: over a plain socket, in chunks of odd sizes with pauses between them."""
    call = cases["iris-matrix"].call("batch32")
    body = json.dumps(wire.by_name(call.inputs)).encode()
    address = urlsplit(function("iris-matrix").platform.url)
    head = "POST /fn/iris-matrix HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
        for begin in range(0, len(body), 977):
            chunk = body[begin : begin + 977]
            connection.sendall(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            time.sleep(0.005)
        connection.sendall(b"0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200"), answer[:300]
    assert b'"label"' in answer


# -- from zero ----


def test_the_first_call_waits_for_a_slow_load_and_is_answered(function, cases):
    """S40: at zero, one call, seconds of loading: held, then 200."""
    net = function("slow-load", "slow-first-call")
    assert net.instances() == []
    call = cases["slow-load"].call("one")
    answer = net.post(wire.by_name(call.inputs))
    assert answer.status_code == 200, answer.text[:300]
    wire.assert_same(wire.json_outputs(answer.json(), call), call.outputs, "")


def test_no_call_fails_while_an_instance_gets_ready(function, cases):
    """S41: calls all through a slow start are held, none is a 5xx."""
    net = function("slow-load", "slow-ready", max_instances=1)
    body = wire.by_name(cases["slow-load"].call("one").inputs)
    calls = []
    for _ in range(12):
        calls.append(in_background(net, body))
        time.sleep(0.1)
    assert {call.answer().status_code for call in calls} == {200}


def test_an_instance_slower_to_load_than_the_idle_timeout_gets_ready(function, cases):
    """S42: the idle clock starts when the instance is ready, so the held call is served; then it ends as idle."""
    net = function("slow-load", "slow-idle", idle_timeout_ms=200)
    body = wire.by_name(cases["slow-load"].call("one").inputs)
    assert net.post(body).status_code == 200
    eventually(lambda: not net.instances(), what="no instance after the idle timeout")


def test_a_load_past_its_own_timeout_is_named(function, cases):
    """S33: the load has a limit of its own, and the request's does not count while loading."""
    body = wire.by_name(cases["slow-load"].call("one").inputs)
    patient = function("slow-load", "slow-patient", request_timeout_ms=1_000)
    assert patient.post(body).status_code == 200
    hasty = function("slow-load", "slow-hasty", load_timeout_ms=100)
    answer = hasty.post(body)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "load-timeout"
    assert "load_timeout_ms" in answer.text
