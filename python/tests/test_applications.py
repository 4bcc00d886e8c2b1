"""Applications and other shapes of functions, as they are: FastAPI, Flask, functions-framework, score.py, `predict`."""

from __future__ import annotations

import io
import json
import re
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
import wire
from functions import SCIENCE, WEB, deployed, folder, lines
from harness import Function, eventually

FASTAPI = """\
import asyncio
from contextlib import asynccontextmanager

from fastapi import BackgroundTasks, FastAPI, Header, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

begun = []

@asynccontextmanager
async def lifespan(app):
    begun.append("begun")
    print("lifespan begins")
    yield {"model": "the model"}
    print("lifespan ends")

app = FastAPI(lifespan=lifespan)

class Row(BaseModel):
    age: int
    name: str = "?"

@app.get("/items/{item}")
async def item(item: int, q: str | None = None, x_mine: str | None = Header(None)):
    return {"item": item, "q": q, "mine": x_mine}

@app.post("/rows", status_code=201)
def rows(rows: list[Row]):
    return [row.age + 1 for row in rows]

@app.get("/begun")
def count():
    return begun

@app.get("/stream")
def stream():
    return StreamingResponse((f"line {n}\\n" for n in range(1000)), media_type="text/plain")

done = []

@app.post("/later")
def later(tasks: BackgroundTasks):
    tasks.add_task(done.append, "done")
    return "accepted"

@app.get("/done")
def is_done():
    return done

here = 0

@app.get("/meets/{count}")
async def meets(count: int):
    global here
    here += 1
    while here < count:
        await asyncio.sleep(0.01)
    return "met"

@app.api_route("/any", methods=["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
def any_method(response: Response):
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return None

@app.get("/fails")
def fails():
    raise RuntimeError("no such model")

@app.get("/path/{rest:path}")
def rest(rest: str):
    return rest
"""


@pytest.fixture(scope="module")
def fastapi(code) -> Function:
    """An application of FastAPI."""
    return code("app-fastapi", FASTAPI, WEB)


def ask(function: Function, method: str, path: str, **options: object) -> httpx.Response:
    """A call below the function's own path."""
    return function.platform.http.request(method, f"{function.path}{path}", **options)


# -- FastAPI ----


def test_a_fastapi_application_answers_below_its_functions_path(fastapi):
    """Path, query, headers, JSON, its own statuses and refusals."""
    answer = ask(fastapi, "GET", "/items/3?q=%C3%BC+x", headers={"x-mine": "yes"})
    assert (answer.status_code, answer.json()) == (200, {"item": 3, "q": "ü x", "mine": "yes"})
    answer = ask(fastapi, "POST", "/rows", json=[{"age": 41}, {"age": 1, "name": "é"}])
    assert (answer.status_code, answer.json()) == (201, [42, 2])
    answer = ask(fastapi, "POST", "/rows", json=[{"age": "old"}])
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", 0, "age"])
    answer = ask(fastapi, "GET", "/nothing")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
    assert ask(fastapi, "GET", "/path/a%20b/c%2Fd").json() == "a b/c/d"


def test_every_method_reaches_it_and_its_headers_come_back(fastapi):
    for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS"):
        answer = ask(fastapi, method, "/any")
        assert (answer.status_code, answer.content) == (200, b"null"), method
        assert [cookie.split(";")[0] for cookie in answer.headers.get_list("set-cookie")] == ["a=1", "b=2"]
    assert ask(fastapi, "POST", "/any").status_code == 405
    assert ask(fastapi, "HEAD", "/any").status_code == 405, "FastAPI makes no HEAD of a GET"


def test_its_docs_page_and_its_links_carry_the_path_that_it_is_under(fastapi):
    """S26: the page finds its own OpenAPI document."""
    page = ask(fastapi, "GET", "/docs")
    url = re.search(r"url: '([^']+)'", page.text)[1]
    assert url == f"{fastapi.path}/openapi.json"
    document = fastapi.platform.http.get(url).json()
    assert "/items/{item}" in document["paths"]
    assert [server["url"] for server in document["servers"]] == [fastapi.path]


def test_a_trailing_slash_is_redirected_to_the_path_that_clients_know(fastapi):
    """Starlette's own redirect, which has to have the prefix."""
    answer = ask(fastapi, "GET", "/begun/")
    assert answer.status_code == 307
    assert httpx.URL(answer.headers["location"]).path == f"{fastapi.path}/begun"
    assert fastapi.platform.http.get(answer.headers["location"]).json() == ["begun"]


