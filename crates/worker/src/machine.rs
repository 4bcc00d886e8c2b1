//! What this machine can do to keep instances apart, for `modelet doctor` and `describe`.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::ladder::Ladder;
use crate::spawn::{SpawnError, Spawner};

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
    /// Processors that this process may use.
    pub processors: usize,
    /// Memory of the machine, MiB.
    pub memory_mib: u64,
    /// The rungs of isolation, each tried by starting a program on it.
    pub ladder: Ladder,
    /// The isolation that instances get, in words.
    pub isolation: String,
}

impl Machine {
    /// Looks. `init`: a program whose `main` begins with [`run_if_init`](crate::sandbox::run_if_init).
    pub async fn look(init: PathBuf) -> Result<Self, SpawnError> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let meminfo = read("/proc/meminfo");
        let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let total_kib = total.and_then(|text| text.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        let ladder = Spawner::start(init, None).await?.ladder().clone();
        let isolation =
            ladder.best().map_or_else(|| "none: instances are not started".into(), |rung| rung.to_string());
        Ok(Self {
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            cgroups: cgroups(Path::new("/sys/fs/cgroup")),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: total_kib.unwrap_or(0) >> 10,
            ladder,
            isolation,
        })
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
