//! What a Lambda function gets of an HTTP request, and an application of an event; and what becomes of an [`answer`].
//!
//! Source of the shapes: the docs of API Gateway, "Create AWS Lambda proxy integrations for HTTP APIs" (payload formats 1.0 and
//! 2.0), and of Lambda, "Invoking Lambda function URLs".

mod answer;

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::handler::body::{AnswerBody, whole};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, header};
use modelet_core::handler::Event;
use modelet_core::instance::{HEADER_INVOCATION, lambda};
use modelet_core::{Code, Failure, FunctionError, base64};
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

pub(crate) use answer::response;
pub(super) use answer::{headed, json, raised, wrapped};

/// What clients of Lambda's Invoke API say of themselves, in base64.
const INVOKE_CONTEXT: &str = "x-amz-client-context";
/// Media types whose bodies go into an event as text; others in base64.
const TEXTS: [&str; 5] = ["json", "xml", "javascript", "x-www-form-urlencoded", "graphql"];
/// Where there is no such thing as an account or an API, AWS' own examples have these.
const ACCOUNT: &str = "000000000000";
const API: &str = "modelet";

/// The event of a request.
pub(super) fn of(event: Event, head: &Parts, body: Bytes) -> Result<Bytes, FunctionError> {
    match event {
        Event::Body => as_body(&head.headers, body),
        Event::HttpV2 => Ok(v2(head, &body).to_string().into()),
        Event::HttpV1 => Ok(v1(head, &body).to_string().into()),
    }
}

/// The body itself. Nothing is an empty object: a call without arguments.
fn as_body(headers: &HeaderMap, body: Bytes) -> Result<Bytes, FunctionError> {
    if body.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    let kind = media(headers);
    // What curl says of a body when nobody says anything else.
    let is_json = kind.is_empty()
        || kind.contains("json")
        || kind.contains("x-www-form-urlencoded")
        || kind.starts_with("text/");
    if is_json {
        return Ok(body);
    }
    let message = format!("the body is the function's event, which is JSON, and not {kind}");
    Err(FunctionError::new(Code::UnsupportedMediaType, message)
        .hint("with [python] event = \"http_v2\" in modelet.toml the function gets the whole request, its body in base64"))
}

fn media(headers: &HeaderMap) -> String {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The body as a text, and whether that is base64.
fn body_text(headers: &HeaderMap, body: &[u8]) -> (Value, bool) {
    if body.is_empty() {
        return (Value::Null, false);
    }
    let kind = media(headers);
    let is_text =
        kind.is_empty() || kind.starts_with("text/") || TEXTS.iter().any(|known| kind.contains(known));
    match std::str::from_utf8(body).ok().filter(|_| is_text) {
        Some(text) => (text.into(), false),
        None => (base64::encode(body).into(), true),
    }
}

fn text_of(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Names and values of a query, decoded.
fn query(head: &Parts) -> Vec<(String, String)> {
    modelet_protocol::query_pairs(head.uri.query())
}

/// Values of one name, joined or the last one.
fn gathered(pairs: impl Iterator<Item = (String, String)>, join: bool) -> Map<String, Value> {
    let mut map = Map::new();
    for (name, value) in pairs {
        match map.get_mut(&name) {
            Some(Value::String(known)) if join => {
                known.push(',');
                known.push_str(&value);
            }
            _ => {
                map.insert(name, value.into());
            }
        }
    }
    map
}

fn lists(pairs: impl Iterator<Item = (String, String)>) -> Map<String, Value> {
    let mut map = Map::new();
    for (name, value) in pairs {
        match map.entry(name).or_insert_with(|| json!([])) {
            Value::Array(values) => values.push(value.into()),
            other => *other = json!([value]),
        }
    }
    map
}

fn v2(head: &Parts, body: &[u8]) -> Value {
    let (body, is_base64) = body_text(&head.headers, body);
    let (_, path) = modelet_protocol::split(head.uri.path());
    let headers = head.headers.iter().filter(|(name, _)| **name != header::COOKIE);
    let headers = gathered(headers.map(|(name, value)| (name.to_string(), text_of(value))), true);
    let agent = headers.get("user-agent").cloned().unwrap_or_default();
    let host = headers.get("host").and_then(Value::as_str).unwrap_or("localhost").to_owned();
    let (time, epoch_ms) = now();
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": head.uri.query().unwrap_or_default(),
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": API,
            "domainName": host,
            "domainPrefix": API,
            "http": {"method": head.method.as_str(), "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": agent},
            "requestId": id(&head.headers),
            "routeKey": "$default",
            "stage": "$default",
            "time": time,
            "timeEpoch": epoch_ms,
        },
        "isBase64Encoded": is_base64,
    });
    // As AWS: what there is none of is left out.
    let cookies: Vec<String> = head
        .headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|value| text_of(value).split(';').map(|one| one.trim().to_owned()).collect::<Vec<_>>())
        .collect();
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    let parameters = gathered(query(head).into_iter(), true);
    if !parameters.is_empty() {
        event["queryStringParameters"] = parameters.into();
    }
    if !body.is_null() {
        event["body"] = body;
    }
    event
}

