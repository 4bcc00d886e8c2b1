"""What the runtime writes where others host it: each host's own form, beside what its own programs write."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from emulator import Emulator, free_port
from harness import Function, eventually, find_binary
from test_hosts import Container
from test_lambda_runtime import artifact

TALKING = """\
import ctypes
import logging
import sys

logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
print("loading")


def deep(depth):
    raise ValueError("no\\nsuch thing")


def handler(event, context):
    print("one")
    print('{"mine": 1}')
    print("two\\nlines")
    print("to stderr", file=sys.stderr)
    logger.debug("never seen")
    logger.info("in-between %s", 5, extra={"order": 7})
    logger.info({"an": "object"})
    logger.log(25, "between")
    context.log("by the context\\n")
    try:
        deep(1)
    except ValueError:
        logger.exception("caught")
    print()
    if event == "fail":
        deep(2)
    ctypes.CDLL(None).puts(b"from C")
    ctypes.CDLL(None).fflush(None)
"""
#: What a client of Google's sends along, and what it is in the log.
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def talking(code) -> Function:
    """A handler that speaks in every way."""
    return code("talking", TALKING)


@pytest.fixture
def emulator(tmp_path) -> Iterator[Callable[..., Emulator]]:
    """Starts emulators of Lambda, and ends them with the test."""
    running: list[Emulator] = []

    def start(bootstrap: list, **environment: str) -> Emulator:
        running.append(Emulator(tmp_path / f"emulator-{len(running)}.log", bootstrap, **environment))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def container(tmp_path) -> Iterator[Callable[..., Container]]:
    """Starts the runtime on a port, waits until it is ready, and ends it with the test."""
    running: list[Container] = []

    def start(
        function: Function, *arguments: str, ready: str = "/", port: str = "PORT", **environment: str
    ) -> Container:
        number = free_port()
        said = {port: str(number), "MODELET_ARTIFACT": str(artifact(function)), "MODELET_PYTHON": sys.executable}
        one = Container(tmp_path / f"container-{len(running)}.log", number, *arguments, **said, **environment)
        running.append(one)
        eventually(lambda: one.is_ready(ready, 200), what=f"it is ready: {one.log}")
        return one

    yield start
    for one in running:
        one.stop()


def ours(function: Function, start: Callable[..., Emulator], **environment: str) -> Emulator:
    """The runtime under the emulator."""
    where = {"LAMBDA_TASK_ROOT": str(artifact(function)), "MODELET_PYTHON": sys.executable}
    return start([find_binary().with_name("modelet-runtime")], **where, **environment)


def awslambdaric(function: Function, start: Callable[..., Emulator], **environment: str) -> Emulator:
    """AWS' own client for Python under the emulator, with the same code."""
    files = str(artifact(function) / "files")
    return start([sys.executable, "-m", "awslambdaric", "app.handler"], PYTHONPATH=files, **environment)


def within_call(emulator: Emulator) -> list[str]:
    """The lines that were written within its calls, without the moments and ids that differ."""
    said = emulator.said()
    text = "".join(part.split(" [INFO] (rapid) INVOKE RTDONE")[0].rpartition("\n")[0] + "\n"
                   for part in re.split(r"\[INFO\] \(rapid\) INVOKE START.*\n", said)[1:])  # fmt: skip
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "CALL", text)
    text = re.sub(r"/\S*/app\.py", "app.py", text)
    # awslambdaric writes no end of line behind a trace, the handler's `print()` does; here an empty line is no record.
    return [line for line in text.split("\n") if line]


def objects(lines: list[str]) -> list:
    """Lines of JSON as what they say; others as they are."""
    return [json.loads(line) if line.startswith("{") else line for line in lines]


