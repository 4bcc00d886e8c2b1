//! The comparison, in numbers: what machines read with `--json`.

use std::collections::BTreeMap;
use std::time::Duration;

use modelet_core::Settings;
use modelet_scheduler::simulate::{Function, Holding, Holdings, Tally, simulate};
use modelet_scheduler::{Limits, Machine};
use serde::Serialize;

use super::Policy;
use super::trace::Trace;

/// What is the same for every policy.
#[derive(Debug)]
pub struct Frame {
    /// Of every function.
    pub settings: Settings,
    /// The machine.
    pub machine: Machine,
    /// From the start of an instance until it takes calls.
    pub cold_start: Duration,
    /// What an instance holds where the trace does not say it.
    pub memory_mib: u64,
}

/// A trace and what each policy made of it.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// Calls in the trace.
    pub calls: usize,
    /// Functions in the trace.
    pub functions: usize,
    /// From its first call to its last, in seconds.
    pub span_s: f64,
    /// In the order in which they were named.
    pub policies: Vec<PolicyFigures>,
}

/// What a policy made of a trace.
#[derive(Debug, Serialize)]
pub struct PolicyFigures {
    /// As it can be named again.
    pub policy: String,
    /// All functions together.
    #[serde(flatten)]
    pub total: Figures,
    /// How the functions' own shares of cold starts are spread.
    pub function_cold_share: Spread,
    /// Each function with a call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_function: Vec<FunctionFigures>,
}

