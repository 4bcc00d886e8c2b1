//! How one process is started: `sandbox-init` first, with its order and its descriptors; then the news of what became of it.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use modelet_core::manifest::Rung;
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, Signal};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

use crate::cgroup::{Group, Home};
use crate::confinement::Confinement;
use crate::process::Process;
use crate::sandbox::INIT_ARGUMENT;
use crate::sandbox::order::Order;
use crate::sandbox::status::{self, STATUS_FD};
use crate::spawn::{CONTROL_FD, Launch, SOCKET_FD, SpawnError, Spawned};

/// From the start of `sandbox-init` until the program runs; a few milliseconds are usual.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// A `sandbox-init` that has done its part, or failed, gets this long to end by itself.
const INIT_GRACE: Duration = Duration::from_secs(1);
/// Most that `sandbox-init` says, bytes.
const MAX_STATUS_BYTES: u64 = 64 << 10;
/// Descriptors are copied up here before they are put into their places, so that none is overwritten on the way.
const ABOVE_PLACES: RawFd = 10;

/// A `sandbox-init` that is on its way. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Started {
    init: Init,
    rung: Rung,
    group: Option<Group>,
    status: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
}

/// Starts it. On the spawner's thread.
pub(crate) fn start(
    init: &Path,
    rung: Rung,
    launch: &Launch,
    home: Result<&Home, &String>,
) -> Result<Started, SpawnError> {
    let group = group(rung, launch, home)?;
    let failed = SpawnError::step("start sandbox-init");
    let started = || -> io::Result<Started> {
        let order = Order::new(rung, launch, group.as_ref().map(Group::join)).into_file()?;
        let (status, theirs) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let mut places = vec![(launch.socket.as_raw_fd(), SOCKET_FD), (theirs.as_raw_fd(), STATUS_FD)];
        places.extend(launch.control.as_ref().map(|control| (control.as_raw_fd(), CONTROL_FD)));
        let mut child = command(init, order, places).spawn()?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(io::Error::other("a piped output is missing"));
        };
        let (stdout, stderr) = (stdout.into(), stderr.into());
        Ok(Started { init: Init(Some(child)), rung, group, status, stdout, stderr })
    };
    started().map_err(failed)
}

/// Its control group, where the rung has one.
fn group(rung: Rung, launch: &Launch, home: Result<&Home, &String>) -> Result<Option<Group>, SpawnError> {
    if rung != Rung::NamespacesAndCgroups {
        return Ok(None);
    }
    let made = home.map_err(|why| io::Error::other(why.clone())).and_then(|home| home.group(&launch.sandbox));
    made.map(Some).map_err(SpawnError::step("make a control group"))
}

fn command(init: &Path, order: std::fs::File, places: Vec<(RawFd, RawFd)>) -> Command {
    let mut command = Command::new(init);
    command.arg(INIT_ARGUMENT).env_clear().current_dir("/");
    command.stdin(Stdio::from(order)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let platform = rustix::process::getpid();
    // SAFETY: the closure runs between fork and exec in a process with many threads, where only async-signal-safe calls are
    // sound. It makes system calls through rustix and allocates nothing: errors are built from raw numbers.
    unsafe {
        command.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            if rustix::process::getppid() != Some(platform) {
                return Err(io::Error::from_raw_os_error(rustix::io::Errno::SRCH.raw_os_error()));
            }
            // A group to be ended as one; and by session is how the kernel shares out processors where no control group does
            // (sched(7), "The autogroup feature"): an instance with many threads is one among others.
            rustix::process::setsid()?;
            inherit(&places)
        });
    }
    command
}

