//! The envelope in which Azure Functions sends what it does not forward as it came: `{"Data", "Metadata"}`, answered by
//! `{"Outputs", "Logs", "ReturnValue"}`.
//!
//! - A request is an object with its URL, method, headers and body; the answer is the output `res` (and `$return`), whatever its
//!   status, for the call itself went well.
//! - Anything else is the value of one trigger, a message or a blob; the answer is the return value, and a failure is one of the
//!   call, which the host tries again as it is told to.
//!
//! Two traps. What comes as a text is JSON once more, or bytes in base64, and nothing says which. And texts in an answer that
//! happen to be base64 are decoded by the host. What could be either is refused.
//!
//! Source: docs of Azure Functions ("Custom handlers", request and response payload), and the host's own source.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use modelet_core::{Code, FunctionError, base64};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Of an answer that is made in pieces, which an envelope holds as one: as much as the host takes in a request.
pub(super) const ANSWER_LIMIT_BYTES: u64 = 210 << 20;

/// What comes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    data: Map<String, Value>,
    #[serde(rename = "Metadata")]
    _metadata: Map<String, Value>,
}

/// What triggered a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trigger {
    /// A request.
    Http,
    /// A message, a blob, a timer.
    Value,
}

/// What lies in an envelope.
#[derive(Debug, PartialEq)]
pub(super) struct Opened {
    pub(super) trigger: Trigger,
    pub(super) headers: HeaderMap,
    pub(super) query: Option<String>,
    pub(super) body: Bytes,
}

/// Opens an envelope; `None` when a body is none.
pub(super) fn open(body: &[u8]) -> Option<Result<Opened, FunctionError>> {
    let Envelope { data, .. } = serde_json::from_slice(body).ok()?;
    let request = data.values().find(|value| value.get("Url").is_some() && value.get("Method").is_some());
    if let Some(request) = request {
        return Some(opened_request(request));
    }
    let names: Vec<&str> = data.keys().map(String::as_str).collect();
    Some(match data.values().next() {
        Some(value) if names.len() == 1 => opened_value(names[0], value),
        _ => Err(bad(format!("the event has {} inputs, and a function takes one: {names:?}", names.len()))),
    })
}

fn opened_request(request: &Value) -> Result<Opened, FunctionError> {
    let headers = request.get("Headers").and_then(Value::as_object).into_iter().flatten();
    let headers = headers.flat_map(|(name, values)| {
        let values = values.as_array().map_or(std::slice::from_ref(values), Vec::as_slice);
        values.iter().filter_map(move |value| {
            Some((
                HeaderName::from_bytes(name.as_bytes()).ok()?,
                HeaderValue::from_str(value.as_str()?).ok()?,
            ))
        })
    });
    let mut named = HeaderMap::new();
    headers.for_each(|(name, value)| {
        named.append(name, value);
    });
    let url = request.get("Url").and_then(Value::as_str).unwrap_or_default();
    let body = match request.get("Body") {
        None | Some(Value::Null) => Bytes::new(),
        Some(Value::String(text)) if comes_as_base64(&named) => base64::decode(text)
            .map_err(|why| bad(format!("the body of the request is no base64: {why}")))?
            .into(),
        Some(Value::String(text)) => text.clone().into(),
        Some(other) => other.to_string().into(),
    };
    let query = url.split_once('?').map(|(_, query)| query.to_owned());
    Ok(Opened { trigger: Trigger::Http, headers: named, query, body })
}

/// Of the types of bodies, those that the host makes base64 of.
fn comes_as_base64(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default()
        .to_ascii_lowercase();
    kind.starts_with("application/octet-stream") || kind.starts_with("multipart/")
}

fn opened_value(name: &str, value: &Value) -> Result<Opened, FunctionError> {
    let (kind, body): (_, Bytes) = match value {
        Value::String(text) => text_value(name, text)?,
        other => ("application/json", other.to_string().into()),
    };
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
    Ok(Opened { trigger: Trigger::Value, headers, query: None, body })
}

