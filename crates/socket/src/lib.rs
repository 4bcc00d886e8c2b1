//! The socket between a platform and an instance: either end of it, once connected.
//!
//! Nobody is told that it can be written to, but while it could not. Whoever waits for that is woken each time the other end
//! reads, and the other end pays for waking: twice within a call, for nothing.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags, Shutdown, sendmsg, shutdown};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::pipe::{Receiver, Sender};

/// A connected socket, within a reactor.
#[derive(Debug)]
pub struct Socket {
    /// What only reads a pipe watches for nothing but what can be read, and reads a socket as well.
    reads: Receiver,
    /// While it is full.
    full: Option<Sender>,
}

impl Socket {
    /// Must be called within a reactor.
    ///
    /// # Errors
    /// When the reactor cannot watch it.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { reads: Receiver::from_owned_fd_unchecked(stream.into())?, full: None })
    }

    fn wait_for_room(&mut self) -> io::Result<&mut Sender> {
        let again = self.reads.as_fd().try_clone_to_owned()?;
        Ok(self.full.insert(Sender::from_owned_fd_unchecked(again)?))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reads).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let full = match &mut self.full {
            Some(full) => full,
            None => {
                let nothing_else = &mut SendAncillaryBuffer::default();
                match sendmsg(&self.reads, slices, nothing_else, SendFlags::NOSIGNAL) {
                    Err(Errno::AGAIN | Errno::INTR) => self.wait_for_room()?,
                    sent => return Poll::Ready(sent.map_err(Into::into)),
                }
            }
        };
        let written = ready!(Pin::new(full).poll_write_vectored(cx, slices));
        self.full = None;
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// There is nothing between it and the kernel.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(shutdown(&self.reads, Shutdown::Write).map_err(Into::into))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::thread;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// More than any socket holds.
    const MANY: usize = 8 << 20;

    fn pattern() -> Vec<u8> {
        (0..MANY).map(|at| (at % 251) as u8).collect()
    }

    #[tokio::test]
    async fn what_does_not_fit_goes_when_there_is_room() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let reader = thread::spawn(move || {
            let mut found = Vec::new();
            theirs.read_to_end(&mut found).unwrap();
            found
        });
        let mut socket = Socket::new(ours).unwrap();
        socket.write_all(&pattern()).await.unwrap();
        assert!(socket.full.is_none(), "nobody is told any more");
        socket.shutdown().await.unwrap();
        assert_eq!(reader.join().unwrap(), pattern());
    }

    #[tokio::test]
    async fn all_that_comes_is_read_in_whatever_pieces_and_then_the_end() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let writer = thread::spawn(move || {
            for piece in pattern().chunks(70_001) {
                theirs.write_all(piece).unwrap();
            }
        });
        let mut found = Vec::new();
        Socket::new(ours).unwrap().read_to_end(&mut found).await.unwrap();
        writer.join().unwrap();
        assert_eq!(found, pattern());
    }

    #[tokio::test]
    async fn an_end_that_is_gone_is_an_error_and_no_signal() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut socket = Socket::new(ours).unwrap();
        drop(theirs);
        assert_eq!(socket.write_all(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(socket.read(&mut [0]).await.unwrap(), 0);
    }
}
