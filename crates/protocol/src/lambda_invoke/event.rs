//! Payloads that stand for an HTTP request: API Gateway (REST, payload 1.0, and HTTP, payload 2.0), function URLs (payload 2.0) and
//! application load balancers. The request's body is what is read, by its content type, and the answer says its status, headers and
//! body in the words that each of them makes a response of.
//!
//! Source of the shapes: docs of API Gateway ("Lambda proxy integrations") and of Elastic Load Balancing ("Lambda functions as
//! targets").

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use modelet_core::{Code, Failure, FunctionError, Signature, Value, base64};
use serde_json::{Map, Value as JsonValue, json};

use crate::fn_http::FnHttp;
use crate::json::{self, Json};
use crate::layout::Names;
use crate::limit::response_too_large;
use crate::protocol::{Answer, Decoded, FunctionContext, Protocol, Refused, Reply, Request, json_response};
use crate::{encoding, route};

/// The member that only such an event has.
const CONTEXT: &str = "requestContext";

type Members = Vec<(String, Json)>;

/// Who made an event of a request, and makes a response of the answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Door {
    /// API Gateway, or a function URL.
    Gateway,
    /// A load balancer. `multiple`: its target group keeps headers of one name apart, and wants them so.
    Balancer { multiple: bool },
}

impl Door {
    /// Recognises an event. One who has a column called `requestContext` never gets one: then it is the column.
    pub(super) fn of(members: &Members, signature: &Signature) -> Option<Self> {
        if Names::of(signature).get(CONTEXT).is_some() { None } else { Self::of_any(members) }
    }

    /// Recognises an event, whoever gets it.
    fn of_any(members: &Members) -> Option<Self> {
        let Some(Json::Object(context)) = get(members, CONTEXT) else { return None };
        if get(context, "elb").is_some() {
            return Some(Self::Balancer { multiple: get(members, "headers").is_none() });
        }
        let is_gateway = get(context, "http").is_some() || get(members, "httpMethod").is_some();
        is_gateway.then_some(Self::Gateway)
    }
}

/// A request that came as an event.
#[derive(Debug)]
pub struct EventRequest {
    /// Its head.
    pub head: Parts,
    /// Its body.
    pub body: Bytes,
    door: Door,
}

/// The request in a payload, for applications; `None` where it is none of HTTP's.
///
/// # Errors
/// `bad-input` and `bad-body` for an event that makes no request.
pub fn event_request(payload: &Bytes) -> Option<Result<EventRequest, FunctionError>> {
    let Ok(Json::Object(members)) = json::parse(payload) else { return None };
    let door = Door::of_any(&members)?;
    let read = || {
        let mut head = http::Request::new(()).into_parts().0;
        let method = method(&members);
        let no_method = |_| FunctionError::bad_input("httpMethod", "a method", method.clone());
        head.method = Method::from_bytes(method.as_bytes()).map_err(no_method)?;
        head.headers = headers(&members);
        let path = text(&members, "rawPath").or_else(|| text(&members, "path")).unwrap_or("/").to_owned();
        let query = query(&members, door).filter(|query| !query.is_empty());
        let target = query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
        head.uri = target.parse().map_err(|_| FunctionError::bad_input("rawPath", "a path", path))?;
        Ok(EventRequest { head, body: body(members)?, door })
    };
    Some(read())
}

impl EventRequest {
    /// The answer, as the one who sent the event makes a response of it.
    pub fn wrap(&self, response: &Response<Bytes>) -> Response<Bytes> {
        wrapped(self.door, response)
    }
}