def test_a_version_is_called_by_its_number_with_the_path_behind_it(own_platform):
    """`/fn/app:1/…` is the old one while the new one is live; each knows its own prefix."""
    source = "from fastapi import FastAPI, Request\napp = FastAPI()\n"
    source += '@app.get("/which")\ndef which(request: Request):\n    return [NUMBER, request.scope["root_path"]]\n'
    app = deployed(own_platform, "app", source.replace("NUMBER", "1"), WEB)
    deployed(own_platform, "app", source.replace("NUMBER", "2"), WEB)
    assert ask(app, "GET", "/which").json() == [2, "/fn/app"]
    for number in (1, 2):
        answer = own_platform.http.get(f"/fn/app:{number}/which")
        assert answer.json() == [number, f"/fn/app:{number}"]
        assert answer.headers["x-modelet-version"] == str(number)
    missing = own_platform.http.get("/fn/app:7/which")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "version-not-found")


def test_a_streamed_answer_is_whole_and_a_background_task_is_done(fastapi):
    assert ask(fastapi, "GET", "/stream").text == "".join(f"line {n}\n" for n in range(1000))
    assert ask(fastapi, "POST", "/later").json() == "accepted"
    eventually(lambda: ask(fastapi, "GET", "/done").json() == ["done"], what="the task is done")


def test_what_it_awaits_is_awaited_together(fastapi):
    """Eight calls are in one instance at a time; none would be answered otherwise."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(fastapi, "GET", "/meets/8"), range(8)))
    assert [answer.json() for answer in answers] == ["met"] * 8
    assert len({answer.headers["x-modelet-instance"] for answer in answers}) == 1


def test_the_lifespan_begins_once_and_ends_with_the_instance(code):
    """Its shutdown is run when the instance is stopped."""
    own = code("app-lifespan", FASTAPI, WEB, idle_timeout_ms=200)
    for _ in range(3):
        assert ask(own, "GET", "/begun").json() == ["begun"]
    eventually(lambda: not own.instances(), what="the instance is stopped")
    said = eventually(lambda: rows if len(rows := lines(own, "lifespan")) == 2 else None, what="it ended")
    assert [row["text"] for row in said] == ["lifespan begins", "lifespan ends"]


def test_an_error_of_the_application_is_its_own_500_and_in_the_log(fastapi):
    answer = ask(fastapi, "GET", "/fails")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    (record,) = eventually(lambda: lines(fastapi, "no such model"), what="the trace is in the log")
    assert record["level"] == "ERROR"
    assert record["invocation"] == answer.headers["x-modelet-invocation"]
    assert 'raise RuntimeError("no such model")' in record["text"]


# -- Flask ----

FLASK = """\
from flask import Flask, redirect, request, url_for

app = Flask(__name__)

@app.get("/")
def index():
    return "front page"

@app.route("/echo", methods=["GET", "POST", "PUT", "DELETE"])
def echo():
    return {"method": request.method, "args": request.args.to_dict(), "json": request.get_json(silent=True),
            "form": request.form.to_dict(), "root": request.script_root, "files": sorted(request.files)}

@app.post("/bytes")
def double():
    return request.get_data() * 2, 200, {"content-type": "application/octet-stream"}

@app.get("/goes")
def goes():
    return redirect(url_for("echo"))

@app.get("/tree/")
def tree():
    return "tree"

@app.get("/fails")
def fails():
    return {}["model"]
