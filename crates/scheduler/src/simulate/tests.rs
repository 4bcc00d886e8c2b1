use std::collections::BTreeMap;

use modelet_core::manifest::KeepAlive;

use super::*;
use crate::story::{AMPLE, limits, ms};

/// One call at a time, 100 MiB, a second of idleness, 30 ms to load.
fn plain() -> Function {
    let limits = Limits { concurrency: 1, max_instances: 10, request_timeout: ms(60_000), ..limits() };
    Function { limits, cold_start: ms(30) }
}

/// Calls of function 0: when they come, and for how long.
fn calls(list: &[(u64, u64)]) -> Vec<Arrival> {
    list.iter().map(|(at, duration)| of(0, *at, *duration)).collect()
}

fn of(function: u32, at: u64, duration: u64) -> Arrival {
    Arrival { at: ms(at), function, duration: ms(duration) }
}

fn alone(function: Function, list: &[(u64, u64)]) -> Outcome {
    simulate(AMPLE, &[function], calls(list))
}

/// 100 MiB for so many milliseconds.
fn holding(time_ms: u64) -> Holding {
    Holding { time: ms(time_ms), mib_ns: u128::from(time_ms) * 100 * 1_000_000 }
}

#[test]
fn a_cold_call_a_warm_one_and_a_cold_one_again() {
    let outcome = alone(plain(), &[(0, 10), (500, 10), (2_000, 10)]);
    let total = &outcome.total;
    assert_eq!((total.calls, total.served, total.cold_starts, total.starts), (3, 3, 2, 2));
    assert_eq!(total.waits.percentiles([1, 33, 34, 50, 100]), [ms(0), ms(0), ms(30), ms(30), ms(30)]);
    assert_eq!(total.held.loading, holding(60));
    assert_eq!(total.held.serving, holding(30));
    assert_eq!(total.held.idle, holding(460 + 1_000), "from 40 to 500, and for a second from 510");
    assert_eq!(outcome.span, ms(2_040), "to the end of the last call");
    assert_eq!((total.peak_instances, total.peak_memory_mib), (1, 100));
}

#[test]
fn calls_at_once_start_instances_at_once_and_each_waits_for_one() {
    let outcome = alone(plain(), &[(0, 100), (0, 100), (20, 100)]);
    let total = &outcome.total;
    assert_eq!(
        (total.cold_starts, total.starts, total.peak_instances, total.peak_memory_mib),
        (3, 3, 3, 300)
    );
    assert_eq!(total.held.loading, holding(90));
    assert_eq!(total.held.idle, holding(20 + 20), "two are done at 130, the third at 150");
}

#[test]
fn a_call_that_takes_the_slot_of_another_waits_without_a_cold_start() {
    let single = Function { limits: Limits { max_instances: 1, ..plain().limits }, ..plain() };
    let total = alone(single, &[(0, 100), (50, 10)]).total;
    assert_eq!((total.cold_starts, total.starts), (1, 1));
    assert_eq!(total.waits.percentiles([50, 100]), [ms(30), ms(80)], "the second from 50 to 130");
}

#[test]
fn what_is_refused_or_late_is_told_by_reason_and_has_no_wait() {
    let limits = Limits { max_instances: 1, queue_limit: 0, request_timeout: ms(200), ..plain().limits };
    let outcome = alone(Function { limits, ..plain() }, &[(0, 1_000), (100, 10), (105, 10)]);
    let total = &outcome.total;
    assert_eq!(total.failed, BTreeMap::from([("request-timeout", 1)]), "at 230");
    assert_eq!(total.rejected, BTreeMap::from([("queue-full", 2)]));
    assert_eq!((total.served, total.waits.len()), (0, 1));
    assert_eq!(outcome.span, ms(230), "nothing is left to wait for");
    assert_eq!(total.held.serving, holding(200), "it was stopped with its call");
}

#[test]
fn an_instance_that_loads_for_too_long_fails_its_call() {
    let slow = Function { cold_start: ms(20_000), ..plain() };
    let total = alone(slow, &[(0, 10)]).total;
    assert_eq!(total.failed, BTreeMap::from([("load-timeout", 1)]));
    assert_eq!((total.held.loading, total.served), (holding(10_000), 0));
}

#[test]
fn memory_that_is_short_evicts_what_is_idle() {
    let small = Machine { memory_mib: 100, ..AMPLE };
    let outcome = simulate(small, &[plain(), plain()], [of(0, 0, 10), of(1, 100, 10), of(0, 200, 10)]);
    assert_eq!((outcome.total.evictions, outcome.total.cold_starts, outcome.total.served), (2, 3, 3));
    assert_eq!((outcome.total.peak_instances, outcome.total.peak_memory_mib), (1, 100));
}

