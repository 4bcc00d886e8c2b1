//! Unpacked artifacts, in folders named by their digest. A folder is there whole or not at all: it is made under another
//! name and renamed once everything in it is checked and on the disk.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use modelet_core::{ArtifactCard, Code, PlatformError, digest};

use crate::store::unpack::{sync_tree, unpack};
use crate::store::{is_digest, store_failed};

/// Largest card, in bytes.
const MAX_CARD_BYTES: u64 = 16 << 20;
/// The folder of the files inside an artifact.
const FILES: &str = "files";

/// The folder of unpacked artifacts.
#[derive(Debug, Clone)]
pub struct Artifacts {
    root: PathBuf,
    drafts: PathBuf,
}

/// An artifact that is unpacked and checked, and not in its place yet. Dropped, it is gone.
#[derive(Debug)]
pub struct Prepared {
    /// SHA-256 of the tar, hexadecimal.
    pub sha256: String,
    /// Its card.
    pub card: ArtifactCard,
    draft: PathBuf,
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // What cannot be removed now is removed at the next start.
        let _ = fs::remove_dir_all(&self.draft);
    }
}

impl Artifacts {
    /// Opens the folder; drafts of an interrupted run are removed.
    pub fn open(data: &Path) -> io::Result<Self> {
        let artifacts = Self { root: data.join("artifacts"), drafts: data.join("drafts") };
        fs::create_dir_all(&artifacts.root)?;
        match fs::remove_dir_all(&artifacts.drafts) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir_all(&artifacts.drafts)?;
        Ok(artifacts)
    }

    /// The folder of an artifact.
    pub fn folder(&self, sha256: &str) -> PathBuf {
        self.root.join(sha256)
    }

    /// The folder of what is not in its place yet.
    pub fn drafts(&self) -> PathBuf {
        self.drafts.clone()
    }

    /// A new file for an upload.
    pub fn draft(&self, id: &str) -> PathBuf {
        self.drafts.join(id)
    }

    /// Checks an uploaded tar against the digest that its sender promised, unpacks it, and checks every file against the
    /// card. The upload is consumed, whatever happens.
    pub fn prepare(&self, upload: &Path, promised_sha256: &str) -> Result<Prepared, PlatformError> {
        let draft = upload.with_extension("unpacked");
        let prepared = prepare(upload, &draft, promised_sha256);
        // Drafts that cannot be removed now are removed at the next start.
        let _ = fs::remove_file(upload);
        if prepared.is_err() {
            let _ = fs::remove_dir_all(&draft);
        }
        prepared
    }

    /// Puts an artifact in its place, where it may be already.
    pub fn place(&self, prepared: &Prepared) -> io::Result<()> {
        let place = self.folder(&prepared.sha256);
        if place.exists() {
            return Ok(());
        }
        fs::rename(&prepared.draft, &place)?;
        File::open(&self.root)?.sync_all()
    }

    /// Removes every artifact that is not wanted. What cannot be removed is left for the next time, and told on standard
    /// error; what has no artifact's name is not ours.
    pub fn sweep(&self, wanted: &BTreeSet<String>) -> io::Result<()> {
        for entry in fs::read_dir(&self.root)? {
            let name = entry?.file_name().into_string().unwrap_or_default();
            if is_digest(&name)
                && !wanted.contains(&name)
                && let Err(error) = fs::remove_dir_all(self.root.join(&name))
            {
                eprintln!("could not remove the old artifact {name}: {error}");
            }
        }
        Ok(())
    }
}

fn prepare(upload: &Path, draft: &Path, promised: &str) -> Result<Prepared, PlatformError> {
    let failed = |error: io::Error| store_failed("store the artifact", error);
    let (_, sha256) = File::open(upload).and_then(digest::sha256).map_err(failed)?;
    if sha256 != promised {
        return Err(bad(format!("it arrived with SHA-256 {sha256}, its sender promised {promised}")));
    }
    fs::create_dir(draft).map_err(failed)?;
    let paths = unpack(upload, draft).map_err(bad)?;
    let card = read_card(draft)?;
    check_files(draft, &card, paths)?;
    sync_tree(draft).map_err(failed)?;
    Ok(Prepared { sha256, card, draft: draft.to_owned() })
}

fn bad(why: impl std::fmt::Display) -> PlatformError {
    PlatformError::new(Code::BadArtifact, format!("the artifact was refused: {why}")).hint("deploy again")
}

fn read_card(folder: &Path) -> Result<ArtifactCard, PlatformError> {
    let file = File::open(folder.join(ArtifactCard::FILE_NAME))
        .map_err(|_| bad("it has no card (artifact.json)"))?;
    let mut text = Vec::new();
    file.take(MAX_CARD_BYTES).read_to_end(&mut text).map_err(bad)?;
    let card: ArtifactCard =
        serde_json::from_slice(&text).map_err(|error| bad(format!("its card: {error}")))?;
    card.check().map_err(bad)?;
    Ok(card)
}

/// Every file is as the card says, and there is none that it does not list.
fn check_files(folder: &Path, card: &ArtifactCard, mut paths: BTreeSet<String>) -> Result<(), PlatformError> {
    paths.remove(ArtifactCard::FILE_NAME);
    for file in &card.files {
        let path = format!("{FILES}/{}", file.path);
        if !paths.remove(&path) {
            return Err(bad(format!("{} is listed but not there, or listed twice", file.path)));
        }
        let (size, sha256) = File::open(folder.join(&path)).and_then(digest::sha256).map_err(bad)?;
        if (size, sha256.as_str()) != (file.size_bytes, file.sha256.as_str()) {
            return Err(bad(format!("{} is not the file that the card describes", file.path)));
        }
    }
    paths.first().map_or(Ok(()), |path| Err(bad(format!("{path} is there but not listed"))))
}
