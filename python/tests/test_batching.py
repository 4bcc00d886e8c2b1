"""Calls that are computed together: everyone gets their own rows, and nobody suffers from another's."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import onnxruntime
import pytest
import wire
from harness import Function, eventually
from onnx import TensorProto as T
from onnx import helper as h
from processes import NEVER_STUCK, held_still
from recipes.handmade import graph

pytestmark = pytest.mark.alone

#: Clients at a time, each on a connection of its own.
CLIENTS = 64
#: One instance for all of them, which waits for those that come later than others.
GATHER = {"batch_max_wait_ms": 200, "concurrency": CLIENTS, "max_instances": 1, **NEVER_STUCK}
#: … for models so small that a deploy would not find it worth it.
GATHER_SMALL = GATHER | {"batch_max_rows": 64}
#: npy in and out.
AS_NPY = wire.NPY | {"accept": wire.NPY["content-type"]}


def together(answer: httpx.Response) -> int:
    """How many calls were computed with this one, itself included."""
    found = re.search(r'desc="(\d+) calls', answer.headers["server-timing"])
    return int(found[1]) if found else 1


def everyone(function: Function, bodies: list[object]) -> list[httpx.Response]:
    """Each body from a client of its own, all at the same moment; one of bytes is an npy file."""
    start = threading.Barrier(min(CLIENTS, len(bodies)))

    def one(body: object) -> httpx.Response:
        options = {"content": body, "headers": AS_NPY} if isinstance(body, bytes) else {"json": body}
        with httpx.Client(base_url=function.platform.url, timeout=60, trust_env=False, verify=False) as client:
            start.wait()
            return client.post(function.path, **options)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(one, bodies))


def met(function: Function, bodies: list[object]) -> list[httpx.Response]:
    """The same, and the first call of each client lies before the instance when it begins to read: it stands still until then.
    So they meet on a machine of any speed."""
    everyone(function, bodies[:1])
    (instance,) = function.instances()
    first = min(CLIENTS, len(bodies))
    with ThreadPoolExecutor(1) as pool, held_still(instance):
        answers = pool.submit(everyone, function, bodies)
        eventually(lambda: function.instances()[0]["in_flight"] == first, what=f"{first} calls in the instance")
    return answers.result()


def reference(path: Path) -> Callable[[dict], dict]:
    """The model in Python's onnxruntime, asked with one call's rows at a time."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(None, inputs), strict=True))


def assert_own(answer: httpx.Response, expected: dict, what: str) -> None:
    """An answer holds what the reference says of these rows, and of no others."""
    assert answer.status_code == 200, f"{what}: {answer.text}"
    outputs = wire.strict_json(answer.content)["outputs"]
    found = {name: wire.as_array(outputs[name], np.asarray(value)) for name, value in expected.items()}
    wire.assert_same(found, {name: np.asarray(value) for name, value in expected.items()}, what)


@pytest.fixture
def handmade(platform, tmp_path) -> Iterator[Callable[..., Function]]:
    """Deploys a model that a test made, and deletes it afterwards."""
    made = []

    def deploy(name: str, model, **settings: int) -> Function:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        lines = [f"{key} = {value}" for key, value in settings.items()]
        (folder / "modelet.toml").write_text("\n".join(["[settings]", *lines, ""]))
        made.append(name)
        return platform.deploy(folder, name)

    yield deploy
    for name in made:
        platform.cli("delete", name, "--yes")


def tokens(length: int, seed: int) -> dict:
    """One text as MiniLM takes it."""
    ids = np.random.default_rng(seed).integers(1_000, 30_000, (1, length))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


# -- the right rows to the right caller ----


