//! What this run of the platform has counted, by function and version: what `/metrics` tells. It is counted where the journal is folded,
//! on the log's thread, so that no call pays for it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use modelet_core::{EndReason, FunctionName, InstanceRecord, InvocationRecord, Usage, Version};

use crate::store::journal::Place;

/// Upper bounds of the histogram of durations, seconds; what took longer is in a last bucket without a bound.
pub const BOUNDS_S: [f64; 15] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// Versions of a function that are told apart, the last ones that had something to count: every deploy may make one more.
const VERSIONS_KEPT: usize = 16;

/// How long calls took.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Durations {
    /// Calls by bucket, each in the first whose bound it does not exceed; the last is for those beyond.
    pub buckets: [u64; BOUNDS_S.len() + 1],
    /// The sum, seconds.
    pub sum_s: f64,
}

/// What was counted of one version.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Count {
    /// Sums, as they are billed.
    pub usage: Usage,
    /// From arrival until the answer was there.
    pub durations: Durations,
    /// Instances that ended, by why.
    pub ends: BTreeMap<EndReason, u64>,
}

/// What was counted of each function that had a call or an instance.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Counts {
    functions: BTreeMap<FunctionName, BTreeMap<Version, Count>>,
    /// What was counted before belongs to an earlier run.
    is_new_run: bool,
}

impl Durations {
    fn count(&mut self, duration_s: f64) {
        let bucket = BOUNDS_S.iter().position(|bound_s| duration_s <= *bound_s).unwrap_or(BOUNDS_S.len());
        self.buckets[bucket] += 1;
        self.sum_s += duration_s;
    }

    fn add(&mut self, other: &Self) {
        self.buckets.iter_mut().zip(other.buckets).for_each(|(count, more)| *count += more);
        self.sum_s += other.sum_s;
    }
}

impl Counts {
    /// Nothing yet; what was counted before is over.
    pub fn of_a_new_run() -> Self {
        Self { is_new_run: true, ..Self::default() }
    }

    /// A call has ended.
    pub fn invocation(&mut self, record: &InvocationRecord, usage: &Usage) {
        let count = self.of(&record.function, record.version);
        count.usage.add(usage);
        count.durations.count(record.phases.total_ms / 1e3);
    }

    /// Something is told of an instance.
    pub fn instance(&mut self, record: &InstanceRecord, usage: &Usage) {
        let count = self.of(&record.function, record.version);
        count.usage.add(usage);
        if let Some(reason) = record.reason {
            *count.ends.entry(reason).or_default() += 1;
        }
    }

    /// By name and version.
    pub fn iter(&self) -> impl Iterator<Item = (&FunctionName, Version, &Count)> {
        let versions = |(name, versions)| std::iter::repeat(name).zip(versions);
        self.functions.iter().flat_map(versions).map(|(name, (version, count))| (name, *version, count))
    }

    fn of(&mut self, function: &FunctionName, version: Version) -> &mut Count {
        self.functions.entry(function.clone()).or_default().entry(version).or_default()
    }

    fn add(&mut self, other: &Self) {
        if other.is_new_run {
            self.functions.clear();
        }
        for (name, version, more) in other.iter() {
            let count = self.of(name, version);
            count.usage.add(&more.usage);
            count.durations.add(&more.durations);
            for (reason, ends) in &more.ends {
                *count.ends.entry(*reason).or_default() += ends;
            }
        }
        for (name, versions) in &mut self.functions {
            let now = other.functions.get(name);
            let is_quiet = |version: &Version| now.is_none_or(|now| !now.contains_key(version));
            while versions.len() > VERSIONS_KEPT
                && let Some(oldest) = versions.keys().copied().find(is_quiet)
            {
                versions.remove(&oldest);
            }
        }
    }
}

/// What was counted so far.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Steps>);

#[derive(Debug, Default)]
struct Steps {
    sum: Counts,
    /// Where the last step of the fold began, and what it counted. It may be taken back: then the next begins there again.
    last: (Place, Counts),
}

