//! An instance of an artifact that is not deployed yet: in a sandbox, as the platform starts it.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use modelet_core::instance::{
    ENV_ARTIFACT, ENV_ONNXRUNTIME, ENV_PACKAGES, ENV_PYTHON, ENV_TRIED_IMPORTS, ENV_VERSION, ENV_WATCHED,
};
use modelet_core::manifest::Rung;
use modelet_core::{ArtifactCard, EngineName, Target};
use modelet_package::Bundle;
use modelet_platform::dispatch::environment;
use modelet_platform::dispatch::launch::binds;
use modelet_worker::{
    Bind, Confinement, Feed, Launch, OutputLine, Process, Readers, Sandbox, SocketFolder, Spawner, output,
};
use tokio::sync::mpsc;

use crate::engines;
use crate::launch::{RUNTIME_ARGUMENT, this_binary};
use crate::python::interpreter::Interpreter;

/// Most lines of the instance that wait to be read.
const LINES: usize = 256;

/// Stands for the value of a secret.
const SECRET: &str = "a secret";

/// What the instance is made of.
pub struct Trial<'a> {
    /// Its card.
    pub card: &'a ArtifactCard,
    /// Its files.
    pub bundle: &'a Bundle,
    /// The Python of its code.
    pub python: Option<&'a Interpreter>,
    /// The packages of its code.
    pub packages: Option<&'a Path>,
    /// What its code imports, perhaps later only, and where.
    pub imports: Vec<(String, String)>,
    /// The host that it is tried for: what its code asks of the machine is told, and what that host has not is not there.
    pub target: Option<Target>,
    /// Most memory, MiB.
    pub memory_mib: u64,
}

/// An instance that runs. It ends when it is dropped.
pub struct Running {
    /// The way to it.
    pub feed: Feed,
    /// The process.
    pub process: Process,
    /// What it prints.
    pub lines: mpsc::Receiver<OutputLine>,
    /// Those who read it.
    pub readers: Readers,
    /// Its walls.
    pub confinement: Confinement,
}

impl Trial<'_> {
    /// Starts it, with its files laid out in `work`. The error says what could not be done.
    pub async fn start(&self, spawner: &Spawner, work: &Path) -> Result<Running, String> {
        let said = |error: io::Error| error.to_string();
        let artifact = self.lay_out(work).map_err(said)?;
        let sockets = SocketFolder::create(&work.join("sockets")).map_err(said)?;
        let socket = sockets.bind("trial").map_err(said)?;
        let binary = this_binary().map_err(|report| report.message().to_owned())?;
        let has_own_root =
            spawner.ladder().choose(self.card.manifest.isolation).is_ok_and(|rung| rung <= Rung::Namespaces);
        let launch = self.launch(binary, &artifact, socket.listener, has_own_root);
        let spawned = spawner.spawn(launch).await.map_err(|error| error.to_string())?;
        let (lines, readers) = output::follow(spawned.stdout, spawned.stderr, LINES);
        Ok(Running {
            feed: Feed::new(socket.address),
            process: spawned.process,
            lines,
            readers,
            confinement: spawned.confinement,
        })
    }

    /// The artifact's folder, as the store unpacks it.
    fn lay_out(&self, work: &Path) -> io::Result<PathBuf> {
        let folder = work.join("artifact");
        fs::create_dir(&folder)?;
        fs::write(folder.join(ArtifactCard::FILE_NAME), serde_json::to_vec(self.card)?)?;
        for file in &self.bundle.files {
            let target = folder.join("files").join(&file.path);
            fs::create_dir_all(target.parent().unwrap_or(&folder))?;
            fs::copy(&file.place, &target)?;
            let mode = if file.executable { 0o755 } else { 0o644 };
            fs::set_permissions(&target, fs::Permissions::from_mode(mode))?;
        }
        Ok(folder)
    }

    fn launch(&self, program: PathBuf, artifact: &Path, socket: OwnedFd, has_own_root: bool) -> Launch {
        let mut env = environment::plain(has_own_root);
        env.push(("LISTEN_FDS".into(), "1".into()));
        env.push((ENV_VERSION.into(), "1".into()));
        env.push((ENV_ARTIFACT.into(), artifact.into()));
        // Others do without, and the library may lie where a sandbox cannot reach.
        if self.card.model().is_some_and(|model| model.engine == EngineName::Onnxruntime)
            && let Ok(library) = engines::locate()
        {
            env.push((ENV_ONNXRUNTIME.into(), library.path.into()));
        }
        if let Some(packages) = self.packages {
            env.push((ENV_PACKAGES.into(), packages.into()));
        }
        let mut binds = binds(&mut env, has_own_root);
        if let Some(python) = self.python {
            env.push((ENV_PYTHON.into(), python.program.clone().into()));
            // The system's own folders are there anyway.
            binds.extend((!python.prefix.starts_with("/usr")).then(|| Bind::same(&python.prefix)));
        }
        if !self.imports.is_empty() {
            let imports = serde_json::to_string(&self.imports).unwrap_or_default();
            env.push((ENV_TRIED_IMPORTS.into(), imports.into()));
        }
        if let Some(target) = self.target {
            let missing: Vec<&str> = target.missing().iter().map(|missing| missing.path).collect();
            env.push((ENV_WATCHED.into(), serde_json::to_string(&missing).unwrap_or_default().into()));
        }
        let manifest = &self.card.manifest;
        env.extend(manifest.env.iter().map(|(name, value)| (name.into(), value.into())));
        // Their values are the platform's, and not known here: code that reads them while it is imported finds something.
        env.extend(manifest.secrets.keys().map(|name| (name.into(), SECRET.into())));
        Launch {
            program,
            args: vec![RUNTIME_ARGUMENT.into()],
            env,
            folder: "/".into(),
            socket,
            control: None,
            sandbox: Sandbox {
                binds,
                network: manifest.network,
                loopback: self.card.is_code(),
                bare: self.target.is_some_and(Target::is_bare),
                memory_mib: self.memory_mib,
                ..Sandbox::within(&self.card.settings)
            },
        }
    }
}