@pytest.mark.parametrize("form", ["Text", "JSON"])
def test_on_lambda_the_log_is_what_awslambdaric_writes(form, talking, emulator):
    """Printed, logged with and without an error, raised: in both formats, in order, complete when the call is over."""
    said = {"AWS_LAMBDA_LOG_FORMAT": form}
    mine, theirs = ours(talking, emulator, **said, MODELET_METRICS="off"), awslambdaric(talking, emulator, **said)
    for one in (mine, theirs):
        for event in (b'"fail"', b"{}", b'"fail"'):
            one.call(event)
    found, wanted = objects(within_call(mine)), objects(within_call(theirs))
    kept = [sorted(json.dumps(line, sort_keys=True) for line in lines) for lines in (found, wanted)]
    assert kept[0] == kept[1], "standard error is a way of its own"
    ordered = [[line for line in lines if line not in ("to stderr", "from C")] for lines in (found, wanted)]
    assert ordered[0] == ordered[1]
    assert found.count("from C") == 1
    if form == "JSON":
        (first, *_) = [line for line in found if isinstance(line, dict) and line.get("location")]
        assert first["stackTrace"][0].startswith('  File "app.py"')


def test_on_lambda_levels_are_the_hosts(talking, emulator):
    """Of what the handler logs and of what the runtime says of itself."""
    loud = ours(talking, emulator, AWS_LAMBDA_LOG_FORMAT="JSON")
    quiet = ours(talking, emulator, AWS_LAMBDA_LOG_FORMAT="JSON", AWS_LAMBDA_LOG_LEVEL="ERROR")
    for one in (loud, quiet):
        one.call(b"{}")
    (own,) = [line for line in objects(loud.said().split("\n")) if "contract lambda" in str(line)]
    assert (own["level"], own["logger"], own["requestId"]) == ("INFO", "modelet", "")
    assert "contract lambda" not in quiet.said()
    assert '"caught"' in quiet.said()
    assert '"in-between 5"' in quiet.said(), "the handler has set the level of its own logger"


def test_on_lambda_each_call_has_its_figures_in_the_embedded_metric_format(function, emulator):
    """One record for each call: rows of a model, what the start took with the first call alone; where they are asked for, or JSON is."""
    iris = function("iris-matrix")
    on, off = ours(iris, emulator, MODELET_METRICS="on"), ours(iris, emulator)
    json_off = ours(iris, emulator, MODELET_METRICS="off", AWS_LAMBDA_LOG_FORMAT="JSON")
    json_on = ours(iris, emulator, AWS_LAMBDA_LOG_FORMAT="JSON")
    json_off.call(b"[[1, 2, 3, 4]]")
    json_on.call(b"[[1, 2, 3, 4]]")
    assert ("_aws" in json_on.said(), "_aws" in json_off.said()) == (True, False)
    for body in (b"[[1, 2, 3, 4]]", b"[[1, 2, 3, 4], [5, 6, 7, 8]]", b"[[1]]"):
        on.call(body)
        off.call(body)
    assert "_aws" not in off.said()
    first, second, failed = [json.loads(line) for line in on.said().split("\n") if line.startswith('{"')]
    for record in (first, second, failed):
        (directive,) = record["_aws"]["CloudWatchMetrics"]
        assert (directive["Namespace"], directive["Dimensions"]) == ("modelet", [["FunctionName"]])
        assert all(isinstance(record[metric["Name"]], int | float) for metric in directive["Metrics"])
        assert record["FunctionName"] == "function"
        assert record["HandlerMs"] > 0
    assert (first["Rows"], first["ColdStart"], first["LoadMs"] > 0) == (1, 1, True)
    assert (second["Rows"], second["ColdStart"], "LoadMs" in second) == (2, 0, False)
    assert "Rows" not in failed


