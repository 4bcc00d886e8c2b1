//! Who may start an instance when memory or starts are short, and who has to make room.
//!
//! 1. Reserved memory and minimum instances first, then calls that wait, then calls that are expected; among equals the
//!    version that holds the least (max-min fairness), then the one whose last start is longest ago.
//! 2. A start that does not fit stops idle instances, the least valuable first. One ahead of its calls stops none.
//! 3. A version that holds nothing goes first with what comes free, and the version that holds the most gives up an
//!    instance for it, as soon as that one's calls have ended. So versions that do not fit together take turns.

use std::ops::Bound;
use std::time::Duration;

use super::{Fleet, Member};
use crate::event::{Actions, CallFailure, VersionNo};
use crate::version::Want;

/// So many versions that cannot start now are looked at for one event; the others are looked at once these have started.
const LOOKS: usize = 64;

impl Fleet {
    /// Starts what may start, and sees to it that room comes free for the rest.
    pub(super) fn make_room(&mut self, now: Duration, actions: &mut Actions) {
        self.shrink(now, actions);
        let mut claimed_mib = 0;
        let (mut looks, mut after, mut somebody_waits) = (LOOKS, Bound::Unbounded, false);
        while looks > 0 && self.ledger.starting < self.machine.max_starting {
            let Some(place) = self.hungry.range((after, Bound::Unbounded)).next().copied() else { return };
            let is_short = self.is_short(place.no, claimed_mib, 0);
            // Nothing is started ahead in memory that calls wait for: it would only be stopped for them.
            if place.want == Want::Ahead && (is_short || somebody_waits) {
                return;
            }
            if !is_short {
                // Its next place in the line, if it wants more, is behind this one.
                self.start(place.no, now, actions);
                continue;
            }
            (looks, after) = (looks - 1, Bound::Excluded(place));
            if self.versions.get(&place.no).is_some_and(|member| self.never_fits(member)) {
                self.disappoint(place.no, now, actions);
            } else {
                claimed_mib += self.wait_for_room(place.no, claimed_mib, now, actions);
                somebody_waits = true;
            }
        }
    }

    /// Fails the calls of a version that can never have an instance. One that has some goes on with those.
    fn disappoint(&mut self, no: VersionNo, now: Duration, actions: &mut Actions) {
        self.change(no, now, |state| {
            if state.pool().is_empty() {
                state.fail_waiting(CallFailure::MachineFull, now, actions.of(no));
            }
        });
    }

    fn start(&mut self, no: VersionNo, now: Duration, actions: &mut Actions) {
        self.starts += 1;
        if let Some(member) = self.versions.get_mut(&no) {
            member.turn = self.starts;
        }
        self.change(no, now, |state| state.start(now, actions.of(no)));
    }

    /// True when the version has no room even if nothing else ran, beside what is kept for others.
    pub(super) fn never_fits(&self, member: &Member) -> bool {
        let kept_for_others = self.ledger.floor_mib - member.standing.floor_mib;
        member.state.expected_mib() > self.machine.memory_mib.saturating_sub(kept_for_others)
    }

    /// What a start of this version lacks, in MiB, once `coming_mib` is free. Those before it in line have claimed theirs.
    fn short_mib(&self, member: &Member, claimed_mib: u64, coming_mib: u64) -> u64 {
        let used = self.ledger.charge_mib - coming_mib + member.state.expected_mib();
        let is_reserved = member.standing.unfilled_mib > 0;
        let kept = if is_reserved { 0 } else { self.ledger.unfilled_mib + claimed_mib };
        (used + kept).saturating_sub(self.machine.memory_mib)
    }

    /// Makes room for a version that cannot start now; what it claims of the memory that comes free, in MiB.
    fn wait_for_room(
        &mut self,
        no: VersionNo,
        claimed_mib: u64,
        now: Duration,
        actions: &mut Actions,
    ) -> u64 {
        let Some(member) = self.versions.get(&no) else { return 0 };
        let size_mib = member.state.expected_mib();
        let has_nothing = member.state.pool().is_empty();
        // What is stopped in vain is missed: for one instance more only when it will fit then.
        let short = self.short_mib(member, claimed_mib, self.ledger.stopping_mib);
        if has_nothing || short <= self.ledger.evictable_mib {
            while self.is_short(no, claimed_mib, self.ledger.stopping_mib) && self.evict_one(now, actions) {}
        }
        if !has_nothing {
            return 0;
        }
        while self.is_short(no, claimed_mib, self.ledger.stopping_mib + self.ledger.leaving_mib)
            && self.richest_gives_up_one(now, actions)
        {}
        size_mib
    }

    fn is_short(&self, no: VersionNo, claimed_mib: u64, coming_mib: u64) -> bool {
        let member = self.versions.get(&no);
        member.is_some_and(|member| self.short_mib(member, claimed_mib, coming_mib) > 0)
    }

    /// Stops the least valuable idle instance. False when there is none that may go.
    fn evict_one(&mut self, now: Duration, actions: &mut Actions) -> bool {
        let Some((value, no)) = self.victims.first().copied() else { return false };
        self.clock = self.clock.max(value);
        self.change(no, now, |state| state.evict(actions.of(no)));
        true
    }

    /// The version that holds the most, of those that may, lets one instance go. False when none can.
    ///
    /// That it holds more than its share needs no test: were nobody above the share, a start up to the share would fit.
    /// A start larger than the share has its turn too, or small ones could starve it.
    fn richest_gives_up_one(&mut self, now: Duration, actions: &mut Actions) -> bool {
        let holders = self.holders.iter().rev().take(LOOKS).map(|(_, no)| *no);
        let Some(no) = holders.into_iter().find(|no| self.can_give_up(*no)) else { return false };
        let mut given_up = false;
        self.change(no, now, |state| given_up = state.give_up_one(now, actions.of(no)));
        given_up
    }

    fn can_give_up(&self, no: VersionNo) -> bool {
        self.versions.get(&no).is_some_and(|Member { state, .. }| {
            let ready = state.pool().totals().ready;
            state.pool().hopeful() > state.floor() && ready > state.minimum()
        })
    }

    /// Instances may have grown beyond the budget: then idle ones go.
    fn shrink(&mut self, now: Duration, actions: &mut Actions) {
        while self.ledger.charge_mib - self.ledger.stopping_mib > self.machine.memory_mib
            && self.evict_one(now, actions)
        {}
    }
}
