//! How requests travel. Whoever deploys goes through proxies and trusts what its machine trusts; a runtime goes straight.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::error::CloudError;

/// A request, whole.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Where to, with its query.
    pub url: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Until the answer is whole.
    pub timeout: Duration,
}

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// An answer on its way, or what happened to it.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<Answer, CloudError>> + Send + 'a>>;

/// Who sends requests.
pub trait Transport: Send + Sync {
    /// Sends a request and reads the answer whole, whatever its status.
    ///
    /// # Errors
    /// [`Kind::Unreachable`](crate::error::Kind::Unreachable), with what happened on the way.
    fn send<'a>(&'a self, request: &'a Request) -> Sending<'a>;
}
