//! Where the groups of the instances of one platform are: in the group that it was started in.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::group::{Group, at, unique};
use super::layout::{self, Layout};
use super::table::{self, Controller, Version};
use crate::sandbox::Sandbox;

/// How groups are named: this and the process id of the platform; then the number of the home in it, and that of the instance.
const PREFIX: &str = "modelet-";
/// What the platform itself is weighed by, in thousandths of a process without a group: the most that version 2 knows.
const PLATFORM_MILLIS: u64 = 100_000;
/// Folders that wait to be removed; beyond that they are left to the next platform's sweep.
const MAX_LEFTOVERS: usize = 4_096;

/// Makes the groups of one platform, beside the one that it is in itself: so each is weighed against the platform and all else
/// that runs here, and one in the background gives way to all of it.
#[derive(Debug)]
pub(crate) struct Home {
    version: Version,
    parents: BTreeMap<Controller, PathBuf>,
    prefix: String,
    next: AtomicU64,
    leftovers: Arc<Leftovers>,
}

impl Home {
    /// Finds the place for them, and sweeps away what dead platforms left. The error says why there can be none.
    pub fn create() -> io::Result<Self> {
        let mut layout = own_layout()?;
        let platform = platform_group();
        for folder in layout.folders.values_mut().filter(|folder| folder.ends_with(&platform)) {
            folder.pop();
        }
        static HOMES: AtomicU64 = AtomicU64::new(0);
        let number = HOMES.fetch_add(1, Ordering::Relaxed);
        Self::create_in(&layout, format!("{PREFIX}{}-{number}-", std::process::id()))
    }

    fn create_in(layout: &Layout, prefix: String) -> io::Result<Self> {
        let parents = match layout.version {
            Version::V1 => layout.folders.clone(),
            Version::V2 => delegated(layout)?,
        };
        unique(&parents).into_iter().for_each(|folder| sweep(folder, is_alive));
        let next = AtomicU64::new(0);
        Ok(Self { version: layout.version, parents, prefix, next, leftovers: Arc::default() })
    }

    /// A group with the limits of a sandbox.
    pub fn group(&self, sandbox: &Sandbox) -> io::Result<Group> {
        self.leftovers.retry();
        let name = format!("{}{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed));
        let group = Group::create(self.version, &self.parents, &name, self.leftovers.clone())?;
        group.limit(sandbox.memory_mib, sandbox.cpu_millis)?;
        group.limit_processes(sandbox.processes)?;
        Ok(group)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.leftovers.retry();
    }
}

/// Has this process come before what it starts where processors are short: it hardly computes, and all wait for it. It gets a
/// group of its own, beside theirs, that weighs a hundred times what others do.
pub(crate) fn put_first() -> io::Result<()> {
    let layout = own_layout()?;
    let mut folder = layout.folders[&Controller::Cpu].clone();
    let platform = platform_group();
    if !folder.ends_with(&platform) {
        if layout.version == Version::V2 {
            // It was not ours to divide, or we would be in it.
            return Err(io::Error::other("the control group of this process is not its own"));
        }
        folder.push(&platform);
        fs::create_dir_all(&folder).map_err(|error| at(&folder, &error))?;
        fs::write(folder.join("cgroup.procs"), "0").map_err(|error| at(&folder, &error))?;
    }
    for setting in table::weight(layout.version, PLATFORM_MILLIS) {
        fs::write(folder.join(setting.file), &setting.value).map_err(|error| at(&folder, &error))?;
    }
    Ok(())
}

/// Where this process is.
fn own_layout() -> io::Result<Layout> {
    let text = |path| fs::read_to_string(path).map_err(|error| at(Path::new(path), &error));
    layout::find(&text("/proc/self/mountinfo")?, &text("/proc/self/cgroup")?)
        .ok_or_else(|| io::Error::other("the control groups memory, cpu and pids are not mounted"))
}

/// The name of the group that this process itself is in, where it has one of its own.
fn platform_group() -> String {
    format!("{PREFIX}{}", std::process::id())
}

/// Folders of groups whose processes were not quite gone.
#[derive(Debug, Default)]
pub(crate) struct Leftovers(Mutex<Vec<PathBuf>>);

impl Leftovers {
    /// Removes folders, now or when somebody calls again.
    pub fn remove(&self, folders: impl Iterator<Item = PathBuf>) {
        let busy: Vec<_> = folders.filter(|folder| !removed(folder)).collect();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MAX_LEFTOVERS - waiting.len().min(MAX_LEFTOVERS);
        waiting.extend(busy.into_iter().take(room));
    }

