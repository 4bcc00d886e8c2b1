"""The command line as people and scripts use it: exit codes, data and talk apart, `--json`, atomic deploys."""

from __future__ import annotations

import hashlib
import json
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import functions
import pytest
import wire
from harness import PATIENCE_S, ROOT, CliFailed, Platform, eventually, stage


@pytest.fixture(scope="module")
def home(tmp_path_factory, cases) -> Platform:
    """A platform of this module's own, with one function called twice."""
    own = Platform(tmp_path_factory.mktemp("cli")).start()
    iris = own.deploy(cases["iris-matrix"], "iris")
    for _ in range(2):
        assert iris.post(wire.by_name(cases["iris-matrix"].call("one").inputs)).status_code == 200
    yield own
    own.stop()


def all_files(folder: Path) -> set[Path]:
    """Every file below a folder, but for the databases' own companions."""
    return {path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm", ".log"))}


# -- deploy ----


def test_the_same_bytes_make_no_new_version_and_others_do(home, cases, tmp_path):
    """Deploying twice is one version; a change is the next; the old path and time of files do not matter."""
    first = home.cli_json("deploy", stage(cases["boosting-regressor"], tmp_path / "a", None, {}), "--name", "twice")
    again = home.cli_json("deploy", stage(cases["boosting-regressor"], tmp_path / "b", None, {}), "--name", "twice")
    other = home.cli_json(
        "deploy", stage(cases["boosting-regressor"], tmp_path / "c", None, {"concurrency": 2}), "--name", "twice"
    )
    assert (first["version"], again["version"], other["version"]) == (1, 1, 2)
    home.cli("delete", "twice", "--yes")


def test_deploy_prints_a_card_for_people(home, cases, tmp_path):
    """Name and version, where it lives, a curl line to try."""
    done = home.cli("deploy", stage(cases["iris-zipmap"], tmp_path / "m", None, {}), "--name", "card")
    card = done.stdout + done.stderr
    for word in ("card@1", f"{home.url}/fn/card", "curl", "sha256:"):
        assert word in card, word
    home.cli("delete", "card", "--yes")


def test_the_example_deploys_and_its_names_are_used(home):
    """examples/iris, as the README shows it."""
    assert home.cli_json("deploy", ROOT / "examples" / "iris", "--name", "example")["version"] == 1
    row = {"sepal_length": 6.3, "sepal_width": 3.3, "petal_length": 6.0, "petal_width": 2.5}
    answer = json.loads(home.cli("invoke", "example", json.dumps(row)).stdout)
    assert answer["outputs"]["label"] == ["virginica"]
    assert answer["classes"]["probabilities"] == ["setosa", "versicolor", "virginica"]
    home.cli("delete", "example", "--yes")


def test_a_killed_deploy_leaves_nothing(home, cases, tmp_path):
    """kill -9 of the command at many moments: the function is whole or not there, and no file is left over."""
    folder = stage(cases["magika"], tmp_path / "m", None, {})
    before = all_files(home.data)
    begin = time.monotonic()
    home.cli("deploy", folder, "--name", "killed")
    takes_s = time.monotonic() - begin

    def nothing_is_left() -> bool:
        if "killed" in home.functions():
            body = wire.by_name(cases["magika"].call("one").inputs)
            assert home.http.post("/fn/killed", json=body).status_code == 200, "there means whole"
            home.cli("delete", "killed", "--yes")
        return not all_files(home.data) - before

    for part in (0.01, 0.1, 0.3, 0.6, 0.8, 0.9, 0.95, 0.99):
        eventually(nothing_is_left, what="no file is left")
        process = subprocess.Popen(
            [home.binary, "deploy", folder, "--name", "killed"],
            env=home.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(part * takes_s)
        process.kill()
        process.wait()
    eventually(nothing_is_left, what="no file is left")


def test_a_truncated_upload_leaves_nothing(home):
    """The connection breaks in the middle of an artifact: no function, no file; and junk is refused with a sentence."""
    before = all_files(home.data)
    document = home.http.get("/openapi.json").json()
    paths = [path for path, item in document["paths"].items() if "{name}" in path and _takes_artifact(item)]
    assert paths, "the OpenAPI file has the operation that publishes an artifact"
    path = paths[0]
    method = "PUT" if "put" in document["paths"][path] else "POST"
    address = urlsplit(home.url)
    digest = hashlib.sha256(b"junk" * 1_000).hexdigest()
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        head = (
            f"{method} {path.replace('{name}', 'cut-off')} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5000000\r\n"
            f"x-modelet-sha256: {digest}\r\n"
        )
        connection.sendall(f"{head}content-type: application/x-tar\r\n\r\n".encode() + bytes(1_000_000))
    headers = {"content-type": "application/x-tar", "x-modelet-sha256": digest}
    junk = home.http.request(method, path.replace("{name}", "junk"), content=b"junk" * 1_000, headers=headers)
    assert junk.status_code == 400
    assert len(junk.json()["error"]["message"]) >= 20
    assert not {"cut-off", "junk"} & set(home.functions())
    eventually(lambda: not all_files(home.data) - before, what="no file is left")


def _takes_artifact(item: dict) -> bool:
    """True for the operation that publishes a version: its body is no JSON."""
    bodies = [item[method].get("requestBody", {}).get("content", {}) for method in ("put", "post") if method in item]
    return any(kind != "application/json" for content in bodies for kind in content)


def test_an_unknown_key_in_the_manifest_is_named(home, cases, tmp_path):
    """A typing error is told with what there is."""
    with pytest.raises(CliFailed) as failed:
        home.deploy(cases["scalars"], "typo", {"settings": {"memroy_mib": 5}})
    assert "bad-manifest" in failed.value.done.stderr
    assert "memroy_mib" in failed.value.done.stderr
    assert "memory_mib" in failed.value.done.stderr


# -- reading ----


def test_invoke_takes_a_body_as_argument_file_or_standard_input(home, cases, tmp_path):
    """Three ways in, one answer out, on stdout and nothing else there."""
    body = json.dumps(wire.by_name(cases["iris-matrix"].call("one").inputs))
    (tmp_path / "body.json").write_text(body)
    direct = home.cli("invoke", "iris", body)
    from_file = home.cli("invoke", "iris", f"@{tmp_path / 'body.json'}")
    from_stdin = home.cli("invoke", "iris", "-", stdin=body)
    answers = [json.loads(done.stdout) for done in (direct, from_file, from_stdin)]
    assert answers[0]["outputs"]["label"] == [0]
    assert answers[0] == answers[1] == answers[2]


def test_ls_and_describe_with_and_without_json(home):
    """Rows for people, the same facts for machines."""
    (row,) = [row for row in home.cli_json("ls") if row["name"] == "iris"]
    assert row["version"] == 1
    assert "iris" in home.cli("ls").stdout
    described = home.cli_json("describe", "iris")
    text = json.dumps(described)
    for word in ("X", "sepal_length", "probabilities", "request_timeout_ms", "engine"):
        assert word in text, word
        assert word in home.cli("describe", "iris").stdout, word


def test_logs_have_a_record_for_each_call(home):
    """Invocation id, function, version, instance, status and phases; one JSON object a line."""

    def records() -> list[dict]:
        lines = home.cli("logs", "iris", "--json").stdout.splitlines()
        return [record for record in map(json.loads, lines) if "status" in record]

    found = eventually(lambda: rows if len(rows := records()) >= 2 else None, what="two records")
    assert {record["function"] for record in found} == {"iris"}
    assert [record["cold_start"] for record in found[:2]] == [True, False]
    for record in found:
        assert record["id"]
        assert record["instance"]
        assert record["version"] == 1
        assert record["phases"]["total_ms"] >= record["phases"]["handler_ms"] > 0
    assert found[0]["id"] in home.cli("logs", "iris").stdout


def test_logs_follow_until_interrupted(home, cases):
    """`-f` prints a call that comes later, and Ctrl-C ends it."""
    follow = subprocess.Popen(
        [home.binary, "logs", "iris", "-f", "--json"],
        env=home.environment(),
        stdout=subprocess.PIPE,
        text=True,
        # A shell has what it runs in the background ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert follow.stdout.readline(), "a call from before: it has begun"
        answer = home.http.post("/fn/iris", json=wire.by_name(cases["iris-matrix"].call("one").inputs))
        wanted = answer.headers["x-modelet-invocation"]
        while wanted not in (line := follow.stdout.readline()):
            assert line, "it goes on"
    finally:
        follow.send_signal(signal.SIGINT)
        follow.wait(PATIENCE_S)


def test_logs_are_chosen_by_level_call_and_age(own_platform, tmp_path):
    """What matters at least so much, what one call said, what is new; also on the way."""
    body = "    print('asked', event)\n    if event == 'fail':\n        raise KeyError('oh no')\n"
    source = f"def handler(event, context):\n{body}"
    own_platform.deploy(functions.folder(tmp_path / "code", {"app.py": source}), "said")
    fine = own_platform.http.post("/fn/said", json="fine").headers["x-modelet-invocation"]
    assert own_platform.http.post("/fn/said", json="fail").status_code == 500

    def texts(*arguments: str) -> list[str]:
        rows = map(json.loads, own_platform.cli("logs", "said", "--json", *arguments).stdout.splitlines())
        return sorted((row.get("text") or row["kind"]).partition("\n")[0] for row in rows)

    eventually(lambda: texts().count("invocation") == 2, what="both calls are in the log")
    assert texts("--call", fine) == ["asked fine", "invocation"]
    assert texts("--level", "error") == ["KeyError: 'oh no'", "invocation"]
    assert len(texts("--level", "error", "-n", "1")) == 1
    assert "asked fail" in texts("--since", "10m")
    assert texts("--since", "0ms") == []
    waited = own_platform.http.get("/api/v1/functions/said/logs?level=critical&after=0&wait_ms=200")
    assert waited.json() == {"rows": []}
    for wrong, says in ((("--level", "loud"), "critical"), (("--since", "10"), "10m"), (("--call", "a&b"), "no id")):
        with pytest.raises(CliFailed) as refused:
            own_platform.cli("logs", "said", *wrong)
        assert says in refused.value.done.stderr
    refused = own_platform.http.get("/api/v1/functions/said/logs?level=loud")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad-input")


def test_doctor_says_what_this_machine_can_do(home):
    """Checks with a verdict each."""
    text = json.dumps(home.cli_json("doctor")).lower()
    for word in ("isolation", "cgroup", "idle", "python", "uv", "disk", "onnxruntime"):
        assert word in text, word


@pytest.mark.parametrize("code", ["queue-full", "request-timeout", "model-refused", "data-in-use"])
def test_explain_prints_the_page_of_a_code(home, code):
    """What happened, and what to do; as text and as JSON."""
    assert "## What to do" in home.cli("explain", code).stdout
    assert code in json.dumps(home.cli_json("explain", code))


def test_explain_of_no_code_lists_the_codes(home):
    """A wrong code is refused with the right ones."""
    done = home.cli("explain", "no-such-code", check=False)
    assert done.returncode != 0
    assert "queue-full" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_know_the_commands(home, shell):
    """A script for each shell, on stdout."""
    script = home.cli("completions", shell).stdout
    assert all(word in script for word in ("deploy", "invoke", "describe"))


def test_every_command_has_help_with_an_example(home):
    """`--help` shows how to use it, not only what it is."""
    for command in ("up", "deploy", "prove", "invoke", "ls", "describe", "logs", "delete", "doctor", "explain"):
        text = home.cli(command, "--help").stdout
        assert "xample" in text and f"modelet {command}" in text, command


# -- failing ----

FAILURES = {
    "unknown function": ["invoke", "nobody", "{}"],
    "describe nothing": ["describe", "nobody"],
    "logs of nothing": ["logs", "nobody"],
    "delete nothing": ["delete", "nobody", "--yes"],
    "no such file": ["deploy", "/no/such/model.onnx"],
    "bad name": ["deploy", str(ROOT / "examples" / "iris"), "--name", "Bad_Name"],
    "bad body": ["invoke", "iris", "[[1, 2]]"],
    "no such platform": ["ls", "--server", "http://127.0.0.1:9"],
}


@pytest.mark.parametrize("arguments", FAILURES.values(), ids=FAILURES.keys())
def test_failures_exit_non_zero_and_say_what_to_do(home, arguments):
    """Nothing on stdout; on stderr what happened, to what, and the next step; no backtrace."""
    done = home.cli(*arguments, check=False)
    assert done.returncode not in (0, 101), done
    assert done.stdout == ""
    assert len(done.stderr) >= 40
    assert "panicked" not in done.stderr
    assert any(word in done.stderr for word in ("hint", "next", "try", "modelet ")), done.stderr


def test_delete_asks_and_without_an_answer_does_nothing(home, cases):
    """No terminal, no `--yes`: refused. With it: gone, its instances too."""
    doomed = home.deploy(cases["scalars"], "doomed")
    assert doomed.post(wire.by_name(cases["scalars"].call("one").inputs)).status_code == 200
    assert home.cli("delete", "doomed", check=False).returncode != 0
    assert "doomed" in home.functions()
    home.cli("delete", "doomed", "--yes")
    assert "doomed" not in home.functions()
    gone = home.http.post("/fn/doomed", json={})
    assert gone.status_code == 404
    assert gone.json()["error"]["code"] == "function-not-found"


def test_a_web_page_cannot_use_the_admin_api(home):
    """A request with a foreign `Origin` is refused; without one it is served."""
    refused = home.http.get("/api/v1/functions", headers={"origin": "http://evil.example"})
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "forbidden-origin"
    assert home.http.get("/api/v1/functions").status_code == 200
