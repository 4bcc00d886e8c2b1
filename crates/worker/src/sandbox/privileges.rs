//! The way to an ordinary user without capabilities.

use std::io;

use rustix::process::DumpableBehavior;
use rustix::thread::{CapabilitySet, CapabilitySets};
use rustix::{process, thread};

/// The user and group of the host that instances of a platform that runs as root become: `nobody`, who owns nothing.
pub(crate) const NOBODY: u32 = 65_534;

/// From root to nobody, for good.
pub(crate) fn become_nobody() -> io::Result<()> {
    let (uid, gid) = (process::Uid::from_raw(NOBODY), process::Gid::from_raw(NOBODY));
    thread::set_thread_groups(&[])?;
    thread::set_thread_res_gid(gid, gid, gid)?;
    thread::set_thread_res_uid(uid, uid, uid)?;
    // A change of user takes a process the right to its own files in /proc.
    Ok(process::set_dumpable_behavior(DumpableBehavior::Dumpable)?)
}

/// Gives up every capability, and every way to get one.
pub(crate) fn drop_capabilities() -> io::Result<()> {
    thread::set_no_new_privs(true)?;
    thread::clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    let mut sets = thread::capabilities(None)?;
    if sets.effective.contains(CapabilitySet::SETPCAP) {
        for capability in (0..u64::BITS).map(|bit| CapabilitySet::from_bits_retain(1 << bit)) {
            match thread::remove_capability_from_bounding_set(capability) {
                // The kernel knows no more of them.
                Err(rustix::io::Errno::INVAL) => break,
                other => other?,
            }
        }
    }
    sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    Ok(thread::set_capabilities(None, sets)?)
}
