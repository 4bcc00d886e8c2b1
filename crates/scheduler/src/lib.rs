//! When instances start and stop, and which call goes where: `fleet.step(version, event, now) -> actions`.
//!
//! - [`event`]: what can happen, and what the scheduler can ask for
//! - [`cells`]: how many stem cells are kept
//! - [`limits`]: the settings it obeys
//! - [`fleet`]: all versions, and the decisions between them
//! - [`version`]: the decisions on one version
//! - [`keep_alive`], [`autoscale`], [`rate`]: how long instances are kept, how many a steady load wants, how many calls
//!   are let in
//! - [`pool`], [`calls`]: the books of a version
//! - [`turns`]: who computes first when processors are short
//! - [`simulate`]: a trace, in virtual time
//!
//! Deliberately absent: I/O, async, clocks, randomness. `now` is the time since an arbitrary start and never goes back; the
//! one place that carries actions out is the platform's dispatch. Whatever has events can use a [`Fleet`]: a simulation
//! sends [`Event::Arrived`], answers each [`Action::Start`] with [`Event::Ready`] and each [`Action::Assign`] with
//! [`Event::Finished`] in its own time, each [`Action::Stop`] with [`Event::Exited`], and calls [`Fleet::tick`] when
//! [`Fleet::next_wake`] is reached.

mod autoscale;
mod calls;
pub mod cells;
pub mod event;
pub mod fleet;
pub mod keep_alive;
pub mod limits;
mod pool;
mod rate;
pub mod simulate;
#[cfg(test)]
mod story;
pub mod turns;
pub mod version;

pub use cells::CellDemand;
pub use event::{Action, CallFailure, CallNo, Event, InstanceNo, Rejection, StopReason, VersionNo, Wear};
pub use fleet::{Fleet, Overcommitted};
pub use limits::{Limits, Machine};
pub use turns::Turns;
pub use version::Counts;
