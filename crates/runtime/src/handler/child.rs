//! The process beside this one that has the user's code: what it finds around it, and how it ends.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use modelet_core::instance::{ENV_CELL, ENV_VERSION};
use modelet_core::{FunctionError, caches};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

use crate::beside;
use crate::config::Config;
use crate::log::{self, Level};

/// Code that is told to end runs its last functions within this time; then its process is killed.
const END_LIMIT: Duration = Duration::from_secs(2);
/// Variables that are between the platform and the runtime.
const NOT_FOR_CODE: [&str; 2] = ["MODELET_", "LISTEN_"];
/// What a platform of ours says to each of its instances, one or the other.
const OF_A_PLATFORM: [&str; 2] = [ENV_VERSION, ENV_CELL];
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

/// The whole environment of code: pools of threads as its share of the processors wants them, what the host says, where libraries
/// keep their caches where it says nothing of that, and secrets.
pub(super) fn environment(threads: usize, secrets: &[(OsString, OsString)]) -> Vec<(OsString, OsString)> {
    let threads = threads.to_string();
    let pools = POOLS.iter().map(|name| ((*name).into(), threads.clone().into()));
    let is_for_code = |name: &str| !NOT_FOR_CODE.iter().any(|prefix| name.starts_with(prefix));
    let said = std::env::vars_os().filter(|(name, _)| name.to_str().is_none_or(is_for_code));
    let can_write = |path: &Path| rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
    let caches = caches(|name| std::env::var_os(name), can_write);
    pools.chain(said).chain(caches).chain(secrets.iter().cloned()).collect()
}

/// Where libraries keep their caches, on a host of others; a platform of ours has said it already. A home that cannot be written to is
/// none.
fn caches(
    var: impl Fn(&str) -> Option<OsString>,
    can_write: impl Fn(&Path) -> bool,
) -> Vec<(OsString, OsString)> {
    let is_ours = OF_A_PLATFORM.iter().any(|name| var(name).is_some());
    if is_ours || !can_write(Path::new("/tmp")) {
        return Vec::new();
    }
    let is_said =
        |name: &str| var(name).is_some_and(|place| name != caches::HOME || can_write(Path::new(&place)));
    let unsaid = caches::CACHES.iter().filter(|(name, _)| !is_said(name));
    unsaid.map(|(name, place)| (name.into(), place.into())).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(said: &[(&str, &str)], writable: &[&str]) -> Vec<String> {
        let var = |name: &str| said.iter().find(|(own, _)| *own == name).map(|(_, value)| value.into());
        let can_write = |path: &Path| writable.contains(&path.to_str().unwrap());
        caches(var, can_write).into_iter().map(|(name, _)| name.into_string().unwrap()).collect()
    }

    #[test]
    fn libraries_find_a_place_for_their_caches_on_hosts_that_name_none() {
        let on_lambda = of(&[], &["/tmp"]);
        assert!(
            ["HOME", "NUMBA_CACHE_DIR", "MPLCONFIGDIR"]
                .iter()
                .all(|name| on_lambda.contains(&(*name).into()))
        );
        let own = of(&[("HOME", "/home/me"), ("NUMBA_CACHE_DIR", "/cache")], &["/tmp", "/home/me"]);
        assert!(!own.contains(&"HOME".into()) && !own.contains(&"NUMBA_CACHE_DIR".into()));
        assert!(of(&[("HOME", "/")], &["/tmp"]).contains(&"HOME".into()));
        assert_eq!(of(&[], &[]), Vec::<String>::new());
        for ours in OF_A_PLATFORM {
            assert_eq!(of(&[(ours, "1")], &["/tmp"]), Vec::<String>::new());
        }
    }
}
