//! The contract `http`: HTTP/1.1 on a socket that the host bound and we inherited, or on the port that it named.
//!
//! - [`site`]: what other hosts than ours ask, and look for in an answer
//! - [`azure`]: the envelope of one of them
//!
//! One thread does everything, the computing too, and calls that come meanwhile wait in the sockets, unread. That saves the
//! two thread switches that would cost more than a small model's answer. Engines that compute with several threads do so
//! below the handler.

mod azure;
mod site;

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use modelet_core::instance::{
    CANCEL_PATH, HEADER_INVOCATION, HEALTH_PATH, Health, HealthState, READY_PATH, Readiness,
};
use modelet_core::{Code, FunctionError};
use modelet_socket::Socket;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::task::LocalSet;

use crate::handler::{self, AnswerBody, Loaded};
use crate::inherited::Listener;
use crate::log::Call;

pub use site::Site;

/// When a connection cannot be accepted, the next try comes after this.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// When the handler has ended, answers that it gave before are written within this time.
const LAST_ANSWERS: Duration = Duration::from_millis(20);

/// What every connection shares; all on one thread.
struct Shared {
    handler: Loaded,
    readiness: Readiness,
    /// Calls that were taken in and are not yet answered.
    calls: Cell<usize>,
    /// Told when the host has learnt that loading failed: there is nothing to stay for.
    told: Notify,
    /// Where we are hosted; `None` on a platform of ours.
    site: Option<Site>,
}

/// Serves until SIGTERM (exit code 0); or, when loading failed, until the host has been told (exit code 1).
pub fn serve(listener: Listener, loaded: Loaded, load_ms: f64, site: Option<Site>) -> io::Result<ExitCode> {
    let failure = loaded.as_ref().err().map(|error| (error.code, error.message.clone()));
    let code = ExitCode::from(u8::from(failure.is_some()));
    if failure.is_some() && matches!(listener, Listener::Tcp(_)) {
        // Nobody will ask why; what there is to say was said on standard error.
        return Ok(code);
    }
    let imports = loaded.as_ref().map_or_else(|_| Vec::new(), |handler| handler.imports());
    let readiness = Readiness { load_ms, imports, failure };
    let shared =
        Rc::new(Shared { handler: loaded, readiness, calls: Cell::new(0), told: Notify::new(), site });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(LocalSet::new().run_until(accept(listener, shared)))?;
    Ok(ended.unwrap_or(code))
}

/// The listener, within the reactor.
enum Door {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Door {
    fn open(listener: Listener) -> io::Result<Self> {
        Ok(match listener {
            Listener::Unix(listener) => {
                listener.set_nonblocking(true)?;
                Self::Unix(UnixListener::from_std(listener)?)
            }
            Listener::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                Self::Tcp(TcpListener::from_std(listener)?)
            }
        })
    }

    async fn accept(&self) -> Box<dyn Stream> {
        loop {
            match self.try_accept().await {
                Ok(stream) => return stream,
                // No descriptors left, or a client that has gone already.
                Err(_) => tokio::time::sleep(ACCEPT_RETRY).await,
            }
        }
    }

    async fn try_accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Unix(listener) => Box::new(Socket::new(listener.accept().await?.0.into_std()?)?),
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Answers are complete: waiting to fill a packet only costs latency.
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        })
    }
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Takes in connections until it is told to stop, or the handler has ended by itself: then its code.
async fn accept(listener: Listener, shared: Rc<Shared>) -> io::Result<Option<ExitCode>> {
    let door = Door::open(listener)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (stop, stopping) = watch::channel(());
    let mut ending = pin!(ended(&shared.handler));
    let code = loop {
        tokio::select! {
            stream = door.accept() => {
                tokio::task::spawn_local(connection(stream, shared.clone(), stopping.clone()));
            }
            _ = terminate.recv() => break None,
            code = ending.as_mut() => break Some(code),
            () = shared.told.notified() => break None,
        }
    };
    // Calls in flight end, idle connections close; when the last has, so do we.
    drop(stopping);
    stop.send_replace(());
    match code {
        None => stop.closed().await,
        // Calls that have their answer get it; the others are lost, and their host sees that.
        Some(_) => drop(tokio::time::timeout(LAST_ANSWERS, stop.closed()).await),
    }
    Ok(code.map(ExitCode::from))
}

