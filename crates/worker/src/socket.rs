//! The Unix sockets that instances inherit: bound by the platform, in a folder that only its user can enter.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder of the sockets. Sockets are reached through the folder's descriptor (`/proc/self/fd/N/name`), since a
/// socket's path may have 107 bytes at most and data folders are often deeper than that.
#[derive(Debug, Clone)]
pub struct SocketFolder {
    folder: Arc<File>,
    path: PathBuf,
}

impl SocketFolder {
    /// Makes the folder, or empties one that an earlier run left behind.
    pub fn create(path: &Path) -> io::Result<Self> {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        DirBuilder::new().mode(0o700).create(path)?;
        Ok(Self { folder: Arc::new(File::open(path)?), path: path.to_owned() })
    }

    /// Binds a listening socket of this name, which must be new.
    pub fn bind(&self, name: &str) -> io::Result<InstanceSocket> {
        let short = PathBuf::from(format!("/proc/self/fd/{}/{name}", self.folder.as_raw_fd()));
        let listener = UnixListener::bind(&short)?;
        Ok(InstanceSocket {
            listener: listener.into(),
            address: Address { short, file: self.path.join(name), _folder: self.folder.clone() },
        })
    }
}

/// A bound socket: the listening end for the instance, the address for us.
#[derive(Debug)]
pub struct InstanceSocket {
    /// The listening end, to be inherited.
    pub listener: OwnedFd,
    /// Where to connect to.
    pub address: Address,
}

/// Where to connect to. The socket's file is removed with it.
#[derive(Debug)]
pub struct Address {
    short: PathBuf,
    file: PathBuf,
    /// Keeps the descriptor in `short` open.
    _folder: Arc<File>,
}

impl Address {
    /// The path to connect to.
    pub fn path(&self) -> &Path {
        &self.short
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        // A file that is gone already was removed with its folder: nothing is left to do.
        let _ = fs::remove_file(&self.file);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_socket_works_however_deep_its_folder_is() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("d".repeat(120)).join("e".repeat(120));
        fs::create_dir_all(&deep).unwrap();
        let folder = SocketFolder::create(&deep.join("run")).unwrap();
        let socket = folder.bind("churn-1-i1").unwrap();
        UnixStream::connect(socket.address.path()).unwrap();
        let file = deep.join("run/churn-1-i1");
        assert!(file.exists());
        drop(socket);
        assert!(!file.exists(), "removed with its address");
    }

    #[test]
    fn what_an_earlier_run_left_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run");
        let left = SocketFolder::create(&path).unwrap().bind("a").unwrap();
        std::mem::forget(left);
        SocketFolder::create(&path).unwrap().bind("a").unwrap();
    }
}