    /// Tries those that wait once more.
    pub fn retry(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|folder| !removed(folder));
    }
}

fn removed(folder: &Path) -> bool {
    match fs::remove_dir(folder) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Removes what dead platforms left: their instances died with them.
fn sweep(folder: &Path, is_alive: impl Fn(u32) -> bool) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(platform) = name.to_str().and_then(platform_of) else { continue };
        if !is_alive(platform) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// The process id in the name of a platform's group.
fn platform_of(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
}

fn is_alive(process: u32) -> bool {
    Path::new("/proc").join(process.to_string()).exists()
}

/// Where version 2 lets us make groups with limits: our own group, if it was delegated to us and we are alone in it, or the
/// root. Processes may only be in leaves (cgroup-v2.rst, "No Internal Process Constraint"), so we move into one first.
fn delegated(layout: &Layout) -> io::Result<BTreeMap<Controller, PathBuf>> {
    let own = layout.folders[&Controller::Memory].clone();
    let mut why = None;
    for parent in [Some(own), layout.mount.clone()].into_iter().flatten() {
        match move_into_leaf(&parent).and_then(|()| pass_on(&parent)) {
            Ok(()) => {
                return Ok(Controller::ALL
                    .into_iter()
                    .map(|controller| (controller, parent.clone()))
                    .collect());
            }
            // The first reason is about the place that should be ours.
            Err(error) => why = why.or(Some(error)),
        }
    }
    Err(why.unwrap_or_else(|| io::Error::other("version 2 is not mounted")))
}

/// Moves this process out of a group that holds nobody else.
fn move_into_leaf(parent: &Path) -> io::Result<()> {
    let members = fs::read_to_string(parent.join("cgroup.procs"))?;
    if members.lines().eq([std::process::id().to_string()]) {
        let leaf = parent.join(platform_group());
        fs::create_dir_all(&leaf).map_err(|error| at(&leaf, &error))?;
        fs::write(leaf.join("cgroup.procs"), "0").map_err(|error| at(&leaf, &error))?;
    }
    Ok(())
}

/// Lets the groups below have the controllers.
fn pass_on(folder: &Path) -> io::Result<()> {
    let file = folder.join("cgroup.subtree_control");
    fs::write(&file, "+memory +cpu +pids").map_err(|error| at(&file, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_dead_platforms_are_swept_and_others_are_not() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["modelet-7-0-1", "modelet-7-0-2", "modelet-8-0-1", "modelet-8", "other-7", "modelet-x"]
        {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        sweep(root.path(), |process| process == 8);
        let mut left: Vec<_> =
            fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["modelet-8", "modelet-8-0-1", "modelet-x", "other-7"]);
    }

    #[test]
    fn version_2_is_asked_to_pass_the_controllers_on() {
        let root = tempfile::tempdir().unwrap();
        let own = root.path().join("app.service");
        fs::create_dir(&own).unwrap();
        fs::write(own.join("cgroup.procs"), "1\n2\n").unwrap();
        let layout = Layout {
            version: Version::V2,
            folders: Controller::ALL.into_iter().map(|controller| (controller, own.clone())).collect(),
            mount: None,
        };
        let home = Home::create_in(&layout, "modelet-1-0-".to_owned()).unwrap();
        assert_eq!(fs::read_to_string(own.join("cgroup.subtree_control")).unwrap(), "+memory +cpu +pids");
        assert_eq!(home.parents[&Controller::Cpu], own);
    }
}
