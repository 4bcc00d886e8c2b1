//! Client wire formats: how requests become tensors and answers become bytes.
//!
//! - [`route()`], [`manner`] and [`error()`] are for the gateway: which function a request is for, how it is to be called, and
//!   any failure in the client's own words
//! - [`decode`] and [`encode`] are for the runtime: body to tensors, values to body
//! - [`describe`] and [`server`] answer what needs no instance
//! - one file a protocol, all in `PROTOCOLS`: `fn_http` (`/fn/NAME`), `kserve_v2` (`/v2/models/NAME`), `lambda_invoke` (AWS
//!   Lambda's Invoke)
//! - one file a format: `json`, `csv_text`, `npy`, `raw`; `cast` holds the one set of rules by which an element becomes the
//!   model's type
//!
//! Deliberately absent: sockets, files, clocks, async. Both halves of a protocol are pure functions in one file, so that
//! they cannot drift apart. Every decoder is total: whatever the bytes, it answers with tensors or with a sentence, in time
//! and memory linear in the body.
mod cast;
mod csv_text;
mod elements;
mod encoding;
mod fn_http;
mod json;
mod kserve_v2;
mod lambda_invoke;
mod layout;
mod limit;
mod media;
mod npy;
mod number;
mod protocol;
mod raw;
mod route;
mod sample;
mod text;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use modelet_core::instance::HEADER_FUNCTION_ERROR;
use modelet_core::{
    Failure, FunctionError, FunctionName, InvocationId, PlatformError, Signature, Tensor, Value, Version,
};

pub use protocol::{
    CallLog, Decoded, FunctionContext, FunctionView, Manner, Operation, ProtocolName, Refused, Reply, Route,
    ServerState,
};

pub use fn_http::{Below, below, split};
pub use lambda_invoke::{EventRequest, event_request};
pub use route::query_pairs;
pub use sample::Sample;

use fn_http::FnHttp;
use kserve_v2::KserveV2;
use lambda_invoke::LambdaInvoke;
use protocol::{Protocol, Request};

/// Every protocol there is.
const PROTOCOLS: &[&dyn Protocol] = &[&FnHttp, &KserveV2, &LambdaInvoke];

fn protocol(name: ProtocolName) -> &'static dyn Protocol {
    match name {
        ProtocolName::Fn => &FnHttp,
        ProtocolName::KserveV2 => &KserveV2,
        ProtocolName::LambdaInvoke => &LambdaInvoke,
    }
}

/// Which function a request is for, and what is asked of it. `target`: path and query; the query says nothing but which version
/// is meant, so an instance, which is of one, may leave it out. `None` when the path belongs to no protocol.
pub fn route(method: &Method, target: &str) -> Option<Result<Route, (ProtocolName, PlatformError)>> {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    PROTOCOLS.iter().find_map(|protocol| {
        let routed = protocol.route(method, path, query)?;
        Some(routed.map_err(|error| (protocol.name(), error)))
    })
}

/// How a client wants a prediction to be made; `None` where its protocol has no words for that.
pub fn manner(protocol_name: ProtocolName, headers: &HeaderMap) -> Result<Option<Manner>, PlatformError> {
    protocol(protocol_name).manner(headers)
}

/// What a client is told whose call is not made now: accepted for later, or only checked.
pub fn acknowledge(
    protocol_name: ProtocolName,
    manner: Manner,
    function: &FunctionName,
    invocation: &InvocationId,
) -> Response<Bytes> {
    protocol(protocol_name).acknowledge(manner, function, invocation)
}

/// Adds to an answer what the protocol says of a call: its id, and the version that had it.
pub fn mark(
    protocol_name: ProtocolName,
    headers: &mut HeaderMap,
    invocation: &InvocationId,
    version: Version,
) {
    protocol(protocol_name).mark(headers, invocation, version);
}

/// True for a client that wants to hear what was said of its call.
pub fn wants_log(protocol_name: ProtocolName, headers: &HeaderMap) -> bool {
    protocol(protocol_name).wants_log(headers)
}

/// Adds to an answer what was said of its call, for a client that wanted to hear it.
pub fn tell_log(protocol_name: ProtocolName, headers: &mut HeaderMap, log: &CallLog<'_>) {
    protocol(protocol_name).tell_log(headers, log);
}

/// The status that an answer stands for: its own, but for a failure that is marked as one beside 200.
pub fn meant_status<B>(answer: &Response<B>) -> u16 {
    if answer.headers().contains_key(HEADER_FUNCTION_ERROR) { 500 } else { answer.status().as_u16() }
}

/// Reads a request's body as the tensors that the function takes. `body` is as it was sent, possibly compressed.
pub fn decode(
    route: &Route,
    headers: &HeaderMap,
    query: Option<&str>,
    body: Bytes,
    ctx: &FunctionContext,
) -> Result<Decoded, Refused> {
    let body = encoding::unpack(headers, body, ctx.body_limit_bytes)?;
    let decoded = protocol(route.protocol).decode(Request { headers, query, body }, ctx)?;
    match ctx.signature.check_values(&decoded.inputs) {
        Ok(()) => Ok(decoded),
        Err(error) => Err(Refused { error, reply: Some(decoded.reply) }),
    }
}

/// The simplest valid request for `POST /fn/NAME`; `None` where nobody would read one, since its inputs are so large.
pub fn sample(name: &FunctionName, signature: &Signature) -> Option<Sample> {
    protocol(ProtocolName::Fn).samples(name, signature).into_iter().next()
}

/// The body of a request, unpacked where it was sent compressed.
///
/// # Errors
/// `bad-body`, `unsupported-media-type` and `body-too-large`, as for models.
pub fn unpack(headers: &HeaderMap, body: Bytes, limit_bytes: u64) -> Result<Bytes, FunctionError> {
    encoding::unpack(headers, body, limit_bytes)
}

/// Writes what the model answered, in the form that the request asked for.
pub fn encode(
    reply: &Reply,
    outputs: Vec<(String, Value)>,
    ctx: &FunctionContext,
) -> Result<Response<Bytes>, FunctionError> {
    reply.0.encode(outputs, ctx)
}

/// Any failure in the protocol's own words.
pub fn error(
    protocol_name: ProtocolName,
    failure: &Failure,
    invocation: Option<&InvocationId>,
) -> Response<Bytes> {
    protocol(protocol_name).error(failure, invocation)
}

/// Why a call was not answered, in the form that the request asked for, or else in the protocol's words.
pub fn refuse(protocol_name: ProtocolName, refused: Refused) -> Response<Bytes> {
    let failure = Failure::from(refused.error);
    let in_form = refused.reply.and_then(|reply| reply.0.refuse(&failure));
    in_form.unwrap_or_else(|| error(protocol_name, &failure, None))
}

/// What a `GET` on a function answers, from the card of its artifact alone.
pub fn describe(route: &Route, view: &FunctionView<'_>, headers: &HeaderMap) -> Response<Bytes> {
    protocol(route.protocol).describe(view, headers)
}

/// What health checks and questions about the server itself answer.
pub fn server(route: &Route, state: &ServerState<'_>) -> Response<Bytes> {
    protocol(route.protocol).server(route, state)
}

/// Tensors by input name.
type Inputs = Vec<(String, Tensor)>;

#[cfg(test)]
mod tests;
