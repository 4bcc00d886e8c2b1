//! What can be written to the journal, and how a line is framed: a checksum (CRC-32), a space, JSON, a line feed. A line that
//! the end of the platform has cut off has no line feed; one that the disk has changed does not fit its checksum.

use crc32fast::hash as crc32;
use modelet_core::{InstanceRecord, InvocationRecord};
use serde::{Deserialize, Serialize};

/// Hexadecimal digits of the checksum.
const DIGITS: usize = 8;

/// One line of the journal. Invocations and instances have the same text as in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// A platform has started: instances of an earlier one are gone.
    Boot {
        /// When, milliseconds since 1970.
        at_ms: i64,
    },
    /// A call has ended.
    Invocation(InvocationRecord),
    /// What an instance did so far, or in all.
    Instance(InstanceRecord),
    /// Records could not be written before this one.
    Lost {
        /// When that was noted, milliseconds since 1970.
        at_ms: i64,
        /// How many.
        records: u64,
    },
}

impl Entry {
    /// The moment that it is about, milliseconds since 1970.
    pub fn at_ms(&self) -> i64 {
        match self {
            Self::Boot { at_ms } | Self::Lost { at_ms, .. } => *at_ms,
            Self::Invocation(record) => record.arrived_at_ms,
            Self::Instance(record) => record.at_ms,
        }
    }
}

/// A line that was read back.
pub(super) enum Parsed {
    /// An entry, and its JSON.
    Entry(Box<Entry>, String),
    /// A whole line that makes no sense.
    Damaged,
    /// A line without its end.
    CutOff,
}

/// Adds the line of an entry to a text.
pub(super) fn frame(text: &mut String, entry: &Entry) {
    // Plain data, which always becomes JSON.
    let json = serde_json::to_string(entry).unwrap_or_default();
    text.push_str(&format!("{:0DIGITS$x} {json}\n", crc32(json.as_bytes())));
}

/// Reads a line with its line feed.
pub(super) fn parse(line: &[u8]) -> Parsed {
    let Some(line) = line.strip_suffix(b"\n") else { return Parsed::CutOff };
    let read = || {
        let line = str::from_utf8(line).ok()?;
        let (sum, json) = line.split_once(' ')?;
        let right = sum.len() == DIGITS && u32::from_str_radix(sum, 16).ok()? == crc32(json.as_bytes());
        let entry = right.then(|| serde_json::from_str(json).ok()).flatten()?;
        Some(Parsed::Entry(Box::new(entry), json.to_owned()))
    };
    read().unwrap_or(Parsed::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_back_whole_or_not_at_all() {
        let mut line = String::new();
        frame(&mut line, &Entry::Lost { at_ms: 5, records: 3 });
        let Parsed::Entry(entry, _) = parse(line.as_bytes()) else { panic!("{line}") };
        assert_eq!(*entry, Entry::Lost { at_ms: 5, records: 3 });
        for end in 0..line.len() {
            assert!(matches!(parse(&line.as_bytes()[..end]), Parsed::CutOff), "{end}");
        }
        for changed in [line.replace('3', "4"), "\n".into(), "0 {}\n".into(), line.replace(' ', "")] {
            assert!(matches!(parse(changed.as_bytes()), Parsed::Damaged), "{changed}");
        }
    }
}
