//! An OCI image layout: a folder that holds an image as registries do.

use std::fs::{self, File};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

use modelet_core::{Processor, digest};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::artifact::{append, mode};

/// Says that a folder is a layout.
const MARK: &str = "oci-layout";
/// Which images there are.
const INDEX: &str = "index.json";
/// Where blobs are.
const BLOBS: &str = "blobs/sha256";
/// A file that is being written; one at a time.
const DRAFT: &str = "draft";

/// A blob by its digest, as manifests name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// What it is.
    #[serde(rename = "mediaType")]
    pub media_type: String,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// Its bytes.
    #[serde(rename = "size")]
    pub size_bytes: u64,
}

/// A layout.
#[derive(Debug, Clone)]
pub struct Layout {
    folder: PathBuf,
}

impl Layout {
    /// One in a folder, which is made where it is not there.
    pub fn create(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(folder.join(BLOBS))?;
        fs::write(folder.join(MARK), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(Self { folder })
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a blob is, or would be.
    ///
    /// # Errors
    /// For a digest that is none: it may come from a stranger.
    pub fn place(&self, digest: &str) -> io::Result<PathBuf> {
        let is_hex = |hex: &&str| {
            hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        let hex = digest.strip_prefix("sha256:").filter(is_hex);
        let hex = hex.ok_or_else(|| io::Error::other(format!("{digest:?} is no SHA-256 digest")))?;
        Ok(self.folder.join(BLOBS).join(hex))
    }

    /// Adds a blob.
    pub fn put(&self, media_type: &str, bytes: &[u8]) -> io::Result<Descriptor> {
        let hex = digest::hex(&Sha256::digest(bytes));
        fs::write(self.folder.join(BLOBS).join(&hex), bytes)?;
        Ok(descriptor(media_type, &hex, bytes.len() as u64))
    }

    /// A file for a blob whose digest is not known yet.
    pub(super) fn draft(&self) -> io::Result<File> {
        File::create(self.folder.join(DRAFT))
    }

    /// Adds the blob that was written into that file, by its digest and its bytes.
    pub(super) fn keep(&self, media_type: &str, (hex, size_bytes): (String, u64)) -> io::Result<Descriptor> {
        fs::rename(self.folder.join(DRAFT), self.folder.join(BLOBS).join(&hex))?;
        Ok(descriptor(media_type, &hex, size_bytes))
    }

    /// Names the one image in it, and what it runs on.
    pub(super) fn index(&self, manifest: &Descriptor, name: &str, processor: Processor) -> io::Result<()> {
        let mut entry = serde_json::to_value(manifest)?;
        entry["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        entry["platform"] = json!({ "architecture": processor.of_images(), "os": "linux" });
        let media_type = "application/vnd.oci.image.index.v1+json";
        let index = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": [entry] });
        fs::write(self.folder.join(INDEX), serde_json::to_vec(&index)?)
    }

    /// Writes all of it as one tar, which `podman load`, `docker load` and `skopeo` read. The same layout is the same tar.
    pub fn archive(&self, target: &Path) -> io::Result<()> {
        let mut tar = tar::Builder::new(io::BufWriter::new(File::create(target)?));
        let mut names = Vec::new();
        for entry in fs::read_dir(self.folder.join(BLOBS))? {
            names.push(format!("{BLOBS}/{}", entry?.file_name().to_string_lossy()));
        }
        names.extend([MARK, INDEX].map(str::to_owned));
        names.sort();
        for name in names {
            let file = File::open(self.folder.join(&name))?;
            let size = file.metadata()?.len();
            append(&mut tar, &name, size, mode(false), BufReader::new(file))?;
        }
        tar.into_inner()?.flush()
    }
}

fn descriptor(media_type: &str, hex: &str, size_bytes: u64) -> Descriptor {
    Descriptor { media_type: media_type.to_owned(), digest: format!("sha256:{hex}"), size_bytes }
}
