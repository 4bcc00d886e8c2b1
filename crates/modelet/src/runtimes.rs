//! The runtime's programs that travel with artifacts: which one a function needs, and where this machine has it.
//!
//! Both are made by `scripts/runtimes.sh`, for each processor, and for hosts that are older than this machine: one file that needs nothing, and for models of
//! ONNX Runtime, which is a library, one that needs a glibc.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use modelet_core::{ArtifactCard, Code, EngineName, Processor};
use modelet_package::elf::{self, Machine};

use crate::launch::cache_folder;
use crate::report::Report;

/// Names a folder with runtimes, in which alone they are looked for.
const ENV_RUNTIMES: &str = "MODELET_RUNTIMES";
/// The folder of a build, or of the cache, that has them.
const FOLDER: &str = "runtimes";
/// The newest glibc that a runtime may ask for: that of Amazon Linux 2023, which AWS Lambda has.
const NEWEST_GLIBC: (u32, u32) = (2, 34);

/// A runtime's program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One that needs nothing.
    Static,
    /// One that can load libraries.
    Glibc,
}

impl Kind {
    /// The one that an artifact needs.
    pub fn of(card: &ArtifactCard) -> Self {
        match card.model().map(|model| model.engine) {
            Some(EngineName::Onnxruntime) => Self::Glibc,
            _ => Self::Static,
        }
    }

    fn file_name(self, processor: Processor) -> String {
        let ending = match self {
            Self::Static => "",
            Self::Glibc => "-glibc",
        };
        format!("modelet-runtime-{}{ending}", processor.of_linux())
    }

    /// Why a program is none of this kind for a processor, if it is none.
    fn refuses(self, program: &[u8], processor: Processor) -> Option<String> {
        let Some(elf) = elf::read(program) else { return Some("it is no program of Linux".to_owned()) };
        match (self, elf.machine, elf.glibc) {
            (_, machine, _) if machine != Machine::Of(processor) => {
                Some(format!("it is for {machine}, and not for {processor}"))
            }
            (Self::Static, ..) if !elf.needed.is_empty() => {
                Some(format!("it needs {}, and has to need nothing", elf.needed.join(", ")))
            }
            (Self::Glibc, ..) if elf.needed.is_empty() => {
                Some("it is static, and ONNX Runtime is a library that it has to load".to_owned())
            }
            (_, _, Some((major, minor))) if (major, minor) > NEWEST_GLIBC => {
                let (most_major, most_minor) = NEWEST_GLIBC;
                Some(format!("it needs glibc {major}.{minor}, hosts have {most_major}.{most_minor}"))
            }
            _ => None,
        }
    }
}

/// Finds the runtime of a kind for a processor: the one that is named, or one that this machine has.
///
/// # Errors
/// `bad-artifact`, with the places that were looked at, or what is wrong with the one that was named or found first.
pub fn find(kind: Kind, processor: Processor, named: Option<&Path>) -> Result<PathBuf, Report> {
    let name = kind.file_name(processor);
    let script = format!("scripts/runtimes.sh {}", processor.of_linux());
    let places = match named {
        Some(named) => vec![named.to_owned()],
        None => folders().into_iter().map(|folder| folder.join(&name)).collect(),
    };
    let Some((found, program)) = places.iter().find_map(|path| Some((path, fs::read(path).ok()?))) else {
        let places: Vec<_> = places.iter().map(|path| path.display().to_string()).collect();
        let message = format!(
            "there is no runtime for {processor} to package; it was looked for at {}",
            places.join(", ")
        );
        return Err(Report::new(Code::BadArtifact, message).hint(format!(
            "make it by {script} of modelet's source, and name its folder in {ENV_RUNTIMES}; or name one: --runtime FILE"
        )));
    };
    match kind.refuses(&program, processor) {
        None => Ok(found.clone()),
        Some(why) => {
            let message = format!("{} is not the runtime that is needed: {why}", found.display());
            Err(Report::new(Code::BadArtifact, message)
                .hint(format!("make one by {script} of modelet's source")))
        }
    }
}

/// Where they are looked for, the first place first.
fn folders() -> Vec<PathBuf> {
    if let Some(folder) = env::var_os(ENV_RUNTIMES) {
        return vec![folder.into()];
    }
    let own = env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
    // A build has its program in `target/release`.
    let of_build = own.as_ref().and_then(|own| Some(own.parent()?.join(FOLDER)));
    let cache = cache_folder().map(|cache| cache.join(FOLDER));
    own.into_iter().chain(of_build).chain(cache).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_of_another_kind_is_refused_with_why() {
        // This test is a program for glibc.
        let own = fs::read("/proc/self/exe").unwrap();
        let refuses = |kind: Kind, program: &[u8]| kind.refuses(program, Processor::HERE).unwrap();
        assert!(refuses(Kind::Static, &own).contains("libc.so.6"));
        assert_eq!(refuses(Kind::Static, b"#!/bin/sh"), "it is no program of Linux");
        for (number, name) in [(40_u16, "machine 40"), (243, "riscv64")] {
            let mut other = own.clone();
            other[18..20].copy_from_slice(&number.to_le_bytes());
            assert!(refuses(Kind::Glibc, &other).starts_with(&format!("it is for {name}")));
        }
        for processor in [Processor::X86_64, Processor::Arm64] {
            let is_another = processor != Processor::HERE;
            let why = Kind::Glibc.refuses(&own, processor).unwrap_or_default();
            assert_eq!(why.ends_with(&format!("and not for {processor}")), is_another, "{why}");
        }
    }

    #[test]
    fn what_is_named_is_taken_or_refused_and_never_replaced() {
        let report = find(Kind::Static, Processor::Arm64, Some(Path::new("/no/such"))).unwrap_err();
        assert!(report.message().starts_with("there is no runtime for arm64"), "{}", report.message());
        assert!(report.message().ends_with("looked for at /no/such"), "{}", report.message());
        assert!(report.advice().is_some_and(|hint| hint.contains("scripts/runtimes.sh aarch64")));
        assert_eq!(Kind::Glibc.file_name(Processor::Arm64), "modelet-runtime-aarch64-glibc");
    }
}
