//! What a file is, by its first bytes, and the stream of opcodes within it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::{GzDecoder, ZlibDecoder};

/// How the file of a pickle is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// Not at all.
    Plain,
    /// By zlib, joblib's default.
    Zlib,
    /// By gzip.
    Gzip,
    /// In a way that is not read here, with its name.
    Unread(&'static str),
    /// Not a pickle but a zip.
    Zip,
}

/// Beginnings of files, the longest first.
const MAGICS: &[(&[u8], Container)] = &[
    (b"\xfd7zXZ\0", Container::Unread("xz")),
    (b"PK\x03\x04", Container::Zip),
    (b"\x04\x22\x4d\x18", Container::Unread("lz4")),
    (b"BZh", Container::Unread("bz2")),
    (b"\x5d\0\0", Container::Unread("lzma")),
    (b"\x1f\x8b", Container::Gzip),
    (b"ZF", Container::Unread("joblib before 0.10")),
    (b"x", Container::Zlib),
];
/// More than the longest of them.
const MAGIC_BYTES: u64 = 8;
/// How much is read at once.
const BUFFER_BYTES: usize = 64 << 10;

impl Container {
    /// Looks at the first bytes.
    pub fn of(path: &Path) -> io::Result<Self> {
        let mut head = Vec::new();
        File::open(path)?.take(MAGIC_BYTES).read_to_end(&mut head)?;
        let found = MAGICS.iter().find(|(magic, _)| head.starts_with(magic));
        Ok(found.map_or(Self::Plain, |(_, container)| *container))
    }

    /// Its name, for what is compressed in a way that is read.
    pub fn compressed(self) -> Option<&'static str> {
        match self {
            Self::Zlib => Some("compressed by zlib"),
            Self::Gzip => Some("compressed by gzip"),
            _ => None,
        }
    }

    /// Opens the stream and hands it on; then `Ok((result, true))` when nothing stands in the file behind the stream.
    pub fn read<T>(self, path: &Path, read: impl FnOnce(&mut dyn BufRead) -> T) -> io::Result<(T, bool)> {
        let mut file = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
        let result = match self {
            Self::Zlib => read(&mut BufReader::with_capacity(BUFFER_BYTES, ZlibDecoder::new(&mut file))),
            Self::Gzip => read(&mut BufReader::with_capacity(BUFFER_BYTES, GzDecoder::new(&mut file))),
            _ => read(&mut file),
        };
        let is_clean = self.compressed().is_none() || file.fill_buf()?.is_empty();
        Ok((result, is_clean))
    }
}
