//! What `sandbox-init` answers: lines of JSON through a pipe, first who the instance is, then why it failed, if it did. The
//! pipe closes by itself when the program is running, since it is close-on-exec.

#![allow(unsafe_code)]

use std::fmt::Display;
use std::io::{self, Write};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec};
use serde::{Deserialize, Serialize};

/// The descriptor under which `sandbox-init` finds the pipe.
pub(crate) const STATUS_FD: i32 = 5;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Message {
    /// The instance is this process of the platform's process namespace.
    Process(i32),
    /// It could not be started.
    Failed(Failure),
}

/// What could not be done, and what the kernel said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub step: String,
    pub errno: Option<i32>,
    pub error: String,
}

/// What a step of the way comes to.
pub(crate) type Step<T> = Result<T, Failure>;

/// Names the step that an error belongs to.
pub(crate) trait Doing<T> {
    /// `step` completes "could not ...".
    fn doing(self, step: impl Display) -> Step<T>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, step: impl Display) -> Step<T> {
        self.map_err(|error| {
            let error = error.into();
            Failure { step: step.to_string(), errno: error.raw_os_error(), error: error.to_string() }
        })
    }
}

/// The writing end, in `sandbox-init`.
pub(crate) struct Status(OwnedFd);

impl Status {
    /// Takes the descriptor that the spawner put there, once.
    pub fn take() -> io::Result<Self> {
        // SAFETY: the spawner starts `sandbox-init` with its pipe at this number, and nothing else takes it.
        let fd = unsafe { OwnedFd::from_raw_fd(STATUS_FD) };
        rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
        Ok(Self(fd))
    }

    pub fn say(&self, message: &Message) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        // Shorter than PIPE_BUF, so it arrives in one piece though two processes hold the pipe.
        std::fs::File::from(self.0.try_clone()?).write_all(&line)
    }

    /// Fails when the platform is gone: nobody would end the instance. Asked after the death signal was set.
    pub fn check_platform_lives(&self) -> io::Result<()> {
        let mut polled = [PollFd::from_borrowed_fd(self.0.as_fd(), PollFlags::empty())];
        rustix::event::poll(&mut polled, Some(&Timespec::default()))?;
        if polled[0].revents().contains(PollFlags::ERR) {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        Ok(())
    }
}

/// Everything that was said.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub process: Option<i32>,
    pub failure: Option<Failure>,
}

/// Reads what was said.
pub(crate) fn parse(text: &[u8]) -> io::Result<Told> {
    let mut told = Told::default();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line)? {
            Message::Process(pid) => told.process = Some(pid),
            Message::Failed(why) => told.failure = Some(why),
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_keeps_its_step_and_its_number() {
        let failure =
            Err::<(), _>(rustix::io::Errno::PERM).doing("mount /proc").map_err(Message::Failed).unwrap_err();
        let mut text = serde_json::to_vec(&Message::Process(7)).unwrap();
        text.push(b'\n');
        text.extend(serde_json::to_vec(&failure).unwrap());
        let told = parse(&text).unwrap();
        assert_eq!(told.process, Some(7));
        let failure = told.failure.unwrap();
        assert_eq!((failure.step.as_str(), failure.errno), ("mount /proc", Some(1)));
        assert!(parse(b"nonsense\n").is_err());
    }
}
