//! Bodies: read whole and within limits, on the way in and on the way out.
//!
//! A request's body is read before the call gets in line, and an answer's body is taken out of the instance before the client
//! reads it: a slow client holds memory, which is cheap and bounded, and never an instance, which is neither.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use modelet_core::{Code, Failure, FunctionError, PlatformError, Settings};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Of a body that is refused for its size, this much is read and thrown away, so that the client gets to read why.
const DISCARD_LIMIT_BYTES: u64 = 64 << 20;
/// … and for this long.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);
/// An answer is handed to its connection in pieces of this size, so that its room stays taken until nearly all of it is sent.
const PIECE_BYTES: usize = 64 << 10;

/// A body in memory, and the room that it takes.
#[derive(Debug)]
pub struct Held {
    /// The bytes.
    pub bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl Held {
    /// What we say ourselves: small, and without room of its own.
    pub fn of(bytes: Bytes) -> Self {
        Self { bytes, _room: None }
    }

    /// A piece of an answer, as soon as there is room for it.
    pub async fn waited(bytes: Bytes, buffer: &Arc<Semaphore>) -> Self {
        let kib = u32::try_from(bytes.len().div_ceil(1 << 10)).unwrap_or(u32::MAX);
        // It is never closed.
        let room = buffer.clone().acquire_many_owned(kib).await.ok();
        Self { bytes, _room: room }
    }

    /// A body that is there already.
    pub fn within(bytes: Bytes, buffer: &Arc<Semaphore>) -> Result<Self, PlatformError> {
        let room = reserve(0, bytes.len(), buffer)?;
        Ok(Self { bytes, _room: Some(room) })
    }
}

/// How large a request's body may be, and which setting says so.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimit {
    bytes: u64,
    setting: &'static str,
}

impl BodyLimit {
    /// For a call whose client waits.
    pub fn of(settings: &Settings) -> Self {
        Self { bytes: settings.body_limit_bytes(), setting: "body_limit_mib" }
    }

    /// For one whose client does not.
    pub fn asynchronous(settings: &Settings) -> Self {
        Self { bytes: settings.async_body_limit_bytes(), setting: "async_body_limit_mib" }
    }
}

/// Room for the bytes that `more` bytes add to those that are held already.
fn reserve(held: usize, more: usize, buffer: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, PlatformError> {
    let kib = |bytes: usize| u32::try_from(bytes.div_ceil(1 << 10)).unwrap_or(u32::MAX);
    buffer.clone().try_acquire_many_owned(kib(held + more) - kib(held)).map_err(|_| {
        let message = "the gateway holds as many bytes of bodies as --buffer-mib allows";
        PlatformError::new(Code::Overloaded, message)
            .hint("try again later, send smaller bodies, or raise --buffer-mib of modelet up")
            .retry_after_s(1)
    })
}

/// Bytes as they arrive, with room reserved for what has come and not for what was announced: whoever only announces takes
/// nothing from others.
struct Arriving {
    bytes: BytesMut,
    room: Option<OwnedSemaphorePermit>,
}

impl Arriving {
    fn add(&mut self, data: &Bytes, buffer: &Arc<Semaphore>) -> Result<(), PlatformError> {
        let reserved = reserve(self.bytes.len(), data.len(), buffer)?;
        match &mut self.room {
            Some(room) => room.merge(reserved),
            None => self.room = Some(reserved),
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }
}

/// Reads a request's body whole, within `limit` and `timeout`. `expects_continue`: the client sends it only when asked.
pub async fn read(
    body: Incoming,
    limit: BodyLimit,
    buffer: &Arc<Semaphore>,
    timeout: Duration,
    expects_continue: bool,
) -> Result<Held, Failure> {
    let reading = read_within(body, limit, buffer, expects_continue);
    tokio::time::timeout(timeout, reading).await.unwrap_or_else(|_| {
        let seconds = timeout.as_secs();
        let message = format!("the body was not whole after {seconds} s");
        Err(FunctionError::new(Code::BadBody, message).hint("send it faster, or in smaller parts").into())
    })
}

async fn read_within(
    mut body: Incoming,
    limit: BodyLimit,
    buffer: &Arc<Semaphore>,
    expects_continue: bool,
) -> Result<Held, Failure> {
    let announced = body.size_hint().exact();
    if let Some(size) = announced.filter(|size| *size > limit.bytes) {
        // Asking for a body makes a client that waits for `100 Continue` send it; one that is huge is not waited for either.
        if !expects_continue && size <= DISCARD_LIMIT_BYTES {
            discard(&mut body).await;
        }
        return Err(too_large(Some(size), limit).into());
    }
    let mut arriving = Arriving { bytes: BytesMut::new(), room: None };
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            FunctionError::new(Code::BadBody, format!("the body ended before it was whole: {error}"))
        })?;
        let Some(data) = frame.data_ref() else { continue };
        if (arriving.bytes.len() + data.len()) as u64 > limit.bytes {
            discard(&mut body).await;
            return Err(too_large(None, limit).into());
        }
        arriving.add(data, buffer)?;
    }
    Ok(Held { bytes: arriving.bytes.freeze(), _room: arriving.room })
}

/// Takes an answer's body out of an instance, within `limit_bytes`.
pub async fn collect(
    mut body: Incoming,
    limit_bytes: u64,
    buffer: &Arc<Semaphore>,
) -> Result<Held, Collected> {
    let mut arriving = Arriving { bytes: BytesMut::new(), room: None };
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(Collected::Broken)?;
        let Some(data) = frame.data_ref() else { continue };
        if (arriving.bytes.len() + data.len()) as u64 > limit_bytes {
            let message = format!("the answer is larger than response_limit_mib allows: {limit_bytes} bytes");
            let error = FunctionError::new(Code::ResponseTooLarge, message);
            return Err(Collected::Refused(
                error.hint("ask for fewer rows in one call, or raise response_limit_mib").into(),
            ));
        }
        arriving.add(data, buffer).map_err(|error| Collected::Refused(error.into()))?;
    }
    Ok(Held { bytes: arriving.bytes.freeze(), _room: arriving.room })
}

/// Why an answer did not come whole.
#[derive(Debug)]
pub enum Collected {
    /// The instance broke it off.
    Broken(hyper::Error),
    /// We did.
    Refused(Failure),
}

fn too_large(size: Option<u64>, BodyLimit { bytes, setting }: BodyLimit) -> FunctionError {
    let size = size.map_or_else(|| format!("more than {bytes}"), |size| size.to_string());
    FunctionError::new(Code::BodyTooLarge, format!("the body has {size} bytes, {setting} allows {bytes}"))
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

/// An answer on its way to the client: its room is free again when the client has it.
impl Body for Held {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let piece = self.bytes.len().min(PIECE_BYTES);
        let bytes = self.bytes.split_to(piece);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}
