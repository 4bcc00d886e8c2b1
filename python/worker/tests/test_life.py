"""The life of a worker: its start, its end, threads, children, and frames of every size."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
import runtime

ECHO = "def lambda_handler(event, context): return event"
HOOKS = """
    import atexit, pathlib, signal, sys, time

    here = pathlib.Path(__file__).parent
    atexit.register(lambda: (here / "atexit").write_text("ran"))


    def on_term(number, frame):
        (here / "term").write_text(f"{number} {frame}")
        sys.exit(0)


    signal.signal(signal.SIGTERM, on_term)


    def lambda_handler(event, context):
        (here / "began").write_text("x")
        time.sleep(event)
        return "done"
"""


def wait_for(path):
    deadline = time.monotonic() + runtime.PATIENCE_S
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.01)


def test_when_the_runtime_closes_hooks_run_and_the_end_is_in_order(start, write):
    folder = write(HOOKS)
    worker = start(folder)
    worker.event(0)
    assert worker.end()[0] == 0
    assert (folder / "atexit").read_text() == "ran"
    assert (folder / "term").read_text() == f"{signal.SIGTERM.value} None"


def test_sigterm_waits_for_the_call_in_hand_and_those_behind_it(start, write):
    folder = write(HOOKS)
    worker = start(folder)
    worker.ask("event", b"0.3")
    worker.ask("event", b"0")
    wait_for(folder / "began")
    worker.terminate()
    assert [worker.receive().json, worker.receive().json] == ["done", "done"]
    assert worker.process.wait(runtime.PATIENCE_S) == 0
    assert (folder / "term").exists()
    assert (folder / "atexit").exists()


def test_sigterm_ends_a_worker_that_waits(start):
    worker = start(ECHO)
    worker.terminate()
    assert worker.process.wait(runtime.PATIENCE_S) == 0


def test_a_handler_that_ends_python_is_told_and_ends_it(start):
    worker = start("import sys\ndef lambda_handler(e, c): sys.exit(e)")
    error = worker.event(3).error
    assert (error["type"], error["message"]) == ("Runtime.ExitError", "the handler ended Python: exit code 3")
    assert worker.process.wait(runtime.PATIENCE_S) == 3


def test_a_socket_that_is_closed_before_anything_came_ends_the_worker():
    ours, theirs = socket.socketpair()
    boot = (runtime.WORKER / "boot.py").read_text()
    command = [runtime.PYTHON, "-I", "-S", "-c", boot, str(theirs.fileno())]
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE)
    theirs.close()
    ours.close()
    assert b"before it sent the worker's sources" in process.communicate(timeout=runtime.PATIENCE_S)[1]
    assert process.returncode == 1


@pytest.mark.parametrize("size", [0, 1, 65_500, 65_536, 65_537, 1 << 20, 40 << 20])
def test_bodies_of_every_size_come_and_go(start, size):
    worker = start("def lambda_handler(event, context): return event")
    answers = []
    reader = threading.Thread(target=lambda: answers.append(worker.receive()))
    reader.start()
    worker.ask("event", b'"' + b"x" * size + b'"')
    reader.join()
    assert len(answers[0].body) == size + 2
    assert worker.event([1]).json == [1]


def test_calls_that_come_together_are_answered_in_order(start):
    worker = start(ECHO)
    for number in range(100):
        worker.ask("event", json.dumps(number).encode())
    assert [worker.receive().json for _ in range(100)] == list(range(100))


def test_a_call_that_comes_in_pieces_is_one_call(start):
    worker = start(ECHO)
    head = json.dumps({"call": 1, "form": "event", "id": "a", "deadline_ms": 1, "trace": None}).encode()
    for byte in len(head).to_bytes(4, "little") + b"\2\0\0\0" + head + b"17":
        worker.socket.sendall(bytes([byte]))
    assert worker.receive().json == 17


THREADS = """
    import threading

    together = threading.Barrier(4)


    def lambda_handler(event, context):
        print("one of", event)
        if event == "boom":
            raise ValueError("alone")
        together.wait(30)
        print("done", context.aws_request_id)
        return context.aws_request_id