def test_a_storm_of_single_rows_and_own_batches(function, cases):
    """64 clients with 1 to 100 rows each; a client's own batch is never split, nor more than the limit put together."""
    case = cases["boosting-classifier"]
    boosting = function("boosting-classifier", "batched-boosting", **GATHER, batch_max_rows=48)
    answers_of, rng = reference(case.folder / case.model), np.random.default_rng(5)
    rows = [1, 1, 1, 2, 1, 7, 1, 48, 1, 49, 1, 100] * 16
    inputs = [{"X": rng.normal(0, 3, (n, 30)).astype(np.float32)} for n in rows]
    answers = met(boosting, [wire.by_name(x) for x in inputs])
    for at, (x, answer) in enumerate(zip(inputs, answers, strict=True)):
        assert_own(answer, answers_of(x), f"call {at} with {rows[at]} rows")
        found = re.search(r'desc="\d+ calls with (\d+) rows"', answer.headers["server-timing"])
        assert found is None or int(found[1]) <= 48, answer.headers["server-timing"]
    assert {together(answer) for answer, n in zip(answers, rows, strict=True) if n > 48} == {1}
    singles = [together(answer) for answer, n in zip(answers, rows, strict=True) if n == 1]
    assert max(singles) > 4, singles


def test_a_storm_of_texts_of_many_lengths(function, cases):
    """MiniLM: only texts of one length go together; int64 inputs that share two free axes."""
    case = cases["minilm"]
    minilm = function("minilm", "batched-minilm", **GATHER_SMALL)
    answers_of = reference(case.folder / case.model)
    inputs = [tokens(3 + seed % 4, seed) for seed in range(128)]
    answers = met(minilm, [wire.by_name(x) for x in inputs])
    for at, (x, answer) in enumerate(zip(inputs, answers, strict=True)):
        assert_own(answer, answers_of(x), f"text {at}")
    assert max(map(together, answers)) > 4


@pytest.mark.parametrize("name", ["tickets-zipmap", "passthrough"])
def test_texts_and_maps_of_classes_reach_their_own_caller(name, function, cases):
    """Columns of text, a map of classes for each row; ids that come out as they went in."""
    case = cases[name]
    texts = function(name, f"batched-{name}", **GATHER_SMALL)
    call = case.calls[-1]
    bodies, expected = [], []
    for at in range(3 * CLIENTS):
        row = at % len(next(iter(call.inputs.values())))
        bodies.append(wire.by_name({key: value[row : row + 1] for key, value in call.inputs.items()}))
        expected.append({key: value[row : row + 1] for key, value in call.outputs.items()})
    answers = met(texts, bodies)
    for answer, own in zip(answers, expected, strict=True):
        assert_own(answer, own, name)
    assert max(map(together, answers)) > 4


def test_bodies_larger_than_a_socket_holds_are_put_together_too(function, cases):
    """Half a megabyte each, as npy: read in parts while the first of them waits."""
    limits = GATHER | {"batch_max_rows": 65_536, "concurrency": 8, "batch_max_wait_ms": 2_000}
    external = function("external-weights", "batched-large", **limits)
    answers_of = reference(cases["external-weights"].folder / "model.onnx")
    rng = np.random.default_rng(3)
    inputs = [rng.normal(size=(2_000, 64)).astype(np.float32) for _ in range(8)]
    answers = met(external, [wire.npy_bytes(x) for x in inputs])
    for x, answer in zip(inputs, answers, strict=True):
        found = np.load(io.BytesIO(answer.raise_for_status().content))
        np.testing.assert_allclose(found, answers_of({"x": x})["y"], rtol=1e-5, atol=1e-7)
    assert max(map(together, answers)) > 1


# -- failures ----


def test_one_bad_row_among_good_ones_fails_alone(handmade):
    """A position that is in no list: an error of the engine, met by one caller."""
    nodes = [h.make_node("Gather", ["list", "position"], ["y"])]
    listed = np.arange(1_000, dtype=np.float32) * 10
    model = graph(nodes, [("position", T.INT64, ["rows"])], [("y", T.FLOAT, ["rows"])], [("list", listed)])
    lookup = handmade("lookup", model, **GATHER_SMALL)
    positions = [99_999 if at % 16 == 5 else at for at in range(CLIENTS)]
    answers = met(lookup, [{"inputs": {"position": [position]}} for position in positions])
    for position, answer in zip(positions, answers, strict=True):
        if position == 99_999:
            assert (answer.status_code, answer.json()["error"]["code"]) == (500, "prediction-failed")
        else:
            assert answer.json()["outputs"]["y"] == [position * 10]
    fine = met(lookup, [{"inputs": {"position": [at]}} for at in range(CLIENTS)])
    assert max(map(together, fine)) > 1, "later calls go together again"


