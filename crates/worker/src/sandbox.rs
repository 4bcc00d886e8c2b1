//! What an instance may do, and how it is held to it.
//!
//! An instance is started by way of `sandbox-init`: this program once more, single-threaded, which reads an
//! [`Order`](order::Order), takes away what the instance shall not have, and becomes the instance's program. On rungs 1 and 2
//! it makes a process in new namespaces that is a *sibling*, not a child (`CLONE_PARENT`), and ends: so the platform is the
//! parent of the program itself, waits for it and kills it by its own pidfd, and no process stands between. The program is
//! process 1 of its namespace: when it ends, the kernel ends all others there. It hears SIGTERM only with a handler for it.
//!
//! - [`order`]: what `sandbox-init` is told; [`status`]: what it answers
//! - [`init`]: its course; [`namespaces`]: new namespaces and the users in them
//! - [`root`]: the file system that an instance sees; [`mount`]: mounting
//! - [`privileges`]: the way to an ordinary user without capabilities; [`limits`]: rlimits
//! - [`filter`]: the system call filter; [`fence`]: landlock
//!
//! What each rung keeps from a hostile program; `tests/hostile` holds the table:
//!
//! | | 1 | 2 | 3 | 4 |
//! |---|---|---|---|---|
//! | files of the host, other instances and the store: no reading | yes | yes | yes | only by file modes |
//! | no writing outside of its own /tmp | yes | yes | yes (and no /tmp) | only by file modes |
//! | a private /tmp with a size limit | yes | yes | no /tmp at all | no |
//! | environment of other instances | yes | yes | yes | no, if of the same user |
//! | no TCP, no UDP, no sockets of the host without `network` | yes | yes | yes | yes |
//! | no signal to others, no say in when and where they compute | yes | yes | yes | yes |
//! | no ptrace, mount, new namespace, other user, raw kernel interface | yes | yes | yes | yes |
//! | memory | the kernel, at once | a look every now and then | as 2 | as 2 |
//! | no more than its processor share, though nobody else computes | yes | no | no | no |
//! | however many threads it has, others that compute get theirs | yes | if the kernel groups by session | as 2 | as 2 |
//! | one that computes long gives way to those that compute for a moment | yes, with its children | as the row above, its first process | as 2 | as 2 |
//! | processes | yes | yes | with those of the same user | as 3 |
//! | open files, file size, no core dumps | yes | yes | yes | yes |
//! | its whole process tree ends with it and with the platform | yes | yes | ends when told; after a `kill -9` of the platform only the leader | as 3 |
//!
//! Processors are shared out by session where `kernel.sched_autogroup_enabled` is 1, as it is by default on most systems: each
//! instance leads one. Elsewhere, without control groups, one with many threads gets more. How soon one gives way depends on the
//! kernel: from 6.12 on within a tenth of a millisecond, before that within a tick (1 to 10 ms).
//!
//! With `network` an instance has the network of the host, its loopback included.
//!
//! **As root** the instance's user is number 65534 of the host, which owns nothing: what is bound must be readable for
//! everybody (folders `r-x`, files `r--`, programs `r-x`; the folders above do not matter on rungs 1 and 2) or be handed over
//! as a descriptor. **As an ordinary user** it stays that user. In its own eyes it is user 1000 on rungs 1 and 2.

use std::path::PathBuf;
use std::process::ExitCode;

use modelet_core::Settings;
use modelet_core::manifest::Rung;
use serde::{Deserialize, Serialize};

pub(crate) mod fence;
pub(crate) mod filter;
pub(crate) mod init;
pub(crate) mod limits;
pub(crate) mod mount;
pub(crate) mod namespaces;
pub(crate) mod order;
pub(crate) mod privileges;
pub(crate) mod root;
pub(crate) mod status;

/// First argument that makes a program `sandbox-init`.
pub const INIT_ARGUMENT: &str = "sandbox-init";
/// First argument that makes a program end well at once: what a probe of a rung runs.
pub const PROBE_ARGUMENT: &str = "sandbox-probe";

/// A file or folder of the host that the instance may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// Absolute path on the host.
    pub source: PathBuf,
    /// Absolute path in the instance. Rungs 3 and 4 have no file system of their own: there it is found under its source.
    pub target: PathBuf,
}

impl Bind {
    /// A file or folder that has the same path in the instance, and so on every rung.
    pub fn same(path: impl Into<PathBuf>) -> Self {
        let source = path.into();
        Self { target: source.clone(), source }
    }
}

/// What an instance may do. The program itself need not be among the binds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// The weakest rung that will do; `None`: any but [`Rung::Filter`], which must be asked for.
    pub weakest: Option<Rung>,
    /// What it may read beside the libraries of the system.
    pub binds: Vec<Bind>,
    /// May it reach the network?
    pub network: bool,
    /// May its processes speak TCP to each other, where it has a network of its own (rungs 1 and 2)?
    pub loopback: bool,
    /// Is it to be without /dev/shm and /sys, as on AWS Lambda? On rungs 1 and 2.
    pub bare: bool,
    /// A folder beside /tmp that it may write to, in memory; rungs 1 and 2.
    pub scratch: Option<PathBuf>,
    /// Size of its /tmp, MiB; what lies there counts as its memory.
    pub tmp_mib: u64,
    /// Most memory of all its processes, MiB. Held by the kernel on rung 1, by whoever watches
    /// [`Confinement::memory_kib`](crate::Confinement::memory_kib) on the others.
    pub memory_mib: u64,
    /// Most processor time, in thousandths of one processor; rung 1 only.
    pub cpu_millis: u64,
    /// Most processes and threads.
    pub processes: u64,
    /// Most open files of each process.
    pub open_files: u64,
    /// Largest file that it may write, MiB.
    pub file_size_mib: u64,
}

impl Sandbox {
    /// No network, nothing to read, and the limits of a function.
    pub fn within(settings: &Settings) -> Self {
        Self {
            weakest: None,
            binds: Vec::new(),
            network: false,
            loopback: false,
            bare: false,
            scratch: None,
            tmp_mib: settings.tmp_mib,
            memory_mib: settings.memory_mib,
            cpu_millis: settings.cpu_share_millis(),
            processes: settings.processes_limit,
            open_files: settings.open_files_limit,
            file_size_mib: settings.tmp_mib,
        }
    }
}

impl Default for Sandbox {
    /// The same, within the default settings.
    fn default() -> Self {
        Self::within(&Settings::default())
    }
}

/// First thing in `main` of every program that is given to [`Spawner::start`](crate::Spawner::start): when it was started as
/// `sandbox-init` it becomes the instance, and comes back only with the exit code that `main` shall return.
pub fn run_if_init() -> Option<ExitCode> {
    let argument = std::env::args_os().nth(1)?;
    if argument == INIT_ARGUMENT {
        return Some(init::run());
    }
    (argument == PROBE_ARGUMENT).then_some(ExitCode::SUCCESS)
}
