"""Python code in the sandbox: libraries work on every rung, what is others' is out of reach; memory, threads, log."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from functions import SCIENCE, deployed, lines, records
from harness import PATIENCE_S, Function, eventually
from rungs import ALL, NOT_4, OnRung, open_folder, running

#: Trains and predicts within the instance: BLAS, OpenMP and compiled loops under the filter of system calls.
MODEL = """\
import numpy as np, pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

rows = np.random.default_rng(0).normal(size=(400, 4))
frame = pd.DataFrame(rows, columns=list("abcd"))
wanted = rows[:, 0] > 0
models = [one.fit(frame, wanted) for one in
          (LogisticRegression(), RandomForestClassifier(10, n_jobs=2), HistGradientBoostingClassifier(max_iter=5))]

def predict(inputs: pd.DataFrame):
    return [[bool(label) for label in model.predict(inputs)] for model in models]
"""
#: Does what it is told: one expression.
TOLD = """\
import os, socket, subprocess, sys, tempfile, threading, time
from pathlib import Path

begun = time.time()
kept = []
calls = []

def attempt(what):
    try:
        return ["done", str(eval(what))]
    except Exception as error:
        return ["failed", f"{type(error).__name__}: {error}"]

def handler(event, context):
    calls.append(event)
    return attempt(event["do"])
"""
CACHES = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "HF_HOME", "TORCH_HOME")


@pytest.fixture(scope="module")
def work() -> Iterator[Path]:
    """One folder for the platforms on all rungs: packages are sent once."""
    folder = open_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module", params=ALL, ids=lambda rung: f"rung{rung}")
def on_rung(request: pytest.FixtureRequest, work: Path) -> Iterator[OnRung]:
    """The platform, on each rung that works on this machine."""
    yield from running(OnRung(request.param, work))


@pytest.fixture(scope="module")
def told(on_rung: OnRung) -> Function:
    """A function that does what it is told."""
    return deployed(on_rung, "told", TOLD, manifest=on_rung.manifest(), tmp_mib=8)


def do(function: Function, what: str) -> tuple[str, str]:
    """What came of it: `done` or `failed`, and the value or the error."""
    answer = function.post({"do": what})
    assert answer.status_code == 200, answer.text
    how, text = answer.json()
    return how, text


# -- on every rung ----


def test_numpy_pandas_and_scikit_learn_compute_on_every_rung(on_rung):
    function = deployed(on_rung, "science", MODEL, SCIENCE, on_rung.manifest())
    rows = [{"a": a, "b": 0.1, "c": 0.2, "d": 0.3} for a in (2.0, -2.0)]
    answer = function.post(rows)
    assert (answer.status_code, answer.json()) == (200, [[True, False]] * 3), answer.text
    (instance,) = function.instances()
    assert instance["isolation"] == on_rung.rung


def test_what_is_others_cannot_be_read_or_changed(on_rung, told):
    """Homes, the platform's data, other functions' artifacts; its own code and packages are there to be read alone."""
    other = deployed(on_rung, "other", TOLD, manifest=on_rung.manifest())
    planted = on_rung.work / "of-somebody-else"
    planted.write_text("secret")
    with tempfile.NamedTemporaryFile(dir=Path.home(), prefix=".modelet-test-") as of_home:
        table = [
            (f"open({of_home.name!r}).read()", ALL),
            (f"open({str(planted)!r}).read()", NOT_4),
            (f"open({str(on_rung.data / 'state.db')!r}, 'rb').read(1)", NOT_4),
            (f"open({str(on_rung.artifact(other) / 'files' / 'app.py')!r}).read()", NOT_4),
            ("open('app.py', 'a').write('x')", ALL),
            ("open('new.txt', 'w').write('x')", ALL),
            ("open('/etc/planted', 'w')", ALL),
            ("open('/usr/planted', 'w')", ALL),
        ]
        for what, contained_on in table:
            how, text = do(told, what)
            assert how == ("failed" if on_rung.rung in contained_on else "done"), (what, text)
    assert do(told, "open('app.py').read(6)") == ("done", "import")


def test_without_a_word_there_is_no_network(on_rung, told):
    """Neither a socket of the machine's, nor a name, nor the platform itself."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        address = server.getsockname()
        datagrams.bind(("127.0.0.1", 0))
        assert do(told, f"socket.create_connection({address!r}, 5)")[0] == "failed"
        platform = ("127.0.0.1", int(on_rung.url.rpartition(":")[2]))
        assert do(told, f"socket.create_connection({platform!r}, 5)")[0] == "failed"
        send = f"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', {datagrams.getsockname()!r})"
        do(told, send)  # with a network of its own it may send, and nobody hears it
        datagrams.setblocking(False)
        with pytest.raises(BlockingIOError):
            datagrams.recv(1)
        assert do(told, "socket.getaddrinfo('example.org', 80)")[0] == "failed"
        open_to_all = deployed(on_rung, "networked", TOLD, manifest=on_rung.manifest() | {"network": True})
        assert do(open_to_all, f"socket.create_connection({address!r}, 5).getpeername()")[0] == "done"
        assert do(open_to_all, send)[0] == "done"
        datagrams.settimeout(PATIENCE_S)
        assert datagrams.recv(1) == b"x"


