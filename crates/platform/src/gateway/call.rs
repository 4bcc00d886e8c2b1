//! One prediction, from arrival to the end of its answer.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use hyper::body::Incoming;
use modelet_core::instance::{HEADER_ERROR, HEADER_INVOCATION, HEADER_VERSION, lambda};
use modelet_core::{Code, Failure, FunctionName, InvocationId, Phases, PlatformError, Qualifier, Traffic};
use modelet_protocol::{ProtocolName, Route};
use tokio::sync::oneshot;

use crate::dispatch::{Place, Seat};
use crate::gateway::Gateway;
use crate::gateway::body::{self, BodyLimit, Held};
use crate::gateway::record::CallRecord;
use crate::gateway::sent::{Delivery, Sent};
use crate::gateway::timing::{self, Inner, SERVER_TIMING};
use crate::gateway::websocket;
use crate::store::catalog::VersionEntry;

/// Marks the answer to a call that no instance had.
#[derive(Debug, Clone, Copy)]
pub(super) struct NotBegun;

/// An answer with its body in memory.
pub(super) type Answer = Response<Held>;

impl Gateway {
    /// Walks a call through the platform. Dropping the future (the client left) gives up its place in line; a call that an
    /// instance has already goes on in a task of its own, since the instance cannot be made to stop.
    pub(super) async fn call(
        self: Arc<Self>,
        route: Route,
        id: InvocationId,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let clock = self.dispatch.shared().clock;
        self.awake.stir(clock.now());
        let response = self.clone().call_through(route, id, request).await;
        self.awake.stir(clock.now());
        response
    }

    async fn call_through(
        self: Arc<Self>,
        route: Route,
        id: InvocationId,
        mut request: Request<Incoming>,
    ) -> Response<Body> {
        let socket = websocket::asked(&mut request);
        let protocol = route.protocol;
        let entry = match self.admit(&route, &id).await {
            Ok(entry) => entry,
            Err(error) => return refused(protocol, error, &id).map(Body::from),
        };
        let mut record = CallRecord::start(self.dispatch.clone(), id.clone(), &entry, protocol.as_str());
        let response = match self.receive(&entry, request, &mut record).await {
            Ok(mut request) => {
                if socket.is_some() {
                    websocket::name(request.headers_mut());
                }
                let limit_bytes = entry.card.settings.response_limit_bytes();
                let (early, begun) = oneshot::channel();
                let delivery = Delivery { limit_bytes, early: Some(early), socket };
                tokio::select! {
                    biased;
                    Ok(mut answer) = begun => {
                        name(&mut answer, protocol, &id, &entry);
                        return answer.map(Body::new);
                    }
                    answer = self.walk(protocol, &entry, request, record, delivery, || {}) => answer,
                }
            }
            Err(failure) => ended(failure, protocol, &entry, record),
        };
        response.map(Body::new)
    }

    /// The walk of a call whose body is there, until its answer is, but for one that is delivered while it is made. `begun` is
    /// told when an instance has it; an answer without that is marked as [`NotBegun`].
    pub(super) async fn walk(
        self: Arc<Self>,
        protocol: ProtocolName,
        entry: &Arc<VersionEntry>,
        mut request: Request<Held>,
        mut record: CallRecord,
        delivery: Delivery,
        begun: impl FnOnce(),
    ) -> Answer {
        let id = record.id().clone();
        set_header(request.headers_mut(), HEADER_INVOCATION, &id.0);
        let (seat, place) = match self.take_place(entry, &mut record).await {
            Ok(taken) => taken,
            Err(failure) => {
                let mut answer = ended(failure, protocol, entry, record);
                answer.extensions_mut().insert(NotBegun);
                return answer;
            }
        };
        begun();
        let wants_log = record.is_waited_for() && modelet_protocol::wants_log(protocol, request.headers());
        let sent = Sent { gateway: self, protocol, delivery, wants_log };
        // The task ends by itself: by the answer, the death of the instance, or the request's deadline.
        let answer = tokio::spawn(Box::pin(sent.finish(request, seat, place, record))).await;
        let mut answer = answer.ok().flatten().unwrap_or_else(|| {
            let error = PlatformError::new(Code::Internal, "the call was broken off");
            modelet_protocol::error(protocol, &error.into(), Some(&id)).map(Held::of)
        });
        name(&mut answer, protocol, &id, entry);
        answer
    }

    /// Finds what is called, and waits until what comes of the call can be recorded.
    pub(super) async fn admit(
        &self,
        route: &Route,
        id: &InvocationId,
    ) -> Result<Arc<VersionEntry>, PlatformError> {
        let entry = self.called(route.named()?, route.qualifier, id)?;
        self.dispatch.shared().logs.room().await?;
        Ok(entry)
    }

