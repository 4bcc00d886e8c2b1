"""Real tools of containers: a registry (docker-registry), skopeo, and podman with runc. Debian's packages, brought by setup-containers.sh."""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path

import httpx
import pytest
from emulator import free_port
from harness import PATIENCE_S, eventually

TOOLS = ("docker-registry", "skopeo", "podman", "runc")
#: Podman as it works where nobody may raise limits, and with control groups of either version.
PODMAN = ("podman", "--cgroup-manager", "cgroupfs", "--runtime", "runc", "--storage-driver", "vfs")
LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
#: What wheels may count on by manylinux' rules, beside what Python itself is linked with.
WHEELS_COUNT_ON = ("libstdc++.so.6", "libgcc_s.so.1", "librt.so.1", "libdl.so.2", "libpthread.so.0")
#: The user `me` with the password `correct horse`, in the one form that the registry reads (bcrypt).
USER = "me:$2b$04$9N8Y762.L17pJ0YrzPVbJOjTbTmgcVpZEnILZJdiegc7SlDywuv4y\n"
PASSWORD = "correct horse"
#: As strict as hosts are: nobody's user, no capability, nothing to write to but /tmp.
STRICT = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--tmpfs", "/tmp:rw,size=64m")


@functools.cache
def missing() -> str | None:
    """Why no container can be run here, if so: tools that are not there, or what the smallest of all containers fails with."""
    absent = [tool for tool in TOOLS if shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None]
    if absent:
        return f"{', '.join(absent)} not installed: run python/tests/setup-containers.sh as root"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        root.mkdir()
        source = ["cc", "-static", "-x", "c", "-", "-o", root / "true"]
        subprocess.run(source, input="int main(void) { return 0; }", text=True, check=True)
        store = ("--root", f"{folder}/store", "--runroot", f"{folder}/run")
        words = [*PODMAN, *store, "run", "--rm", *LIMITS, *STRICT, "--network", "host", "--rootfs", root, "/true"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S)
    return None if done.returncode == 0 else f"podman cannot run a container here: {done.stderr.strip()[-500:]}"


needs_containers = pytest.mark.skipif(missing() is not None, reason=str(missing()))


def tool(*words: str | Path, **options) -> str:
    """What a tool says; a failure with its words."""
    environment = os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S * 4, env=environment, **options)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


class Registry:
    """Debian's docker-registry on loopback; a locked one wants to know who asks, of these users, or as `auth` says."""

    def __init__(self, folder: Path, locked: bool = False, users: str = USER, auth: dict | None = None):
        self.host = f"127.0.0.1:{free_port()}"
        self.data = folder / "data"
        folder.mkdir(parents=True)
        config = {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(self.data)}, "delete": {"enabled": True}},
            # Whoever comes through a proxy stays with it.
            "http": {"addr": self.host, "relativeurls": True},
        }
        if auth:
            config["auth"] = auth
        if locked:
            (folder / "users").write_text(users)
            config["auth"] = {"htpasswd": {"realm": "tests", "path": str(folder / "users")}}
        (folder / "config.yml").write_text(json.dumps(config))
        self.log = folder / "log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                ["docker-registry", "serve", folder / "config.yml"], stdout=out, stderr=subprocess.STDOUT
            )
        eventually(self.answers, what="the registry answers")

    def answers(self) -> bool:
        """Whether it is up."""
        try:
            return httpx.get(f"http://{self.host}/v2/", trust_env=False).status_code in (200, 401)
        except httpx.TransportError:
            return False

    def manifest(self, name: str) -> dict:
        """An image's manifest, as skopeo reads it."""
        return json.loads(tool("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{self.host}/{name}"))

    def manifest_bytes(self, name: str) -> int:
        """The bytes of that manifest."""
        return len(tool("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{self.host}/{name}"))

    def empty(self) -> None:
        """As if nothing had ever been brought there."""
        shutil.rmtree(self.data, ignore_errors=True)

    def stop(self) -> None:
        """Ends it."""
        self.process.terminate()
        self.process.wait(PATIENCE_S)


