//! Client wire formats: how requests become tensors and answers become bytes.
//!
//! - [`route()`] and [`error()`] are for the gateway: which function a request is for, and any failure in the client's own
//!   words
//! - [`decode`] and [`encode`] are for the runtime: body to tensors, values to body
//! - [`describe`] and [`server`] answer what needs no instance
//! - one file a protocol, all in `PROTOCOLS`: `fn_http` (`/fn/NAME`), `kserve_v2` (`/v2/models/NAME`)
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
use modelet_core::{Failure, FunctionError, InvocationId, PlatformError, Tensor, Value};

pub use protocol::{
    Decoded, FunctionContext, FunctionView, Operation, ProtocolName, Reply, Route, ServerState,
};

pub use route::query_pairs;

use fn_http::FnHttp;
use kserve_v2::KserveV2;
use protocol::{Protocol, Request};

/// Every protocol there is.
const PROTOCOLS: &[&dyn Protocol] = &[&FnHttp, &KserveV2];

fn protocol(name: ProtocolName) -> &'static dyn Protocol {
    match name {
        ProtocolName::Fn => &FnHttp,
        ProtocolName::KserveV2 => &KserveV2,
    }
}

/// Which function a request is for, and what is asked of it. `None` when the path belongs to no protocol.
pub fn route(method: &Method, path: &str) -> Option<Result<Route, (ProtocolName, PlatformError)>> {
    PROTOCOLS.iter().find_map(|protocol| {
        let routed = protocol.route(method, path)?;
        Some(routed.map_err(|error| (protocol.name(), error)))
    })
}

/// Reads a request's body as the tensors that the function takes. `body` is as it was sent, possibly compressed.
pub fn decode(
    route: &Route,
    headers: &HeaderMap,
    query: Option<&str>,
    body: Bytes,
    ctx: &FunctionContext,
) -> Result<Decoded, FunctionError> {
    let body = encoding::unpack(headers, body, ctx.body_limit_bytes)?;
    let decoded = protocol(route.protocol).decode(Request { headers, query, body }, ctx)?;
    ctx.signature.check_values(&decoded.inputs)?;
    Ok(decoded)
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
