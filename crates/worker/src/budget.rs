//! How much memory this process and its children may use.

use std::fs;
use std::path::{Path, PathBuf};

/// Memory of the machine, or what the control groups around this process allow if that is less, in MiB.
///
/// Source: `MemTotal` of `/proc/meminfo` (proc(5)); `memory.max` of control groups version 2 and `memory.limit_in_bytes` of
/// version 1, of the own group and of all above it, since each of them limits.
pub fn memory_mib() -> u64 {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let own = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let limits = limit_files(&own).into_iter().filter_map(|path| read(&path)?.trim().parse::<u64>().ok());
    let total = total_bytes(&read(Path::new("/proc/meminfo")).unwrap_or_default());
    limits.chain(total).min().unwrap_or(0) >> 20
}

fn total_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? << 10)
}

/// The files that may hold a limit, by the lines of `/proc/self/cgroup`: `ID:CONTROLLERS:PATH`.
fn limit_files(own: &str) -> Vec<PathBuf> {
    let groups = own.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return None,
        };
        Some((root, file, path.trim_start_matches('/')))
    });
    groups
        .flat_map(|(root, file, path)| {
            Path::new(path)
                .ancestors()
                .map(move |group| Path::new(root).join(group).join(file))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(own: &str) -> Vec<String> {
        limit_files(own).iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn every_group_from_the_own_one_up_limits() {
        assert_eq!(
            files("0::/a/b\n"),
            ["/sys/fs/cgroup/a/b/memory.max", "/sys/fs/cgroup/a/memory.max", "/sys/fs/cgroup/memory.max"]
        );
        assert_eq!(
            files("9:name=systemd:/\n4:hugetlb,memory:/x\n0::/\n"),
            [
                "/sys/fs/cgroup/memory/x/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory.max"
            ]
        );
    }

    #[test]
    fn this_machine_has_memory_and_no_more_than_it_has() {
        assert_eq!(total_bytes("MemTotal:       1024 kB\nMemFree: 1 kB\n"), Some(1 << 20));
        let total = total_bytes(&fs::read_to_string("/proc/meminfo").unwrap()).unwrap();
        assert!((64..=total >> 20).contains(&memory_mib()), "{}", memory_mib());
    }
}
