//! What a protocol is: the words that the gateway and the runtime exchange with one, and the trait behind them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, header};
use modelet_core::manifest::NonFinite;
use modelet_core::{
    ArtifactCard, Failure, FunctionError, FunctionName, InvocationId, PlatformError, Qualifier, Signature,
    Tensor, Value, Version,
};

use crate::media;
use crate::sample::Sample;

/// The protocols, by the names that logs and metrics use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProtocolName {
    /// modelet's own: `/fn/NAME`, bodies by content type.
    Fn,
    /// KServe V2, the Open Inference Protocol: `/v2/models/NAME/infer`.
    KserveV2,
}

impl ProtocolName {
    /// The name as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fn => "fn",
            Self::KserveV2 => "kserve_v2",
        }
    }
}

impl fmt::Display for ProtocolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Outputs for inputs: the one operation that needs an instance.
    Predict,
    /// What became of an asynchronous invocation.
    Result,
    /// What the function takes and gives.
    Describe,
    /// Whether the function can answer.
    Ready,
    /// Whether the platform runs.
    ServerLive,
    /// Whether the platform takes requests.
    ServerReady,
    /// What the platform is.
    ServerMetadata,
    /// Which functions the platform has.
    ServerIndex,
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// The protocol that the client speaks.
    pub protocol: ProtocolName,
    /// The function; `None` for questions about the server.
    pub function: Option<FunctionName>,
    /// Which version of it.
    pub qualifier: Qualifier,
    /// What is asked.
    pub operation: Operation,
    /// The invocation whose answer is asked for, with [`Operation::Result`].
    pub invocation: Option<InvocationId>,
}

/// What health checks and questions about the server are answered from.
#[derive(Debug, Clone, Copy)]
pub struct ServerState<'a> {
    /// Whether what was asked for is live or ready.
    pub ok: bool,
    /// Every function with its live version, for [`Operation::ServerIndex`].
    pub functions: &'a [(FunctionName, Version)],
}

/// What decoding and encoding need to know of a function.
#[derive(Debug, Clone)]
pub struct FunctionContext {
    /// Its name.
    pub name: FunctionName,
    /// The version that answers.
    pub version: Version,
    /// What it takes and gives.
    pub signature: Signature,
    /// How NaN and infinities are written in JSON.
    pub non_finite: NonFinite,
    /// Largest body, as sent and after decompression.
    pub body_limit_bytes: u64,
    /// Largest answer.
    pub response_limit_bytes: u64,
}

/// A request, read.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// The inputs by name, in the model's order; an optional input may be absent.
    pub inputs: Vec<(String, Tensor)>,
    /// The outputs asked for; `None` for all.
    pub outputs: Option<Vec<String>>,
    /// How to answer.
    pub reply: Reply,
}

/// How a request wants to be answered. Opaque: made by `decode`, used by `encode`.
#[derive(Debug, Clone)]
pub struct Reply(pub(crate) Arc<dyn Answer>);

/// One way to write what a model answered.
pub(crate) trait Answer: fmt::Debug + Send + Sync {
    /// The whole response.
    fn encode(
        &self,
        outputs: Vec<(String, Value)>,
        ctx: &FunctionContext,
    ) -> Result<Response<Bytes>, FunctionError>;
}

/// What a function shows of itself without running.
#[derive(Debug, Clone, Copy)]
pub struct FunctionView<'a> {
    /// The card of the version that was asked for.
    pub card: &'a ArtifactCard,
    /// That version.
    pub version: Version,
    /// Every version there is.
    pub versions: &'a [Version],
    /// Where the platform is reached, such as `http://127.0.0.1:8080`, for lines to copy.
    pub base_url: &'a str,
}

/// A request's parts that a decoder reads; the body is already unpacked.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) query: Option<&'a str>,
    pub(crate) body: Bytes,
}

/// A client wire format.
///
/// To add one:
/// 1. a file with a unit struct that implements this trait: `route` claims the paths, `decode` makes tensors and a
///    [`Reply`] whose [`Answer`] is the way back, `error` says any failure as this protocol's clients expect it;
/// 2. a variant in [`ProtocolName`], a line in `PROTOCOLS`;
/// 3. `samples`: valid requests, which the tests of `sample.rs` send through your own `decode`;
/// 4. a test with the protocol's own client, unmodified.
///
/// Use `json`, `cast` and `layout` for reading values, so that all protocols refuse alike.
pub(crate) trait Protocol: Sync {
    /// Its name.
    fn name(&self) -> ProtocolName;

    /// Where a request goes; `None` when the path is another protocol's.
    fn route(&self, method: &Method, path: &str) -> Option<Result<Route, PlatformError>>;

    /// Body to tensors.
    fn decode(&self, request: Request<'_>, ctx: &FunctionContext) -> Result<Decoded, FunctionError>;

    /// Any failure.
    fn error(&self, failure: &Failure, invocation: Option<&InvocationId>) -> Response<Bytes>;

    /// What the function is.
    fn describe(&self, view: &FunctionView<'_>, headers: &HeaderMap) -> Response<Bytes>;

    /// The state of the server, or of a function, as a health check sees it.
    fn server(&self, route: &Route, state: &ServerState<'_>) -> Response<Bytes>;

    /// Valid requests, the simplest first.
    fn samples(&self, name: &FunctionName, signature: &Signature) -> Vec<Sample>;
}

/// A response with one kind of body.
pub(crate) fn response(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}

/// A JSON response of anything that serde writes.
pub(crate) fn json_response(status: StatusCode, body: &impl serde::Serialize) -> Response<Bytes> {
    // What we answer with are structs and strings, which always serialise.
    response(status, media::JSON, serde_json::to_vec(body).unwrap_or_default())
}

/// The response to a failure, around a body in the protocol's words.
pub(crate) fn failure_response(failure: &Failure, body: &impl serde::Serialize) -> Response<Bytes> {
    let code = failure.code();
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json_response(status, body);
    let headers = response.headers_mut();
    headers.insert("x-modelet-error", http::HeaderValue::from_static(code.as_str()));
    if let Failure::Platform(PlatformError { retry_after_s: Some(seconds), .. }) = failure {
        headers.insert(header::RETRY_AFTER, (*seconds).into());
    }
    response
}
