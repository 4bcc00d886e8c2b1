//! Payloads that stand for an HTTP request: API Gateway (REST, payload 1.0, and HTTP, payload 2.0), function URLs (payload 2.0) and
//! application load balancers. The request's body is what is read, by its content type, and the answer says its status, headers and
//! body in the words that each of them makes a response of.
//!
//! Source of the shapes: docs of API Gateway ("Lambda proxy integrations") and of Elastic Load Balancing ("Lambda functions as
//! targets").

mod members;

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Response, StatusCode, header};
use modelet_core::{Code, Failure, FunctionError, Signature, Value, base64};
use serde_json::{Map, json};

use crate::encoding;
use crate::fn_http::FnHttp;
use crate::json::{self, Json};
use crate::layout::Names;
use crate::limit::response_too_large;
use crate::protocol::{Answer, Decoded, FunctionContext, Protocol, Refused, Reply, Request, json_response};
use members::{CONTEXT, Members, get};

/// Who made an event of a request, and makes a response of the answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Door {
    /// An HTTP API, or a function URL: payload 2.0.
    Http,
    /// A REST API: payload 1.0.
    Rest,
    /// A load balancer. `multiple`: its target group keeps headers of one name apart, and wants them so.
    Balancer { multiple: bool },
}

impl Door {
    /// Recognises an event. One who has a column called `requestContext` never gets one: then it is the column.
    pub(super) fn of(members: &Members, signature: &Signature) -> Option<Self> {
        Self::of_event(members).filter(|_| Names::of(signature).get(CONTEXT).is_none())
    }

    fn of_event(members: &Members) -> Option<Self> {
        let Some(Json::Object(context)) = get(members, CONTEXT) else { return None };
        if get(context, "elb").is_some() {
            return Some(Self::Balancer { multiple: get(members, "headers").is_none() });
        }
        if get(context, "http").is_some() {
            return Some(Self::Http);
        }
        get(members, "httpMethod").map(|_| Self::Rest)
    }
}

/// A request that came as an event.
#[derive(Debug)]
pub struct EventRequest {
    /// Its head, with the path as the door calls the function, and cookies as a header.
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
    let door = Door::of_event(&members)?;
    Some(EventRequest::of(door, members))
}

impl EventRequest {
    fn of(door: Door, members: Members) -> Result<Self, FunctionError> {
        let mut head = http::Request::new(()).into_parts().0;
        let method = members::method(&members);
        let no_method = |_| FunctionError::bad_input("httpMethod", "a method", method.clone());
        head.method = method.parse().map_err(no_method)?;
        head.headers = members::headers(&members);
        let path = members::path(&members);
        let query = members::query(&members, matches!(door, Door::Balancer { .. }));
        let target = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
        head.uri = target.parse().map_err(|_| FunctionError::bad_input("rawPath", "a path", path))?;
        Ok(Self { head, body: members::body(members)?, door })
    }

    /// The answer, as the one who sent the event makes a response of it.
    pub fn wrap(&self, response: &Response<Bytes>) -> Response<Bytes> {
        wrapped(self.door, response)
    }
}

/// Reads the request that an event was made of.
pub(super) fn decode(door: Door, members: Members, ctx: &FunctionContext) -> Result<Decoded, Refused> {
    let read = || {
        let EventRequest { head, body, .. } = EventRequest::of(door, members)?;
        if body.is_empty() && (head.method == Method::GET || head.method == Method::HEAD) {
            let message = format!("{} is called with POST, not with {}", ctx.name, head.method);
            return Err(FunctionError::new(Code::MethodNotAllowed, message).into());
        }
        let body = encoding::unpack(&head.headers, body, ctx.body_limit_bytes)?;
        FnHttp.decode(Request { headers: &head.headers, query: head.uri.query(), body }, ctx)
    };
    let reply = |inner| Reply(Arc::new(ProxyReply { door, inner }));
    match read() {
        Ok(decoded) => Ok(Decoded { reply: reply(Some(decoded.reply)), ..decoded }),
        Err(refused) => Err(Refused { reply: Some(reply(refused.reply)), ..refused }),
    }
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
    let mut response = json!({ "statusCode": status.as_u16(), "isBase64Encoded": is_base64, "body": body });
    let headers = answer.headers();
    match door {
        Door::Http => {
            let cookies = values(headers, &header::SET_COOKIE);
            if !cookies.is_empty() {
                response["cookies"] = cookies.into();
            }
            let others = headers.keys().filter(|name| **name != header::SET_COOKIE);
            response["headers"] = others
                .map(|name| (name.to_string(), values(headers, name).join(", ").into()))
                .collect::<Map<_, _>>()
                .into();
        }
        Door::Rest | Door::Balancer { multiple: true } => {
            response["multiValueHeaders"] = headers
                .keys()
                .map(|name| (name.to_string(), values(headers, name).into()))
                .collect::<Map<_, _>>()
                .into();
        }
        // Of several headers of one name it takes one.
        Door::Balancer { multiple: false } => {
            let first = |name: &HeaderName| {
                Some((name.to_string(), values(headers, name).into_iter().next()?.into()))
            };
            response["headers"] = headers.keys().filter_map(first).collect::<Map<_, _>>().into();
        }
    }
    if matches!(door, Door::Balancer { .. }) {
        response["statusDescription"] = status.to_string().into();
    }
    json_response(StatusCode::OK, &response)
}

/// The values of a header, those that are text.
fn values(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok().map(str::to_owned)).collect()
}
