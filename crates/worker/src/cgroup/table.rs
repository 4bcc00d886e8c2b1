//! Which file of which version holds what. Sources: cgroup-v1/memory.rst, cgroup-v1/pids.rst, cgroup-v1/cpuacct.rst,
//! scheduler/sched-bwc.rst and cgroup-v2.rst of the kernel's documentation.

/// Version of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// What counts or limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Controller {
    Memory,
    Cpu,
    /// Counts processor time in version 1; `cpu` does in version 2.
    Usage,
    Processes,
}

impl Controller {
    pub const ALL: [Self; 4] = [Self::Memory, Self::Cpu, Self::Usage, Self::Processes];

    /// Its name in version 1; but for `cpuacct` in version 2 too.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Usage => "cpuacct",
            Self::Processes => "pids",
        }
    }

    /// True when an instance is not limited without it.
    pub const fn is_needed(self) -> bool {
        !matches!(self, Self::Usage)
    }
}

/// A value for a file. Those that are not `needed` are not there on every kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    pub controller: Controller,
    pub file: &'static str,
    pub value: String,
    pub needed: bool,
}

/// The period in which a share of processor time is given out, microseconds; the kernel's own default.
const PERIOD_US: u64 = 100_000;

/// What limits memory. Swap counts too: version 1 limits the sum, which must never be below memory's own limit, so it is
/// tried before, for a higher limit, and after, for a lower one.
pub(crate) fn memory(version: Version, mib: u64) -> Vec<Setting> {
    let bytes = (mib << 20).to_string();
    let set = |file, value: &str, needed| Setting {
        controller: Controller::Memory,
        file,
        value: value.to_owned(),
        needed,
    };
    match version {
        Version::V1 => vec![
            set("memory.memsw.limit_in_bytes", &bytes, false),
            set("memory.limit_in_bytes", &bytes, true),
            set("memory.memsw.limit_in_bytes", &bytes, false),
        ],
        Version::V2 => vec![
            set("memory.max", &bytes, true),
            set("memory.swap.max", "0", false),
            // All of the instance or nothing: half of one is of no use.
            set("memory.oom.group", "1", false),
        ],
    }
}

/// What limits processor time, in thousandths of a processor.
pub(crate) fn cpu(version: Version, millis: u64) -> Vec<Setting> {
    let quota_us = millis * PERIOD_US / 1_000;
    let (file, value) = match version {
        Version::V1 => ("cpu.cfs_quota_us", quota_us.to_string()),
        Version::V2 => ("cpu.max", format!("{quota_us} {PERIOD_US}")),
    };
    vec![Setting { controller: Controller::Cpu, file, value, needed: true }]
}

/// What says how much of the processors is whose where there are too few, by thousandths of a processor, of which 1,000 are what
/// the kernel gives to a process without a group. 0 is the least there is: next to nothing.
pub(crate) fn weight(version: Version, millis: u64) -> Vec<Setting> {
    let (file, value) = match version {
        Version::V1 => ("cpu.shares", (millis * 1_024 / 1_000).clamp(2, 262_144)),
        Version::V2 => ("cpu.weight", (millis / 10).clamp(1, 10_000)),
    };
    vec![Setting { controller: Controller::Cpu, file, value: value.to_string(), needed: false }]
}

/// What limits processes and threads.
pub(crate) fn processes(_: Version, most: u64) -> Vec<Setting> {
    vec![Setting {
        controller: Controller::Processes,
        file: "pids.max",
        value: most.to_string(),
        needed: true,
    }]
}

/// What can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Memory that cannot be dropped, KiB.
    MemoryKib,
    /// The most memory at any time, mapped files included, KiB.
    PeakKib,
    /// Processor time, ms.
    CpuMs,
    /// Processes and threads.
    Threads,
    /// Processes that the kernel killed for want of memory.
    OomKills,
}

/// Where it stands: the controller, the file, the fields to add up (none: the file is one number), and the divisor.
pub(crate) type Place = (Controller, &'static str, &'static [&'static str], u64);

pub(crate) const fn place(version: Version, reading: Reading) -> Place {
    use Controller::{Cpu, Memory, Processes, Usage};
    match (version, reading) {
        (Version::V1, Reading::MemoryKib) => (Memory, "memory.stat", &["total_rss", "total_shmem"], 1_024),
        (Version::V2, Reading::MemoryKib) => (Memory, "memory.stat", &["anon", "shmem"], 1_024),
        (Version::V1, Reading::PeakKib) => (Memory, "memory.max_usage_in_bytes", &[], 1_024),
        (Version::V2, Reading::PeakKib) => (Memory, "memory.peak", &[], 1_024),
        (Version::V1, Reading::CpuMs) => (Usage, "cpuacct.usage", &[], 1_000_000),
        (Version::V2, Reading::CpuMs) => (Cpu, "cpu.stat", &["usage_usec"], 1_000),
        (_, Reading::Threads) => (Processes, "pids.current", &[], 1),
        (Version::V1, Reading::OomKills) => (Memory, "memory.oom_control", &["oom_kill"], 1),
        (Version::V2, Reading::OomKills) => (Memory, "memory.events", &["oom_kill"], 1),
    }
}

/// Adds up the fields of a file's text, one `name number` a line; without fields the text is the number.
pub(crate) fn sum(text: &str, fields: &[&str]) -> Option<u64> {
    if fields.is_empty() {
        return text.trim().parse().ok();
    }
    fields.iter().try_fold(0, |sum, field| {
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        let (_, value) = lines.find(|(name, _)| name == field)?;
        Some(sum + value.trim().parse::<u64>().ok()?)
    })
}
