"""`score.py` of Azure ML: `init()` once, `run(raw_data)` for each call, answered as azureml-inference-server-http
does, byte for byte. Scripts that name that server's own parts (`@rawhttp`, `AMLResponse`, inference-schema) are
answered by the server itself, as the user has it installed.
"""

import inspect
import json
import os
import sys
import time

from modelet_worker import entry
from modelet_worker.fault import Fault, described, words
from modelet_worker.http_form import answer, header_of
from modelet_worker.records import log
from modelet_worker.result import Results

#: Words of scripts that need the server itself.
SERVER_WORDS = (b"rawhttp", b"AMLRequest", b"AMLResponse", b"inference_schema")
#: Characters of an identifier that a client may send.
ID_CHARACTERS = 100
#: What the server answers, and where.
METHODS = {"/": ("GET", "HEAD", "OPTIONS"), "/score": ("GET", "POST", "OPTIONS")}
HTML = "text/html; charset=utf-8"
RUN_FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."
INTERNAL = "An unexpected internal error occurred. Check the logs for more info."
NOT_FOUND = (
    "The requested URL was not found on the server. "
    "If you entered the URL manually please check your spelling and try again."
)
NOT_ALLOWED = "The method is not allowed for the requested URL."


def load(start):
    """The script, its `init` done, as what answers calls."""
    if needs_server(start):
        return installed_server(start)
    module, run = entry.find(start["module"], "run")
    init = entry.find(start["module"], "init")[1]
    check_plain(run, module)
    script = Script(run, start["options"])
    init()
    return script.call


def needs_server(start):
    """Whether the script names parts of the server."""
    file = os.path.join(start["folder"], start["module"].replace(".", "/") + ".py")
    try:
        with open(file, "rb") as script:
            text = script.read()
    except OSError:
        return False  # the import says what is wrong
    return any(word in text for word in SERVER_WORDS)


def installed_server(start):
    """The server's own application."""
    os.environ["AML_APP_ROOT"] = start["folder"]
    os.environ["AZUREML_ENTRY_SCRIPT"] = start["module"].replace(".", "/") + ".py"
    try:
        from azureml_inference_server_http.server.entry import app
    except ModuleNotFoundError as error:
        text = f"{start['module']} uses parts of Azure ML's server: {error}"
        advice = "next: add `azureml-inference-server-http` to requirements.txt, and deploy again"
        raise Fault("Runtime.ImportModuleError", f"{text}\n{advice}") from None
    except SystemExit as error:
        text = f"Azure ML's server could not load {start['module']}; its reason stands in the log above"
        raise Fault("Runtime.ExitError", text) from error
    from modelet_worker.kinds.wsgi import host

    answer_by_server = host(app, start.get("threads", 1))
    return lambda header, body: answer_by_server({**header, "path": route(header)}, body)


def route(header):
    """The server's path of a call: what is sent to the function itself is scored."""
    return "/score" if header["path"] == "/" and header["method"] == "POST" else header["path"]


def check_plain(run, module):
    """Refuses what only the server itself would answer right."""
    schema = sys.modules.get("inference_schema.schema_util")
    request = sys.modules.get("azureml_inference_server_http.api.aml_request")
    if (schema and schema.is_schema_decorated(run)) or getattr(request, "_rawHttpRequested", False):
        text = f"run() of {module.__name__} is decorated for Azure ML's server in another file"
        raise Fault("Runtime.HandlerNotCallable", f"{text}\nnext: decorate it in {module.__name__}.py itself")


