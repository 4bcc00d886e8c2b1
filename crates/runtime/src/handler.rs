//! What answers an invocation. A handler is one file here and one implementation of [`Handler`].

use bytes::Bytes;
use http::Response;
use http::request::Parts;

mod model;

pub use model::ModelHandler;

/// Answers invocations, one at a time.
pub trait Handler {
    /// Answers one request whose body has arrived whole. Every failure becomes an answer in the client's own protocol.
    fn answer(&mut self, head: &Parts, body: Bytes) -> Response<Bytes>;

    /// The largest body that it reads, in bytes.
    fn body_limit_bytes(&self) -> u64;
}
