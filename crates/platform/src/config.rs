//! What a platform is told when it starts.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How an instance is started; evaluated at each start, so that what was installed meanwhile is found.
pub trait InstanceCommand: Send + Sync {
    /// The program and its arguments.
    fn command(&self) -> (PathBuf, Vec<OsString>);
    /// Variables beyond those of the local contract, such as where an engine's library lies.
    fn environment(&self) -> Vec<(OsString, OsString)>;
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
    /// Request bodies held in memory at once, all functions together, MiB.
    pub buffer_mib: u64,
    /// Connections of clients at once.
    pub max_connections: usize,
    /// A client gets this long for the head of a request.
    pub head_timeout: Duration,
    /// A client gets this long for the body of a request.
    pub body_timeout: Duration,
    /// Largest artifact, MiB.
    pub artifact_limit_mib: u64,
    /// Stem cells kept at a time, at most; 0: none.
    pub cells_limit: usize,
    /// Log rows kept, all functions together; older ones are removed.
    pub log_rows_limit: u64,
}

impl Config {
    /// A configuration with the defaults.
    pub fn new(data: PathBuf, instance: Arc<dyn InstanceCommand>) -> Self {
        Self {
            listen: None,
            data,
            instance,
            buffer_mib: 1_024,
            max_connections: 10_000,
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(120),
            artifact_limit_mib: 10_240,
            cells_limit: 4,
            log_rows_limit: 1_000_000,
        }
    }
}
