"""`modelet check`: what would break a function on a cloud is found here, by running it under that cloud's limits, and named with its
line and with what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from functions import folder, wheel
from harness import ROOT, Platform
from packaged import ARM64, elf

TARGETS = ["aws-lambda", "cloud-run", "azure-functions", "sagemaker", "vertex"]
every_target = pytest.mark.parametrize("target", TARGETS)

PLAIN = "def handler(event, context):\n    return event\n"
IRIS = ROOT / "examples" / "iris"


@dataclass
class Checked:
    """What one `modelet check --json` found."""

    code: int
    found: dict
    said: str

    def all(self, about: str) -> list[dict]:
        return [one for one in self.found["findings"] if one["about"] == about]

    def one(self, about: str) -> dict:
        """The heaviest finding about something."""
        assert self.all(about), f"nothing about {about}: {self.found}"
        return self.all(about)[0]

    def breaks(self) -> set[str]:
        """What breaks."""
        return {one["about"] for one in self.found["findings"] if one["verdict"] == "breaks"}


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., Checked]:
    """Checks files, or what is at a path, for a target."""

    def run(what: dict[str, str | bytes] | Path, target: str, *arguments: object, manifest: dict | None = None) -> Checked:
        path = what if isinstance(what, Path) else folder(tmp_path / "app", what, manifest)
        done = Platform(tmp_path).cli("check", path, "--as", target, "--json", *arguments, check=False)
        assert done.stdout, done.stderr
        found = json.loads(done.stdout)
        verdict = found["verdict"]
        assert done.returncode == (1 if verdict == "breaks" else 0), done
        assert (verdict == "breaks") == ("target-unfit" in done.stderr), done
        return Checked(done.returncode, found, done.stderr)

    return run


# -- nothing is wrong ----


@every_target
def test_a_function_that_fits_breaks_nowhere_and_all_that_was_looked_at_is_told(check, target):
    checked = check({"app.py": PLAIN}, target, "--sample", '{"x": 1}')
    assert checked.code == 0 and checked.found["verdict"] == "ok", checked.found
    assert {one["about"] for one in checked.found["findings"]} == {"size", "start", "call", "memory"}
    measured = checked.found["measured"]
    assert measured["load_ms"] > 0 and measured["call_ms"] > 0 and measured["held_kib"] > 1_000
    assert (measured["request_bytes"], measured["answer_bytes"]) == (8, 8)


@every_target
def test_a_model_is_tried_with_a_sample_of_its_own(check, target):
    checked = check(IRIS, target)
    assert checked.code == 0 and not checked.breaks(), checked.found
    assert checked.one("call")["verdict"] == "ok" and checked.found["measured"]["answer_bytes"] > 10


def test_code_without_a_sample_is_started_and_asked_for_one(check):
    checked = check({"app.py": PLAIN}, "aws-lambda")
    assert checked.code == 0
    assert "--sample" in checked.one("call")["fix"] and checked.one("start")["verdict"] == "ok"


def test_people_read_the_heaviest_first_with_limits_sources_and_what_to_do(tmp_path):
    files = {"app.py": "import os\nos.makedirs('/usr/cache/x')\n" + PLAIN}
    path = folder(tmp_path / "app", files, {"secrets": {"API_KEY": "partner-key"}})
    done = Platform(tmp_path).cli("check", path, "--as", "aws-lambda", check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 1 and lines[0] == "app for AWS Lambda"
    weights = [line.split()[0] for line in lines[1:] if not line.startswith(" ") and "not as there" not in line]
    assert weights == sorted(weights, key=["breaks", "warning", "note", "ok"].index) and weights[-1] == "ok"
    assert lines[1].startswith("breaks   writes") and "app.py:2" in lines[2] and "Developer Guide" in lines[3]
    assert lines[4].split()[0] == "next"
    assert done.stderr.splitlines()[-3] == "error: 1 thing would break it on AWS Lambda, 1 thing may"


# -- files that cannot be written ----


@every_target
def test_a_package_that_opens_its_own_file_for_update_is_named_with_path_file_and_line(check, tmp_path, target):
    code = b"import os\nPATH = os.path.join(os.path.dirname(__file__), 'words.bin')\ndef words():\n    with open(PATH, 'r+b') as file:\n        return file.read()\n"
    words = wheel(tmp_path, "pecab", files={"pecab/dict.py": code, "pecab/words.bin": b"w"})
    app = "from pecab.dict import words\nWORDS = words()\n" + PLAIN
    checked = check({"app.py": app, "requirements.txt": f"{words}\n"}, target)
    finding = checked.one("writes")
    assert checked.breaks() == {"writes"}, checked.found
    assert "packages/pecab/words.bin" in finding["what"]
    assert finding["places"] == ["app.py:2", "packages/pecab/dict.py:4"]
    assert "copy it to /tmp" in finding["fix"] and finding["limit"]["source"]


@every_target
def test_a_file_of_ones_own_is_the_same_in_a_call(check, target):
    app = "def handler(event, context):\n    with open('words.txt', 'r+') as file:\n        return file.read()\n"
    checked = check({"app.py": app, "words.txt": "a"}, target, "--sample", "{}")
    finding = checked.one("writes")
    assert finding["verdict"] == "breaks" and finding["places"] == ["app.py:2"] and "words.txt" in finding["what"]
    assert checked.breaks() == {"writes"}


@every_target
def test_known_caches_have_a_place_and_what_writes_elsewhere_is_named(check, target):
    app = """\
