//! How the platform starts instances of this very binary, and where this machine keeps things.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use modelet_core::instance::ENV_ONNXRUNTIME;
use modelet_platform::InstanceCommand;

use crate::engines;

/// The first argument that makes this binary an instance.
pub const RUNTIME_ARGUMENT: &str = "runtime";

/// Starts instances as `modelet runtime`.
pub struct ThisBinary {
    program: PathBuf,
}

impl ThisBinary {
    /// Finds this binary. An upgrade that replaces the file meanwhile does not matter: the path leads to the new one.
    pub fn find() -> std::io::Result<Self> {
        Ok(Self { program: env::current_exe()? })
    }
}

impl InstanceCommand for ThisBinary {
    fn command(&self) -> (PathBuf, Vec<OsString>) {
        (self.program.clone(), vec![RUNTIME_ARGUMENT.into()])
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        let library = engines::locate().ok();
        library.map(|found| (ENV_ONNXRUNTIME.into(), found.path.into())).into_iter().collect()
    }
}

/// The data folder: what was asked for, else `./.modelet` if it is there, else the user's own.
pub fn data_folder(asked: Option<PathBuf>) -> PathBuf {
    let here = || Some(PathBuf::from(".modelet")).filter(|folder| folder.is_dir());
    let folder = asked.or_else(here).unwrap_or_else(|| user_folder("XDG_DATA_HOME", ".local/share"));
    // A relative path would lead elsewhere from an instance's working folder.
    std::path::absolute(&folder).unwrap_or(folder)
}

/// The cache folder of the user.
pub fn cache_folder() -> PathBuf {
    user_folder("XDG_CACHE_HOME", ".cache")
}

fn user_folder(variable: &str, below_home: &str) -> PathBuf {
    let base = env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    base.or_else(|| Some(home()?.join(below_home))).unwrap_or_else(env::temp_dir).join("modelet")
}