"""


def test_with_threads_calls_run_together_and_each_has_its_own_records(start):
    worker = start(THREADS, threads=4)
    numbers = [worker.ask("event", b'"x"') for _ in range(4)]
    answers = [worker.receive() for _ in numbers]
    assert sorted(one.header["call"] for one in answers) == numbers
    assert all(one.json == f"call-{one.header['call']}" for one in answers)
    assert worker.event("boom").error["message"] == "alone"
    records = worker.records()
    assert worker.process.returncode == 0
    for number in numbers:
        own = [one["message"] for one in records if one["invocation"] == f"call-{number}"]
        assert own == ["one of x", f"done call-{number}"]


def test_children_that_a_handler_forks_leave_the_socket_and_the_end_alone(start):
    code = """
        import multiprocessing, os, signal, time


        def child(event):
            return os.getpid()


        def lambda_handler(event, context):
            with multiprocessing.get_context("fork").Pool(2) as pool:  # ends them with SIGTERM
                found = pool.map(child, range(2))
            pid = os.fork()
            if pid == 0:
                time.sleep(60)
                os._exit(0)
            os.kill(pid, signal.SIGTERM)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGTERM and os.getpid() not in found
    """
    worker = start(code)
    assert worker.event({}).json is True
    assert worker.event({}).json is True
    assert worker.end()[0] == 0


def test_children_that_a_handler_starts_do_not_hold_the_socket(start):
    worker = start(
        "import subprocess\ndef lambda_handler(e, c): return subprocess.Popen(['sleep', '60'], close_fds=False).pid"
    )
    pid = worker.event({}).json
    worker.process.kill()
    assert worker.socket.recv(1) == b""
    os.kill(pid, signal.SIGKILL)


def test_packages_stand_behind_the_standard_library_and_their_pth_files_count(start, write, tmp_path):
    packages, linked = tmp_path / "packages", tmp_path / "linked"
    packages.mkdir()
    linked.mkdir()
    (packages / "json.py").write_text("raise SystemExit('the standard library is asked first')")
    (packages / "linked.pth").write_text(f"{linked}\nimport os; os.environ['PTH'] = 'ran'\n")
    (linked / "far.py").write_text("x = 5")
    (packages / "shared.py").write_text("x = 'of the packages'")
    folder = write(
        """
        import os, sys, json, far, shared

        def lambda_handler(event, context):
            return [far.x, os.environ["PTH"], shared.x, os.getcwd(), sys.path[0]]
        """,
        shared="x = 'of the folder'",
    )
    found = start(folder, packages=[str(packages)]).event({}).json
    assert found == [5, "ran", "of the folder", str(folder), str(folder)]


def test_a_handler_finds_python_as_it_always_is(start, write):
    code = """
        import inspect, sys, traceback

        import shop


        def lambda_handler(event, context):
            try:
                exit(5)
            except SystemExit as error:
                code = error.code
            spec = shop.__spec__
            return [
                code,
                inspect.getsource(shop.sell).strip(),
                type(spec.loader).__name__,
                spec.loader is shop.__loader__,
                sys.modules["__main__"].__name__,
            ]
    """
    found = start(write(code, shop="def sell(): pass\n")).event({}).json
    assert found == [5, "def sell(): pass", "SourceFileLoader", True, "__main__"]


def test_processes_of_python_that_a_handler_starts_find_its_packages(start, write):
    code = """
        import multiprocessing
        import subprocess
        import sys

        import joblib
        import shop


        def lambda_handler(event, context):
            doubled = joblib.Parallel(n_jobs=2)(joblib.delayed(shop.double)(one) for one in range(3))
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                spawned = pool.map(shop.double, [4])
            program = "import joblib, shop; print(shop.double(5))"
            return [doubled, spawned, int(subprocess.check_output([sys.executable, "-c", program]))]
    """
    folder = write(code, shop="def double(x): return 2 * x\n")
    worker = start(folder, python=sys._base_executable)  # it has no packages of its own
    assert worker.event({}).json == [[0, 2, 4], [8], 10]
    assert worker.end()[0] == 0
