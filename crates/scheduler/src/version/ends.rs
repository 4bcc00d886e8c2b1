//! Calls and instances that end: by themselves, by their deadlines, or because nobody needs them.

use std::time::Duration;

use super::{Backoff, VersionState};
use crate::event::{Action, Actions, CallFailure, CallNo, InstanceNo, StopReason};
use crate::pool::Phase;

impl VersionState {
    pub(super) fn ended(&mut self, call: CallNo, now: Duration) {
        if let Some(Some(no)) = self.calls.end(call) {
            self.pool.change(no, |instance| {
                instance.in_flight -= 1;
                if let Phase::Ready { idle_since } = &mut instance.phase {
                    *idle_since = now;
                }
            });
        }
    }

    /// An instance ended without a look at a call. Another one takes it; where that has to load first, the call waits for it as
    /// one that has just come.
    pub(super) fn not_taken(&mut self, call: CallNo) {
        let Some(no) = self.calls.take_back(call) else { return };
        self.take_no_more(no, StopReason::Gone);
        self.pool.change(no, |instance| instance.in_flight -= 1);
        if self.pool.totals().ready == 0 {
            self.calls.extend(call, self.limits.load_timeout);
        }
    }

    pub(super) fn exited(&mut self, no: InstanceNo, now: Duration, actions: &mut Actions) {
        let Some(instance) = self.pool.remove(no) else { return };
        if matches!(instance.phase, Phase::Starting { .. }) {
            self.start_failed(no, CallFailure::StartFailed(no), now, actions);
        } else {
            self.fail_calls_of(no, CallFailure::InstanceDied(no), actions);
            let used = instance.peak_mib.filter(|_| instance.calls > 0);
            self.measured_mib = used.or(self.measured_mib);
        }
        if self.pool.is_empty() {
            self.frequency = self.calls.len() as u64;
        }
    }

    /// Fails the calls of an instance that is stuck, and stops it at once. Between calls nothing is wrong with it.
    pub(super) fn stuck(&mut self, no: InstanceNo, actions: &mut Actions) {
        let works = |phase| matches!(phase, Phase::Ready { .. } | Phase::Leaving(_));
        if self.pool.get(no).is_some_and(|instance| works(instance.phase) && instance.in_flight > 0) {
            self.fail_calls_of(no, CallFailure::Stuck(no), actions);
            self.pool.change(no, |instance| instance.in_flight = 0);
            self.stop(no, StopReason::Stuck, actions);
        }
    }

    fn fail_calls_of(&mut self, no: InstanceNo, why: CallFailure, actions: &mut Actions) {
        for call in self.calls.list(Some(no)) {
            self.calls.end(call);
            actions.push(Action::Fail(call, why));
        }
    }

    /// Backs off, and fails the calls that have no other instance to hope for.
    fn start_failed(&mut self, no: InstanceNo, why: CallFailure, now: Duration, actions: &mut Actions) {
        let failures = self.backoff.map_or(0, |b| b.failures).saturating_add(1);
        let wait = self.limits.backoff_first * 2_u32.saturating_pow(failures.min(16) - 1);
        let until = now + wait.min(self.limits.backoff_max);
        self.backoff = Some(Backoff { failures, until, instance: no });
        if self.pool.hopeful() == 0 {
            while let Some(call) = self.calls.first_waiting() {
                self.calls.end(call);
                actions.push(Action::Fail(call, why));
            }
        }
    }

    /// Ends what has used up its time.
    pub(super) fn expire(&mut self, now: Duration, actions: &mut Actions) {
        let waited = self.lateness();
        while let Some(call) = self.calls.overdue(now) {
            let instance = self.calls.end(call).flatten();
            if let Some(no) = instance {
                self.condemn(no);
            }
            let why = if instance.is_some() { CallFailure::RequestTimeout(instance) } else { waited };
            actions.push(Action::Fail(call, why));
        }
        while let Some((_, no)) = self.pool.first_loading().filter(|(deadline, _)| *deadline <= now) {
            self.stop(no, StopReason::LoadTimeout, actions);
            self.start_failed(no, CallFailure::LoadTimeout(no), now, actions);
        }
        if self.drain_deadline.is_some_and(|deadline| deadline <= now) {
            for call in self.calls.list(None) {
                self.ended(call, now);
                actions.push(Action::Fail(call, CallFailure::Draining));
            }
        }
    }

    /// Why a call waits that no instance has: where none is and none loads, though one may, the machine has no room.
    fn lateness(&self) -> CallFailure {
        if self.pool.hopeful() == 0 && self.pool.len() < self.limits.max_instances {
            CallFailure::MachineFull
        } else {
            CallFailure::RequestTimeout(None)
        }
    }

    pub(super) fn stop_unneeded(&mut self, now: Duration, actions: &mut Actions) {
        while let Some(no) = self.pool.first_done() {
            let Some(Phase::Leaving(why)) = self.pool.get(no).map(|instance| instance.phase) else { return };
            self.stop(no, why, actions);
        }
        if self.drain_deadline.is_some() && self.calls.waiting() == 0 {
            while let Some((_, no)) = self.pool.first_loading().or_else(|| self.pool.longest_idle()) {
                self.stop(no, StopReason::Draining, actions);
            }
        }
        let kept = self.kept(now);
        while self.pool.totals().ready > kept
            && let Some((since, no)) = self.pool.longest_idle()
            && self.kept_until(since) <= now
        {
            self.stop(no, StopReason::Idle, actions);
        }
    }

    pub(super) fn stop(&mut self, no: InstanceNo, reason: StopReason, actions: &mut Actions) {
        self.pool.change(no, |instance| instance.phase = Phase::Stopping);
        actions.push(Action::Stop(no, reason));
    }

    /// The instance finishes its calls, and goes.
    pub(super) fn take_no_more(&mut self, no: InstanceNo, why: StopReason) {
        self.pool.change(no, |instance| {
            if matches!(instance.phase, Phase::Ready { .. }) {
                instance.phase = Phase::Leaving(why);
            }
        });
    }

    /// A call in it is late: it may be stuck, and is not asked for a last word, whatever else it was to go for.
    fn condemn(&mut self, no: InstanceNo) {
        self.pool.change(no, |instance| {
            instance.in_flight -= 1;
            if matches!(instance.phase, Phase::Ready { .. } | Phase::Leaving(_)) {
                instance.phase = Phase::Leaving(StopReason::Condemned);
            }
        });
    }
}
