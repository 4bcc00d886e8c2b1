//! The thread that starts processes.
//!
//! Instances die with the platform, by the kernel's hand (`PR_SET_PDEATHSIG`), so that not even `kill -9` leaves orphans.
//! The kernel ties that signal to the *thread* that started the process: a thread of a pool would take its instances
//! with it when it is retired. So one thread does nothing else, and lives as long as the platform.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;

use modelet_core::manifest::Rung;
use tokio::sync::oneshot;

use crate::cgroup::{self, Home};
use crate::confinement::Confinement;
use crate::ladder::{Ladder, RungState};
use crate::process::Process;
use crate::sandbox::status::Failure;
use crate::sandbox::{PROBE_ARGUMENT, Sandbox};
use crate::start::{self, Started};

/// The descriptor under which an instance finds its listening socket.
pub const SOCKET_FD: i32 = 3;
/// The descriptor under which a stem cell finds the socket that its artifact comes through.
pub const CONTROL_FD: i32 = 4;

/// What to start.
#[derive(Debug)]
pub struct Launch {
    /// Absolute path of the program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment: nothing is inherited.
    pub env: Vec<(OsString, OsString)>,
    /// Its working folder, as it sees it.
    pub folder: PathBuf,
    /// Becomes fd [`SOCKET_FD`].
    pub socket: OwnedFd,
    /// Becomes fd [`CONTROL_FD`].
    pub control: Option<OwnedFd>,
    /// What it may do.
    pub sandbox: Sandbox,
}

/// A started process and its output.
#[derive(Debug)]
pub struct Spawned {
    /// The process, which leads a group of its own.
    pub process: Process,
    /// What it prints.
    pub stdout: OwnedFd,
    /// What it complains about.
    pub stderr: OwnedFd,
    /// Its walls.
    pub confinement: Confinement,
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// This machine has no rung that is good enough; the sentence says what is missing.
    #[error("{0}")]
    Isolation(String),
    /// A step on the way failed.
    #[error("could not {step}: {error}")]
    Step {
        /// What was to be done, after "could not".
        step: String,
        /// What the kernel said.
        error: io::Error,
    },
}

impl From<Failure> for SpawnError {
    fn from(failure: Failure) -> Self {
        let error = match failure.errno {
            Some(number) => io::Error::from_raw_os_error(number),
            None => io::Error::other(failure.error),
        };
        Self::Step { step: failure.step, error }
    }
}

impl SpawnError {
    pub(crate) fn step(step: &str) -> impl FnOnce(io::Error) -> Self + '_ {
        move |error| Self::Step { step: step.to_owned(), error }
    }
}

/// What the thread is told.
struct Order {
    rung: Rung,
    launch: Launch,
    reply: oneshot::Sender<Result<Started, SpawnError>>,
}

/// A handle to the thread that starts processes.
#[derive(Debug, Clone)]
pub struct Spawner {
    orders: mpsc::Sender<Order>,
    ladder: Arc<Ladder>,
}

impl Spawner {
    /// Starts the thread, and finds out which rungs work here by starting a program on each. The thread ends, and with it every
    /// process that it started, when the last handle is dropped.
    ///
    /// `init`: a program whose `main` begins with [`run_if_init`](crate::sandbox::run_if_init). `forced`: the only rung to be
    /// used; refused when it does not work.
    pub async fn start(init: PathBuf, forced: Option<Rung>) -> Result<Self, SpawnError> {
        start::seal_inherited().map_err(SpawnError::step("close inherited descriptors"))?;
        let (orders, inbox) = mpsc::channel::<Order>();
        let program = init.clone();
        let home = Home::create().map_err(|error| error.to_string());
        let run = move || {
            for order in inbox {
                // When the one who asked is gone, what was started is dropped, and so killed.
                let _ = order.reply.send(start::start(&program, order.rung, &order.launch, home.as_ref()));
            }
        };
        thread::Builder::new()
            .name("spawner".into())
            .spawn(run)
            .map_err(SpawnError::step("start a thread"))?;
        let mut spawner = Self { orders, ladder: Arc::new(Ladder { rungs: Vec::new(), forced }) };
        let mut rungs = Vec::new();
        for rung in Rung::ALL {
            let missing = spawner.probe(&init, rung).await.err().map(|error| error.to_string());
            rungs.push(RungState { rung, missing });
        }
        spawner.ladder = Arc::new(Ladder { rungs, forced });
        if let Some(forced) = forced {
            spawner.ladder.choose(Some(forced)).map_err(SpawnError::Isolation)?;
        }
        Ok(spawner)
    }

    /// Has this process come before the instances where processors are short, when these get groups of their own: otherwise they
    /// would have its. False where that cannot be had.
    pub fn put_platform_first(&self) -> bool {
        self.ladder.best() == Some(Rung::NamespacesAndCgroups) && cgroup::put_first().is_ok()
    }

    /// The rungs that work on this machine.
    pub fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// Starts a process on the strongest rung that works, when that is good enough for its sandbox.
    pub async fn spawn(&self, launch: Launch) -> Result<Spawned, SpawnError> {
        let rung = self.ladder.choose(launch.sandbox.weakest).map_err(SpawnError::Isolation)?;
        self.spawn_on(rung, launch).await
    }

    async fn spawn_on(&self, rung: Rung, launch: Launch) -> Result<Spawned, SpawnError> {
        let (reply, answer) = oneshot::channel();
        let gone = || SpawnError::step("reach the spawner")(io::Error::other("its thread has ended"));
        self.orders.send(Order { rung, launch, reply }).map_err(|_| gone())?;
        // In a task of its own: a caller that gives up must not leave a process that nobody knows of.
        let begun = tokio::spawn(async move { answer.await.map_err(|_| gone())??.running().await });
        begun.await.map_err(|error| SpawnError::step("wait for the start")(io::Error::other(error)))?
    }

    /// Starts a program that ends at once.
    async fn probe(&self, init: &std::path::Path, rung: Rung) -> Result<(), SpawnError> {
        let (socket, _ours) =
            std::os::unix::net::UnixStream::pair().map_err(SpawnError::step("make a socket"))?;
        let launch = Launch {
            program: init.to_owned(),
            args: vec![PROBE_ARGUMENT.into()],
            env: Vec::new(),
            folder: "/".into(),
            socket: socket.into(),
            control: None,
            sandbox: Sandbox::default(),
        };
        let spawned = self.spawn_on(rung, launch).await?;
        let exit = spawned.process.wait().await.map_err(SpawnError::step("wait for the probe"))?;
        if exit == crate::process::Exit::Code(0) {
            return Ok(());
        }
        Err(SpawnError::step("run a program")(io::Error::other(format!("it {exit}"))))
    }
}
