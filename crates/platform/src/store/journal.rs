//! The journal: where a record is safe the moment it is written, and from where it is folded into the database later.
//!
//! A record is appended with one `write(2)` before the call that it is about is answered. From then on it is in the kernel's
//! memory, and the end of the platform, even by kill -9, cannot take it back; a power cut can. Files are numbered, never
//! appended to by a later run, and deleted when all of theirs is in the database.
//!
//! - [`entry`]: what can be written, and how a line is framed

pub mod entry;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

pub use entry::Entry;
use entry::{Parsed, frame, parse};

/// A file that is this long is followed by another.
const FILE_BYTES: u64 = 8 << 20;
/// With this much waiting to be folded, new calls wait, so that none has to go unrecorded.
const UNFOLDED_LIMIT_BYTES: u64 = 64 << 20;
/// How long a new call waits for that.
const ROOM_TIMEOUT: Duration = Duration::from_secs(10);
/// How much is read at once.
const PIECE_BYTES: u64 = 1 << 20;

/// A place in the journal: everything before it is in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// Number of the file.
    pub file: u64,
    /// Bytes from its beginning.
    pub offset: u64,
}

/// A part of the journal, read back.
#[derive(Debug, Default)]
pub struct Piece {
    /// Its entries, each with its text.
    pub entries: Vec<(Entry, String)>,
    /// Whole lines that make no sense.
    pub damaged: u64,
    /// Where it ends.
    pub next: Place,
}

/// The journal of one data folder.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    state: Mutex<State>,
    /// Bytes that are not yet in the database.
    unfolded: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    /// The file that is written to; `None` before the first write, and after one that failed for good.
    open: Option<File>,
    /// The number of that file, or of the last before it.
    number: u64,
    /// Files and their lengths; those from earlier runs as they were found.
    lengths: BTreeMap<u64, u64>,
    /// The place that the database has reached.
    folded: Place,
    /// Records that could not be written: all of this run, and those of which the journal does not know yet.
    lost: u64,
    untold: u64,
}

