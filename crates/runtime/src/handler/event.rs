//! What a Lambda function gets of an HTTP request, and what becomes of its answer.
//!
//! Source of the shapes: the docs of API Gateway, "Create AWS Lambda proxy integrations for HTTP APIs" (payload formats 1.0 and
//! 2.0), and of Lambda, "Invoking Lambda function URLs".

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::Entry;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use modelet_core::error::Raised;
use modelet_core::handler::Event;
use modelet_core::instance::{HEADER_INVOCATION, lambda};
use modelet_core::{Code, Failure, FunctionError, base64};
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

/// What clients of Lambda's Invoke API say of themselves, in base64.
const INVOKE_CONTEXT: &str = "x-amz-client-context";
/// What only an answer that is a response has.
const STATUS: &str = "statusCode";
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

/// The path behind the function's own.
fn inner_path(head: &Parts) -> &str {
    let path = head.uri.path();
    match modelet_protocol::below(path) {
        Some(below) => below.path,
        None if path.starts_with("/fn/") => "/",
        None => path,
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
    let path = inner_path(head);
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
    let path = inner_path(head);
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

fn id(headers: &HeaderMap) -> &str {
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

/// Lets an application answer an event: the request that it was made of, or else its JSON, sent to the application's root.
pub(super) async fn to_application(
    head: &Parts,
    payload: Bytes,
    ask: impl AsyncFn(&Parts, Bytes) -> Result<Response<Bytes>, Failure>,
) -> Result<Response<Bytes>, Failure> {
    if let Some(request) = modelet_protocol::event_request(&payload) {
        let mut request = request?;
        // Which call it is.
        for (name, value) in &head.headers {
            if name.as_str() == HEADER_INVOCATION || name.as_str().starts_with(lambda::PREFIX) {
                request.head.headers.insert(name, value.clone());
            }
        }
        let response = ask(&request.head, request.body.clone()).await?;
        return Ok(request.wrap(&response));
    }
    let mut head = head.clone();
    head.uri = http::Uri::from_static("/");
    let response = ask(&head, payload).await?;
    let is_json = serde_json::from_slice::<IgnoredAny>(response.body()).is_ok();
    Ok(if response.status().is_success() && is_json {
        json(response.into_body())
    } else {
        json(wrapped(&response))
    })
}

/// What a client is told who speaks of tensors.
pub(super) fn no_shapes() -> FunctionError {
    FunctionError::new(
        Code::UnsupportedMediaType,
        "this function is code, which says no shapes that V2 could speak of",
    )
    .hint("call it at /fn/NAME")
}

/// A failure of the function's code.
pub(super) fn raised(raised: Raised) -> FunctionError {
    let mut error = FunctionError::new(Code::HandlerFailed, format!("{}: {}", raised.kind, raised.message))
        .hint("modelet logs shows the whole trace");
    error.raised = Some(Box::new(raised));
    error
}

/// JSON as it is.
pub(super) fn json(body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The response that an answer makes: what it says, where it has a status; else 200, and the answer itself.
pub(super) fn response(body: Bytes) -> Result<Response<Bytes>, FunctionError> {
    let may_be_response = body.first() == Some(&b'{') && contains(&body, STATUS.as_bytes());
    let said: Option<Value> = if may_be_response { serde_json::from_slice(&body).ok() } else { None };
    match said {
        Some(Value::Object(said)) if said.contains_key(STATUS) => proxied(&said),
        _ => Ok(json(body)),
    }
}

/// The response of a head in JSON, which says status, headers and cookies, and a body.
pub(super) fn headed(head: &[u8], body: Bytes) -> Result<Response<Bytes>, FunctionError> {
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
pub(super) fn wrapped(response: &Response<Bytes>) -> Bytes {
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
            if !matches!(name, header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::CONNECTION) {
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

#[cfg(test)]
mod tests;
