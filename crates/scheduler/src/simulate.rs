//! What the scheduler would have done with calls that are known beforehand, in virtual time: the same [`Fleet`] as on the
//! platform, with a heap of events in the place of the world.
//!
//! - [`driver`]: the world: starts take their time, calls take theirs
//! - [`held`]: what instances hold, for how long
//! - [`tally`]: what comes of it
//!
//! What is left out: a stop ends its process at once; the platform itself takes no time; a call takes as long as the trace
//! says, however many its instance works on; an instance holds from its start what its function is expected to need.

mod driver;
mod held;
pub mod tally;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::{Fleet, Limits, Machine};
use driver::Driver;
pub use tally::{Holding, Holdings, Tally, Waits};

/// A function to simulate.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its limits. Each of its instances holds `expected_memory_mib`, at most `memory_mib`.
    pub limits: Limits,
    /// From the start of an instance until it takes calls.
    pub cold_start: Duration,
}

/// A call of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// When it comes, since the beginning of the trace.
    pub at: Duration,
    /// Which function it is for, by its place in the list.
    pub function: u32,
    /// How long an instance works on it.
    pub duration: Duration,
}

/// What came of a simulation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// What came of each function's calls, in the order of the functions.
    pub functions: Vec<Tally>,
    /// Of all together. Its peaks are those of the machine, not the sum of the functions' own.
    pub total: Tally,
    /// From the beginning of the trace to the end of its last call. What instances hold later is not counted.
    pub span: Duration,
}

/// Replays a trace. An arrival that is out of order counts as if it came when the one before it did; one for a function
/// that is not in the list is left out.
pub fn simulate(
    machine: Machine,
    functions: &[Function],
    arrivals: impl IntoIterator<Item = Arrival>,
) -> Outcome {
    let mut driver = Driver::new(Fleet::new(machine), functions);
    let known = |arrival: &Arrival| (arrival.function as usize) < functions.len();
    for arrival in arrivals.into_iter().filter(known) {
        driver.pass_until(arrival.at);
        driver.arrive(arrival);
    }
    driver.finish()
}
