//! One port for everything: requests of client protocols go to the gateway, the rest to the admin API.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
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
use modelet_protocol::ProtocolName;
use rustix::process::Resource;
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
/// A client that takes no byte of its answer for this long is given up.
const CLIENT_STALL_MS: u32 = 60_000;
/// Descriptors that are kept for instances, databases and uploads.
const RESERVED_DESCRIPTORS: usize = 256;
/// When a connection cannot be accepted (no descriptors left, say) the next try comes after this.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Listens on an address, or, when none was asked for, on the next free port of the loopback interface. Gives the address too.
pub async fn listen(address: Option<SocketAddr>) -> Result<(TcpListener, SocketAddr), PlatformError> {
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
                return Ok((listener, bound));
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
    /// True when only this machine can reach us; then requests that name another host are refused.
    loopback: bool,
}

impl Server {
    /// Puts the two halves behind one port.
    pub fn new(gateway: Arc<Gateway>, admin: Router, config: &Config, bound: SocketAddr) -> Self {
        let connections = Arc::new(Semaphore::new(connection_limit(config.max_connections)));
        Self {
            gateway,
            admin,
            connections,
            head_timeout: config.head_timeout,
            loopback: bound.ip().is_loopback(),
        }
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
        // A client that takes no byte for this long is given up by the kernel.
        let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, CLIENT_STALL_MS);
        let (gateway, admin) = (self.gateway.clone(), self.admin.clone());
        let loopback = self.loopback;
        let service = service_fn(move |request| answer(gateway.clone(), admin.clone(), loopback, request));
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(self.head_timeout);
        let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
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

/// As many connections as were asked for, and as the process may have descriptors for, with some left for everything else.
/// The soft limit of descriptors is raised as far as it goes.
fn connection_limit(wanted: usize) -> usize {
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it cannot be raised it stays.
    let _ = rustix::process::setrlimit(Resource::Nofile, limit);
    let most = rustix::process::getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let limit = wanted.min(most.saturating_sub(RESERVED_DESCRIPTORS).max(1));
    if limit < wanted {
        eprintln!("at most {limit} client connections at once: the limit of open files is {most}");
    }
    limit
}

/// A page whose name was made to lead to this machine (DNS rebinding) is of its own origin to the browser; only the name in
/// `Host` shows that it is not ours.
fn is_foreign_host(request: &Request<Incoming>) -> bool {
    let host = request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok());
    let authority = host.and_then(|host| host.parse::<http::uri::Authority>().ok());
    authority.is_some_and(|authority| {
        let name = authority.host().trim_matches(['[', ']']);
        name != "localhost" && !name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

async fn answer(
    gateway: Arc<Gateway>,
    admin: Router,
    loopback: bool,
    request: Request<Incoming>,
) -> Result<http::Response<Body>, Infallible> {
    if loopback && is_foreign_host(&request) {
        let message =
            "this platform listens on loopback and answers only to localhost, not to the name in Host";
        let error = PlatformError::new(Code::ForbiddenOrigin, message);
        return Ok(modelet_protocol::error(ProtocolName::Fn, &error.into(), None).map(Body::from));
    }
    match gateway.serve(request).await {
        Ok(response) => Ok(response),
        Err(request) => admin.oneshot(request.map(Body::new)).await,
    }
}
