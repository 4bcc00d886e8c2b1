//! Rlimits: what the kernel counts for each process, or for each user.

use std::fs;
use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Sandbox;

/// Memory that may be locked, bytes: none to speak of, since it could not be taken back.
const LOCKED_BYTES: u64 = 64 << 10;

/// Sets them. `processes`: what [`Resource::Nproc`] is set to; the kernel counts per user and user namespace.
pub(crate) fn set(sandbox: &Sandbox, processes: u64) -> io::Result<()> {
    set_limit(Resource::Core, 0)?;
    set_limit(Resource::Memlock, LOCKED_BYTES)?;
    set_limit(Resource::Nofile, sandbox.open_files)?;
    set_limit(Resource::Fsize, sandbox.file_size_mib << 20)?;
    set_limit(Resource::Nproc, processes)
}

/// All threads of the machine: at least as many as the user has, whose other processes count too where the instance has no
/// user namespace of its own. Source: the fourth field of /proc/loadavg (proc(5)).
pub(crate) fn threads_of_machine() -> u64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let field = text.split_whitespace().nth(3);
    field.and_then(|field| field.split_once('/')?.1.parse().ok()).unwrap_or(0)
}

fn set_limit(resource: Resource, most: u64) -> io::Result<()> {
    let maximum = getrlimit(resource).maximum;
    let most = maximum.map_or(most, |maximum| maximum.min(most));
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}