def test_bodies_that_are_no_input_do_not_reach_the_others(function, cases):
    """Refused while they are read, beside calls that are computed."""
    iris = function("iris-matrix", "batched-iris", **GATHER)
    call = cases["iris-matrix"].call("one")
    good = wire.by_name(call.inputs)
    answers = met(iris, [good if at % 2 else {"inputs": {"X": [["a", None, 1, 2]]}} for at in range(CLIENTS)])
    for at, answer in enumerate(answers):
        if at % 2:
            assert_own(answer, call.outputs, f"call {at}")
        else:
            assert answer.status_code == 400, answer.text


def mean_of_rows():
    """One row, the mean of all, under a signature that leaves the number of answers open."""
    nodes = [h.make_node("ReduceMean", ["x"], ["y"], axes=[0], keepdims=1)]
    return graph(nodes, [("x", T.FLOAT, ["rows", 2])], [("y", T.FLOAT, ["n", 2])])


def test_three_single_rows_and_a_model_that_answers_with_three(function, cases):
    """S39, first half: each caller gets its row."""
    iris = function("iris-matrix", "batched-iris", **GATHER)
    call = cases["iris-matrix"].call("batch32")
    for first in range(0, 30, 3):
        rows = [call.inputs["X"][at : at + 1] for at in range(first, first + 3)]
        answers = met(iris, [wire.by_name({"X": row}) for row in rows])
        for at, answer in enumerate(answers, first):
            assert_own(answer, {name: value[at : at + 1] for name, value in call.outputs.items()}, f"row {at}")


def test_three_single_rows_and_a_model_that_answers_with_one(handmade):
    """S39, second half: a deploy finds it; against the user's word the instance does. Nobody gets another's row or none."""
    careful = handmade("mean-careful", mean_of_rows())
    assert careful.card["evidence"]["batching"]["max_rows"] == 1
    assert "[1, 2] for 3 rows" in careful.card["evidence"]["batching"]["reason"]
    insists = handmade("mean-insists", mean_of_rows(), **GATHER, batch_max_rows=64)
    assert insists.card["evidence"]["batching"]["warning"] is True
    for round_ in range(2):
        answers = met(insists, [{"inputs": {"x": [[at, at]]}} for at in (1, 5, 9)])
        for own, answer in zip((1, 5, 9), answers, strict=True):
            assert answer.json()["outputs"]["y"] == [[own, own]], round_
            assert together(answer) == 1
    logs = insists.platform.cli("logs", insists.name).stdout
    assert logs.count("calls are no longer computed together: the output y has the shape [1, 2] for") == 1, logs


# -- what is not put together ----


def test_a_deploy_puts_calls_together_where_it_found_that_to_save_time(function):
    """MiniLM: rows get the same answers together as alone, and the figures that were measured on this machine decide."""
    minilm = function("minilm")
    batching = minilm.card["evidence"]["batching"]
    measured = batching["measured"]
    saved_ms = (measured["alone_ms"] - measured["together_ms"]) / measured["rows"]
    assert "differs" not in measured
    assert batching["max_rows"] == minilm.status()["settings"]["batch_max_rows"] == (64 if saved_ms >= 0.02 else 1), batching


def test_without_an_axis_of_rows_each_call_goes_alone(function):
    """Two scalars: a price times a quantity."""
    scalars = function("scalars", "unbatched-scalars")
    assert scalars.card["evidence"]["batching"]["reason"] == "off: no axis counts rows: the input price has the shape []"
    bodies = [{"inputs": {"price": at, "quantity": 2}} for at in range(CLIENTS)]
    for at, answer in enumerate(everyone(scalars, bodies)):
        assert (answer.json()["outputs"]["total"], together(answer)) == (2 * at, 1)


def quantized():
    """A layer whose input gets one 8-bit scale for all rows of a computation."""
    weights = np.random.default_rng(0).integers(0, 255, (4, 3)).astype(np.uint8)
    nodes = [
        h.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
        h.make_node("MatMulInteger", ["q", "w", "zero", "w_zero"], ["product"]),
        h.make_node("Cast", ["product"], ["float"], to=T.FLOAT),
        h.make_node("Mul", ["float", "scale"], ["y"]),
    ]
    constants = [("w", weights), ("w_zero", np.array(128, dtype=np.uint8))]
    return graph(nodes, [("x", T.FLOAT, ["rows", 4])], [("y", T.FLOAT, ["rows", 3])], constants)