    /// The version that a call goes to. Where two are live its id decides: it is the same in each attempt of an invocation.
    pub(super) fn called(
        &self,
        function: &FunctionName,
        qualifier: Qualifier,
        id: &InvocationId,
    ) -> Result<Arc<VersionEntry>, PlatformError> {
        self.catalog.pick(function, qualifier, || draw(id))
    }

    /// Until the body is there.
    async fn receive(
        &self,
        entry: &VersionEntry,
        request: Request<Incoming>,
        record: &mut CallRecord,
    ) -> Result<Request<Held>, Failure> {
        let (mut head, incoming) = request.into_parts();
        record.asked(&head.method, head.uri.path());
        let limit = BodyLimit::of(&entry.card.settings);
        let expects_continue = head.headers.contains_key(EXPECT);
        let held = body::read(incoming, limit, &self.buffer, self.body_timeout, expects_continue).await?;
        record.received(held.bytes.len());
        make_end_to_end(&mut head.headers);
        // A body may take its time: the version may be gone by now.
        self.catalog.resolve(&entry.card.name, Qualifier::Version(entry.version))?;
        Ok(Request::from_parts(head, held))
    }

    /// Until an instance has the call.
    async fn take_place(
        &self,
        entry: &Arc<VersionEntry>,
        record: &mut CallRecord,
    ) -> Result<(Seat, Place), PlatformError> {
        let (seat, place) = self.dispatch.version(entry).arrive()?.wait().await?;
        record.assigned(&place);
        Ok((seat, place))
    }
}

/// The answer to a call that failed before or without an answer of the function.
pub(super) fn failed(protocol: ProtocolName, failure: Failure, record: CallRecord) -> Answer {
    let failure = record.explained(failure);
    let mut response = modelet_protocol::error(protocol, &failure, Some(record.id()));
    let timing = record.failed(&failure, response.status().as_u16());
    response.headers_mut().extend(timing.map(|timing| (SERVER_TIMING, timing)));
    response.headers_mut().insert(HEADER_ERROR, HeaderValue::from_static(failure.code().as_str()));
    response.map(Held::of)
}

/// The same, with whose it is.
fn ended(
    failure: impl Into<Failure>,
    protocol: ProtocolName,
    entry: &VersionEntry,
    record: CallRecord,
) -> Answer {
    let id = record.id().clone();
    let mut answer = failed(protocol, failure.into(), record);
    name(&mut answer, protocol, &id, entry);
    answer
}

fn name<B>(answer: &mut Response<B>, protocol: ProtocolName, id: &InvocationId, entry: &VersionEntry) {
    modelet_protocol::mark(protocol, answer.headers_mut(), id, entry.version);
    set_header(answer.headers_mut(), HEADER_INVOCATION, &id.0);
    set_header(answer.headers_mut(), HEADER_VERSION, &entry.version.to_string());
}

/// The id of a new call.
pub(super) fn new_id() -> InvocationId {
    InvocationId(ulid::Ulid::generate().to_string())
}

/// A number below [`Traffic::DRAWS`]: of an id everything is random but the time at its begin.
fn draw(id: &InvocationId) -> u8 {
    // Ids are of our making.
    let random = ulid::Ulid::from_string(&id.0).map_or(0, |id| id.random());
    u8::try_from(random % u128::from(Traffic::DRAWS)).unwrap_or(0)
}

/// The answer to a call that was not let in: there is no record of it, since no function had it.
pub(super) fn refused(protocol: ProtocolName, error: PlatformError, id: &InvocationId) -> Response<Bytes> {
    let mut response = modelet_protocol::error(protocol, &error.into(), Some(id));
    let timing = timing::header(&Phases::default(), &Inner::default());
    response.headers_mut().extend(timing.map(|timing| (SERVER_TIMING, timing)));
    response
}

/// Removes what concerns one connection only (RFC 9110, 7.6.1), what the next connection states anew, and what only a host may say.
pub(super) fn make_end_to_end(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let of_a_host = headers.keys().filter(|name| name.as_str().starts_with(lambda::PREFIX)).cloned();
    let named: Vec<HeaderName> = named.into_iter().chain(of_a_host).collect();
    for name in named {
        headers.remove(name);
    }
    for name in [
        CONNECTION,
        CONTENT_LENGTH,
        EXPECT,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
        HeaderName::from_static("keep-alive"),
    ] {
        headers.remove(name);
    }
}

pub(super) fn set_header(headers: &mut HeaderMap, name: &'static str, value: &str) {
    // Ids, names and numbers of ours are always valid header values.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
