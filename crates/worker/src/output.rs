//! What an instance prints, line by line.

use std::os::fd::{AsFd, OwnedFd};

use modelet_core::entry::Stream;
use modelet_core::lines::take_lines;
use tokio::io::{AsyncReadExt, Result};
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};

/// So much is read at once of what somebody asks for.
const READ_BYTES: usize = 64 << 10;
/// Questions that wait for a reader.
const ASKS: usize = 16;

/// One line, without its end; bytes that are not UTF-8 are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputLine {
    /// Where it was printed.
    pub stream: Stream,
    /// Its text.
    pub text: String,
}

/// Asks for a word when something is done; whoever is gone has done all that it ever will.
#[derive(Debug, Clone)]
pub struct Asker(mpsc::Sender<oneshot::Sender<()>>);

/// Hears what an [`Asker`] asks for.
pub type Asked = mpsc::Receiver<oneshot::Sender<()>>;

impl Asker {
    /// One, and whom it asks.
    pub fn new() -> (Self, Asked) {
        let (sender, asked) = mpsc::channel(ASKS);
        (Self(sender), asked)
    }

    /// Asks, and waits until it is done.
    pub async fn done(&self) {
        let (sender, done) = oneshot::channel();
        if self.0.send(sender).await.is_ok() {
            let _ = done.await;
        }
    }
}

/// Those who read the two outputs of a process.
#[derive(Debug)]
pub struct Readers([Asker; 2]);

impl Readers {
    /// Waits until every line that was printed up to now is in the queue of lines.
    pub async fn catch_up(&self) {
        for reader in &self.0 {
            reader.done().await;
        }
    }
}

/// Reads both outputs of a process to their ends, and gives their lines. When these are not taken, beyond a queue of so many, the
/// process waits in its `write`: nothing is dropped, nothing piles up.
pub fn follow(stdout: OwnedFd, stderr: OwnedFd, queue: usize) -> (mpsc::Receiver<OutputLine>, Readers) {
    let (sender, lines) = mpsc::channel(queue);
    let read = |fd, stream| {
        let (asker, asked) = Asker::new();
        tokio::spawn(read_lines(fd, stream, sender.clone(), asked));
        asker
    };
    (lines, Readers([read(stdout, Stream::Stdout), read(stderr, Stream::Stderr)]))
}

async fn read_lines(
    fd: OwnedFd,
    stream: Stream,
    lines: mpsc::Sender<OutputLine>,
    mut asked: Asked,
) -> Result<()> {
    rustix::io::ioctl_fionbio(&fd, true)?;
    let mut pipe = pipe::Receiver::from_owned_fd(fd)?;
    let mut buffer = Vec::with_capacity(4 << 10);
    loop {
        let (ended, done) = tokio::select! {
            read = pipe.read_buf(&mut buffer) => (read? == 0, None),
            Some(done) = asked.recv() => {
                read_present(&pipe, &mut buffer)?;
                (false, Some(done))
            }
        };
        for text in take_lines(&mut buffer, ended) {
            if lines.send(OutputLine { stream, text }).await.is_err() {
                return Ok(());
            }
        }
        if let Some(done) = done {
            // Whoever asked may have gone.
            let _ = done.send(());
        }
        if ended {
            return Ok(());
        }
    }
}

/// Reads what is in a pipe now, and no more: at most what a pipe holds.
fn read_present(pipe: &pipe::Receiver, buffer: &mut Vec<u8>) -> Result<()> {
    let mut left = usize::try_from(rustix::io::ioctl_fionread(pipe.as_fd())?).unwrap_or(0);
    let mut bytes = vec![0; left.min(READ_BYTES)];
    while left > 0 {
        let wanted = left.min(READ_BYTES);
        let read = rustix::io::read(pipe.as_fd(), &mut bytes[..wanted])?;
        if read == 0 {
            break;
        }
        buffer.extend_from_slice(&bytes[..read]);
        left -= read;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn what_was_printed_is_there_when_the_readers_have_caught_up() {
        let (stdout, to_stdout) = rustix::pipe::pipe().unwrap();
        let (stderr, to_stderr) = rustix::pipe::pipe().unwrap();
        let (mut lines, readers) = follow(stdout, stderr, 64);
        let (mut to_stdout, mut to_stderr) = (File::from(to_stdout), File::from(to_stderr));
        for number in 0..20 {
            writeln!(to_stdout, "{number}").unwrap();
            write!(to_stderr, "a{number}\nbegun").unwrap();
            readers.catch_up().await;
            let (first, second) = (lines.try_recv().unwrap(), lines.try_recv().unwrap());
            assert_eq!((first.stream, first.text), (Stream::Stdout, number.to_string()));
            assert!(second.text.ends_with(&format!("a{number}")), "{second:?}");
        }
        drop((to_stdout, to_stderr));
        assert_eq!(lines.recv().await.unwrap().text, "begun");
        assert_eq!(lines.recv().await, None);
        readers.catch_up().await;
    }
}
