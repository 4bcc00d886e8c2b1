"""Classical models by the engine that is ours: the same answers, without a library, from a stem cell and from nothing."""

from __future__ import annotations

import json

import pytest
import wire
from harness import Platform, eventually

#: Scikit-learn with and without maps, gradient boosting, LightGBM.
CLASSICAL = [
    "iris-matrix", "iris-zipmap", "iris-zipmap-numbers", "boosting-classifier", "boosting-regressor", "lightgbm",
]  # fmt: skip
TABULAR = {"engine": "tabular"}


def answers_as_the_reference(function, case) -> None:
    """Every call of a case, with the classes of its maps."""
    for call in case.calls:
        response = function.post(wire.by_name(call.inputs))
        assert response.status_code == 200, f"{call.name}: {response.text[:500]}"
        answer = wire.strict_json(response.content)
        wire.assert_same(wire.json_outputs(answer, call), call.outputs, call.name)
        for output, classes in case.classes.items():
            assert answer["classes"][output] == classes


@pytest.mark.parametrize("name", CLASSICAL)
def test_classical_models_answer_as_the_reference(name, function, cases):
    """S01: labels equal, numbers within 1e-5, asked for by name in the manifest."""
    deployed = function(name, f"tabular-{name}", TABULAR)
    assert deployed.status()["card"]["handler"]["engine"] == "tabular"
    answers_as_the_reference(deployed, cases[name])


def test_an_instance_starts_from_a_stem_cell_and_from_nothing(tmp_path, cases):
    """A cell serves a model of this engine as it serves one of ONNX Runtime; so does a process started for it."""
    case = cases["iris-zipmap"]
    for cells, source in (("1", "a stem cell"), ("0", "a new process")):
        (tmp_path / cells).mkdir()
        platform = Platform(tmp_path / cells).start("--cells", cells)
        try:
            iris = platform.deploy(case, "iris", TABULAR, idle_timeout_ms=300)

            def cold_start(iris=iris, platform=platform, source=source) -> bool:
                """True once a cold call found what it should start from: a cell takes its time to be ready."""
                eventually(lambda: not iris.instances(), what="no instance")
                answers_as_the_reference(iris, case)
                rows = map(json.loads, platform.cli("logs", "iris", "--json").stdout.splitlines())
                return any(source in (row.get("started_from") or "") for row in rows)

            eventually(cold_start, what=f"a start from {source}")
        finally:
            platform.stop()


def test_a_text_model_is_refused_with_the_operator(platform, cases):
    """What is not computed exactly is named, at deploy."""
    with pytest.raises(AssertionError, match="StringNormalizer"):
        platform.deploy(cases["tickets-matrix"], "tabular-tickets", TABULAR)
