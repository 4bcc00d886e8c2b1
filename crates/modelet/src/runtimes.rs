//! The runtime's programs that travel with artifacts: which one a function needs, and where this machine has it.
//!
//! Both are made by `scripts/runtimes.sh`, for hosts that are older than this machine: one file that needs nothing, and for models of
//! ONNX Runtime, which is a library, one that needs a glibc.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use modelet_core::{ArtifactCard, Code, EngineName};
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

    fn file_name(self, architecture: &str) -> String {
        let ending = match self {
            Self::Static => "",
            Self::Glibc => "-glibc",
        };
        format!("modelet-runtime-{architecture}{ending}")
    }

    /// Why a program is none of this kind, if it is none.
    fn refuses(self, program: &[u8]) -> Option<String> {
        let Some(elf) = elf::read(program) else { return Some("it is no program of Linux".to_owned()) };
        match (self, elf.machine, elf.glibc) {
            (_, machine, _) if machine != here() => {
                Some(format!("it is for {machine}, and not for {}", here()))
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

/// The processor of this machine, which runtimes are made for.
fn here() -> Machine {
    if cfg!(target_arch = "aarch64") { Machine::Aarch64 } else { Machine::X86_64 }
}

/// Finds the runtime of a kind: the one that is named, or the one of this machine.
///
/// # Errors
/// `bad-artifact`, with the places that were looked at, or what is wrong with the one that was named or found first.
pub fn find(kind: Kind, named: Option<&Path>) -> Result<PathBuf, Report> {
    let name = kind.file_name(env::consts::ARCH);
    let places = match named {
        Some(named) => vec![named.to_owned()],
        None => folders().into_iter().map(|folder| folder.join(&name)).collect(),
    };
    let Some((found, program)) = places.iter().find_map(|path| Some((path, fs::read(path).ok()?))) else {
        let places: Vec<_> = places.iter().map(|path| path.display().to_string()).collect();
        let message = format!("there is no runtime to package; it was looked for at {}", places.join(", "));
        return Err(Report::new(Code::BadArtifact, message).hint(format!(
            "make it by scripts/runtimes.sh of modelet's source, and name its folder in {ENV_RUNTIMES}; or name one: --runtime FILE"
        )));
    };
    match kind.refuses(&program) {
        None => Ok(found.clone()),
        Some(why) => {
            let message = format!("{} is not the runtime that is needed: {why}", found.display());
            Err(Report::new(Code::BadArtifact, message)
                .hint("make one by scripts/runtimes.sh of modelet's source"))
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
        assert!(Kind::Static.refuses(&own).unwrap().contains("libc.so.6"));
        assert_eq!(Kind::Static.refuses(b"#!/bin/sh").unwrap(), "it is no program of Linux");
        let mut other = own;
        other[18..20].copy_from_slice(&40u16.to_le_bytes());
        assert!(Kind::Glibc.refuses(&other).unwrap().starts_with("it is for machine 40"));
        assert_eq!(Kind::Glibc.file_name("x86_64"), "modelet-runtime-x86_64-glibc");
    }

    #[test]
    fn what_is_named_is_taken_or_refused_and_never_replaced() {
        let report = find(Kind::Static, Some(Path::new("/no/such"))).unwrap_err();
        assert!(report.message().ends_with("looked for at /no/such"), "{}", report.message());
    }
}
