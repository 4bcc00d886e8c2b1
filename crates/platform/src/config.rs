//! What a platform is told when it starts.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use modelet_core::Target;
use modelet_core::manifest::Rung;

/// How an instance is started; evaluated at each start, so that what was installed meanwhile is found.
pub trait InstanceCommand: Send + Sync {
    /// The program and its arguments.
    fn command(&self) -> (PathBuf, Vec<OsString>);
    /// Variables beyond those of the local contract, such as where an engine's library lies.
    fn environment(&self) -> Vec<(OsString, OsString)>;
    /// The Python of a version, such as `3.11`; the error says what is missing. It may take a while, the first time.
    fn python(&self, version: &str) -> Result<Python, String>;
}

/// A Python of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    /// The interpreter itself, behind all links.
    pub program: PathBuf,
    /// The folder below which its standard library lies.
    pub prefix: PathBuf,
}

/// The settings of a platform. Limits of single functions are in [`modelet_core::Settings`].
#[derive(Clone)]
pub struct Config {
    /// Where to listen; `None`: 127.0.0.1:8080, or the next free port after it.
    pub listen: Option<SocketAddr>,
    /// The data folder; made when it is not there.
    pub data: PathBuf,
    /// How instances are started.
    pub instance: Arc<dyn InstanceCommand>,
    /// Memory for instances, all functions together, MiB.
    pub memory_mib: u64,
    /// Calls held at once, waiting and in flight, all functions together.
    pub max_calls: usize,
    /// Instances that load at once, all functions together.
    pub max_starting: usize,
    /// Request bodies held in memory at once, all functions together, MiB.
    pub buffer_mib: u64,
    /// Bytes that asynchronous invocations and their answers may take on the disk, all functions together, MiB.
    pub async_mib: u64,
    /// Connections of clients at once.
    pub max_connections: usize,
    /// A client gets this long for the head of a request.
    pub head_timeout: Duration,
    /// A client gets this long for the body of a request.
    pub body_timeout: Duration,
    /// Largest artifact, MiB.
    pub artifact_limit_mib: u64,
    /// The program that becomes `sandbox-init`; its `main` begins with [`modelet_worker::sandbox::run_if_init`].
    pub sandbox_init: PathBuf,
    /// The only rung of isolation that is used; `None`: for each function the best.
    pub isolation: Option<Rung>,
    /// Stem cells kept at a time, at most; 0: none.
    pub cells_limit: usize,
    /// Sets of packages for which a Python is kept that has imported them, at most; 0: none.
    pub pythons_limit: usize,
    /// How long idle processors wait awake after a call came or was answered, where this process may say so; zero: not at all.
    pub awake: Duration,
    /// Log rows kept, all functions together; older ones are removed.
    pub log_rows_limit: u64,
    /// Whose limits its functions have, where they are a cloud's: failures by one say so.
    pub target: Option<Target>,
}

/// Share of the memory that instances may have; the rest is for the platform, bodies, and what else runs.
const MEMORY_PERCENT: u64 = 75;
/// Loading waits for files as well as for processors.
const STARTS_PER_PROCESSOR: usize = 2;
/// So many may load at once on any machine, so that a slow one does not hold up the quick ones.
const LEAST_MAX_STARTING: usize = 4;

fn default_max_starting() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (processors * STARTS_PER_PROCESSOR).max(LEAST_MAX_STARTING)
}

impl Config {
    /// A configuration with the defaults.
    pub fn new(data: PathBuf, instance: Arc<dyn InstanceCommand>, sandbox_init: PathBuf) -> Self {
        Self {
            listen: None,
            data,
            instance,
            memory_mib: modelet_worker::budget::memory_mib() * MEMORY_PERCENT / 100,
            max_calls: 20_000,
            max_starting: default_max_starting(),
            buffer_mib: 1_024,
            async_mib: 1_024,
            max_connections: 10_000,
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(120),
            artifact_limit_mib: 10_240,
            sandbox_init,
            isolation: None,
            cells_limit: 4,
            pythons_limit: 2,
            awake: Duration::from_millis(2),
            log_rows_limit: 1_000_000,
            target: None,
        }
    }
}
