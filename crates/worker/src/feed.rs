//! HTTP/1.1 to an instance. A connection is a concurrency slot: one call at a time, kept for the next.
//!
//! - [`wire`]: the socket under a connection

mod wire;

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use modelet_core::InvocationId;
use modelet_core::instance::{CANCEL_PATH, HEADER_INVOCATION, HEALTH_PATH, Health, READY_PATH, Readiness};
use modelet_socket::Socket;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::socket::Address;
use wire::{Trace, Wire};

/// Largest answer to a readiness question, in bytes.
const MAX_READINESS_BYTES: usize = 64 << 10;

/// Why an instance gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// No connection could be made.
    #[error("could not connect to the instance: {0}")]
    Connect(io::Error),
    /// The instance has ended, and has read nothing of the call: it can be sent to another one.
    #[error("the instance ended before it took the call in: {0}")]
    NotTaken(String),
    /// The connection broke in the middle.
    #[error("the connection to the instance broke: {0}")]
    Broken(#[from] hyper::Error),
    /// What it said is not what an instance says.
    #[error("the instance gave an answer that makes no sense: {0}")]
    Nonsense(String),
}

/// A connection that carries one call at a time.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    trace: Arc<Trace>,
}

/// The connections to one instance.
#[derive(Debug)]
pub struct Feed {
    address: Address,
    idle: Mutex<Vec<Connection>>,
}

impl Feed {
    /// A feed to the instance behind an address; connects when needed.
    pub fn new(address: Address) -> Self {
        Self { address, idle: Mutex::new(Vec::new()) }
    }

    /// Sends one call and waits for the head of its answer. Give the connection back with [`Feed::give_back`] when the body
    /// has been read to its end; dropped before, it is closed, and with it the call.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Connection), FeedError> {
        let mut connection = self.connection().await?;
        connection.trace.begin();
        match connection.sender.send_request(request).await {
            Ok(response) => Ok((response, connection)),
            // What hyper itself finds wrong with the request says nothing about the instance.
            Err(error) if connection.trace.is_unread() && !error.is_user() => {
                Err(FeedError::NotTaken(error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Keeps a connection for the next call.
    pub fn give_back(&self, connection: Connection) {
        if !connection.sender.is_closed() {
            self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(connection);
        }
    }

    /// Waits until the instance has loaded, or says why it cannot.
    pub async fn readiness(&self) -> Result<Readiness, FeedError> {
        self.ask(READY_PATH).await
    }

    /// Asks how the instance is. It answers when it does not compute.
    pub async fn health(&self) -> Result<Health, FeedError> {
        self.ask(HEALTH_PATH).await
    }

    /// Says that nobody wants the rest of an answer. True when the code is told: the answer ends when it has.
    pub async fn cancel(&self, invocation: &InvocationId) -> Result<bool, FeedError> {
        let request = Request::post(CANCEL_PATH).header(HEADER_INVOCATION, &invocation.0);
        let request = request.body(Full::default()).map_err(|e| FeedError::Nonsense(e.to_string()))?;
        let (response, connection) = self.send(request).await?;
        let is_told = response.status().is_success();
        if Limited::new(response.into_body(), MAX_READINESS_BYTES).collect().await.is_ok() {
            self.give_back(connection);
        }
        Ok(is_told)
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, FeedError> {
        let request =
            Request::get(path).body(Full::default()).map_err(|e| FeedError::Nonsense(e.to_string()))?;
        let (response, connection) = self.send(request).await?;
        let body = Limited::new(response.into_body(), MAX_READINESS_BYTES).collect().await;
        let bytes = body.map_err(|error| FeedError::Nonsense(error.to_string()))?.to_bytes();
        self.give_back(connection);
        serde_json::from_slice(&bytes).map_err(|error| FeedError::Nonsense(error.to_string()))
    }

    async fn connection(&self) -> Result<Connection, FeedError> {
        // Not the oldest but the latest: its buffers are warm.
        while let Some(mut idle) = self.pop() {
            if idle.sender.ready().await.is_ok() {
                return Ok(idle);
            }
        }
        let stream = UnixStream::connect(self.address.path()).await.map_err(not_connected)?;
        let trace = Arc::new(Trace::default());
        let socket = stream.into_std().and_then(Socket::new).map_err(FeedError::Connect)?;
        let wire = TokioIo::new(Wire::new(socket, trace.clone()));
        let (sender, driver) = hyper::client::conn::http1::handshake(wire).await?;
        // It ends with the connection, whose errors the sender of the request sees too.
        tokio::spawn(async move { drop(driver.with_upgrades().await) });
        Ok(Connection { sender, trace })
    }

    fn pop(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop()
    }
}

/// Nobody listens any more when the instance has ended; anything else is our trouble.
fn not_connected(error: io::Error) -> FeedError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => FeedError::NotTaken(error.to_string()),
        _ => FeedError::Connect(error),
    }
}

#[cfg(test)]
mod tests;
