"""Cold start, warm latency and throughput of a small tabular model, beside FastAPI with ONNX Runtime, in one run.

    make bench        (uv brings the packages; wrk comes from Debian: apt-get install wrk)

Cold start: from a request at zero instances to its answer, sandboxed process and model load included; median and 95th percentile of 200, and without stem cells.
Warm: one connection, median of 15 turns of 1 s; throughput: 16 connections, median of 3 turns of 4 s; with wrk, the servers in
turn. All use one thread for inference. The runtime alone is the program inside an instance, serving the same artifact on a port of its own without a platform:
what modelet takes longer than that is the price of gateway, scheduling, records and sandbox.
Figures of two servers compare only within one run.
"""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).parent.parent
BODY = b'{"inputs": [[5.1, 3.5, 1.4, 0.2]]}'
COLD_STARTS = 200
#: Connections: how often, and how long each time, seconds. Latency depends on the machine's mood: many short turns.
TURNS = {1: (15, 1), 16: (3, 4)}
WARM_CALLS = 1_000
WAIT_S = 30


def wait_for(condition, what):
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"bench: {what} did not happen within {WAIT_S} s")
        time.sleep(0.01)


def call(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    started = time.perf_counter()
    connection.request("POST", path, BODY, {"content-type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    assert response.status == 200, answer
    connection.close()
    return (time.perf_counter() - started) * 1e3, json.loads(answer)


def answers(port, path):
    with contextlib.suppress(OSError):
        call(port, path)
        return True
    return False


def wrk(port, path, connections, seconds):
    script = pathlib.Path(tempfile.gettempdir()) / "modelet-bench.lua"
    script.write_text(f"wrk.method='POST'; wrk.body='{BODY.decode()}'; wrk.headers['content-type']='application/json'\n")
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script, f"http://127.0.0.1:{port}{path}"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in text, text
    value, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", text).groups()
    return float(value) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit], float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])


def computing_ms(port, path):
    """The median time that the model itself took, of calls one after the other on a connection."""
    connection, times = http.client.HTTPConnection("127.0.0.1", port), []
    for _ in range(WARM_CALLS):
        connection.request("POST", path, BODY, {"content-type": "application/json"})
        with connection.getresponse() as answer:
            answer.read()
            times.append(float(re.search(r"(?<!_)inference;dur=([\d.]+)", answer.headers["server-timing"])[1]))
    return statistics.median(times)


@contextlib.contextmanager
def running(command, **environment):
    process = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(WAIT_S)


def modelet(*arguments):
    subprocess.run([ROOT / "target/release/modelet", *arguments], check=True, capture_output=True)


def instances(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/platform") as answer:
        return json.load(answer)["instances"]


def cold_starts(port, path):
    times = []
    for _ in range(COLD_STARTS):
        wait_for(lambda: instances(port) == 0, "scaling to zero")
        times.append(call(port, path)[0])
    times.sort()
    return statistics.median(times), times[len(times) * 95 // 100]


def modelet_json(*arguments):
    command = [ROOT / "target/release/modelet", *arguments, "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def runtime_alone(data, name, port, server):
    """The process inside an instance, by itself: it computes the function's artifact and answers HTTP on a port."""
    library = next(check["found"] for check in modelet_json("doctor") if check["name"] == "onnxruntime").split(" at ")[1]
    versions = modelet_json("describe", name, *server)["versions"]
    artifact = pathlib.Path(data) / "artifacts" / versions[0]["sha256"]
    return running(
        [ROOT / "target/release/modelet-runtime"],
        PORT=str(port), MODELET_ARTIFACT=str(artifact), MODELET_ONNXRUNTIME=library,
    )


def without_cells(model):
    """Cold starts of a platform that starts every instance from a new process."""
    port = 18_803
    with tempfile.TemporaryDirectory() as data:
        up = [ROOT / "target/release/modelet", "up", "--listen", f"127.0.0.1:{port}", "--data", data, "--cells", "0"]
        with running(up):
            wait_for(lambda: (pathlib.Path(data) / "platform.json").exists(), "the start of the platform")
            modelet("deploy", model, "--name", "cold", "--set", "idle_timeout_ms=50", "--server", f"http://127.0.0.1:{port}")
            return cold_starts(port, "/fn/cold")


def main():
    if shutil.which("wrk") is None:
        sys.exit("bench: wrk is missing; next: apt-get install wrk")
    ours, theirs, alone = 18_801, 18_802, 18_804
    model = ROOT / "examples/iris"
    with tempfile.TemporaryDirectory() as data, contextlib.ExitStack() as servers:
        started = time.perf_counter()
        peer = [sys.executable, "-m", "uvicorn", "peer:app", "--app-dir", ROOT / "bench", "--port", str(theirs)]
        quiet = ["--no-access-log", "--log-level", "warning"]
        servers.enter_context(running([*peer, *quiet], BENCH_MODEL=str(model / "model.onnx"), OMP_NUM_THREADS="1"))
        wait_for(lambda: answers(theirs, "/predict"), "the start of FastAPI")
        peer_cold = (time.perf_counter() - started) * 1e3
        up = [ROOT / "target/release/modelet", "up", "--listen", f"127.0.0.1:{ours}", "--data", data]
        servers.enter_context(running(up))
        wait_for(lambda: (pathlib.Path(data) / "platform.json").exists(), "the start of the platform")
        server = ["--server", f"http://127.0.0.1:{ours}"]
        modelet("deploy", model, "--name", "cold", "--set", "idle_timeout_ms=50", *server)
        modelet("deploy", model, "--name", "warm", *server)
        cold, cold_p95 = cold_starts(ours, "/fn/cold")
        bare, bare_p95 = without_cells(model)
        assert call(ours, "/fn/warm")[1]["outputs"]["label"] == call(theirs, "/predict")[1]["outputs"]["label"]
        servers.enter_context(runtime_alone(data, "warm", alone, server))
        wait_for(lambda: answers(alone, "/fn/warm"), "the start of the runtime alone")
        rows = [
            ("modelet", f"{cold:.1f}", ours, "/fn/warm"),
            ("its runtime alone, without platform and sandbox", "", alone, "/fn/warm"),
            ("FastAPI with ONNX Runtime", f"{peer_cold:.1f}", theirs, "/predict"),
        ]
        results = {name: {1: [], 16: []} for name, *_ in rows}
        for connections, (turns, seconds) in TURNS.items():
            for _ in range(turns):
                for name, _, port, path in rows:
                    results[name][connections].append(wrk(port, path, connections, seconds))
        computing = computing_ms(ours, "/fn/warm")
    print(f"cold start of modelet: p50 {cold:.1f} ms, p95 {cold_p95:.1f} ms; without stem cells {bare:.1f}, {bare_p95:.1f}")
    print("| | cold start, ms | warm p50 at 1 connection, ms | requests/s at 16 connections |")
    print("|---|---:|---:|---:|")
    warm = {name: statistics.median(latency for latency, _ in results[name][1]) for name, *_ in rows}
    for name, cold_text, *_ in rows:
        rate = statistics.median(rate for _, rate in results[name][16])
        print(f"| {name} | {cold_text} | {warm[name]:.3f} | {rate:,.0f} |")
    beyond = warm[rows[0][0]] - computing
    print(f"a warm call at 1 connection beyond the {computing * 1e3:.0f} µs in which its model computes: {beyond * 1e3:.0f} µs p50")


main()