impl Journal {
    /// Opens the journal in a folder, which is made when it is not there; `folded` is the place that the database has reached.
    pub fn open(folder: &Path, folded: Place) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut lengths = BTreeMap::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if let Some(number) = number_of(&entry.path()) {
                lengths.insert(number, entry.metadata()?.len());
            }
        }
        let last = lengths.last_key_value().map_or(0, |(number, _)| *number);
        // Above the place, too: after a power cut the database may know of files that never reached the disk.
        let state = State { open: None, number: last.max(folded.file), lengths, folded, lost: 0, untold: 0 };
        let journal =
            Self { folder: folder.to_owned(), state: Mutex::new(state), unfolded: watch::channel(0).0 };
        journal.folded(folded);
        Ok(journal)
    }

    /// Writes an entry. When it cannot be written (a full disk), it is lost, counted and told on standard error: the answer
    /// that it is about exists and is right, and to keep it back would make the call fail for the sake of its bill.
    pub fn append(&self, entry: &Entry) {
        let mut state = self.lock();
        let mut text = String::new();
        if state.untold > 0 {
            frame(&mut text, &Entry::Lost { at_ms: entry.at_ms(), records: state.untold });
        }
        frame(&mut text, entry);
        match state.write(&self.folder, text.as_bytes()) {
            Ok(()) => {
                state.untold = 0;
                self.unfolded.send_modify(|bytes| *bytes += text.len() as u64);
            }
            Err(error) => state.lose(&error),
        }
    }

    /// Waits until the database has nearly caught up; false when it does not.
    pub async fn room(&self) -> bool {
        if self.unfolded_bytes() <= UNFOLDED_LIMIT_BYTES {
            return true;
        }
        let mut unfolded = self.unfolded.subscribe();
        let caught_up = unfolded.wait_for(|bytes| *bytes <= UNFOLDED_LIMIT_BYTES);
        matches!(tokio::time::timeout(ROOM_TIMEOUT, caught_up).await, Ok(Ok(_)))
    }

    /// Bytes that are not yet in the database.
    pub fn unfolded_bytes(&self) -> u64 {
        *self.unfolded.borrow()
    }

    /// Records of this run that could not be written and of which the journal does not know yet.
    pub fn untold(&self) -> u64 {
        self.lock().untold
    }

    /// Where the next entry will be, or further on.
    pub fn end(&self) -> Place {
        let state = self.lock();
        Place { file: state.number, offset: state.lengths.get(&state.number).copied().unwrap_or(0) }
    }

    /// Reads on from a place; nothing at the end. A record that was cut off by the end of the platform is passed over: its
    /// call was not answered.
    pub fn read(&self, from: Place) -> io::Result<Piece> {
        let end = self.end();
        let mut next = from;
        while next < end {
            let length = self.lock().lengths.get(&next.file).copied().unwrap_or(0);
            let count = length.saturating_sub(next.offset).min(PIECE_BYTES);
            let bytes = read_bytes(&self.path(next.file), next.offset, count)?;
            if !bytes.is_empty() {
                return Ok(cut(&bytes, next));
            }
            if next.file == end.file {
                // Only when somebody has taken the file away.
                next = end;
                break;
            }
            next = Place { file: next.file + 1, offset: 0 };
        }
        Ok(Piece { next, ..Piece::default() })
    }

    /// The database has everything before this place: files before it are deleted.
    pub fn folded(&self, place: Place) {
        let mut state = self.lock();
        // Those who fold do not tell of it in order.
        let place = state.folded.max(place);
        state.folded = place;
        let rest = state.lengths.split_off(&place.file);
        for number in std::mem::replace(&mut state.lengths, rest).into_keys() {
            // One that cannot be deleted now is found again at the next start.
            let _ = fs::remove_file(self.path(number));
        }
        let held: u64 = state.lengths.values().sum();
        let offset = state.lengths.get(&place.file).map_or(0, |length| place.offset.min(*length));
        self.unfolded.send_replace(held - offset);
    }

    fn path(&self, number: u64) -> PathBuf {
        path(&self.folder, number)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn write(&mut self, folder: &Path, bytes: &[u8]) -> io::Result<()> {
        if self.lengths.get(&self.number).is_some_and(|length| *length >= FILE_BYTES) {
            self.open = None;
        }
        let file = match &mut self.open {
            Some(file) => file,
            closed => {
                let path = path(folder, self.number + 1);
                let file = OpenOptions::new().append(true).create_new(true).open(path)?;
                self.number += 1;
                self.lengths.insert(self.number, 0);
                closed.insert(file)
            }
        };
        let length = self.lengths.entry(self.number).or_default();
        let written = match file.write(bytes) {
            Ok(written) if written == bytes.len() => {
                *length += bytes.len() as u64;
                return Ok(());
            }
            Ok(_) => io::ErrorKind::StorageFull.into(),
            Err(error) => error,
        };
        // What was written of it must not be taken for the beginning of the next one.
        if file.set_len(*length).is_err() {
            self.open = None;
        }
        Err(written)
    }

    fn lose(&mut self, error: &io::Error) {
        self.lost += 1;
        self.untold += 1;
        if self.lost.is_power_of_two() {
            eprintln!(
                "usage is not recorded: the journal cannot be written ({error}); {} records were lost so far",
                self.lost
            );
        }
    }
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:06}.jsonl"))
}

fn number_of(path: &Path) -> Option<u64> {
    (path.extension()? == "jsonl").then(|| path.file_stem()?.to_str()?.parse().ok()).flatten()
}

/// Up to `count` bytes of a file; none of one that somebody has deleted.
fn read_bytes(path: &Path, offset: u64, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if count == 0 {
        return Ok(bytes);
    }
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(bytes),
        file => file?,
    };
    file.seek(SeekFrom::Start(offset))?;
    file.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The whole lines of some bytes. Bytes without any are the rest of a record that was cut off.
fn cut(bytes: &[u8], from: Place) -> Piece {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(bytes.len(), |last| last + 1);
    let mut piece = Piece { next: Place { offset: from.offset + whole as u64, ..from }, ..Piece::default() };
    for line in bytes[..whole].split_inclusive(|byte| *byte == b'\n') {
        match parse(line) {
            Parsed::Entry(entry, text) => piece.entries.push((*entry, text)),
            Parsed::Damaged => piece.damaged += 1,
            Parsed::CutOff => {}
        }
    }
    piece
}

#[cfg(test)]
mod tests;
