"""Applications of WSGI: what they see, what they may do, and that nothing of PEP 3333 is broken."""

from __future__ import annotations

import pytest

SEEN = """
    from wsgiref.validate import validator


    @validator
    def app(environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        shown = {key: value for key, value in environ.items() if isinstance(value, (str, bool, tuple))}
        start_response("207 Multi-Status", [("Content-Type", "text/plain"), ("X-A", "1"), ("X-A", "2")])
        return [repr((shown, body)).encode()]
"""


def seen(worker, **call):
    answer = worker.http(**call)
    assert answer.header["status"] == 207, answer.header
    return answer, *eval(answer.body)


def test_an_application_sees_the_request(start):
    worker = start(SEEN, "wsgi", function="app")
    headers = [("Host", "shop.example:8443"), ("content-type", "text/x"), ("Cookie", "a=1"), ("cookie", "b=2")]
    headers += [("X-Many", "1"), ("x-many", "2"), ("x_many", "spoofed"), ("transfer-encoding", "chunked")]
    answer, environ, body = seen(worker, path="/caf%C3%A9/a%2Fb", query="q=1&q=%20", body=b"\x00abc", headers=headers)
    assert answer.header["headers"] == [["Content-Type", "text/plain"], ["X-A", "1"], ["X-A", "2"]]
    assert body == b"\x00abc"
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/café/a/b"
    expected = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "QUERY_STRING": "q=1&q=%20",
        "CONTENT_TYPE": "text/x",
        "CONTENT_LENGTH": "4",
        "SERVER_NAME": "shop.example",
        "SERVER_PORT": "8443",
        "HTTP_COOKIE": "a=1; b=2",
        "HTTP_X_MANY": "1,2",
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
    }
    assert {key: environ[key] for key in expected} == expected
    assert "HTTP_TRANSFER_ENCODING" not in environ


def test_heads_are_latin_1_and_other_letters_are_there_too(start):
    headers = [("X-Latin", "é"), ("X-Other", "€")]
    _, environ, _ = seen(start(SEEN, "wsgi", function="app"), headers=headers, query="q=é", path="/€")
    assert environ["HTTP_X_LATIN"] == "é"
    assert environ["HTTP_X_OTHER"].encode("latin-1").decode() == "€"
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/€"


def test_a_request_without_a_body_or_a_host_is_one_too(start):
    _, environ, body = seen(start(SEEN, "wsgi", function="app", threads=2), method="GET")
    assert body == b""
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"], environ["wsgi.multithread"]) == ("localhost", "80", True)


PIECES = """
    closed = []


    class Pieces:
        def __init__(self, start_response, fail):
            self.start_response, self.fail = start_response, fail

        def __iter__(self):
            write = self.start_response("200 OK", [("Connection", "close")])
            write(b"written, ")
            yield b"one, "
            if self.fail == "/broken":
                raise KeyError("data")
            if self.fail == "/fail":
                try:
                    1 / 0
                except ZeroDivisionError:
                    import sys

                    self.start_response("500 Oh", [("X-Why", "zero")], sys.exc_info())
            yield b"two"

        def close(self):
            closed.append(1)


    def app(environ, start_response):
        if environ["PATH_INFO"] == "/closed":
            start_response("200 OK", [])
            return [str(len(closed)).encode()]
        if environ["PATH_INFO"] == "/silent":
            return []
        if environ["PATH_INFO"] == "/bytes":
            start_response("200 OK", [("X-A", b"1")])
            return []
        if environ["PATH_INFO"] == "/raise":
            raise KeyError("data")
        if environ["PATH_INFO"] == "/twice":
            start_response("200 OK", [])
            start_response("200 OK", [])
        return Pieces(start_response, environ["PATH_INFO"])
"""


def test_pieces_are_sent_while_they_are_made_and_what_is_returned_is_closed(start):
    worker = start(PIECES, "wsgi", function="app")
    answer = worker.http()
    assert (answer.header["status"], answer.header["headers"]) == (200, [])
    assert answer.pieces == [b"written, ", b"one, ", b"two", b""]
    assert "error" not in answer.header
    for path in ("/fail", "/broken"):
        answer = worker.http(path=path)
        assert (answer.header["status"], answer.body) == (200, b"written, one, "), "what was sent stays"
        assert answer.error["type"] == {"/fail": "ZeroDivisionError", "/broken": "KeyError"}[path]
    assert worker.http(path="/closed").body == b"3"


def test_an_answer_with_a_length_is_sent_whole_and_an_error_replaces_it(start):
    worker = start(PIECES.replace('"200 OK", [("Connection", "close")]', '"200 OK", [("Content-Length", "17")]'), "wsgi", function="app")
    answer = worker.http()
    assert (answer.headers, answer.body, answer.pieces) == ({"content-length": "17"}, b"written, one, two", None)
    answer = worker.http(path="/fail")
    assert (answer.header["status"], answer.headers, answer.body) == (500, {"x-why": "zero"}, b"written, one, two")
    assert worker.http(path="/broken").error["type"] == "KeyError"
    assert worker.http(path="/closed").body == b"3"


ENDLESS = """
    made, closed = [], []


    def app(environ, start_response):
        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/seen":
            return [f"{len(made)} {len(closed)}".encode()]
        return endless()


    def endless():
        try:
            while True:
                made.append(1)
                yield b"x" * 1000
        finally:
            closed.append(1)
"""