def test_on_cloud_run_each_line_is_an_entry_of_cloud_logging(talking, container):
    """Severities, the call, the trace, what a handler printed as JSON as it is, and the call's own record."""
    one = container(talking, K_SERVICE="shop", K_REVISION="shop-1", GOOGLE_CLOUD_PROJECT="my-project")
    one.http.post("/?a=1", json="fine", headers={"traceparent": f"00-{TRACE}-{SPAN}-01", "user-agent": "me"})
    one.http.post("/", json="fail", headers={"x-cloud-trace-context": f"{TRACE}/{int(SPAN, 16)};o=0"})
    eventually(lambda: one.said().count("httpRequest") == 2, what="both calls are told")
    entries = [json.loads(line) for line in one.said().splitlines()]
    own = [entry for entry in entries if entry.get("logger") == "modelet"]
    assert own[0]["message"].startswith("contract http: Cloud Run or Knative, service shop")
    entries = [entry for entry in entries if entry not in own]
    assert {"severity": "INFO", "message": "loading"}.items() <= entries[0].items()
    assert "logging.googleapis.com/labels" not in entries[0]
    ends = [place for place, entry in enumerate(entries) if "httpRequest" in entry]
    assert len(ends) == 2
    calls = entries[1 : ends[0] + 1], entries[ends[0] + 1 : ends[1] + 1]
    for entries, status, is_sampled in zip(calls, (200, 500), (True, False), strict=True):
        entries.remove({"mine": 1})
        plain = [entry for entry in entries if entry["message"] == "from C"]
        named = [entry for entry in entries if entry not in plain]
        assert {entry["logging.googleapis.com/trace"] for entry in named} == {f"projects/my-project/traces/{TRACE}"}
        assert {entry["logging.googleapis.com/spanId"] for entry in named} == {SPAN}
        assert {entry["logging.googleapis.com/trace_sampled"] for entry in named} == {is_sampled}
        assert len({entry["logging.googleapis.com/labels"]["invocation"] for entry in named}) == 1
        assert named[-1]["httpRequest"]["status"] == status
        said = {entry["message"]: entry["severity"] for entry in named}
        assert said["one"] == said["in-between 5"] == said["between"] == "INFO"
        assert (said["to stderr"], said["caught"]) == ("WARNING", "ERROR")
        caught = next(entry for entry in named if entry["message"] == "caught")
        assert caught["stack_trace"].startswith("Traceback (most recent call last):\n  File ")
        assert caught["stack_trace"].endswith("\nValueError: no\nsuch thing")
        assert "@type" not in caught
    request = calls[0][-1]["httpRequest"]
    assert (request["requestMethod"], request["requestUrl"], request["userAgent"]) == ("POST", "/?a=1", "me")
    assert re.fullmatch(r"\d+\.\d{6}s", request["latency"])
    failed = calls[1][-2]
    assert (failed["severity"], failed["message"]) == ("ERROR", "ValueError: no\nsuch thing")
    assert "in deep" in failed["stack_trace"]


class Metadata(BaseHTTPRequestHandler):
    """What Google's metadata server says of a project."""

    def do_GET(self):
        assert (self.path, self.headers["Metadata-Flavor"]) == ("/computeMetadata/v1/project/project-id", "Google")
        self.send_response(200)
        self.send_header("Metadata-Flavor", "Google")
        self.end_headers()
        self.wfile.write(b"found-project")

    def log_message(self, *_: object):
        """Says nothing."""


def test_a_project_is_asked_of_the_metadata_server_and_without_one_the_trace_is_a_label(function, container):
    """A fake of that server, and nobody at its place."""
    server = HTTPServer(("127.0.0.1", 0), Metadata)
    Thread(target=server.serve_forever, daemon=True).start()
    iris = function("iris-matrix")
    asked = container(iris, K_SERVICE="iris", GCE_METADATA_HOST=f"127.0.0.1:{server.server_port}")
    alone = container(iris, K_SERVICE="iris", GCE_METADATA_HOST=f"127.0.0.1:{free_port()}")

    def entry(one: Container) -> dict:
        one.http.post("/", json=[[1, 2, 3, 4]], headers={"traceparent": f"00-{TRACE}-{SPAN}-01"})
        ends = [line for line in one.said().splitlines() if "httpRequest" in line]
        return json.loads(ends[-1]) if ends else {}

    found = eventually(lambda: entry(asked).get("logging.googleapis.com/trace"), what="the project is known")
    assert found == f"projects/found-project/traces/{TRACE}"
    labels = eventually(lambda: entry(alone).get("logging.googleapis.com/labels"), what="a call is told")
    assert labels["trace"] == TRACE
    server.shutdown()


