//! Requests to a program that listens on a port of the instance's own loopback.

use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use bytes::Bytes;
use http::header::HOST;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use modelet_core::{Code, FunctionError};

use super::api::Begun;
use crate::handler::OF_A_CONNECTION;

/// A request is made again on a new connection when the one that was kept turns out to be gone.
const TRIES: usize = 2;

/// The way to the program.
pub(super) struct Proxy {
    port: u16,
    response_limit_bytes: u64,
    /// Connections without a request.
    idle: RefCell<Vec<SendRequest<Full<Bytes>>>>,
}

/// A port that nobody listens on.
pub(super) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Whether somebody listens on a port.
pub(super) fn listens(port: u16) -> Option<Begun> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok().then_some(Begun::Ready)
}

impl Proxy {
    pub(super) fn to(port: u16, response_limit_bytes: u64) -> Self {
        Self { port, response_limit_bytes, idle: RefCell::default() }
    }

    /// Sends a request on, by the path behind the function's own, and takes the whole answer.
    pub(super) async fn call(&self, head: &Parts, body: Bytes) -> Result<Response<Bytes>, FunctionError> {
        let mut last = String::new();
        for _ in 0..TRIES {
            let mut connection = self.connection().await?;
            match connection.send_request(self.request(head, body.clone())?).await {
                Ok(response) => {
                    let (mut head, body) = response.into_parts();
                    let limit = self.response_limit_bytes;
                    let body =
                        Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX)).collect().await;
                    let body = body.map_err(|error| broken(error.as_ref(), limit))?.to_bytes();
                    self.idle.borrow_mut().push(connection);
                    OF_A_CONNECTION.iter().for_each(|name| drop(head.headers.remove(name)));
                    return Ok(Response::from_parts(head, body));
                }
                Err(error) => last = error.to_string(),
            }
        }
        let message = format!("the program broke the connection before it answered: {last}");
        Err(FunctionError::new(Code::HandlerFailed, message).hint("modelet logs shows what it said"))
    }

    fn request(&self, head: &Parts, body: Bytes) -> Result<Request<Full<Bytes>>, FunctionError> {
        let (_, path) = modelet_protocol::split(head.uri.path());
        let query = head.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut request = Request::new(Full::new(body));
        let failed =
            |error: http::uri::InvalidUri| FunctionError::new(Code::BadInput, format!("the path: {error}"));
        *request.uri_mut() = format!("{path}{query}").parse().map_err(failed)?;
        *request.method_mut() = head.method.clone();
        *request.headers_mut() = head.headers.clone();
        let host = HeaderValue::from_str(&format!("127.0.0.1:{}", self.port)).ok();
        if let Some(host) = host.filter(|_| !head.headers.contains_key(HOST)) {
            request.headers_mut().insert(HOST, host);
        }
        OF_A_CONNECTION.iter().for_each(|name| drop(request.headers_mut().remove(name)));
        Ok(request)
    }

    async fn connection(&self) -> Result<SendRequest<Full<Bytes>>, FunctionError> {
        loop {
            let Some(mut kept) = self.idle.borrow_mut().pop() else { break };
            if kept.ready().await.is_ok() {
                return Ok(kept);
            }
        }
        let failed = |error: String| {
            FunctionError::new(Code::HandlerFailed, format!("the program takes no connection: {error}"))
        };
        let stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await;
        let stream = stream.map_err(|error| failed(error.to_string()))?;
        stream.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
        let (sender, driver) =
            handshake(TokioIo::new(stream)).await.map_err(|error| failed(error.to_string()))?;
        // It ends with the connection, whose errors the sender of the request sees too.
        tokio::task::spawn_local(async move { drop(driver.await) });
        Ok(sender)
    }
}

fn broken(error: &(dyn std::error::Error + Send + Sync + 'static), limit: u64) -> FunctionError {
    if error.is::<LengthLimitError>() {
        FunctionError::new(
            Code::ResponseTooLarge,
            format!("the answer is larger than the limit of {limit} bytes"),
        )
    } else {
        FunctionError::new(Code::HandlerFailed, format!("the answer ended before it was whole: {error}"))
    }
}
