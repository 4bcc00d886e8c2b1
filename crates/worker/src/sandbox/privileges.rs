//! The way to an ordinary user without capabilities.

use std::io;

use rustix::process::DumpableBehavior;
use rustix::thread::{CapabilitySet, CapabilitySets};
use rustix::{process, thread};

/// The user and group of the host that instances of a platform that runs as root become: `nobody`, who owns nothing.
pub(crate) const NOBODY: u32 = 65_534;

/// From root to nobody, for good.
pub(crate) fn become_nobody() -> io::Result<()> {
    // The right to do so goes with the user.
    narrow_bounds()?;
    let (uid, gid) = (process::Uid::from_raw(NOBODY), process::Gid::from_raw(NOBODY));
    thread::set_thread_groups(&[])?;
    thread::set_thread_res_gid(gid, gid, gid)?;
    thread::set_thread_res_uid(uid, uid, uid)?;
    // A change of user takes a process the right to its own files in /proc.
    Ok(process::set_dumpable_behavior(DumpableBehavior::Dumpable)?)
}

/// Gives up every capability, and every way to get one. An ordinary user without a user namespace of its own keeps a wide
/// bounding set, which opens nothing after `no_new_privs`.
pub(crate) fn drop_capabilities() -> io::Result<()> {
    thread::set_no_new_privs(true)?;
    thread::clear_ambient_capability_set()?;
    if thread::capabilities(None)?.effective.contains(CapabilitySet::SETPCAP) {
        narrow_bounds()?;
    }
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    Ok(thread::set_capabilities(None, sets)?)
}

/// Empties the set of capabilities that a program could ever give. Each user namespace has its own.
fn narrow_bounds() -> io::Result<()> {
    for bit in 0..u64::BITS {
        match thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << bit)) {
            // The kernel knows no more of them.
            Err(rustix::io::Errno::INVAL) => break,
            other => other?,
        }
    }
    Ok(())
}
