//! How the platform starts instances, of this very binary unless told otherwise, and where this machine keeps things.

use std::collections::HashMap;
use std::env;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use modelet_core::Code;
use modelet_core::instance::ENV_ONNXRUNTIME;
use modelet_platform::{InstanceCommand, Python};

use crate::engines;
use crate::python::versions;
use crate::report::Report;

/// The first argument that makes this binary an instance.
pub const RUNTIME_ARGUMENT: &str = "runtime";

/// Where this binary is. An upgrade that replaces the file meanwhile does not matter: the path leads to the new one.
pub fn this_binary() -> Result<PathBuf, Report> {
    env::current_exe().map_err(|error| {
        Report::new(Code::Internal, format!("could not find this program's own file: {error}"))
    })
}

/// What instances are started as.
pub struct Instances {
    program: PathBuf,
    args: Vec<OsString>,
    /// Pythons that were found, by version.
    pythons: Mutex<HashMap<String, Python>>,
}

impl Instances {
    /// This binary, as `modelet runtime`.
    pub fn of_this_binary(program: PathBuf) -> Self {
        Self { program, args: vec![RUNTIME_ARGUMENT.into()], pythons: Mutex::default() }
    }

    /// Another program that speaks the contract of `modelet-runtime`.
    pub fn of(program: &Path) -> Result<Self, Report> {
        let found = program.canonicalize().map_err(|error| {
            Report::new(Code::StartFailed, format!("--runtime {}: {error}", program.display())).hint(
                "name a program of this machine, such as one whose main calls modelet_runtime::main_with",
            )
        })?;
        Ok(Self { program: found, args: Vec::new(), pythons: Mutex::default() })
    }
}

impl InstanceCommand for Instances {
    fn command(&self) -> (PathBuf, Vec<OsString>) {
        (self.program.clone(), self.args.clone())
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        let library = engines::locate().ok();
        library.map(|found| (ENV_ONNXRUNTIME.into(), found.path.into())).into_iter().collect()
    }

    fn python(&self, version: &str) -> Result<Python, String> {
        let mut pythons = self.pythons.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = pythons.get(version).filter(|known| known.program.exists()) {
            return Ok(known.clone());
        }
        let found = tokio::runtime::Handle::current().block_on(versions::here(version));
        let found = found.ok_or_else(|| format!("there is no Python {version} on this machine"))?;
        let python = Python { program: found.program, prefix: found.prefix };
        pythons.insert(version.to_owned(), python.clone());
        Ok(python)
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
