//! A call that an instance has: sent to it, and its answer taken out of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::upgrade::OnUpgrade;
use modelet_core::instance::{HEADER_ERROR, HEADER_INSTANCE};
use modelet_core::{Code, Failure, FunctionError, PlatformError};
use modelet_protocol::ProtocolName;
use modelet_worker::{Connection, FeedError};
use tokio::sync::oneshot;

use crate::dispatch::{Place, Seat};
use crate::gateway::Gateway;
use crate::gateway::body::{self, Collected, Held};
use crate::gateway::call::{Answer, failed, make_end_to_end, set_header};
use crate::gateway::pieces::{Passed, Passing, Pieces};
use crate::gateway::record::CallRecord;
use crate::gateway::timing::SERVER_TIMING;
use crate::gateway::websocket;

/// A connection to an instance that breaks is followed by the end of its process; how long to wait for the reason.
const REASON_TIMEOUT: Duration = Duration::from_millis(500);

/// A call is sent again when its instance ended before it took it in; after this many times it fails.
const SENDS_LIMIT: usize = 3;

/// Takes the head of an answer, and its body as it is made.
pub(super) type Early = oneshot::Sender<Response<Pieces>>;

/// How a client gets its answer.
pub(super) struct Delivery {
    /// How large it may be, where it is delivered whole.
    pub(super) limit_bytes: u64,
    /// Takes one that does not say its length; without this it is delivered whole too.
    pub(super) early: Option<Early>,
    /// The client's connection, where it asked for a websocket.
    pub(super) socket: Option<OnUpgrade>,
}

/// What a call needs once an instance has it.
pub(super) struct Sent {
    pub(super) gateway: Arc<Gateway>,
    pub(super) protocol: ProtocolName,
    pub(super) delivery: Delivery,
    /// The client wants to hear what was said of its call.
    pub(super) wants_log: bool,
}

/// What was said of a call.
#[derive(Default)]
struct Said {
    text: String,
    peak_memory_mib: u64,
}

/// Where a call is, and what is kept of it.
struct Sitting<'a> {
    seat: &'a mut Seat,
    place: &'a mut Place,
    record: &'a mut CallRecord,
}

/// What came of a call.
enum Came {
    /// All of the answer.
    Whole(Answer),
    /// The answer was sent while it was made, and has ended.
    Passed(StatusCode),
    /// The client left in the middle of such an answer; whether the code is known to have ended.
    Left { is_over: bool },
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
    /// Sends the call and takes the answer out of the instance, whether or not the client is still there. Nothing comes back where
    /// the client has the answer already.
    pub(super) async fn finish(
        mut self,
        request: Request<Held>,
        seat: Seat,
        place: Place,
        mut record: CallRecord,
    ) -> Option<Answer> {
        let mut said = self.wants_log.then(Said::default);
        let sent = self.send(request, seat, place, &mut record, &mut said).await;
        let mut log = HeaderMap::new();
        if let Some(Said { text, peak_memory_mib }) = &said {
            modelet_protocol::tell_log(self.protocol, &mut log, &record.log(text, *peak_memory_mib));
        }
        let mut answer = match sent {
            Ok(Came::Whole(answer)) => {
                record.finish(modelet_protocol::meant_status(&answer));
                answer
            }
            Ok(Came::Passed(status)) => {
                record.finish(status.as_u16());
                return None;
            }
            Ok(Came::Left { .. }) => {
                record.left();
                return None;
            }
            // The seat and the connection, dropped by now, are given up.
            Err(failure) => failed(self.protocol, failure, record),
        };
        answer.headers_mut().extend(log);
        Some(answer)
    }

