//! The data folder of a platform that lives as long as its function is written: gone afterwards, and at the latest when the next one
//! begins.

use std::fs;
use std::path::{Path, PathBuf};

use modelet_core::{Code, digest};
use modelet_platform::lock;
use sha2::{Digest, Sha256};

use crate::launch::cache_folder;
use crate::report::Report;

/// Where such folders are, in the cache folder.
const FOLDER: &str = "dev";

/// A folder that is removed when it is dropped.
#[derive(Debug)]
pub struct Scratch {
    /// Where it is.
    pub folder: PathBuf,
}

impl Scratch {
    /// The one for what lies at `path`; what one before it left behind, that was killed, is removed.
    ///
    /// # Errors
    /// `data-in-use` when another one runs for the same path, `store-failed` when there is no place for it.
    pub fn of(path: &Path) -> Result<Self, Report> {
        let cache = cache_folder().ok_or_else(|| {
            Report::new(Code::StoreFailed, "there is no cache folder: HOME is not set")
                .hint("set HOME or XDG_CACHE_HOME")
        })?;
        let name = digest::hex(&Sha256::digest(path.as_os_str().as_encoded_bytes()))[..16].to_owned();
        let folder = cache.join(FOLDER).join(name);
        if let Some(running) = lock::running(&folder) {
            let message = format!(
                "modelet dev (pid {}) already runs for {} at {}",
                running.pid,
                path.display(),
                running.url
            );
            return Err(Report::new(Code::DataInUse, message).hint("use that one, or stop it"));
        }
        // Not there, as a rule; what cannot be removed is met by whoever opens it.
        let _ = fs::remove_dir_all(&folder);
        Ok(Self { folder })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next one.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
