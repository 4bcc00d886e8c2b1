//! What the tests are made of: a platform on one rung, and programs in its sandbox.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use modelet_core::manifest::Rung;
use modelet_worker::{Confinement, Exit, Launch, OutputLine, Process, Sandbox, Spawner, output};
use tokio::sync::mpsc;

/// Nothing in these tests takes longer.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Names a copy of the hostile program that an ordinary user can reach.
pub const ENV_PROGRAM: &str = "MODELET_HOSTILE";

/// The hostile program.
pub fn program() -> PathBuf {
    std::env::var_os(ENV_PROGRAM).map_or_else(|| env!("CARGO_BIN_EXE_modelet-hostile").into(), PathBuf::from)
}

/// The rungs that work here, weaker ones included.
pub async fn rungs() -> Vec<Rung> {
    let spawner = Spawner::start(program(), None).await.unwrap();
    let working = spawner.ladder().rungs.iter().filter(|state| state.missing.is_none());
    let rungs: Vec<_> = working.map(|state| state.rung).collect();
    assert!(rungs.contains(&Rung::Filter), "the weakest works everywhere: {:?}", spawner.ladder());
    rungs
}

/// A platform that is held to one rung.
pub async fn on(rung: Rung) -> Spawner {
    Spawner::start(program(), Some(rung)).await.unwrap()
}

/// A program in its sandbox.
pub struct Running {
    pub process: Process,
    pub confinement: Confinement,
    lines: mpsc::Receiver<OutputLine>,
    /// The other end of its fd 3.
    _socket: UnixStream,
}

/// What to run, with a sandbox that allows little.
pub fn launch(args: &[&str]) -> (Launch, UnixStream) {
    let (socket, ours) = UnixStream::pair().unwrap();
    let sandbox = Sandbox {
        tmp_mib: 8,
        memory_mib: 64,
        cpu_millis: 1_000,
        processes: 32,
        open_files: 64,
        file_size_mib: 16,
        ..Sandbox::default()
    };
    let launch = Launch {
        program: program(),
        args: args.iter().map(Into::into).collect(),
        env: vec![],
        folder: "/".into(),
        socket: socket.into(),
        control: None,
        sandbox,
    };
    (launch, ours)
}

impl Running {
    pub async fn start(spawner: &Spawner, args: &[&str]) -> Self {
        Self::start_with(spawner, args, |_| {}).await
    }

    pub async fn start_with(spawner: &Spawner, args: &[&str], change: impl FnOnce(&mut Launch)) -> Self {
        let (mut launch, socket) = launch(args);
        change(&mut launch);
        let spawned = spawner.spawn(launch).await.unwrap();
        let (lines, _) = output::follow(spawned.stdout, spawned.stderr, 64);
        Self { process: spawned.process, confinement: spawned.confinement, lines, _socket: socket }
    }

    /// Its next line; `None` when there are no more.
    pub async fn line(&mut self) -> Option<String> {
        tokio::time::timeout(PATIENCE, self.lines.recv()).await.unwrap().map(|line| line.text)
    }

    pub async fn wait(&self) -> Exit {
        tokio::time::timeout(PATIENCE, self.process.wait()).await.unwrap().unwrap()
    }
}

/// Runs a program to its end and takes its last line.
pub async fn outcome(spawner: &Spawner, args: &[&str]) -> String {
    outcome_with(spawner, args, |_| {}).await
}

pub async fn outcome_with(spawner: &Spawner, args: &[&str], change: impl FnOnce(&mut Launch)) -> String {
    let mut running = Running::start_with(spawner, args, change).await;
    let mut last = String::new();
    while let Some(line) = running.line().await {
        last = line;
    }
    let exit = running.wait().await;
    if last.is_empty() { exit.to_string() } else { last }
}
