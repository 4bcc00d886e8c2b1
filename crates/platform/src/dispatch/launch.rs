//! How the process of an instance is started: for an artifact, or as a stem cell for whatever comes.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use modelet_core::Version;
use modelet_core::instance::{ENV_ARTIFACT, ENV_CELL, ENV_VERSION};
use modelet_worker::{Control, Feed, Launch, OutputLine, Process, Stream, output};
use tokio::sync::mpsc;

use crate::dispatch::Shared;

/// Lines between an instance and the log; beyond that the instance waits in its `write`.
const OUTPUT_QUEUE: usize = 256;
/// Open files that an instance may have.
const OPEN_FILES: u64 = 4_096;

/// What a process is started as.
pub enum Role {
    /// An instance of one version, with the folder of its artifact.
    Instance {
        /// The folder.
        artifact: PathBuf,
        /// The version.
        version: Version,
        /// The variables that its manifest asks for.
        variables: Vec<(OsString, OsString)>,
    },
    /// A stem cell, with the folder in which it lays its artifact out.
    Cell {
        /// The folder, which is not there yet.
        folder: PathBuf,
    },
}

/// A started process and the ways to it.
pub struct Started {
    /// The process.
    pub process: Arc<Process>,
    /// Calls go in here.
    pub feed: Feed,
    /// What it prints comes out here.
    pub lines: mpsc::Receiver<OutputLine>,
    /// A stem cell's assignment goes in here.
    pub control: Option<Control>,
}

/// Starts a process under a name that was never used before.
pub async fn start(shared: &Shared, name: &str, role: Role) -> io::Result<Started> {
    let socket = shared.sockets.bind(name)?;
    let (control, inherited) = match role {
        Role::Instance { .. } => (None, None),
        Role::Cell { .. } => Control::pair().map(|(ours, theirs)| (Some(ours), Some(theirs)))?,
    };
    let (program, args) = shared.command.command();
    let launch = Launch {
        program,
        args,
        env: environment(shared, &role).await?,
        folder: Path::new("/").into(),
        socket: socket.listener,
        control: inherited,
        open_files: OPEN_FILES,
    };
    let spawned = shared.spawner.spawn(launch).await?;
    let (sender, lines) = mpsc::channel(OUTPUT_QUEUE);
    tokio::spawn(output::read_lines(spawned.stdout, Stream::Stdout, sender.clone()));
    tokio::spawn(output::read_lines(spawned.stderr, Stream::Stderr, sender));
    let process = Arc::new(spawned.process);
    Ok(Started { process, feed: Feed::new(socket.address), lines, control })
}

async fn environment(shared: &Shared, role: &Role) -> io::Result<Vec<(OsString, OsString)>> {
    let sockets = if matches!(role, Role::Cell { .. }) { "2" } else { "1" };
    let mut env: Vec<(OsString, OsString)> = [
        ("LANG", "C.UTF-8"),
        ("LISTEN_FDS", sockets),
        // ONNX Runtime must not talk to anybody; see the engine.
        ("ORT_DISABLE_TELEMETRY", "1"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into();
    match role {
        Role::Instance { artifact, version, variables } => {
            env.extend(variables.iter().cloned());
            env.push((ENV_ARTIFACT.into(), artifact.into()));
            env.push((ENV_VERSION.into(), version.to_string().into()));
        }
        Role::Cell { folder } => env.push((ENV_CELL.into(), folder.into())),
    }
    // Looks for files: not on the thread that serves.
    let command = shared.command.clone();
    env.extend(tokio::task::spawn_blocking(move || command.environment()).await?);
    Ok(env)
}
