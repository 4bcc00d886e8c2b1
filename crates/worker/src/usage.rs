//! What the processes of an instance use, added up from /proc: where there are no control groups to count it.
//!
//! Source of the fields: proc(5), proc_pid_stat(5).

use std::fs;
use std::path::{Path, PathBuf};

/// Which processes belong to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Members {
    /// All that are in the process namespace of this one: seen through its own /proc, which lists no others.
    OfNamespace(u32),
    /// All that are in the process group of this one.
    OfGroup(u32),
}

/// What the processes of an instance use at the moment. Those that end meanwhile count as if they were gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// As [`Confinement::memory_kib`](crate::Confinement::memory_kib).
    pub memory_kib: u64,
    /// Processor time so far.
    pub cpu_ms: u64,
    /// In all its processes.
    pub threads: u64,
}

impl Members {
    /// Memory that cannot be dropped, KiB, with what lies in a private /tmp. What is mapped from there counts twice.
    pub fn memory_kib(self) -> u64 {
        let held: u64 = self.folders().iter().filter_map(|folder| resident_kib(folder)).sum();
        held + self.tmp_kib()
    }

    /// All of it, of the same processes.
    pub fn usage(self) -> Usage {
        let mut sum = Usage { memory_kib: self.tmp_kib(), ..Usage::default() };
        for folder in self.folders() {
            let Some(stat) = Stat::read(&folder) else { continue };
            sum.memory_kib += resident_kib(&folder).unwrap_or(0);
            sum.cpu_ms += stat.ticks * 1_000 / rustix::param::clock_ticks_per_second().max(1);
            sum.threads += stat.threads;
        }
        sum
    }

    /// The folders of the processes in /proc.
    fn folders(self) -> Vec<PathBuf> {
        match self {
            Self::OfNamespace(leader) => processes(&PathBuf::from(format!("/proc/{leader}/root/proc"))),
            Self::OfGroup(leader) => {
                let mut all = processes(Path::new("/proc"));
                all.retain(|folder| Stat::read(folder).is_some_and(|stat| stat.group == u64::from(leader)));
                all
            }
        }
    }

    pub(crate) fn tmp_kib(self) -> u64 {
        let Self::OfNamespace(leader) = self else { return 0 };
        let stat = rustix::fs::statvfs(format!("/proc/{leader}/root/tmp"));
        stat.map_or(0, |stat| ((stat.f_blocks - stat.f_bfree) * stat.f_frsize) >> 10)
    }
}

fn processes(proc: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(proc) else { return Vec::new() };
    let is_process = |name: &std::ffi::OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
    entries.flatten().filter(|entry| is_process(&entry.file_name())).map(|entry| entry.path()).collect()
}

/// Memory that a process holds alone or with others and that cannot be dropped: anonymous and shared memory. Mapped files are
/// left out, since the kernel drops them when it needs the room. `None` when the process is gone.
///
/// Source: `RssAnon` and `RssShmem` of `/proc/PID/status`.
fn resident_kib(folder: &Path) -> Option<u64> {
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let field = |name| {
        let value: &str = status.lines().find_map(|line| line.strip_prefix(name))?;
        value.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    };
    Some(field("RssAnon:")? + field("RssShmem:")?)
}

struct Stat {
    group: u64,
    ticks: u64,
    threads: u64,
}

impl Stat {
    fn read(folder: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(folder.join("stat")).ok()?)
    }

    /// Fields are counted after the name, which stands in parentheses and may hold anything.
    fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<_> = fields.split(' ').collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        // utime, stime, and those of children that were waited for.
        let ticks = (11..=14).map(number).sum::<Option<u64>>()?;
        Some(Self { group: number(2)?, ticks, threads: number(17)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_forge_fields() {
        let text = "42 (evil) 1 2) S 1 40 40 0 -1 4194560 1 0 0 0 7 8 9 10 20 0 3 0 100 0 0";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((stat.group, stat.ticks, stat.threads), (40, 34, 3));
        assert!(Stat::parse("nonsense").is_none());
    }

    #[test]
    fn memory_is_seen_while_it_is_held() {
        let me = Path::new("/proc/self");
        let before = resident_kib(me).unwrap();
        let held = vec![1_u8; 64 << 20];
        let during = resident_kib(me).unwrap();
        assert!(during >= before + (60 << 10), "{before} then {during} KiB with {} held", held.len());
        assert_eq!(resident_kib(Path::new("/proc/0")), None);
    }

    #[test]
    fn the_own_group_is_found() {
        let group = rustix::process::getpgrp().as_raw_nonzero().get().unsigned_abs();
        let members = Members::OfGroup(group);
        assert!(members.usage().threads >= 2, "the test harness has at least two threads");
        assert!(members.memory_kib() > 100);
    }
}
