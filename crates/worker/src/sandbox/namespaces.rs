//! New namespaces, and the users in them.

#![allow(unsafe_code)]

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::process::{getegid, geteuid};
use rustix::thread::UnshareFlags;

/// The user and the group that an instance is in its own eyes.
pub(crate) const INNER_ID: u32 = 1_000;

/// Which of the two processes goes on after [`clone`].
pub(crate) enum Side {
    /// The one that called; the other has this number.
    Outer(i32),
    /// The new one, process 1 of its namespace.
    Inner,
}

/// What to make new.
pub(crate) struct New {
    /// A user namespace, which gives an ordinary user the capabilities for the rest.
    pub user: bool,
    /// A network without anything in it.
    pub network: bool,
}

/// Makes a sibling in new namespaces, in a control group of version 2 if one is given.
pub(crate) fn clone(new: &New, group: Option<&OwnedFd>) -> io::Result<Side> {
    let mut flags = libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP
        | libc::CLONE_PARENT;
    if new.user {
        flags |= libc::CLONE_NEWUSER;
    }
    if new.network {
        flags |= libc::CLONE_NEWNET;
    }
    // SAFETY: all zero is a valid value of this structure of numbers.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = u64::from(flags.cast_unsigned());
    if let Some(group) = group {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = u64::from(group.as_raw_fd().cast_unsigned());
    }
    // SAFETY: without CLONE_VM and without a stack this is a fork. `sandbox-init` has one thread, so the new process may go
    // on with everything that the old one had; the structure lives across the call and its size is passed.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<libc::clone_args>()) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Inner),
        pid => i32::try_from(pid).map(Side::Outer).map_err(io::Error::other),
    }
}

/// From linux/sched.h; libc has it as a signed number that it does not fit into.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Brings up the loopback of a new network namespace: programs of an instance speak to each other over it.
///
/// Source: netdevice(7), `SIOCSIFFLAGS`.
pub(crate) fn raise_loopback() -> io::Result<()> {
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::DGRAM, None)?;
    // SAFETY: all zero is a valid value of this structure of numbers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags =
        libc::c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open, and the structure is the one that this request reads.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whom a process acts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    uid: u32,
    gid: u32,
}

impl Identity {
    /// The current one. Asked before a user namespace is made: afterwards it has no name until it is mapped.
    pub fn current() -> Self {
        Self { uid: geteuid().as_raw(), gid: getegid().as_raw() }
    }

    pub const fn is_root(self) -> bool {
        self.uid == 0
    }
}

/// Makes someone number [`INNER_ID`] of the user namespace that this process was made in.
pub(crate) fn map_user(who: Identity) -> io::Result<()> {
    // An ordinary user may map a group only after it has given up changing groups (user_namespaces(7)).
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{INNER_ID} {} 1", who.uid))?;
    fs::write("/proc/self/gid_map", format!("{INNER_ID} {} 1", who.gid))
}

/// Goes into a new user namespace, whose only user is the current one.
pub(crate) fn enter_user_namespace() -> io::Result<()> {
    let who = Identity::current();
    // SAFETY: the flag shares nothing with other threads that they would miss, and there are none.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWUSER)? };
    map_user(who)
}
