//! A response that Lambda gets while it is made: a head in JSON, eight zero bytes, and the body in pieces; what broke it off comes as
//! trailers.
//!
//! Source: the docs of Lambda, "Response streaming for Lambda functions" and "Building a custom runtime"; the content type and the
//! form of the head as function URLs take them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, SET_COOKIE, TRAILER};
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::body::{Body, Frame};
use modelet_core::base64;
use serde_json::{Map, Value, json};

use crate::handler::AnswerBody;

/// What says that the result is sent while it is made.
const MODE: HeaderName = HeaderName::from_static("lambda-runtime-function-response-mode");
/// What broke a response off.
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");
const ERROR_BODY: HeaderName = HeaderName::from_static("lambda-runtime-function-error-body");
/// A head and a body.
const RESPONSE: &str = "application/vnd.awslambda.http-integration-response";
/// What lies between them.
const HEAD_END: [u8; 8] = [0; 8];

/// The headers of the report.
pub(super) fn headers() -> HeaderMap {
    let trailers = "lambda-runtime-function-error-type, lambda-runtime-function-error-body";
    HeaderMap::from_iter([
        (MODE, HeaderValue::from_static("streaming")),
        (CONTENT_TYPE, HeaderValue::from_static(RESPONSE)),
        (TRAILER, HeaderValue::from_static(trailers)),
    ])
}

/// The body of the report.
pub(super) fn body(head: &Parts, body: AnswerBody) -> AnswerBody {
    let head = [said(head).to_string().as_bytes(), &HEAD_END].concat();
    AnswerBody::pieces(Report { head: Some(head.into()), body: Some(body) })
}

/// A response's head, as function URLs take it.
fn said(head: &Parts) -> Value {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let joined =
        |name: &HeaderName| head.headers.get_all(name).iter().map(text).collect::<Vec<_>>().join(", ");
    let names = head.headers.keys().filter(|name| **name != SET_COOKIE);
    let headers: Map<String, Value> = names.map(|name| (name.to_string(), joined(name).into())).collect();
    let cookies: Vec<String> = head.headers.get_all(SET_COOKIE).iter().map(text).collect();
    json!({ "statusCode": head.status.as_u16(), "headers": headers, "cookies": cookies })
}

/// The head, then the body; then, where that broke off, why.
struct Report {
    head: Option<Bytes>,
    body: Option<AnswerBody>,
}

impl Body for Report {
    type Data = Bytes;
    type Error = <AnswerBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(head) = self.head.take() {
            return Poll::Ready(Some(Ok(Frame::data(head))));
        }
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        Poll::Ready(match frame {
            Some(Err(error)) => {
                self.body = None;
                Some(Ok(Frame::trailers(trailers(&error.to_string()))))
            }
            frame => frame,
        })
    }
}

fn trailers(why: &str) -> HeaderMap {
    const KIND: &str = "Runtime.StreamError";
    let said = json!({ "errorType": KIND, "errorMessage": why, "stackTrace": [] }).to_string();
    let body = HeaderValue::try_from(base64::encode(said.as_bytes())).ok();
    let body = body.map(|body| (ERROR_BODY, body));
    HeaderMap::from_iter([(ERROR_TYPE, HeaderValue::from_static(KIND))].into_iter().chain(body))
}
