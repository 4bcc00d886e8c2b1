//! The calls of a trace, whatever its format.

use std::collections::HashMap;
use std::time::Duration;

use modelet_core::Code;
use modelet_scheduler::simulate::Arrival;

use crate::report::Report;

/// Most calls of a trace; 24 bytes each, all in memory.
const MOST_CALLS: usize = 20_000_000;
/// Most functions of a trace.
const MOST_FUNCTIONS: usize = 100_000;

/// Calls in the order in which they came.
#[derive(Debug)]
pub struct Trace {
    /// Whose calls they are.
    pub functions: Vec<TraceFunction>,
    calls: Vec<Call>,
}

/// A function of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceFunction {
    /// For people.
    pub name: String,
    /// What an instance of it holds, if the trace says it.
    pub memory_mib: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    /// Since the trace's own beginning of time.
    at_ns: i64,
    duration_ns: u64,
    function: u32,
}

/// A trace that is being read, in any order.
#[derive(Debug, Default)]
pub struct Recorder {
    functions: Vec<TraceFunction>,
    places: HashMap<String, u32>,
    calls: Vec<Call>,
}

impl Recorder {
    /// The function with this key, by its place; a new one gets this name.
    pub fn function(&mut self, key: &str, name: impl FnOnce() -> String) -> Result<u32, Report> {
        if let Some(place) = self.places.get(key) {
            return Ok(*place);
        }
        if self.functions.len() >= MOST_FUNCTIONS {
            return Err(too_large(&format!("more than {MOST_FUNCTIONS} functions")));
        }
        let place = u32::try_from(self.functions.len()).unwrap_or(u32::MAX);
        self.functions.push(TraceFunction { name: name(), memory_mib: None });
        self.places.insert(key.to_owned(), place);
        Ok(place)
    }

    /// What an instance of the function holds.
    pub fn set_memory(&mut self, function: u32, memory_mib: u64) {
        if let Some(function) = self.functions.get_mut(function as usize) {
            function.memory_mib = Some(memory_mib);
        }
    }

    /// A call came at that time of the trace, in nanoseconds since whenever, and took so long.
    pub fn call(&mut self, function: u32, at_ns: i64, duration: Duration) -> Result<(), Report> {
        if self.calls.len() >= MOST_CALLS {
            return Err(too_large(&format!("more than {MOST_CALLS} calls")));
        }
        let duration_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.calls.push(Call { at_ns, duration_ns, function });
        Ok(())
    }

    /// Everything is read.
    pub fn finish(mut self) -> Result<Trace, Report> {
        if self.calls.is_empty() {
            return Err(Report::new(Code::BadTrace, "there is no call in the trace"));
        }
        self.calls.sort_by_key(|call| call.at_ns);
        Ok(Trace { functions: self.functions, calls: self.calls })
    }
}

impl Trace {
    /// How many calls there are.
    pub const fn len(&self) -> usize {
        self.calls.len()
    }

    /// The calls, from the first one on.
    pub fn arrivals(&self) -> impl Iterator<Item = Arrival> + '_ {
        let first = self.calls.first().map_or(0, |call| call.at_ns);
        self.calls.iter().map(move |call| Arrival {
            at: Duration::from_nanos(call.at_ns.abs_diff(first)),
            function: call.function,
            duration: Duration::from_nanos(call.duration_ns),
        })
    }
}

/// Seconds as nanoseconds, to be added to the time of a trace.
pub fn ns(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64
}

fn too_large(what: &str) -> Report {
    Report::new(Code::BadTrace, format!("the trace has {what}, which is the limit"))
        .hint("cut it: fewer days, or a sample of the functions with all their calls")
}
