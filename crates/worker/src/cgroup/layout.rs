//! Which version of control groups this machine has, and where our own group lies in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::table::{Controller, Version};

/// The folder of our own group, for each controller; version 2 has one folder for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    pub version: Version,
    pub folders: BTreeMap<Controller, PathBuf>,
    /// Where the hierarchy is mounted (version 2).
    pub mount: Option<PathBuf>,
}

/// One mounted hierarchy.
struct Mount<'a> {
    /// The group that is shown at the mount point.
    root: &'a str,
    point: &'a str,
    kind: &'a str,
    options: &'a str,
}

/// Finds them. `mounts`: the text of /proc/self/mountinfo (proc(5)); `own`: of /proc/self/cgroup (cgroups(7)). `None` when
/// a controller that limits instances is at hand in neither version.
pub(crate) fn find(mounts: &str, own: &str) -> Option<Layout> {
    let mounts: Vec<_> = mounts.lines().filter_map(parse).collect();
    version_1(&mounts, own).or_else(|| version_2(&mounts, own))
}

fn version_1(mounts: &[Mount<'_>], own: &str) -> Option<Layout> {
    let mut folders = BTreeMap::new();
    for controller in Controller::ALL {
        let name = controller.name();
        let has = |list: &str| list.split(',').any(|one| one == name);
        let mount = mounts.iter().find(|mount| mount.kind == "cgroup" && has(mount.options));
        let path = own.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            has(fields.next()?).then(|| fields.next()).flatten()
        });
        match (mount, path) {
            (Some(mount), Some(path)) => {
                folders.insert(controller, folder(mount, path));
            }
            _ if controller.is_needed() => return None,
            _ => {}
        }
    }
    Some(Layout { version: Version::V1, folders, mount: None })
}

fn version_2(mounts: &[Mount<'_>], own: &str) -> Option<Layout> {
    let mount = mounts.iter().find(|mount| mount.kind == "cgroup2")?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let folder = folder(mount, path);
    let folders = Controller::ALL.into_iter().map(|controller| (controller, folder.clone())).collect();
    Some(Layout { version: Version::V2, folders, mount: Some(mount.point.into()) })
}

/// A group's folder: its path below the group that the mount shows.
fn folder(mount: &Mount<'_>, path: &str) -> PathBuf {
    let below = Path::new(path).strip_prefix(mount.root).unwrap_or(Path::new(""));
    Path::new(mount.point).join(below)
}

/// `36 35 98:0 /root /point rw,noatime master:1 - type source options`
fn parse(line: &str) -> Option<Mount<'_>> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(3);
    let mut after = after.split(' ');
    let (root, point) = (before.next()?, before.next()?);
    Some(Mount { root, point, kind: after.next()?, options: after.nth(1)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_has_a_folder_for_each_controller() {
        let mounts = "30 29 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
            31 29 0:27 /outer /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n\
            32 29 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
            33 29 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
        let own = "5:pids:/\n4:memory:/outer/inner\n2:cpu,cpuacct:/user\n0::/\n";
        let layout = find(mounts, own).unwrap();
        assert_eq!(layout.version, Version::V1);
        assert_eq!(layout.folders[&Controller::Cpu], Path::new("/sys/fs/cgroup/cpu,cpuacct/user"));
        assert_eq!(layout.folders[&Controller::Usage], Path::new("/sys/fs/cgroup/cpu,cpuacct/user"));
        assert_eq!(layout.folders[&Controller::Memory], Path::new("/sys/fs/cgroup/memory/inner"));
        assert_eq!(layout.folders[&Controller::Processes], Path::new("/sys/fs/cgroup/pids/"));
    }

    #[test]
    fn version_2_has_one_folder_and_nothing_is_nothing() {
        let mounts = "33 29 0:29 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";
        let layout = find(mounts, "0::/user.slice/app.service\n").unwrap();
        assert_eq!(layout.version, Version::V2);
        assert_eq!(layout.folders[&Controller::Memory], Path::new("/sys/fs/cgroup/user.slice/app.service"));
        assert_eq!(find("", "0::/\n"), None);
        assert_eq!(find("22 1 0:20 / /proc rw - proc proc rw", ""), None);
    }
}