/// Puts each descriptor into its place, without close-on-exec.
fn inherit(places: &[(RawFd, RawFd)]) -> io::Result<()> {
    /// At most the socket, the control socket and the status pipe.
    const MOST: usize = 3;
    let mut copies: [Option<OwnedFd>; MOST] = [const { None }; MOST];
    for ((from, _), copy) in places.iter().zip(&mut copies) {
        // SAFETY: it is open: it belongs to what the parent keeps until the child has exec'd.
        let from = unsafe { BorrowedFd::borrow_raw(*from) };
        *copy = Some(rustix::io::fcntl_dupfd_cloexec(from, ABOVE_PLACES)?);
    }
    for ((_, to), copy) in places.iter().zip(&copies) {
        let Some(copy) = copy else { continue };
        // SAFETY: the place is made by `dup2` here, whatever it was before (a close-on-exec descriptor of the platform, which
        // the child would lose at exec anyway), and is never closed by this process: `forget` gives it up.
        let mut target = unsafe { OwnedFd::from_raw_fd(*to) };
        let done = rustix::io::dup2(copy, &mut target);
        std::mem::forget(target);
        done?;
    }
    Ok(())
}

impl Started {
    /// Waits until the program runs.
    pub async fn running(mut self) -> Result<Spawned, SpawnError> {
        let mut text = Vec::new();
        let heard = tokio::time::timeout(START_TIMEOUT, read(&self.status, &mut text)).await;
        let heard = heard.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)));
        let told = status::parse(&text).map_err(SpawnError::step("understand sandbox-init"))?;
        let process = self.init.become_process(told.process).await;
        let process = process.map_err(SpawnError::step("take over the process"))?;
        let failure = match (heard, told.failure, &process) {
            (Ok(()), None, Some(_)) => None,
            (Err(error), ..) => Some(SpawnError::step("hear from sandbox-init")(error)),
            (_, Some(failure), _) => Some(failure.into()),
            (_, None, None) => Some(SpawnError::step("start sandbox-init")(io::Error::other(
                "it ended without a word; does the program know sandbox-init?",
            ))),
        };
        match (process, failure) {
            (Some(process), None) => Ok(Spawned {
                confinement: Confinement::new(self.rung, self.group, process.id()),
                process,
                stdout: self.stdout,
                stderr: self.stderr,
            }),
            (process, failure) => {
                if let Some(process) = process {
                    // Cleared away before its group is.
                    let _ = process.stop(Duration::ZERO).await;
                }
                Err(failure.unwrap_or_else(|| SpawnError::step("start")(io::Error::other("no process"))))
            }
        }
    }
}

/// All that `sandbox-init` says, until it has become the program or ended.
async fn read(status: &OwnedFd, text: &mut Vec<u8>) -> io::Result<()> {
    let reader = status.try_clone()?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    pipe::Receiver::from_owned_fd(reader)?.take(MAX_STATUS_BYTES).read_to_end(text).await?;
    Ok(())
}

/// The process of `sandbox-init`. Dropped before its end was seen, it is killed.
#[derive(Debug)]
struct Init(Option<Child>);

impl Init {
    /// Takes over the program, which is `sandbox-init` itself or a sibling that it made; then it has ended, and is cleared.
    async fn become_process(&mut self, program: Option<i32>) -> io::Result<Option<Process>> {
        let program = program.and_then(Pid::from_raw).map(Process::adopt).transpose()?;
        let init = self.0.take().map(|init| Pid::from_child(&init));
        if let Some(init) = init.filter(|init| program.as_ref().is_none_or(|program| program.pid() != *init))
        {
            Process::adopt(init)?.stop(INIT_GRACE).await?;
        }
        Ok(program)
    }
}

impl Drop for Init {
    fn drop(&mut self) {
        if let Some(init) = &mut self.0 {
            let _ = init.kill().and_then(|()| init.wait());
        }
    }
}

/// Keeps what the platform itself inherited (a terminal's or a build tool's descriptors) from reaching instances. All
/// that Rust opens is close-on-exec anyway.
pub(crate) fn seal_inherited() -> io::Result<()> {
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        if let Some(fd) = name.to_str().and_then(|name| name.parse::<i32>().ok()).filter(|fd| *fd > 2) {
            // SAFETY: borrowed for one call that only sets a flag; if the descriptor was closed meanwhile the call fails.
            let fd = unsafe { BorrowedFd::borrow_raw(fd) };
            let _ = rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC);
        }
    }
    Ok(())
}
