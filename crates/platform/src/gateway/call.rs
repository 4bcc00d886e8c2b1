//! One prediction, from arrival to the end of its answer.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use modelet_core::instance::{HEADER_ERROR, HEADER_INSTANCE, HEADER_INVOCATION, HEADER_VERSION};
use modelet_core::{Code, Failure, InvocationId, PlatformError};
use modelet_protocol::Route;
use modelet_worker::{Connection, FeedError};
use std::time::Duration;

use crate::dispatch::Seat;
use crate::dispatch::instance::Instance;
use crate::gateway::Gateway;
use crate::gateway::body::{self, Answer, Open};
use crate::gateway::record::CallRecord;
use crate::store::catalog::VersionEntry;

/// Answers up to this size are taken out of the instance at once, which frees its slot however slow the client reads.
const COLLECT_BYTES: u64 = 256 << 10;
/// A connection to an instance that breaks is followed by the end of its process; how long to wait for the reason.
const REASON_TIMEOUT: Duration = Duration::from_millis(500);
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// A call whose instance has begun to answer.
struct Begun {
    response: Response<Incoming>,
    connection: Connection,
    seat: Seat,
    instance: Arc<Instance>,
}

impl Gateway {
    /// Walks a call through the platform. Dropping the future (the client left) gives up its place, wherever it is.
    pub(super) async fn call(self: Arc<Self>, route: Route, request: Request<Incoming>) -> Response<Body> {
        let id = InvocationId(ulid::Ulid::generate().to_string());
        let protocol = route.protocol;
        let found = match &route.function {
            Some(name) => self.catalog.resolve(name, route.qualifier),
            None => Err(PlatformError::new(Code::RouteNotFound, "the path names no function")),
        };
        let entry = match found {
            Ok(entry) => entry,
            Err(error) => return modelet_protocol::error(protocol, &error.into(), Some(&id)).map(Body::from),
        };
        let mut record = CallRecord::start(self.dispatch.clone(), id.clone(), &entry, protocol.as_str());
        let mut response = match self.begin(&entry, request, &mut record).await {
            Ok(begun) => answer(begun, record, entry.card.settings.response_limit_bytes()).await,
            Err(failure) => {
                let response = modelet_protocol::error(protocol, &failure, Some(&id));
                record.failed(&failure, response.status().as_u16());
                let mut response = response.map(Body::from);
                response
                    .headers_mut()
                    .insert(HEADER_ERROR, HeaderValue::from_static(failure.code().as_str()));
                response
            }
        };
        set_header(response.headers_mut(), HEADER_INVOCATION, &id.0);
        set_header(response.headers_mut(), HEADER_VERSION, &entry.version.to_string());
        response
    }

    async fn begin(
        &self,
        entry: &Arc<VersionEntry>,
        request: Request<Incoming>,
        record: &mut CallRecord,
    ) -> Result<Begun, Failure> {
        let (mut head, incoming) = request.into_parts();
        let limit = entry.card.settings.body_limit_bytes();
        // Held until the answer begins: until then the bytes are in memory.
        let held = body::read(incoming, limit, &self.buffer, self.body_timeout).await?;
        record.received(held.bytes.len());
        make_end_to_end(&mut head.headers);
        set_header(&mut head.headers, HEADER_INVOCATION, &record.id().0);

        let version = self.dispatch.version(entry);
        let cold = version.counts().ready == 0;
        let (seat, instance) = version.arrive()?.wait().await?;
        record.assigned(instance.id.clone(), cold);
        let guest = Guest::enter(instance.clone(), record.id().clone());
        let request = Request::from_parts(head, Full::new(held.bytes.clone()));
        let begun = send(request, seat, instance).await;
        drop(guest);
        begun
    }
}

/// Notes a call in its instance while the instance works on it.
struct Guest(Arc<Instance>, InvocationId);

impl Guest {
    fn enter(instance: Arc<Instance>, id: InvocationId) -> Self {
        instance.enter(id.clone());
        Self(instance, id)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.leave(&self.1);
    }
}

async fn send(
    request: Request<Full<Bytes>>,
    mut seat: Seat,
    instance: Arc<Instance>,
) -> Result<Begun, Failure> {
    let Some(feed) = instance.feed() else {
        return Err(
            PlatformError::new(Code::Internal, format!("instance {} has no socket", instance.id)).into()
        );
    };
    let sent = tokio::select! {
        biased;
        failure = seat.failure() => return Err(failure.into()),
        sent = feed.send(request) => sent,
    };
    match sent {
        Ok((response, connection)) => Ok(Begun { response, connection, seat, instance }),
        Err(error) => Err(reason(&mut seat, &instance, &error).await.into()),
    }
}

/// Why an instance broke the connection: its end, when that is what happened.
async fn reason(seat: &mut Seat, instance: &Instance, error: &FeedError) -> PlatformError {
    tokio::time::timeout(REASON_TIMEOUT, seat.failure()).await.unwrap_or_else(|_| {
        PlatformError::new(Code::InstanceDied, format!("instance {}: {error}", instance.id))
            .hint("the next call gets a new connection; modelet logs shows what the instance said")
    })
}

async fn answer(begun: Begun, mut record: CallRecord, limit_bytes: u64) -> Response<Body> {
    let Begun { response, connection, mut seat, instance } = begun;
    let (mut head, incoming) = response.into_parts();
    let code = head.headers.get(HEADER_ERROR).and_then(|code| code.to_str().ok()?.parse::<Code>().ok());
    let timing = record.answered(head.status.as_u16(), code, head.headers.get(SERVER_TIMING));
    make_end_to_end(&mut head.headers);
    if let Some(timing) = timing {
        head.headers.insert(SERVER_TIMING, timing);
    }
    set_header(&mut head.headers, HEADER_INSTANCE, &instance.id.0);
    if incoming.size_hint().upper().is_none_or(|size| size > COLLECT_BYTES) {
        let open = Open { seat, instance, connection, record };
        return Response::from_parts(head, Body::new(Answer::new(incoming, open, limit_bytes)));
    }
    let collected = tokio::select! {
        collected = incoming.collect() => collected.map_err(FeedError::Broken),
        failure = seat.failure() => return broken_off(record, failure),
    };
    match collected {
        Ok(collected) => {
            let bytes = collected.to_bytes();
            record.add_response_bytes(bytes.len());
            Open { seat, instance, connection, record }.close();
            Response::from_parts(head, Body::from(bytes))
        }
        Err(error) => {
            let failure = reason(&mut seat, &instance, &error).await;
            broken_off(record, failure)
        }
    }
}

/// The instance ended between the head and the end of its answer; nothing was sent to the client yet.
fn broken_off(record: CallRecord, failure: PlatformError) -> Response<Body> {
    let failure = Failure::from(failure);
    let response = modelet_protocol::error(modelet_protocol::ProtocolName::Fn, &failure, Some(record.id()));
    record.failed(&failure, response.status().as_u16());
    response.map(Body::from)
}

/// Removes what concerns one connection only (RFC 9110, 7.6.1), and what the next connection states anew.
fn make_end_to_end(headers: &mut HeaderMap) {
    for name in [
        CONNECTION,
        CONTENT_LENGTH,
        EXPECT,
        HOST,
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

fn set_header(headers: &mut HeaderMap, name: &'static str, value: &str) {
    // Ids, names and numbers of ours are always valid header values.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
