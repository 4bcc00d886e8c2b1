"""Nobody harms a neighbour: hostile artifacts, pages, clients that leave or only announce, folders with other things."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import os
import socket
import tarfile
import time
from urllib.parse import urlsplit

import pytest
import wire
from burst import in_background
from harness import eventually
from processes import NEVER_STUCK, computing, held_still
from test_scaling import loops, slow_body


@pytest.fixture
def artifact(function) -> tuple[dict, bytes]:
    """The card and the model of a function that is deployed: an artifact that would be right."""
    iris = function("iris-matrix", "artifact-source")
    view = iris.status()
    card = view["card"]
    digest = view["versions"][-1]["sha256"]
    model = (iris.platform.data / "artifacts" / digest / "files" / card["handler"]["file"]).read_bytes()
    return card | {"name": "hostile", "source_sha256": "0" * 64}, model


CODE = {"kind": "python", "module": "app", "function": "handler", "interface": "lambda", "version": "3.11"}


def layer(sha256: str) -> dict:
    """Packages of a name."""
    return {"sha256": sha256, "size_bytes": 0, "packages": []}


def entry(name: str, content: bytes = b"", **fields) -> tuple[tarfile.TarInfo, bytes]:
    """One entry of a tar, as wrong as asked for."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def tar_of(entries: list) -> bytes:
    """A tar of entries."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for info, content in entries:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def publish(platform, card: dict | bytes, entries: list, sha256: str | None = None):
    """Uploads a tar of a card and entries."""
    text = card if isinstance(card, bytes) else json.dumps(card).encode()
    body = tar_of([entry("artifact.json", text), *entries])
    headers = {"x-modelet-sha256": sha256 or hashlib.sha256(body).hexdigest(), "content-type": "application/x-tar"}
    return platform.http.post("/api/v1/functions/hostile/versions", content=body, headers=headers)


def changed(card: dict, path: str, value: object) -> dict:
    """The card with one value changed."""
    card = copy.deepcopy(card)
    place = card
    *parents, last = path.split(".")
    for key in parents:
        place = place[int(key) if key.isdigit() else key]
    place[last] = value
    return card


def test_hostile_artifacts_are_refused_and_leave_nothing(platform, artifact):
    """Each a 400 with a reason; afterwards there is no such function, and an artifact that is right is taken."""
    card, model = artifact
    name = f"files/{card['handler']['file']}"
    right = [entry(name, model)]
    link = dict(type=tarfile.SYMTYPE, linkname="/etc/passwd")
    cases = {
        "another digest": (card, right, "0" * 64),
        "no call at once": (changed(card, "settings.concurrency", 0), right),
        "no memory": (changed(card, "settings.memory_mib", 0), right),
        "a newer format": (changed(card, "format_version", 99), right),
        "an older format": (changed(card, "format_version", 4), right),
        "a handler of no kind": (changed(card, "handler.kind", "magic"), right),
        "code of a module elsewhere": (changed(card, "handler", {**CODE, "module": "../../etc.passwd"}), right),
        "code of no Python": (changed(card, "handler", {**CODE, "version": "../python"}), right),
        "code of a Python that is not there": (changed(card, "handler", {**CODE, "version": "3.99"}), right),
        "code whose packages lead elsewhere": (changed(card, "handler", {**CODE, "packages": layer("../../etc")}), right),
        "code whose packages are not here": (changed(card, "handler", {**CODE, "packages": layer("0" * 64)}), right),
        "a program elsewhere": (changed(card, "handler", {"kind": "program", "command": ["../sh"], "speaks": "http"}), right),
        "another name": (changed(card, "name", "other"), right),
        "a model that is not listed": (changed(card, "handler.file", "elsewhere.onnx"), right),
        "a file outside": (changed(card, "files.0.path", "../../escape"), right),
        "another size": (changed(card, "files.0.size_bytes", 1), right),
        "another content": (card, [entry(name, b"\0" * len(model))]),
        "a missing file": (card, []),
        "a file too many": (card, [*right, entry("files/more.bin", b"x")]),
        "a file twice": (card, [*right, *right]),
        "a path upwards": (card, [*right, entry("../escape", b"x")]),
        "an absolute path": (card, [*right, entry("/tmp/modelet-escape", b"x")]),
        "a symbolic link": (card, [*right, entry("files/link", **link)]),
        "a hard link": (card, [*right, entry("files/link", type=tarfile.LNKTYPE, linkname=name)]),
        "a device": (card, [*right, entry("files/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)]),
        "an endless name": (card, [*right, entry("files/" + "n" * 100_000, b"x")]),
        "a card that is no JSON": (b"{", right),
        "an empty card": (b"", right),
    }
    for label, (case_card, entries, *digest) in cases.items():
        answer = publish(platform, case_card, entries, *digest)
        expected = 503 if "not there" in label else 400
        assert answer.status_code == expected, f"{label}: {answer.status_code} {answer.text[:300]}"
        assert len(answer.json()["error"]["message"]) >= 20, label
    assert "hostile" not in platform.functions()
    assert not os.path.exists("/tmp/modelet-escape")
    assert publish(platform, card, right).status_code == 200
    assert platform.http.delete("/api/v1/functions/hostile").status_code == 200


def test_hostile_layers_are_refused_and_leave_nothing(platform):
    """Packages are plain files below their own folder, and what their name says."""
    link = dict(type=tarfile.SYMTYPE, linkname="/etc/passwd")
    cases = {
        "another digest": ([entry("a.py", b"x")], "0" * 64),
        "a path upwards": ([entry("../escape.py", b"x")],),
        "an absolute path": ([entry("/tmp/modelet-escape", b"x")],),
        "a symbolic link": ([entry("link", **link)],),
        "a device": ([entry("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)],),
        "no name of a layer": ([entry("a.py", b"x")], "..%2f..%2fescape"),
    }
    for label, (entries, *digest) in cases.items():
        body = tar_of(entries)
        sha256 = digest[0] if digest else hashlib.sha256(body).hexdigest()
        answer = platform.http.put(f"/api/v1/layers/{sha256}", content=body)
        assert answer.status_code == 400, f"{label}: {answer.status_code} {answer.text[:300]}"
        assert not platform.http.get(f"/api/v1/layers/{sha256}").json().get("known"), label
    assert not os.path.exists("/tmp/modelet-escape")
    body = tar_of([entry("a.py", b"x")])
    path = f"/api/v1/layers/{hashlib.sha256(body).hexdigest()}"
    assert platform.http.put(path, content=body).status_code == 200
    assert platform.http.get(path).json()["known"]


@pytest.mark.parametrize("path", ["/api/v1/functions", "/fn/host-check", "/v2"])
def test_a_name_that_was_made_to_lead_here_is_refused(platform, function, path):
    """DNS rebinding: the page is of its own origin to the browser, only Host gives it away."""
    function("iris-matrix", "host-check")
    for host in ("evil.example", "evil.example:8080", "127.0.0.1.evil.example"):
        answer = platform.http.get(path, headers={"host": host})
        assert answer.status_code == 403, host
        assert answer.json()["error"]["code"] == "forbidden-origin"
    for host in ("localhost", "127.0.0.1:1", "[::1]:8080"):
        assert platform.http.get(path, headers={"host": host}).status_code == 200, host


def test_a_function_that_is_deleted_and_deployed_again_gets_a_new_number_and_answers(platform, function, cases):
    """A number is never given twice, so that nothing of the old function can be taken for the new one's."""
    body = wire.by_name(cases["iris-matrix"].call("one").inputs)
    first = function("iris-matrix", "phoenix")
    assert first.post(body).headers["x-modelet-version"] == "1"
    platform.cli("delete", "phoenix", "--yes")
    assert first.post(body).status_code == 404
    again = platform.deploy(cases["iris-matrix"], "phoenix")
    answer = again.post(body)
    assert (answer.status_code, answer.headers["x-modelet-version"]) == (200, "2")


