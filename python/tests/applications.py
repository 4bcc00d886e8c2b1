"""An application that says what it was asked: ASGI, of the standard library alone."""

from __future__ import annotations

from pathlib import Path

from harness import Function, Platform

SOURCE = """
import json

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    if path == "/raise":
        raise KeyError("oh no")
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    asked = {"method": scope["method"], "path": path, "query": scope["query_string"].decode(), "body": body.decode()}
    headers = [(b"content-type", b"application/json"), (b"set-cookie", b"a=b"), (b"set-cookie", b"c=d")]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(asked).encode()})
"""
MANIFEST = """
handler = "app.app"
[python]
interface = "asgi"
"""


def deploy(platform: Platform, folder: Path, name: str) -> Function:
    """Makes a function of it."""
    folder.mkdir()
    (folder / "app.py").write_text(SOURCE)
    (folder / "modelet.toml").write_text(MANIFEST)
    return platform.deploy(folder, name)


def asked(method: str, path: str, query: str = "", body: str = "") -> dict:
    """What it says of a request."""
    return {"method": method, "path": path, "query": query, "body": body}
