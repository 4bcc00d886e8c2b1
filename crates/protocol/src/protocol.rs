//! What a protocol is: the words that the gateway and the runtime exchange with one, and the trait behind them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use modelet_core::manifest::NonFinite;
use modelet_core::{
    ArtifactCard, Code, Failure, FunctionError, FunctionName, InvocationId, PlatformError, Qualifier,
    Signature, Tensor, Value, Version,
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
    /// Invoke of AWS Lambda's API: `/2015-03-31/functions/NAME/invocations`.
    LambdaInvoke,
}

impl ProtocolName {
    /// The name as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fn => "fn",
            Self::KserveV2 => "kserve_v2",
            Self::LambdaInvoke => "lambda_invoke",
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

/// How a client wants a prediction to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It waits for the answer.
    Waited,
    /// It is told that the call is accepted, and the answer comes later.
    Later,
    /// It is told whether the call could be made, and none is made.
    Checked,
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

impl Route {
    /// The function; a failure where the path names none.
    pub fn named(&self) -> Result<&FunctionName, PlatformError> {
        let none = || PlatformError::new(Code::RouteNotFound, "the path names no function");
        self.function.as_ref().ok_or_else(none)
    }
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

/// A call that a model did not answer.
#[derive(Debug, Clone)]
pub struct Refused {
    /// Why.
    pub error: FunctionError,
    /// How the request wants to be answered, when that is known already.
    pub reply: Option<Reply>,
}

impl From<FunctionError> for Refused {
    fn from(error: FunctionError) -> Self {
        Self { error, reply: None }
    }
}

/// One way to write what a model answered.
pub(crate) trait Answer: fmt::Debug + Send + Sync {
    /// A failure, where it is written in another form than the protocol's errors.
    fn refuse(&self, _failure: &Failure) -> Option<Response<Bytes>> {
        None
    }

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

/// What was said of a call that an instance had, and what it took.
#[derive(Debug, Clone, Copy)]
pub struct CallLog<'a> {
    /// The call.
    pub invocation: &'a InvocationId,
    /// The version that had it.
    pub version: Version,
    /// What was printed, logged and raised: whole lines.
    pub said: &'a str,
    /// In the instance, milliseconds.
    pub duration_ms: f64,
    /// What is billed, milliseconds.
    pub billed_ms: u64,
    /// Memory of the instance as it was set, MiB.
    pub memory_mib: u64,
    /// The most that it held so far, MiB.
    pub peak_memory_mib: u64,
    /// The start of the instance, where the call waited for it, milliseconds.
    pub init_ms: Option<f64>,
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
    fn route(&self, method: &Method, path: &str, query: Option<&str>)
    -> Option<Result<Route, PlatformError>>;

    /// How a prediction is to be made; `None` where the protocol has no words for that.
    fn manner(&self, _headers: &HeaderMap) -> Result<Option<Manner>, PlatformError> {
        Ok(None)
    }

    /// Body to tensors.
    fn decode(&self, request: Request<'_>, ctx: &FunctionContext) -> Result<Decoded, Refused>;

    /// What a client is told whose call is not made now: accepted for later, or only checked.
    fn acknowledge(
        &self,
        _manner: Manner,
        function: &FunctionName,
        invocation: &InvocationId,
    ) -> Response<Bytes> {
        let result = format!("/fn/{function}/invocations/{invocation}");
        let body = serde_json::json!({ "invocation": invocation, "result": result });
        let mut response = json_response(StatusCode::ACCEPTED, &body);
        response.headers_mut().extend(HeaderValue::try_from(result).ok().map(|at| (header::LOCATION, at)));
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        response
    }

    /// Adds to an answer what the protocol says of a call: its id, and the version that had it.
    fn mark(&self, _headers: &mut HeaderMap, _invocation: &InvocationId, _version: Version) {}

    /// True for a client that wants to hear what was said of its call.
    fn wants_log(&self, _headers: &HeaderMap) -> bool {
        false
    }

    /// Adds to an answer what was said of its call, for a client that wanted to hear it.
    fn tell_log(&self, _headers: &mut HeaderMap, _log: &CallLog<'_>) {}

    /// Any failure.
    fn error(&self, failure: &Failure, invocation: Option<&InvocationId>) -> Response<Bytes>;

    /// What the function is. A protocol that only calls functions routes nothing here.
    fn describe(&self, _view: &FunctionView<'_>, _headers: &HeaderMap) -> Response<Bytes> {
        self.error(&nothing_there().into(), None)
    }

    /// The state of the server, or of a function, as a health check sees it. A protocol that only calls functions routes
    /// nothing here.
    fn server(&self, _route: &Route, _state: &ServerState<'_>) -> Response<Bytes> {
        self.error(&nothing_there().into(), None)
    }

    /// Valid requests, the simplest first.
    fn samples(&self, name: &FunctionName, signature: &Signature) -> Vec<Sample>;
}

fn nothing_there() -> PlatformError {
    PlatformError::new(Code::RouteNotFound, "this protocol only calls functions")
}

/// A response with one kind of body.
pub(crate) fn response(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
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
    headers.insert("x-modelet-error", HeaderValue::from_static(code.as_str()));
    if let Failure::Platform(PlatformError { retry_after_s: Some(seconds), .. }) = failure {
        headers.insert(header::RETRY_AFTER, (*seconds).into());
    }
    response
}
