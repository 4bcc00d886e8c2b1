//! One call of the worker's, from its first frame to its last.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{self, Body};
use modelet_core::FunctionError;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::wire::{self, AnswerHead, Call};
use crate::handler::event;

/// The worker is asked to wait when so much of an answer lies here that nobody takes …
const PAUSE_BYTES: usize = 256 << 10;
/// … and to go on when it is no more than this.
const RESUME_BYTES: usize = 64 << 10;

/// Of what clients say over websockets so much is on its way to the worker; beyond that they wait.
const SAID_BYTES: usize = 1 << 20;

/// Frames to the worker: what is under way is bounded by the number of calls, by their bodies, and by [`SAID_BYTES`].
pub(super) type Outbox = mpsc::UnboundedSender<Frame>;

/// A frame, and the room that it takes until it is sent.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    _room: Option<OwnedSemaphorePermit>,
}

impl From<Vec<u8>> for Frame {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, _room: None }
    }
}

/// The calls that the worker has, by number.
#[derive(Debug)]
pub(super) struct Exchanges {
    by_call: RefCell<HashMap<u64, Caller>>,
    last: Cell<u64>,
    /// For what clients say over websockets.
    room: Arc<Semaphore>,
}

impl Default for Exchanges {
    fn default() -> Self {
        Self { by_call: RefCell::default(), last: Cell::new(0), room: Arc::new(Semaphore::new(SAID_BYTES)) }
    }
}

/// Where the frames of one call go. They are bounded by [`PAUSE_BYTES`] and what was under way.
#[derive(Debug)]
struct Caller {
    /// The invocation, as its host calls it.
    invocation: String,
    frames: mpsc::UnboundedSender<(AnswerHead, Bytes)>,
    flow: Rc<Flow>,
    outbox: Outbox,
}

/// What of an answer has come and was not taken.
#[derive(Debug, Default)]
struct Flow {
    bytes: Cell<usize>,
    is_paused: Cell<bool>,
}

/// A call that the worker has. Dropped before its last frame, nobody wants its answer any more, and the worker is told.
#[derive(Debug)]
pub(super) struct Exchange {
    call: u64,
    frames: mpsc::UnboundedReceiver<(AnswerHead, Bytes)>,
    flow: Rc<Flow>,
    outbox: Outbox,
    all: Rc<Exchanges>,
    is_over: bool,
}

/// Something that is said of a call.
#[derive(Serialize)]
struct Said<'a, T> {
    call: u64,
    #[serde(flatten)]
    what: &'a T,
}

impl Exchanges {
    /// Sends a call.
    pub(super) fn begin(
        self: &Rc<Self>,
        outbox: &Outbox,
        call: &Call<'_>,
        body: &[u8],
    ) -> std::io::Result<Exchange> {
        let number = self.last.get() + 1;
        self.last.set(number);
        let frame = wire::frame(&Said { call: number, what: call }, body)?;
        let (sender, frames) = mpsc::unbounded_channel();
        let flow = Rc::new(Flow::default());
        let invocation = call.id().to_owned();
        let caller = Caller { invocation, frames: sender, flow: flow.clone(), outbox: outbox.clone() };
        self.by_call.borrow_mut().insert(number, caller);
        // Where nobody takes it, the process is gone, and whoever listens says so.
        let _ = outbox.send(frame.into());
        Ok(Exchange { call: number, frames, flow, outbox: outbox.clone(), all: self.clone(), is_over: false })
    }

    /// Tells the worker that nobody wants the rest of an answer; false where it makes no such answer.
    pub(super) fn cancel(&self, invocation: &str) -> bool {
        let by_call = self.by_call.borrow();
        let found = by_call.iter().find(|(_, caller)| caller.invocation == invocation);
        if let Some((call, caller)) = found {
            say(&caller.outbox, *call, &json!({ "control": "cancel" }), &[]);
        }
        found.is_some()
    }

    /// Hands a frame to whoever waits for it; nobody does for a call that was given up.
    pub(super) fn take(&self, head: AnswerHead, body: Bytes) {
        let call = head.call;
        let is_last = !head.more;
        let mut by_call = self.by_call.borrow_mut();
        if let Some(caller) = by_call.get(&call) {
            caller.take(head, body);
        }
        if is_last {
            by_call.remove(&call);
        }
    }
}

impl Caller {
    fn take(&self, head: AnswerHead, body: Bytes) {
        let Flow { bytes, is_paused } = self.flow.as_ref();
        let call = head.call;
        bytes.set(bytes.get() + body.len());
        if head.more && bytes.get() > PAUSE_BYTES && !is_paused.replace(true) {
            say(&self.outbox, call, &json!({ "control": "pause" }), &[]);
        }
        let _ = self.frames.send((head, body));
    }
}

impl Exchange {
    /// The next frame; `None` when there will be none, for it was the last, or the process is gone.
    pub(super) async fn next(&mut self) -> Option<(AnswerHead, Bytes)> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    /// The same, as a poll.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<(AnswerHead, Bytes)>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let frame = ready!(self.frames.poll_recv(context));
        self.is_over = frame.as_ref().is_none_or(|(head, _)| !head.more);
        if let Some((_, body)) = &frame {
            let left = self.flow.bytes.get() - body.len();
            self.flow.bytes.set(left);
            if left <= RESUME_BYTES && self.flow.is_paused.replace(false) {
                self.say(&json!({ "control": "resume" }), &[]);
            }
        }
        Poll::Ready(frame)
    }

    /// Tells the worker what a client says, as soon as there is room for it.
    pub(super) async fn pass(&self, what: &Value, body: &[u8]) {
        let size = u32::try_from(body.len().clamp(1, SAID_BYTES)).unwrap_or(1);
        let room = self.all.room.clone().acquire_many_owned(size).await.ok();
        if let Ok(bytes) = wire::frame(&Said { call: self.call, what }, body) {
            let _ = self.outbox.send(Frame { bytes, _room: room });
        }
    }

    /// Tells the worker something of this call.
    pub(super) fn say(&self, what: &Value, body: &[u8]) {
        say(&self.outbox, self.call, what, body);
    }
}

fn say(outbox: &Outbox, call: u64, what: &Value, body: &[u8]) {
    if let Ok(frame) = wire::frame(&Said { call, what }, body) {
        let _ = outbox.send(frame.into());
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.all.by_call.borrow_mut().remove(&self.call).is_some() && !self.is_over {
            self.say(&json!({ "control": "cancel" }), &[]);
        }
    }
}

/// The pieces of an answer, behind its first frame, whose own comes first.
#[derive(Debug)]
pub(super) struct AnswerPieces {
    /// That of the frame with the head.
    pub(super) first: Option<Bytes>,
    /// What is still to come.
    pub(super) exchange: Exchange,
}

impl Body for AnswerPieces {
    type Data = Bytes;
    type Error = FunctionError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<body::Frame<Bytes>, FunctionError>>> {
        if let Some(first) = self.first.take().filter(|first| !first.is_empty()) {
            return Poll::Ready(Some(Ok(body::Frame::data(first))));
        }
        let Some((mut head, piece)) = ready!(self.exchange.poll_next(context)) else {
            return Poll::Ready(None);
        };
        if let Some(raised) = head.raised() {
            return Poll::Ready(Some(Err(event::raised(raised))));
        }
        let is_end = piece.is_empty() && !head.more;
        Poll::Ready((!is_end).then(|| Ok(body::Frame::data(piece))))
    }
}
