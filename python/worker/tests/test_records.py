"""Log records: one for each message, with its level and its call, in order, and what clouds ask of it."""

from __future__ import annotations

import json

import runtime

TALKING = r"""
    import logging
    import sys
    import warnings

    logger = logging.getLogger("shop")
    logger.setLevel(logging.INFO)


    def deep(depth):
        if depth == 0:
            raise ValueError("thirty frames\nand two lines")
        deeper(depth - 1)


    def deeper(depth):  # a line that repeats would be folded
        deep(depth)


    def lambda_handler(event, context):
        print("one")
        print("two\nof three\nlines")
        logger.info("in-between %s", 5)
        print("begun", end=" ")
        print("and ended")
        logger.debug("never seen")
        print("to stderr", file=sys.stderr)
        try:
            deep(15)
        except ValueError:
            logger.exception("caught")
        print("loading\r 50 %\r100 %")
        print()
        print("not ended", end="")
        if event == "fail":
            deep(15)
"""


def messages(records):
    return [(one["level"], one["message"]) for one in records]


def test_each_message_is_one_record_in_order_with_its_call(start):
    worker = start(TALKING)
    worker.event("fail")
    worker.event("fine")
    records = worker.records()
    first = [one for one in records if one["invocation"] == "call-1"]
    second = [one for one in records if one["invocation"] == "call-2"]
    assert records == first + second
    assert messages(first[:6]) == [
        ("INFO", "one"),
        ("INFO", "two\nof three\nlines"),
        ("INFO", "in-between 5"),
        ("INFO", "begun and ended"),
        ("WARNING", "to stderr"),
        ("ERROR", first[5]["message"]),
    ]
    assert first[5]["message"].startswith("caught\nTraceback")
    assert first[5]["message"].count(", in deep") == 31
    assert messages(first)[6] == ("INFO", "loading\n 50 %\n100 %"), "carriage returns are no overwritten lines"
    failure = first[-2]["message"] if first[-2]["level"] == "ERROR" else first[-1]["message"]
    assert failure.startswith("ValueError: thirty frames\nand two lines\nTraceback (most recent call last):\n")
    assert failure.count(", in deep") == 31
    assert ("INFO", "not ended") in messages(first)
    assert messages(second) == [one for one in messages(first) if one[1] != failure]
    assert all(isinstance(one["at_ms"], int) for one in records)


def test_what_is_printed_while_the_handler_loads_is_of_no_call(start):
    worker = start("print('loading', end='')\ndef lambda_handler(e, c): print('called')")
    worker.event({})
    assert [(one["invocation"], one["message"]) for one in worker.records()] == [
        (None, "loading"),
        ("call-1", "called"),
    ]


def test_a_record_is_cut_at_its_limit_and_says_so(start):
    worker = start("def lambda_handler(e, c): print(e * 200_000); print('next')")
    for letter in ("a", "\x01", "é", "\U0001f600"):
        worker.event(letter)
    _, log = worker.end()
    parts = [one for one in log.split("\x1e") if one]
    assert [json.loads(one)["message"] for one in parts[1::2]] == ["next"] * 4
    for one in parts[::2]:
        assert 24 << 10 < len(one.encode()) <= 64 << 10
        assert json.loads(one)["message"].endswith("… (cut by modelet: a record has at most 64 KiB)")


def test_standard_output_is_a_text_file_as_programs_expect(start):
    code = """
        import subprocess, sys

        def lambda_handler(event, context):
            sys.stdout.buffer.write(b"bytes\\n")
            sys.stdout.writelines(["a", "b\\n"])
            sys.stdout.flush()
            sys.stdout.reconfigure(line_buffering=True)
            sys.stdout.write("\\ud800 \\xe9\\n")
            subprocess.run(["echo", "from a child"], stdout=sys.stdout)
            return [sys.stdout.encoding, sys.stdout.isatty(), sys.stdout.fileno(), sys.stderr.fileno()]
    """
    worker = start(code)
    assert worker.event({}).json == ["utf-8", False, 1, 2]
    assert [one["message"] for one in worker.records()] == ["bytes", "ab", "\\ud800 é"]
    assert runtime.printed(worker.stdout) == "from a child\n", "what others write goes to the descriptors as it is"


def test_threads_that_a_handler_starts_speak_for_its_call(start):
    code = """
        import threading

        def lambda_handler(event, context):
            team = [threading.Thread(target=print, args=(f"from {n}",)) for n in range(20)]
            for one in team:
                one.start()
            for one in team:
                one.join()
    """
    worker = start(code)
    worker.event({})
    records = worker.records()
    assert {one["invocation"] for one in records} == {"call-1"}
    assert sorted(one["message"] for one in records) == sorted(f"from {n}" for n in range(20))


