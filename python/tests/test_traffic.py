"""Who gets the calls on a platform of ours: canaries, promotion, rollback, plans; on this platform (`local`) and on another (`--to URL`)."""

from __future__ import annotations

import itertools
import json
import math
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import churn
import functions
import httpx
import pytest
import wire
from churn import Load
from clouds import Call, Proxy
from harness import PATIENCE_S, Function, Platform, eventually, stage
from proofs import OURSELVES, proof

NAME = "iris"
CALLS = 1_000
#: Six standard deviations: a test in hundreds of millions fails without a reason.
DEVIATIONS = 6

#: Deploys the same model with so much memory, which is a version of its own: `deploy(platform, 512, "--canary", 10)`.
Deploy = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def deploy(cases, tmp_path: Path) -> Deploy:
    def deployed(platform: Platform, memory_mib: int, *more: object, check: bool = True) -> subprocess.CompletedProcess:
        source = stage(cases["iris-matrix"], tmp_path / f"source-{memory_mib}", None, {"memory_mib": memory_mib})
        return platform.cli("deploy", source, "--name", NAME, "--no-proof", *more, check=check)

    return deployed


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Platform]:
    """Another platform, which is elsewhere as far as the first one knows."""
    elsewhere = Platform(tmp_path / "other")
    elsewhere.work.mkdir()
    yield elsewhere.start()
    elsewhere.stop()


@pytest.fixture
def body(cases) -> dict:
    return wire.by_name(cases["iris-matrix"].call("one").inputs)


def iris(platform: Platform) -> Function:
    return Function(platform, NAME, {})


def traffic(platform: Platform) -> dict:
    return iris(platform).status()["traffic"]


def split(version: int, canary: int | None = None, percent: int = 0) -> dict:
    return {"version": version, "canary": canary and {"version": canary, "percent": percent}}


def put(platform: Platform, said: object) -> httpx.Response:
    return platform.http.put(f"/api/v1/functions/{NAME}/aliases/live", json=said)


def versions_called(function: Function, body: dict, calls: int) -> Counter:
    """Which versions answer."""
    answers = (function.post(body) for _ in range(calls))
    return Counter(int(answer.raise_for_status().headers["x-modelet-version"]) for answer in answers)


def is_about(found: int, percent: int, calls: int) -> bool:
    """True for a number of calls that a part of them allows."""
    part = percent / 100
    return abs(found - calls * part) <= DEVIATIONS * math.sqrt(calls * part * (1 - part))


def plan(done: subprocess.CompletedProcess) -> list[tuple[str, str]]:
    """What would be done, as `--plan --json` says it."""
    return [(step["change"], step["what"].split(" ")[0]) for step in json.loads(done.stdout)["plan"]["steps"]]


# -- the story, as it is told for AWS Lambda ----


