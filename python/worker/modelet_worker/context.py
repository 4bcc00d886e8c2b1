"""The context that a Lambda handler gets: attribute for attribute that of AWS Lambda's own client for Python
(awslambdaric 4, `lambda_context.py`)."""

import json
import os
import time

from modelet_worker.fault import Fault
from modelet_worker.records import log

#: The fields of a client context that `LambdaContext.w3c()` gives; others, and what is no text, are left out.
W3C_FIELDS = ("traceparent", "tracestate", "baggage")


class Record:
    """An object whose attributes are the keys of a JSON object; those that are missing are None."""

    __slots__ = ()

    def __init__(self, values):
        for name in self.__slots__:
            setattr(self, name, values.get(name))

    def __repr__(self):
        return f"{type(self).__name__}([{','.join(f'{name}={getattr(self, name)}' for name in self.__slots__)}])"


class CognitoIdentity(Record):
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")


class Client(Record):
    __slots__ = (  # noqa: RUF023 in the order in which they are shown
        "installation_id",
        "app_title",
        "app_version_name",
        "app_version_code",
        "app_package_name",
    )


class ClientContext(Record):
    __slots__ = ("custom", "env", "client")  # noqa: RUF023 in the order in which they are shown


class LambdaContext:
    """What a handler may ask about the call in hand."""

    def __init__(self, call, arn):
        client_context = parsed(call.get("client_context"), "Client Context")
        identity = parsed(call.get("identity"), "Cognito Identity") or {}
        self.aws_request_id = call["id"]
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = arn
        self.tenant_id = None
        self._w3c_fields = taken_w3c(client_context)
        self.client_context = None if client_context is None else ClientContext(client_context)
        if self.client_context is not None and self.client_context.client is not None:
            self.client_context.client = Client(self.client_context.client)
        self.identity = CognitoIdentity(
            {
                "cognito_identity_id": identity.get("cognitoIdentityId"),
                "cognito_identity_pool_id": identity.get("cognitoIdentityPoolId"),
            }
        )
        self._epoch_deadline_time_in_ms = call["deadline_ms"]

    def get_remaining_time_in_millis(self):
        """Milliseconds until the call's deadline, and 0 behind it."""
        return max(self._epoch_deadline_time_in_ms - int(time.time() * 1000), 0)

    def w3c(self):
        """The W3C trace context that the client sent."""
        return dict(self._w3c_fields)

    def log(self, message):
        """Writes to the log."""
        log.record("INFO", str(message).removesuffix("\n"))

    def __repr__(self):
        names = "aws_request_id log_group_name log_stream_name function_name memory_limit_in_mb function_version"
        names += " invoked_function_arn client_context identity tenant_id"
        return f"LambdaContext([{','.join(f'{name}={getattr(self, name)}' for name in names.split())}])"


def parsed(value, name):
    """What a client sent along: JSON text, or an object already."""
    if not value:
        return None
    if isinstance(value, dict):
        return dict(value)
    try:
        return json.loads(value)
    except Exception as error:
        kind = "Runtime.LambdaContextUnmarshalError"
        raise Fault(kind, f"Unable to parse {name} JSON: {error}") from None


def taken_w3c(client_context):
    """Takes the trace context out of a client context."""
    if not isinstance(client_context, dict):
        return {}
    fields = client_context.pop("w3c", None)
    if not isinstance(fields, dict):
        return {}
    return {name: fields[name] for name in W3C_FIELDS if isinstance(fields.get(name), str)}
