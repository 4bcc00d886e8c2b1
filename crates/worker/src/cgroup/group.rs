//! The group of one instance.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::home::Leftovers;
use super::table::{self, Controller, Reading, Setting, Version};
use crate::sandbox::order::JoinGroup;

/// A group, removed when it is dropped, or by a later one when the kernel is not done with its processes by then.
#[derive(Debug)]
pub(crate) struct Group {
    version: Version,
    folders: BTreeMap<Controller, PathBuf>,
    /// What it is weighed by outside of the background.
    cpu_millis: AtomicU64,
    leftovers: Arc<Leftovers>,
}

impl Group {
    /// Makes it below these folders.
    pub fn create(
        version: Version,
        parents: &BTreeMap<Controller, PathBuf>,
        name: &str,
        leftovers: Arc<Leftovers>,
    ) -> io::Result<Self> {
        let folders = parents.iter().map(|(controller, folder)| (*controller, folder.join(name))).collect();
        let group = Self { version, folders, cpu_millis: AtomicU64::new(0), leftovers };
        for folder in unique(&group.folders) {
            fs::create_dir(folder).map_err(|error| at(folder, &error))?;
        }
        Ok(group)
    }

    /// How a process comes into it.
    pub fn join(&self) -> JoinGroup {
        match self.version {
            Version::V1 => JoinGroup::ByTasks(
                unique(&self.folders).into_iter().map(|folder| folder.join("tasks")).collect(),
            ),
            Version::V2 => JoinGroup::ByClone(self.folders[&Controller::Memory].clone()),
        }
    }

    /// Limits memory, MiB, and processor time, thousandths of a processor.
    pub fn limit(&self, memory_mib: u64, cpu_millis: u64) -> io::Result<()> {
        self.set(&table::memory(self.version, memory_mib))?;
        self.set(&table::cpu(self.version, cpu_millis))?;
        self.cpu_millis.store(cpu_millis, Ordering::Relaxed);
        self.set_background(false)
    }

    /// Whether its processes get what others leave.
    pub fn set_background(&self, background: bool) -> io::Result<()> {
        let millis = if background { 0 } else { self.cpu_millis.load(Ordering::Relaxed) };
        self.set(&table::weight(self.version, millis))
    }

    /// Limits processes and threads.
    pub fn limit_processes(&self, most: u64) -> io::Result<()> {
        self.set(&table::processes(self.version, most))
    }

    /// What the kernel has counted; `None` when this kernel does not count it.
    pub fn read(&self, reading: Reading) -> Option<u64> {
        let (controller, file, fields, divisor) = table::place(self.version, reading);
        let text = fs::read_to_string(self.folders.get(&controller)?.join(file)).ok()?;
        Some(table::sum(&text, fields)? / divisor)
    }

    fn set(&self, settings: &[Setting]) -> io::Result<()> {
        for setting in settings {
            let file = self.folders[&setting.controller].join(setting.file);
            match fs::OpenOptions::new()
                .write(true)
                .open(&file)
                .and_then(|mut open| io::Write::write_all(&mut open, setting.value.as_bytes()))
            {
                Err(error) if setting.needed => return Err(at(&file, &error)),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.leftovers.remove(unique(&self.folders).into_iter().cloned());
    }
}

/// Each folder once: controllers may share theirs.
pub(crate) fn unique(folders: &BTreeMap<Controller, PathBuf>) -> Vec<&PathBuf> {
    let mut all: Vec<_> = folders.values().collect();
    all.sort();
    all.dedup();
    all
}

/// An error with its path.
pub(crate) fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with the files of version 2, as the kernel would make them.
    fn fake(root: &Path, files: &[(&str, &str)]) -> Group {
        let folder = root.join("instance");
        fs::create_dir(&folder).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
        let folders = Controller::ALL.into_iter().map(|controller| (controller, folder.clone())).collect();
        Group { version: Version::V2, folders, cpu_millis: AtomicU64::new(0), leftovers: Arc::default() }
    }

    #[test]
    fn version_2_is_limited_and_read_by_its_own_files() {
        let root = tempfile::tempdir().unwrap();
        let files = [
            ("memory.max", ""),
            ("memory.swap.max", ""),
            ("memory.oom.group", ""),
            ("cpu.max", ""),
            ("cpu.weight", ""),
            ("pids.max", ""),
            ("memory.stat", "anon 2097152\nfile 99\nshmem 1048576\nanon_thp 5\n"),
            ("memory.peak", "4194304\n"),
            ("memory.events", "low 0\noom 2\noom_kill 1\noom_group_kill 1\n"),
            ("cpu.stat", "usage_usec 1500000\nuser_usec 1\n"),
            ("pids.current", "3\n"),
        ];
        let group = fake(root.path(), &files);
        group.limit(64, 1_500).unwrap();
        group.limit_processes(32).unwrap();
        let text = |name: &str| fs::read_to_string(root.path().join("instance").join(name)).unwrap();
        assert_eq!(text("memory.max"), "67108864");
        assert_eq!((text("memory.swap.max"), text("memory.oom.group")), ("0".into(), "1".into()));
        assert_eq!((text("cpu.max"), text("cpu.weight")), ("150000 100000".into(), "150".into()));
        assert_eq!(text("pids.max"), "32");
        for (background, weight) in [(true, "1"), (false, "150")] {
            // A file of the kernel's holds the last number only.
            fs::write(root.path().join("instance/cpu.weight"), "").unwrap();
            group.set_background(background).unwrap();
            assert_eq!(text("cpu.weight"), weight);
        }
        assert_eq!(group.read(Reading::MemoryKib), Some(3 << 10));
        assert_eq!(group.read(Reading::PeakKib), Some(4 << 10));
        assert_eq!(group.read(Reading::CpuMs), Some(1_500));
        assert_eq!(group.read(Reading::Threads), Some(3));
        assert_eq!(group.read(Reading::OomKills), Some(1));
    }

    #[test]
    fn a_limit_that_cannot_be_set_names_its_file() {
        let root = tempfile::tempdir().unwrap();
        let group = fake(root.path(), &[("memory.max", "")]);
        let error = group.limit(64, 1_000).unwrap_err().to_string();
        assert!(error.contains("instance/cpu.max"), "{error}");
    }
}
