//! What a program or library of Linux asks of the machine that is to run it: its processor, its libraries, its glibc.
//!
//! Read as the dynamic linker does, from the segments: sections may have been stripped. Of a damaged file is said what can be read.
//!
//! Source: System V ABI ("Object Files", "Program Loading and Dynamic Linking"), and LSB Core 5.0, "Symbol Versioning".

use std::io::Read;

use modelet_core::Processor;

/// What an ELF file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elf {
    /// The processor.
    pub machine: Machine,
    /// The newest glibc whose symbols it uses: major and minor. `None`: it uses none of glibc's, or is of 32 bits.
    pub glibc: Option<(u32, u32)>,
    /// The libraries that have to be there, by file name.
    pub needed: Vec<String>,
}

/// What a file is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// A processor that functions run on.
    Of(Processor),
    /// Another, by its number (`e_machine`).
    Other(u16),
}

impl Machine {
    fn of(number: u16) -> Self {
        match number {
            62 => Self::Of(Processor::X86_64),
            183 => Self::Of(Processor::Arm64),
            other => Self::Other(other),
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Of(processor) => processor.fmt(f),
            Self::Other(3) => f.write_str("x86"),
            Self::Other(243) => f.write_str("riscv64"),
            Self::Other(number) => write!(f, "machine {number}"),
        }
    }
}

const MAGIC: &[u8] = b"\x7fELF";
const CLASS_64: u8 = 2;
const LITTLE_ENDIAN: u8 = 1;
/// Kinds of segments.
const LOAD: u32 = 1;
const DYNAMIC: u32 = 2;
/// Tags of the dynamic section.
const END: u64 = 0;
const NEEDED: u64 = 1;
const STRINGS: u64 = 5;
const VERSIONS: u64 = 0x6fff_fffe;
/// Most entries of any list that are followed: libraries have some dozens, and a damaged file may be a ring.
const MAX_ENTRIES: usize = 4_096;

/// What names the glibc that knows packed relocations (`-z pack-relative-relocs`), which is no version by its name.
const RELR: (&str, (u32, u32)) = ("GLIBC_ABI_DT_RELR", (2, 36));

/// Bytes of a file up to the end of what says its machine.
const HEAD_BYTES: usize = 20;

/// What a file is made for, of which no more is read than says it; `None`: it is no ELF file, or cannot be read.
pub fn machine(file: &mut impl Read) -> Option<Machine> {
    let mut head = [0; HEAD_BYTES];
    file.read_exact(&mut head).ok()?;
    read(&head).map(|elf| elf.machine)
}

/// Reads an ELF file; `None`: it is none.
pub fn read(bytes: &[u8]) -> Option<Elf> {
    if !bytes.starts_with(MAGIC) {
        return None;
    }
    let file = File(bytes);
    let is_little = *bytes.get(5)? == LITTLE_ENDIAN;
    let number = file.u16(18)?;
    let machine = Machine::of(if is_little { number } else { number.swap_bytes() });
    let mut elf = Elf { machine, glibc: None, needed: Vec::new() };
    // What serves the processors of today is of 64 bits; of others their number says enough.
    if is_little && bytes[4] == CLASS_64 {
        file.links(&mut elf);
    }
    Some(elf)
}

/// A range of the file that becomes a range of addresses.
struct Loaded {
    address: u64,
    offset: u64,
    size: u64,
}

struct File<'a>(&'a [u8]);

