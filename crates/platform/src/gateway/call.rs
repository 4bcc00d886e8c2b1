//! One prediction, from arrival to the end of its answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use modelet_core::instance::{HEADER_ERROR, HEADER_INSTANCE, HEADER_INVOCATION, HEADER_VERSION, lambda};
use modelet_core::{Code, Failure, InvocationId, Phases, PlatformError, Qualifier};
use modelet_protocol::{ProtocolName, Route};
use modelet_worker::{Connection, FeedError};

use crate::dispatch::{Place, Seat};
use crate::gateway::Gateway;
use crate::gateway::body::{self, BodyLimit, Collected, Held};
use crate::gateway::record::CallRecord;
use crate::gateway::timing::{self, Inner, SERVER_TIMING};
use crate::store::catalog::VersionEntry;

/// Marks the answer to a call that no instance had.
#[derive(Debug, Clone, Copy)]
pub(super) struct NotBegun;

/// A connection to an instance that breaks is followed by the end of its process; how long to wait for the reason.
const REASON_TIMEOUT: Duration = Duration::from_millis(500);

/// A call is sent again when its instance ended before it took it in; after this many times it fails.
const SENDS_LIMIT: usize = 3;

/// An answer with its body in memory.
type Answer = Response<Held>;

impl Gateway {
    /// Walks a call through the platform. Dropping the future (the client left) gives up its place in line; a call that an
    /// instance has already goes on in a task of its own, since the instance cannot be made to stop.
    pub(super) async fn call(self: Arc<Self>, route: Route, request: Request<Incoming>) -> Response<Body> {
        let clock = self.dispatch.shared().clock;
        self.awake.stir(clock.now());
        let response = self.clone().call_through(route, request).await;
        self.awake.stir(clock.now());
        response
    }

    async fn call_through(self: Arc<Self>, route: Route, request: Request<Incoming>) -> Response<Body> {
        let id = new_id();
        let protocol = route.protocol;
        let entry = match self.admit(&route).await {
            Ok(entry) => entry,
            Err(error) => return refused(protocol, error, &id).map(Body::from),
        };
        let mut record = CallRecord::start(self.dispatch.clone(), id, &entry, protocol.as_str());
        let response = match self.receive(&entry, request, &mut record).await {
            Ok(request) => {
                let limit_bytes = entry.card.settings.response_limit_bytes();
                self.walk(protocol, &entry, request, record, limit_bytes, || {}).await
            }
            Err(failure) => ended(failure, protocol, &entry, record),
        };
        response.map(Body::new)
    }

    /// The walk of a call whose body is there, until its answer is. `begun` is told when an instance has it; an answer without
    /// that is marked as [`NotBegun`].
    pub(super) async fn walk(
        self: Arc<Self>,
        protocol: ProtocolName,
        entry: &Arc<VersionEntry>,
        mut request: Request<Held>,
        mut record: CallRecord,
        limit_bytes: u64,
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
        let sent = Sent { gateway: self, protocol, limit_bytes };
        // The task ends by itself: by the answer, the death of the instance, or the request's deadline.
        let answer = tokio::spawn(Box::pin(sent.finish(request, seat, place, record)));
        let mut answer = answer.await.unwrap_or_else(|error| {
            let error = PlatformError::new(Code::Internal, format!("the call was broken off: {error}"));
            modelet_protocol::error(protocol, &error.into(), Some(&id)).map(Held::of)
        });
        name(&mut answer, protocol, &id, entry);
        answer
    }

