"""What botocore sends for a call that modelet sent: the call is read by AWS' own model of it, and sent anew by botocore's client."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import botocore.session
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from clouds import KEYS, Call, Cloud

@dataclass
class Sent:
    """A call as botocore would have sent it."""

    operation: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    body: bytes


def service_of(call: Call) -> str:
    """The service that a call's signature names."""
    return re.search(r"/([a-z0-9]+)/aws4_request", call.headers["authorization"]).group(1)


def by_botocore(cloud: Cloud, call: Call, params: dict[str, dict]) -> Sent:
    """Reads a call by the service's model and lets botocore send the same. `params`: of operations whose bodies are XML."""
    client = cloud.client(service_of(call))
    # The client's own model has lost the buckets in its paths.
    model = botocore.session.get_session().get_service_model(service_of(call))
    operation = operation_of(model, call)
    said = params.get(operation.name) or read(model, operation, call)
    caught: list[AWSRequest] = []

    def catch(request: AWSRequest, **_: Any) -> None:
        caught.append(request)
        raise Caught

    client.meta.events.register_first("before-send", catch)
    try:
        client._make_api_call(operation.name, said)
    except Caught:
        pass
    finally:
        client.meta.events.unregister("before-send", catch)
    [request] = caught
    split = urlsplit(request.url)
    body = request.body or b""
    body = body.read() if hasattr(body, "read") else body.encode() if isinstance(body, str) else bytes(body)
    headers = {name.lower(): value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()}
    query = tuple(parse_qsl(split.query, keep_blank_values=True))
    return Sent(operation.name, request.method, split.path, query, headers, body)


class Caught(Exception):
    """Nothing is sent: what would have been is known."""


def operation_of(model: Any, call: Call) -> Any:
    """The operation that a call is of: the one whose path says the most."""
    known = [model.operation_model(name) for name in model.operation_names]
    if "x-amz-target" in call.headers or model.metadata["protocol"] == "query":
        return next(operation for operation in known if operation.name == call.operation)
    return max((operation for operation in known if matches(operation, call)), key=lambda one: len(one.http["requestUri"]))


def matches(operation: Any, call: Call) -> bool:
    """True for an operation that a call may be of, by its method, its path and what it cannot do without."""
    path, _, wanted = operation.http["requestUri"].partition("?")
    wanted = [(pair.partition("=")[0], pair.partition("=")[2]) for pair in wanted.split("&") if pair]
    members = operation.input_shape.members if operation.input_shape else {}
    needed = [members[name].serialization for name in (operation.input_shape.required_members if members else [])]
    headers = [place["name"].lower() for place in needed if place.get("location") == "header"]
    asked = [place["name"] for place in needed if place.get("location") == "querystring"]
    return (
        operation.http["method"] == call.method
        and not operation.deprecated
        and all(pair in call.query for pair in wanted)
        and all(name in call.headers for name in headers)
        and all(name in dict(call.query) for name in asked)
        and bool(re.fullmatch(pattern(path), raw(call)))
    )


def raw(call: Call) -> str:
    return call.target.partition("?")[0]


def pattern(template: str) -> str:
    """A path of a model, with what stands for its parameters."""
    parts = re.split(r"(\{[A-Za-z0-9+]+\})", template.rstrip("/") if template != "/" else template)
    named = [f"(?P<{part[1:-1].rstrip('+')}>{'.+' if part.endswith('+}') else '[^/]+'})" if part.startswith("{") else re.escape(part) for part in parts]
    return "".join(named) + "/?"


def read(model: Any, operation: Any, call: Call) -> dict:
    """The parameters of a call, by the model of its input."""
    shape = operation.input_shape
    if "x-amz-target" in call.headers:
        return call.parsed()
    if model.metadata["protocol"] == "query":
        return of_form(call.parsed())
    said: dict[str, Any] = {}
    uri = re.fullmatch(pattern(operation.http["requestUri"].partition("?")[0]), raw(call)).groupdict()
    query, body = dict(call.query), call.parsed() if call.body and not shape.serialization.get("payload") else {}
    for name, member in shape.members.items():
        place, key = member.serialization.get("location"), member.serialization.get("name", name)
        if place == "uri":
            said[name] = unquote(uri[key])
        elif place == "querystring" and key in query:
            said[name] = query[key]
        elif place == "header" and key.lower() in call.headers and key.lower().startswith("x-amz-invocation"):
            said[name] = call.headers[key.lower()]
        elif place is None and key in body:
            said[name] = body[key]
    if payload := shape.serialization.get("payload"):
        said[payload] = call.body
    if "Code" in said and "ZipFile" in said["Code"]:
        said["Code"] = said["Code"] | {"ZipFile": base64.b64decode(said["Code"]["ZipFile"])}
    if "ZipFile" in said:
        said["ZipFile"] = base64.b64decode(said["ZipFile"])
    return said


def of_form(form: dict[str, str]) -> dict:
    """Parameters of a form, whose lists are counted names."""
    said: dict[str, Any] = {}
    for key, value in form.items():
        if key in ("Action", "Version"):
            continue
        if counted := re.fullmatch(r"(\w+)\.member\.(\d+)\.(\w+)", key):
            name, number, part = counted.groups()
            rows = said.setdefault(name, [])
            while len(rows) < int(number):
                rows.append({})
            rows[int(number) - 1][part] = value
        else:
            said[key] = value
    return said


def signature(cloud: Cloud, call: Call) -> str:
    """The signature that botocore makes of a call with the same key at the same moment."""
    service = service_of(call)
    authorization = call.headers["authorization"]
    region = authorization.split("/")[2]
    signed = re.search(r"SignedHeaders=([^,]+)", authorization).group(1).split(";")
    headers = {name: call.headers[name] for name in signed}
    request = AWSRequest(call.method, f"{cloud.proxy.url}{raw(call)}", headers, call.body, params=dict(call.query))
    request.context["timestamp"] = call.headers["x-amz-date"]
    request.context["payload_signing_enabled"] = True
    credentials = Credentials(*KEYS.values())
    auth = (S3SigV4Auth if service == "s3" else SigV4Auth)(credentials, service, region)
    return auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)


