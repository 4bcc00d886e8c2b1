//! Programs that nobody trusts and that are run for their answer: in a sandbox, within limits, to their end.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use modelet_core::manifest::Rung;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::time::Instant;

use crate::confinement::Confinement;
use crate::process::{Exit, Process};
use crate::sandbox::Sandbox;
use crate::spawn::{Launch, SpawnError, Spawner};

/// How often one looks what it holds, where the kernel does not.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Its complaints are kept up to here; what is behind is dropped.
const MAX_STDERR_BYTES: usize = 64 << 10;
/// After its end its output is read for so long: a process that it left behind may hold the pipe.
const OUTPUT_GRACE: Duration = Duration::from_secs(5);

/// What to run.
#[derive(Debug, Clone)]
pub struct Program {
    /// Absolute path of the program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<std::ffi::OsString>,
    /// Its whole environment.
    pub env: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    /// What it may do; its memory among it.
    pub sandbox: Sandbox,
    /// How long it may run.
    pub time: Duration,
    /// How much it may answer, in bytes.
    pub output_bytes: usize,
}

/// The limit that ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// It ran for too long.
    Time,
    /// It held too much memory.
    Memory,
    /// It answered too much.
    Output,
}

/// What came of it.
#[derive(Debug)]
pub struct Isolated {
    /// How it ended.
    pub exit: Exit,
    /// The limit that ended it, if one did.
    pub excess: Option<Excess>,
    /// How it was isolated.
    pub rung: Rung,
    /// What it answered.
    pub stdout: Vec<u8>,
    /// What it complained about.
    pub stderr: String,
}

/// Runs a program to its end on the strongest rung that works. Killed, with all that it started, when the future is dropped.
///
/// # Errors
/// When it cannot be started.
pub async fn run_isolated(spawner: &Spawner, program: Program) -> Result<Isolated, SpawnError> {
    let failed = SpawnError::step;
    let deadline = Instant::now() + program.time;
    let memory_kib = program.sandbox.memory_mib << 10;
    // Nobody is at the other end.
    let (socket, _) = UnixStream::pair().map_err(failed("make a socket"))?;
    let spawned = spawner
        .spawn(Launch {
            program: program.program,
            args: program.args,
            env: program.env,
            folder: "/".into(),
            socket: socket.into(),
            control: None,
            sandbox: program.sandbox,
        })
        .await?;
    let (process, confinement) = (spawned.process, spawned.confinement);
    let mut stdout = tokio::spawn(read(spawned.stdout, program.output_bytes, OnFull::Stop));
    let mut stderr = tokio::spawn(read(spawned.stderr, MAX_STDERR_BYTES, OnFull::Drop));
    let watched = watch(&process, &confinement, deadline, memory_kib, &mut stdout).await;
    let (exit, mut excess, early) = watched.map_err(failed("wait for its end"))?;
    if exit == Exit::Signal(9) && confinement.oom_killed() {
        excess = Some(Excess::Memory);
    }
    let out = match early {
        Some(out) => out,
        None => rest(&mut stdout).await.map_err(failed("read its answer"))?,
    };
    let complaints = rest(&mut stderr).await.unwrap_or_default();
    Ok(Isolated {
        exit,
        excess: excess.or((out.len() > program.output_bytes).then_some(Excess::Output)),
        rung: confinement.rung(),
        stdout: out,
        stderr: String::from_utf8_lossy(&complaints).into_owned(),
    })
}

type Reading = tokio::task::JoinHandle<io::Result<Vec<u8>>>;
type Watched = (Exit, Option<Excess>, Option<Vec<u8>>);

/// Waits for the end, and brings it about when a limit is passed. Also what was read, when reading ended first.
async fn watch(
    process: &Process,
    confinement: &Confinement,
    deadline: Instant,
    memory_kib: u64,
    stdout: &mut Reading,
) -> io::Result<Watched> {
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut out = None;
    loop {
        let excess = tokio::select! {
            exit = process.wait() => return Ok((exit?, None, out)),
            () = tokio::time::sleep_until(deadline) => Excess::Time,
            read = &mut *stdout, if out.is_none() => {
                let read = read.map_err(io::Error::other)??;
                out = Some(read);
                continue;
            }
            _ = look.tick() => {
                if confinement.memory_kib() <= memory_kib {
                    continue;
                }
                Excess::Memory
            }
        };
        process.kill()?;
        return Ok((process.wait().await?, Some(excess), out));
    }
}

async fn rest(reading: &mut Reading) -> io::Result<Vec<u8>> {
    match tokio::time::timeout(OUTPUT_GRACE, &mut *reading).await {
        Ok(read) => read.map_err(io::Error::other)?,
        Err(_) => {
            reading.abort();
            Err(io::Error::from(io::ErrorKind::TimedOut))
        }
    }
}

/// What happens to output beyond the limit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnFull {
    /// The pipe is closed: whoever writes on is ended by that.
    Stop,
    /// It is read and dropped.
    Drop,
}

/// Reads up to a byte more than the limit, which tells that there was more.
async fn read(fd: OwnedFd, limit: usize, on_full: OnFull) -> io::Result<Vec<u8>> {
    rustix::io::ioctl_fionbio(&fd, true)?;
    let mut pipe = pipe::Receiver::from_owned_fd(fd)?;
    let mut kept = Vec::new();
    let mut chunk = Vec::with_capacity(64 << 10);
    loop {
        chunk.clear();
        if pipe.read_buf(&mut chunk).await? == 0 {
            return Ok(kept);
        }
        let room = (limit + 1 - kept.len()).min(chunk.len());
        kept.extend_from_slice(&chunk[..room]);
        if kept.len() > limit && on_full == OnFull::Stop {
            return Ok(kept);
        }
    }
}
