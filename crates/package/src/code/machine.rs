//! Libraries and programs that go along are made for the processor that the function runs on.

use std::fs::File;
use std::path::Path;

use modelet_core::{Code, FunctionError, Processor};

use crate::elf::{self, Machine};

/// Refuses a file that another processor runs; what is none of them is fine.
pub(crate) fn check(name: &str, place: &Path, processor: Processor) -> Result<(), FunctionError> {
    let Some(machine) = other_than(processor, place) else { return Ok(()) };
    let message = format!("{name} is made for {machine}, and the function runs on {processor}");
    Err(FunctionError::new(Code::HandlerRefused, message).hint(
        "name its package in requirements.txt, which brings the right one, in the place of a copy from another machine; or say the \
         processor that it is made for: modelet package --arch",
    ))
}

/// What a file is made for, where that is not this processor.
pub(crate) fn other_than(processor: Processor, place: &Path) -> Option<Machine> {
    let machine = elf::machine(&mut File::open(place).ok()?)?;
    (machine != Machine::Of(processor)).then_some(machine)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_library_of_another_machine_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fast.so");
        let of = |machine: u16, processor| {
            let mut head = [b"\x7fELF".as_slice(), &[2, 1, 1], &[0; 11]].concat();
            head.extend(machine.to_le_bytes());
            fs::write(&path, head).unwrap();
            check("lib/fast.so", &path, processor).map_err(|error| error.message)
        };
        for (number, processor, other) in
            [(62, Processor::X86_64, Processor::Arm64), (183, Processor::Arm64, Processor::X86_64)]
        {
            assert_eq!(of(number, processor), Ok(()));
            let refused = format!("lib/fast.so is made for {processor}, and the function runs on {other}");
            assert_eq!(of(number, other), Err(refused));
        }
        assert!(of(9_999, Processor::X86_64).unwrap_err().contains("machine 9999"));
        assert!(of(243, Processor::X86_64).unwrap_err().contains("riscv64"));
        fs::write(&path, "text").unwrap();
        assert!(check("fast.so", &path, Processor::X86_64).is_ok());
        fs::write(&path, b"\x7fELF\x02\x01").unwrap();
        assert!(check("fast.so", &path, Processor::X86_64).is_ok());
        assert!(check("fast.so", Path::new("/no/such"), Processor::X86_64).is_ok());
    }
}