class Script:
    """Answers calls by `run`."""

    def __init__(self, run, options):
        self.run = run
        self.strict = options.get("strict", False)
        self.results = Results(options.get("non_finite", "null"))
        self.parameter, self.wants_headers = parameters(run)

    def call(self, header, body):
        """The answer to a call, by path and method as the server has them."""
        path = route(header)
        if path not in METHODS:
            return told(404, NOT_FOUND)
        if header["method"] not in METHODS[path]:
            return told(405, NOT_ALLOWED)
        ids, refused = identifiers(header)
        fields, text = refused or self.routed(path, header, body)
        return {**fields, "headers": fields["headers"] + ids}, text

    def routed(self, path, header, body):
        """The answer without the call's identifiers."""
        if path == "/":
            return answer(200, HTML, b"" if header["method"] == "OPTIONS" else b"Healthy")
        if header["method"] == "OPTIONS":
            return answer(200, HTML, b"", [["x-ms-run-function-failed", "False"]])
        if header["method"] == "GET":
            return self.score(header, json.dumps(query_values(header.get("query") or "")))
        try:
            data = str(body, "utf-8")
        except UnicodeDecodeError as error:
            return told(400, f"Input cannot be decoded as UTF-8: {error}")
        return self.score(header, data)

    def score(self, header, data):
        """What `run` says to the data."""
        arguments = {self.parameter: data}
        if self.wants_headers:
            arguments["request_headers"] = {title(name): value for name, value in header["headers"]}
        since = time.perf_counter()
        try:
            result = self.run(**arguments)
        except Exception as error:
            log.failed(described(error))
            return told(500, RUN_FAILED, failed=True)
        took = ["x-ms-run-fn-exec-ms", f"{(time.perf_counter() - since) * 1000:.3f}"]
        try:
            fields, text = self.answered(result)
        except (TypeError, ValueError) as error:
            log.failed(
                {
                    **described(error),
                    "type": "Runtime.MarshalError",
                    "message": f"run() returned {words(error)}",
                    "stack": [],
                }
            )
            return told(500, INTERNAL)
        return {**fields, "headers": [*fields["headers"], took]}, text

    def answered(self, result):
        """A result as an answer."""
        if hasattr(result, "get_data") and hasattr(result, "status_code"):
            return flask_answer(result)
        text = b"{}" if result is None else self.written(result)
        return answer(200, "application/json", text, [["x-ms-run-function-failed", "False"]])

    def written(self, result):
        """Where the server could write the result, what it writes; NaN, which is not JSON, by this project's rule
        unless strict."""
        if self.strict:
            return json.dumps(result).encode()
        try:
            return json.dumps(result, allow_nan=False).encode()
        except (TypeError, ValueError):
            return self.results.encode(result)


def flask_answer(response):
    """A response of Flask's that `run` made."""
    headers = [[name, value] for name, value in response.headers if name.lower() != "content-length"]
    if response.status_code >= 500:
        headers = [pair for pair in headers if pair[0].lower() != "x-ms-run-function-failed"]
        headers.append(["x-ms-run-function-failed", "True"])
    return {"status": response.status_code, "headers": headers}, response.get_data()


def told(status, message, failed=False):
    """A failure in the server's words."""
    text = json.dumps({"message": message}).encode()
    return answer(status, "application/json", text, [["x-ms-run-function-failed", str(failed)]])


def identifiers(header):
    """The identifiers of a call as headers of its answer, and the refusal of those that are too long."""
    request = header_of(header, "x-request-id") or header["id"]
    client = header_of(header, "x-ms-client-request-id") or ""
    old = header_of(header, "x-ms-request-id") or ""
    client, old = client or old, old or client or request
    if len(request) > ID_CHARACTERS:
        return [], told(431, f"x-request-id must not exceed {ID_CHARACTERS} characters")
    known = [["x-request-id", request]]
    if max(len(old), len(client)) > ID_CHARACTERS:
        return known, told(
            431, f"x-ms-request-id and x-ms-client-request-id must not exceed {ID_CHARACTERS} characters"
        )
    known.append(["x-ms-request-id", old])
    return known + ([["x-ms-client-request-id", client]] if client else []), None


def query_values(query):
    """The values of a query, each as JSON where it is some; a name that comes several times has a list."""
    from urllib.parse import parse_qsl

    values = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        values.setdefault(name, []).append(as_json(text))
    return {name: found if len(found) > 1 else found[0] for name, found in values.items()}


def as_json(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


def parameters(run):
    """The name of the parameter for the data, and whether `run` wants the headers too. The server's rules, and its
    words."""
    found = list(inspect.signature(run).parameters.values())
    if any(one.kind not in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD) for one in found):
        raise Fault("Runtime.HandlerNotCallable", "run() cannot accept positional-only arguments, *args, or **kwargs.")
    wants_headers = any(one.name == "request_headers" for one in found)
    names = [one.name for one in found if one.name != "request_headers"]
    if not names:
        text = "run() needs to accept an argument for input data."
        if wants_headers:
            text = 'run() needs to accept an argument other than "request_headers".'
        raise Fault("Runtime.HandlerNotCallable", text)
    return names[0], wants_headers


def title(name):
    """A header's name as Flask writes it."""
    return "-".join(part.capitalize() for part in name.split("-"))