/// What a text stands for, and its type.
fn text_value(name: &str, text: &str) -> Result<(&'static str, Bytes), FunctionError> {
    let bytes = base64::decode(text).ok().filter(|_| is_base64(text));
    match (serde_json::from_str::<Value>(text), bytes) {
        (Ok(_), Some(_)) => Err(bad(format!("{name} is {text}, which may be JSON, or bytes in base64"))),
        (Ok(Value::String(inner)), None) => {
            let is_json = inner.trim_start().starts_with(['{', '[']);
            Ok((if is_json { "application/json" } else { "text/plain" }, inner.into()))
        }
        (Ok(_), None) => Ok(("application/json", text.to_owned().into())),
        (Err(_), Some(bytes)) => Ok(("application/octet-stream", bytes.into())),
        (Err(_), None) => Ok(("text/plain", text.to_owned().into())),
    }
}

/// True for what the host decodes as base64: white space does not count to it, and there is something.
fn is_base64(text: &str) -> bool {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let data = digits.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let known = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    !digits.is_empty()
        && digits.len().is_multiple_of(4)
        && digits.len() - data <= 2
        && digits[..data].iter().all(known)
}

/// Puts an answer into an envelope.
pub(super) fn wrapped(trigger: Trigger, answer: Response<Bytes>) -> Response<Bytes> {
    let status = answer.status();
    if trigger == Trigger::Value && !status.is_success() {
        return answer;
    }
    let body = match std::str::from_utf8(answer.body()) {
        Ok(text) if is_base64(text) => return misread(),
        Ok(text) => text.to_owned(),
        Err(_) => base64::encode(answer.body()),
    };
    let (outputs, result) = match trigger {
        Trigger::Value => (json!({}), Value::String(body)),
        Trigger::Http => {
            let said = answer.headers().iter().filter_map(|(name, value)| Some((name, value.to_str().ok()?)));
            let headers = Map::from_iter(said.map(|(name, value)| (name.to_string(), value.into())));
            let code = status.as_u16().to_string();
            let response = json!({ "statusCode": code, "status": code, "headers": headers, "body": body });
            (json!({ "res": response }), response)
        }
    };
    envelope(StatusCode::OK, &json!({ "Outputs": outputs, "Logs": [], "ReturnValue": result }))
}

/// The answer to an envelope that could not be opened.
pub(super) fn refused(error: &FunctionError) -> Response<Bytes> {
    let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
    envelope(status, &json!({ "error": { "code": error.code.as_str(), "message": error.message } }))
}

fn misread() -> Response<Bytes> {
    let message = "the answer is a text that the host would take for base64 and decode";
    refused(&FunctionError::new(Code::NotAcceptable, message).hint("ask for JSON"))
}

