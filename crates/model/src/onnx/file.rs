//! A file as a [`Buf`] that seeks over what its reader skips: a model of gigabytes is read in milliseconds.

use std::io::{self, SeekFrom};

use prost::bytes::Buf;

use crate::files::Seekable;

const BUFFER_BYTES: usize = 64 * 1024;

/// A window that moves over a file.
pub(super) struct FileBuf {
    file: Box<dyn Seekable>,
    window: Vec<u8>,
    /// Where in the window the next byte is.
    at: usize,
    /// Bytes to come, those in the window included.
    remaining: u64,
    /// Why reading stopped early; a [`Buf`] cannot say it.
    failure: Option<io::Error>,
}

impl FileBuf {
    /// Starts at the beginning of a file that has so many bytes.
    pub(super) fn new(file: Box<dyn Seekable>, size_bytes: u64) -> io::Result<Self> {
        let mut buf = Self { file, window: Vec::new(), at: 0, remaining: size_bytes, failure: None };
        buf.fill();
        buf.failure.take().map_or(Ok(buf), Err)
    }

    /// The bytes in the window that were not read yet: at first, the head of the file.
    pub(super) fn head(&self) -> &[u8] {
        &self.window[self.at..]
    }

    /// Why reading stopped before the end, if it did.
    pub(super) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    fn fill(&mut self) {
        self.at = 0;
        self.window.resize(BUFFER_BYTES, 0);
        let read = loop {
            match self.file.read(&mut self.window) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        match read {
            Ok(0) if self.remaining > 0 => self.fail(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => self.window.truncate(read),
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: io::Error) {
        self.window.clear();
        self.remaining = 0;
        self.failure = Some(error);
    }
}

impl Buf for FileBuf {
    fn remaining(&self) -> usize {
        usize::try_from(self.remaining).unwrap_or(usize::MAX)
    }

    fn chunk(&self) -> &[u8] {
        self.head()
    }

    fn advance(&mut self, bytes: usize) {
        self.remaining = self.remaining.saturating_sub(bytes as u64);
        let buffered = self.window.len() - self.at;
        if bytes < buffered {
            self.at += bytes;
            return;
        }
        let skip = i64::try_from(bytes - buffered).unwrap_or(i64::MAX);
        if let Err(error) = self.file.seek(SeekFrom::Current(skip)) {
            self.fail(error);
        } else if self.remaining > 0 {
            self.fill();
        } else {
            self.window.clear();
            self.at = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_skips_over_window_borders() {
        let bytes: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
        let file = Box::new(io::Cursor::new(bytes.clone()));
        let mut buf = FileBuf::new(file, bytes.len() as u64).unwrap();
        assert_eq!(buf.head()[..4], bytes[..4]);
        for (skip, take) in [(0, 3), (65_530, 20), (0, 70_000), (100_000, 1)] {
            let at = bytes.len() - buf.remaining() + skip;
            buf.advance(skip);
            let mut taken = vec![0; take];
            buf.copy_to_slice(&mut taken);
            assert_eq!(taken, bytes[at..at + take]);
        }
        buf.advance(buf.remaining());
        assert!(!buf.has_remaining() && buf.failure().is_none());
    }
}
