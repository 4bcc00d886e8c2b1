//! How the process of an instance is started: for an artifact, or as a stem cell for whatever comes.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use modelet_core::handler::PACKAGES_FOLDER;
use modelet_core::instance::{ENV_ARTIFACT, ENV_ONNXRUNTIME, ENV_PACKAGES, ENV_PYTHON};
use modelet_core::manifest::Rung;
use modelet_core::{ArtifactCard, Code, PlatformError, Target, Version};
use modelet_worker::{
    Bind, Confinement, Control, Feed, Launch, OutputLine, Process, Readers, Sandbox, SpawnError, output,
};
use tokio::sync::mpsc;

use crate::config::Python;
use crate::dispatch::pythons::Needs;
use crate::dispatch::{Shared, environment};

/// Lines between an instance and the log; beyond that the instance waits in its `write`.
const OUTPUT_QUEUE: usize = 256;

/// Where an instance with a file system of its own finds its artifact …
pub const ARTIFACT_TARGET: &str = "/modelet/artifact";
/// … and the library of ONNX Runtime.
const LIBRARY_TARGET: &str = "/modelet/libonnxruntime.so";
/// What every process can read anyway.
const OF_THE_SYSTEM: &str = "/usr";

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
        /// Its card.
        card: Arc<ArtifactCard>,
    },
    /// A Python that is started ahead, with the folder in which it lays its artifact out.
    Python {
        /// The folder, which is not there yet.
        folder: PathBuf,
        /// What it is to be good for.
        needs: Arc<Needs>,
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
    /// Its walls.
    pub confinement: Arc<Confinement>,
    /// Calls go in here.
    pub feed: Feed,
    /// What it prints comes out here.
    pub lines: mpsc::Receiver<OutputLine>,
    /// Those who read it.
    pub readers: Readers,
    /// A stem cell's assignment goes in here.
    pub control: Option<Control>,
}

/// Starts a process under a name that was never used before.
pub async fn start(shared: &Shared, name: &str, role: Role) -> Result<Started, PlatformError> {
    let failed = |error: io::Error| PlatformError::new(Code::StartFailed, error.to_string());
    let socket = shared.sockets.bind(name).map_err(failed)?;
    let (control, inherited) = match role {
        Role::Instance { .. } => (None, None),
        Role::Cell { .. } | Role::Python { .. } => {
            Control::pair().map(|(ours, theirs)| (Some(ours), Some(theirs))).map_err(failed)?
        }
    };
    let (program, args) = shared.command.command();
    let weakest = match &role {
        Role::Instance { card, .. } => card.manifest.isolation,
        Role::Cell { .. } | Role::Python { .. } => None,
    };
    let has_own_root = shared.spawner.ladder().choose(weakest).is_ok_and(|rung| rung <= Rung::Namespaces);
    let mut env = environment::of(shared, &role, has_own_root).await.map_err(failed)?;
    let for_code = for_code(shared, &role, &mut env).await?;
    let mut binds = binds(&mut env, has_own_root);
    binds.extend(for_code);
    let launch = Launch {
        program,
        args,
        sandbox: Sandbox {
            weakest,
            binds,
            bare: shared.target.is_some_and(Target::is_bare),
            ..sandbox(&role)
        },
        env,
        folder: Path::new("/").into(),
        socket: socket.listener,
        control: inherited,
    };
    let spawned = shared.spawner.spawn(launch).await.map_err(refused)?;
    let (lines, readers) = output::follow(spawned.stdout, spawned.stderr, OUTPUT_QUEUE);
    let process = Arc::new(spawned.process);
    let confinement = Arc::new(spawned.confinement);
    Ok(Started { process, confinement, feed: Feed::new(socket.address), lines, readers, control })
}

/// What code needs beside its artifact: its Python and its packages.
async fn for_code(
    shared: &Shared,
    role: &Role,
    env: &mut Vec<(OsString, OsString)>,
) -> Result<Vec<Bind>, PlatformError> {
    let (version, layer) = match role {
        Role::Instance { card, .. } => (card.python(), card.packages().map(|layer| layer.sha256.as_str())),
        Role::Python { needs, .. } => (Some(needs.python.as_str()), needs.layer.as_deref()),
        Role::Cell { .. } => (None, None),
    };
    let mut binds = Vec::new();
    if let Some(version) = version {
        let python = python(shared, version).await?;
        env.push((ENV_PYTHON.into(), python.program.into()));
        if !python.prefix.starts_with(OF_THE_SYSTEM) {
            binds.push(Bind::same(python.prefix));
        }
    }
    if let Some(layer) = layer {
        env.push((ENV_PACKAGES.into(), shared.layers.folder(layer).into()));
    }
    Ok(binds)
}

/// The Python of a version.
pub async fn python(shared: &Shared, version: &str) -> Result<Python, PlatformError> {
    let (command, wanted) = (shared.command.clone(), version.to_owned());
    // Looks for files: not on the thread that serves.
    let found = tokio::task::spawn_blocking(move || command.python(&wanted)).await;
    let found = found.map_err(|error| PlatformError::new(Code::StartFailed, error.to_string()))?;
    found.map_err(|why| {
        PlatformError::new(Code::PythonMissing, why)
            .hint(format!("install Python {version}, or let uv bring it: uv python install {version}"))
    })
}

/// What a process can read: the artifact, the library of ONNX Runtime and packages, and nothing else of this machine that is not part of
/// the system. A file system of its own shows both in places that nothing else can cover, wherever they lie outside.
pub fn binds(env: &mut [(OsString, OsString)], has_own_root: bool) -> Vec<Bind> {
    let mut binds = Vec::new();
    for (name, path) in env {
        let target = match () {
            () if name == ENV_ARTIFACT => ARTIFACT_TARGET,
            () if name == ENV_ONNXRUNTIME => LIBRARY_TARGET,
            () if name == ENV_PACKAGES => PACKAGES_FOLDER,
            () => continue,
        };
        let source = PathBuf::from(&*path);
        if has_own_root {
            *path = target.into();
        }
        binds.push(Bind { source, target: PathBuf::from(&*path) });
    }
    binds
}

/// What a process may use: a stem cell what the default settings allow, an instance what its own do.
fn sandbox(role: &Role) -> Sandbox {
    let card = match role {
        Role::Instance { card, .. } => card,
        Role::Python { needs, folder } => {
            return Sandbox {
                scratch: Some(folder.clone()),
                network: needs.network,
                loopback: true,
                tmp_mib: needs.tmp_mib,
                file_size_mib: needs.tmp_mib,
                processes: needs.processes_limit,
                open_files: needs.open_files_limit,
                ..Sandbox::default()
            };
        }
        Role::Cell { .. } => return Sandbox::default(),
    };
    Sandbox { network: card.manifest.network, loopback: card.is_code(), ..Sandbox::within(&card.settings) }
}

fn refused(error: SpawnError) -> PlatformError {
    match error {
        SpawnError::Isolation(why) => PlatformError::new(Code::IsolationUnavailable, why)
            .hint("modelet doctor shows what this machine can do, and what is missing"),
        SpawnError::Step { .. } => PlatformError::new(Code::StartFailed, error.to_string()),
    }
}
