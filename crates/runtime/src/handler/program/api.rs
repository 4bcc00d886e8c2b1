//! AWS Lambda's Runtime API, version 2018-06-01, as its server: on a port of the instance's own loopback, where only the program is.
//!
//! | request | answer |
//! |---|---|
//! | `GET /runtime/invocation/next` | the next event, as soon as there is one; headers say what call it is |
//! | `POST /runtime/invocation/ID/response` | 202; the body is the result |
//! | `POST /runtime/invocation/ID/error` | 202; the body says what was raised |
//! | `POST /runtime/init/error` | 202; there will be no handler |
//!
//! Source: the docs of Lambda, "Using the Lambda runtime API".

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use modelet_core::error::Raised;
use modelet_core::instance::lambda;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::LocalSet;

use crate::handler::event;
use crate::log::{self, Level};

const PREFIX: &str = "/2018-06-01/runtime/";
/// A result that says a response's head before its body.
const WITH_HEAD: &str = "application/vnd.awslambda.http-integration-response";
/// What lies between them.
const HEAD_END: [u8; 8] = [0; 8];

/// How far the program has come.
#[derive(Debug)]
pub(super) enum Begun {
    /// It has asked for its first event, or listens.
    Ready,
    /// It says why it cannot.
    Failed(String),
}

/// What came of a call.
#[derive(Debug)]
pub(super) enum Outcome {
    /// JSON that the function returned.
    Answered(Bytes),
    /// A response that it wrote itself.
    Response(Response<Bytes>),
    /// It raised an error.
    Failed(Raised),
}

/// The server, on a thread of its own.
pub(super) struct Api {
    address: SocketAddr,
    calls: mpsc::UnboundedSender<Pending>,
}

/// A call that the program has not fetched yet.
struct Pending {
    headers: HeaderMap,
    event: Bytes,
    answer: oneshot::Sender<Outcome>,
}

/// What all connections share; all on one thread.
#[derive(Default)]
struct State {
    waiting: RefCell<VecDeque<Pending>>,
    running: RefCell<HashMap<String, oneshot::Sender<Outcome>>>,
    news: Notify,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct SaidError {
    error_message: String,
    error_type: String,
    stack_trace: Vec<serde_json::Value>,
}

impl Api {
    /// Begins to serve; the receiver hears of the first event that is asked for.
    pub(super) fn serve() -> io::Result<(Self, Receiver<Begun>)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (calls, pending) = mpsc::unbounded_channel();
        let (begun, asked) = channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("runtime-api".to_owned()).spawn(move || {
            let served = runtime.block_on(LocalSet::new().run_until(serve(listener, pending, begun)));
            if let Err(error) = served {
                log::say(Level::Error, &format!("Lambda's Runtime API could not be served: {error}"));
            }
        })?;
        Ok((Self { address, calls }, asked))
    }

    /// Host and port, for `AWS_LAMBDA_RUNTIME_API`.
    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Hands in a call, and waits until the program has answered it.
    pub(super) async fn call(&self, headers: HeaderMap, event: Bytes) -> Outcome {
        let (answer, answered) = oneshot::channel();
        let gone = |_| {
            let message = "the program is gone".to_owned();
            Outcome::Failed(Raised { kind: "Runtime.ExitError".to_owned(), message, stack: vec![] })
        };
        // Where nobody receives it, nobody answers either.
        let _ = self.calls.send(Pending { headers, event, answer });
        answered.await.unwrap_or_else(gone)
    }
}

async fn serve(
    listener: TcpListener,
    mut pending: mpsc::UnboundedReceiver<Pending>,
    begun: Sender<Begun>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let state = Rc::new(State::default());
    loop {
        tokio::select! {
            call = pending.recv() => match call {
                Some(call) => {
                    state.waiting.borrow_mut().push_back(call);
                    state.news.notify_one();
                }
                None => return Ok(()),
            },
            stream = listener.accept() => {
                let (stream, _) = stream?;
                // Answers are complete: waiting to fill a packet only costs latency.
                stream.set_nodelay(true)?;
                let (state, begun) = (state.clone(), begun.clone());
                let service = service_fn(move |request| answer(state.clone(), begun.clone(), request));
                let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // How it ends is the program's affair.
                tokio::task::spawn_local(async move { drop(connection.await) });
            }
        }
    }
}

async fn answer(
    state: Rc<State>,
    begun: Sender<Begun>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().strip_prefix(PREFIX).unwrap_or_default().to_owned();
    let parts: Vec<&str> = path.split('/').collect();
    Ok(match (&head.method, parts.as_slice()) {
        (&Method::GET, ["invocation", "next"]) => {
            // Only the first one is waited for.
            let _ = begun.send(Begun::Ready);
            next(&state).await
        }
        (&Method::POST, ["invocation", id, what @ ("response" | "error")]) => {
            let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
                return Ok(said(
                    StatusCode::BAD_REQUEST,
                    "InvalidRequest",
                    "the body ended before it was whole",
                ));
            };
            let Some(caller) = state.running.borrow_mut().remove(*id) else {
                return Ok(said(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID"));
            };
            let outcome =
                if *what == "error" { Outcome::Failed(raised(&body)) } else { result(&head.headers, body) };
            // A caller that has gone does not want it.
            let _ = caller.send(outcome);
            taken()
        }
        (&Method::POST, ["init", "error"]) => {
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let raised = raised(&body);
            let _ = begun.send(Begun::Failed(format!("{}: {}", raised.kind, raised.message)));
            taken()
        }
        _ => said(StatusCode::NOT_FOUND, "NotFound", "the Runtime API has no such path"),
    })
}

/// The next event, as soon as there is one.
async fn next(state: &State) -> Response<Full<Bytes>> {
    loop {
        let call = state.waiting.borrow_mut().pop_front();
        let Some(Pending { headers, event, answer }) = call else {
            state.news.notified().await;
            continue;
        };
        if !state.waiting.borrow().is_empty() {
            // For whoever else waits.
            state.news.notify_one();
        }
        let id =
            headers.get(lambda::REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
        state.running.borrow_mut().insert(id, answer);
        let mut response = Response::new(Full::new(event));
        *response.headers_mut() = headers;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        return response;
    }
}

fn result(headers: &HeaderMap, body: Bytes) -> Outcome {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with(WITH_HEAD) {
        return Outcome::Answered(body);
    }
    let end = body.windows(HEAD_END.len()).position(|window| window == HEAD_END);
    let response = end.ok_or_else(|| "the head of the response has no end".to_owned()).and_then(|end| {
        event::headed(&body[..end], body.slice(end + HEAD_END.len()..)).map_err(|error| error.message)
    });
    response.map_or_else(
        |message| {
            Outcome::Failed(Raised { kind: "Runtime.InvalidResponse".to_owned(), message, stack: vec![] })
        },
        Outcome::Response,
    )
}

fn raised(body: &[u8]) -> Raised {
    let said: SaidError = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Raised {
        kind: if said.error_type.is_empty() { "Runtime.Unknown".to_owned() } else { said.error_type },
        message: said.error_message,
        stack: said.stack_trace.iter().map(text).collect(),
    }
}

fn taken() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(r#"{"status":"OK"}"#));
    *response.status_mut() = StatusCode::ACCEPTED;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn said(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    let body = json!({ "errorMessage": message, "errorType": kind }).to_string();
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
