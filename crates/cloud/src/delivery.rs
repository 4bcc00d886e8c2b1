//! What a target gets of an artifact, once somebody has packaged it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use modelet_core::digest::sha256;
use modelet_core::handler::Layer;
use modelet_core::{ArtifactCard, Processor};
use modelet_package::elf::{self, Machine};
use modelet_package::shipment::BOOTSTRAP;
use modelet_package::shipment::image::{Base, Image, Layout};

use crate::error::CloudError;
use crate::registry::Reference;

/// The largest card that is read, bytes.
const CARD_LIMIT_BYTES: u64 = 64 << 20;
/// Files of a zip, at most.
const FILES_LIMIT: usize = 1_000_000;

/// What a target gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// A zip: the program `bootstrap`, the card and the files.
    Zip(Zip),
    /// A container image, which lies in a registry that the target reads.
    Image {
        /// Its name, with its digest.
        reference: String,
    },
    /// A container image that was written here, and is brought to the target's own registry.
    Written(Arc<WrittenImage>),
    /// The artifact as a platform of ours takes it.
    Artifact(Artifact),
    /// Nothing: a platform has it already.
    There {
        /// The digest of the artifact.
        sha256: String,
    },
}

/// An artifact as a platform of ours takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Where its tar lies.
    pub path: PathBuf,
    /// The tar's SHA-256, hexadecimal.
    pub sha256: String,
    /// The tar's bytes.
    pub size_bytes: u64,
    /// JSON: what was found out while it was made.
    pub evidence: String,
    /// The packages of its code, in their folder.
    pub packages: Option<(Layer, PathBuf)>,
}

/// A container image that was written here.
#[derive(Debug, Clone)]
pub struct WrittenImage {
    /// Its blobs.
    pub image: Image,
    /// Where they lie.
    pub layout: Layout,
    /// The image that it stands on, and what that is called.
    pub below: Option<(Reference, Base)>,
}

impl PartialEq for WrittenImage {
    fn eq(&self, other: &Self) -> bool {
        self.image.manifest == other.image.manifest
    }
}

impl Eq for WrittenImage {}

/// A zip, looked into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zip {
    /// Where it lies.
    pub path: PathBuf,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
    /// Its bytes.
    pub size_bytes: u64,
    /// The bytes of all that is in it.
    pub unzipped_bytes: u64,
    /// What its program is made for.
    pub processor: Processor,
}

impl Delivery {
    /// The digest that the target knows it by.
    pub fn digest(&self) -> &str {
        match self {
            Self::Zip(zip) => &zip.sha256,
            Self::Image { reference } => hex(reference),
            Self::Written(written) => hex(&written.image.manifest.digest),
            Self::Artifact(artifact) => &artifact.sha256,
            Self::There { sha256 } => sha256,
        }
    }
}

/// The digits of a digest at the end of a name.
fn hex(reference: &str) -> &str {
    reference.rsplit("sha256:").next().unwrap_or_default()
}

/// True for a file that `modelet package` wrote: a zip with a card in it.
pub fn is_packaged(path: &Path) -> bool {
    let zip = File::open(path).ok().and_then(|file| zip::ZipArchive::new(file).ok());
    zip.is_some_and(|zip| zip.index_for_name(ArtifactCard::FILE_NAME).is_some())
}

/// Reads an artifact that was packaged as a zip.
///
/// # Errors
/// One sentence that names the file, when it is none, or no host could start it.
pub fn read(path: &Path) -> Result<(ArtifactCard, Zip), CloudError> {
    let bad = |why: String| CloudError::refused(format!("{}: {why}", path.display()));
    let mut file = File::open(path).map_err(|error| bad(error.to_string()))?;
    let (size_bytes, sha256) = sha256(&mut file).map_err(|error| bad(error.to_string()))?;
    let mut zip = zip::ZipArchive::new(file).map_err(|error| bad(format!("it is no zip: {error}")))?;
    if zip.len() > FILES_LIMIT {
        return Err(bad(format!("it has {} files, {FILES_LIMIT} are read", zip.len())));
    }
    let is_program = |mode: u32| mode & 0o111 != 0;
    let mut started = zip.by_name(BOOTSTRAP).ok().filter(|file| file.unix_mode().is_some_and(is_program));
    let Some(bootstrap) = &mut started else {
        return Err(bad(format!("it has no executable file {BOOTSTRAP}: no host could start it")));
    };
    let Some(Machine::Of(processor)) = elf::machine(bootstrap) else {
        return Err(bad(format!("its file {BOOTSTRAP} is no program for x86_64 or arm64")));
    };
    drop(started);
    let card = {
        let mut entry = zip
            .by_name(ArtifactCard::FILE_NAME)
            .map_err(|_| bad(format!("it has no {}", ArtifactCard::FILE_NAME)))?;
        card(&mut entry).map_err(bad)?
    };
    let mut unzipped_bytes = 0;
    for index in 0..zip.len() {
        let entry = zip.by_index_raw(index).map_err(|error| bad(error.to_string()))?;
        unzipped_bytes += entry.size();
    }
    let zip = Zip { path: path.to_owned(), sha256, size_bytes, unzipped_bytes, processor };
    Ok((card, zip))
}

fn card(file: &mut impl Read) -> Result<ArtifactCard, String> {
    let mut text = Vec::new();
    let read = file.take(CARD_LIMIT_BYTES).read_to_end(&mut text);
    read.map_err(|error| format!("{} cannot be read: {error}", ArtifactCard::FILE_NAME))?;
    let card: ArtifactCard = serde_json::from_slice(&text)
        .map_err(|error| format!("{} is not an artifact's card: {error}", ArtifactCard::FILE_NAME))?;
    card.check().map(|()| card)
}
