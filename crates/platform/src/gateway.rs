//! The door for clients: which function a request is for, and the walk of one call through the platform.
//!
//! - [`call`]: one prediction, from arrival to the end of its answer; [`sent`]: while an instance has it
//! - [`pieces`]: answers that are passed on while they are made; [`websocket`]: connections that are joined
//! - [`awake`]: processors that do not sleep between calls that follow each other
//! - [`asynchronous`]: calls that are answered later
//! - [`body`]: bodies: read whole and within limits, in and out
//! - [`record`]: what is kept of a call, however it ends
//! - [`timing`]: where its time went, and the `Server-Timing` header
//!
//! Deliberately absent: tensors. A request is passed on unread; only its route, its size and its headers count here.

pub mod asynchronous;
pub mod awake;
pub mod body;
pub mod call;
mod pieces;
pub mod record;
mod sent;
pub mod timing;
mod websocket;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use modelet_core::{Failure, FunctionName, InvocationId, PlatformError, Qualifier, Version};
use modelet_protocol::{Below, FunctionView, Manner, Operation, ProtocolName, Route, ServerState};
use tokio::sync::Semaphore;

use crate::dispatch::Dispatch;
use crate::gateway::asynchronous::Asynchronous;
use crate::gateway::asynchronous::prefer::Preference;
use crate::gateway::awake::Awake;
use crate::gateway::call::new_id;
use crate::store::catalog::Catalog;

/// What the gateway needs of the platform.
pub struct Gateway {
    /// Which functions there are.
    pub catalog: Arc<Catalog>,
    /// Where calls go.
    pub dispatch: Arc<Dispatch>,
    /// Calls that are answered later.
    pub asynchronous: Arc<Asynchronous>,
    /// Room for request bodies, in KiB.
    pub buffer: Arc<Semaphore>,
    /// How long a client may take for a body.
    pub body_timeout: Duration,
    /// The processors that calls wake up.
    pub awake: Awake,
    /// Base URL, for the curl lines of the docs.
    pub base_url: String,
}

impl Gateway {
    /// Answers a request if its path belongs to a protocol; gives it back if not.
    pub async fn serve(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Request<Incoming>> {
        let id = new_id();
        if let Some(route) = self.application(request.uri().path(), &id) {
            return Ok(self.clone().call(route, id, request).await);
        }
        let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        let route = match modelet_protocol::route(request.method(), target) {
            None => return Err(request),
            Some(Ok(route)) => route,
            Some(Err((protocol, error))) => {
                return Ok(modelet_protocol::error(protocol, &error.into(), None).map(Body::from));
            }
        };
        let preference = Preference::of(request.headers());
        let answer = match route.operation {
            Operation::Predict => match manner(&route, request.headers(), preference) {
                Ok(Manner::Later) => return Ok(self.accept(route, id, request).await),
                Ok(Manner::Waited) => return Ok(self.clone().call(route, id, request).await),
                Ok(Manner::Checked) => self.check(&route, &id).map(|response| response.map(Body::from)),
                Err(error) => Err(error.into()),
            },
            Operation::Result => self.result(&route, preference).await,
            _ => {
                let answer = self.answer_itself(&route, &request.into_parts().0);
                answer.map(|response| response.map(Body::from)).map_err(Failure::from)
            }
        };
        let error = |failure| modelet_protocol::error(route.protocol, &failure, None).map(Body::from);
        Ok(answer.unwrap_or_else(error))
    }

    /// The application behind a path below a function's: it gets every method and every path.
    fn application(&self, path: &str, id: &InvocationId) -> Option<Route> {
        let Below { function, qualifier, .. } = modelet_protocol::below(path)?;
        // Of a version that is not there the call itself says so.
        let entry = self.called(&function, qualifier, id);
        let entry = entry.or_else(|_| self.catalog.resolve(&function, Qualifier::Live)).ok()?;
        entry.card.is_application().then_some(())?;
        Some(Route {
            protocol: ProtocolName::Fn,
            function: Some(function),
            qualifier,
            operation: Operation::Predict,
            invocation: None,
        })
    }

    /// Whether a call could be made.
    fn check(&self, route: &Route, id: &InvocationId) -> Result<Response<Bytes>, Failure> {
        let function = route.named()?;
        self.catalog.resolve(function, route.qualifier)?;
        Ok(modelet_protocol::acknowledge(route.protocol, Manner::Checked, function, id))
    }

    /// What is answered without an instance: docs, metadata, health.
    fn answer_itself(&self, route: &Route, head: &Parts) -> Result<Response<Bytes>, PlatformError> {
        let Some(name) = &route.function else {
            let functions = self.functions(route.operation);
            return Ok(modelet_protocol::server(route, &ServerState { ok: true, functions: &functions }));
        };
        let entry = self.catalog.resolve(name, route.qualifier)?;
        if route.operation == Operation::Ready {
            // At zero, too: a call would be answered.
            return Ok(modelet_protocol::server(route, &ServerState { ok: true, functions: &[] }));
        }
        let versions: Vec<Version> =
            self.catalog.get(name).map(|f| f.versions.keys().copied().collect()).unwrap_or_default();
        let base_url = self.base_url_for(&head.headers);
        let view = FunctionView {
            card: &entry.card,
            version: entry.version,
            versions: &versions,
            base_url: &base_url,
        };
        Ok(modelet_protocol::describe(route, &view, &head.headers))
    }

    fn functions(&self, operation: Operation) -> Vec<(FunctionName, Version)> {
        if operation != Operation::ServerIndex {
            return Vec::new();
        }
        self.catalog.all().iter().map(|function| (function.name.clone(), function.traffic.version)).collect()
    }

    /// The address under which the client reached us, so that the lines it is shown work where it is.
    fn base_url_for(&self, headers: &HeaderMap) -> String {
        let host = headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        host.map_or_else(|| self.base_url.clone(), |host| format!("http://{host}"))
    }
}

/// How a prediction is to be made: as the protocol's own words say, or else as the client prefers.
fn manner(route: &Route, headers: &HeaderMap, preference: Preference) -> Result<Manner, PlatformError> {
    let preferred = if preference.is_async { Manner::Later } else { Manner::Waited };
    Ok(modelet_protocol::manner(route.protocol, headers)?.unwrap_or(preferred))
}
