//! Unpacked layers: packages that versions share, in folders named by the digest of their tar. A folder is there whole or not at
//! all, as an artifact's.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use modelet_core::{Code, PlatformError, digest};

use crate::store::unpack::{sync_tree, unpack};
use crate::store::{is_digest, store_failed};

/// A layer comes before the version that needs it: it is kept for so long without one.
const GRACE: Duration = Duration::from_secs(3_600);

/// The folder of unpacked layers.
#[derive(Debug, Clone)]
pub struct Layers {
    root: PathBuf,
    drafts: PathBuf,
}

impl Layers {
    /// Opens the folder; drafts lie in the one that the artifacts have.
    pub fn open(data: &Path, drafts: PathBuf) -> io::Result<Self> {
        let layers = Self { root: data.join("layers"), drafts };
        fs::create_dir_all(&layers.root)?;
        Ok(layers)
    }

    /// The folder of a layer.
    pub fn folder(&self, sha256: &str) -> PathBuf {
        self.root.join(sha256)
    }

    /// True when it is there.
    pub fn has(&self, sha256: &str) -> bool {
        is_digest(sha256) && self.folder(sha256).is_dir()
    }

    /// A new file for an upload.
    pub fn draft(&self, id: &str) -> PathBuf {
        self.drafts.join(id)
    }

    /// Checks an uploaded tar against the digest that its sender promised, unpacks it, and puts it in its place. The upload is
    /// consumed, whatever happens.
    pub fn store(&self, upload: &Path, promised_sha256: &str) -> Result<(), PlatformError> {
        let draft = upload.with_extension("unpacked");
        let stored = self.unpacked(upload, &draft, promised_sha256);
        // Drafts that cannot be removed now are removed at the next start.
        let _ = fs::remove_file(upload);
        let _ = fs::remove_dir_all(&draft);
        stored
    }

    fn unpacked(&self, upload: &Path, draft: &Path, promised: &str) -> Result<(), PlatformError> {
        let failed = |error: io::Error| store_failed("store the layer", error);
        let (_, sha256) = File::open(upload).and_then(digest::sha256).map_err(failed)?;
        if sha256 != promised {
            let message = format!("the layer arrived with SHA-256 {sha256}, its sender promised {promised}");
            return Err(PlatformError::new(Code::BadArtifact, message).hint("deploy again"));
        }
        fs::create_dir(draft).map_err(failed)?;
        unpack(upload, draft).map_err(|why| {
            PlatformError::new(Code::BadArtifact, format!("the layer was refused: {why}"))
                .hint("deploy again")
        })?;
        sync_tree(draft).map_err(failed)?;
        let place = self.folder(&sha256);
        match fs::rename(draft, &place) {
            // Somebody else was faster.
            Err(_) if place.is_dir() => Ok(()),
            moved => moved.and_then(|()| File::open(&self.root)?.sync_all()).map_err(failed),
        }
    }

    /// Removes every layer that is not wanted and not new. What cannot be removed is left for the next time, and told on standard
    /// error; what has no layer's name is not ours.
    pub fn sweep(&self, wanted: &BTreeSet<String>) -> io::Result<()> {
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let name = entry.file_name().into_string().unwrap_or_default();
            let is_old = entry.metadata()?.modified()?.elapsed().is_ok_and(|age| age > GRACE);
            if is_digest(&name)
                && is_old
                && !wanted.contains(&name)
                && let Err(error) = fs::remove_dir_all(entry.path())
            {
                eprintln!("could not remove the old layer {name}: {error}");
            }
        }
        Ok(())
    }
}