import os, pathlib
for name in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR", "HOME"):
    place = pathlib.Path(os.environ[name])
    place.mkdir(parents=True, exist_ok=True)
    (place / "x").write_text("kept")
try:
    os.makedirs("/usr/own/deep")
except OSError:
    pass
def handler(event, context):
    return {}
"""
    checked = check({"app.py": app}, target, "--sample", "{}")
    assert checked.code == 0, checked.found
    (finding,) = checked.all("writes")
    assert finding["verdict"] == "warning" and "/usr/own" in finding["what"], finding
    assert finding["places"][0] == "app.py:7" and "[env]" in finding["fix"]


def test_what_is_written_below_tmp_is_nobodys_business(check):
    app = "import tempfile, os\ndef handler(event, context):\n    with tempfile.TemporaryDirectory() as place:\n        open(os.path.join(place, 'x'), 'w').write('y')\n    open('/dev/null', 'w').write('z')\n    return {}\n"
    checked = check({"app.py": app}, "aws-lambda", "--sample", "{}")
    assert checked.code == 0 and not checked.all("writes"), checked.found


# -- others ----


@every_target
def test_code_that_reaches_for_others_at_its_start_is_named_with_host_and_line(check, target):
    app = "import urllib.request\nurllib.request.urlopen('https://models.invalid/weights.bin', timeout=1)\n" + PLAIN
    checked = check({"app.py": app}, target)
    finding = checked.one("network")
    assert checked.breaks() == {"network"}, checked.found
    assert "models.invalid:443" in finding["what"] and finding["places"][0] == "app.py:2"
    assert "network = true" in finding["fix"]


def test_code_that_goes_on_without_others_may_break(check):
    app = "import socket\ndef handler(event, context):\n    try:\n        socket.create_connection(('192.0.2.1', 9), timeout=1)\n    except OSError:\n        return 'alone'\n"
    checked = check({"app.py": app}, "cloud-run", "--sample", "{}")
    finding = checked.one("network")
    assert checked.code == 0 and finding["verdict"] == "warning"
    assert "192.0.2.1:9" in finding["what"] and finding["places"] == ["app.py:4"]


def test_ones_own_machine_is_not_another(check):
    app = "import socket\nserver = socket.create_server(('127.0.0.1', 0))\nsocket.create_connection(server.getsockname()).close()\n" + PLAIN
    checked = check({"app.py": app}, "cloud-run", "--sample", "{}")
    assert checked.code == 0 and not checked.all("network"), checked.found


# -- what the machine has not ----


def test_lambda_has_no_shared_memory_and_others_have(check):
    app = "import multiprocessing\nlock = multiprocessing.Lock()\n" + PLAIN
    checked = check({"app.py": app}, "aws-lambda")
    finding = checked.one("shared-memory")
    assert checked.breaks() == {"shared-memory"}, checked.found
    assert finding["places"][0] == "app.py:2" and "/dev/shm" in finding["limit"]["rule"] and "Pipe" in finding["fix"]
    assert check({"app.py": app}, "cloud-run").code == 0


def test_code_that_does_without_shared_memory_is_named_all_the_same(check):
    app = "import os\nfrom multiprocessing import shared_memory\ndef handler(event, context):\n    try:\n        shared_memory.SharedMemory(create=True, size=8).unlink()\n        return 'shared'\n    except OSError:\n        return os.path.exists('/dev/shm')\n"
    checked = check({"app.py": app}, "aws-lambda", "--sample", "{}")
    finding = checked.one("shared-memory")
    assert checked.code == 0 and (finding["verdict"], finding["places"]) == ("warning", ["app.py:5"])
    assert checked.found["measured"]["answer_bytes"] == len("false")


def test_files_of_sys_that_lambda_has_not_are_missing_here_too(check):
    app = "with open('/sys/devices/system/cpu/possible') as file:\n    print(file.read())\n" + PLAIN
    checked = check({"app.py": app}, "aws-lambda")
    finding = checked.one("machine")
    assert checked.breaks() == {"machine"} and finding["places"] == ["app.py:1"], checked.found
    assert "/sys/devices/system/cpu/possible" in finding["what"]
    assert check({"app.py": app}, "cloud-run").code == 0


def test_programs_of_this_machine_are_named(check):
    app = "import subprocess, sys\nsubprocess.run(['uname'], check=False)\nsubprocess.run([sys.executable, '-c', ''], check=True)\n" + PLAIN
    checked = check({"app.py": app}, "aws-lambda", "--sample", "{}")
    (finding,) = checked.all("programs")
    assert finding["verdict"] == "warning" and "uname" in finding["what"] and finding["places"] == ["app.py:2"]


# -- memory, time, payloads ----


@pytest.mark.parametrize(
    ("target", "memory_mib", "holds_mib", "next_mib"),
    [("aws-lambda", 128, 200, None), ("sagemaker", 1_024, 1_100, 2_048), ("cloud-run", 256, 300, None)],
)
def test_too_little_memory_is_told_with_what_it_takes_and_the_next_step(check, target, memory_mib, holds_mib, next_mib):
    app = f"held = bytearray({holds_mib} << 20)\nfor at in range(0, len(held), 4096):\n    held[at] = 1\n" + PLAIN
    checked = check({"app.py": app}, target, "--memory-mib", memory_mib, "--sample", "{}")
    finding = checked.one("memory")
    assert checked.breaks() == {"memory"}, checked.found
    assert holds_mib <= checked.found["measured"]["held_kib"] / 1_024 < holds_mib + 60
    asked = int(finding["fix"].split("memory_mib = ")[1].split(",")[0])
    assert asked == next_mib if next_mib else holds_mib < asked < 2 * holds_mib
    assert check({"app.py": app}, target, "--memory-mib", asked, "--sample", "{}").code == 0


def test_what_lies_in_tmp_is_memory_on_cloud_run_alone(check):
    app = "with open('/tmp/x', 'wb') as file:\n    file.write(bytes(200 << 20))\n" + PLAIN
    checked = check({"app.py": app}, "cloud-run", "--memory-mib", 128, "--sample", "{}")
    assert checked.breaks() == {"memory"}, checked.found
    checked = check({"app.py": app}, "aws-lambda", "--memory-mib", 384, "--sample", "{}")
    assert checked.code == 0 and checked.found["measured"]["held_kib"] < 100 << 10, checked.found


def test_a_start_beyond_lambdas_ten_seconds_breaks_it_unless_the_first_call_has_time_for_it(check):
    app = "import time\ntime.sleep(10.5)\n" + PLAIN
    checked = check({"app.py": app}, "aws-lambda")
    finding = checked.one("start")
    assert checked.breaks() == {"start"} and "10000" in finding["limit"]["rule"], checked.found
    assert "begins again" in finding["fix"]
    checked = check({"app.py": app}, "aws-lambda", "--set", "request_timeout_ms=30000")
    assert checked.code == 0 and checked.one("start")["verdict"] == "warning"


def test_a_call_beyond_its_time_out_breaks(check):
    app = "import time\ndef handler(event, context):\n    time.sleep(5)\n"
    checked = check({"app.py": app}, "aws-lambda", "--sample", "{}")
    assert checked.breaks() == {"call"} and "may be 900000" in checked.one("call")["fix"], checked.found


@pytest.mark.parametrize(
    ("target", "request_bytes", "answer_bytes"),
    [
        ("aws-lambda", 6 << 20, 6 << 20),
        ("sagemaker", 4 << 20, 4 << 20),
        ("cloud-run", 32 << 20, 32 << 20),
        ("vertex", 1_500_000, None),
        ("azure-functions", 210 << 20, None),
    ],
)
def test_payloads_beyond_the_target_s_are_told(check, tmp_path, target, request_bytes, answer_bytes):
    app = "def handler(event, context):\n    return 'x' * event['n']\n"
    sample = tmp_path / "event.json"
    if request_bytes < 100 << 20:
        sample.write_text(json.dumps({"n": 1, "pad": "y" * request_bytes}))
        finding = check({"app.py": app}, target, "--sample", sample).one("payload")
        assert finding["verdict"] == "breaks" and "the request has" in finding["what"], finding
        assert str(request_bytes) in finding["limit"]["rule"]
    if answer_bytes:
        checked = check({"app.py": app}, target, "--sample", json.dumps({"n": answer_bytes + 1}), "--memory-mib", 1_024)
        assert checked.breaks() == {"payload"}, checked.found
        assert str(answer_bytes) in checked.one("payload")["limit"]["rule"]
        checked = check({"app.py": app}, target, "--sample", json.dumps({"n": answer_bytes - 100}), "--memory-mib", 1_024)
        assert checked.code == 0, checked.found


# -- sizes and binaries ----


@pytest.mark.parametrize("target", ["aws-lambda", "cloud-run", "sagemaker"])
def test_packages_too_large_for_a_zip_are_listed_by_size_with_two_ways_out(check, tmp_path, target):
    large, small = wheel(tmp_path, "torch", 240 << 20), wheel(tmp_path, "helpers", 20 << 20)
    files = {"app.py": "import torch, helpers\n" + PLAIN, "requirements.txt": f"{large}\n{small}\n"}
    checked = check(files, target, "--sample", "{}")
    finding = checked.one("size")
    if target == "aws-lambda":
        assert checked.breaks() == {"size"}, checked.found
        sizes = [place.split() for place in finding["places"]]
        assert [(int(size) >> 20, name) for size, name in sizes] == [(240, "torch"), (20, "helpers")]
        assert "container image" in finding["fix"] and "CPU index" in finding["fix"]
    else:
        assert checked.code == 0 and "ok" in {one["verdict"] for one in checked.all("size")}, checked.found


@every_target
def test_a_library_of_another_machine_in_a_package_is_refused_with_its_name(check, tmp_path, target):
    fast = wheel(tmp_path, "fast", files={"fast/_core.so": elf(ARM64)})
    checked = check({"app.py": "import fast\n" + PLAIN, "requirements.txt": f"{fast}\n"}, target, "--sample", "{}")
    assert checked.breaks() == {"binaries"}, checked.found
    assert checked.one("binaries")["places"] == ["packages/fast/_core.so: arm64"]


@every_target
def test_a_library_of_another_machine_beside_the_code_is_refused_with_its_name(tmp_path, target):
    path = folder(tmp_path / "app", {"app.py": PLAIN, "lib/fast.so": elf(ARM64)})
    done = Platform(tmp_path).cli("check", path, "--as", target, check=False)
    assert done.returncode == 1 and "lib/fast.so is made for arm64" in done.stderr, done


# -- what modelet.toml asks for ----


def test_all_that_lambda_does_not_have_is_told_at_once(check):
    manifest = {
        "isolation": 2,
        "env": {"AWS_REGION": "mars", "MODE": "x" * 4_100},
        "secrets": {"API_KEY": "partner-key"},
        "settings": {"memory_mib": 64, "request_timeout_ms": 1_000_000, "concurrency": 8},
    }
    checked = check({"app.py": PLAIN}, "aws-lambda", "--sample", "{}", manifest=manifest)
    assert checked.breaks() == {"settings", "variables"}, checked.found
    settings = " ".join(one["what"] for one in checked.all("settings"))
    assert "128 to 10240, not 64" in settings and "up to 900000, not 1000000" in settings and "isolation = 2" in settings
    variables = " ".join(one["what"] for one in checked.all("variables"))
    assert "sets AWS_REGION itself" in variables and "AWS Lambda takes 4096" in variables
    assert "partner-key" in checked.one("secrets")["what"] and "API_KEY" in checked.one("secrets")["fix"]
    assert "8 calls at once are 8 instances" in checked.one("concurrency")["what"]


# -- ways to answer ----

WAYS = """\
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse
app = FastAPI()
@app.get("/pieces")
def pieces():
    return StreamingResponse(iter(["a", "b"]))
