//! The socket under a connection. It notes what becomes of a call's bytes, so that when the instance ends we know whether it can
//! have read any of them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use modelet_socket::Socket;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// An instance reads at least this much at once, if there is as much (as hyper does): of fewer bytes that came in one write
/// it has read all or none.
const READ_AT_ONCE_BYTES: u64 = 8 << 10;

/// What became of the bytes of one call.
#[derive(Debug, Default)]
pub(super) struct Trace {
    writes: AtomicU64,
    bytes: AtomicU64,
    /// The other end was closed with bytes in it that nobody had read.
    left_unread: AtomicBool,
}

impl Trace {
    /// A call begins.
    pub(super) fn begin(&self) {
        self.writes.store(0, Relaxed);
        self.bytes.store(0, Relaxed);
    }

    /// True when the instance, which has ended, read nothing of the call: nothing was sent, or all of it was left unread.
    pub(super) fn is_unread(&self) -> bool {
        match self.writes.load(Relaxed) {
            0 => true,
            1 => self.bytes.load(Relaxed) <= READ_AT_ONCE_BYTES && self.left_unread.load(Relaxed),
            _ => false,
        }
    }

    fn wrote(&self, result: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = result {
            self.writes.fetch_add(1, Relaxed);
            self.bytes.fetch_add(*bytes as u64, Relaxed);
        }
    }
}

/// A socket to an instance.
#[derive(Debug)]
pub(super) struct Wire {
    socket: Socket,
    trace: Arc<Trace>,
}

impl Wire {
    pub(super) const fn new(socket: Socket, trace: Arc<Trace>) -> Self {
        Self { socket, trace }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if let Poll::Ready(Err(error)) = &read
            && error.kind() == io::ErrorKind::ConnectionReset
        {
            // What Linux says when the receiver of a Unix socket closes it with bytes unread.
            self.trace.left_unread.store(true, Relaxed);
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.trace.wrote(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.trace.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
