//! One port for everything: requests of client protocols go to the gateway, the rest to the admin API.

use std::convert::Infallible;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use modelet_core::{Code, PlatformError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;

use crate::config::Config;
use crate::gateway::Gateway;

/// The first port that is tried when none was asked for.
const FIRST_PORT: u16 = 8080;
/// How many ports are tried.
const PORTS_TRIED: u16 = 100;
/// Once every call has ended, connections get this long to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// When a connection cannot be accepted (no descriptors left, say) the next try comes after this.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Listens on an address, or, when none was asked for, on the next free port of the loopback interface. Gives the base URL too.
pub async fn listen(address: Option<SocketAddr>) -> Result<(TcpListener, String), PlatformError> {
    let candidates = match address {
        Some(address) => vec![address],
        None => {
            (FIRST_PORT..FIRST_PORT + PORTS_TRIED).map(|port| (Ipv4Addr::LOCALHOST, port).into()).collect()
        }
    };
    let mut last = None;
    for candidate in candidates {
        match TcpListener::bind(candidate).await {
            Ok(listener) => {
                let bound = listener.local_addr().unwrap_or(candidate);
                return Ok((listener, format!("http://{bound}")));
            }
            Err(error) => last = Some((candidate, error)),
        }
    }
    let why = last.map_or_else(|| "no address".to_owned(), |(address, error)| format!("{address}: {error}"));
    Err(PlatformError::new(Code::PortInUse, format!("could not listen on {why}"))
        .hint("choose another address with --listen, or leave it out to get the next free port"))
}

/// Serves connections.
pub struct Server {
    gateway: Arc<Gateway>,
    admin: Router,
    connections: Arc<Semaphore>,
    head_timeout: Duration,
}

impl Server {
    /// Puts the two halves behind one port.
    pub fn new(gateway: Arc<Gateway>, admin: Router, config: &Config) -> Self {
        let connections = Arc::new(Semaphore::new(config.max_connections));
        Self { gateway, admin, connections, head_timeout: config.head_timeout }
    }

    /// Serves until `shutdown` completes. Then takes no more connections, lets requests end while `drain` runs, and closes.
    pub async fn run(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
        drain: impl Future<Output = ()>,
    ) {
        let (stop, stopping) = watch::channel(());
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                stream = self.accept(&listener) => self.serve(stream, stopping.clone()),
            }
        }
        drop(listener);
        drop(stopping);
        stop.send_replace(());
        drain.await;
        // A client that does not read its answer does not hold us up for ever.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, stop.closed()).await;
    }

    async fn accept(&self, listener: &TcpListener) -> (TcpStream, tokio::sync::OwnedSemaphorePermit) {
        loop {
            // Beyond the limit clients wait in the kernel's backlog.
            let Ok(permit) = self.connections.clone().acquire_owned().await else {
                std::future::pending::<()>().await;
                continue;
            };
            match listener.accept().await {
                Ok((stream, _)) => return (stream, permit),
                Err(_) => tokio::time::sleep(ACCEPT_RETRY).await,
            }
        }
    }

    fn serve(
        &self,
        (stream, permit): (TcpStream, tokio::sync::OwnedSemaphorePermit),
        mut stopping: watch::Receiver<()>,
    ) {
        // Answers are small and complete: waiting to fill a packet only costs latency.
        let _ = stream.set_nodelay(true);
        let (gateway, admin) = (self.gateway.clone(), self.admin.clone());
        let service = service_fn(move |request| answer(gateway.clone(), admin.clone(), request));
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(self.head_timeout);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            let _permit = permit;
            let mut connection = pin!(connection);
            tokio::select! {
                // How a connection ends is the client's affair; its calls are on record.
                _ = connection.as_mut() => return,
                _ = stopping.changed() => connection.as_mut().graceful_shutdown(),
            }
            let _ = connection.await;
        });
    }
}

async fn answer(
    gateway: Arc<Gateway>,
    admin: Router,
    request: Request<Incoming>,
) -> Result<http::Response<Body>, Infallible> {
    match gateway.serve(request).await {
        Ok(response) => Ok(response),
        Err(request) => admin.oneshot(request.map(Body::new)).await,
    }
}
