//! How much memory a process holds.

use std::fs;
use std::path::{Path, PathBuf};

/// Memory that a process holds alone or with others and that cannot be dropped: anonymous and shared memory, in KiB. Mapped
/// files are left out, since the kernel drops them when it needs the room. `None` when the process is gone.
///
/// Source: `RssAnon` and `RssShmem` of `/proc/PID/status` (proc(5)).
pub fn resident_kib(pid: u32) -> Option<u64> {
    resident_in_kib(&PathBuf::from(format!("/proc/{pid}")))
}

/// The same for the process behind a folder of some /proc.
pub(crate) fn resident_in_kib(folder: &Path) -> Option<u64> {
    let status = fs::read_to_string(folder.join("status")).ok()?;
    Some(field(&status, "RssAnon:")? + field(&status, "RssShmem:")?)
}

fn field(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.trim().strip_suffix(" kB")?.trim().parse().ok()
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
