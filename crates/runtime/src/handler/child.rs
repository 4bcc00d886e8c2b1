//! The process beside this one that has the user's code: what it finds around it, and how it ends.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use modelet_core::instance::{ENV_PACKAGES, ENV_PYTHON};
use modelet_core::{Code, FunctionError};

use crate::config::Config;

/// Code that is told to end runs its last functions within this time; then its process is killed.
const END_LIMIT: Duration = Duration::from_secs(2);
/// How often one looks whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);
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
    std::env::var_os(ENV_PYTHON).map(PathBuf::from).ok_or_else(|| {
        let message = format!("{ENV_PYTHON} is not set: it names the Python {version} to run the code with");
        FunctionError::new(Code::PythonMissing, message)
    })
}

/// The folder of its packages, if it has some.
pub(super) fn packages() -> Option<PathBuf> {
    std::env::var_os(ENV_PACKAGES).map(PathBuf::from)
}

/// What code is called by where AWS Lambda is not the host and gives no name.
pub(super) fn arn(config: &Config) -> String {
    format!("arn:aws:lambda:local:000000000000:function:{}:{}", config.card.name, config.version)
}

/// Waits for the end of a process that was told to end, and brings it about when it takes too long.
pub(super) fn end(child: &mut Child) -> io::Result<ExitStatus> {
    let began = Instant::now();
    while began.elapsed() < END_LIMIT {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        std::thread::sleep(LOOK_EVERY);
    }
    child.kill()?;
    child.wait()
}

/// Ends this process as that one has ended: with its code, or for a signal with what a shell says of it, 128 and the signal.
pub(super) fn end_as(child: &mut Child, who: &str) -> ! {
    let status = end(child);
    match &status {
        Ok(status) => eprintln!("{who} ended: {status}"),
        Err(error) => eprintln!("{who} ended: {error}"),
    }
    std::process::exit(status.map_or(1, code))
}

/// What a shell says of an end. Nothing that serves ends well by itself.
pub(super) fn code(status: ExitStatus) -> i32 {
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .filter(|code| *code != 0)
        .unwrap_or(1)
}

/// The same, in words.
pub(super) fn ending(child: &mut Child) -> String {
    end(child).map_or_else(|error| error.to_string(), |status| status.to_string())
}