impl File<'_> {
    fn bytes<const N: usize>(&self, at: u64) -> Option<[u8; N]> {
        let at = usize::try_from(at).ok()?;
        self.0.get(at..at.checked_add(N)?)?.try_into().ok()
    }

    fn u16(&self, at: u64) -> Option<u16> {
        self.bytes(at).map(u16::from_le_bytes)
    }

    fn u32(&self, at: u64) -> Option<u32> {
        self.bytes(at).map(u32::from_le_bytes)
    }

    fn u64(&self, at: u64) -> Option<u64> {
        self.bytes(at).map(u64::from_le_bytes)
    }

    fn text(&self, at: u64) -> Option<&str> {
        let rest = self.0.get(usize::try_from(at).ok()?..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(&rest[..end]).ok()
    }

    /// Fills in what the dynamic segment says.
    fn links(&self, elf: &mut Elf) -> Option<()> {
        let (loaded, dynamic) = self.segments()?;
        let dynamic = dynamic?;
        let offset = |address: u64| {
            let within = loaded.iter().find(|l| address.checked_sub(l.address).is_some_and(|at| at < l.size));
            within.and_then(|l| l.offset.checked_add(address - l.address))
        };
        let mut entries = Vec::new();
        for number in 0..MAX_ENTRIES as u64 {
            let at = dynamic.checked_add(16 * number)?;
            let tag = self.u64(at)?;
            if tag == END {
                break;
            }
            entries.push((tag, self.u64(at + 8)?));
        }
        let value = |wanted: u64| entries.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
        let strings = offset(value(STRINGS)?)?;
        let names = entries.iter().filter(|(tag, _)| *tag == NEEDED);
        let names = names.filter_map(|(_, at)| self.text(strings.checked_add(*at)?));
        elf.needed = names.map(str::to_owned).collect();
        elf.glibc = self.glibc(offset(value(VERSIONS)?)?, strings);
        Some(())
    }

    /// What is loaded, and where the dynamic section lies, where there is one.
    fn segments(&self) -> Option<(Vec<Loaded>, Option<u64>)> {
        let (first, size, count) = (self.u64(32)?, self.u16(54)?, self.u16(56)?);
        let (mut loaded, mut dynamic) = (Vec::new(), None);
        for number in 0..u64::from(count) {
            let at = first.checked_add(u64::from(size) * number)?;
            let (kind, offset) = (self.u32(at)?, self.u64(at + 8)?);
            match kind {
                LOAD => loaded.push(Loaded { address: self.u64(at + 16)?, offset, size: self.u64(at + 32)? }),
                DYNAMIC => dynamic = Some(offset),
                _ => {}
            }
        }
        Some((loaded, dynamic))
    }

    /// The newest version of glibc in the list of versions that are needed.
    fn glibc(&self, mut library: u64, strings: u64) -> Option<(u32, u32)> {
        let mut newest = None;
        for _ in 0..MAX_ENTRIES {
            let mut version = library.checked_add(self.u32(library.checked_add(8)?)?.into())?;
            for _ in 0..self.u16(library + 2)? {
                let name = self.u32(version.checked_add(8)?)?;
                newest = newest.max(self.text(strings.checked_add(name.into())?).and_then(version_of));
                match self.u32(version.checked_add(12)?)? {
                    0 => break,
                    next => version = version.checked_add(next.into())?,
                }
            }
            match self.u32(library.checked_add(12)?)? {
                0 => break,
                next => library = library.checked_add(next.into())?,
            }
        }
        newest
    }
}

/// `GLIBC_2.34`: 2 and 34. What comes after the minor number was for symbols alone (`GLIBC_2.2.5`).
fn version_of(name: &str) -> Option<(u32, u32)> {
    if name == RELR.0 {
        return Some(RELR.1);
    }
    let mut numbers = name.strip_prefix("GLIBC_")?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This test is itself a program of the machine that it runs on.
    fn own() -> Vec<u8> {
        std::fs::read("/proc/self/exe").unwrap()
    }

    #[test]
    fn a_program_says_what_it_asks_for() {
        let elf = read(&own()).unwrap();
        assert_eq!(elf.machine, Machine::Of(Processor::HERE));
        assert!(elf.needed.iter().any(|name| name == "libc.so.6"), "{:?}", elf.needed);
        let glibc = elf.glibc.unwrap();
        assert!((2, 2) < glibc && glibc < (3, 0), "{glibc:?}");
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version_of("GLIBC_2.2.5"), Some((2, 2)));
        assert!(version_of("GLIBC_2.34") > version_of("GLIBC_2.9"));
        assert_eq!(version_of("GLIBC_ABI_DT_RELR"), Some((2, 36)));
        for other in ["GLIBC_PRIVATE", "GLIBCXX_3.4", "GCC_3.0", "GLIBC_", ""] {
            assert_eq!(version_of(other), None, "{other}");
        }
    }

    #[test]
    fn another_machine_is_named_and_other_files_are_none() {
        let mut other = own();
        other[18..20].copy_from_slice(&40u16.to_le_bytes());
        assert_eq!(read(&other).unwrap().machine.to_string(), "machine 40");
        other[18..20].copy_from_slice(&183u16.to_le_bytes());
        assert_eq!(read(&other).unwrap().machine, Machine::Of(Processor::Arm64));
        // PowerPC, whose numbers begin with the largest digit, of 32 bits.
        let mut big = [0; 20];
        big[..6].copy_from_slice(b"\x7fELF\x01\x02");
        big[18..].copy_from_slice(&20u16.to_be_bytes());
        assert_eq!(read(&big).unwrap(), Elf { machine: Machine::Other(20), glibc: None, needed: Vec::new() });
        assert_eq!((read(b""), read(b"#!/bin/sh"), read(b"\x7fELF")), (None, None, None));
    }

    #[test]
    fn damage_never_breaks_the_reader() {
        let whole = own();
        let head = whole.len().min(4_096);
        for cut in (0..head).step_by(7) {
            let _ = read(&whole[..cut]);
        }
        for at in 0..head {
            let mut damaged = whole[..whole.len().min(1 << 20)].to_vec();
            damaged[at] = 0xff;
            let _ = read(&damaged);
        }
    }
}
