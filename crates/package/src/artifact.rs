//! The tar that travels: the card first, then every file, in a fixed order and without anything of the machine it was made
//! on. Same source, same bytes.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use modelet_core::{
    ArtifactCard, ArtifactFile, Certificate, Code, EngineName, FunctionError, FunctionName, Handler,
    ModelCard, Settings, Signature, digest,
};
use sha2::{Digest, Sha256};

use crate::source::{Bundle, ModelSource, SourceFile};

/// What is known of a model once its engine is chosen.
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

/// How files are kept: to be read, and programs to be run.
pub(crate) const fn mode(executable: bool) -> u32 {
    if executable { 0o755 } else { 0o644 }
}

/// The card of a model's artifact.
pub fn card(source: &ModelSource, plan: Plan) -> ArtifactCard {
    let model = ModelCard {
        file: source.model.path.clone(),
        format: source.format.to_owned(),
        origin: source.origin.clone(),
        steps: source.steps.clone(),
        certificate: plan.certificate,
        engine: plan.engine.0,
        engine_version: plan.engine.1,
        signature: plan.signature,
    };
    card_of(&source.bundle, source.sha256(), plan.name, plan.settings, Handler::Model(Box::new(model)))
}

/// The card of any artifact.
pub fn card_of(
    bundle: &Bundle,
    source_sha256: String,
    name: FunctionName,
    settings: Settings,
    handler: Handler,
) -> ArtifactCard {
    let file = |file: &SourceFile| ArtifactFile {
        path: file.path.clone(),
        size_bytes: file.size_bytes,
        sha256: file.sha256.clone(),
        executable: file.executable,
    };
    ArtifactCard {
        format_version: ArtifactCard::FORMAT_VERSION,
        name,
        source_sha256,
        manifest: bundle.manifest.clone(),
        settings,
        handler,
        files: bundle.files.iter().map(file).collect(),
    }
}

/// Writes an artifact to a file.
pub fn pack(bundle: &Bundle, card: ArtifactCard, target: &Path) -> Result<Packed, FunctionError> {
    let failed = |error: io::Error| {
        FunctionError::new(
            Code::BadArtifact,
            format!("could not write the artifact to {}: {error}", target.display()),
        )
        .hint("check the space and permissions of that folder")
    };
    let (sha256, size_bytes) = write(bundle, &card, target).map_err(failed)?;
    Ok(Packed { sha256, size_bytes, card })
}

fn write(bundle: &Bundle, card: &ArtifactCard, target: &Path) -> io::Result<(String, u64)> {
    let mut tar = tar::Builder::new(Hashing::new(BufWriter::new(File::create(target)?)));
    let text = serde_json::to_vec_pretty(card)?;
    append(&mut tar, ArtifactCard::FILE_NAME, text.len() as u64, mode(false), text.as_slice())?;
    for file in &bundle.files {
        let content = File::open(&file.place)?;
        if content.metadata()?.len() != file.size_bytes {
            return Err(io::Error::other(format!("{} changed while it was read", file.place.display())));
        }
        append(&mut tar, &format!("files/{}", file.path), file.size_bytes, mode(file.executable), content)?;
    }
    let mut hashing = tar.into_inner()?;
    hashing.flush()?;
    Ok(hashing.finish())
}

pub(crate) fn append(
    tar: &mut tar::Builder<impl Write>,
    path: &str,
    size: u64,
    mode: u32,
    content: impl Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(0);
    tar.append_data(&mut header, path, content.take(size))
}

/// What is written through it is summed up.
pub(crate) struct Hashing<W> {
    inner: W,
    hasher: Sha256,
    size: u64,
}

impl<W> Hashing<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, hasher: Sha256::new(), size: 0 }
    }

    /// SHA-256, hexadecimal, and the number of bytes.
    pub(crate) fn finish(self) -> (String, u64) {
        self.into_parts().1
    }

    /// The same, and where it was written to.
    pub(crate) fn into_parts(self) -> (W, (String, u64)) {
        (self.inner, (digest::hex(&self.hasher.finalize()), self.size))
    }
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
