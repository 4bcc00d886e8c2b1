"""Handlers that cannot be loaded: what the runtime is told, in words that say what, where and what to do."""

from __future__ import annotations

import pytest

CASES = {
    "no module": (
        "x = 1",
        {"module": "main"},
        "Runtime.ImportModuleError",
        ["No module named 'main'", "name a module", ": app"],
    ),
    "no function": (
        "def predict(x): pass\ndef other(): pass",
        {},
        "Runtime.HandlerNotFound",
        ["Handler 'lambda_handler' missing on module 'app'", "it has predict, other"],
    ),
    "a missing package": (
        "import os\nimport notthere.inner\n",
        {},
        "Runtime.ImportModuleError",
        ["Unable to import module 'app': No module named 'notthere' (app.py:2)", "`notthere` to requirements.txt"],
    ),
    "a missing name": (
        "from json import nothing",
        {},
        "Runtime.ImportModuleError",
        ["cannot import name 'nothing' from 'json'", "(app.py:1)"],
    ),
    "syntax": ("def broken(:\n", {}, "Runtime.UserCodeSyntaxError", ["Syntax error in module 'app'", "line 1"]),
    "an end while importing": (
        "import sys\nsys.exit('no model')",
        {},
        "Runtime.ExitError",
        ["ended Python while it was imported (app.py:2): SystemExit('no model')", "__main__"],
    ),
    "an error while importing": ("x = 1\n1 / 0", {}, "ZeroDivisionError", ["division by zero"]),
    "a coroutine": (
        "async def lambda_handler(event, context): pass",
        {},
        "Runtime.HandlerNotCallable",
        ["app.lambda_handler is `async def`", "asyncio.run"],
    ),
    "one parameter": (
        "\ndef lambda_handler(event): pass",
        {},
        "Runtime.HandlerNotCallable",
        [
            "app.lambda_handler (app.py:2) takes 1 arguments, and is called with two",
            "def lambda_handler(event, context):",
        ],
    ),
    "no function but a value": ("lambda_handler = 5", {}, "Runtime.HandlerNotFound", ["not a function but int"]),
    "a module of Python's": (
        "",
        {"module": "sys"},
        "Runtime.BuiltInModuleConflict",
        ["Cannot use built-in module sys"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_handler_that_cannot_be_loaded_is_refused_with_words(start, case):
    code, fields, kind, words = CASES[case]
    worker = start(code, **fields)
    failed = worker.started["failed"]
    assert failed["type"] == kind
    for one in words:
        assert one in failed["message"]
    records = worker.records()
    assert worker.process.returncode == 1
    assert [one["level"] for one in records] == ["ERROR"]
    assert failed["message"] in records[0]["message"]


def test_the_trace_of_a_failed_import_is_the_users_code_alone(start, write):
    folder = write("import inner", inner="def f():\n    raise ValueError('bad')\n\n\nf()")
    stack = start(folder).started["failed"]["stack"]
    assert [line.split(", line ")[0].rsplit("/", 1)[-1] for line in stack] == ['app.py"', 'inner.py"', 'inner.py"']


@pytest.mark.parametrize(
    "code",
    [
        "def lambda_handler(*args): return len(args)",
        "def lambda_handler(event, context, more=3): return 2",
        "class Handler:\n    def __call__(self, event, context): return 2\nlambda_handler = Handler()",
        "class Handler:\n    def run(self, event, context): return 2\nlambda_handler = Handler().run",
        "import functools\ndef f(a, b, c): return 2\nlambda_handler = functools.partial(f, 1)",
        "import functools\ndef f(e, c): return 2\n@functools.wraps(f)\ndef lambda_handler(*a, **k): return f(*a, **k)",
    ],
)
def test_what_can_be_called_with_two_is_not_refused(start, code):
    assert start(code).event({}).json == 2


def test_in_strict_mode_the_cloud_is_asked_at_the_call(start):
    worker = start("def lambda_handler(event): pass", options={"strict": True})
    assert worker.event({}).error["message"] == "lambda_handler() takes 1 positional argument but 2 were given"


def test_a_module_in_a_folder_is_named_with_dots_or_slashes(start, tmp_path):
    (tmp_path / "src" / "inner").mkdir(parents=True)
    (tmp_path / "src" / "inner" / "my-app.py").write_text("def lambda_handler(e, c): return __name__")
    for name in ("inner.my-app", "inner/my-app"):
        assert start(tmp_path / "src", module=name).event({}).json == "inner.my-app"
