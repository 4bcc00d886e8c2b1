"""Calls in the form `http`, and their answers."""

import json


def answer(status, content_type, body, more=()):
    """The answer to a call: its header and its body."""
    return {"status": status, "headers": [["content-type", content_type], *more]}, body


def failure(status, code, message):
    """A refusal of a request, in this project's form; `code` is one that `modelet explain` knows."""
    text = json.dumps({"error": {"code": code, "message": message}}, ensure_ascii=False)
    return answer(status, "application/json", text.encode("utf-8", "backslashreplace"))


def as_bytes(text):
    """A part of a request's head as it came: Latin-1, as HTTP has it, or what else a client sent."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")


def header_of(call, name):
    """The first value of a header, or None; `name` is in small letters."""
    return next((value for key, value in call["headers"] if key.lower() == name), None)
