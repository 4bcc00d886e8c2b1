//! The instances of a version, and the orders in which they are asked for. Every change of an instance goes through
//! [`Pool::change`], so that counters and orders cannot drift from the instances.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::event::{InstanceNo, StopReason};

/// What becomes of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Starting {
        since: Duration,
        load_deadline: Duration,
    },
    Ready {
        idle_since: Duration,
    },
    /// Takes no new calls; stopped for this reason when its last one ends.
    Leaving(StopReason),
    /// Told to stop; its process has not ended yet.
    Stopping,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Instance {
    pub(crate) phase: Phase,
    pub(crate) in_flight: usize,
    /// Calls that it has been given so far.
    pub(crate) calls: u64,
    /// Memory that it is charged with, in MiB.
    pub(crate) charge_mib: u64,
    /// The most that was measured, in MiB.
    pub(crate) peak_mib: Option<u64>,
}

/// Instances by phase, and the memory of each kind.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) starting: usize,
    pub(crate) ready: usize,
    pub(crate) leaving: usize,
    pub(crate) in_flight: usize,
    /// Calls that ready instances could take at once.
    pub(crate) free_slots: usize,
    pub(crate) charge_mib: u64,
    /// Of ready instances without a call.
    pub(crate) idle_mib: u64,
    /// Of instances that finish their last calls.
    pub(crate) leaving_mib: u64,
    /// Of instances whose process is about to end.
    pub(crate) stopping_mib: u64,
}

/// The instances of one version.
#[derive(Debug)]
pub(crate) struct Pool {
    concurrency: usize,
    instances: BTreeMap<InstanceNo, Instance>,
    totals: Totals,
    /// Ready ones with a free slot, by calls in flight.
    free: BTreeSet<(usize, InstanceNo)>,
    /// Ready ones without a call, by since when.
    idle: BTreeSet<(Duration, InstanceNo)>,
    /// Starting ones, by load deadline.
    loading: BTreeSet<(Duration, InstanceNo)>,
    /// Leaving ones without a call.
    done: BTreeSet<InstanceNo>,
    last: u64,
}

impl Pool {
    pub(crate) fn new(concurrency: usize) -> Self {
        Self {
            concurrency,
            instances: BTreeMap::new(),
            totals: Totals::default(),
            free: BTreeSet::new(),
            idle: BTreeSet::new(),
            loading: BTreeSet::new(),
            done: BTreeSet::new(),
            last: 0,
        }
    }

    /// All that exist, stopping ones included.
    pub(crate) fn len(&self) -> usize {
        self.instances.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }

    pub(crate) const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Those that take calls, or will.
    pub(crate) const fn hopeful(&self) -> usize {
        self.totals.starting + self.totals.ready
    }

    /// Adds one that starts.
    pub(crate) fn start(&mut self, load_timeout: Duration, charge_mib: u64, now: Duration) -> InstanceNo {
        self.last += 1;
        let no = InstanceNo(self.last);
        let phase = Phase::Starting { since: now, load_deadline: now + load_timeout };
        let instance = Instance { phase, in_flight: 0, calls: 0, charge_mib, peak_mib: None };
        self.enter(no, &instance);
        self.instances.insert(no, instance);
        no
    }

    /// Its process is gone.
    pub(crate) fn remove(&mut self, no: InstanceNo) -> Option<Instance> {
        let instance = self.instances.remove(&no)?;
        self.leave(no, &instance);
        Some(instance)
    }

    pub(crate) fn get(&self, no: InstanceNo) -> Option<&Instance> {
        self.instances.get(&no)
    }

    /// Changes one, if it is there.
    pub(crate) fn change(&mut self, no: InstanceNo, how: impl FnOnce(&mut Instance)) {
        let Some(mut instance) = self.instances.get(&no).copied() else { return };
        self.leave(no, &instance);
        how(&mut instance);
        self.enter(no, &instance);
        self.instances.insert(no, instance);
    }

    /// The ready one with the fewest calls and a free slot; the oldest of equals, so that a trickle of calls keeps one
    /// instance warm and lets the others go.
    pub(crate) fn least_loaded(&self) -> Option<InstanceNo> {
        self.free.first().map(|(_, no)| *no)
    }

    /// The ready one that will be without calls soonest; the youngest of equals.
    pub(crate) fn soonest_done(&self) -> Option<InstanceNo> {
        let ready = self.instances.iter().rev().filter(|(_, i)| matches!(i.phase, Phase::Ready { .. }));
        ready.min_by_key(|(_, i)| i.in_flight).map(|(no, _)| *no)
    }

    /// The one that has been idle for longest, and since when.
    pub(crate) fn longest_idle(&self) -> Option<(Duration, InstanceNo)> {
        self.idle.first().copied()
    }

    /// How many are ready without a call.
    pub(crate) fn idle(&self) -> usize {
        self.idle.len()
    }

    /// The one whose load deadline is first.
    pub(crate) fn first_loading(&self) -> Option<(Duration, InstanceNo)> {
        self.loading.first().copied()
    }

    /// One that takes no more calls and has none.
    pub(crate) fn first_done(&self) -> Option<InstanceNo> {
        self.done.first().copied()
    }

    fn enter(&mut self, no: InstanceNo, instance: &Instance) {
        let totals = &mut self.totals;
        totals.in_flight += instance.in_flight;
        totals.charge_mib += instance.charge_mib;
        match instance.phase {
            Phase::Starting { load_deadline, .. } => {
                totals.starting += 1;
                self.loading.insert((load_deadline, no));
            }
            Phase::Ready { idle_since } => {
                totals.ready += 1;
                totals.free_slots += self.concurrency - instance.in_flight;
                if instance.in_flight < self.concurrency {
                    self.free.insert((instance.in_flight, no));
                }
                if instance.in_flight == 0 {
                    totals.idle_mib += instance.charge_mib;
                    self.idle.insert((idle_since, no));
                }
            }
            Phase::Leaving(_) => {
                totals.leaving += 1;
                totals.leaving_mib += instance.charge_mib;
                if instance.in_flight == 0 {
                    self.done.insert(no);
                }
            }
            Phase::Stopping => totals.stopping_mib += instance.charge_mib,
        }
    }

    fn leave(&mut self, no: InstanceNo, instance: &Instance) {
        let totals = &mut self.totals;
        totals.in_flight -= instance.in_flight;
        totals.charge_mib -= instance.charge_mib;
        match instance.phase {
            Phase::Starting { load_deadline, .. } => {
                totals.starting -= 1;
                self.loading.remove(&(load_deadline, no));
            }
            Phase::Ready { idle_since } => {
                totals.ready -= 1;
                totals.free_slots -= self.concurrency - instance.in_flight;
                self.free.remove(&(instance.in_flight, no));
                if self.idle.remove(&(idle_since, no)) {
                    totals.idle_mib -= instance.charge_mib;
                }
            }
            Phase::Leaving(_) => {
                totals.leaving -= 1;
                totals.leaving_mib -= instance.charge_mib;
                self.done.remove(&no);
            }
            Phase::Stopping => totals.stopping_mib -= instance.charge_mib,
        }
    }
}
