//! The process beside this one that has the user's code: what it finds around it, and how it ends.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use modelet_core::FunctionError;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

use crate::beside;
use crate::config::Config;
use crate::log::{self, Level};

/// Code that is told to end runs its last functions within this time; then its process is killed.
const END_LIMIT: Duration = Duration::from_secs(2);
/// Variables that are between the platform and the runtime.
const NOT_FOR_CODE: [&str; 2] = ["MODELET_", "LISTEN_"];
/// What sizes the pools of threads that libraries make for themselves.
const POOLS: [&str; 7] = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
];

/// The whole environment of code: pools of threads as its share of the processors wants them, and what the host says.
pub(super) fn environment(threads: usize) -> Vec<(OsString, OsString)> {
    let threads = threads.to_string();
    let pools = POOLS.iter().map(|name| ((*name).into(), threads.clone().into()));
    let is_for_code = |name: &str| !NOT_FOR_CODE.iter().any(|prefix| name.starts_with(prefix));
    let said = std::env::vars_os().filter(|(name, _)| name.to_str().is_none_or(is_for_code));
    pools.chain(said).collect()
}

/// The interpreter of code that needs a Python.
pub(super) fn python(version: &str) -> Result<PathBuf, FunctionError> {
    beside::python(|name| std::env::var_os(name), version)
}

/// The folder of its packages, if it has some.
pub(super) fn packages(config: &Config) -> Option<PathBuf> {
    beside::packages(|name| std::env::var_os(name), &config.artifact)
}

/// What code is called by where AWS Lambda is not the host and gives no name.
pub(super) fn arn(config: &Config) -> String {
    format!("arn:aws:lambda:local:000000000000:function:{}:{}", config.card.name, config.version)
}

/// When a call that comes now has to be answered, milliseconds since 1970.
pub(super) fn deadline_ms(timeout: Duration) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from((now + timeout).as_millis()).unwrap_or(u64::MAX)
}

/// Waits for the end of a process that was told to end, and brings it about when it takes too long.
pub(super) fn end(child: &mut Child) -> io::Result<ExitStatus> {
    if let Some(status) = child.try_wait()? {
        return Ok(status);
    }
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("it has no number"))?;
    let end = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    let mut ended = [PollFd::new(&end, PollFlags::IN)];
    let limit = Timespec::try_from(END_LIMIT).map_err(io::Error::other)?;
    if rustix::event::poll(&mut ended, Some(&limit))? == 0 {
        child.kill()?;
    }
    child.wait()
}

/// What this process ends with when that one has ended by itself: its code, or for a signal what a shell says of it, 128 and the
/// signal. Nothing that serves ends well by itself.
pub(super) fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0).unwrap_or(1)
}

/// Says how it ended, and gives that code.
pub(super) fn told(who: &str, status: io::Result<ExitStatus>) -> u8 {
    match status {
        Ok(status) => {
            log::say(Level::Error, &format!("{who} ended: {status}"));
            code(status)
        }
        Err(error) => {
            log::say(Level::Error, &format!("{who} ended: {error}"));
            1
        }
    }
}

/// The same, in words.
pub(super) fn ending(child: &mut Child) -> String {
    end(child).map_or_else(|error| error.to_string(), |status| status.to_string())
}
