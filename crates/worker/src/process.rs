//! A running process group: its end, and how to bring it about.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // As shells tell the end of what they ran, and the runtime that of code.
            Self::Code(code @ 129..=192) => {
                write!(f, "ended with code {code}: what it ran {}", Self::Signal(code - 128))
            }
            Self::Code(code) => write!(f, "ended with code {code}"),
            Self::Signal(9) => f.write_str("was killed (SIGKILL)"),
            Self::Signal(11) => f.write_str("crashed (SIGSEGV)"),
            Self::Signal(6) => f.write_str("aborted (SIGABRT)"),
            Self::Signal(signal) => write!(f, "was ended by signal {signal}"),
        }
    }
}

/// A process that leads its own group. Dropped while it runs, the whole group is killed.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    pidfd: AsyncFd<OwnedFd>,
    /// Set once the process was reaped: from then on its number may belong to another.
    exit: Mutex<Option<Exit>>,
}

impl Process {
    /// Takes over a child of this process, not yet waited for, that leads its own group.
    pub(crate) fn adopt(pid: Pid) -> io::Result<Self> {
        let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK)?;
        // SAFETY: the descriptor is owned by the `AsyncFd` and closed with it, after it was taken out of the reactor.
        let pidfd = unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE)? };
        Ok(Self { pid, pidfd, exit: Mutex::new(None) })
    }

    pub(crate) const fn pid(&self) -> Pid {
        self.pid
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Waits for the end of the leader; then kills what is left of its group.
    pub async fn wait(&self) -> io::Result<Exit> {
        loop {
            let mut guard = self.pidfd.readable().await?;
            if let Some(exit) = self.reap()? {
                return Ok(exit);
            }
            guard.clear_ready();
        }
    }

    /// Asks the group to end (SIGTERM), and kills it when it has not after `grace`.
    pub async fn stop(&self, grace: Duration) -> io::Result<Exit> {
        self.signal(Signal::TERM)?;
        match tokio::time::timeout(grace, self.wait()).await {
            Ok(exit) => exit,
            Err(_) => {
                self.kill()?;
                self.wait().await
            }
        }
    }

    /// Kills the group at once.
    pub fn kill(&self) -> io::Result<()> {
        self.signal(Signal::KILL)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let exit = self.exit.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if exit.is_some() {
            return Ok(());
        }
        // The leader is not reaped, so its number, and the group's, cannot belong to another by now.
        match rustix::process::kill_process_group(self.pid, signal) {
            Err(error) if error != rustix::io::Errno::SRCH => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn reap(&self) -> io::Result<Option<Exit>> {
        let mut exit = self.exit.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if exit.is_none() {
            let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            if rustix::process::waitid(WaitId::Pid(self.pid), look)?.is_none() {
                return Ok(None);
            }
            // Between its end and its reaping the number still belongs to the group: the last moment to clear it.
            let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
            let take = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
            let status = rustix::process::waitid(WaitId::Pid(self.pid), take)?;
            *exit = status.map(|status| match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Exit::Code(code),
                (None, signal) => Exit::Signal(signal.unwrap_or(0)),
            });
        }
        Ok(*exit)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nobody waits any more; a zombie is left to be reaped by whoever outlives us.
        let _ = self.kill();
        let _ = self.reap();
    }
}