@proof("A platform of ours", "deploying, updating, a canary, promoting, rolling back and removing", OURSELVES)
@pytest.mark.parametrize("where", ["local", "remote"])
def test_deployed_updated_canaried_promoted_and_rolled_back(own_platform, other, deploy, body, where, tmp_path):
    here, to = (own_platform, ["--to", "local"]) if where == "local" else (other, ["--to", other.url])
    planned = deploy(own_platform, 512, *to, "--plan", "--json", check=False)
    assert planned.returncode == 2 and plan(planned) == [("create", "function")]
    assert here.functions() == [], "a plan only looks"
    first = json.loads(deploy(own_platform, 512, *to, "--json").stdout)
    assert (first["version"], first["created"], first["traffic"]) == (1, True, split(1))
    assert first["url"] == f"{here.url}/fn/{NAME}"
    again = deploy(own_platform, 512, *to, "--plan", "--json", check=False)
    assert again.returncode == 0 and plan(again) == []

    planned = deploy(own_platform, 1024, *to, "--canary", 10, "--plan", "--json", check=False)
    assert plan(planned) == [("create", "version"), ("change", "alias")]
    assert len(iris(here).status()["versions"]) == 1 and traffic(here) == split(1)
    second = json.loads(deploy(own_platform, 1024, *to, "--canary", 10, "--json").stdout)
    assert (second["version"], second["traffic"]) == (2, split(1, 2, 10))
    assert plan(deploy(own_platform, 1024, *to, "--canary", 10, "--plan", "--json")) == []

    ask = [NAME, *to]
    assert own_platform.cli_json("traffic", *ask, "--canary", 50)["canary"] == {"version": "2", "percent": 50}
    assert own_platform.cli_json("rollback", *ask) == {"version": "1", "canary": None}
    own_platform.cli("traffic", *ask, "--canary", 20)
    assert own_platform.cli_json("traffic", *ask, "--promote") == {"version": "2", "canary": None}
    assert versions_called(iris(here), body, 20) == {2: 20}
    assert own_platform.cli_json("rollback", *ask) == {"version": "1", "canary": None}
    assert versions_called(iris(here), body, 20) == {1: 20}
    assert "there is no version before 1" in own_platform.cli("rollback", *ask, check=False).stderr
    assert own_platform.cli_json("traffic", *ask, "--version", 2) == {"version": "2", "canary": None}

    back = json.loads(deploy(own_platform, 512, *to, "--json").stdout)
    assert (back["version"], back["created"]) == (1, False), "what was published is not published again"
    status = own_platform.cli("status", *ask).stdout
    assert "all calls to version 1" in status and "512 MiB" in status and f"{here.url}/fn/{NAME}" in status
    said = own_platform.cli_json("invoke", NAME, json.dumps(body), *to)
    assert said["version"] == "1" and said["answer"]["outputs"]["label"]
    assert any(said["version"] == "1" and " 200 " in row for row in own_platform.cli("logs", *ask).stdout.splitlines())
    (tmp_path / "rows.csv").write_text("5.1,3.5,1.4,0.2\n")
    assert "," in own_platform.cli("invoke", NAME, f"@{tmp_path / 'rows.csv'}", *to, "--accept", "text/csv").stdout

    refused = own_platform.cli("delete", *ask, check=False).stderr
    assert "There is nobody to ask" in refused and "say --yes" in refused
    own_platform.cli("delete", *ask, "--yes")
    assert here.functions() == []
    assert list((here.data / "artifacts").iterdir()) == []
    assert "there is no function" in own_platform.cli("delete", *ask, "--yes", check=False).stderr
    assert own_platform.functions() == other.functions() == []


def test_the_platform_is_meant_where_nothing_is_said(own_platform, deploy):
    deploy(own_platform, 512)
    deploy(own_platform, 1024, "--canary", 10)
    assert "10 % of the calls to version 2, the others to version 1" in own_platform.cli("status", NAME).stdout
    assert "1, 2 (10 %)" in own_platform.cli("ls").stdout
    described = own_platform.cli("describe", NAME).stdout.splitlines()
    assert any(line.endswith("live, 10 % of the calls") for line in described)
    assert own_platform.cli_json("traffic", NAME, "--promote") == {"version": "2", "canary": None}
    assert own_platform.cli_json("rollback", NAME) == {"version": "1", "canary": None}


# -- parts ----


def test_a_canary_gets_about_its_part(own_platform, deploy, body):
    deploy(own_platform, 512)
    deploy(own_platform, 1024, "--canary", 10)
    called = versions_called(iris(own_platform), body, CALLS)
    assert set(called) == {1, 2} and is_about(called[2], 10, CALLS), called
    # What is asked for by its number is answered by that version.
    for version in (1, 2):
        answer = own_platform.http.post(f"/fn/{NAME}/versions/{version}", json=body)
        assert answer.headers["x-modelet-version"] == str(version)
    # Log, metrics and usage tell the two apart.
    metrics = own_platform.metrics()
    by_version = metrics.by("version", "modelet_invocations_total", function=NAME, outcome="ok")
    assert by_version == {"1": called[1] + 1, "2": called[2] + 1}
    assert metrics.total("modelet_invocation_duration_seconds_count", function=NAME, version="2") == called[2] + 1
    used = {row["version"]: row["invocations"] for row in own_platform.cli_json("usage", NAME)["rows"]}
    assert used == {1: called[1] + 1, 2: called[2] + 1}
    logged = own_platform.cli("logs", NAME, "-n", 5_000, "--json").stdout.splitlines()
    records = Counter(row["version"] for row in map(json.loads, logged) if row["kind"] == "invocation")
    assert records == {1: called[1] + 1, 2: called[2] + 1}


