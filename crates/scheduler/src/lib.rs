//! When instances start and stop, and which call goes where: `step(state, event, now) -> actions`.
//!
//! - [`event`]: what can happen, and what the scheduler can ask for
//! - [`cells`]: how many stem cells are kept
//! - [`limits`]: the settings it obeys
//! - [`version`]: the state of one version, and [`step`]
//!
//! Deliberately absent: I/O, async, clocks, randomness. `now` is the time since the platform started; the one place that
//! carries actions out is the platform's dispatch. One version is decided on at a time; decisions between versions
//! (memory of the machine, fairness) will live beside `version`.

pub mod cells;
pub mod event;
pub mod limits;
pub mod version;

pub use cells::CellDemand;
pub use event::{Action, CallFailure, CallNo, Event, InstanceNo, Rejection, StopReason};
pub use limits::Limits;
pub use version::{Counts, VersionState, step};
