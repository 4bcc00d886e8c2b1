//! How long idle instances are kept, and whether one is started ahead of the next call.
//!
//! - [`fixed`]: for the idle timeout
//! - [`hybrid`]: for as long as the calls so far make another likely
//!
//! A new policy is one file with a [`Policy`] and one line in [`policy`].

pub mod fixed;
pub mod hybrid;

use std::fmt;
use std::time::Duration;

use modelet_core::manifest::KeepAlive;

use fixed::Fixed;
use hybrid::Hybrid;

/// When an instance is kept for a version without calls, counted from the end of its last call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Zero: instances are kept from the start. Else they are stopped at once, and one is ready again after this long.
    pub warm_after: Duration,
    /// From here on none is kept.
    pub cold_after: Duration,
}

/// What a version learns from the times between its calls.
pub trait Policy: fmt::Debug + Send {
    /// A call came after the version had been without one for so long.
    fn idle_ended(&mut self, idle: Duration);
    /// What is to be done in the time without calls that begins.
    fn window(&self) -> Window;
}

/// The policy of that name.
pub fn policy(keep_alive: KeepAlive, idle_timeout: Duration) -> Box<dyn Policy> {
    match keep_alive {
        KeepAlive::Fixed => Box::new(Fixed(idle_timeout)),
        KeepAlive::Hybrid => Box::new(Hybrid::new(idle_timeout)),
    }
}