    /// Finds what is called, and waits until what comes of the call can be recorded.
    pub(super) async fn admit(&self, route: &Route) -> Result<Arc<VersionEntry>, PlatformError> {
        let entry = self.catalog.resolve(route.named()?, route.qualifier)?;
        self.dispatch.shared().logs.room().await?;
        Ok(entry)
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

/// What a call needs once an instance has it.
struct Sent {
    gateway: Arc<Gateway>,
    protocol: ProtocolName,
    limit_bytes: u64,
}

/// Why there is no answer of the function.
enum NoAnswer {
    /// The instance ended before it took the call in.
    NotTaken,
    /// The call has failed.
    Failed(Failure),
}

impl<F: Into<Failure>> From<F> for NoAnswer {
    fn from(failure: F) -> Self {
        Self::Failed(failure.into())
    }
}

impl Sent {
    /// Sends the call and takes the answer out of the instance, whether or not the client is still there.
    async fn finish(
        self,
        request: Request<Held>,
        seat: Seat,
        place: Place,
        mut record: CallRecord,
    ) -> Answer {
        match self.send(request, seat, place, &mut record).await {
            Ok(answer) => {
                record.finish(modelet_protocol::meant_status(&answer));
                answer
            }
            // The seat and the connection, dropped by now, are given up.
            Err(failure) => failed(self.protocol, failure, record),
        }
    }

    /// Sends the call to its instance; to another one, as long as none has taken it in.
    async fn send(
        &self,
        request: Request<Held>,
        mut seat: Seat,
        mut place: Place,
        record: &mut CallRecord,
    ) -> Result<Answer, Failure> {
        let clock = self.gateway.dispatch.shared().clock;
        let mut sends = 0;
        loop {
            sends += 1;
            record.entered(place.enter(record.id().clone(), clock.now()));
            let answer = self.answer(&request, &mut seat, &mut place, record).await;
            place.leave(record.id(), clock.now());
            match answer {
                Ok((answer, connection)) => {
                    if let Some(feed) = place.feed() {
                        feed.give_back(connection);
                    }
                    seat.finish();
                    return Ok(answer);
                }
                Err(NoAnswer::Failed(failure)) => return Err(failure),
                Err(NoAnswer::NotTaken) if sends == SENDS_LIMIT => return Err(never_taken(&place).into()),
                Err(NoAnswer::NotTaken) => {}
            }
            record.not_taken();
            let ticket = seat.again();
            // Not before: the instance's end, which fails what it has, is told when every place is settled.
            place.settle();
            (seat, place) = ticket.wait().await?;
            record.assigned(&place);
        }
    }

    async fn answer(
        &self,
        request: &Request<Held>,
        seat: &mut Seat,
        place: &mut Place,
        record: &mut CallRecord,
    ) -> Result<(Answer, Connection), NoAnswer> {
        let Some(feed) = place.feed() else {
            let message = format!("instance {} has no socket", place.id);
            return Err(PlatformError::new(Code::Internal, message).into());
        };
        let sent = tokio::select! {
            biased;
            failure = seat.failure() => return Err(failure.into()),
            sent = feed.send(copy(request)) => sent,
            never = place.take_turns(self.gateway.dispatch.shared().clock) => match never {},
        };
        let (response, connection) = match sent {
            Ok(sent) => sent,
            Err(FeedError::NotTaken(_)) => return Err(NoAnswer::NotTaken),
            Err(error) => return Err(reason(seat, place, &error).await.into()),
        };
        let (mut head, incoming) = response.into_parts();
        let collected = tokio::select! {
            biased;
            failure = seat.failure() => return Err(failure.into()),
            collected = body::collect(incoming, self.limit_bytes, &self.gateway.buffer) => collected,
        };
        let held = match collected {
            Ok(held) => held,
            Err(Collected::Refused(failure)) => return Err(failure.into()),
            Err(Collected::Broken(error)) => return Err(reason(seat, place, &error.into()).await.into()),
        };
        let code = head.headers.get(HEADER_ERROR).and_then(|code| code.to_str().ok()?.parse::<Code>().ok());
        let timing = record.answered(head.status.as_u16(), code, held.bytes.len(), &head.headers);
        make_end_to_end(&mut head.headers);
        if let Some(timing) = timing {
            head.headers.insert(SERVER_TIMING, timing);
        }
        set_header(&mut head.headers, HEADER_INSTANCE, &place.id.0);
        Ok((Response::from_parts(head, held), connection))
    }
}

/// The request as it goes to an instance. The original is kept: another instance may have to get it.
fn copy(request: &Request<Held>) -> Request<Full<Bytes>> {
    let mut copy = Request::new(Full::new(request.body().bytes.clone()));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    copy
}

fn never_taken(place: &Place) -> PlatformError {
    let message =
        format!("{SENDS_LIMIT} instances, the last of them {}, ended before they took the call in", place.id);
    PlatformError::new(Code::InstanceDied, message).hint("modelet logs shows what they said")
}

/// Why an instance broke the connection: its end, when that is what happened.
async fn reason(seat: &mut Seat, place: &mut Place, error: &FeedError) -> PlatformError {
    place.settle();
    tokio::time::timeout(REASON_TIMEOUT, seat.failure()).await.unwrap_or_else(|_| {
        PlatformError::new(Code::InstanceDied, format!("instance {}: {error}", place.id))
            .hint("the next call gets a new connection; modelet logs shows what the instance said")
    })
}

/// The answer to a call that failed before or without an answer of the function.
fn failed(protocol: ProtocolName, failure: Failure, record: CallRecord) -> Answer {
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

fn name(answer: &mut Answer, protocol: ProtocolName, id: &InvocationId, entry: &VersionEntry) {
    modelet_protocol::mark(protocol, answer.headers_mut(), id, entry.version);
    set_header(answer.headers_mut(), HEADER_INVOCATION, &id.0);
    set_header(answer.headers_mut(), HEADER_VERSION, &entry.version.to_string());
}

/// The id of a new call.
pub(super) fn new_id() -> InvocationId {
    InvocationId(ulid::Ulid::generate().to_string())
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
