//! Requests to a program that listens on a port of the instance's own loopback.

use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::HOST;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use modelet_core::{Code, FunctionError};

use super::api::Begun;
use crate::handler::body::{AnswerBody, whole};
use crate::handler::{OF_A_CONNECTION, websocket};

/// A request is made again on a new connection when the one that was kept turns out to be gone.
const TRIES: usize = 2;

/// The way to the program.
pub(super) struct Proxy {
    port: u16,
    pub(super) response_limit_bytes: u64,
    /// Connections without a request.
    idle: Rc<RefCell<Vec<Connection>>>,
}

type Connection = SendRequest<Full<Bytes>>;

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
        Self { port, response_limit_bytes, idle: Rc::default() }
    }

    /// Sends a request on, by the path behind the function's own. An answer that says its length is taken whole.
    pub(super) async fn call(
        &self,
        head: &Parts,
        body: Bytes,
    ) -> Result<Response<AnswerBody>, FunctionError> {
        if let Some(client) = websocket::asked(head) {
            return self.converse(client, head).await;
        }
        let mut last = String::new();
        for _ in 0..TRIES {
            let mut connection = self.connection().await?;
            match connection.send_request(self.request(head, body.clone())?).await {
                // It was asked for nothing that would begin so.
                Ok(response) if response.status().is_informational() => {
                    let message = format!("the program answered with the status {}", response.status());
                    return Err(FunctionError::new(Code::HandlerFailed, message));
                }
                Ok(mut response) => {
                    let has_length = response.body().size_hint().exact().is_some();
                    OF_A_CONNECTION.iter().for_each(|name| drop(response.headers_mut().remove(name)));
                    let idle = self.idle.clone();
                    let response = response
                        .map(|body| AnswerBody::pieces(Passed { body, kept: Some((connection, idle)) }));
                    return match has_length {
                        true => Ok(whole(response, self.response_limit_bytes).await?.map(Into::into)),
                        false => Ok(response),
                    };
                }
                Err(error) => last = error.to_string(),
            }
        }
        let message = format!("the program broke the connection before it answered: {last}");
        Err(FunctionError::new(Code::HandlerFailed, message).hint("modelet logs shows what it said"))
    }

    /// Asks for a websocket, on a connection of its own, and joins both if it is one.
    async fn converse(&self, client: OnUpgrade, head: &Parts) -> Result<Response<AnswerBody>, FunctionError> {
        let mut request = self.request(head, Bytes::new())?;
        websocket::name(request.headers_mut());
        let mut connection = self.connect().await?;
        let failed = |error: hyper::Error| {
            FunctionError::new(Code::HandlerFailed, format!("the program broke the connection: {error}"))
        };
        let mut response = connection.send_request(request).await.map_err(failed)?;
        let program = hyper::upgrade::on(&mut response);
        let is_one = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        OF_A_CONNECTION.iter().for_each(|name| drop(response.headers_mut().remove(name)));
        let response = response.map(|body| AnswerBody::pieces(Passed { body, kept: None }));
        let mut response = whole(response, self.response_limit_bytes).await?.map(Into::into);
        if is_one {
            websocket::name(response.headers_mut());
            websocket::join(client, program);
        }
        Ok(response)
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

    async fn connection(&self) -> Result<Connection, FunctionError> {
        loop {
            let Some(mut kept) = self.idle.borrow_mut().pop() else { break };
            if kept.ready().await.is_ok() {
                return Ok(kept);
            }
        }
        self.connect().await
    }

    async fn connect(&self) -> Result<Connection, FunctionError> {
        let failed = |error: String| {
            FunctionError::new(Code::HandlerFailed, format!("the program takes no connection: {error}"))
        };
        let stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await;
        let stream = stream.map_err(|error| failed(error.to_string()))?;
        stream.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
        let (sender, driver) =
            handshake(TokioIo::new(stream)).await.map_err(|error| failed(error.to_string()))?;
        // It ends with the connection, whose errors the sender of the request sees too.
        tokio::task::spawn_local(async move { drop(driver.with_upgrades().await) });
        Ok(sender)
    }
}

/// A body of the program's. Read to its end, its connection is kept; dropped before, it is closed, and the program sees that.
struct Passed {
    body: Incoming,
    kept: Option<(Connection, Rc<RefCell<Vec<Connection>>>)>,
}

impl Body for Passed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none()
            && let Some((connection, idle)) = self.kept.take()
        {
            idle.borrow_mut().push(connection);
        }
        Poll::Ready(frame)
    }
}