/// Reads the request that an event was made of.
pub(super) fn decode(door: Door, members: Members, ctx: &FunctionContext) -> Result<Decoded, Refused> {
    let read = || {
        let method = method(&members);
        let headers = headers(&members);
        let query = query(&members, door);
        let body = body(members)?;
        if body.is_empty() && (method == "GET" || method == "HEAD") {
            let message = format!("{} is called with POST, not with {method}", ctx.name);
            return Err(FunctionError::new(Code::MethodNotAllowed, message).into());
        }
        let body = encoding::unpack(&headers, body, ctx.body_limit_bytes)?;
        FnHttp.decode(Request { headers: &headers, query: query.as_deref(), body }, ctx)
    };
    let reply = |inner| Reply(Arc::new(ProxyReply { door, inner }));
    match read() {
        Ok(decoded) => Ok(Decoded { reply: reply(Some(decoded.reply)), ..decoded }),
        Err(refused) => Err(Refused { reply: Some(reply(refused.reply)), ..refused }),
    }
}

fn get<'a>(members: &'a Members, name: &str) -> Option<&'a Json> {
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

fn method(members: &Members) -> String {
    let http = object(members, CONTEXT).and_then(|context| object(context, "http"));
    let method = http.and_then(|http| text(http, "method")).or_else(|| text(members, "httpMethod"));
    method.unwrap_or(Method::POST.as_str()).to_ascii_uppercase()
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

fn headers(members: &Members) -> HeaderMap {
    let pairs = pairs(members, "multiValueHeaders", "headers");
    let valid = pairs.into_iter().filter_map(|(name, value)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
    });
    let mut headers = HeaderMap::new();
    valid.for_each(|(name, value)| {
        headers.append(name, value);
    });
    headers
}

/// The query as it stood in the URL: payload 2.0 has it so, load balancers have not decoded its values, API Gateway has.
fn query(members: &Members, door: Door) -> Option<String> {
    if let Some(raw) = text(members, "rawQueryString") {
        return Some(raw.to_owned());
    }
    let encoded = |text: &str| match door {
        Door::Gateway => route::percent_encode(text),
        Door::Balancer { .. } => text.to_owned(),
    };
    let pairs = pairs(members, "multiValueQueryStringParameters", "queryStringParameters");
    let pairs: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    Some(pairs.join("&"))
}

fn body(members: Members) -> Result<Bytes, FunctionError> {
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

/// Answers with a response in JSON.
#[derive(Debug)]
struct ProxyReply {
    door: Door,
    /// How the request within wants to be answered; nothing when it could not be read so far.
    inner: Option<Reply>,
}

impl Answer for ProxyReply {
    fn encode(
        &self,
        outputs: Vec<(String, Value)>,
        ctx: &FunctionContext,
    ) -> Result<Response<Bytes>, FunctionError> {
        let none = || FunctionError::new(Code::Internal, "an event that was not read has no answer");
        let answer = self.inner.as_ref().ok_or_else(none)?.0.encode(outputs, ctx)?;
        let response = wrapped(self.door, &answer);
        match response.body().len() as u64 > ctx.response_limit_bytes {
            true => Err(response_too_large(ctx.response_limit_bytes)),
            false => Ok(response),
        }
    }

    fn refuse(&self, failure: &Failure) -> Option<Response<Bytes>> {
        Some(wrapped(self.door, &FnHttp.error(failure, None)))
    }
}

fn wrapped(door: Door, answer: &Response<Bytes>) -> Response<Bytes> {
    let status = answer.status();
    let (body, is_base64) = match std::str::from_utf8(answer.body()) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (base64::encode(answer.body()), true),
    };
    let said = answer.headers().iter().filter_map(|(name, value)| Some((name, value.to_str().ok()?)));
    let mut response = json!({ "statusCode": status.as_u16(), "isBase64Encoded": is_base64, "body": body });
    match door {
        Door::Balancer { multiple: true } => {
            let headers = said.map(|(name, value)| (name.to_string(), json!([value])));
            response["multiValueHeaders"] = JsonValue::Object(Map::from_iter(headers));
        }
        Door::Gateway | Door::Balancer { .. } => {
            let headers = said.map(|(name, value)| (name.to_string(), value.into()));
            response["headers"] = JsonValue::Object(Map::from_iter(headers));
        }
    }
    if matches!(door, Door::Balancer { .. }) {
        response["statusDescription"] = status.to_string().into();
    }
    json_response(StatusCode::OK, &response)
}
