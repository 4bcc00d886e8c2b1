//! What answers an invocation. A handler is one file here and one implementation of [`Handler`].

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use crate::config::Config;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Response};
use modelet_core::instance::HEADER_ERROR;
use modelet_core::{Code, Failure, FunctionError};
use modelet_protocol::{ProtocolName, Refused};

pub(crate) mod body;
mod child;
pub(crate) mod event;
mod model;
mod program;
mod python;
mod timing;
mod websocket;

pub use body::AnswerBody;
pub use model::ModelHandler;
pub use program::ProgramHandler;
pub use python::{Preparation, PreparedPython, PythonHandler};

/// A body on its way: whole in the end, or the reason why it is not.
pub type Arriving<'a> = Pin<Box<dyn Future<Output = Result<Bytes, FunctionError>> + 'a>>;
/// An answer on its way. An instance does everything on one thread, so it need not be `Send`.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Response<AnswerBody>> + 'a>>;

/// The end of what computes, on its way: an exit code.
pub type Ending<'a> = Pin<Box<dyn Future<Output = u8> + 'a>>;

/// A handler, or why it cannot be.
pub type Loaded = Result<Box<dyn Handler>, FunctionError>;

/// What the card of an artifact names.
pub fn load(config: &Config) -> Loaded {
    Ok(match &config.card.handler {
        modelet_core::Handler::Model(_) => Box::new(ModelHandler::load(config)?),
        modelet_core::Handler::Python(python) => Box::new(PythonHandler::load(config, python)?),
        modelet_core::Handler::Program(program) => Box::new(ProgramHandler::load(config, program)?),
    })
}

/// Headers that each connection says anew.
const OF_A_CONNECTION: [HeaderName; 3] =
    [http::header::CONTENT_LENGTH, http::header::TRANSFER_ENCODING, http::header::CONNECTION];

/// Answers invocations; as many at a time as there are connections.
pub trait Handler {
    /// Answers one request. Every failure, the body's too, becomes an answer in the client's own protocol. A panic fails the
    /// call alone.
    fn answer<'a>(&'a self, head: &'a Parts, body: Arriving<'a>) -> Answering<'a>;

    /// When what computes has ended by itself: what to end with. There is nobody left to answer then, and the calls that it had are
    /// lost with it.
    fn ended(&self) -> Ending<'_> {
        Box::pin(std::future::pending())
    }

    /// Tells the code that nobody wants the rest of an answer that it makes. False where there is no such answer, or nobody to tell.
    fn cancel(&self, _invocation: &str) -> bool {
        false
    }

    /// The modules that its code asked for while it was loaded.
    fn imports(&self) -> Vec<String> {
        Vec::new()
    }

    /// The largest body that it reads, in bytes.
    fn body_limit_bytes(&self) -> u64;
}

/// The answer of a handler; a panic on the way becomes a failure that says its message.
pub(crate) async fn answered(
    handler: &dyn Handler,
    head: &Parts,
    body: Arriving<'_>,
) -> Response<AnswerBody> {
    let mut answering = match catch_unwind(AssertUnwindSafe(|| handler.answer(head, body))) {
        Ok(answering) => answering,
        Err(panic) => return lost(head, panic.as_ref()).map(Into::into),
    };
    poll_fn(move |context| {
        let polled = catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(context)));
        polled.unwrap_or_else(|panic| Poll::Ready(lost(head, panic.as_ref()).map(Into::into)))
    })
    .await
}

fn lost(head: &Parts, panic: &(dyn Any + Send)) -> Response<Bytes> {
    let protocol = match modelet_protocol::route(&head.method, head.uri.path()) {
        Some(Ok(route)) => route.protocol,
        Some(Err((protocol, _))) => protocol,
        None => ProtocolName::Fn,
    };
    failed(protocol, &panicked(panic).into())
}

/// An answer that is not too large.
fn within(limit_bytes: u64, response: Response<Bytes>) -> Result<Response<Bytes>, FunctionError> {
    let size = response.body().len() as u64;
    if size <= limit_bytes {
        return Ok(response);
    }
    let message = format!("the answer has {size} bytes, the limit is {limit_bytes}");
    Err(FunctionError::new(Code::ResponseTooLarge, message).hint("raise it: --set response_limit_mib=512"))
}

/// A failure in the words of a protocol, with its code in a header for the host.
pub(crate) fn failed(protocol: ProtocolName, failure: &Failure) -> Response<Bytes> {
    coded(failure.code(), modelet_protocol::error(protocol, failure, None))
}

/// The same of a call that was read, in the form that it asked for.
pub(crate) fn refused(protocol: ProtocolName, refused: Refused) -> Response<Bytes> {
    coded(refused.error.code, modelet_protocol::refuse(protocol, refused))
}

fn coded(code: Code, mut response: Response<Bytes>) -> Response<Bytes> {
    let code = HeaderValue::from_static(code.as_str());
    response.headers_mut().insert(HeaderName::from_static(HEADER_ERROR), code);
    response
}

/// A defect, ours or an engine's, must not take the calls beside it along.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> FunctionError {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    FunctionError::new(Code::PredictionFailed, format!("a defect was met on this input: {text}"))
}