"""


@pytest.fixture(scope="module")
def flask(code) -> Function:
    """An application of Flask."""
    return code("app-flask", FLASK, WEB)


def test_a_flask_application_gets_queries_json_forms_files_and_bytes(flask):
    assert ask(flask, "GET", "/").text == "front page"
    answer = ask(flask, "POST", "/echo?a=%C3%A9", json={"x": [1]}).json()
    assert (answer["method"], answer["args"], answer["json"]) == ("POST", {"a": "é"}, {"x": [1]})
    assert answer["root"] == flask.path
    answer = ask(flask, "PUT", "/echo", data={"b": "2"}, files={"picture": b"\x00"}).json()
    assert (answer["form"], answer["files"]) == ({"b": "2"}, ["picture"])
    raw = bytes(range(256))
    assert ask(flask, "POST", "/bytes", content=raw).content == raw * 2
    assert ask(flask, "POST", "/bytes", content=iter([raw, raw])).content == raw * 4, "S24: in chunks, no length said"


def test_flasks_own_links_redirects_and_refusals_know_the_prefix(flask):
    assert ask(flask, "GET", "/goes").headers["location"] == f"{flask.path}/echo"
    answer = ask(flask, "GET", "/tree")
    assert (answer.status_code, httpx.URL(answer.headers["location"]).path) == (308, f"{flask.path}/tree/")
    assert ask(flask, "GET", "/nothing").status_code == 404
    assert ask(flask, "DELETE", "/bytes").status_code == 405
    assert ask(flask, "HEAD", "/").content == b""
    assert ask(flask, "HEAD", "/").status_code == 200


def test_an_error_in_flask_is_a_500_and_its_trace_in_the_log(flask):
    answer = ask(flask, "GET", "/fails")
    assert answer.status_code == 500
    (record,) = eventually(lambda: lines(flask, "KeyError: 'model'"), what="the trace is in the log, whole")
    assert "ERROR in app: Exception on /fails [GET]" in record["text"]
    assert record["invocation"] == answer.headers["x-modelet-invocation"]


# -- functions-framework ----


def test_a_function_of_functions_framework_answers_requests(code):
    source = """\
import functions_framework

@functions_framework.http
def hello(request):
    if request.method == "DELETE":
        return "gone", 410, {"x-why": "deleted"}
    return {"name": request.args.get("name"), "json": request.get_json(silent=True), "path": request.path}
"""
    function = code("app-gcf", source, WEB)
    assert function.status()["card"]["handler"]["interface"] == "functions_framework"
    answer = ask(function, "POST", "/deep/path?name=x", json={"a": 1})
    assert answer.json() == {"name": "x", "json": {"a": 1}, "path": "/deep/path"}
    assert function.post({"a": 2}).json()["json"] == {"a": 2}
    answer = ask(function, "DELETE", "/")
    assert (answer.status_code, answer.text, answer.headers["x-why"]) == (410, "gone", "deleted")


def test_a_function_of_cloudevents_takes_them_binary_and_structured(code):
    """As Cloud Run and Knative send them; what is none is refused by the framework itself."""
    source = """\
import functions_framework

@functions_framework.cloud_event
def on_upload(event):
    print("got", event["type"], event["id"], event.data["name"])
"""
    function = code("app-events", source, WEB)
    kind = "google.cloud.storage.object.v1.finalized"
    attributes = {"id": "1", "type": kind, "source": "//storage", "specversion": "1.0"}
    binary = {f"ce-{name}": value for name, value in attributes.items()}
    answer = ask(function, "POST", "/", json={"name": "red flower.jpg"}, headers=binary)
    assert (answer.status_code, answer.text) == (200, "OK")
    structured = attributes | {"id": "2", "data": {"name": "é"}}
    headers = {"content-type": "application/cloudevents+json"}
    answer = ask(function, "POST", "/", content=json.dumps(structured), headers=headers)
    assert (answer.status_code, answer.text) == (200, "OK")
    said = eventually(lambda: rows if len(rows := lines(function, "got ")) == 2 else None, what="both are in the log")
    assert [row["text"] for row in said] == [f"got {kind} 1 red flower.jpg", f"got {kind} 2 é"]
    assert ask(function, "POST", "/", json={"no": "event"}).status_code == 400


# -- score.py ----


def test_score_py_is_initialised_once_and_gets_the_body_as_text(platform):
    """As on Azure ML: with the headers that say whether run failed, at the function itself and at /score."""
    source = """\
import json, os

def init():
    global model, inits
    inits = globals().get("inits", 0) + 1
    model = json.load(open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "weights.json")))

def run(raw_data):
    data = json.loads(raw_data)
    return {"scores": [model["w"] * x for x in data["data"]], "inits": inits}