/// When the handler has ended by itself.
async fn ended(handler: &Loaded) -> u8 {
    match handler {
        Ok(handler) => handler.ended().await,
        Err(_) => std::future::pending().await,
    }
}

async fn connection(stream: Box<dyn Stream>, shared: Rc<Shared>, mut stopping: watch::Receiver<()>) {
    let service = service_fn(move |request| answer(shared.clone(), request));
    let mut connection =
        pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades());
    tokio::select! {
        // In this order: a request that came after the stop is not read, so that it can go elsewhere.
        biased;
        _ = stopping.changed() => connection.as_mut().graceful_shutdown(),
        // A broken connection is the host's doing; it knows.
        _ = connection.as_mut() => return,
    }
    let _ = connection.await;
}

async fn answer(shared: Rc<Shared>, request: Request<Incoming>) -> Result<Response<Answer>, Infallible> {
    let (mut head, body) = request.into_parts();
    let site = shared.site.as_ref();
    match (head.uri.path(), &shared.handler) {
        (HEALTH_PATH, _) => Ok(health(&shared).map(Answer::ours)),
        (CANCEL_PATH, Ok(handler)) if site.is_none() => {
            let invocation = head.headers.get(HEADER_INVOCATION).and_then(|id| id.to_str().ok());
            let is_told = invocation.is_some_and(|id| handler.cancel(id));
            let mut answer = Response::new(Answer::ours(Bytes::new()));
            *answer.status_mut() = if is_told { StatusCode::ACCEPTED } else { StatusCode::NOT_FOUND };
            Ok(answer)
        }
        (READY_PATH, _) | (_, Err(_)) => Ok(readiness(&shared).map(Answer::ours)),
        _ if site.is_some_and(|site| site.asks_readiness(&head)) => Ok(readiness(&shared).map(Answer::ours)),
        (_, Ok(handler)) => {
            let mut in_flight = InFlight::new(shared.clone());
            let body = Box::pin(whole(body, handler.body_limit_bytes()));
            let answer = match site {
                Some(site) => {
                    let call = Call::begin(&mut head);
                    let answer = site.answered(handler.as_ref(), head, body).await;
                    call.answered(&answer);
                    in_flight.call = Some(call);
                    answer
                }
                None => handler::answered(handler.as_ref(), &head, body).await,
            };
            Ok(answer.map(|body| Answer { body, _in_flight: Some(in_flight) }))
        }
    }
}

/// A call that was taken in, until its answer is sent.
struct InFlight {
    shared: Rc<Shared>,
    /// As the log knows it.
    call: Option<Call>,
}

impl InFlight {
    fn new(shared: Rc<Shared>) -> Self {
        shared.calls.set(shared.calls.get() + 1);
        Self { shared, call: None }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.shared.calls.set(self.shared.calls.get() - 1);
    }
}

/// The body of an answer. With it ends its call.
struct Answer {
    body: AnswerBody,
    _in_flight: Option<InFlight>,
}

impl Answer {
    /// Of what we say ourselves.
    fn ours(body: Bytes) -> Self {
        Self { body: body.into(), _in_flight: None }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = <AnswerBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body, read to its end.
pub(super) async fn whole(body: Incoming, limit: u64) -> Result<Bytes, FunctionError> {
    match Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX)).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(unreadable(error.as_ref(), limit)),
    }
}

fn health(shared: &Shared) -> Response<Bytes> {
    let state = if shared.handler.is_ok() { HealthState::Ready } else { HealthState::Failed };
    json(shared.handler.is_err(), &Health { state, calls: shared.calls.get() as u64 })
}

fn readiness(shared: &Shared) -> Response<Bytes> {
    let failed = shared.readiness.failure.is_some();
    if failed {
        shared.told.notify_one();
    }
    json(failed, &shared.readiness)
}

fn json(failed: bool, body: &impl Serialize) -> Response<Bytes> {
    let mut response = Response::new(serde_json::to_vec(body).unwrap_or_default().into());
    *response.status_mut() = if failed { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    response
}

fn unreadable(error: &(dyn std::error::Error + Send + Sync + 'static), limit: u64) -> FunctionError {
    if error.is::<LengthLimitError>() {
        FunctionError::new(Code::BodyTooLarge, format!("the body is larger than the limit of {limit} bytes"))
    } else {
        FunctionError::new(Code::BadBody, format!("the body ended before it was whole: {error}"))
    }
}
