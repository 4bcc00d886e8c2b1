//! The contract `http`: HTTP/1.1 on a socket that the host bound and we inherited.
//!
//! One thread does everything, the computing too: a handler answers one call at a time, and calls that wait do so in the
//! sockets, unread. That saves the two thread switches that would cost more than a small model's answer. Engines that
//! compute with several threads do so below the handler.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::rc::Rc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use modelet_core::instance::{READY_PATH, Readiness};
use modelet_core::{Code, FunctionError};
use modelet_protocol::ProtocolName;
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::task::LocalSet;

use crate::handler::Handler;

type Loaded = Result<Box<dyn Handler>, FunctionError>;

/// What every connection shares; all on one thread.
struct Shared {
    handler: RefCell<Loaded>,
    readiness: Readiness,
    /// Told when the host has learnt that loading failed: there is nothing to stay for.
    told: Notify,
}

/// Serves until SIGTERM (exit code 0); or, when loading failed, until the host has been told (exit code 1).
pub fn serve(
    listener: std::os::unix::net::UnixListener,
    loaded: Loaded,
    load_ms: f64,
) -> io::Result<ExitCode> {
    let failure = loaded.as_ref().err().map(|error| (error.code, error.message.clone()));
    let code = ExitCode::from(u8::from(failure.is_some()));
    let readiness = Readiness { load_ms, failure };
    let shared = Rc::new(Shared { handler: RefCell::new(loaded), readiness, told: Notify::new() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(LocalSet::new().run_until(accept(listener, shared)))?;
    Ok(code)
}

async fn accept(listener: std::os::unix::net::UnixListener, shared: Rc<Shared>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (stop, stopping) = watch::channel(());
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                tokio::task::spawn_local(connection(stream, shared.clone(), stopping.clone()));
            }
            _ = terminate.recv() => break,
            () = shared.told.notified() => break,
        }
    }
    // Calls in flight end, idle connections close; when the last has, so do we.
    drop(stopping);
    stop.send_replace(());
    stop.closed().await;
    Ok(())
}

async fn connection(stream: UnixStream, shared: Rc<Shared>, mut stopping: watch::Receiver<()>) {
    let service = service_fn(move |request| answer(shared.clone(), request));
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        biased;
        // A broken connection is the host's doing; it knows.
        _ = connection.as_mut() => return,
        _ = stopping.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn answer(shared: Rc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() == READY_PATH {
        return Ok(readiness(&shared));
    }
    let (head, body) = request.into_parts();
    let limit = match &*shared.handler.borrow() {
        Ok(handler) => handler.body_limit_bytes(),
        Err(_) => return Ok(readiness(&shared)),
    };
    let body = match Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX)).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return Ok(unreadable(error.as_ref(), limit)),
    };
    let mut handler = shared.handler.borrow_mut();
    Ok(match &mut *handler {
        Ok(handler) => handler.answer(&head, body).map(Full::new),
        Err(_) => readiness(&shared),
    })
}

fn readiness(shared: &Shared) -> Response<Full<Bytes>> {
    let failed = shared.readiness.failure.is_some();
    if failed {
        shared.told.notify_one();
    }
    let mut response = Response::new(Full::from(serde_json::to_vec(&shared.readiness).unwrap_or_default()));
    *response.status_mut() = if failed { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    response
}

fn unreadable(error: &(dyn std::error::Error + Send + Sync + 'static), limit: u64) -> Response<Full<Bytes>> {
    let failure = if error.is::<LengthLimitError>() {
        FunctionError::new(Code::BodyTooLarge, format!("the body is larger than the limit of {limit} bytes"))
    } else {
        FunctionError::new(Code::BadBody, format!("the body ended before it was whole: {error}"))
    };
    modelet_protocol::error(ProtocolName::Fn, &failure.into(), None).map(Full::new)
}