@pytest.mark.parametrize("threads", [1, 3])
def test_an_answer_without_an_end_waits_while_nobody_takes_it_and_ends_when_nobody_wants_it(start, threads):
    worker = start(ENDLESS, "wsgi", function="app", threads=threads)
    number = worker.ask_http()
    for _ in range(5):
        assert worker.receive().header["more"]
    worker.pause(number)
    worker.control(number, "resume")
    assert worker.receive().header["more"]
    worker.control(number, "cancel")
    while worker.receive().header.get("more"):
        pass
    assert worker.http("GET", "/seen").body.endswith(b" 1")
    worker.control(number, "cancel")
    assert worker.http("GET", "/seen").body.endswith(b" 1"), "of an answer that is over it says nothing"
    worker.ask_http()
    assert worker.receive().header["more"]
    assert worker.end()[0] == 0, "the runtime has gone"


def test_an_application_that_fails_is_an_error_of_the_call(start):
    worker = start(PIECES, "wsgi", function="app")
    assert worker.http(path="/raise").error["type"] == "KeyError"
    assert worker.http(path="/raise").error["stack"] == worker.http(path="/raise").error["stack"]
    assert "without calling start_response" in worker.http(path="/silent").error["message"]
    assert worker.http(path="/bytes").error["type"] == "TypeError"
    assert "start_response was called twice" in worker.http(path="/twice").error["message"]
    assert worker.http(path="/closed").body == b"0"


FLASK = """
    import flask

    app = flask.Flask(__name__)


    @app.post("/items/<name>")
    def item(name):
        flask.session["x"] = 1
        return {"name": name, "json": flask.request.get_json(), "args": flask.request.args.to_dict()}


    @app.get("/stream")
    def stream():
        return flask.Response((f"{n}," for n in range(3)), mimetype="text/csv")


    @app.get("/fail")
    def fail():
        raise ValueError("no")


    app.secret_key = "x"
"""


def test_flask_answers(start):
    worker = start(FLASK, "wsgi", function="app")
    headers = [("content-type", "application/json")]
    answer = worker.http(path="/items/a%20b", query="k=v", body=b'{"n": 1}', headers=headers)
    assert answer.json == {"name": "a b", "json": {"n": 1}, "args": {"k": "v"}}
    assert answer.headers["set-cookie"].startswith("session=")
    assert worker.http("GET", "/stream").body == b"0,1,2,"
    assert worker.http("GET", "/nowhere").header["status"] == 404
    assert worker.http("GET", "/fail").header["status"] == 500
    messages = [one["message"] for one in worker.records()]
    assert any("ValueError: no" in one and "in fail" in one for one in messages), "Flask logs what it catches"


DJANGO = """
    import django.conf
    from django.core.wsgi import get_wsgi_application
    from django.http import JsonResponse
    from django.urls import path

    django.conf.settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x")


    def view(request, number):
        return JsonResponse({"number": number, "body": request.body.decode(), "host": request.get_host()})


    urlpatterns = [path("n/<int:number>", view)]
    application = get_wsgi_application()
"""


def test_django_answers(start):
    worker = start(DJANGO, "wsgi", function="application")
    answer = worker.http(path="/n/7", body="é".encode(), headers=[("host", "shop.example")])
    assert answer.json == {"number": 7, "body": "é", "host": "shop.example"}


def test_what_is_no_application_is_refused(start):
    failed = start("app = 5", "wsgi", function="app").started["failed"]
    assert failed["message"] == "app:app is not a WSGI application but int"


@pytest.mark.parametrize("function", ["app", "application"])
def test_an_application_that_is_not_there_is_refused(start, function):
    failed = start("def other(): pass", "wsgi", function=function).started["failed"]
    assert failed["type"] == "Runtime.HandlerNotFound"
    assert "it has other" in failed["message"]


SLOW_TO_BEGIN = """
    import os, time

    closed = []


    def app(environ, start_response):
        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/seen":
            return [str(len(closed)).encode()]
        return endless()


    def endless():
        while not os.path.exists("go"):
            time.sleep(0.01)
        try:
            while True:
                yield b"x" * 1000
        finally:
            closed.append(1)
"""


@pytest.mark.parametrize("threads", [1, 3])
def test_a_client_that_left_before_the_first_piece_is_heard(start, write, threads):
    """Also where another call is being answered at that time."""
    folder = write(SLOW_TO_BEGIN)
    worker = start(folder, "wsgi", function="app", threads=threads)
    first, second = worker.ask_http(), worker.ask_http()
    worker.control(second, "cancel")
    worker.control(first, "cancel")
    (folder / "go").touch()
    ends = 0
    while ends < 2:
        answer = worker.receive()
        assert answer.header["call"] in (first, second)
        ends += not answer.header.get("more")
    # A generator that was never asked has nothing to close.
    assert int(worker.http(path="/seen").body) >= 1
    assert worker.end()[0] == 0


LONG = """
    def app(environ, start_response):
        start_response("200 OK", [])
        return long()


    def long():
        for n in range(20):
            if n == 5:
                import os, signal
                os.kill(os.getpid(), signal.SIGTERM)
            yield b"x" * 100
"""


@pytest.mark.parametrize("threads", [1, 3])
def test_sigterm_within_an_answer_lets_it_come_to_its_end(start, threads):
    worker = start(LONG, "wsgi", function="app", threads=threads)
    answer = worker.http()
    assert (answer.body, answer.header.get("error")) == (b"x" * 2000, None)
    assert worker.end()[0] == 0