def test_nobody_gets_calls_who_lost_them(own_platform, deploy, body):
    """S55: version 2 was tried and taken back; then version 3 is: version 2 gets none."""
    deploy(own_platform, 512)
    deploy(own_platform, 1024, "--canary", 20)
    own_platform.cli("traffic", NAME, "--canary", 0)
    deploy(own_platform, 2048, "--canary", 50)
    assert set(versions_called(iris(own_platform), body, 200)) == {1, 3}


def test_all_attempts_of_an_invocation_go_to_one_version(own_platform, tmp_path):
    """An asynchronous invocation that fails twice has three attempts, while two versions share the calls."""
    for word in ("one", "two"):
        source = f"def handler(event, context):\n    return {{'statusCode': 503, 'body': {word!r}}}\n"
        settings = {"async_retries": 2, "async_retry_ms": 50}
        place = functions.folder(tmp_path / word, {"app.py": source}, None, **settings)
        own_platform.cli("deploy", place, "--name", "fails", *(["--canary", "50"] if word == "two" else []))
    fails = Function(own_platform, "fails", {})
    ids = [fails.post({}, headers={"prefer": "respond-async"}).json()["invocation"] for _ in range(12)]
    for invocation in ids:
        result = own_platform.http.get(f"/fn/fails/invocations/{invocation}", headers={"prefer": "wait=60"})
        assert result.status_code != 202, result.text
    attempts: dict[str, list[int]] = {}
    for row in functions.records(fails):
        if row["kind"] == "invocation":
            attempts.setdefault(row["id"], []).append(row["version"])
    assert all(len(attempts[one]) == 3 and len(set(attempts[one])) == 1 for one in ids), attempts
    assert len({versions[0] for versions in attempts.values()}) == 2, attempts


def test_both_versions_keep_their_minimum(own_platform, cases, tmp_path, body):
    for memory, canary in ((512, []), (1024, ["--canary", "10"])):
        settings = {"memory_mib": memory, "min_instances": 1, "idle_timeout_ms": 100}
        source = stage(cases["iris-matrix"], tmp_path / str(memory), None, settings)
        own_platform.cli("deploy", source, "--name", NAME, "--no-proof", *canary)

    def versions() -> set[str]:
        return {i["id"].split("-")[1] for i in iris(own_platform).instances() if i["state"] == "ready"}

    eventually(lambda: versions() == {"1", "2"}, what="an instance of each is ready")
    own_platform.cli("rollback", NAME)
    eventually(lambda: versions() == {"1"}, what="the canary's instance goes as it is idle")


# -- what is kept ----


def test_who_gets_the_calls_is_on_the_disk_before_it_is_answered(own_platform, deploy, body):
    deploy(own_platform, 512)
    deploy(own_platform, 1024)
    shifts = [split(1, 2, 30), split(2), split(2, 1, 1), split(1)]
    for shift in shifts:
        assert put(own_platform, shift).json() == shift
        own_platform.kill()
        own_platform.start()
        assert traffic(own_platform) == shift
    own_platform.cli("traffic", NAME, "--version", 2)
    assert own_platform.cli_json("rollback", NAME)["version"] == "1"
    own_platform.stop()
    own_platform.start()
    assert versions_called(iris(own_platform), body, 20) == {1: 20}


