//! A trace that is made up after what is published of Azure Functions: many functions that are called rarely, few that are
//! called often; timers, regular callers, chance, bursts; day and night.
//!
//! Figures marked *paper* are those of Shahrad et al., "Serverless in the Wild" (USENIX ATC 2020), as we know them; the
//! others are choices of ours. It is a model, not a recording: nothing in it changes from one day to the next, functions
//! know nothing of each other, and of the most frequent functions, which no policy lets go cold, the excess is left out.

mod pattern;

use std::time::Duration;

use super::random::Random;
use super::trace::{Recorder, Trace, ns};
use crate::report::Report;
use pattern::Pattern;

pub const DAY_S: f64 = 86_400.0;
/// Share of functions, and the most calls a day among them. Paper: 45 % are called once an hour or less, 81 % once a minute
/// or less. The ends are ours: once in two days, and every 10 seconds, where every policy here is always warm.
const CALLS_PER_DAY: [(f64, f64); 4] = [(0.0, 0.5), (0.45, 24.0), (0.81, 1_440.0), (1.0, 8_640.0)];
/// Mean of the logarithm of a function's average duration in seconds, and deviation. Paper: log-normal with these.
const DURATION_LN: (f64, f64) = (-0.38, 2.36);
/// Deviation of the logarithm of a call's duration from its function's. Ours.
const DURATION_LN_WITHIN: f64 = 0.5;
/// Bounds of a call's duration in seconds. Ours: calls that pass the request timeout would say nothing of keep-alive.
const DURATION_S: (f64, f64) = (0.001, 30.0);
/// Burr distribution of memory in MiB: c, k, scale. Paper.
const MEMORY_BURR: (f64, f64, f64) = (11.652, 0.221, 107.083);
/// Bounds of the memory of an instance in MiB. Ours.
const MEMORY_MIB: (f64, f64) = (32.0, 1_024.0);

/// A trace of so many functions over so many days. A function is the same however many there are.
pub fn azure_like(functions: u32, days: u32, seed: u64) -> Result<Trace, Report> {
    let mut random = Random::new(seed);
    let mut recorder = Recorder::default();
    for number in 1..=functions {
        function(number, f64::from(days) * DAY_S, random.fork(), &mut recorder)?;
    }
    recorder.finish()
}

fn function(number: u32, end_s: f64, mut random: Random, recorder: &mut Recorder) -> Result<(), Report> {
    let gap_s = DAY_S / calls_per_day(random.unit());
    let pattern = Pattern::draw(gap_s, &mut random);
    let name = format!("{}-{number}", pattern.name());
    let function = recorder.function(&name, || name.clone())?;
    recorder.set_memory(function, memory_mib(random.unit()));
    let average_ln = DURATION_LN.0 + DURATION_LN.1 * random.normal();
    for at_s in pattern.times(end_s, &mut random.fork()) {
        let duration_ln = average_ln + DURATION_LN_WITHIN * random.normal();
        let duration_s = duration_ln.exp().clamp(DURATION_S.0, DURATION_S.1);
        recorder.call(function, ns(at_s), Duration::from_secs_f64(duration_s))?;
    }
    Ok(())
}

/// The calls a day of the function at this share of all, between the points evenly in the logarithm.
fn calls_per_day(share: f64) -> f64 {
    let above =
        CALLS_PER_DAY.iter().position(|(of, _)| *of > share).unwrap_or(CALLS_PER_DAY.len() - 1).max(1);
    let ((low, fewest), (high, most)) = (CALLS_PER_DAY[above - 1], CALLS_PER_DAY[above]);
    let part = (share - low) / (high - low);
    (fewest.ln() + (most.ln() - fewest.ln()) * part).exp()
}

/// The memory of the function at this share of all: the inverse of 1 − (1 + (x/scale)^c)^−k.
fn memory_mib(share: f64) -> u64 {
    let (c, k, scale) = MEMORY_BURR;
    let mib = scale * ((1.0 - share).powf(-1.0 / k) - 1.0).powf(1.0 / c);
    mib.clamp(MEMORY_MIB.0, MEMORY_MIB.1).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frequencies_are_those_published() {
        assert!((calls_per_day(0.45) - 24.0).abs() < 1e-9);
        assert!((calls_per_day(0.81) - 1_440.0).abs() < 1e-9);
        assert!((calls_per_day(0.0) - 0.5).abs() < 1e-9);
        assert!(calls_per_day(0.999_999) < 8_640.0);
    }

    #[test]
    fn half_of_the_functions_take_less_than_a_second_and_most_memory_is_small() {
        assert_eq!(memory_mib(0.5), 140, "107.083 · (2^(1/0.221) − 1)^(1/11.652)");
        assert_eq!((memory_mib(0.0), memory_mib(0.999_999)), (32, 1_024));
        let trace = azure_like(400, 1, 3).unwrap();
        let mut longest = vec![None; trace.functions.len()];
        trace.arrivals().for_each(|a| longest[a.function as usize] = Some(a.duration));
        let last: Vec<_> = longest.into_iter().flatten().collect();
        let short = last.iter().filter(|duration| **duration < Duration::from_secs(1)).count();
        assert!((0.45..0.68).contains(&(short as f64 / last.len() as f64)), "{short} of {}", last.len());
    }

    #[test]
    fn the_same_seed_makes_the_same_trace_and_functions_do_not_depend_on_how_many_there_are() {
        let of_first = |trace: &Trace| {
            let name = trace.functions.first().map(|function| function.name.clone());
            (name, trace.arrivals().filter(|a| a.function == 0).map(|a| a.duration).collect::<Vec<_>>())
        };
        let (few, many) = (azure_like(20, 2, 5).unwrap(), azure_like(40, 2, 5).unwrap());
        assert_eq!(of_first(&few), of_first(&many));
        assert_eq!(
            few.arrivals().collect::<Vec<_>>(),
            azure_like(20, 2, 5).unwrap().arrivals().collect::<Vec<_>>()
        );
        assert_ne!(few.len(), azure_like(20, 2, 6).unwrap().len());
        let last = few.arrivals().last().unwrap().at;
        assert!(last < Duration::from_secs(2 * 86_400), "{last:?}");
    }
}
