//! The words of `modelet simulate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, value_parser};

use super::parse_setting;
use crate::simulate::Policy;

/// `modelet simulate`
#[derive(Debug, Args)]
pub struct Simulate {
    /// Traces of one format, or folders of them: an Azure Functions trace of 2021 or 2019, a CSV with a column TIMESTAMP,
    /// or what `modelet logs NAME --json` printed
    #[arg(required_unless_present = "generate", conflicts_with = "generate", value_name = "TRACE")]
    pub traces: Vec<PathBuf>,
    /// Policies to compare: fixed or hybrid, each with an idle timeout of its own if you like, such as fixed:60s,hybrid:10m
    #[arg(long, value_delimiter = ',', default_value = "fixed,hybrid", value_name = "POLICY,…")]
    pub policy: Vec<Policy>,
    /// A limit of every function, such as idle_timeout_ms=60000; may be given several times
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_setting)]
    pub settings: Vec<(String, u64)>,
    /// From the start of an instance until it takes calls, milliseconds
    #[arg(long, default_value_t = 30, value_name = "MS", value_parser = value_parser!(u64).range(1..=3_600_000))]
    pub cold_start_ms: u64,
    /// What an instance holds where the trace does not say it, MiB
    #[arg(long, default_value_t = 128, value_name = "MIB", value_parser = value_parser!(u64).range(1..=1 << 20))]
    pub function_memory_mib: u64,
    /// How long a call takes where the trace does not say it, milliseconds [default: 100, or from a column of tokens]
    #[arg(long, value_name = "MS", value_parser = value_parser!(u64).range(0..=3_600_000))]
    pub duration_ms: Option<u64>,
    /// Memory of the machine for instances, MiB [default: enough for all]
    #[arg(long, value_name = "MIB", value_parser = value_parser!(u64).range(64..=1 << 30))]
    pub memory_mib: Option<u64>,
    /// Calls that the machine holds at once
    #[arg(long, default_value_t = 20_000, value_name = "N", value_parser = value_parser!(u32).range(1..=10_000_000))]
    pub max_calls: u32,
    /// Instances that load at once
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = value_parser!(u32).range(1..=10_000))]
    pub max_starting: u32,
    /// What is drawn by chance is drawn from this number
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Also show each function
    #[arg(long, value_name = "WHAT")]
    pub by: Option<By>,
    /// Make up a trace instead: calls with the frequencies, patterns, durations and sizes published of Azure Functions
    #[arg(long, value_name = "KIND")]
    pub generate: Option<Kind>,
    /// Functions of the trace that is made up
    #[arg(long, default_value_t = 500, requires = "generate", value_name = "N", value_parser = value_parser!(u32).range(1..=10_000))]
    pub functions: u32,
    /// Days of the trace that is made up
    #[arg(long, default_value_t = 2, requires = "generate", value_name = "N", value_parser = value_parser!(u32).range(1..=31))]
    pub days: u32,
}

/// What to show one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Each function; in a table those with the most cold starts
    Function,
}

/// A kind of trace that can be made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Many functions that are called rarely, few that are called often; timers, chance, bursts, day and night
    AzureLike,
}
