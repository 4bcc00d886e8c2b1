//! Invoke of AWS Lambda's API, as boto3, the AWS command line and the other SDKs speak it:
//! `POST /2015-03-31/functions/NAME/invocations`.
//!
//! - `target`: the function and the version that a name, an ARN and a qualifier mean
//! - `failure`: who failed: the call (an exception of the API) or the function (200, and the error as its payload)
//! - `event`: payloads that API Gateway, function URLs and load balancers made of HTTP requests
//! - `tail`: what was said of a call, with its answer
//!
//! The payload of a model is JSON in the forms of `/fn`, and so is its answer. An event of HTTP is read as the request that it was
//! made of, and answered as those who send such events expect.
//!
//! Source: the API model of botocore 1.44 (`lambda/2015-03-31`) and the docs of Lambda ("Invoke"). Signatures are not looked at,
//! but `LogType=Tail` gets the end of the call's log.

mod event;
mod failure;
mod tail;
mod target;

pub use event::{EventRequest, event_request};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use modelet_core::{Code, Failure, FunctionName, InvocationId, PlatformError, Signature, Version};

use crate::fn_http::{self, FnHttp};
use crate::json::{self, Json};
use crate::protocol::{
    CallLog, Decoded, FunctionContext, Manner, Operation, Protocol, ProtocolName, Refused, Request, Route,
};
use crate::sample::Sample;
use crate::text::quoted;
use crate::{media, route};

/// The protocol `/2015-03-31/functions`.
#[derive(Debug)]
pub(crate) struct LambdaInvoke;

const PREFIX: &str = "/2015-03-31/functions";
const INVOCATION_TYPE: &str = "x-amz-invocation-type";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-amz-executed-version");
/// What a client may ask for that changes what a call means, and that there is not here.
const NOT_HERE: &[&str] = &["x-amz-tenant-id", "x-amz-durable-execution-name"];

impl Protocol for LambdaInvoke {
    fn name(&self) -> ProtocolName {
        ProtocolName::LambdaInvoke
    }

    fn route(
        &self,
        method: &Method,
        path: &str,
        query: Option<&str>,
    ) -> Option<Result<Route, PlatformError>> {
        let pieces = route::pieces(path, PREFIX)?;
        let [name, action] = pieces.as_slice() else {
            return Some(Err(unknown(path)));
        };
        if action != "invocations" {
            return Some(Err(unknown(path)));
        }
        let route = || {
            route::allow(method, &[Method::POST], path)?;
            let (function, qualifier) = target::of(name, query)?;
            Ok(Route {
                protocol: ProtocolName::LambdaInvoke,
                function: Some(function),
                qualifier,
                operation: Operation::Predict,
                invocation: None,
            })
        };
        Some(route())
    }

    fn manner(&self, headers: &HeaderMap) -> Result<Option<Manner>, PlatformError> {
        if let Some(header) = NOT_HERE.iter().find(|header| headers.contains_key(**header)) {
            let message = format!("{header} asks for what functions do not have here");
            return Err(PlatformError::new(Code::BadInput, message).hint("call the function without it"));
        }
        tail::check(headers)?;
        let asked = headers.get(INVOCATION_TYPE).map_or(&b"RequestResponse"[..], HeaderValue::as_bytes);
        match asked {
            b"RequestResponse" => Ok(Some(Manner::Waited)),
            b"Event" => Ok(Some(Manner::Later)),
            b"DryRun" => Ok(Some(Manner::Checked)),
            other => {
                let other = quoted(&String::from_utf8_lossy(other));
                let message = format!(
                    "the invocation type {other} is none of RequestResponse, Event (answered later) and DryRun"
                );
                Err(PlatformError::new(Code::BadInput, message))
            }
        }
    }

    fn decode(&self, request: Request<'_>, ctx: &FunctionContext) -> Result<Decoded, Refused> {
        // What boto3 sends where no payload was given.
        let payload = if request.body.is_empty() { Bytes::from_static(b"{}") } else { request.body };
        match json::parse(&payload)? {
            Json::Object(members) => match event::Door::of(&members, &ctx.signature) {
                Some(door) => event::decode(door, members, ctx),
                None => Ok(fn_http::decode_json(Json::Object(members), ctx)?),
            },
            other => Ok(fn_http::decode_json(other, ctx)?),
        }
    }

    fn acknowledge(
        &self,
        manner: Manner,
        _function: &FunctionName,
        invocation: &InvocationId,
    ) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() =
            if manner == Manner::Checked { StatusCode::NO_CONTENT } else { StatusCode::ACCEPTED };
        say(response.headers_mut(), REQUEST_ID, &invocation.0);
        response
    }

    fn mark(&self, headers: &mut HeaderMap, invocation: &InvocationId, version: Version) {
        say(headers, REQUEST_ID, &invocation.0);
        say(headers, EXECUTED_VERSION, &version.to_string());
    }

    fn wants_log(&self, headers: &HeaderMap) -> bool {
        tail::is_wanted(headers)
    }

    fn tell_log(&self, headers: &mut HeaderMap, log: &CallLog<'_>) {
        tail::tell(headers, log);
    }

    fn error(&self, failure: &Failure, invocation: Option<&InvocationId>) -> Response<Bytes> {
        let mut response = failure::response(failure, invocation);
        if let Some(invocation) = invocation {
            say(response.headers_mut(), REQUEST_ID, &invocation.0);
        }
        response
    }

    fn samples(&self, name: &FunctionName, signature: &Signature) -> Vec<Sample> {
        let json =
            FnHttp.samples(name, signature).into_iter().find(|sample| sample.content_type == media::JSON);
        let sample = json.map(|sample| Sample {
            protocol: ProtocolName::LambdaInvoke,
            path: format!("{PREFIX}/{name}/invocations"),
            ..sample
        });
        sample.into_iter().collect()
    }
}

fn unknown(path: &str) -> PlatformError {
    route::unknown(path, "of Lambda's API only POST /2015-03-31/functions/NAME/invocations")
}

/// Ids and numbers of ours are always valid header values.
fn say(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
}

#[cfg(test)]
mod tests;
