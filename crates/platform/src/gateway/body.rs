//! Bodies: read whole and within limits on the way in, passed on as they come on the way out.
//!
//! A request's body is read before the call gets in line, so that a slow client holds memory, which is cheap and bounded,
//! and never an instance, which is neither.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use modelet_core::{Code, Failure, FunctionError, PlatformError};
use modelet_worker::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::dispatch::Seat;
use crate::dispatch::instance::Instance;
use crate::gateway::record::CallRecord;

/// Of a body that is refused for its size, this much is read and thrown away, so that the client gets to read why.
const DISCARD_LIMIT_BYTES: u64 = 64 << 20;
/// … and for this long.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);

/// A body in memory, and the room that it takes.
pub struct Held {
    /// The bytes.
    pub bytes: Bytes,
    _room: Vec<OwnedSemaphorePermit>,
}

/// Reads a body whole, within `limit_bytes` and `timeout`.
pub async fn read(
    body: Incoming,
    limit_bytes: u64,
    buffer: &Arc<Semaphore>,
    timeout: Duration,
) -> Result<Held, Failure> {
    let reading = read_within(body, limit_bytes, buffer);
    tokio::time::timeout(timeout, reading).await.unwrap_or_else(|_| {
        let seconds = timeout.as_secs();
        let message = format!("the body was not whole after {seconds} s");
        Err(FunctionError::new(Code::BadBody, message).hint("send it faster, or in smaller parts").into())
    })
}

async fn read_within(mut body: Incoming, limit: u64, buffer: &Arc<Semaphore>) -> Result<Held, Failure> {
    let announced = body.size_hint().exact();
    if let Some(size) = announced.filter(|size| *size > limit) {
        discard(&mut body).await;
        return Err(too_large(Some(size), limit).into());
    }
    let mut room = Vec::new();
    if let Some(size) = announced {
        room.push(reserve(buffer, size)?);
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            FunctionError::new(Code::BadBody, format!("the body ended before it was whole: {error}"))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if announced.is_none() {
            room.push(reserve(buffer, data.len() as u64)?);
        }
        if bytes.is_empty() && announced == Some(data.len() as u64) {
            return Ok(Held { bytes: data, _room: room });
        }
        bytes.extend_from_slice(&data);
        if bytes.len() as u64 > limit {
            discard(&mut body).await;
            return Err(too_large(None, limit).into());
        }
    }
    Ok(Held { bytes: bytes.freeze(), _room: room })
}

fn reserve(buffer: &Arc<Semaphore>, bytes: u64) -> Result<OwnedSemaphorePermit, PlatformError> {
    let kib = u32::try_from(bytes.div_ceil(1 << 10)).unwrap_or(u32::MAX);
    buffer.clone().try_acquire_many_owned(kib).map_err(|_| {
        PlatformError::new(Code::Overloaded, "the gateway holds as many request bytes as --buffer-mib allows")
            .hint("try again later, or send smaller bodies")
            .retry_after_s(1)
    })
}

fn too_large(size: Option<u64>, limit: u64) -> FunctionError {
    let size = size.map_or_else(|| format!("more than {limit}"), |size| size.to_string());
    FunctionError::new(
        Code::BodyTooLarge,
        format!("the body has {size} bytes, body_limit_mib allows {limit}"),
    )
    .hint("send npy (application/x-npy), which is several times smaller than JSON, or split the batch")
}

async fn discard(body: &mut Incoming) {
    let discarding = async {
        let mut discarded = 0;
        while let Some(Ok(frame)) = body.frame().await {
            discarded += frame.data_ref().map_or(0, |data| data.len() as u64);
            if discarded > DISCARD_LIMIT_BYTES {
                return;
            }
        }
    };
    // What is still to come after that is cut off with the connection.
    let _ = tokio::time::timeout(DISCARD_TIMEOUT, discarding).await;
}

/// The body of an answer, as it comes out of an instance. When it has ended the slot is free; dropped before, the client is
/// gone and the connection to the instance with it.
pub struct Answer {
    inner: Incoming,
    /// Present until the end.
    open: Option<Open>,
    limit_bytes: u64,
}

/// What an answer holds on to while it is on its way.
pub struct Open {
    /// The slot.
    pub seat: Seat,
    /// Where the slot is.
    pub instance: Arc<Instance>,
    /// The connection that the answer comes through.
    pub connection: Connection,
    /// What is kept of the call.
    pub record: CallRecord,
}

impl Open {
    /// The answer has ended well.
    pub fn close(self) {
        if let Some(feed) = self.instance.feed() {
            feed.give_back(self.connection);
        }
        self.seat.finish();
        self.record.finish();
    }
}

impl Answer {
    /// An answer whose head has come.
    pub fn new(inner: Incoming, open: Open, limit_bytes: u64) -> Self {
        Self { inner, open: Some(open), limit_bytes }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let this = &mut *self;
        let Some(open) = &mut this.open else { return Poll::Ready(None) };
        let failure = std::pin::pin!(open.seat.failure()).poll_unpin(context);
        if let Poll::Ready(failure) = failure {
            return Poll::Ready(Some(Err(this.broken(&failure.message))));
        }
        match std::task::ready!(Pin::new(&mut this.inner).poll_frame(context)) {
            Some(Ok(frame)) => {
                let sent = open.record.add_response_bytes(frame.data_ref().map_or(0, Bytes::len));
                if sent > this.limit_bytes {
                    return Poll::Ready(Some(Err(
                        this.broken("the answer is larger than response_limit_mib")
                    )));
                }
                if this.inner.is_end_stream()
                    && let Some(open) = this.open.take()
                {
                    open.close();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(this.broken(&error.to_string())))),
            None => {
                if let Some(open) = this.open.take() {
                    open.close();
                }
                Poll::Ready(None)
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Answer {
    /// The head has been sent, so all that is left is to break off in a way that the client notices.
    fn broken(&mut self, why: &str) -> std::io::Error {
        if let Some(mut open) = self.open.take() {
            open.record.platform_failed(Code::InstanceDied);
        }
        std::io::Error::other(why.to_owned())
    }
}
