//! Where the files of a model are read: on the disk, or in the memory of a program that carries its model within itself.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where files are read.
#[derive(Debug, Clone, Default)]
pub enum Files {
    /// On the disk.
    #[default]
    Disk,
    /// In memory, by their paths. What is not among them is not there.
    Memory(Arc<BTreeMap<PathBuf, &'static [u8]>>),
}

/// What is read from any place in it.
pub(crate) trait Seekable: Read + Seek {}

impl<T: Read + Seek> Seekable for T {}

impl Files {
    /// A whole file.
    pub fn read(&self, path: &Path) -> io::Result<Cow<'static, [u8]>> {
        match self {
            Self::Disk => fs::read(path).map(Cow::Owned),
            Self::Memory(_) => self.in_memory(path).map(Cow::Borrowed),
        }
    }

    /// A file, to be read in parts.
    pub(crate) fn open(&self, path: &Path) -> io::Result<Box<dyn Seekable>> {
        Ok(match self {
            Self::Disk => Box::new(File::open(path)?),
            Self::Memory(_) => Box::new(Cursor::new(self.in_memory(path)?)),
        })
    }

    /// The bytes of a file; `None` for a folder.
    pub(crate) fn size_bytes(&self, path: &Path) -> io::Result<Option<u64>> {
        match self {
            Self::Disk => fs::metadata(path).map(|meta| (!meta.is_dir()).then_some(meta.len())),
            Self::Memory(_) => Ok(Some(self.in_memory(path)?.len() as u64)),
        }
    }

    /// A file that is in memory.
    pub(crate) fn in_memory(&self, path: &Path) -> io::Result<&'static [u8]> {
        let found = match self {
            Self::Disk => None,
            Self::Memory(files) => files.get(path).copied(),
        };
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