def test_bodies_that_are_only_announced_take_no_room_from_others(function, cases):
    """More announced than the gateway may hold, not a byte sent: a call beside them is answered."""
    body = wire.by_name(cases["iris-matrix"].call("one").inputs)
    iris = function("iris-matrix", "announced")
    address = urlsplit(iris.platform.url)
    head = f"POST {iris.path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {60 << 20}\r\n\r\n".encode()
    announcing = [socket.create_connection((address.hostname, address.port)) for _ in range(40)]
    try:
        for connection in announcing:
            connection.sendall(head)
        time.sleep(0.2)
        assert iris.post(body).status_code == 200
    finally:
        for connection in announcing:
            connection.close()


def test_a_call_whose_client_left_keeps_its_slot_until_it_ends(function):
    """The instance cannot be made to stop, so it must not get more than its concurrency."""
    slow = function("slow", "abandoned", concurrency=1, max_instances=1, **NEVER_STUCK)
    work = json.dumps(slow_body(slow, 1.5)).encode()
    address = urlsplit(slow.platform.url)
    head = f"POST {slow.path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(f"{head}content-length: {len(work)}\r\n\r\n".encode() + work)
        busy = computing(slow)
    with held_still(busy):
        time.sleep(0.3)  # in which the platform hears that the client left
        next_call = in_background(slow, loops(1))
        eventually(slow.waiting, what="the next call waits")
        (instance,) = slow.instances()
        assert (instance["pid"], instance["in_flight"]) == (busy["pid"], 1), "the abandoned call, and not the one that waits"
    assert next_call.answer().status_code == 200
    assert [i["pid"] for i in slow.instances()] == [busy["pid"]], "served by the same instance"


def test_a_folder_with_other_things_in_it_is_left_alone(own_platform, tmp_path):
    """`up --data .` in a project must not sweep the project."""
    project = tmp_path / "project"
    (project / "artifacts").mkdir(parents=True)
    (project / "artifacts" / "model.pkl").write_bytes(b"precious")
    mode = project.stat().st_mode
    done = own_platform.cli("up", "--listen", "127.0.0.1:0", "--data", project, check=False)
    assert done.returncode != 0
    assert "not a data folder of modelet" in done.stderr
    assert (project / "artifacts" / "model.pkl").read_bytes() == b"precious"
    assert project.stat().st_mode == mode