def test_what_cannot_load_is_an_error_that_google_reports(code, tmp_path):
    """By its type, since there is no stack trace of ours; with whose it is."""
    broken = code("logs-broken", "def handler(event, context): pass")
    folder = tmp_path / "artifact"
    folder.mkdir()
    (folder / "artifact.json").write_bytes((artifact(broken) / "artifact.json").read_bytes())
    environment = {"MODELET_ARTIFACT": str(folder), "MODELET_PYTHON": sys.executable, "K_SERVICE": "shop"}
    one = Container(tmp_path / "log", port := free_port(), PORT=str(port), **environment)
    assert one.process.wait(60) == 1
    last = json.loads(one.said().splitlines()[-1])
    assert last["message"].startswith("could not load: ")
    assert last["@type"].endswith(".ReportedErrorEvent")
    assert last["serviceContext"]["service"] == "shop"


@pytest.mark.parametrize("form", [None, "text", "json"])
def test_on_a_port_the_form_is_the_one_that_is_asked_for(form, talking, container):
    """Lines as they are where nothing is said; else one object for each."""
    one = container(talking, **({"MODELET_LOG_FORMAT": form} if form else {}))
    one.http.post("/", json="fail", headers={"x-modelet-invocation": "call-7"})
    said = eventually(lambda: "deep(2)" in one.said() and one.said(), what="the failure")
    if form != "json":
        assert "\none\n" in said
        assert re.search(r"\n\[INFO\]\t\S+Z\tcall-7\tin-between 5\n", said)
        return
    entries = [json.loads(line) for line in said.splitlines()]
    assert {"mine": 1} in entries
    two = next(entry for entry in entries if entry.get("message") == "two\nlines")
    assert (two["level"], two["requestId"]) == ("INFO", "call-7")
    assert (entries[-1]["errorType"], entries[-1]["level"]) == ("ValueError", "ERROR")


def test_a_call_has_the_name_that_azure_functions_gives_it(code, container):
    """Also of what lies in an envelope; `Logs` stay empty, for the host reads the lines."""
    shop = code("logs-azure", "def handler(event, context):\n    print('one')\n    return {}\n")
    one = container(shop, port="FUNCTIONS_CUSTOMHANDLER_PORT", MODELET_LOG_FORMAT="json")
    request = {"Url": "http://x/api/shop", "Method": "POST", "Headers": {"Content-Type": ["application/json"]}}
    envelope = {"Data": {"req": request | {"Body": '"fine"'}}, "Metadata": {"sys": {"MethodName": "shop"}}}
    answer = one.http.post("/shop", json=envelope, headers={"X-Azure-Functions-InvocationId": "5f3a"})
    assert (answer.status_code, answer.json()["Logs"]) == (200, [])
    entries = [json.loads(line) for line in one.said().splitlines()]
    assert next(entry for entry in entries if entry.get("message") == "one")["requestId"] == "5f3a"


def test_a_form_that_there_is_not_is_named(function, tmp_path):
    """Before anything is loaded."""
    where = {"MODELET_ARTIFACT": str(artifact(function("iris-matrix"))), "MODELET_LOG_FORMAT": "xml"}
    one = Container(tmp_path / "log", port := free_port(), PORT=str(port), **where)
    assert one.process.wait(60) == 2
    assert 'MODELET_LOG_FORMAT is "xml", neither text nor json' in one.said()


def test_what_a_handler_says_while_it_ends_is_told(code, container):
    """Functions that run at the end are heard, each line once."""
    ends = "atexit.register(os.write, 1, b'and rest'); atexit.register(print, 'good night')"
    source = f"import atexit, os\n{ends}\ndef handler(event, context): print(event)\n"
    one = container(code("logs-ending", source), MODELET_LOG_FORMAT="json")
    for number in range(50):
        one.http.post("/", json=number)
    assert one.stop() == 0
    said = [json.loads(line)["message"] for line in one.said().splitlines()]
    assert sorted(said[-2:]) == ["and rest", "good night"]
    assert said[-52:-2] == [*map(str, range(50))]
