//! The words of `modelet up`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, value_parser};
use modelet_core::manifest::Rung;

use super::{parse_listen, parse_rung};

/// `modelet up`
#[derive(Debug, Args)]
pub struct Up {
    /// Where to listen [default: 127.0.0.1:8080, or the next free port]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse_listen)]
    pub listen: Option<SocketAddr>,
    /// Memory for instances, all functions together, MiB [default: 75 % of the machine's, or of the control group's]
    #[arg(long, value_name = "MIB", value_parser = value_parser!(u64).range(64..=1 << 30))]
    pub memory_mib: Option<u64>,
    /// Calls held at once, all functions together
    #[arg(long, default_value_t = 20_000, value_name = "N", value_parser = value_parser!(u32).range(1..=10_000_000))]
    pub max_calls: u32,
    /// Instances that load at once, all functions together [default: two for each processor, at least 4]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=10_000))]
    pub max_starting: Option<u32>,
    /// Bodies held in memory at once, all functions together, MiB
    #[arg(long, default_value_t = 1_024, value_name = "MIB", value_parser = value_parser!(u64).range(64..=1 << 20))]
    pub buffer_mib: u64,
    /// Disk for asynchronous invocations and their answers, all functions together, MiB
    #[arg(long, default_value_t = 1_024, value_name = "MIB", value_parser = value_parser!(u64).range(1..=1 << 20))]
    pub async_mib: u64,
    /// Client connections at once
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,
    /// Largest artifact that may be deployed, MiB
    #[arg(long, default_value_t = 10_240, value_name = "MIB", value_parser = value_parser!(u64).range(1..=1 << 20))]
    pub artifact_limit_mib: u64,
    /// Isolate all instances by this rung and no other, 1 (the strongest) to 4 [default: the best that works]
    #[arg(long, value_name = "RUNG", value_parser = parse_rung)]
    pub isolation: Option<Rung>,
    /// Stem cells kept ready for cold starts, at most; as many as starts came together lately. 0: none
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = value_parser!(u32).range(0..=1_000))]
    pub cells: u32,
    /// Sets of packages for which a Python is kept ready that has imported them, at most: it takes the memory that they take.
    /// 0: none
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = value_parser!(u32).range(0..=1_000))]
    pub pythons: u32,
    /// Idle processors wait awake for so long after a call came or was answered, where one may say so (root, not in a
    /// container): calls that follow each other are quicker for it. 0: not at all
    #[arg(long, default_value_t = 2, value_name = "MS", value_parser = value_parser!(u64).range(0..=1_000))]
    pub awake_ms: u64,
    /// Log records kept, all functions together
    #[arg(long, default_value_t = 1_000_000, value_name = "N", value_parser = value_parser!(u64).range(1_000..=1_000_000_000))]
    pub log_rows_limit: u64,
    /// Instances run this program instead, which must speak the contract of modelet-runtime; for tests, and for your own build
    /// of the runtime
    #[arg(long, value_name = "PROGRAM", hide_short_help = true)]
    pub runtime: Option<PathBuf>,
}