/// What a policy made of one function.
#[derive(Debug, Serialize)]
pub struct FunctionFigures {
    /// Its name in the trace.
    pub function: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// The median, and what three of four functions do not exceed.
#[derive(Debug, Serialize, PartialEq)]
pub struct Spread {
    /// 50th percentile.
    pub p50: f64,
    /// 75th percentile.
    pub p75: f64,
}

/// See [`Tally`].
#[derive(Debug, Serialize)]
pub struct Figures {
    /// Calls in the trace.
    pub calls: u64,
    /// Calls that were answered.
    pub served: u64,
    /// Calls that waited for their instance to load.
    pub cold_starts: u64,
    /// Of all calls, 0 to 1.
    pub cold_share: f64,
    /// How long calls waited for an instance.
    pub wait_ms: WaitMs,
    /// Refused on arrival, by error code.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Accepted and not answered, by error code.
    pub failed: BTreeMap<&'static str, u64>,
    /// Instances started.
    pub starts: u64,
    /// Most instances at once.
    pub peak_instances: u64,
    /// Most memory at once.
    pub peak_memory_mib: u64,
    /// Instances stopped because others needed their memory.
    pub evictions: u64,
    /// Time of instances, in seconds.
    pub instance_s: Parts,
    /// Memory of instances over time, in GiB·s.
    pub memory_gib_s: Parts,
}

/// Percentiles, in milliseconds.
#[derive(Debug, Serialize)]
pub struct WaitMs {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

/// By what instances did.
#[derive(Debug, Serialize)]
pub struct Parts {
    pub loading: f64,
    pub serving: f64,
    pub idle: f64,
    pub total: f64,
}

/// Replays the trace once for each policy.
pub fn compare(trace: &Trace, frame: &Frame, policies: &[Policy], by_function: bool) -> Comparison {
    let policies = policies.iter().map(|policy| replay(trace, frame, policy, by_function)).collect();
    let span_s = trace.arrivals().last().map_or(0.0, |last| last.at.as_secs_f64());
    Comparison { calls: trace.len(), functions: trace.functions.len(), span_s, policies }
}

fn replay(trace: &Trace, frame: &Frame, policy: &Policy, by_function: bool) -> PolicyFigures {
    let settings = policy.over(&frame.settings);
    let function = |memory_mib: Option<u64>| {
        let memory_mib = memory_mib.unwrap_or(frame.memory_mib);
        // What the trace says an instance holds, it may hold.
        let settings = Settings { memory_mib: settings.memory_mib.max(memory_mib), ..settings.clone() };
        let limits = Limits::new(&settings, policy.keep_alive, memory_mib);
        Function { limits, cold_start: frame.cold_start }
    };
    let functions: Vec<_> = trace.functions.iter().map(|f| function(f.memory_mib)).collect();
    let outcome = simulate(frame.machine, &functions, trace.arrivals());
    let called: Vec<_> =
        trace.functions.iter().zip(&outcome.functions).filter(|(_, tally)| tally.calls > 0).collect();
    let each = called.iter().filter(|_| by_function);
    PolicyFigures {
        policy: policy.to_string(),
        total: Figures::of(&outcome.total),
        function_cold_share: Spread::of(called.iter().map(|(_, tally)| tally.cold_share()).collect()),
        by_function: each
            .map(|(f, tally)| FunctionFigures { function: f.name.clone(), figures: Figures::of(tally) })
            .collect(),
    }
}

impl Figures {
    fn of(tally: &Tally) -> Self {
        let [p50, p95, p99, max] = tally.waits.percentiles([50, 95, 99, 100]).map(|w| w.as_secs_f64() * 1e3);
        Self {
            calls: tally.calls,
            served: tally.served,
            cold_starts: tally.cold_starts,
            cold_share: tally.cold_share(),
            wait_ms: WaitMs { p50, p95, p99, max },
            rejected: tally.rejected.clone(),
            failed: tally.failed.clone(),
            starts: tally.starts,
            peak_instances: tally.peak_instances,
            peak_memory_mib: tally.peak_memory_mib,
            evictions: tally.evictions,
            instance_s: Parts::of(&tally.held, |holding| holding.time.as_secs_f64()),
            memory_gib_s: Parts::of(&tally.held, |holding| holding.mib_ns as f64 / 1_024.0 / 1e9),
        }
    }
}

impl Parts {
    fn of(held: &Holdings, amount: impl Fn(&Holding) -> f64) -> Self {
        Self {
            loading: amount(&held.loading),
            serving: amount(&held.serving),
            idle: amount(&held.idle),
            total: amount(&held.all()),
        }
    }
}

impl Spread {
    /// By the nearest rank.
    fn of(mut shares: Vec<f64>) -> Self {
        shares.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            let rank = (shares.len() * percent).div_ceil(100).max(1);
            shares.get(rank - 1).copied().unwrap_or(0.0)
        };
        Self { p50: at(50), p75: at(75) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::tests::trace;
    use super::*;

    const FRAME_MACHINE: Machine = Machine { memory_mib: 1 << 20, max_calls: 1_000, max_starting: 4 };

    #[test]
    fn policies_are_compared_on_the_same_calls_with_their_own_timeouts() {
        // Every two minutes a call of a tenth of a second, 10 in all.
        let rows: String = (0..10).map(|n| format!("a,f,{},0.1\n", 1 + n * 120)).collect();
        let trace = trace(&[("t.csv", &format!("app,func,end_timestamp,duration\n{rows}"))]);
        let settings = Settings { concurrency: 1, ..Settings::default() };
        let cold_start = Duration::from_millis(30);
        let frame = Frame { settings, machine: FRAME_MACHINE, cold_start, memory_mib: 1_024 };
        let policies = ["fixed:1m", "fixed:10m"].map(|text| text.parse().unwrap());
        let comparison = compare(&trace, &frame, &policies, true);
        let [minute, ten] = &comparison.policies[..] else { panic!("two policies") };
        assert_eq!((comparison.calls, comparison.functions, comparison.span_s), (10, 1, 1_080.0));
        assert_eq!((minute.total.cold_starts, ten.total.cold_starts), (10, 1));
        assert_eq!((minute.function_cold_share.p75, ten.function_cold_share.p50), (1.0, 0.1));
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
        near(minute.total.memory_gib_s.idle, 9.0 * 60.0);
        near(ten.total.memory_gib_s.idle, 9.0 * 119.9 - 0.03);
        near(ten.total.memory_gib_s.loading, 0.03);
        near(ten.total.instance_s.serving, 1.0);
        near(minute.total.wait_ms.p50, 30.0);
        assert_eq!(minute.by_function[0].function, "a/f");
        assert_eq!(minute.by_function[0].figures.cold_starts, 10);
    }

    #[test]
    fn percentiles_of_functions_go_by_the_nearest_rank() {
        assert_eq!(Spread::of(vec![0.4, 0.1, 0.3, 0.2]), Spread { p50: 0.2, p75: 0.3 });
        assert_eq!(Spread::of(vec![]), Spread { p50: 0.0, p75: 0.0 });
    }
}