class Hosted:
    """A container that runs, with what it is asked over HTTP."""

    def __init__(self, podman: Podman, name: str, port: int):
        self.podman, self.name = podman, name
        self.url = f"http://127.0.0.1:{port}"
        self.http = httpx.Client(base_url=self.url, timeout=PATIENCE_S, trust_env=False)

    def is_ready(self, path: str, status: int) -> bool:
        """Whether a host's probe finds it ready."""
        try:
            return self.http.get(path).status_code == status
        except httpx.TransportError:
            return False

    def answer(self, path: str, body: object) -> httpx.Response | None:
        """What it answers, once somebody listens."""
        try:
            return self.http.post(path, json=body)
        except httpx.TransportError:
            return None

    def said(self) -> str:
        """What it wrote."""
        done = subprocess.run([*self.podman.words, "logs", self.name], capture_output=True, text=True)
        return done.stdout + done.stderr

    def stop(self, seconds: int = 10) -> int:
        """Tells it to end, as hosts do; its exit code, 137 where it had to be killed."""
        tool(*self.podman.words, "stop", "--time", str(seconds), self.name)
        code = int(tool(*self.podman.words, "wait", self.name))
        tool(*self.podman.words, "rm", self.name)
        self.http.close()
        self.podman.running.remove(self)
        return code


class Podman:
    """Podman with a store of its own, whose path is short: podman takes no longer one than 50 characters for what runs."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="podman-"))
        self.words = (*PODMAN, "--root", self.folder / "store", "--runroot", self.folder / "run")
        self.running: list[Hosted] = []

    def pull(self, image: str, login: str = "") -> None:
        """Brings an image from a registry on loopback. `login`: a user and a password, with a colon between."""
        known = ("--creds", login) if login else ()
        tool(*self.words, "pull", "-q", "--tls-verify=false", *known, image)

    def run(self, image: str, *command: str, options=(), port: int | None = None, **said: str) -> Hosted:
        """Starts a container strictly, on this machine's own network. A variable with the value PORT gets the port."""
        port = port or free_port()
        values = {name: str(port) if value == "PORT" else value for name, value in ({"PORT": "PORT"} | said).items()}
        words = [word for name, value in values.items() for word in ("--env", f"{name}={value}")]
        fixed = (*LIMITS, *STRICT, "--network", "host")
        name = tool(*self.words, "run", "--detach", *fixed, *words, *options, image, *command).strip()
        self.running.append(Hosted(self, name, port))
        return self.running[-1]

    def start(self, image: str, *command: str, probe: str = "/", ready: int = 200, **said: str) -> Hosted:
        """The same, and waits until a probe finds it ready."""
        hosted = self.run(image, *command, **said)
        eventually(lambda: hosted.is_ready(probe, ready), what=f"{probe} is answered by {image}: {hosted.said()}")
        return hosted

    def close(self) -> None:
        """Nothing is left of it."""
        for hosted in list(self.running):
            tool(*self.words, "rm", "--force", hosted.name)
        tool(*self.words, "system", "reset", "--force")
        shutil.rmtree(self.folder, ignore_errors=True)


def libraries(programs: list[Path]) -> set[Path]:
    """What they are linked with, all the way."""
    found: set[Path] = set()
    for program in programs:
        said = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
        found |= {Path(path) for path in re.findall(r"(/\S+) \(0x", said)}
    return found


def python_image(folder: Path) -> Path:
    """An OCI layout with this machine's Python and what it is linked with, as python:X.Y-slim has one: a base without a network."""
    prefix, stdlib = Path(sys.base_prefix), Path(sysconfig.get_paths()["stdlib"])
    program = Path(os.path.realpath(prefix / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"))
    without = {"test", "site-packages", "dist-packages", "__pycache__", "idlelib", "tkinter", "ensurepip", "turtledemo"}
    tree = [path for path in stdlib.rglob("*") if path.is_file() and not without & set(path.relative_to(stdlib).parts)]
    objects = [program, *(path for path in tree if path.suffix == ".so")]
    cpp = [Path(os.path.normpath(tool("cc", f"-print-file-name={name}").strip())) for name in WHEELS_COUNT_ON]
    files = {path: path for path in [*tree, *libraries([*objects, *cpp]), *cpp]}
    files[Path("/usr/local/bin") / program.name] = program
    return layout(folder, files, [f"PATH=/usr/local/bin:/usr/bin", f"PYTHONHOME={prefix}", "LANG=C.UTF-8"])


def layout(folder: Path, files: dict[Path, Path], env: list[str]) -> Path:
    """An image of these files, by their places in it."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.GNU_FORMAT) as archive:
        archive.dereference = True
        for place, source in sorted(files.items()):
            archive.add(source, str(place).lstrip("/"), recursive=False)
    layer, plain = gzip.compress(tar.getvalue(), 1, mtime=0), hashlib.sha256(tar.getvalue()).hexdigest()
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(kind: str, content: bytes) -> dict:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": env},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{plain}"]},
    }
    config = put("config.v1+json", json.dumps(config).encode())
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": [put("layer.v1.tar+gzip", layer)],
    }
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    entry = put("manifest.v1+json", json.dumps(manifest).encode())
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    return folder
