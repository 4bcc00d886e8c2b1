"""The tutorials' handler with TensorFlow as an image under AWS' emulator: a zip of Lambda's cannot hold TensorFlow, and modelet says so."""

from __future__ import annotations

import json

import numpy as np
import pytest
from containers import needs_containers
from emulator import PATH
from proofs import EMULATOR, proof
from test_image import on_lambda, package, podman, pushed, registry  # noqa: F401 - fixtures
from test_tutorial import laid_out

pytestmark = needs_containers


@pytest.fixture(scope="module")
def folder(tensorflow, tmp_path_factory):
    """The handler as it stands, and its requirements."""
    return laid_out(tensorflow, tmp_path_factory.mktemp("tutorial-image"))


@proof("AWS Lambda", "the image runs: the tutorials' handler with TensorFlow", EMULATOR)
def test_out_of_an_image_it_answers_as_keras(tensorflow, folder, pushed, registry, on_lambda):  # noqa: F811
    """Its model lies where no image has a file, and is found all the same."""
    inputs, outputs = tensorflow.case("pictures")
    (rows,), (known,) = inputs.values(), outputs.values()
    hosted = on_lambda(pushed(folder, "tutorial", "--base", f"{registry.host}/python:slim"))
    for _ in range(2):
        answer = hosted.http.post(PATH, json={"data": rows.tolist()}).json()
        assert answer["statusCode"] == 200, hosted.said()
        np.testing.assert_allclose(json.loads(answer["body"])["prediction"], known, rtol=1e-5)
    hosted.stop()


def test_as_a_zip_it_is_refused_before_anything_is_written(platform, folder):
    """TensorFlow's wheels are for a newer glibc than Lambda's Python 3.11 has, and too large for a zip anyway; an image has neither limit."""
    done = platform.cli("package", folder, "--for", "aws-lambda", "-o", folder.with_suffix(".zip"), check=False)
    assert done.returncode != 0 and not folder.with_suffix(".zip").exists()
    assert "tensorflow" in done.stderr and "--image" in done.stderr and "packages-refused" in done.stderr