impl Tally {
    /// The fold has made a step.
    pub fn stepped(&self, from: Place, counts: Counts) {
        let mut steps = self.lock();
        let (last_from, last) = std::mem::replace(&mut steps.last, (from, counts));
        if from > last_from {
            steps.sum.add(&last);
        }
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        let steps = self.lock();
        let mut counts = steps.sum.clone();
        counts.add(&steps.last.1);
        counts
    }

    /// A function was deleted.
    pub fn forget(&self, function: &FunctionName) {
        let mut steps = self.lock();
        steps.sum.functions.remove(function);
        steps.last.1.functions.remove(function);
    }

    fn lock(&self) -> MutexGuard<'_, Steps> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> FunctionName {
        "iris".parse().unwrap()
    }

    /// What a step counted that had this many calls of 2 ms in it.
    fn calls(invocations: u64) -> Counts {
        let mut count = Count { usage: Usage { invocations, ..Usage::default() }, ..Count::default() };
        (0..invocations).for_each(|_| count.durations.count(0.002));
        let versions = BTreeMap::from([(Version(1), count)]);
        Counts { functions: BTreeMap::from([(name(), versions)]), is_new_run: false }
    }

    fn counted(tally: &Tally) -> u64 {
        let counts = tally.counts();
        let count = counts.iter().next().map(|(_, _, count)| count.clone()).unwrap_or_default();
        assert_eq!(count.durations.buckets[2], count.usage.invocations);
        count.usage.invocations
    }

    #[test]
    fn a_step_that_was_taken_back_is_not_counted_twice() {
        let tally = Tally::default();
        let at = |offset| Place { file: 1, offset };
        tally.stepped(at(0), calls(2));
        assert_eq!(counted(&tally), 2);
        // Its commit failed: the next step begins there again, and gets further.
        tally.stepped(at(0), calls(3));
        assert_eq!(counted(&tally), 3);
        tally.stepped(at(90), calls(4));
        assert_eq!(counted(&tally), 7);
        tally.stepped(at(120), Counts::default());
        tally.stepped(at(120), calls(1));
        assert_eq!(counted(&tally), 8);
        tally.forget(&name());
        assert_eq!(counted(&tally), 0);
    }

    #[test]
    fn what_an_earlier_run_left_in_the_journal_is_not_counted_to_this_one() {
        let tally = Tally::default();
        tally.stepped(Place { file: 1, offset: 0 }, calls(5));
        tally.stepped(Place { file: 2, offset: 0 }, Counts { is_new_run: true, ..calls(1) });
        tally.stepped(Place { file: 2, offset: 9 }, calls(1));
        assert_eq!(counted(&tally), 2);
    }

    #[test]
    fn of_many_versions_those_are_told_that_had_calls_last() {
        let tally = Tally::default();
        for step in 1..=40 {
            let mut counts = Counts::default();
            // The first one gets calls all the time.
            for version in [1, step] {
                counts.of(&name(), Version(version)).usage.invocations += 1;
            }
            tally.stepped(Place { file: 1, offset: u64::from(step) }, counts);
        }
        let counts = tally.counts();
        let told: Vec<_> = counts.iter().map(|(_, version, _)| version.0).collect();
        assert_eq!(told.len(), VERSIONS_KEPT, "{told:?}");
        assert_eq!((told[0], told[1], told.last()), (1, 26, Some(&40)));
        assert_eq!(counts.iter().next().map(|(_, _, count)| count.usage.invocations), Some(41));
    }

    #[test]
    fn a_duration_is_in_the_first_bucket_that_holds_it() {
        let mut durations = Durations::default();
        for duration_s in [0.0, 0.000_5, 0.000_6, 60.0, 61.0] {
            durations.count(duration_s);
        }
        assert_eq!(durations.buckets[..3], [2, 1, 0]);
        assert_eq!(durations.buckets[14..], [1, 1]);
        assert!((durations.sum_s - 121.001_1).abs() < 1e-9);
    }
}