"""
    place = folder(platform.work / "code" / "app-score", {"score.py": source, "weights.json": '{"w": 2}'})
    function = platform.deploy(place, "app-score")
    assert function.status()["card"]["handler"]["interface"] == "score"
    for path in ("", "/score"):
        answer = ask(function, "POST", path, json={"data": [1, 2.5]})
        assert (answer.status_code, answer.json()) == (200, {"scores": [2, 5.0], "inits": 1})
        assert answer.headers["x-ms-run-function-failed"] == "False"
    answer = ask(function, "POST", "", json={"wrong": 1})
    assert (answer.status_code, answer.headers["x-ms-run-function-failed"]) == (500, "True")
    assert ask(function, "GET", "/").text == "Healthy"


# -- predict ----

PREDICT = """\
import numpy as np, pandas as pd

def predict(inputs: KIND):
    return {"type": type(inputs).__name__, "sum": (np.asarray(inputs)[:, 0]).sum(), "shape": list(np.shape(inputs))}
"""


@pytest.mark.parametrize(
    ("kind", "name"), [("np.ndarray", "ndarray"), ("pd.DataFrame", "DataFrame"), ('"pd.DataFrame"', "DataFrame")]
)
def test_predict_gets_what_it_is_annotated_with_however_the_rows_come(code, kind, name):
    """JSON as rows, records and columns, within what clients put around them; CSV; npy."""
    function = code(f"predict-{name}-{len(kind)}".lower(), PREDICT.replace("KIND", kind), SCIENCE)
    rows = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    named = [{"a": a, "b": b} for a, b in rows]
    expected = {"type": name, "sum": 9.0, "shape": [3, 2]}
    columns = {"a": [1.0, 3.0, 5.0], "b": [2.0, 4.0, 6.0]}
    for body in (rows, {"inputs": rows}, {"instances": rows}, {"data": rows}, named, {"instances": named}, columns):
        answer = function.post(body)
        assert (answer.status_code, answer.json()) == (200, expected), (body, answer.text)
    answer = function.post(content="a,b\n1,2\n3,4\n5,6\n", headers={"content-type": "text/csv"})
    assert answer.json() == expected, answer.text
    npy = io.BytesIO()
    np.save(npy, np.array(rows))
    answer = function.post(content=npy.getvalue(), headers={"content-type": "application/x-npy"})
    assert answer.json() == expected, answer.text


def test_predict_without_an_annotation_gets_the_json_as_it_is(code):
    function = code("predict-plain", "def predict(inputs):\n    return [inputs]\n")
    for body in ([[1, 2]], {"inputs": [1]}, "text", 3, None, {"a": {"b": []}}):
        answer = function.post(content=json.dumps(body), headers={"content-type": "application/json"})
        assert answer.json() == [body]
    answer = function.post(content="id,x\n001,2\n", headers={"content-type": "text/csv"})
    assert answer.json() == [[{"id": "001", "x": "2"}]], "S23: cells are texts, leading zeros stay"


def test_a_body_that_predict_cannot_have_is_a_400_that_says_why(code):
    function = code("predict-ndarray-10", PREDICT.replace("KIND", "np.ndarray"), SCIENCE)
    for body, kind, status, says in (
        ("[[1, 2], [3]]", "application/json", 400, "array"),
        ("[[1, 2", "application/json", 400, "JSON"),
        ("", "application/json", 400, "empty"),
        ("[[NaN]]", "application/json", 400, "NaN"),
        ("a\nx\n", "text/csv", 400, "texts"),
        ("junk", "application/x-npy", 400, "npy"),
        ("<a/>", "application/xml", 415, "application/xml"),
    ):
        answer = function.post(content=body, headers={"content-type": kind})
        assert answer.status_code == status, (body, answer.text)
        assert says in answer.json()["error"]["message"], (body, answer.text)
    assert function.post([[1, 2]]).json()["sum"] == 1


def test_what_predict_returns_is_json_text_or_bytes(code):
    """By its type; an error of the code is a 500 with its type."""
    source = """\
def predict(inputs):
    return {"text": "plain é", "bytes": b"\\x00\\x01", "json": {"a": [1, float("nan")]}}[inputs]
"""
    function = code("predict-types", source)
    answer = function.post("text")
    assert (answer.text, answer.headers["content-type"]) == ("plain é", "text/plain; charset=utf-8")
    answer = function.post("bytes")
    assert (answer.content, answer.headers["content-type"]) == (b"\x00\x01", "application/octet-stream")
    answer = function.post("json")
    assert (wire.strict_json(answer.content), answer.headers["content-type"]) == ({"a": [1, None]}, "application/json")
    answer = function.post("none of them")
    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "KeyError")