    /// Sends the call to its instance; to another one, as long as none has taken it in.
    async fn send(
        &mut self,
        request: Request<Held>,
        mut seat: Seat,
        mut place: Place,
        record: &mut CallRecord,
        said: &mut Option<Said>,
    ) -> Result<Came, Failure> {
        let clock = self.gateway.dispatch.shared().clock;
        let mut sends = 0;
        loop {
            sends += 1;
            if said.is_some() {
                place.listen(record.id().clone());
            }
            record.entered(place.enter(record.id().clone(), clock.now()));
            let answer = self.answer(&request, &mut seat, &mut place, record).await;
            if let Some(said) = said {
                // Before the call leaves: a line that names no call is the one's that is in the instance alone.
                let text = place.heard(record.id()).await;
                *said = Said { text, peak_memory_mib: place.peak_memory_mib() };
            }
            place.leave(record.id(), clock.now());
            match answer {
                // The connection is closed, and the seat given up.
                Ok(Came::Left { is_over: false }) => return Ok(Came::Left { is_over: false }),
                Ok(came) => {
                    seat.finish();
                    return Ok(came);
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
        &mut self,
        request: &Request<Held>,
        seat: &mut Seat,
        place: &mut Place,
        record: &mut CallRecord,
    ) -> Result<Came, NoAnswer> {
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
        let is_open = response.body().size_hint().exact().is_none();
        let is_socket = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if is_socket && self.delivery.socket.is_none() {
            let message = "the function answered with the status 101 to what asks for no websocket";
            return Err(FunctionError::new(Code::HandlerFailed, message).into());
        }
        let sitting = Sitting { seat, place, record };
        match self.delivery.early.take_if(|_| is_open || is_socket) {
            Some(early) => {
                let socket = self.delivery.socket.take().filter(|_| is_socket);
                self.pass(response, connection, (early, socket), sitting).await
            }
            None => self.collect(response, connection, sitting).await,
        }
    }

    /// Takes an answer that is delivered whole.
    async fn collect(
        &self,
        response: Response<Incoming>,
        connection: Connection,
        Sitting { seat, place, record }: Sitting<'_>,
    ) -> Result<Came, NoAnswer> {
        let (mut head, incoming) = response.into_parts();
        let collected = tokio::select! {
            biased;
            failure = seat.failure() => return Err(failure.into()),
            collected = body::collect(incoming, self.delivery.limit_bytes, &self.gateway.buffer) => collected,
        };
        let held = match collected {
            Ok(held) => held,
            Err(Collected::Refused(failure)) => return Err(failure.into()),
            Err(Collected::Broken(error)) => return Err(reason(seat, place, &error.into()).await.into()),
        };
        let code = head.headers.get(HEADER_ERROR).and_then(|code| code.to_str().ok()?.parse::<Code>().ok());
        let timing = record.answered(head.status.as_u16(), code, held.bytes.len(), &head.headers);
        make_end_to_end(&mut head.headers);
        tell_timing(&mut head.headers, timing);
        set_header(&mut head.headers, HEADER_INSTANCE, &place.id.0);
        give_back(place, connection);
        Ok(Came::Whole(Response::from_parts(head, held)))
    }

    /// Passes an answer on while it is made, or what goes over a websocket. For as long as that takes its client has a place in the
    /// instance: the deadline of the call ends it too.
    async fn pass(
        &self,
        mut response: Response<Incoming>,
        connection: Connection,
        (early, socket): (Early, Option<OnUpgrade>),
        Sitting { seat, place, record }: Sitting<'_>,
    ) -> Result<Came, NoAnswer> {
        let status = response.status();
        let timing = record.began(status.as_u16(), response.headers());
        let instance = hyper::upgrade::on(&mut response);
        let (mut head, mut body) = response.into_parts();
        make_end_to_end(&mut head.headers);
        if socket.is_some() {
            websocket::name(&mut head.headers);
        }
        tell_timing(&mut head.headers, timing);
        set_header(&mut head.headers, HEADER_INSTANCE, &place.id.0);
        let (mut passing, pieces) = Passing::new(self.gateway.buffer.clone());
        // A client that has left is found out below.
        let _ = early.send(Response::from_parts(head, pieces));
        let clock = self.gateway.dispatch.shared().clock;
        let passed = tokio::select! {
            biased;
            failure = seat.failure() => Err(failure),
            passed = passing.pass(&mut body, socket.map(|client| (client, instance))) => Ok(passed),
            never = place.take_turns(clock) => match never {},
        };
        record.sent(passing.bytes);
        match passed {
            Ok(Passed::Whole) => {
                give_back(place, connection);
                Ok(Came::Passed(status))
            }
            Ok(Passed::Left) => {
                let is_over = self.cancelled(body, seat, place, record).await?;
                if is_over {
                    give_back(place, connection);
                }
                Ok(Came::Left { is_over })
            }
            Ok(Passed::Broken(error)) => Err(broken_off(seat, place, error).await.into()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Tells the code of an answer that nobody wants the rest of it, and waits until it has ended: as long as it works, its place is
    /// taken. False where there is nobody to tell.
    async fn cancelled(
        &self,
        mut body: Incoming,
        seat: &mut Seat,
        place: &Place,
        record: &CallRecord,
    ) -> Result<bool, NoAnswer> {
        let Some(feed) = place.feed() else { return Ok(false) };
        let ended = async {
            let is_told = feed.cancel(record.id()).await.unwrap_or(false);
            while is_told && let Some(Ok(_)) = body.frame().await {}
            is_told
        };
        tokio::select! {
            biased;
            failure = seat.failure() => Err(failure.into()),
            is_over = ended => Ok(is_over),
            never = place.take_turns(self.gateway.dispatch.shared().clock) => match never {},
        }
    }
}

/// Says where the time went, in the place of what the instance says of its part, which is in it.
fn tell_timing(headers: &mut HeaderMap, timing: Option<HeaderValue>) {
    if let Some(timing) = timing {
        headers.insert(SERVER_TIMING, timing);
    }
}

/// A connection whose answer was read to its end is for the next call.
fn give_back(place: &Place, connection: Connection) {
    if let Some(feed) = place.feed() {
        feed.give_back(connection);
    }
}

/// The request as it goes to an instance. The original is kept: another instance may have to get it.
fn copy(request: &Request<Held>) -> Request<Full<Bytes>> {
    let mut copy = Request::new(Full::new(request.body().bytes.clone()));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

fn never_taken(place: &Place) -> PlatformError {
    let message =
        format!("{SENDS_LIMIT} instances, the last of them {}, ended before they took the call in", place.id);
    PlatformError::new(Code::InstanceDied, message).hint("modelet logs shows what they said")
}

/// Why an answer broke off in the middle. An instance that lives has said itself that it does, since its code failed.
async fn broken_off(seat: &mut Seat, place: &mut Place, error: hyper::Error) -> Failure {
    let lives = async {
        match place.feed() {
            Some(feed) => feed.health().await.is_ok(),
            None => false,
        }
    };
    let lives = tokio::select! {
        biased;
        failure = seat.failure() => return failure.into(),
        lives = tokio::time::timeout(REASON_TIMEOUT, lives) => lives.unwrap_or(false),
    };
    if lives {
        let message = "the function failed in the middle of its answer";
        return FunctionError::new(Code::HandlerFailed, message).hint("modelet logs shows why").into();
    }
    reason(seat, place, &error.into()).await.into()
}

/// Why an instance broke the connection: its end, when that is what happened.
async fn reason(seat: &mut Seat, place: &mut Place, error: &FeedError) -> PlatformError {
    place.settle();
    tokio::time::timeout(REASON_TIMEOUT, seat.failure()).await.unwrap_or_else(|_| {
        PlatformError::new(Code::InstanceDied, format!("instance {}: {error}", place.id))
            .hint("the next call gets a new connection; modelet logs shows what the instance said")
    })
}
