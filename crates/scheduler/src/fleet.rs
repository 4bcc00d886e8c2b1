//! All versions of a machine, and the decisions between them.
//!
//! - [`standing`]: what the fleet knows of each version, kept in order for the questions that it asks
//! - [`room`]: who may start when memory or starts are short, and who has to make room

mod room;
mod standing;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::event::{Action, Actions, Event, Rejection, VersionNo};
use crate::limits::{Limits, Machine};
use crate::version::{Counts, VersionState, Want};
use standing::{Ledger, Standing};

/// This part of `max_calls` is for versions that hold fewer calls than their share.
const CALLS_KEPT_PART: usize = 10;

/// Everything the scheduler knows.
#[derive(Debug)]
pub struct Fleet {
    machine: Machine,
    versions: HashMap<VersionNo, Member>,
    ledger: Ledger,
    /// Versions that want an instance, the next one to get one first.
    hungry: BTreeSet<Place>,
    /// Versions with an idle instance that may go, the least valuable first.
    victims: BTreeSet<(u64, VersionNo)>,
    /// Versions that hold memory, by how much, in MiB.
    holders: BTreeSet<(u64, VersionNo)>,
    wakes: BTreeSet<(Duration, VersionNo)>,
    /// The value of what was evicted last: what is used later is worth more (greedy-dual caching).
    clock: u64,
    last_version: u64,
    /// Starts so far.
    starts: u64,
}

/// A place in the line of those that want an instance: the most urgent first, then those that hold the least memory
/// (max-min fairness), then those whose last start is longest ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    want: Want,
    charge_mib: u64,
    turn: u64,
    no: VersionNo,
}

/// More is to be kept for a version than there is. Memory in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overcommitted {
    /// To be kept for it.
    pub asked_mib: u64,
    /// Kept for the others.
    pub others_mib: u64,
    /// There is in all.
    pub budget_mib: u64,
}

/// A version and what the fleet knows of it.
#[derive(Debug)]
struct Member {
    state: VersionState,
    standing: Standing,
    /// The fleet's clock when the version was last called.
    touched: u64,
    /// The fleet's starts when the version last started an instance.
    turn: u64,
}

impl Fleet {
    /// No versions yet.
    pub fn new(machine: Machine) -> Self {
        Self {
            machine,
            versions: HashMap::new(),
            ledger: Ledger::default(),
            hungry: BTreeSet::new(),
            victims: BTreeSet::new(),
            holders: BTreeSet::new(),
            wakes: BTreeSet::new(),
            clock: 0,
            last_version: 0,
            starts: 0,
        }
    }

    /// Adds a version at zero. It is not live: nothing is kept for it until [`Event::Live`].
    pub fn add(&mut self, limits: Limits) -> VersionNo {
        self.last_version += 1;
        let no = VersionNo(self.last_version);
        let member =
            Member { state: VersionState::new(limits), standing: Standing::default(), touched: 0, turn: 0 };
        self.versions.insert(no, member);
        no
    }

    /// Takes out a version of which nothing is left after [`Event::Drain`]. False: it is not known, or not drained yet.
    pub fn remove(&mut self, no: VersionNo) -> bool {
        if !self.is_drained(no) {
            return false;
        }
        self.stand(no, Standing::default());
        self.versions.remove(&no).is_some()
    }

    /// Changes the state by what happened to a version and says what is to be done, in order. `now` never goes back.
    ///
    /// A version that is not known refuses calls; what else happens to it came late and is no error.
    pub fn step(&mut self, no: VersionNo, event: Event, now: Duration) -> Vec<(VersionNo, Action)> {
        let mut actions = Actions::new(no);
        let arrival = if let Event::Arrived(call) = event { Some(call) } else { None };
        match (arrival, arrival.and_then(|_| self.refusal(no))) {
            (Some(call), Some(rejection)) => actions.push(Action::Reject(call, rejection)),
            _ => self.change(no, now, |state| state.step(event, now, &mut actions)),
        }
        self.make_room(now, &mut actions);
        actions.into_list()
    }

    /// Time has passed: [`Fleet::next_wake`] was reached.
    pub fn tick(&mut self, now: Duration) -> Vec<(VersionNo, Action)> {
        let mut actions = Actions::new(VersionNo(0));
        while let Some((_, no)) = self.wakes.first().copied().filter(|(due, _)| *due <= now) {
            self.forget_wake(no);
            self.change(no, now, |state| state.step(Event::Tick, now, actions.of(no)));
        }
        self.make_room(now, &mut actions);
        actions.into_list()
    }

    /// When [`Fleet::tick`] is due next at the latest; `None` while nothing depends on time.
    pub fn next_wake(&self) -> Option<Duration> {
        self.wakes.first().map(|(due, _)| *due)
    }

    /// True when the version drains and nothing of it is left, or when it is not known.
    pub fn is_drained(&self, no: VersionNo) -> bool {
        self.versions.get(&no).is_none_or(|member| member.state.is_drained())
    }

    /// How many of each a version has; zeros when it is not known.
    pub fn counts(&self, no: VersionNo) -> Counts {
        self.versions.get(&no).map(|member| member.state.counts()).unwrap_or_default()
    }

    /// Memory that is to be kept for a version, and what is left for that beside what is kept for the others, in MiB. `None`:
    /// there is enough.
    pub fn overcommitted(&self, no: VersionNo) -> Option<Overcommitted> {
        let asked_mib = self.versions.get(&no)?.standing.floor_mib;
        let others_mib = self.ledger.floor_mib - asked_mib;
        let left_mib = self.machine.memory_mib.saturating_sub(others_mib);
        (asked_mib > left_mib).then_some(Overcommitted {
            asked_mib,
            others_mib,
            budget_mib: self.machine.memory_mib,
        })
    }

    /// Memory that all instances are charged with, in MiB; those that were measured, with what they hold.
    pub const fn memory_mib(&self) -> u64 {
        self.ledger.charge_mib
    }

    /// Calls held, waiting and in flight.
    pub const fn calls(&self) -> usize {
        self.ledger.calls
    }

    /// Changes one version, and what the fleet knows of it.
    fn change(&mut self, no: VersionNo, now: Duration, how: impl FnOnce(&mut VersionState)) {
        let clock = self.clock;
        let Some(member) = self.versions.get_mut(&no) else { return };
        how(&mut member.state);
        if member.state.calls().len() > member.standing.calls {
            member.touched = clock;
        }
        let standing = Standing::of(member, now);
        self.stand(no, standing);
    }

    /// Why the machine refuses a call to a version, whatever the version says.
    fn refusal(&self, no: VersionNo) -> Option<Rejection> {
        let Some(member) = self.versions.get(&no) else { return Some(Rejection::Draining) };
        let held = self.ledger.calls;
        let limit = self.machine.max_calls;
        let kept = (limit / CALLS_KEPT_PART).max(1).min(limit.saturating_sub(1));
        // A single caller leaves as much free as one of two.
        let share = (limit / self.ledger.callers.max(2)).max(1);
        if held >= limit || (held >= limit - kept && member.standing.calls >= share) {
            Some(Rejection::TooManyCalls)
        } else if member.state.pool().is_empty() && self.never_fits(member) {
            Some(Rejection::MachineFull)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests;