def test_what_makes_no_sense_is_refused_and_changes_nothing(own_platform, deploy):
    deploy(own_platform, 512)
    deploy(own_platform, 1024)
    wrong = {
        "it has 1, 2": {"version": 3},
        "to 99 percent": split(1, 2, 100),
        "canary of itself": split(2, 2, 10),
        "unknown field": {"version": 1, "canery": None},
        "missing field `version`": {"canary": None},
        "does not say who": "nonsense",
    }
    for words, said in wrong.items():
        refused = put(own_platform, said)
        assert refused.status_code in (400, 404) and words in refused.json()["error"]["message"], (words, refused.text)
    faster = put(own_platform, split(1) | {"was": split(1)})
    assert (faster.status_code, faster.json()["error"]["code"]) == (409, "traffic-changed")
    assert traffic(own_platform) == split(2)
    assert put(own_platform, split(1) | {"was": split(2)}).status_code == 200
    live = own_platform.http.delete(f"/api/v1/functions/{NAME}/versions/1")
    assert (live.status_code, live.json()["error"]["code"]) == (409, "version-live")
    assert own_platform.http.delete(f"/api/v1/functions/{NAME}/versions/2").status_code == 200
    assert own_platform.http.delete(f"/api/v1/functions/{NAME}/versions/2").status_code == 404
    assert len(list((own_platform.data / "artifacts").iterdir())) == 1
    for words, arguments in {
        "nothing is said of the calls": ["traffic", NAME],
        "no version is tried": ["traffic", NAME, "--promote"],
        "there is no version 9; there is 1": ["traffic", NAME, "--version", 9],
        "version 1 has the calls already": ["traffic", NAME, "--canary", 10],
        "a platform has no --region": ["status", NAME, "--region", "eu-west-1", "--to", "local"],
    }.items():
        done = own_platform.cli(*arguments, check=False)
        assert done.returncode == 1 and words in done.stderr, (words, done.stderr)


@pytest.mark.parametrize("option", [["--url", "iam"], ["--role", "arn"], ["--policy", "p.json"], ["--image"]])
def test_options_of_clouds_are_refused_by_name(own_platform, deploy, option):
    done = deploy(own_platform, 512, "--to", "local", *option, check=False)
    assert done.returncode == 1 and f"a platform has no {option[0]}" in done.stderr
    assert own_platform.functions() == []


def test_a_deploy_gives_the_new_version_all_calls_and_says_what_a_canary_loses(own_platform, deploy):
    deploy(own_platform, 512)
    deploy(own_platform, 1024, "--canary", 10)
    same = deploy(own_platform, 512)
    assert "unchanged" in same.stdout and "version 2, which is tried with 10 % of the calls, gets none any more" in same.stderr
    assert traffic(own_platform) == split(1)
    assert "10 % of the calls to version 2" in deploy(own_platform, 1024, "--canary", 10).stdout
    deploy(own_platform, 2048)
    assert traffic(own_platform) == split(3)


def test_an_upload_says_how_much_it_gets(own_platform, deploy, tmp_path):
    """The header of the admin API, for whoever does not use our command line."""
    deploy(own_platform, 512)
    proxy = Proxy(own_platform.url)
    deploy(own_platform, 1024, "--to", proxy.url)
    proxy.close()
    [upload] = [call for call in proxy.taken() if call.method == "POST"]
    own_platform.cli("rollback", NAME)
    own_platform.http.delete(f"/api/v1/functions/{NAME}/versions/2").raise_for_status()

    def sent(**headers: str) -> httpx.Response:
        kept = {name: upload.headers[name] for name in ("x-modelet-sha256", "content-type")}
        return own_platform.http.post(upload.path, content=upload.body, headers=kept | headers)

    for part in ("0", "100", "ten"):
        assert "x-modelet-canary" in sent(**{"x-modelet-canary": part}).json()["error"]["message"]
    both = sent(**{"x-modelet-canary": "5", "x-modelet-live-when": "asked"})
    assert both.status_code == 400 and "leave one of them out" in both.json()["error"]["hint"]
    assert sent(**{"x-modelet-canary": "5"}).json()["traffic"] == split(1, 3, 5), "no number is given twice"
    more = sent(**{"x-modelet-canary": "7"}).json()
    assert (more["created"], more["traffic"]) == (False, split(1, 3, 7)), "the canary again, with another part"
    again = sent()
    assert (again.json()["created"], again.json()["traffic"]) == (False, split(3))