#[test]
fn a_timer_is_expected_by_the_hybrid_policy_and_never_cold_once_it_is_known() {
    let timer: Vec<_> = (0..100).map(|n| (n * 1_800_000, 10)).collect();
    let of = |keep_alive| {
        let limits = Limits { keep_alive, idle_timeout: ms(600_000), ..plain().limits };
        alone(Function { limits, ..plain() }, &timer).total
    };
    let (fixed, hybrid) = (of(KeepAlive::Fixed), of(KeepAlive::Hybrid));
    assert_eq!((fixed.cold_starts, fixed.starts), (100, 100));
    assert_eq!((hybrid.cold_starts, hybrid.starts), (6, 100), "five idle times are learnt from");
    assert_eq!(fixed.held.idle, holding(99 * 600_000));
    assert!(hybrid.held.idle.mib_ns < fixed.held.idle.mib_ns / 2);
}

#[test]
fn a_call_of_no_function_is_left_out_and_one_out_of_order_comes_at_once() {
    let outcome = simulate(AMPLE, &[plain()], [of(7, 0, 10), of(0, 100, 10), of(0, 50, 10)]);
    assert_eq!((outcome.total.calls, outcome.total.served), (2, 2));
    assert_eq!(outcome.span, ms(140));
}

#[test]
fn nothing_comes_of_nothing() {
    assert_eq!(simulate(AMPLE, &[], []), Outcome::default());
}

/// Numbers that look random, the same each time (a linear congruential generator, constants of Knuth's MMIX).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn function(&mut self) -> Function {
        let memory_mib = 50 + self.roll(200);
        let limits = Limits {
            concurrency: 1 + self.roll(3) as usize,
            max_instances: 1 + self.roll(4) as usize,
            min_instances: (self.roll(8) / 7) as usize,
            prewarmed_instances: (self.roll(4) / 3) as usize,
            queue_limit: self.roll(6) as usize,
            rate_limit_per_s: if self.roll(4) == 0 { 1 + self.roll(20) } else { 0 },
            keep_alive: if self.roll(2) == 0 { KeepAlive::Fixed } else { KeepAlive::Hybrid },
            idle_timeout: ms(self.roll(2_000)),
            load_timeout: ms(100 + self.roll(300)),
            request_timeout: ms(100 + self.roll(1_000)),
            recycle_calls: self.roll(20),
            memory_mib,
            expected_memory_mib: memory_mib,
            ..limits()
        };
        Function { limits, cold_start: ms(self.roll(300)) }
    }
}

/// Many functions with all kinds of limits on a small machine: the books balance.
#[test]
fn every_call_is_accounted_for_once_and_memory_is_the_sum_over_functions() {
    let mut kinds = std::collections::BTreeSet::new();
    for seed in 1..=20 {
        let mut dice = Dice(seed);
        let functions: Vec<_> = (0..8).map(|_| dice.function()).collect();
        let mut at = 0;
        let arrivals: Vec<_> = (0..2_000)
            .map(|_| {
                at += dice.roll(20) * dice.roll(10);
                of(dice.roll(8) as u32, at, dice.roll(400))
            })
            .collect();
        let machine = Machine { memory_mib: 800, max_calls: 30, max_starting: 2 };
        let outcome = simulate(machine, &functions, arrivals.clone());
        assert_eq!(outcome, simulate(machine, &functions, arrivals), "seed {seed}: the same again");
        balance(&outcome, seed);
        kinds.extend(outcome.total.rejected.keys().chain(outcome.total.failed.keys()).copied());
        kinds.extend((outcome.total.evictions > 0).then_some("evicted"));
    }
    let wanted = ["evicted", "load-timeout", "queue-full", "request-timeout", "throttled"];
    assert!(wanted.iter().all(|kind| kinds.contains(kind)), "only {kinds:?} were met");
}

fn balance(outcome: &Outcome, seed: u64) {
    let total = &outcome.total;
    assert_eq!(total.calls, 2_000, "seed {seed}");
    let mut held = Holdings::default();
    for tally in outcome.functions.iter().chain([total]) {
        let refused: u64 = tally.rejected.values().sum();
        let failed: u64 = tally.failed.values().sum();
        assert_eq!(tally.served + refused + failed, tally.calls, "seed {seed}: {tally:?}");
        assert!(tally.waits.len() >= tally.served && tally.cold_starts <= tally.waits.len(), "seed {seed}");
    }
    outcome.functions.iter().for_each(|tally| held.add(&tally.held));
    assert_eq!(held, total.held, "seed {seed}");
    let most = u128::from(total.peak_memory_mib) * outcome.span.as_nanos();
    assert!(total.held.all().mib_ns <= most && total.peak_memory_mib <= 800, "seed {seed}: {total:?}");
    let longest = outcome.span * u32::try_from(total.peak_instances).unwrap();
    assert!(total.held.all().time <= longest, "seed {seed}");
}
