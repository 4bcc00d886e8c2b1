//! One platform for one data folder: the lock, and the file in which clients find its address.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use modelet_core::{Code, PlatformError};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

/// Where a running platform is, as written in `platform.json` of its data folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Process id.
    pub pid: u32,
    /// Base URL, without a slash at the end.
    pub url: String,
}

/// Holds the data folder. The kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
    address: PathBuf,
}

impl DataLock {
    /// Makes the folder, which only its owner may enter, and takes it; refused with the pid of the one that holds it.
    pub fn take(data: &Path) -> Result<Self, PlatformError> {
        let failed = |error: io::Error| {
            PlatformError::new(
                Code::StoreFailed,
                format!("could not use the data folder {}: {error}", data.display()),
            )
            .hint("choose another with --data DIR")
        };
        let new = !data.exists();
        fs::create_dir_all(data).map_err(failed)?;
        if !new && !is_ours(data).map_err(failed)? {
            let message = format!("{} is not empty, and not a data folder of modelet", data.display());
            let hint =
                format!("choose a folder for modelet alone: --data {}", data.join("modelet-data").display());
            return Err(PlatformError::new(Code::StoreFailed, message).hint(hint));
        }
        fs::set_permissions(data, Permissions::from_mode(0o700)).map_err(failed)?;
        let open =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(data.join("lock"));
        let mut file = open.map_err(failed)?;
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut pid = String::new();
            file.read_to_string(&mut pid).map_err(failed)?;
            let message = format!("another modelet (pid {}) already runs on {}", pid.trim(), data.display());
            let hint = "use that one, stop it, or give this one its own folder with --data DIR";
            return Err(PlatformError::new(Code::DataInUse, message).hint(hint));
        }
        file.set_len(0).map_err(failed)?;
        write!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file, address: address_file(data) })
    }

    /// Tells clients where the platform is.
    pub fn publish(&self, url: &str) -> io::Result<()> {
        let address = Address { pid: std::process::id(), url: url.to_owned() };
        let draft = self.address.with_extension("tmp");
        fs::write(&draft, serde_json::to_vec(&address)?)?;
        fs::rename(draft, &self.address)
    }
}

impl Drop for DataLock {
    fn drop(&mut self) {
        // A file that is left behind misleads nobody: `running` looks for the process.
        let _ = fs::remove_file(&self.address);
    }
}

/// True for an empty folder, and for one that a platform has used: everything else in it would be in danger.
fn is_ours(data: &Path) -> io::Result<bool> {
    Ok(data.join("lock").is_file() || fs::read_dir(data)?.next().is_none())
}

/// The platform that runs on a data folder, if one does. Only a folder of this user is believed: who owns it can name any
/// address.
pub fn running(data: &Path) -> Option<Address> {
    if fs::metadata(data).ok()?.uid() != rustix::process::geteuid().as_raw() {
        return None;
    }
    let address: Address = serde_json::from_slice(&fs::read(address_file(data)).ok()?).ok()?;
    // Left behind by one that was killed. (The lock is not tried: that would hold it for a moment.)
    Path::new(&format!("/proc/{}", address.pid)).exists().then_some(address)
}

fn address_file(data: &Path) -> PathBuf {
    data.join("platform.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once_and_found_while_it_is_held() {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        assert_eq!(running(&data), None);
        let lock = DataLock::take(&data).unwrap();
        lock.publish("http://127.0.0.1:1").unwrap();
        assert_eq!(running(&data).unwrap().url, "http://127.0.0.1:1");
        let error = DataLock::take(&data).unwrap_err();
        assert!(error.message.contains(&format!("pid {}", std::process::id())), "{error}");
        drop(lock);
        assert_eq!(running(&data), None);
        DataLock::take(&data).unwrap();
    }

    #[test]
    fn a_folder_with_other_things_in_it_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("artifacts")).unwrap();
        let error = DataLock::take(root.path()).unwrap_err();
        assert!(error.message.contains("not a data folder of modelet"), "{error}");
        assert!(root.path().join("artifacts").exists());
    }
}
