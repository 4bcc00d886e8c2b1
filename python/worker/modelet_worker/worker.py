"""The life of a worker: start, answer calls, end.

- perhaps, before it is known which code: runtime: `{"prepare": {…}}`, worker: `{"prepared": {…}}`
- runtime: `{"start": {…}}`, worker: `{"ready": {…}}` or `{"failed": {…}}`
- runtime: `{"call": 17, …}` and a body, worker: `{"call": 17, …}` and a body
- runtime closes its end, worker: runs the user's shutdown hooks and ends
"""

import os
import sys
import time
from _collections_abc import Iterator

from modelet_worker import shutdown
from modelet_worker.controls import controls
from modelet_worker.fault import described, exit_code
from modelet_worker.imports import imported, watch
from modelet_worker.records import log
from modelet_worker.wire import Wire

#: Kinds of handlers, and the modules that host them.
KINDS = {
    "lambda": "lambda_function",
    "score": "score",
    "predict": "predict",
    "wsgi": "wsgi",
    "functions_framework": "functions_framework",
    "asgi": "asgi",
}


def main(fd):
    """Serves the runtime at the other end of a socket until it closes it, and ends the process."""
    os.set_inheritable(fd, False)
    wire = Wire(fd)
    first = wire.receive()
    if first is not None and "prepare" in first[0]:
        wire.send({"prepared": prepare(first[0]["prepare"])})
        first = wire.receive()
    if first is None:
        return
    start = first[0]["start"]
    shutdown.prepare(wire)
    sys.argv = ["modelet"]
    call = begin(wire, start)
    if call is None:
        sys.exit(1)
    code = serve(wire, call, start.get("threads", 1))
    shutdown.finish(code)


def prepare(wanted):
    """Imports what some code will ask for, before anybody knows which: packages alone, never what is the user's."""
    from modelet_worker import entry, environment
    from modelet_worker.loaders import watch_loaders

    since = time.perf_counter()
    # Libraries keep what they find while they are imported: where to print to, functions of others.
    log.open()
    sys.meta_path.insert(0, watch)
    environment.watch_tempfile()
    if wanted["wrap_loaders"]:
        watch_loaders()
    entry.add_packages(wanted["packages"])
    missing = []
    for name in wanted["modules"]:
        try:
            __import__(name)
        except Exception:
            # The code that asks for it will say so, to somebody who can act on it.
            missing.append(name)
    log.end()
    return {"took_ms": round((time.perf_counter() - since) * 1000, 1), "missing": missing}


def begin(wire, start):
    """Loads the handler and tells the runtime; None where it could not be loaded."""
    since = time.perf_counter()
    log.open()
    watch.timed = True
    watch.own_folder = os.path.join(start["folder"], "")
    if watch not in sys.meta_path:
        sys.meta_path.insert(0, watch)
    try:
        call = load(start)
        shutdown.take_over()
    except BaseException as error:
        failure = described(error)
        log.failed(failure)
        log.end()
        wire.send({"failed": failure})
        return None
    watch.timed = False
    log.end()
    took_ms = round((time.perf_counter() - since) * 1000, 1)
    wire.send({"ready": {"took_ms": took_ms, "python": sys.version.split()[0], "imports_ms": watch.slowest(), "asked": watch.asked}})
    return call


def load(start):
    """What answers calls, by the kind of handler."""
    from modelet_worker import entry, environment

    if start.get("watched") is not None:
        from modelet_worker import asks

        asks.install(start)
    environment.describe(start)
    entry.prepare_paths(start["folder"], start["packages"])
    environment.watch_libraries(start)
    call = imported(f"modelet_worker.kinds.{KINDS[start['kind']]}").load(start)
    entry.try_imports(start.get("tried_imports") or ())
    return call


def serve(wire, call, threads):
    """Answers calls until there are no more; the exit code."""
    if hasattr(call, "serve"):
        return call.serve(wire)
    if threads > 1:
        from modelet_worker.threads import serve as serve_in_threads

        return serve_in_threads(wire, call, threads)
    while True:
        frame = wire.receive()
        if frame is None:
            return 0
        if "control" in frame[0]:
            continue  # of an answer that is over
        code = answer(wire, call, *frame, alone=True)
        controls.end(frame[0]["call"])
        if code is not None:
            return code


def answer(wire, call, header, body, alone):
    """Answers one call. An exit code comes back where the user's code ended Python."""
    log.begin(header["id"], alone)
    # Of a call that is alone all that the process does is its own; of others what their thread does.
    clock = time.process_time if alone else time.thread_time
    since = clock()

    def cpu_ms():
        return round((clock() - since) * 1000, 3)

    try:
        fields, result = call(header, body)
        if isinstance(result, Iterator):
            from modelet_worker import pieces

            pieces.send(wire, header["call"], {"cpu_ms": cpu_ms(), **fields}, result, alone)
            log.end()
        else:
            log.end()
            wire.send({"call": header["call"], "cpu_ms": cpu_ms(), **fields}, result)
        return None
    except BaseException as error:
        return fail(wire, header["call"], error, cpu_ms())


def fail(wire, number, error, cpu_ms=0.0):
    """Answers a call with what went wrong, and writes it to the log. An exit code comes back as from `answer`."""
    failure, code = described(error), exit_code(error)
    if code is not None:
        failure = {**failure, "type": "Runtime.ExitError", "message": f"the handler ended Python: exit code {code}"}
    log.failed(failure)
    log.end()
    # Whoever ends says so at once, so that no call comes any more.
    last = {} if code is None else {"ends": code}
    wire.send({"call": number, "cpu_ms": cpu_ms, "error": failure, **last})
    return code