@app.websocket("/ws")
async def ws(socket: WebSocket):
    await socket.accept()
@app.post("/predict")
def predict(body: dict):
    return body
"""


@every_target
def test_websockets_and_streams_are_told_where_the_target_has_none(check, target):
    checked = check({"app.py": WAYS, "requirements.txt": "fastapi==0.165.0\n"}, target, "--at", "/pieces", "--memory-mib", 1_536 if target == "azure-functions" else 2_048)
    if target == "cloud-run":
        assert checked.code == 0 and not checked.all("websockets") and not checked.all("streams"), checked.found
        return
    assert checked.breaks() == {"websockets"}, checked.found
    assert checked.one("websockets")["places"] == ["app.py:7"]
    (stream,) = checked.all("streams")
    assert stream["verdict"] == "warning" and stream["places"] == ["app.py:6"]


def test_an_application_is_called_where_it_is_told(check):
    files = {"app.py": WAYS, "requirements.txt": "fastapi==0.165.0\n"}
    checked = check(files, "cloud-run", "--at", "/predict", "--sample", '{"a": 1}')
    assert checked.code == 0 and checked.found["measured"]["answer_bytes"] == 7, checked.found
    checked = check(files, "cloud-run", "--at", "/nowhere", "--sample", "{}")
    assert checked.breaks() == {"call"} and "404" in checked.one("call")["what"]
    assert "--at PATH" in checked.one("call")["fix"]


# -- failures that are nobody's limit ----


def test_code_that_fails_by_itself_is_told_as_such(check):
    checked = check({"app.py": "raise KeyError('config')\n" + PLAIN}, "cloud-run")
    assert checked.breaks() == {"start"} and "KeyError: 'config'" in json.dumps(checked.one("start")), checked.found
    checked = check({"app.py": "def handler(event, context):\n    return event['x']\n"}, "aws-lambda", "--sample", "{}")
    assert checked.breaks() == {"call"} and "'x'" in checked.one("call")["what"]


def test_what_code_gets_over_does_not_hide_what_it_fails_of(check):
    """A file that cannot be written and a host that is not there, both caught; then an error that names the file, and a call that is late."""
    tries = "try:\n    open('model', 'w')\nexcept OSError:\n    pass\n"
    fails = "def handler(event, context):\n    return event['model']\n"
    checked = check({"app.py": tries + fails}, "aws-lambda", "--sample", "{}")
    assert checked.breaks() == {"call"} and "'model'" in checked.one("call")["what"], checked.found
    assert checked.one("writes")["verdict"] == "warning" and "new file below /tmp" in checked.one("writes")["fix"]
    tries = "import socket\ntry:\n    socket.create_connection(('models.example', 443), 1)\nexcept OSError:\n    pass\n"
    late = "import time\ndef handler(event, context):\n    time.sleep(9)\n"
    checked = check({"app.py": tries + late}, "aws-lambda", "--sample", "{}")
    assert checked.breaks() == {"call"} and checked.one("network")["verdict"] == "warning", checked.found


def test_a_process_that_dies_in_a_call_has_its_last_words(check):
    dies = "import os\ndef handler(event, context):\n    print('so far', flush=True)\n    os._exit(3)\n"
    checked = check({"app.py": dies}, "aws-lambda", "--sample", "{}")
    assert checked.breaks() == {"call"} and "so far" in checked.one("call")["places"], checked.found


def test_an_answer_that_never_ends_is_read_to_a_limit(check):
    """Cloud Run has none for what comes in pieces."""
    app = "async def app(scope, receive, send):\n    if scope['type'] != 'http':\n        return\n    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
    piece = "await send({'type': 'http.response.body', 'body': bytes(1 << 20), 'more_body': True})\n"
    asgi = {"handler": "app.app", "python": {"interface": "asgi"}}
    checked = check({"app.py": f"{app}    for _ in range(40):\n        {piece}    await send({{'type': 'http.response.body'}})\n"}, "cloud-run", "--at", "/", manifest=asgi)
    assert checked.code == 0 and checked.found["measured"]["answer_bytes"] == 40 << 20, checked.found
    checked = check({"app.py": f"{app}    while True:\n        {piece}"}, "cloud-run", "--at", "/", manifest=asgi)
    assert checked.breaks() == {"call"} and "read no further" in checked.one("call")["what"], checked.found


def test_a_sample_that_is_not_there_is_no_failure_of_the_function(tmp_path):
    app = folder(tmp_path / "app", {"app.py": PLAIN})
    for sample in (tmp_path / "nowhere.json", f"@{tmp_path / 'nowhere'}", tmp_path):
        done = Platform(tmp_path).cli("check", app, "--as", "aws-lambda", "--sample", sample, check=False)
        assert done.returncode == 1 and "could not read" in done.stderr and "bad-body" in done.stderr, done.stderr


def test_a_program_that_nobody_can_watch_is_told_by_its_own_words(check):
    serve = "import http.server, os\ntry:\n    open('/usr/x', 'w')\nexcept OSError as error:\n    print(error, flush=True)\nclass H(http.server.BaseHTTPRequestHandler):\n    def do_POST(self):\n        self.send_response(200)\n        self.end_headers()\n        self.wfile.write(b'1')\nhttp.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), H).serve_forever()\n"
    manifest = {"program": {"command": ["python3", "serve.py"], "speaks": "http"}}
    checked = check({"serve.py": serve}, "aws-lambda", "--at", "/", "--sample", "{}", manifest=manifest)
    assert checked.code == 0 and "/usr/x" in checked.one("writes")["what"], checked.found


def test_a_target_that_there_is_not_is_refused_with_those_that_there_are(tmp_path):
    done = Platform(tmp_path).cli("check", folder(tmp_path / "app", {"app.py": PLAIN}), "--as", "lambda", check=False)
    assert done.returncode == 2 and "vertex" in done.stderr
