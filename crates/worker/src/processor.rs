//! Who computes first where there are too few processors: for how long in one go, on all rungs; and who gives way, on those without
//! control groups. There the kernel shares processors out by session (sched(7), "The autogroup feature"), and each instance leads
//! one.

#![allow(unsafe_code)]

use std::fs;
use std::io;
use std::time::Duration;

/// The shortest time that a process computes in one go while others wait: the least that the kernel knows (since 6.12, "custom
/// slices"; older ones do as they like). One who wakes up then waits for that long, and not for the next tick.
const SLICE_NS: u64 = 100_000;
/// How nice the session of an instance is in the background: as nice as can be.
const BACKGROUND_NICE: &str = "19";

/// Has this process, and what it becomes, take short turns. Needs no privilege.
pub(crate) fn take_short_turns() -> io::Result<()> {
    // SAFETY: all zero is a valid value of this structure of numbers.
    let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
    let size = u32::try_from(size_of::<libc::sched_attr>()).map_err(io::Error::other)?;
    // SAFETY: the structure lives across the call, and its size is passed. 0 is the calling thread.
    let read = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) };
    if read == -1 {
        return Err(io::Error::last_os_error());
    }
    attributes.sched_runtime = SLICE_NS;
    // SAFETY: as above; the kernel only reads it.
    match unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Puts the session of a process into the background, or takes it out. (An ordinary user may do so ten times a second.)
pub(crate) fn set_background(leader: u32, background: bool) -> io::Result<()> {
    let nice = if background { BACKGROUND_NICE } else { "0" };
    fs::write(format!("/proc/{leader}/autogroup"), nice)
}

/// How long all threads of a process have computed so far; `None` when it is gone.
pub(crate) fn computed(process: u32) -> Option<Duration> {
    let mut clock = 0;
    // SAFETY: it writes to the number that it is given, which lives across the call.
    let found = unsafe { libc::clock_getcpuclockid(i32::try_from(process).ok()?, &raw mut clock) };
    // SAFETY: all zero is a valid value of this structure of numbers.
    let mut time: libc::timespec = unsafe { std::mem::zeroed() };
    // SAFETY: as the first.
    let told = found == 0 && unsafe { libc::clock_gettime(clock, &raw mut time) } == 0;
    let seconds = u64::try_from(time.tv_sec).ok()?;
    told.then(|| Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computing_is_seen_and_waiting_is_not() {
        let me = std::process::id();
        let begin = computed(me).unwrap();
        let mut sum = 0_u64;
        while computed(me).unwrap() < begin + Duration::from_millis(20) {
            sum = sum.wrapping_mul(31).wrapping_add(1);
        }
        assert!(computed(me).unwrap() >= begin + Duration::from_millis(20), "{sum}");
        assert_eq!(computed(0x0fff_ffff), None);
    }

    #[test]
    fn turns_can_be_short_on_any_kernel_and_for_any_user() {
        std::thread::spawn(take_short_turns).join().unwrap().unwrap();
    }
}