# -- what goes wrong ----


def test_nothing_is_lost_while_calls_go_to_and_fro(own_platform, cases):
    echo = own_platform.deploy(cases["passthrough"], "echo", max_instances=2, concurrency=4)
    churn.next_version(echo, 1)
    loads = [Load(echo, churn.echo) for _ in range(3)]
    shifts = itertools.cycle([split(1, 2, 50), split(2), split(2, 1, 10), split(1)])
    for shift, _ in zip(shifts, range(60), strict=False):
        own_platform.http.put("/api/v1/functions/echo/aliases/live", json=shift).raise_for_status()
    for _ in range(4):
        own_platform.cli("traffic", "echo", "--canary", 50, "--version", 2)
        own_platform.cli("rollback", "echo")
    for load in loads:
        load.end()
    mistakes = [mistake for load in loads for mistake in load.mistakes]
    assert not mistakes, f"{len(mistakes)} calls: {mistakes[:5]}"
    answered = sum(load.answered for load in loads)
    by_version = own_platform.metrics().by("version", "modelet_invocations_total", function="echo", outcome="ok")
    assert sum(by_version.values()) == answered > 100 and set(by_version) == {"1", "2"}, by_version


@proof("A platform of ours", "a deploy that fails is taken back", OURSELVES)
def test_a_step_that_fails_is_taken_back_with_those_before_it(own_platform, deploy):
    deploy(own_platform, 512)
    proxy = Proxy(own_platform.url)
    for method, code in (("PUT", 500), ("POST", 503), ("PUT", 409)):
        proxy.fail = lambda call, method=method, code=code: code if call.method == method else None
        failed = deploy(own_platform, 1024, "--to", proxy.url, check=False)
        assert failed.returncode == 1, failed.stdout
        if method == "PUT":
            assert "taken back: + version of iris" in failed.stderr, failed.stderr
        view = iris(own_platform).status()
        assert (view["traffic"], len(view["versions"])) == (split(1), 1)
        assert len(list((own_platform.data / "artifacts").iterdir())) == 1
    proxy.fail = lambda _: None

    def somebody_is_faster(call: Call) -> None:
        if call.method == "POST":
            put(own_platform, split(int(versions(own_platform)[-1])))

    proxy.after = somebody_is_faster
    raced = deploy(own_platform, 1024, "--to", proxy.url, "--canary", 10, check=False)
    proxy.close()
    assert raced.returncode == 1 and "somebody was faster" in raced.stderr and "traffic-changed" in raced.stderr
    assert "not taken back: + version of iris" in raced.stderr, "it has calls by now, of somebody else's will"


def versions(platform: Platform) -> list[int]:
    return [version["version"] for version in iris(platform).status()["versions"]]


@proof("A platform of ours", "a deploy that was killed is gone on with", OURSELVES)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_killed_at_each_step_and_deployed_again_it_comes_to_the_same(own_platform, deploy, tmp_path, cases, method):
    deploy(own_platform, 512)
    source = stage(cases["iris-matrix"], tmp_path / "more", None, {"memory_mib": 1024})
    running: list[subprocess.Popen] = []
    proxy = Proxy(own_platform.url)
    proxy.after = lambda call: running[0].send_signal(signal.SIGKILL) if call.method == method else None
    command = [own_platform.binary, "deploy", source, "--name", NAME, "--no-proof", "--to", proxy.url, "--canary", "10"]
    running.append(
        subprocess.Popen(
            command, env=own_platform.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    )
    assert running[0].wait(PATIENCE_S) == -signal.SIGKILL
    proxy.close()
    assert versions(own_platform) == [1, 2]
    assert traffic(own_platform) == (split(1) if method == "POST" else split(1, 2, 10))
    deploy(own_platform, 1024, "--canary", 10)
    assert (versions(own_platform), traffic(own_platform)) == ([1, 2], split(1, 2, 10))
