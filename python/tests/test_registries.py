"""Registries with tokens, as nearly all have them, and registries that falter: Debian's own, with a token server of the tests."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clouds import Call, Proxy
from containers import PASSWORD, Registry, layout, needs_containers, tool
from harness import PATIENCE_S, ROOT, Platform
from proofs import CONTAINERS, proof
from tokens import GOOGLES, IDENTITY, Asked, Moods, Tokens

pytestmark = needs_containers

IRIS = ROOT / "examples" / "iris"
#: How often modelet tries what may pass.
ATTEMPTS = 5


class Locked:
    """A registry with a token server, and the way to it, on which calls are seen, slowed down, failed and cut."""

    def __init__(self, work: Path):
        self.work = work
        self.tokens = Tokens(work / "tokens")
        self.registry = Registry(work / "registry", auth=self.tokens.auth())
        self.proxy = Proxy(f"http://{self.registry.host}")
        self.host = self.proxy.url.removeprefix("http://")
        content = work / "content"
        content.write_bytes(os.urandom(1 << 20))
        self.base = layout(work / "base", {Path("/content"): content}, ["MODE=base"])

    def reset(self) -> None:
        """With the image to stand on, once for all and once for users."""
        self.tokens.moods, self.proxy.fail, self.proxy.cut = Moods(), lambda _: None, lambda *_: False
        self.registry.empty()
        for name in ("public", "private"):
            words = ("--dest-tls-verify=false", "--dest-creds", f"me:{PASSWORD}")
            tool("skopeo", "copy", "-q", *words, f"oci:{self.base}", f"docker://{self.registry.host}/{name}/base:1")
        self.tokens.taken()
        self.proxy.taken()

    def login(self, platform: Platform, **file: object) -> dict[str, str]:
        """An environment in which Docker keeps this."""
        folder = self.work / "docker"
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps(file))
        path = f"{self.work / 'programs'}:{os.environ['PATH']}"
        return platform.environment() | {"DOCKER_CONFIG": str(folder), "PATH": path}

    def user(self, user: str, password: str) -> dict:
        """A login as `docker login` keeps it."""
        return {self.host: {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}}

    def program(self, name: str, *lines: str) -> None:
        """A program that keeps logins."""
        folder = self.work / "programs"
        folder.mkdir(exist_ok=True)
        program = folder / f"docker-credential-{name}"
        program.write_text("\n".join(("#!/bin/sh", *lines, "")))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def close(self) -> None:
        self.proxy.close()
        self.registry.stop()
        self.tokens.stop()


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    running = Locked(tmp_path_factory.mktemp("locked"))
    yield running
    running.close()


@pytest.fixture(autouse=True)
def fresh(locked: Locked) -> None:
    locked.reset()


def package(platform: Platform, environment: dict[str, str], *words: object, code: int = 0, **options) -> subprocess.CompletedProcess:
    """`modelet package`, which has to end with this exit code and says no secret."""
    command = [platform.binary, "package", IRIS, "--image", *map(str, words), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=PATIENCE_S * 2, **options)
    assert done.returncode == code, done.stderr
    for secret in (PASSWORD, IDENTITY, GOOGLES[1], "eyJ"):
        assert secret not in done.stdout + done.stderr
    return done


def pushed(locked: Locked, done: subprocess.CompletedProcess) -> dict:
    """The image that was brought there, all of which the registry has."""
    reference = json.loads(done.stdout)["image"]["reference"].removeprefix(f"{locked.host}/")
    words = ("--tls-verify=false", "--creds", f"me:{PASSWORD}")
    manifest = json.loads(tool("skopeo", "inspect", "--raw", *words, f"docker://{locked.registry.host}/{reference}"))
    tool("skopeo", "copy", "-q", "--src-tls-verify=false", *("--src-creds", f"me:{PASSWORD}"), f"docker://{locked.registry.host}/{reference}", f"dir:{locked.work / 'copy'}")
    return manifest


@proof("Any container host", "registries with tokens, by all that docker login and podman login keep", CONTAINERS)
def test_an_image_to_stand_on_is_read_by_nobody_where_everybody_may(locked: Locked, platform: Platform, tmp_path: Path) -> None:
    nobody = locked.login(platform)
    package(platform, nobody, "--base", f"{locked.host}/public/base:1", "--output", tmp_path / "iris.tar")
    assert locked.tokens.taken() == [Asked("GET", "", ("repository:public/base:pull",))]
    refused = package(platform, nobody, "--base", f"{locked.host}/private/base:1", code=1).stderr
    assert "target-denied" in refused and "it wants to know who asks" in refused and f"docker login {locked.host}" in refused


@proof("Any container host", "registries with tokens, by all that docker login and podman login keep", CONTAINERS)
def test_users_are_let_in_and_layers_go_from_repository_to_repository(locked: Locked, platform: Platform) -> None:
    me = locked.login(platform, auths=locked.user("me", PASSWORD))
    words = ("--base", f"{locked.host}/private/base:1", "--push", f"{locked.host}/team/iris:1")
    manifest = pushed(locked, package(platform, me, *words))
    scopes = ("repository:team/iris:pull,push", "repository:private/base:pull")
    assert Asked("GET", "me", scopes) in locked.tokens.taken()
    calls = [call for call in locked.proxy.taken() if call.method in ("POST", "PUT")]
    [mounted] = [call for call in calls if dict(call.query).get("mount") == manifest["layers"][0]["digest"]]
    assert dict(mounted.query)["from"] == "private/base"
    uploads = [call for call in calls if call.method == "PUT" and "digest" in dict(call.query)]
    assert len(uploads) == len(manifest["layers"][1:]) + 1, "the layers of our own, and the config"

    wrong = locked.login(platform, auths=locked.user("me", "wr0ng"))
    refused = package(platform, wrong, "--push", f"{locked.host}/team/iris:2", code=1).stderr
    assert "target-denied" in refused and "it does not let me (" in refused and "config.json) do that" in refused
    assert "wr0ng" not in refused


@proof("Any container host", "registries with tokens, by all that docker login and podman login keep", CONTAINERS)
def test_logins_of_clouds_are_taken_as_their_tools_keep_them(locked: Locked, platform: Platform) -> None:
    target = ("--push", f"{locked.host}/team/iris:1")
    azures = locked.user("00000000-0000-0000-0000-000000000000", "")
    azures[locked.host]["identitytoken"] = IDENTITY
    pushed(locked, package(platform, locked.login(platform, auths=azures), *target))
    assert {asked.method for asked in locked.tokens.taken() if asked.who == "me"} >= {"POST"}

    pushed(locked, package(platform, locked.login(platform, auths=locked.user(*GOOGLES)), *target))
    assert GOOGLES[0] in {asked.who for asked in locked.tokens.taken()}

    says = f'[ "$1 $(cat)" = "get {locked.host}" ] || exit 9'
    for name, user, secret in (("user", "me", PASSWORD), ("identity", "<token>", IDENTITY)):
        locked.program(name, says, f"""printf '{{"ServerURL":"x","Username":"%s","Secret":"%s"}}' '{user}' '{secret}'""")
        for file in ({"credHelpers": {locked.host: name}}, {"auths": {locked.host: {}}, "credsStore": name}):
            pushed(locked, package(platform, locked.login(platform, **file), *target))

    keeps = {"credsStore": "nothing"}
    locked.program("nothing", "echo 'credentials not found in native keychain'", "exit 1")
    refused = package(platform, locked.login(platform, **keeps), *target, code=1).stderr
    assert "it wants to know who asks" in refused
    locked.program("nothing", "echo 'the keychain is locked'", "exit 1")
    refused = package(platform, locked.login(platform, **keeps), *target, code=1).stderr
    assert "docker-credential-nothing" in refused and "failed: the keychain is locked" in refused
    refused = package(platform, locked.login(platform, credsStore="absent"), *target, code=1).stderr
    assert "docker-credential-absent" in refused and "could not be asked: No such file" in refused


@proof("Any container host", "a push goes on after its token is over, a fault of the registry, and a connection that broke", CONTAINERS)
def test_a_token_that_is_over_in_the_middle_is_followed_by_another(locked: Locked, platform: Platform) -> None:
    me = locked.login(platform, auths=locked.user("me", PASSWORD))
    locked.tokens.moods = Moods(says_s=1, holds_s=2)

    def slowly(_: Call) -> None:
        time.sleep(0.4)

    locked.proxy.fail = slowly
    pushed(locked, package(platform, me, "--push", f"{locked.host}/team/iris:1"))
    assert len([asked for asked in locked.tokens.taken() if asked.scopes[0].endswith("pull,push")]) >= 2


@proof("Any container host", "a push goes on after its token is over, a fault of the registry, and a connection that broke", CONTAINERS)
def test_a_token_that_is_over_before_its_time_is_followed_by_another(locked: Locked, platform: Platform) -> None:
    """The registry takes the first token for three calls and no more."""
    me = locked.login(platform, auths=locked.user("me", PASSWORD))
    shown: list[str] = []

    def over(call: Call) -> int | None:
        if not call.path.startswith("/v2/team/"):
            return None
        shown.append(call.headers["authorization"])
        return 401 if len(shown) > 3 and shown[-1] == shown[0] else None

    locked.proxy.fail = over
    pushed(locked, package(platform, me, "--push", f"{locked.host}/team/iris:1"))
    assert len(set(shown)) == 2, "the next one for all the rest"

    locked.proxy.fail = lambda call: 401 if call.method == "PUT" else None
    refused = package(platform, me, "--push", f"{locked.host}/team/iris:2", code=1).stderr
    assert "target-denied" in refused and "it does not let me (" in refused


@proof("Any container host", "a push goes on after its token is over, a fault of the registry, and a connection that broke", CONTAINERS)
def test_what_fails_once_is_tried_again(locked: Locked, platform: Platform, tmp_path: Path) -> None:
    me = locked.login(platform, auths=locked.user("me", PASSWORD))
    kinds: set[str] = set()

    def kind(method: str, path: str) -> str:
        """A call without its digests and states."""
        return f"{method} {re.sub('[?].*|sha256:[0-9a-f]+|[0-9a-f-]{36}.*', '', path)}"

    def once(call: Call) -> int | None:
        one = kind(call.method, call.path)
        kinds.add(one)
        return None if one in failed or failed.add(one) else 503

    def cut_once(method: str, path: str) -> bool:
        one = kind(method, path)
        return not (one in failed or failed.add(one))

    words = ("--base", f"{locked.host}/private/base:1", "--push")
    failed: set[str] = set()
    locked.proxy.fail = once
    pushed(locked, package(platform, me, *words, f"{locked.host}/team/iris:1", "--output", tmp_path / "one.tar"))
    assert {"HEAD /v2/team/iris/blobs/", "POST /v2/team/iris/blobs/uploads/", "PUT /v2/team/iris/blobs/uploads/"} < kinds
    assert {"GET /v2/", "GET /v2/private/base/manifests/1", "GET /v2/private/base/blobs/", "PUT /v2/team/iris/manifests/1"} < kinds
    locked.proxy.fail = lambda _: None

    locked.reset()
    failed = set()
    locked.proxy.cut = cut_once
    pushed(locked, package(platform, me, *words, f"{locked.host}/team/iris:1", "--output", tmp_path / "two.tar"))
    assert "PUT /v2/team/iris/blobs/uploads/" in failed, "in the middle of a layer"


def test_what_fails_each_time_is_given_up_and_told(locked: Locked, platform: Platform) -> None:
    me = locked.login(platform, auths=locked.user("me", PASSWORD))
    locked.proxy.fail = lambda call: 500 if call.method == "PUT" else None
    refused = package(platform, me, "--push", f"{locked.host}/team/iris:1", code=1).stderr
    assert f"could not push {locked.host}/team/iris:1: it answered 500" in refused and "_state" not in refused
    assert len([call for call in locked.proxy.taken() if call.method == "PUT"]) == ATTEMPTS
    locked.proxy.fail = lambda _: None
    locked.proxy.cut = lambda method, _: method == "PUT"
    refused = package(platform, me, "--push", f"{locked.host}/team/iris:1", code=1).stderr
    assert f"could not push {locked.host}/team/iris:1" in refused and "_state" not in refused and "can be reached" in refused
