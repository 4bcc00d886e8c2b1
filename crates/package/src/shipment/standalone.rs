//! A shipment as one program, which serves its model on any Linux and needs nothing else there.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use modelet_core::standalone::{ALIGNMENT, Trailer};
use modelet_core::{ArtifactCard, Code, EngineName, FunctionError, Handler};
use sha2::{Digest, Sha256};

use super::{PartKind, Shipment, ShippedFile, Written};
use crate::artifact::{Hashing, mode};
use crate::elf;

/// The engines that are compiled in: one file loads no libraries.
pub const ENGINES: [EngineName; 2] = [EngineName::Tabular, EngineName::Rten];

/// Refuses what one file cannot serve.
///
/// # Errors
/// `bad-artifact` for code, and for a model that ONNX Runtime computes.
pub fn check(card: &ArtifactCard) -> Result<(), FunctionError> {
    let why = match &card.handler {
        Handler::Model(model) if ENGINES.contains(&model.engine) => return Ok(()),
        Handler::Model(_) => "ONNX Runtime computes it, which is a library beside the program",
        Handler::Python(_) => "it is Python code, which needs a Python and its packages",
        Handler::Program(_) => "it is a program of its own",
    };
    let message = format!("{} cannot be one file by itself: {why}", card.name);
    Err(FunctionError::new(Code::BadArtifact, message).hint("package it as a zip, without --standalone"))
}

/// Writes the program.
///
/// # Errors
/// As [`check`]; `bad-artifact` too when the runtime is not a static program, or the file cannot be written.
pub fn write(shipment: &Shipment, target: &Path) -> Result<Written, FunctionError> {
    check(&shipment.card)?;
    let failed = |error: io::Error| {
        FunctionError::new(Code::BadArtifact, format!("could not write {}: {error}", target.display()))
            .hint("check the space and permissions of that folder")
    };
    let runtime = runtime(shipment).map_err(failed)?;
    let needed = elf::read(&runtime).map(|elf| elf.needed.join(", "));
    match needed.as_deref() {
        Some("") => append(shipment, &runtime, target).map_err(failed),
        needed => {
            let why =
                needed.map_or("it is no program of Linux".to_owned(), |names| format!("it needs {names}"));
            let message = format!("the runtime is not a program that needs nothing else: {why}");
            Err(FunctionError::new(Code::BadArtifact, message).hint("make one: scripts/runtimes.sh"))
        }
    }
}

fn runtime(shipment: &Shipment) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for file in files(shipment, PartKind::Runtime) {
        file.open()?.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn append(shipment: &Shipment, runtime: &[u8], target: &Path) -> io::Result<Written> {
    let mut program = Hashing::new(BufWriter::new(File::create(target)?));
    program.write_all(runtime)?;
    let mut artifact = Artifact { program: &mut program, hasher: Sha256::new(), size: 0 };
    let mut card_bytes = None;
    for file in files(shipment, PartKind::Function) {
        artifact.align()?;
        io::copy(&mut file.open()?, &mut artifact)?;
        // The card is the first of them.
        card_bytes.get_or_insert(file.size_bytes);
    }
    let Artifact { hasher, size, .. } = artifact;
    let trailer = Trailer {
        card_bytes: card_bytes.unwrap_or_default(),
        artifact_bytes: size,
        sha256: hasher.finalize().into(),
    };
    program.write_all(&trailer.to_bytes())?;
    program.flush()?;
    fs::set_permissions(target, fs::Permissions::from_mode(mode(true)))?;
    let (sha256, size_bytes) = program.finish();
    Ok(Written { sha256, size_bytes })
}

fn files(shipment: &Shipment, kind: PartKind) -> impl Iterator<Item = &ShippedFile> {
    shipment.parts.iter().filter(move |part| part.kind == kind).flat_map(|part| &part.files)
}

/// The artifact within the program, summed up by itself.
struct Artifact<'a, W> {
    program: &'a mut W,
    hasher: Sha256,
    size: u64,
}

impl<W: Write> Artifact<'_, W> {
    fn align(&mut self) -> io::Result<()> {
        let missing = self.size.next_multiple_of(ALIGNMENT) - self.size;
        self.write_all(&[0; ALIGNMENT as usize][..missing as usize])
    }
}

impl<W: Write> Write for Artifact<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.program.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.program.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shipment::Content;
    use crate::shipment::tests::shipment;

    #[test]
    fn a_runtime_that_needs_libraries_makes_no_program_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("alone");
        let mut shipment = shipment(folder.path());
        shipment.parts[0].files[0].content = Content::Bytes(b"#!/bin/sh".to_vec());
        let error = write(&shipment, &target).unwrap_err();
        assert!(error.message.ends_with("it is no program of Linux"), "{error:?}");
        // This test is one, for glibc.
        shipment.parts[0].files[0].content = Content::Bytes(fs::read("/proc/self/exe").unwrap());
        let error = write(&shipment, &target).unwrap_err();
        assert!(error.message.contains("it needs ") && error.message.contains("libc.so.6"), "{error:?}");
        assert!(!target.exists());
    }

    #[test]
    fn the_artifact_stands_behind_the_runtime_and_is_described_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let (shipment, target) = (shipment(folder.path()), folder.path().join("alone"));
        let written = append(&shipment, b"runtime", &target).unwrap();
        let bytes = fs::read(&target).unwrap();
        assert_eq!(written.size_bytes, bytes.len() as u64);
        let (rest, end) = bytes.split_last_chunk().unwrap();
        let trailer = Trailer::of(end).unwrap();
        let (runtime, artifact) = rest.split_at(rest.len() - trailer.artifact_bytes as usize);
        assert_eq!(runtime, b"runtime");
        assert_eq!(<[u8; 32]>::from(Sha256::digest(artifact)), trailer.sha256);
        let card: ArtifactCard = serde_json::from_slice(&artifact[..trailer.card_bytes as usize]).unwrap();
        assert_eq!(card, shipment.card);
        let at = trailer.card_bytes.next_multiple_of(ALIGNMENT) as usize;
        assert_eq!(&artifact[at..], b"the model");
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn what_one_file_cannot_serve_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let mut card = shipment(folder.path()).card;
        assert_eq!(check(&card), Ok(()));
        let Handler::Model(model) = &mut card.handler else { panic!("it is a model") };
        model.engine = EngineName::Onnxruntime;
        let error = check(&card).unwrap_err();
        assert!(error.message.contains("ONNX Runtime computes it"), "{error:?}");
        assert!(error.hint.unwrap().contains("as a zip"));
    }
}