def test_a_file_opened_for_update_fails_and_names_the_path(on_rung, told):
    """S35: as on Lambda, for a package that opens its own resource so."""
    how, text = do(told, "open('app.py', 'r+')")
    assert how == "failed"
    assert re.match(
        r"(PermissionError|OSError): \[Errno \d+\] (Permission denied|Read-only file system): 'app.py'", text
    )


def test_caches_of_libraries_are_where_one_can_write(on_rung, told):
    """S36: with a /tmp of its own, the folders that libraries ask for are in it. Without one Keras, which would take its settings from
    everybody's, finds none."""
    if not on_rung.has_own_root:
        assert do(told, "os.path.exists(os.environ['KERAS_HOME'])") == ("done", "False")
        return
    for name in CACHES:
        how, text = do(
            told,
            f"(os.makedirs(os.environ[{name!r}], exist_ok=True), open(os.environ[{name!r}] + '/x', 'w').write('x'))",
        )
        assert how == "done", (name, text)
        assert do(told, f"os.environ[{name!r}]")[1].startswith("/tmp")
    assert do(told, "str(Path.home())")[1].startswith("/tmp")


def test_the_folder_for_temporary_files_has_a_name_on_every_rung_and_writing_fails_where_there_is_none(on_rung, told):
    """Libraries ask for it while they are imported."""
    assert do(told, "tempfile.gettempdir()") == ("done", "/tmp")
    how, text = do(told, "tempfile.NamedTemporaryFile().name")
    if on_rung.rung == 3:
        assert (how, "PermissionError: [Errno 13] Permission denied: '/tmp/" in text) == ("failed", True), text
    else:
        assert how == "done", text


def test_tmp_has_its_limit_and_what_is_beyond_is_an_error_that_says_so(on_rung, told):
    """S34: it stays between calls, the limit is the instance's, and another function never sees it."""
    if not on_rung.has_own_root:
        pytest.skip("instances have no /tmp of their own on this rung")
    write = "open('/tmp/kept{}', 'wb').write(bytes(3 << 20))"
    assert do(told, write.format(1))[0] == do(told, write.format(2))[0] == "done"
    how, text = do(told, write.format(3))
    assert (how, "No space left on device" in text) == ("failed", True), text
    other = deployed(on_rung, "other-tmp", TOLD, manifest=on_rung.manifest())
    assert do(other, "[name for name in os.listdir('/tmp') if name.startswith('kept')]") == ("done", "[]")
    assert do(told, "[os.remove('/tmp/kept' + n) for n in '123']")[0] == "done"


