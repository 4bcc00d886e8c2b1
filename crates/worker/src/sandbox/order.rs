//! What `sandbox-init` is told: one JSON document on its standard input, so that neither its arguments nor its environment
//! hold anything of the user's (a loader variable would work on it, outside of every wall).

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use modelet_core::manifest::Rung;
use rustix::fs::MemfdFlags;
use serde::{Deserialize, Serialize};

use super::Sandbox;
use crate::spawn::Launch;

/// Largest order, bytes: arguments and environment are limited by the kernel to less.
const MAX_ORDER_BYTES: u64 = 16 << 20;

/// How the instance comes into its control group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum JoinGroup {
    /// It writes `0` to each of these files (version 1: `tasks`). That moves a single thread, the writer itself, for which
    /// the kernel waits for nobody; to write a process id to `cgroup.procs` takes some 15 ms.
    ByTasks(Vec<PathBuf>),
    /// It is made in this folder (version 2).
    ByClone(PathBuf),
}

/// What to become, and behind which walls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub rung: Rung,
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub env: Vec<(OsString, OsString)>,
    pub folder: PathBuf,
    pub sandbox: Sandbox,
    pub group: Option<JoinGroup>,
}

impl Order {
    pub fn new(rung: Rung, launch: &Launch, group: Option<JoinGroup>) -> Self {
        Self {
            rung,
            program: launch.program.clone(),
            args: launch.args.clone(),
            env: launch.env.clone(),
            folder: launch.folder.clone(),
            sandbox: launch.sandbox.clone(),
            group,
        }
    }

    /// Writes it to a file without a name, to be somebody's standard input.
    pub fn into_file(self) -> io::Result<File> {
        let mut file = File::from(rustix::fs::memfd_create("order", MemfdFlags::CLOEXEC)?);
        file.write_all(&serde_json::to_vec(&self)?)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }

    /// Reads it from standard input.
    pub fn read() -> io::Result<Self> {
        let mut text = Vec::new();
        io::stdin().lock().take(MAX_ORDER_BYTES).read_to_end(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    }
}