def test_a_traceback_that_a_handler_prints_is_one_record_and_so_is_a_thread_that_fails(start):
    code = """
        import threading
        import traceback


        def fail():
            raise ValueError("two\\nlines")


        def lambda_handler(event, context):
            print("before")
            try:
                fail()
            except ValueError:
                traceback.print_exc()
            print("between")
            thread = threading.Thread(target=fail, name="second")
            thread.start()
            thread.join()
            print("Traceback (most recent call last):")
    """
    worker = start(code)
    worker.event({})
    found = messages(worker.records())
    assert [found[0], found[2], found[4]] == [
        ("INFO", "before"),
        ("INFO", "between"),
        ("INFO", "Traceback (most recent call last):"),
    ]
    assert (found[1][0], found[3][0], len(found)) == ("WARNING", "ERROR", 5)
    assert found[1][1].startswith("Traceback (most recent call last):\n  File")
    assert found[1][1].endswith("ValueError: two\nlines")
    assert found[3][1].startswith("ValueError: two\nlines (in the thread second)\nTraceback")
    assert "in fail" in found[3][1]


def test_the_root_logger_is_lambdas(start):
    code = """
        import logging

        logging.basicConfig(level=logging.DEBUG)


        def lambda_handler(event, context):
            logging.info("hidden: basicConfig does nothing here, as in the cloud")
            logging.warning("seen")
            logging.getLogger().setLevel("INFO")
            logging.info("seen too")
            context.log("by the context")
            handler, = logging.getLogger().handlers
            handler.setFormatter(logging.Formatter("%(aws_request_id)s %(message)s"))
            logging.error("with its call")
    """
    worker = start(code)
    worker.event({})
    assert messages(worker.records()) == [
        ("WARNING", "seen"),
        ("INFO", "seen too"),
        ("INFO", "by the context"),
        ("ERROR", "call-1 with its call"),
    ]


def test_outside_of_lambda_logging_is_pythons_own(start):
    code = """
        import logging

        logging.getLogger("shop").warning("without any configuration")


        def predict(inputs):
            logging.getLogger("shop").setLevel("INFO")
            logging.getLogger("shop").info("a level")
    """
    worker = start(code, "predict", function="predict")
    worker.http(body=b"1")
    assert messages(worker.records()) == [("WARNING", "without any configuration"), ("INFO", "a level")]
    worker = start(
        "import logging\nlogging.basicConfig(level='INFO')\ndef predict(x): logging.info('set up')",
        "predict",
        function="predict",
    )
    worker.http(body=b"1")
    assert messages(worker.records()) == [("WARNING", "INFO:root:set up")], (
        "a handler of the user's own writes to stderr"
    )


def test_a_record_says_what_a_cloud_asks_of_it(start):
    code = """
        import logging

        logger = logging.getLogger("shop")


        def lambda_handler(event, context):
            logger.warning("with %s", "more", extra={"order": 7, "at": object, "none": None})
            logger.error({"an": "object"})
            logger.log(35, "between")
            logger.error("no number", extra={"nan": float("nan")})
            try:
                {}["a"]
            except KeyError:
                logger.exception("caught %d", 1)
            raise ValueError("lost")
    """
    worker = start(code)
    worker.event({})
    more, thing, between, lost, caught, failure = worker.records()
    assert (more["logger"], more["fields"]) == ("shop", {"order": 7, "at": "<class 'object'>"})
    assert thing["said"] == {"an": "object"}
    assert between["counts_as"] == "WARNING"
    assert (lost["message"], "fields" in lost) == ("no number", False), "JSON has no such number"
    assert (caught["said"], caught["raised"]["type"], caught["raised"]["message"]) == ("caught 1", "KeyError", "'a'")
    assert caught["location"].endswith("app.py:lambda_handler:15")
    assert '{}["a"]' in caught["raised"]["stack"][0]
    assert caught["message"].startswith("caught 1\nTraceback")
    assert (failure["raised"]["message"], "logger" in failure) == ("lost", False)


def test_the_least_level_is_the_one_that_lambda_names(start):
    code = "import logging\ndef lambda_handler(e, c): logging.debug('seen'); logging.getLogger('a').info('too')"
    for level, seen in (("TRACE", ["seen", "too"]), ("INFO", ["too"]), ("FATAL", []), ("nonsense", [])):
        worker = start(code, env={"AWS_LAMBDA_LOG_LEVEL": level})
        worker.event({})
        assert [one["message"] for one in worker.records()] == seen, level