fn envelope(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn bad(message: String) -> FunctionError {
    FunctionError::new(Code::BadBody, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(value: &Value) -> Result<(String, String), Code> {
        let body = json!({ "Data": { "item": value }, "Metadata": { "sys": {} } }).to_string();
        let opened = open(body.as_bytes()).expect("it is an envelope").map_err(|error| error.code)?;
        assert_eq!(opened.trigger, Trigger::Value);
        let kind = opened.headers[CONTENT_TYPE].to_str().unwrap().to_owned();
        Ok((kind, String::from_utf8_lossy(&opened.body).into_owned()))
    }

    #[test]
    fn a_request_comes_as_it_was_made() {
        // The example of the docs, with what the host adds.
        let body = json!({
            "Data": { "req": {
                "Url": "http://localhost:7071/api/order?output=label", "Method": "POST", "Query": "{}",
                "Headers": { "Content-Type": ["application/json"], "Accept": ["*/*"] },
                "Params": {}, "Identities": [], "Body": "{\"id\":5}"
            } },
            "Metadata": { "sys": { "MethodName": "order", "UtcNow": "2026-11-24T23:00:00Z", "RandGuid": "5" } }
        });
        let opened = open(body.to_string().as_bytes()).unwrap().unwrap();
        assert_eq!((opened.trigger, opened.query.as_deref()), (Trigger::Http, Some("output=label")));
        assert_eq!(
            (&opened.body[..], opened.headers[CONTENT_TYPE].as_bytes()),
            (&b"{\"id\":5}"[..], &b"application/json"[..])
        );
        let mut binary = body.clone();
        binary["Data"]["req"]["Headers"]["Content-Type"] = json!(["application/octet-stream"]);
        binary["Data"]["req"]["Body"] = "aGVsbG8=".into();
        assert_eq!(open(binary.to_string().as_bytes()).unwrap().unwrap().body, "hello");
        for none in ["[[1, 2]]", "{\"Data\": 1}", "{\"Data\": {\"a\": 1}}", "no JSON"] {
            assert!(open(none.as_bytes()).is_none(), "{none}");
        }
    }

    #[test]
    fn a_message_is_what_was_sent_and_not_what_the_host_made_of_it() {
        let is = |found: &Value, kind: &str, body: &str| {
            assert_eq!(value(found), Ok((kind.to_owned(), body.to_owned())), "{found}");
        };
        is(&json!("\"hello\""), "text/plain", "hello");
        is(&json!("\"[[1, 2]]\""), "application/json", "[[1, 2]]");
        is(&json!("[[1, 2]]"), "application/json", "[[1, 2]]");
        is(&json!({ "age": 41 }), "application/json", "{\"age\":41}");
        is(&json!("aGVsbG8="), "application/octet-stream", "hello");
        is(&json!("no base64!"), "text/plain", "no base64!");
        assert_eq!(value(&json!("1234")), Err(Code::BadBody), "a number, or three bytes");
        let two = json!({ "Data": { "a": 1, "b": 2 }, "Metadata": {} }).to_string();
        assert_eq!(open(two.as_bytes()).unwrap().unwrap_err().code, Code::BadBody);
    }

    fn answer(status: u16, body: impl Into<Bytes>) -> Response<Bytes> {
        let mut answer = Response::new(body.into());
        *answer.status_mut() = status.try_into().unwrap();
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer
    }

    #[test]
    fn an_answer_is_an_output_or_a_return_value() {
        let read = |response: Response<Bytes>| -> (u16, Value) {
            (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap())
        };
        let (status, body) = read(wrapped(Trigger::Http, answer(400, "{\"error\":{}}")));
        let response = json!({
            "statusCode": "400", "status": "400", "headers": { "content-type": "application/json" }, "body": "{\"error\":{}}"
        });
        assert_eq!(status, 200, "the call went well, and the request was wrong");
        assert_eq!(body, json!({ "Outputs": { "res": response }, "Logs": [], "ReturnValue": response }));
        let (status, body) = read(wrapped(Trigger::Value, answer(200, "{\"outputs\":{}}")));
        assert_eq!(
            (status, body),
            (200, json!({ "Outputs": {}, "Logs": [], "ReturnValue": "{\"outputs\":{}}" }))
        );
        assert_eq!(
            read(wrapped(Trigger::Value, answer(400, "{}"))).0,
            400,
            "the host is told that it failed"
        );
        let (_, body) = read(wrapped(Trigger::Http, answer(200, &b"\x93NUMPY"[..])));
        assert_eq!(body["Outputs"]["res"]["body"], "k05VTVBZ", "bytes are what the host decodes");
    }

    #[test]
    fn a_text_that_the_host_would_decode_is_refused() {
        for text in ["test", "abcd\n1234\n", "aGVsbG8="] {
            assert_eq!(
                wrapped(Trigger::Http, answer(200, text)).status(),
                StatusCode::NOT_ACCEPTABLE,
                "{text}"
            );
        }
        for text in ["", "label\n0\n", "{}", "a,b", "===="] {
            assert_eq!(wrapped(Trigger::Http, answer(200, text)).status(), StatusCode::OK, "{text}");
        }
    }
}
