"""A token server, as Docker's registry, GitHub's, Google's and Azure's have one: what a registry trusts in the place of passwords.

The registry is Debian's own, and checks each token by the certificate that it was given. Source: Distribution's "Token Authentication
Specification", and its "OAuth2" for identity tokens.
"""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from containers import PASSWORD, tool

SERVICE, ISSUER = "registry-of-the-tests", "the tests"
#: An identity token of `me`, as `az acr login` keeps one.
IDENTITY = "r3fresh-t0ken"
#: What `gcloud auth print-access-token` prints, and the user that goes with it.
GOOGLES = ("oauth2accesstoken", "ya29.t0ken")
#: The registry takes a token so long after its end, for clocks that differ.
LEEWAY_S = 60


@dataclass
class Moods:
    """How tokens are given."""

    #: How long a token is said to hold, and how long the registry takes it.
    says_s: int = 300
    holds_s: float = 300


@dataclass(frozen=True)
class Asked:
    """A token that somebody asked for."""

    method: str
    who: str
    scopes: tuple[str, ...]


@dataclass
class Tokens:
    """The server. Everybody may read below `public/`, users everything, and write everything."""

    folder: Path
    moods: Moods = field(default_factory=Moods)
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.key, self.certificate = self.folder / "key.pem", self.folder / "certificate.pem"
        new = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=tests", "-days", "2")
        tool(*new, "-keyout", self.key, "-out", self.certificate)
        tokens = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                tokens.answer(self, parse_qs(urlsplit(self.path).query))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                tokens.answer(self, parse_qs(body))

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/token"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def auth(self) -> dict:
        """What the registry's configuration says of it."""
        return {"token": {"realm": self.url, "service": SERVICE, "issuer": ISSUER, "rootcertbundle": str(self.certificate)}}

    def who(self, request: BaseHTTPRequestHandler, form: dict[str, list[str]]) -> str | None:
        """Who asks: a user, nobody (''), or one who is not let in."""
        if request.command == "POST":
            return "me" if form["grant_type"] == ["refresh_token"] and form["refresh_token"] == [IDENTITY] else None
        if (shown := request.headers.get("authorization")) is None:
            return ""
        user, password = base64.b64decode(shown.removeprefix("Basic ")).decode().split(":", 1)
        return user if (user, password) in (("me", PASSWORD), GOOGLES) else None

    def answer(self, request: BaseHTTPRequestHandler, form: dict[str, list[str]]) -> None:
        """Gives a token, as far as one may have it."""
        who, said = self.who(request, form), form.get("scope", [])
        scopes = tuple(scope for joined in said for scope in joined.split(" "))
        body: dict = {"errors": [{"code": "UNAUTHORIZED", "message": "no"}]}
        if who is not None and form["service"] == [SERVICE]:
            self.asked.append(Asked(request.command, who, scopes))
            name = "access_token" if request.command == "POST" else "token"
            body = {name: self.token(who, scopes), "expires_in": self.moods.says_s}
        content = json.dumps(body).encode()
        request.send_response_only(401 if "errors" in body else 200)
        request.send_header("content-length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def token(self, who: str, scopes: tuple[str, ...]) -> str:
        """A signed token for as much of this as one may do."""
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            may = {"pull", "push"} if who else {"pull"} if name.startswith("public/") else set()
            access.append({"type": kind, "name": name, "actions": sorted(may & set(actions.split(",")))})
        der = "".join(self.certificate.read_text().splitlines()[1:-1])
        now = time.time()
        claims = {"iss": ISSUER, "sub": who, "aud": SERVICE, "access": access, "jti": str(now)}
        claims |= {"nbf": int(now) - LEEWAY_S, "iat": int(now), "exp": int(now + self.moods.holds_s - LEEWAY_S)}
        parts = [encoded(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "RS256", "x5c": [der]}, claims)]
        signing = ("openssl", "dgst", "-sha256", "-sign", self.key)
        signed = subprocess.run(signing, input=".".join(parts).encode(), capture_output=True, check=True).stdout
        return ".".join([*parts, encoded(signed)])

    def taken(self) -> list[Asked]:
        """The tokens since it was last asked."""
        asked, self.asked = self.asked, []
        return asked

    def stop(self) -> None:
        """Ends it."""
        self.server.shutdown()
        self.server.server_close()


def encoded(content: bytes) -> str:
    """As JSON web tokens write bytes."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
