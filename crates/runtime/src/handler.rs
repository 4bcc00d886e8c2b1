//! What answers an invocation. A handler is one file here and one implementation of [`Handler`].

use std::any::Any;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use modelet_core::{Code, FunctionError};

mod model;

pub use model::ModelHandler;

/// A body on its way: whole in the end, or the reason why it is not.
pub type Arriving<'a> = Pin<Box<dyn Future<Output = Result<Bytes, FunctionError>> + 'a>>;
/// An answer on its way. An instance does everything on one thread, so it need not be `Send`.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Response<Bytes>> + 'a>>;

/// Answers invocations; as many at a time as there are connections.
pub trait Handler {
    /// Answers one request. Every failure, the body's too, becomes an answer in the client's own protocol.
    fn answer<'a>(&'a self, head: &'a Parts, body: Arriving<'a>) -> Answering<'a>;

    /// The largest body that it reads, in bytes.
    fn body_limit_bytes(&self) -> u64;
}

/// A defect, ours or an engine's, must not take the calls beside it along.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> FunctionError {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    FunctionError::new(Code::PredictionFailed, format!("a defect was met on this input: {text}"))
}
