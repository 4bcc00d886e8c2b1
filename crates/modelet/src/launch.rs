//! How the platform starts instances of this very binary, and where this machine keeps things.

use std::env;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use modelet_core::Code;
use modelet_core::instance::ENV_ONNXRUNTIME;
use modelet_platform::InstanceCommand;

use crate::engines;
use crate::report::Report;

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

    /// Its path.
    pub fn program(&self) -> &std::path::Path {
        &self.program
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

/// The data folder: what was asked for, else `./.modelet` if it is there and ours, else the user's own.
pub fn data_folder(asked: Option<PathBuf>) -> Result<PathBuf, Report> {
    let is_ours = |folder: &PathBuf| {
        folder.metadata().is_ok_and(|m| m.is_dir() && m.uid() == rustix::process::geteuid().as_raw())
    };
    let here = || Some(PathBuf::from(".modelet")).filter(is_ours);
    let folder =
        asked.or_else(here).or_else(|| user_folder("XDG_DATA_HOME", ".local/share")).ok_or_else(|| {
            Report::new(Code::StoreFailed, "there is no data folder: HOME is not set")
                .hint("say one: --data DIR")
        })?;
    // A relative path would lead elsewhere from an instance's working folder.
    Ok(std::path::absolute(&folder).unwrap_or(folder))
}

/// The cache folder of the user; none without a home. (A shared folder would not do: what lies there is run.)
pub fn cache_folder() -> Option<PathBuf> {
    user_folder("XDG_CACHE_HOME", ".cache")
}

fn user_folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    Some(absolute(variable).or_else(|| Some(absolute("HOME")?.join(below_home)))?.join("modelet"))
}
