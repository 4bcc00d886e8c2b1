//! The file system that an instance sees: a read-only root with the libraries of the system, a private /proc and /tmp, five
//! devices, and what it was given to read.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

use super::mount::{self, Kind};
use super::namespaces::INNER_ID;
use super::order::Order;
use super::status::{Doing, Step};

/// Folders in which a program finds its interpreter, libraries and tools.
pub(crate) const SYSTEM: &[&str] =
    &["/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin", "/nix/store"];
/// Files that the C library asks for, and that say nothing of this machine's users. The processors are counted in /sys.
pub(crate) const LIBRARY: &[&str] =
    &["/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/sys/devices/system/cpu"];
/// What it takes to reach others by name and to trust them.
pub(crate) const NETWORK: &[&str] = &[
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/services",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
];
/// Devices that hold nothing.
pub(crate) const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// Folders and links only: nothing else is ever written there.
const ROOT_OPTIONS: &std::ffi::CStr = c"mode=755,size=1m,nr_inodes=4096";
/// Files in /tmp, for each MiB of it: the kernel's own memory for them is bounded too.
const TMP_FILES_PER_MIB: u64 = 128;

/// As many files as an artifact can be handed over with, each as large as one that is copied.
const SCRATCH_OPTIONS: &std::ffi::CStr = c"mode=777,size=256m,nr_inodes=4096";

/// Where the new root is put together. Every Linux has it, and nothing is read through it meanwhile.
const WORKSHOP: &str = "/proc";

/// Makes the new root, and leaves the old one. In new namespaces, with the capabilities in them.
pub(crate) fn build(order: &Order) -> Step<()> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).doing("make the mounts private")?;
    mount::tmpfs(Path::new(WORKSHOP), ROOT_OPTIONS).doing("mount a new root")?;
    // From here on relative paths are in the new root, absolute ones in the old.
    rustix::process::chdir(WORKSHOP).doing("enter the new root")?;
    for path in SYSTEM {
        system_folder(Path::new(path)).doing(format!("show {path}"))?;
    }
    // Before what is shown, which may lie below /tmp.
    private_mounts(order.sandbox.tmp_mib)?;
    if let Some(scratch) = &order.sandbox.scratch {
        let place = relative(scratch);
        fs::create_dir_all(place).doing("make the scratch folder")?;
        mount::tmpfs(place, SCRATCH_OPTIONS).doing("mount the scratch folder")?;
    }
    own_files(order.sandbox.network, order.sandbox.bare).doing("write the files of the new root")?;
    let network = if order.sandbox.network { NETWORK } else { &[] };
    let is_shown = |path: &&&str| !order.sandbox.bare || !path.starts_with("/sys/");
    for path in LIBRARY.iter().chain(network).filter(is_shown) {
        show_if_there(Path::new(path), Kind::Files)?;
    }
    for path in DEVICES {
        show_if_there(Path::new(path), Kind::Device)?;
    }
    for bind in &order.sandbox.binds {
        show(&bind.source, &bind.target, Kind::Files)?;
    }
    if !SYSTEM.iter().any(|folder| order.program.starts_with(folder)) {
        show_if_absent(&order.program)?;
    }
    leave_old_root().doing("leave the old root")
}

/// A folder of the system, or the link that stands in its place.
fn system_folder(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if metadata.is_symlink() => symlink(fs::read_link(path)?, relative(path)),
        Ok(_) => {
            fs::create_dir_all(relative(path))?;
            mount::bind(path, relative(path), Kind::Files)
        }
    }
}

fn show_if_there(path: &Path, kind: Kind) -> Step<()> {
    if path.exists() { show(path, path, kind) } else { Ok(()) }
}

/// The program, when no bind has it already.
fn show_if_absent(path: &Path) -> Step<()> {
    if relative(path).exists() { Ok(()) } else { show(path, path, Kind::Files) }
}

fn show(source: &Path, target: &Path, kind: Kind) -> Step<()> {
    let shown = || -> io::Result<()> {
        let place = relative(target);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        if fs::metadata(source)?.is_dir() {
            fs::create_dir_all(place)?;
        } else if !place.exists() {
            File::create_new(place)?;
        }
        mount::bind(source, place, kind)
    };
    shown().doing(format!("show {} to the instance", source.display()))
}

/// What the C library wants to read, with nothing of this machine in it.
fn own_files(network: bool, bare: bool) -> io::Result<()> {
    fs::create_dir_all("etc")?;
    fs::write("etc/passwd", format!("modelet:x:{INNER_ID}:{INNER_ID}::/tmp:/bin/sh\n"))?;
    fs::write("etc/group", format!("modelet:x:{INNER_ID}:\n"))?;
    fs::write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")?;
    if !network {
        fs::write("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")?;
    }
    fs::create_dir_all("dev")?;
    for (name, target) in [
        ("dev/fd", "/proc/self/fd"),
        ("dev/stdin", "/proc/self/fd/0"),
        ("dev/stdout", "/proc/self/fd/1"),
        ("dev/stderr", "/proc/self/fd/2"),
    ] {
        symlink(target, name)?;
    }
    if !bare {
        // Shared memory is limited together with the temporary files.
        symlink("/tmp", "dev/shm")?;
    }
    Ok(())
}

fn private_mounts(tmp_mib: u64) -> Step<()> {
    fs::create_dir_all("tmp").doing("make /tmp")?;
    let options = format!("mode=1777,size={tmp_mib}m,nr_inodes={}", tmp_mib * TMP_FILES_PER_MIB);
    let options = CString::new(options).map_err(io::Error::other).doing("name the size of /tmp")?;
    mount::tmpfs(Path::new("tmp"), &options).doing("mount /tmp")?;
    fs::create_dir_all("proc").doing("make /proc")?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    rustix::mount::mount("proc", "proc", "proc", flags, None).doing("mount /proc")
}

/// `pivot_root(".", ".")`: the old root comes to lie on the new one, from where it is taken away (pivot_root(2)).
fn leave_old_root() -> io::Result<()> {
    rustix::process::pivot_root(".", ".")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    mount::seal(Path::new("/"))
}

/// A path of the instance, as seen from the folder that becomes its root.
fn relative(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

/// Whether a path of the instance makes sense: absolute, without `..`.
pub(crate) fn is_plain(path: &Path) -> bool {
    path.is_absolute() && path.components().all(|part| part != std::path::Component::ParentDir)
}

/// The targets of an order that make no sense.
pub(crate) fn bad_target(order: &Order) -> Option<&PathBuf> {
    let binds = order.sandbox.binds.iter().flat_map(|bind| [&bind.source, &bind.target]);
    binds.chain(&order.sandbox.scratch).chain([&order.program, &order.folder]).find(|path| !is_plain(path))
}
