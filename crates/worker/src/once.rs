//! Programs that are run for their answer: probes of models, installers.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// What came of a program that was run to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// How it ended, in words.
    pub ending: String,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

/// Runs a program to its end, at most for `limit`, with this process's environment and `env` on top. Killed when the future is
/// dropped.
pub async fn run_once(
    program: &Path,
    args: &[OsString],
    env: &[(OsString, OsString)],
    limit: Duration,
) -> io::Result<Finished> {
    let mut command = Command::new(program);
    command.args(args).envs(env.iter().cloned()).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(limit, command.output()).await.map_err(|_| {
        io::Error::new(io::ErrorKind::TimedOut, format!("it did not end within {} s", limit.as_secs()))
    })??;
    Ok(Finished {
        code: output.status.code(),
        ending: output.status.to_string(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
