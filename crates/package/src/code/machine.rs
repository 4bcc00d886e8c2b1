//! Libraries and programs that go along are made for the machine that runs them.
//!
//! Source of the header: the ELF specification (`e_ident`, `e_machine`), and elf.h for the numbers.

use std::env::consts::ARCH;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use modelet_core::{Code, FunctionError};

/// What every such file begins with.
const MAGIC: &[u8] = b"\x7fELF";
/// Bytes of the header up to the end of what says the machine.
const HEAD_BYTES: usize = 20;
/// Machines, by the names that Rust has for them, and their numbers.
const MACHINES: [(&str, u16); 4] = [("x86_64", 62), ("aarch64", 183), ("x86", 3), ("riscv64", 243)];

/// Refuses a file that another machine runs; what is none of them is fine.
pub(crate) fn check(name: &str, place: &Path) -> Result<(), FunctionError> {
    let mut head = [0; HEAD_BYTES];
    let is_whole = File::open(place).and_then(|mut file| file.read_exact(&mut head)).is_ok();
    if !is_whole || !head.starts_with(MAGIC) {
        return Ok(());
    }
    let number = u16::from_le_bytes([head[18], head[19]]);
    let known = MACHINES.iter().find(|(_, own)| *own == number).map(|(name, _)| *name);
    if known == Some(ARCH) {
        return Ok(());
    }
    let made_for = known.map_or_else(|| format!("machine {number}"), str::to_owned);
    let message = format!("{name} is made for {made_for}, and the function runs on {ARCH}");
    Err(FunctionError::new(Code::HandlerRefused, message).hint(
        "name its package in requirements.txt, which brings the right one, in the place of a copy from another machine",
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_library_of_another_machine_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fast.so");
        let of = |machine: u16| {
            let mut head = [MAGIC, &[2, 1, 1], &[0; 11]].concat();
            head.extend(machine.to_le_bytes());
            fs::write(&path, head).unwrap();
            check("lib/fast.so", &path)
        };
        let other = MACHINES.iter().find(|(name, _)| *name != ARCH).unwrap();
        let error = of(other.1).unwrap_err();
        assert!(error.message.starts_with(&format!("lib/fast.so is made for {}", other.0)), "{error}");
        assert!(of(9_999).unwrap_err().message.contains("machine 9999"));
        for (name, number) in MACHINES {
            assert_eq!(of(number).is_ok(), name == ARCH);
        }
        fs::write(&path, "text").unwrap();
        assert!(check("fast.so", &path).is_ok());
        fs::write(&path, [MAGIC, &[0; 40]].concat()).unwrap();
        assert!(check("fast.so", Path::new("/no/such")).is_ok());
    }
}
