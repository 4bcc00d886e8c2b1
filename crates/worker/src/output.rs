//! What an instance prints, line by line.

use std::os::fd::OwnedFd;

use tokio::io::{AsyncReadExt, Result};
use tokio::net::unix::pipe;
use tokio::sync::mpsc;

/// Longest line kept in one piece, in bytes; a longer one is cut into several.
pub const MAX_LINE_BYTES: usize = 64 << 10;

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

/// Takes every complete line out of the buffer; at the end also what has no line end.
fn take_lines(buffer: &mut Vec<u8>, ended: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut start = 0;
    loop {
        let rest = &buffer[start..];
        let cut = match rest.iter().take(MAX_LINE_BYTES).position(|byte| *byte == b'\n') {
            Some(end) => (end, end + 1),
            None if rest.len() >= MAX_LINE_BYTES => (MAX_LINE_BYTES, MAX_LINE_BYTES),
            None if ended && !rest.is_empty() => (rest.len(), rest.len()),
            None => break,
        };
        let line = rest[..cut.0].strip_suffix(b"\r").unwrap_or(&rest[..cut.0]);
        lines.push(String::from_utf8_lossy(line).into_owned());
        start += cut.1;
    }
    buffer.drain(..start);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_a_newline_a_limit_or_the_end() {
        let mut buffer = b"one\r\ntwo\nthr".to_vec();
        assert_eq!(take_lines(&mut buffer, false), ["one", "two"]);
        assert_eq!(buffer, b"thr");
        assert_eq!(take_lines(&mut buffer, true), ["thr"]);
        let mut long = vec![b'x'; MAX_LINE_BYTES + 1];
        assert_eq!(take_lines(&mut long, false).len(), 1);
        assert_eq!(take_lines(&mut long, true), ["x"]);
    }
}
