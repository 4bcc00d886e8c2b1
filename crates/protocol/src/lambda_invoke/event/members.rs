//! What an event says of its request, member by member.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use modelet_core::{Code, FunctionError, base64};

use crate::json::Json;
use crate::route;

/// The member that only such an event has.
pub(super) const CONTEXT: &str = "requestContext";
/// The stage of an HTTP API that its paths do not begin with.
const DEFAULT_STAGE: &str = "$default";

/// Of an object.
pub(super) type Members = Vec<(String, Json)>;

pub(super) fn get<'a>(members: &'a Members, name: &str) -> Option<&'a Json> {
    members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn text<'a>(members: &'a Members, name: &str) -> Option<&'a str> {
    match get(members, name) {
        Some(Json::Text(text)) => Some(text),
        _ => None,
    }
}

fn object<'a>(members: &'a Members, name: &str) -> Option<&'a Members> {
    match get(members, name) {
        Some(Json::Object(members)) => Some(members),
        _ => None,
    }
}

pub(super) fn method(members: &Members) -> String {
    let http = object(members, CONTEXT).and_then(|context| object(context, "http"));
    let method = http.and_then(|http| text(http, "method")).or_else(|| text(members, "httpMethod"));
    method.unwrap_or(Method::POST.as_str()).to_ascii_uppercase()
}

/// The path as the function is called, without the stage of the API.
pub(super) fn path(members: &Members) -> String {
    let path = text(members, "rawPath").or_else(|| text(members, "path")).unwrap_or("/");
    let stage = object(members, CONTEXT).and_then(|context| text(context, "stage"));
    let below = stage.filter(|stage| *stage != DEFAULT_STAGE && text(members, "rawPath").is_some());
    let below = below.and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage));
    match below.filter(|below| below.is_empty() || below.starts_with('/')).unwrap_or(path) {
        "" => "/".to_owned(),
        path => escaped(path),
    }
}

/// A piece of a URL without what cannot stand in one: doors have decoded their paths. What is escaped already stays so.
fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'!'..=b'~' if !b"\"#<>?\\^`{|}".contains(&byte) => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Pairs of texts; of a member whose values are lists, one for each text in them.
fn pairs<'a>(members: &'a Members, lists: &str, singles: &str) -> Vec<(&'a str, &'a str)> {
    let named = object(members, lists).or_else(|| object(members, singles)).into_iter().flatten();
    let texts = named.flat_map(|(name, value)| {
        let values = if let Json::List(list) = value { list.as_slice() } else { std::slice::from_ref(value) };
        values.iter().filter_map(move |value| match value {
            Json::Text(text) => Some((name.as_str(), text.as_str())),
            _ => None,
        })
    });
    texts.collect()
}

pub(super) fn headers(members: &Members) -> HeaderMap {
    let pairs = pairs(members, "multiValueHeaders", "headers");
    let valid = pairs.into_iter().filter_map(|(name, value)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
    });
    let mut headers = HeaderMap::new();
    valid.for_each(|(name, value)| {
        headers.append(name, value);
    });
    // Payload 2.0 has them apart.
    if let Some(Json::List(cookies)) = get(members, "cookies") {
        let cookies = cookies.iter().filter_map(|cookie| match cookie {
            Json::Text(text) => Some(text.as_str()),
            _ => None,
        });
        let cookies = HeaderValue::from_str(&cookies.collect::<Vec<_>>().join("; ")).ok();
        headers.extend(cookies.map(|cookies| (header::COOKIE, cookies)));
    }
    headers
}

/// The query as it stood in the URL: payload 2.0 has it so; load balancers have not decoded its values (`is_raw`), others have.
pub(super) fn query(members: &Members, is_raw: bool) -> String {
    if let Some(raw) = text(members, "rawQueryString") {
        return escaped(raw);
    }
    let encoded = |text: &str| if is_raw { escaped(text) } else { route::percent_encode(text) };
    let pairs = pairs(members, "multiValueQueryStringParameters", "queryStringParameters");
    let pairs: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    pairs.join("&")
}

pub(super) fn body(members: Members) -> Result<Bytes, FunctionError> {
    let is_base64 = get(&members, "isBase64Encoded") == Some(&Json::Bool(true));
    let body = members.into_iter().find_map(|(name, value)| (name == "body").then_some(value));
    let text = match body {
        None | Some(Json::Null) => return Ok(Bytes::new()),
        Some(Json::Text(text)) => text,
        Some(other) => return Err(FunctionError::bad_input("body", "a text, or null", other.what())),
    };
    if !is_base64 {
        return Ok(text.into());
    }
    base64::decode(&text).map(Bytes::from).map_err(|why| {
        FunctionError::new(
            Code::BadBody,
            format!("isBase64Encoded is true, but the body is no base64: {why}"),
        )
    })
}
