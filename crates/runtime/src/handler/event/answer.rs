//! What becomes of a function's answer: a response, where it says one.
//!
//! Source of the shapes: the docs of API Gateway, "Create AWS Lambda proxy integrations for HTTP APIs", and of Lambda, "Invoking
//! Lambda function URLs".

use bytes::Bytes;
use http::header::Entry;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use modelet_core::error::Raised;
use modelet_core::{Code, FunctionError, base64};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::{gathered, text_of};
use crate::handler::OF_A_CONNECTION;

/// What only an answer that is a response has.
const STATUS: &str = "statusCode";

/// A failure of the function's code.
pub(in crate::handler) fn raised(raised: Raised) -> FunctionError {
    let mut error = FunctionError::new(Code::HandlerFailed, format!("{}: {}", raised.kind, raised.message))
        .hint("modelet logs shows the whole trace");
    error.raised = Some(Box::new(raised));
    error
}

/// JSON as it is.
pub(in crate::handler) fn json(body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The response that an answer makes: what it says, where it has a status; else 200, and the answer itself.
pub(crate) fn response(body: Bytes) -> Result<Response<Bytes>, FunctionError> {
    let may_be_response = body.first() == Some(&b'{') && contains(&body, STATUS.as_bytes());
    let said: Option<Value> = if may_be_response { serde_json::from_slice(&body).ok() } else { None };
    match said {
        Some(Value::Object(said)) if said.contains_key(STATUS) => proxied(&said),
        _ => Ok(json(body)),
    }
}

/// The response of a head in JSON, which says status, headers and cookies, and a body.
pub(in crate::handler) fn headed(head: &[u8], body: Bytes) -> Result<Response<Bytes>, FunctionError> {
    let wrong =
        |why: String| FunctionError::new(Code::HandlerFailed, format!("the head of the response: {why}"));
    let mut said: Map<String, Value> =
        serde_json::from_slice(head).map_err(|error| wrong(error.to_string()))?;
    said.entry(STATUS).or_insert_with(|| 200.into());
    said.remove("body");
    let mut response = proxied(&said)?;
    *response.body_mut() = body;
    Ok(response)
}

/// A response as JSON that says it, for clients of Lambda's own API.
pub(in crate::handler) fn wrapped(response: &Response<Bytes>) -> Bytes {
    let (text, is_base64) = match std::str::from_utf8(response.body()) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (base64::encode(response.body()), true),
    };
    let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text_of(value)));
    let said = serde_json::json!({
        "statusCode": response.status().as_u16(),
        "headers": gathered(headers, true),
        "body": text,
        "isBase64Encoded": is_base64,
    });
    said.to_string().into()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn proxied(said: &Map<String, Value>) -> Result<Response<Bytes>, FunctionError> {
    let wrong = |why: String| {
        FunctionError::new(Code::HandlerFailed, format!("the function's answer is no response: {why}")).hint(
            "return {\"statusCode\": 200, \"headers\": {…}, \"body\": TEXT}, or anything without statusCode",
        )
    };
    let status = match &said[STATUS] {
        Value::Number(number) => number.as_u64(),
        // What some handlers write, and gateways take.
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let status =
        status.and_then(|status| u16::try_from(status).ok()).filter(|status| (100..=599).contains(status));
    let status = status.ok_or_else(|| wrong(format!("{STATUS} is {}", said[STATUS])))?;
    let is_base64 = said.get("isBase64Encoded").and_then(Value::as_bool).unwrap_or(false);
    let body = match said.get("body") {
        None | Some(Value::Null) => Bytes::new(),
        Some(Value::String(text)) if is_base64 => base64::decode(text)
            .map_err(|why| wrong(format!("isBase64Encoded is true, but body is no base64: {why}")))?
            .into(),
        Some(Value::String(text)) => Bytes::from(text.clone()),
        // API Gateway takes texts alone; numbers and objects are what their author meant by them.
        Some(other) => other.to_string().into(),
    };
    let is_json = serde_json::from_slice::<IgnoredAny>(&body).is_ok();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).map_err(|error| wrong(error.to_string()))?;
    let headers = response.headers_mut();
    for (name, value) in object(said, "headers").chain(object(said, "multiValueHeaders")) {
        let values = match value {
            Value::Array(values) => values.clone(),
            one => vec![one.clone()],
        };
        for value in values {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong(format!("the header {name:?}")))?;
            let value = HeaderValue::from_str(&value)
                .map_err(|_| wrong(format!("the value of the header {name}")))?;
            if !OF_A_CONNECTION.contains(&name) {
                headers.append(name, value);
            }
        }
    }
    for cookie in
        said.get("cookies").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    {
        let cookie = HeaderValue::from_str(cookie).map_err(|_| wrong(format!("the cookie {cookie:?}")))?;
        headers.append(header::SET_COOKIE, cookie);
    }
    if let Entry::Vacant(kind) = headers.entry(header::CONTENT_TYPE) {
        kind.insert(HeaderValue::from_static(if is_json {
            "application/json"
        } else {
            "text/plain; charset=utf-8"
        }));
    }
    Ok(response)
}

fn object<'a>(said: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    said.get(name).and_then(Value::as_object).into_iter().flatten()
}
