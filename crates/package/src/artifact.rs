//! The tar that travels: the card first, then every file, in a fixed order and without anything of the machine it was made
//! on. Same source, same bytes.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use modelet_core::{
    ArtifactCard, ArtifactFile, Certificate, Code, EngineName, FunctionError, FunctionName, Settings,
    Signature, digest,
};
use sha2::{Digest, Sha256};

use crate::source::Source;

/// What is known of a function once its engine is chosen.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The function's name.
    pub name: FunctionName,
    /// All limits.
    pub settings: Settings,
    /// The engine and its version.
    pub engine: (EngineName, String),
    /// What it takes and gives, with what the manifest adds.
    pub signature: Signature,
    /// What shows that a converted model answers as its original.
    pub certificate: Option<Certificate>,
}

/// An artifact that was written.
#[derive(Debug, Clone)]
pub struct Packed {
    /// SHA-256 of the tar, hexadecimal.
    pub sha256: String,
    /// Bytes of the tar.
    pub size_bytes: u64,
    /// The card inside.
    pub card: ArtifactCard,
}

/// The card of a source's artifact.
pub fn card(source: &Source, plan: Plan) -> ArtifactCard {
    ArtifactCard {
        format_version: ArtifactCard::FORMAT_VERSION,
        name: plan.name,
        source_sha256: source.sha256(),
        manifest: source.manifest.clone(),
        settings: plan.settings,
        model: source.model.path.clone(),
        format: source.format.to_owned(),
        origin: source.origin.clone(),
        steps: source.steps.clone(),
        certificate: plan.certificate,
        engine: plan.engine.0,
        engine_version: plan.engine.1,
        signature: plan.signature,
        files: source
            .files
            .iter()
            .map(|f| ArtifactFile {
                path: f.path.clone(),
                size_bytes: f.size_bytes,
                sha256: f.sha256.clone(),
            })
            .collect(),
    }
}

/// Writes the artifact of a source to a file.
pub fn pack(source: &Source, plan: Plan, target: &Path) -> Result<Packed, FunctionError> {
    let card = card(source, plan);
    let failed = |error: io::Error| {
        FunctionError::new(
            Code::BadArtifact,
            format!("could not write the artifact to {}: {error}", target.display()),
        )
        .hint("check the space and permissions of that folder")
    };
    let (sha256, size_bytes) = write(source, &card, target).map_err(failed)?;
    Ok(Packed { sha256, size_bytes, card })
}

fn write(source: &Source, card: &ArtifactCard, target: &Path) -> io::Result<(String, u64)> {
    let mut tar = tar::Builder::new(Hashing {
        inner: BufWriter::new(File::create(target)?),
        hasher: Sha256::new(),
        size: 0,
    });
    let text = serde_json::to_vec_pretty(card)?;
    append(&mut tar, ArtifactCard::FILE_NAME, text.len() as u64, text.as_slice())?;
    for file in &source.files {
        let content = File::open(&file.place)?;
        if content.metadata()?.len() != file.size_bytes {
            return Err(io::Error::other(format!("{} changed while it was read", file.place.display())));
        }
        append(&mut tar, &format!("files/{}", file.path), file.size_bytes, content)?;
    }
    let mut hashing = tar.into_inner()?;
    hashing.inner.flush()?;
    Ok((digest::hex(&hashing.hasher.finalize()), hashing.size))
}

fn append(tar: &mut tar::Builder<impl Write>, path: &str, size: u64, content: impl Read) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(0);
    tar.append_data(&mut header, path, content.take(size))
}

struct Hashing<W> {
    inner: W,
    hasher: Sha256,
    size: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
