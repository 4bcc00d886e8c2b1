//! `uv`: what finds and brings Pythons and packages.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use modelet_worker::once::run_once;

use crate::engines::find_program;

/// Names the `uv` to use.
const ENV_UV: &str = "MODELET_UV";
/// Most of what `uv` said is left out of a reason.
const MAX_SAID_CHARS: usize = 400;
/// Bringing packages, and a Python where there is none, may take this long.
pub const INSTALL_LIMIT: Duration = Duration::from_secs(600);
/// Looking for a Python may take this long.
const FIND_LIMIT: Duration = Duration::from_secs(60);

/// The program.
#[derive(Debug, Clone)]
pub struct Uv {
    /// Where it lies.
    pub program: PathBuf,
}

impl Uv {
    /// The one of this machine, if it has one.
    pub fn find_here() -> Option<Self> {
        let program = env::var_os(ENV_UV).map(PathBuf::from).or_else(|| find_program("uv"))?;
        Some(Self { program })
    }

    /// Runs it to its end, and gives what it printed. The error is what it said.
    pub async fn run(&self, args: Vec<OsString>, limit: Duration) -> Result<String, String> {
        let finished = run_once(&self.program, &args, &[], limit).await;
        let finished = finished.map_err(|error| format!("uv cannot be run: {error}"))?;
        if finished.code == Some(0) {
            return Ok(finished.stdout.trim().to_owned());
        }
        let said: Vec<_> = finished.stderr.split_whitespace().collect();
        let said = if said.is_empty() { "it said nothing".to_owned() } else { said.join(" ") };
        Err(format!("uv {}: {}", finished.ending, said.chars().take(MAX_SAID_CHARS).collect::<String>()))
    }

    /// A Python of this machine, by its version.
    pub async fn find(&self, version: &str) -> Result<PathBuf, String> {
        let args = ["python", "find", "--no-project", version].map(Into::into);
        self.run(args.into(), FIND_LIMIT).await.map(PathBuf::from)
    }

    /// A Python that it brings to this machine.
    pub async fn bring(&self, version: &str) -> Result<PathBuf, String> {
        let args = ["python", "install", version].map(Into::into);
        self.run(args.into(), INSTALL_LIMIT).await?;
        self.find(version).await
    }
}
