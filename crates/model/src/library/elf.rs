//! Reads the version of ONNX Runtime out of a shared library without loading it.
//!
//! To load a library is to run it: the wrong one would start its telemetry, and a cut one kills the process when its
//! missing pages are touched. The library names its version where its symbols get theirs (`VERS_1.28.0`), so a few reads
//! of the file answer both questions.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

const SECTION_HEADER_BYTES: usize = 64;
const PROGRAM_HEADER_BYTES: usize = 56;
/// Section type of version definitions.
const GNU_VERSION_DEFINITIONS: u32 = 0x6fff_fffd;
const STRING_TABLE: u32 = 3;
/// More than any real table; a damaged header must not make us read gigabytes.
const LONGEST_TABLE_BYTES: u64 = 16 * 1024 * 1024;

/// The version of the ONNX Runtime in a file, or a sentence that starts with a verb.
pub(super) fn onnxruntime_version(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let mut file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let header = read(&mut file, 0, 64).ok_or("is not a shared library")?;
    if header.get(..6) != Some(b"\x7fELF\x02\x01") {
        return Err("is not a shared library".into());
    }
    if u16_at(&header, 18) != machine() {
        return Err(format!("is built for another machine than this one ({})", std::env::consts::ARCH));
    }
    let table = |at: usize, count: usize, size: usize| (u64_at(&header, at), u16_at(&header, count), size);
    let (programs, program_count, size) = table(32, 56, PROGRAM_HEADER_BYTES);
    let cut = || "is cut: the file is shorter than its own headers say".to_owned();
    let programs = read(&mut file, programs, size * usize::from(program_count)).ok_or_else(cut)?;
    let (sections, section_count, size) = table(40, 60, SECTION_HEADER_BYTES);
    let sections = read(&mut file, sections, size * usize::from(section_count)).ok_or_else(cut)?;
    let end = |program: &[u8]| u64_at(program, 8).saturating_add(u64_at(program, 32));
    if programs.chunks_exact(PROGRAM_HEADER_BYTES).any(|program| end(program) > length) {
        return Err(cut());
    }
    // The names of version definitions stand in a string table; there is no other text of this form in one.
    let tables: Vec<_> = sections.chunks_exact(SECTION_HEADER_BYTES).collect();
    let names = tables
        .iter()
        .find(|section| u32_at(section, 4) == GNU_VERSION_DEFINITIONS)
        .and_then(|section| tables.get(u32_at(section, 40) as usize))
        .filter(|section| u32_at(section, 4) == STRING_TABLE)
        .filter(|section| u64_at(section, 32) <= LONGEST_TABLE_BYTES)
        .and_then(|section| read(&mut file, u64_at(section, 24), u64_at(section, 32) as usize))
        .unwrap_or_default();
    let mut names = names.split(|byte| *byte == 0).filter_map(|name| std::str::from_utf8(name).ok());
    names
        .find_map(|name| name.strip_prefix("VERS_"))
        .map(str::to_owned)
        .ok_or_else(|| "is a shared library, but not one of ONNX Runtime".into())
}

/// `e_machine` of the machine that we run on; 0, which no library has, for those that ONNX Runtime has no wheel for.
const fn machine() -> u16 {
    if cfg!(target_arch = "x86_64") {
        62
    } else if cfg!(target_arch = "aarch64") {
        183
    } else {
        0
    }
}

fn read(file: &mut File, at: u64, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    file.seek(SeekFrom::Start(at)).ok()?;
    file.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(number(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(number(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(number(bytes, at))
}

/// The bytes of a number; zeros where the table ends before it.
fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..at + N).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N])
}
