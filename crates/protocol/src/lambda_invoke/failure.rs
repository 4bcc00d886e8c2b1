//! A failure as Lambda says it: an exception of the API where the call itself was wrong or could not be made, else a function that
//! failed, which is an answer with status 200, a header and the error as its payload.
//!
//! | | status | exception, or error type |
//! |---|---|---|
//! | no such function, version or path | 404 | `ResourceNotFoundException` |
//! | throttled | 429 | `TooManyRequestsException` with `Reason` and `Retry-After` |
//! | the payload is no JSON | 400 | `InvalidRequestContentException` |
//! | … is too large | 413 | `RequestTooLargeException` |
//! | anything else that is wrong with the call | 4xx | `InvalidParameterValueException` |
//! | the platform cannot | 500 | `ServiceException` |
//! | the function was too slow, in loading or answering | 200 | `Sandbox.Timedout` |
//! | … took too much memory | 200 | `Runtime.OutOfMemory` |
//! | … ended, or could not start | 200 | `Runtime.ExitError` |
//! | … answered too much | 200 | `Function.ResponseSizeTooLarge` |
//! | … raised an error | 200 | the error's class, as Lambda's own client for the language says it |
//! | … refused its input, or failed otherwise | 200 | `Function.` and the code: `Function.BadInput` |

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use modelet_core::error::Raised;
use modelet_core::instance::HEADER_FUNCTION_ERROR;
use modelet_core::{Code, Failure, FunctionError, InvocationId};
use serde::Serialize;
use serde_json::json;

use crate::fn_http;
use crate::protocol::failure_response;

/// What Lambda makes of a failure.
enum Said<'a> {
    /// The call failed: a status, the exception, and for a throttled call the reason.
    Exception(u16, &'static str, Option<&'static str>),
    /// The function failed, with an error of this type.
    Function(String),
    /// The function's code raised an error.
    Raised(&'a Raised),
}

/// The answer to a call that failed.
pub(super) fn response(failure: &Failure, invocation: Option<&InvocationId>) -> Response<Bytes> {
    let mut message = failure.to_string();
    if let Some(hint) = failure.hint() {
        message = format!("{message}; {hint}");
    }
    match said(failure) {
        Said::Exception(status, exception, reason) => {
            let who = if status < 500 { "User" } else { "Service" };
            // The API's model spells it in two ways, by the exception.
            let key = if matches!(status, 404 | 500) { "Message" } else { "message" };
            let mut body = json!({ "Type": who, key: message });
            if let Some(reason) = reason {
                body["Reason"] = reason.into();
            }
            let name = HeaderName::from_static("x-amzn-errortype");
            marked(failure, &body, status, name, exception)
        }
        Said::Raised(raised) => {
            let body = RaisedPayload {
                error_message: &raised.message,
                error_type: &raised.kind,
                request_id: invocation.map(|id| id.0.as_str()).unwrap_or_default(),
                stack_trace: &raised.stack,
            };
            marked(failure, &body, 200, HeaderName::from_static(HEADER_FUNCTION_ERROR), "Unhandled")
        }
        Said::Function(error_type) => {
            let request_id = invocation.map(|id| id.0.as_str());
            let error = fn_http::detail(failure, None);
            let body = FunctionPayload { error_message: message, error_type, request_id, error };
            marked(failure, &body, 200, HeaderName::from_static(HEADER_FUNCTION_ERROR), "Unhandled")
        }
    }
}

/// The payload of a function whose code raised an error: to the letter what Lambda's client for Python (awslambdaric) reports.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RaisedPayload<'a> {
    error_message: &'a str,
    error_type: &'a str,
    request_id: &'a str,
    stack_trace: &'a [String],
}

/// The payload of a function that failed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionPayload<'a, D> {
    error_message: String,
    error_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    /// All that `/fn` says of it.
    error: D,
}

fn marked(
    failure: &Failure,
    body: &impl Serialize,
    status: u16,
    header: HeaderName,
    value: &'static str,
) -> Response<Bytes> {
    let mut response = failure_response(failure, body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header, HeaderValue::from_static(value));
    response
}

fn said(failure: &Failure) -> Said<'_> {
    if let Failure::Function(FunctionError { raised: Some(raised), .. }) = failure {
        return Said::Raised(raised);
    }
    let exception = |status, name| Said::Exception(status, name, None);
    let throttled = |reason| Said::Exception(429, "TooManyRequestsException", Some(reason));
    let function = |error_type: &str| Said::Function(error_type.to_owned());
    match (failure, failure.code()) {
        (_, Code::BodyTooLarge) => exception(413, "RequestTooLargeException"),
        (_, Code::BadBody) => exception(400, "InvalidRequestContentException"),
        (_, Code::ResponseTooLarge) => function("Function.ResponseSizeTooLarge"),
        (_, Code::RequestTimeout | Code::LoadTimeout | Code::InstanceStuck) => function("Sandbox.Timedout"),
        (_, Code::OutOfMemory) => function("Runtime.OutOfMemory"),
        (_, Code::InstanceDied | Code::StartFailed) => function("Runtime.ExitError"),
        (Failure::Function(_), code) => Said::Function(format!("Function.{}", code.in_camel_case())),
        (_, Code::QueueFull) => throttled("ReservedFunctionConcurrentInvocationLimitExceeded"),
        (_, Code::Throttled) => throttled("FunctionInvocationRateLimitExceeded"),
        (_, code) if code.status() == 404 => exception(404, "ResourceNotFoundException"),
        (_, code) if code.status() >= 500 => exception(500, "ServiceException"),
        (_, code) => exception(code.status(), "InvalidParameterValueException"),
    }
}