def test_processes_and_threads_of_python_work_within_their_limit(on_rung, told):
    """A program, a pool of threads and one of processes, which needs a /dev/shm that it can write to."""
    assert do(
        told, "subprocess.run([sys.executable, '-c', 'print(6 * 7)'], capture_output=True, text=True).stdout"
    ) == (
        "done",
        "42\n",
    )
    assert do(told, "__import__('concurrent.futures').futures.ThreadPoolExecutor(4).submit(sum, [1, 2]).result()") == (
        "done",
        "3",
    )
    how, text = do(told, "__import__('multiprocessing').Pool(2).map(abs, [-1, -2])")
    if on_rung.rung == 3:
        assert (how, "Permission denied" in text) == ("failed", True), "on this rung there is nowhere to write"
    else:
        assert (how, text) == ("done", "[1, 2]")


# -- on the best rung ----


@pytest.fixture(scope="module")
def handler(code) -> Function:
    """A function that does what it is told, on the shared platform."""
    return code("sandbox-told", TOLD)


def test_however_it_is_started_its_files_are_at_the_same_place_and_its_own_to_read_alone(code):
    """From a new process, and from a stem cell: S35 holds for whoever has the rights of their owner, too."""
    function = code("sandbox-started", TOLD, idle_timeout_ms=0)
    change = "attempt(\"os.chmod('app.py', 0o644), open('app.py', 'r+')\")[0]"
    seen: dict[str, str] = {}

    def both() -> bool:
        eventually(lambda: not function.instances(), what="the next call starts from zero")
        found = do(function, f"os.getcwd(), __file__, {change}")[1]
        call = eventually(lambda: [row for row in records(function) if row["kind"] == "invocation"])[-1]
        seen[call["started_from"]] = found
        return len(seen) > 1

    eventually(both, what="it was started in both ways")
    assert set(seen.values()) == {"('/modelet/artifact/files', '/modelet/artifact/files/app.py', 'failed')"}, seen


def test_the_load_has_its_own_limit_and_the_call_its_own_time(code):
    """S33: loading takes longer than a call may; the first call waits for it and is answered."""
    source = (
        "import time\ntime.sleep(2)\ndef handler(event, context):\n    time.sleep(event['s'])\n    return 'answered'\n"
    )
    function = code("sandbox-slow-load", source, request_timeout_ms=1_000)
    answer = function.post({"s": 0.1})
    assert (answer.status_code, answer.json()) == (200, "answered")
    assert function.post({"s": 5}).status_code == 504


def test_imports_are_paid_once_and_the_log_says_what_they_took(code):
    """S45: ten calls, one instance, one import; cold start and imports are told apart from the call."""
    source = "import numpy, pandas, os\nprint('imported by', os.getpid())\n"
    source += "def handler(event, context):\n    return os.getpid()\n"
    function = code("sandbox-imports", source, SCIENCE)
    answers = [function.post({}) for _ in range(10)]
    assert len({answer.json() for answer in answers}) == 1
    assert len({answer.headers["x-modelet-instance"] for answer in answers}) == 1
    assert len(eventually(lambda: lines(function, "imported by"))) == 1
    (line,) = eventually(lambda: [row for row in lines(function, "imported ") if "imported by" not in row["text"]])
    assert re.search(r"pandas \d+ ms", line["text"]) and re.search(r"numpy \d+ ms", line["text"])
    assert "load;dur=0.000" not in answers[0].headers["server-timing"]
    assert "load;dur=0.000" in answers[1].headers["server-timing"]


def test_an_instance_that_grows_is_replaced_between_calls_and_no_call_is_lost(code):
    """S37: each call keeps 1 MiB; every call is answered, by several instances, and metrics count why they ended."""
    function = code("sandbox-grows", TOLD, memory_mib=128, max_instances=1)
    grow = {"do": "kept.append(bytearray(os.urandom(1 << 10)) * (1 << 10)) or len(kept)"}
    answers = [function.post(grow) for _ in range(250)]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()[0] for answer in answers} == {"done"}
    served = {answer.headers["x-modelet-instance"] for answer in answers}
    assert len(served) >= 3, served
    metric = "modelet_instance_ends_total"
    eventually(
        lambda: function.platform.metrics().by("reason", metric, function=function.name).get("recycled", 0) >= 2,
        what="the ends are counted as recycled",
    )