def centred():
    """Rows less the mean of all rows."""
    nodes = [h.make_node("ReduceMean", ["x"], ["mean"], axes=[0], keepdims=1), h.make_node("Sub", ["x", "mean"], ["y"])]
    return graph(nodes, [("x", T.FLOAT, ["rows", 4])], [("y", T.FLOAT, ["rows", 4])])


@pytest.mark.parametrize(
    ("name", "model", "says"),
    [
        ("quantized", quantized(), "DynamicQuantizeLinear fits one scale to all rows"),
        ("centred", centred(), "rows get other answers together than alone: y["),
    ],
    ids=["quantized", "centred"],
)
def test_a_model_whose_rows_change_each_other_is_found_at_deploy(name, model, says, handmade, tmp_path):
    """Its calls go alone, deploy and describe say why, and answers are those of single rows."""
    found = handmade(name, model, concurrency=CLIENTS)
    batching = found.card["evidence"]["batching"]
    assert (batching["max_rows"], found.status()["settings"]["batch_max_rows"]) == (1, 1)
    assert batching["reason"].startswith("off: ") and says in batching["reason"]
    assert batching["reason"] in found.platform.cli("describe", name).stdout
    answers_of = reference(tmp_path / name / "model.onnx")
    rng = np.random.default_rng(1)
    inputs = [{"x": rng.normal(0, 10.0 ** (at % 4), (1, 4)).astype(np.float32)} for at in range(CLIENTS)]
    for x, answer in zip(inputs, everyone(found, [wire.by_name(x) for x in inputs]), strict=True):
        assert_own(answer, answers_of(x), name)
        assert together(answer) == 1


def test_a_real_model_whose_rows_change_each_other_is_found_too(function):
    """magika: the same file gets other probabilities beside others."""
    magika = function("magika")
    assert magika.status()["settings"]["batch_max_rows"] == 1
    assert "rows get other answers together than alone" in magika.card["evidence"]["batching"]["reason"]


def test_the_users_own_number_stays_with_a_warning(handmade, platform, tmp_path):
    """Set against the evidence: kept, said in the deploy's own words."""
    handmade("insisting", centred(), batch_max_rows=8)
    said = platform.cli("deploy", tmp_path / "insisting", "--name", "insisting-2").stdout
    assert "warning" in said and "batching is on, since batch_max_rows = 8 is set, although rows get other" in said
    platform.cli("delete", "insisting-2", "--yes")
    off = handmade("never", centred(), batch_max_rows=1)
    assert off.card["evidence"]["batching"]["reason"] == "off: batch_max_rows = 1 is set"


# -- no load ----


def test_a_single_client_is_never_held_up(function, cases):
    """One call after the other, nothing else: no waiting for company, by the instance's own clock."""
    boosting = function("boosting-classifier", "unhurried-boosting", batch_max_rows=64)
    body = wire.by_name(cases["boosting-classifier"].call("one").inputs)
    gathers = []
    for _ in range(300):
        answer = boosting.post(body)
        assert together(answer) == 1
        gathers.append(float(re.search(r"gather;dur=([\d.]+)", answer.headers["server-timing"])[1]))
    assert np.median(gathers) < 0.5, f"median {np.median(gathers)} ms"


def test_what_is_waiting_goes_together_without_being_waited_for(function, cases):
    """The default, 0 ms: while one call is computed, the others pile up, and go as one."""
    limits = {"concurrency": CLIENTS, "max_instances": 1, "batch_max_rows": 64}
    minilm = function("minilm", "piling-up", **limits, **NEVER_STUCK)
    assert minilm.status()["settings"]["batch_max_wait_ms"] == 0
    answers_of = reference(cases["minilm"].folder / "model.onnx")
    inputs = [tokens(16, seed) for seed in range(2 * CLIENTS)]
    answers = met(minilm, [wire.by_name(x) for x in inputs])
    for at, (x, answer) in enumerate(zip(inputs, answers, strict=True)):
        assert_own(answer, answers_of(x), f"text {at}")
    assert max(map(together, answers)) > 4
