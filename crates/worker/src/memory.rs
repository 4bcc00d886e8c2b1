//! How much memory a process holds.

use std::fs;

/// What a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Memory, as [`resident_kib`] counts it.
    pub resident_kib: u64,
    /// Threads.
    pub threads: u64,
}

/// What a process holds; `None` when it is gone.
///
/// Source: `RssAnon`, `RssShmem` and `Threads` of `/proc/PID/status` (proc(5)).
pub fn of(pid: u32) -> Option<Held> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let threads = field(&status, "Threads:")?;
    Some(Held { resident_kib: field(&status, "RssAnon:")? + field(&status, "RssShmem:")?, threads })
}

/// Memory that a process holds alone or with others and that cannot be dropped: anonymous and shared memory, in KiB. Mapped
/// files are left out, since the kernel drops them when it needs the room. `None` when the process is gone.
pub fn resident_kib(pid: u32) -> Option<u64> {
    of(pid).map(|held| held.resident_kib)
}

fn field(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.trim().trim_end_matches(" kB").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_seen_while_it_is_held() {
        let before = resident_kib(std::process::id()).unwrap();
        let held = vec![1_u8; 64 << 20];
        let during = resident_kib(std::process::id()).unwrap();
        assert!(during >= before + (60 << 10), "{before} then {during} KiB with {} held", held.len());
        assert_eq!(resident_kib(u32::MAX), None);
    }
}
