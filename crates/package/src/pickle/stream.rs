//! The bytes of a pickle, read once from front to back, with the offset for messages and the rules of frames.

use std::fmt;
use std::io::{self, BufRead};

use crate::pickle::limits::{Keep, MAX_KEPT_LINE_BYTES, MAX_STREAM_BYTES, MAX_WHOLE_BYTES};

/// The file ends, or says something that no pickle says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Where in the stream, in bytes, after unpacking.
    pub offset: u64,
    /// What is wrong there.
    pub why: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {})", self.why, self.offset)
    }
}

/// What most of the reading returns.
pub type Read<T> = Result<T, Damage>;

/// A stream of bytes.
pub struct Stream<'a> {
    inner: &'a mut dyn BufRead,
    offset: u64,
    frame_end: u64,
    /// How much is kept of what is read.
    pub keep: Keep,
}

impl<'a> Stream<'a> {
    /// Begins at offset 0.
    pub fn new(inner: &'a mut dyn BufRead, keep: Keep) -> Self {
        Self { inner, offset: 0, frame_end: 0, keep }
    }

    /// Where the next byte lies.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Damage here.
    pub fn damage(&self, why: impl Into<String>) -> Damage {
        Damage { offset: self.offset, why: why.into() }
    }

    /// True within a frame: Python may have read further than it has come.
    pub fn is_in_frame(&self) -> bool {
        self.offset < self.frame_end
    }

    /// Begins a frame. Python's two readers agree only on frames that do not overlap.
    pub fn begin_frame(&mut self, len: u64) -> Read<()> {
        if self.is_in_frame() {
            return Err(self.damage("a frame begins within a frame"));
        }
        self.frame_end = self.offset.saturating_add(len);
        Ok(())
    }

    /// True when nothing is left.
    pub fn is_at_end(&mut self) -> Read<bool> {
        Ok(self.fill()?.is_empty())
    }

    /// The next byte, which stays.
    pub fn peek(&mut self) -> Read<Option<u8>> {
        Ok(self.fill()?.first().copied())
    }

    /// One byte.
    pub fn byte(&mut self) -> Read<u8> {
        Ok(self.exact::<1>()?[0])
    }

    /// So many bytes.
    pub fn exact<const N: usize>(&mut self) -> Read<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.head(N as u64, N as u64)?);
        Ok(bytes)
    }

    /// Passes over `len` bytes and returns the first `kept` of them.
    pub fn head(&mut self, len: u64, kept: u64) -> Read<Vec<u8>> {
        self.check(len)?;
        let mut head = Vec::new();
        let mut left = len;
        while left > 0 {
            let wanted = kept.saturating_sub(head.len() as u64);
            let buffer = self.fill()?;
            if buffer.is_empty() {
                return Err(self.damage("the file ends in the middle"));
            }
            let taken = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            head.extend_from_slice(&buffer[..taken.min(usize::try_from(wanted).unwrap_or(usize::MAX))]);
            self.pass(taken);
            left -= taken as u64;
        }
        Ok(head)
    }

    /// Passes over `len` bytes and returns them where all is kept and they are not too many.
    pub fn whole(&mut self, len: u64) -> Read<Option<Vec<u8>>> {
        let is_kept = self.keep == Keep::Whole && len <= MAX_WHOLE_BYTES;
        let bytes = self.head(len, if is_kept { len } else { 0 })?;
        Ok(is_kept.then_some(bytes))
    }

    /// Passes over `len` bytes that lie outside of any frame, such as an array's.
    pub fn skip(&mut self, len: u64) -> Read<()> {
        self.head(len, 0).map(drop)
    }

    /// The bytes up to a line feed, without it; of a long line the first [`MAX_KEPT_LINE_BYTES`].
    pub fn line(&mut self) -> Read<Vec<u8>> {
        let mut line = Vec::new();
        loop {
            let buffer = self.fill()?;
            if buffer.is_empty() {
                return Err(self.damage("the file ends in the middle of a line"));
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let kept = end.unwrap_or(buffer.len()).min(MAX_KEPT_LINE_BYTES - line.len());
            line.extend_from_slice(&buffer[..kept]);
            let taken = end.map_or(buffer.len(), |end| end + 1);
            self.check(taken as u64)?;
            self.pass(taken);
            if end.is_some() {
                return Ok(line);
            }
        }
    }

    fn check(&self, len: u64) -> Read<()> {
        let end = self.offset.saturating_add(len);
        if self.is_in_frame() && end > self.frame_end {
            return Err(self.damage("a value reaches over the end of its frame"));
        }
        if end > MAX_STREAM_BYTES {
            return Err(self.damage(format!("it is larger than {MAX_STREAM_BYTES} bytes")));
        }
        Ok(())
    }

    fn fill(&mut self) -> Read<&[u8]> {
        let offset = self.offset;
        // Asked twice, since a borrow that is returned cannot also be retried.
        while let Err(error) = self.inner.fill_buf() {
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(Damage { offset, why: format!("it cannot be read on: {error}") });
            }
        }
        self.inner
            .fill_buf()
            .map_err(|error| Damage { offset, why: format!("it cannot be read on: {error}") })
    }

    fn pass(&mut self, len: usize) {
        self.inner.consume(len);
        self.offset += len as u64;
    }
}
