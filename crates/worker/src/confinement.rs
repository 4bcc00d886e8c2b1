//! The walls of one running instance, and what it uses within them.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use modelet_core::manifest::Rung;

use crate::cgroup::Group;
use crate::cgroup::table::Reading;
use crate::processor;
use crate::usage::{Members, Usage};

/// What an instance uses, and its limits. Keep it as long as the instance runs: on rung 1 its control group goes with it.
///
/// Every question costs a few small files on rung 1, and some for each process of the instance on the others.
#[derive(Debug)]
pub struct Confinement {
    rung: Rung,
    group: Option<Group>,
    leader: u32,
    members: Members,
    /// The most that was ever seen, for rungs on which the kernel does not note it.
    seen_kib: AtomicU64,
}

impl Confinement {
    pub(crate) const fn new(rung: Rung, group: Option<Group>, leader: u32) -> Self {
        let members = match rung {
            Rung::NamespacesAndCgroups | Rung::Namespaces => Members::OfNamespace(leader),
            Rung::Landlock | Rung::Filter => Members::OfGroup(leader),
        };
        Self { rung, group, leader, members, seen_kib: AtomicU64::new(0) }
    }

    /// The rung of the ladder that it stands on.
    pub const fn rung(&self) -> Rung {
        self.rung
    }

    /// What it uses, all at once. Where /proc lists the processes of the whole machine this takes some time.
    pub fn usage(&self) -> Usage {
        let counted = self.group.as_ref().and_then(|group| {
            let [memory_kib, cpu_ms, threads] =
                [Reading::MemoryKib, Reading::CpuMs, Reading::Threads].map(|reading| group.read(reading));
            Some(Usage { memory_kib: memory_kib?, cpu_ms: cpu_ms?, threads: threads? })
        });
        let used = counted.unwrap_or_else(|| self.members.usage());
        self.seen_kib.fetch_max(used.memory_kib, Ordering::Relaxed);
        used
    }

    /// Changes its limits: most memory, MiB, and most processor time, thousandths of a processor. On rungs without control
    /// groups nothing but [`Confinement::memory_kib`] can hold it to them, and this does nothing.
    pub fn set_limits(&self, memory_mib: u64, cpu_millis: u64) -> io::Result<()> {
        self.group.as_ref().map_or(Ok(()), |group| group.limit(memory_mib, cpu_millis))
    }

    /// Memory that all its processes hold now, with the files in its /tmp and without files that can be dropped, KiB.
    pub fn memory_kib(&self) -> u64 {
        let counted = self.group.as_ref().and_then(|group| group.read(Reading::MemoryKib));
        let held = counted.unwrap_or_else(|| self.members.memory_kib());
        self.seen_kib.fetch_max(held, Ordering::Relaxed);
        held
    }

    /// Of that what the files in its /tmp take, KiB; 0 on rungs without one.
    pub fn tmp_kib(&self) -> u64 {
        self.members.tmp_kib()
    }

    /// The most memory that it ever held, KiB. As the kernel noted it, which counts files that it read too; else the most that
    /// [`Confinement::memory_kib`] has seen.
    pub fn peak_memory_kib(&self) -> u64 {
        let noted = self.group.as_ref().and_then(|group| group.read(Reading::PeakKib));
        noted.unwrap_or_else(|| self.seen_kib.load(Ordering::Relaxed))
    }

    /// Processor time that was used so far, at little cost and without waiting for a tick: of all its processes on rung 1, of its
    /// leader on the others.
    pub fn computed(&self) -> Duration {
        let counted = self.group.as_ref().and_then(|group| group.read(Reading::CpuMs));
        counted.map(Duration::from_millis).or_else(|| processor::computed(self.leader)).unwrap_or_default()
    }

    /// Whether its processes get next to nothing of a processor that others want. Without control groups only where the kernel
    /// groups by session.
    pub fn set_background(&self, background: bool) -> io::Result<()> {
        match &self.group {
            Some(group) => group.set_background(background),
            None => processor::set_background(self.leader, background),
        }
    }

    /// Whether the kernel has killed one of its processes since it reached its memory limit. Always false on rungs without
    /// control groups.
    pub fn oom_killed(&self) -> bool {
        self.group.as_ref().and_then(|group| group.read(Reading::OomKills)).is_some_and(|kills| kills > 0)
    }
}
