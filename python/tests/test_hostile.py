"""Hundreds of hostile bodies: each gets a 4xx with a useful sentence, and neither platform nor instance notices."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

import hostile
import pytest
import wire
from burst import Answer, parse
from harness import PATIENCE_S
from processes import is_running, resident_mib

GROWTH_MIB = 64


@pytest.fixture(scope="module")
def targets(function, cases):
    """The attacked functions, one instance each, warm; with their processes and memory before the attack."""
    deployed = []
    for name, case in {hostile.IRIS: "iris-matrix", hostile.ECHO: "passthrough", hostile.HALVES: "float16"}.items():
        target = function(case, name, body_limit_mib=hostile.BODY_LIMIT_MIB, max_instances=1)
        body = wire.by_name(cases[case].call("one").inputs)
        assert target.post(body).status_code == 200
        deployed.append((target, body))
    platform = deployed[0][0].platform
    pids = {"platform": platform.pid} | {target.name: target.instances()[0]["pid"] for target, _ in deployed}
    return deployed, pids, {name: resident_mib(pid) for name, pid in pids.items()}


def send(url: str, request: hostile.Request) -> Answer | None:
    """Sends the bytes, ends the sending side, and reads what comes; None when the connection closes without a word."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE_S) as connection:
        try:
            connection.sendall(request.bytes())
            if request.may_close:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before we had said all; the answer is already there to read
        received = b""
        try:
            while piece := connection.recv(65_536):
                received += piece
        except ConnectionResetError:
            pass
    if request.may_close and not received.startswith(b"HTTP/1."):
        return None
    return parse(received) if received else None


def complaint(request: hostile.Request, answer: Answer | None) -> str | None:
    """What is wrong with an answer to a hostile request, if anything."""
    if answer is None:
        return None if request.may_close else "no answer"
    if not 400 <= answer.status < 500:
        return f"status {answer.status}: {answer.body[:200]!r}"
    if request.may_close:
        return None
    try:
        error = json.loads(answer.body)["error"]
    except (ValueError, KeyError, TypeError):
        return f"no error object: {answer.body[:200]!r}"
    sentence = error if isinstance(error, str) else error["message"]
    return None if len(sentence) >= 20 else f"not a sentence: {sentence!r}"


@pytest.mark.parametrize("family", hostile.FAMILIES, ids=lambda family: family.__name__.replace("_", "-"))
def test_every_hostile_body_gets_a_4xx_with_a_sentence(family, targets):
    """Each request of a family, over a plain socket of its own."""
    deployed, _, _ = targets
    url = deployed[0][0].platform.url
    wrong = []
    for request in family():
        try:
            problem = complaint(request, send(url, request))
        except TimeoutError:
            problem = f"no answer within {PATIENCE_S} s"
        if problem:
            wrong.append(f"{request.label}: {problem}")
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong[:40])


def test_they_are_more_than_three_hundred():
    """The number that SPECIFICATION.md promises, framing errors not counted."""
    assert sum(not request.may_close for family in hostile.FAMILIES for request in family()) >= 300


def test_platform_and_instances_live_on_with_flat_memory(targets):
    """The same processes as before, answering, and grown by less than 64 MiB each. Runs after the families above."""
    deployed, pids, before = targets
    for target, body in deployed:
        assert target.post(body).status_code == 200
        assert [instance["pid"] for instance in target.instances()] == [pids[target.name]]
    for name, pid in pids.items():
        assert is_running(pid), name
        growth = resident_mib(pid) - before[name]
        assert growth < GROWTH_MIB, f"{name} grew by {growth:.0f} MiB"
