//! Answers that are passed on while they are made. As much is read ahead of the client as a channel holds; then the instance waits,
//! and its call stays in it: until the deadline of the call, or until the client has taken no byte for as long as the server allows.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::upgrade::OnUpgrade;
use tokio::sync::{Semaphore, mpsc};

use crate::gateway::body::Held;
use crate::gateway::websocket;

/// Pieces that are read ahead of the client; a piece is what the instance's connection gives at once, some 64 KiB in a hurry.
const PIECES_AHEAD: usize = 8;

/// The answer broke off: so does the client's connection, and the client sees that it has not all of it.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
pub struct BrokenOff;

/// A body for the client.
pub struct Pieces {
    taken: mpsc::Receiver<Held>,
    is_whole: Arc<AtomicBool>,
}

/// The other end of it.
pub struct Passing {
    pieces: mpsc::Sender<Held>,
    is_whole: Arc<AtomicBool>,
    buffer: Arc<Semaphore>,
    /// What the client was given so far, in bytes.
    pub bytes: u64,
}

/// How it went.
pub enum Passed {
    /// To its end.
    Whole,
    /// The client left.
    Left,
    /// The instance broke it off.
    Broken(hyper::Error),
}

impl Passing {
    /// Both ends; what is on its way takes room in `buffer`.
    pub fn new(buffer: Arc<Semaphore>) -> (Self, Pieces) {
        let (pieces, taken) = mpsc::channel(PIECES_AHEAD);
        let is_whole = Arc::new(AtomicBool::new(false));
        (Self { pieces, is_whole: is_whole.clone(), buffer, bytes: 0 }, Pieces { taken, is_whole })
    }

    /// Passes on a body to its end; or what goes over a client's and an instance's connection, if they were made one.
    pub async fn pass(&mut self, body: &mut Incoming, socket: Option<(OnUpgrade, OnUpgrade)>) -> Passed {
        match socket {
            Some((client, instance)) => websocket::join(client, instance, &mut self.bytes).await,
            None => self.pass_body(body).await,
        }
    }

    async fn pass_body(&mut self, body: &mut Incoming) -> Passed {
        loop {
            let frame = tokio::select! {
                () = self.pieces.closed() => return Passed::Left,
                frame = body.frame() => frame,
            };
            let data = match frame {
                None => {
                    self.is_whole.store(true, SeqCst);
                    return Passed::Whole;
                }
                Some(Err(error)) => return Passed::Broken(error),
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            self.bytes += data.len() as u64;
            let held = Held::waited(data, &self.buffer).await;
            if self.pieces.send(held).await.is_err() {
                return Passed::Left;
            }
        }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        Poll::Ready(match ready!(self.taken.poll_recv(context)) {
            Some(held) => Some(Ok(Frame::data(held.bytes))),
            None => (!self.is_whole.load(SeqCst)).then_some(Err(BrokenOff)),
        })
    }
}