def test_pools_of_libraries_have_the_threads_of_the_share(code):
    """S38: by the variables that they read, and by what BLAS and OpenMP made of them; `threads` says another number."""
    source = """\
import os
import numpy, sklearn.linear_model
from threadpoolctl import threadpool_info
def handler(event, context):
    variables = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return [{os.environ[name] for name in variables}, {pool["num_threads"] for pool in threadpool_info()}]
"""
    share = code("sandbox-share", source, SCIENCE)
    assert share.post({}).json() == [["1"], [1]]
    by_hand = code("sandbox-threads", source, SCIENCE, threads=2)
    assert by_hand.post({}).json() == [["2"], [2]]


def test_what_the_manifest_sets_in_the_environment_is_there_and_nothing_of_the_platform(code, monkeypatch):
    function = code("sandbox-env", TOLD, manifest={"env": {"MODE": "fast é", "OMP_NUM_THREADS": "2"}})
    names = json.loads(do(function, "__import__('json').dumps(dict(os.environ))")[1])
    assert (names["MODE"], names["OMP_NUM_THREADS"]) == ("fast é", "2")
    assert [name for name in names if name.startswith(("MODELET_", "LISTEN_"))] == []
    assert names["PYTHONPATH"] == names["LAMBDA_TASK_ROOT"], "for children of its own, and of nobody else's"
    assert os.environ["PATH"] not in names["PATH"]


# -- the log ----


def test_each_message_is_one_record_of_its_call_in_order(code):
    """S60: 5 prints, a log record of several lines, a trace of 30; carriage returns do not overwrite."""
    source = """\
import logging, sys
logger = logging.getLogger("mine")
logger.setLevel(logging.INFO)

def deep(n):
    if n == 0:
        raise ValueError("two\\nlines")
    deep_other(n)

def deep_other(n):
    deep(n - 1)

def handler(event, context):
    print("1 first")
    logger.info("2 of\\nseveral\\nlines")
    print("3 to stderr", file=sys.stderr)
    print("4 over\\rwritten")
    logger.warning("5 warned")
    print("6 not ended", end="")
    deep(15)
"""
    function = code("sandbox-log", source)
    answer = function.post({})
    assert answer.status_code == 500
    call = answer.headers["x-modelet-invocation"]

    def said() -> list[dict]:
        rows = [row for row in records(function) if row["kind"] == "line" and row.get("invocation") == call]
        return rows if any("ValueError" in row["text"] for row in rows) else []

    rows = eventually(said, what="the trace is in the log")
    assert [(row["level"], row["text"]) for row in rows[:-1]] == [
        ("INFO", "1 first"),
        ("INFO", "2 of\nseveral\nlines"),
        ("WARNING", "3 to stderr"),
        ("INFO", "4 over\nwritten"),
        ("WARNING", "5 warned"),
        ("INFO", "6 not ended"),
    ]
    trace = rows[-1]
    assert trace["level"] == "ERROR"
    assert trace["text"].startswith("ValueError: two\nlines\nTraceback")
    assert len(trace["text"].splitlines()) > 30
    assert trace["text"].count("deep_other(n)") == 15
    shown = function.platform.cli("logs", function.name).stdout
    assert f"{call} ERROR: ValueError: two" in shown


def test_a_record_that_is_very_long_is_cut_and_says_so_and_many_are_all_there(code):
    source = """\
def handler(event, context):
    for n in range(500):
        print("line", n)
    print("x" * 1_000_000)
"""
    function = code("sandbox-long-log", source)
    assert function.post({}).status_code == 200
    (long,) = eventually(lambda: lines(function, "xxx"), what="the long one")
    assert len(long["text"]) < 100_000 and "cut" in long["text"]
    assert [row["text"] for row in lines(function, "line ")] == [f"line {n}" for n in range(500)]


def test_what_c_libraries_print_and_what_is_printed_at_import_is_in_the_log(code):
    source = """\
import os
print("at import")
def handler(event, context):
    os.write(1, b"raw out\\n")
    os.write(2, b"raw err\\n")
"""
    function = code("sandbox-raw-log", source)
    assert function.post({}).status_code == 200
    for word in ("at import", "raw out", "raw err"):
        (row,) = eventually(lambda word=word: lines(function, word), what=word)
        assert row["text"] == word