fn v1(head: &Parts, body: &[u8]) -> Value {
    let (body, is_base64) = body_text(&head.headers, body);
    let (_, path) = modelet_protocol::split(head.uri.path());
    let headers = || head.headers.iter().map(|(name, value)| (name.to_string(), text_of(value)));
    let (single, several) = (gathered(headers(), false), lists(headers()));
    let agent = single.get("user-agent").cloned().unwrap_or_default();
    let or_null = |map: Map<String, Value>| if map.is_empty() { Value::Null } else { map.into() };
    let (time, epoch_ms) = now();
    json!({
        "version": "1.0",
        "resource": path,
        "path": path,
        "httpMethod": head.method.as_str(),
        "headers": single,
        "multiValueHeaders": several,
        "queryStringParameters": or_null(gathered(query(head).into_iter(), false)),
        "multiValueQueryStringParameters": or_null(lists(query(head).into_iter())),
        "pathParameters": null,
        "stageVariables": null,
        "requestContext": {
            "resourcePath": path,
            "httpMethod": head.method.as_str(),
            "path": path,
            "accountId": ACCOUNT,
            "apiId": API,
            "stage": "$default",
            "protocol": "HTTP/1.1",
            "requestId": id(&head.headers),
            "requestTime": time,
            "requestTimeEpoch": epoch_ms,
            "identity": {"sourceIp": "127.0.0.1", "userAgent": agent},
        },
        "body": body,
        "isBase64Encoded": is_base64,
    })
}

/// The id of a call; empty where its host gives none.
pub(super) fn id(headers: &HeaderMap) -> &str {
    headers.get(HEADER_INVOCATION).and_then(|id| id.to_str().ok()).unwrap_or_default()
}

/// Now, in the form of Apache's logs (`24/Nov/2026:23:26:12 +0000`), and in milliseconds since 1970.
fn now() -> (String, u64) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let text = modelet_core::moment::clf(since.as_secs());
    (text, u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// What a client says of itself, JSON: as Lambda's Runtime API has it, or as its Invoke API has it, in base64.
pub(super) fn client_context(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    said(lambda::CLIENT_CONTEXT).map(Cow::Borrowed).or_else(|| {
        let bytes = base64::decode(said(INVOKE_CONTEXT)?).ok()?;
        String::from_utf8(bytes).ok().map(Cow::Owned)
    })
}

/// Of the head of a call: who makes it takes a response as it is, and not the JSON that says it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TakesResponse;

/// Of an answer: it is such a response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IsResponse;

/// Lets an application answer an event: the request that it was made of, or else its JSON, sent to the application's root. What is said
/// in JSON has `limit_bytes` at most.
pub(super) async fn to_application(
    head: &Parts,
    payload: Bytes,
    limit_bytes: u64,
    ask: impl AsyncFn(&Parts, Bytes) -> Result<Response<AnswerBody>, Failure>,
) -> Result<Response<AnswerBody>, Failure> {
    if let Some(request) = modelet_protocol::event_request(&payload) {
        let mut request = request?;
        // Which call it is.
        for (name, value) in &head.headers {
            if name.as_str() == HEADER_INVOCATION || name.as_str().starts_with(lambda::PREFIX) {
                request.head.headers.insert(name, value.clone());
            }
        }
        let mut response = ask(&request.head, request.body.clone()).await?;
        if head.extensions.get::<TakesResponse>().is_some() {
            response.extensions_mut().insert(IsResponse);
            return Ok(response);
        }
        return Ok(request.wrap(&whole(response, limit_bytes).await?).map(Into::into));
    }
    let mut head = head.clone();
    head.uri = http::Uri::from_static("/");
    let response = whole(ask(&head, payload).await?, limit_bytes).await?;
    let is_json = serde_json::from_slice::<IgnoredAny>(response.body()).is_ok();
    let said = if response.status().is_success() && is_json {
        json(response.into_body())
    } else {
        json(wrapped(&response))
    };
    Ok(said.map(Into::into))
}

/// The body of the request that an event was made of; any other event as it is.
pub(super) fn unwrapped(payload: Bytes) -> Result<Bytes, FunctionError> {
    match modelet_protocol::event_request(&payload) {
        Some(request) => request.and_then(|request| as_body(&request.head.headers, request.body)),
        None => Ok(payload),
    }
}

/// What a client is told who speaks of tensors.
pub(super) fn no_shapes() -> FunctionError {
    FunctionError::new(
        Code::UnsupportedMediaType,
        "this function is code, which says no shapes that V2 could speak of",
    )
    .hint("call it at /fn/NAME")
}

#[cfg(test)]
mod tests;
