//! What an instance prints, line by line.

use std::os::fd::OwnedFd;

use modelet_core::lines::take_lines;
use tokio::io::{AsyncReadExt, Result};
use tokio::net::unix::pipe;
use tokio::sync::mpsc;

/// Which of its two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The name in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// One line, without its end; bytes that are not UTF-8 are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputLine {
    /// Where it was printed.
    pub stream: Stream,
    /// Its text.
    pub text: String,
}

/// Reads one output to its end and sends its lines. When the receiver is slow the instance waits in its `write`: nothing
/// is dropped, nothing piles up.
pub async fn read_lines(fd: OwnedFd, stream: Stream, lines: mpsc::Sender<OutputLine>) -> Result<()> {
    rustix::io::ioctl_fionbio(&fd, true)?;
    let mut pipe = pipe::Receiver::from_owned_fd(fd)?;
    let mut buffer = Vec::with_capacity(4 << 10);
    loop {
        let read = pipe.read_buf(&mut buffer).await?;
        let ended = read == 0;
        for text in take_lines(&mut buffer, ended) {
            if lines.send(OutputLine { stream, text }).await.is_err() {
                return Ok(());
            }
        }
        if ended {
            return Ok(());
        }
    }
}
