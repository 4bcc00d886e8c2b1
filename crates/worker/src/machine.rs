//! What this machine can do to keep instances apart, for `modelet doctor` and `describe`.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// How control groups are set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cgroups {
    /// One hierarchy.
    V2,
    /// Controllers under version 1, whether or not an empty version 2 hierarchy stands beside them.
    V1,
    /// None.
    None,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Kernel release, such as `6.1.0`.
    pub kernel: String,
    /// How control groups are set up.
    pub cgroups: Cgroups,
    /// True when an ordinary user may make user namespaces.
    pub user_namespaces: bool,
    /// True when landlock is among the active security modules.
    pub landlock: bool,
    /// Processors that this process may use.
    pub processors: usize,
    /// Memory of the machine, MiB.
    pub memory_mib: u64,
    /// The isolation that instances get today, in words.
    pub isolation: String,
}

impl Machine {
    /// Looks.
    pub fn look() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let number = |path: &str| read(path).trim().parse::<u64>().ok();
        let meminfo = read("/proc/meminfo");
        let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let total_kib = total.and_then(|text| text.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        Self {
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            cgroups: cgroups(Path::new("/sys/fs/cgroup")),
            user_namespaces: number("/proc/sys/user/max_user_namespaces").is_some_and(|n| n > 0)
                && number("/proc/sys/kernel/unprivileged_userns_clone").is_none_or(|n| n > 0),
            landlock: read("/sys/kernel/security/lsm").split(',').any(|name| name.trim() == "landlock"),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: total_kib.unwrap_or(0) >> 10,
            isolation: "own process group, a minimal environment, limits for memory and open files; ends with the platform"
                .into(),
        }
    }
}

fn cgroups(root: &Path) -> Cgroups {
    if root.join("cgroup.controllers").exists() {
        Cgroups::V2
    } else if root.join("memory").exists() || root.join("cpu").exists() {
        Cgroups::V1
    } else {
        Cgroups::None
    }
}
