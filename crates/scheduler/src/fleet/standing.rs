//! What the fleet knows of each version, in numbers that it can add up and put in order. A version's standing is made anew
//! after each of its changes; only what differs moves in the orders.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Fleet, Member, Place};
use crate::event::VersionNo;
use crate::version::Want;

/// A version as the fleet sees it. Memory in MiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Held by all its instances.
    pub(super) charge_mib: u64,
    /// Held by instances whose process is about to end.
    pub(super) stopping_mib: u64,
    /// Held by instances that finish their last calls.
    pub(super) leaving_mib: u64,
    /// Held by idle instances that may be stopped for others, about.
    pub(super) evictable_mib: u64,
    /// Kept free for instances that it does not have yet.
    pub(super) unfilled_mib: u64,
    /// Kept for it in all.
    pub(super) floor_mib: u64,
    pub(super) starting: usize,
    pub(super) calls: usize,
    want: Option<Want>,
    turn: u64,
    /// The value of the instance that would go first, when one may.
    victim: Option<u64>,
    /// Never later than the version's own wake-up. Earlier is harmless and spares an entry for each call.
    wake: Option<Duration>,
}

/// The standings of all versions, added up.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) charge_mib: u64,
    pub(super) stopping_mib: u64,
    pub(super) leaving_mib: u64,
    pub(super) evictable_mib: u64,
    pub(super) unfilled_mib: u64,
    pub(super) floor_mib: u64,
    pub(super) starting: usize,
    pub(super) calls: usize,
    /// Versions with a call.
    pub(super) callers: usize,
}

impl Standing {
    pub(super) fn of(member: &Member, now: Duration) -> Self {
        let state = &member.state;
        let (pool, totals) = (state.pool(), state.pool().totals());
        let (size_mib, floor) = (state.expected_mib(), state.floor());
        let unfilled = floor.saturating_sub(pool.len());
        // What a reserve is for is as urgent as a minimum: its memory is there.
        let want = state.want(now).map(|want| match want {
            Want::Demand if unfilled > 0 => Want::Minimum,
            want => want,
        });
        let spare = pool.hopeful().saturating_sub(floor).min(totals.ready.saturating_sub(state.minimum()));
        let evictable = spare.min(pool.idle()) as u64;
        let due = state.next_wake(now);
        Self {
            charge_mib: totals.charge_mib,
            stopping_mib: totals.stopping_mib,
            leaving_mib: totals.leaving_mib,
            evictable_mib: (totals.idle_mib * evictable).checked_div(pool.idle() as u64).unwrap_or(0),
            unfilled_mib: unfilled as u64 * size_mib,
            floor_mib: floor as u64 * size_mib,
            starting: totals.starting,
            calls: state.calls().len(),
            want,
            turn: member.turn,
            victim: (evictable > 0).then(|| member.touched.saturating_add(state.worth())),
            wake: due.map(|due| member.standing.wake.map_or(due, |wake| wake.min(due))),
        }
    }

    fn place(&self, no: VersionNo) -> Option<Place> {
        self.want.map(|want| Place { want, charge_mib: self.charge_mib, turn: self.turn, no })
    }
}

impl Fleet {
    /// Puts a version's new standing in the place of the old one.
    pub(super) fn stand(&mut self, no: VersionNo, new: Standing) {
        let Some(member) = self.versions.get_mut(&no) else { return };
        let old = std::mem::replace(&mut member.standing, new);
        if old == new {
            return;
        }
        self.ledger.subtract(&old);
        self.ledger.add(&new);
        replace(&mut self.hungry, old.place(no), new.place(no));
        replace(&mut self.victims, old.victim.map(|value| (value, no)), new.victim.map(|value| (value, no)));
        replace(&mut self.wakes, old.wake.map(|wake| (wake, no)), new.wake.map(|wake| (wake, no)));
        let holder = |standing: &Standing| (standing.charge_mib > 0).then_some((standing.charge_mib, no));
        replace(&mut self.holders, holder(&old), holder(&new));
    }

    /// A wake-up that is reached does not count as the next one.
    pub(super) fn forget_wake(&mut self, no: VersionNo) {
        let Some(member) = self.versions.get(&no) else { return };
        let standing = Standing { wake: None, ..member.standing };
        self.stand(no, standing);
    }
}

impl Ledger {
    fn add(&mut self, standing: &Standing) {
        self.charge_mib += standing.charge_mib;
        self.stopping_mib += standing.stopping_mib;
        self.leaving_mib += standing.leaving_mib;
        self.evictable_mib += standing.evictable_mib;
        self.unfilled_mib += standing.unfilled_mib;
        self.floor_mib += standing.floor_mib;
        self.starting += standing.starting;
        self.calls += standing.calls;
        self.callers += usize::from(standing.calls > 0);
    }

    fn subtract(&mut self, standing: &Standing) {
        self.charge_mib -= standing.charge_mib;
        self.stopping_mib -= standing.stopping_mib;
        self.leaving_mib -= standing.leaving_mib;
        self.evictable_mib -= standing.evictable_mib;
        self.unfilled_mib -= standing.unfilled_mib;
        self.floor_mib -= standing.floor_mib;
        self.starting -= standing.starting;
        self.calls -= standing.calls;
        self.callers -= usize::from(standing.calls > 0);
    }
}

fn replace<T: Ord>(set: &mut BTreeSet<T>, old: Option<T>, new: Option<T>) {
    if old == new {
        return;
    }
    if let Some(old) = old {
        set.remove(&old);
    }
    if let Some(new) = new {
        set.insert(new);
    }
}
