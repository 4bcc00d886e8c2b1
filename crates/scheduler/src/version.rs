//! One version: what an event means to its calls and instances. What it may start is for the fleet to say.
//!
//! - [`wants`]: how many instances it wants, and when it wants to be asked again
//! - [`ends`]: calls and instances that end

mod ends;
mod wants;

use std::ops::AddAssign;
use std::time::Duration;

use crate::autoscale::Autoscaler;
use crate::calls::Calls;
use crate::event::{Action, Actions, CallFailure, CallNo, Event, InstanceNo, Rejection, StopReason, Wear};
use crate::keep_alive::{Policy, policy};
use crate::limits::Limits;
use crate::pool::{Phase, Pool};
use crate::rate::{Rate, RateLimit};

pub(crate) use wants::Want;

/// Everything the scheduler knows of one version.
#[derive(Debug)]
pub struct VersionState {
    limits: Limits,
    pool: Pool,
    calls: Calls,
    rate: Rate,
    usage: Usage,
    policy: Box<dyn Policy>,
    /// There while a version with a concurrency above one is in use.
    autoscaler: Option<Box<Autoscaler>>,
    backoff: Option<Backoff>,
    drain_deadline: Option<Duration>,
    live: bool,
    /// What one instance is taken to need, in MiB, as far as one has been measured.
    measured_mib: Option<u64>,
    /// How long the last start took.
    load_time: Duration,
    /// Calls since the version was last without an instance.
    frequency: u64,
}

/// Whether the version has calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Usage {
    Never,
    Now,
    Since(Duration),
}

#[derive(Debug, Clone, Copy)]
struct Backoff {
    failures: u32,
    until: Duration,
    instance: InstanceNo,
}

/// How many of each there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Instances that load.
    pub starting: usize,
    /// Instances that take calls.
    pub ready: usize,
    /// Instances that finish their calls or their process.
    pub stopping: usize,
    /// Calls that wait.
    pub waiting: usize,
    /// Calls that an instance works on.
    pub in_flight: usize,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.starting += other.starting;
        self.ready += other.ready;
        self.stopping += other.stopping;
        self.waiting += other.waiting;
        self.in_flight += other.in_flight;
    }
}

impl VersionState {
    /// A version at zero, not live.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            pool: Pool::new(limits.concurrency),
            calls: Calls::default(),
            rate: Rate::default(),
            usage: Usage::Never,
            policy: policy(limits.keep_alive, limits.idle_timeout),
            autoscaler: None,
            backoff: None,
            drain_deadline: None,
            live: false,
            measured_mib: None,
            load_time: Duration::ZERO,
            frequency: 0,
            limits,
        }
    }

    /// Changes the state by what happened and says what is to be done, in order.
    ///
    /// Unknown numbers (a call that has already ended, an instance that is gone) are no error: the event came late.
    pub(crate) fn step(&mut self, event: Event, now: Duration, actions: &mut Actions) {
        match event {
            Event::Arrived(call) => self.arrived(call, now, actions),
            Event::Finished(call) | Event::Left(call) => self.ended(call, now),
            Event::NotTaken(call) => self.not_taken(call),
            Event::Ready(no) => self.ready(no, now),
            Event::Exited(no) => self.exited(no, now, actions),
            Event::Measured(no, mib) => self.measured(no, mib),
            Event::Worn(no, wear) => self.take_no_more(no, StopReason::Worn(wear)),
            Event::Stuck(no) => self.stuck(no, actions),
            Event::Live => self.live = true,
            Event::Retired => self.live = false,
            Event::Drain => self.drain_deadline = Some(now + self.limits.drain_timeout),
            Event::Tick => self.expire(now, actions),
        }
        self.follow(now, actions);
    }

    /// True when the version drains and nothing of it is left.
    pub(crate) fn is_drained(&self) -> bool {
        self.drain_deadline.is_some() && self.calls.is_empty() && self.pool.is_empty()
    }

    /// How many of each there are.
    pub(crate) fn counts(&self) -> Counts {
        let totals = self.pool.totals();
        Counts {
            starting: totals.starting,
            ready: totals.ready,
            stopping: self.pool.len() - totals.starting - totals.ready,
            waiting: self.calls.waiting(),
            in_flight: totals.in_flight,
        }
    }

    /// Its instances.
    pub(crate) const fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Its calls.
    pub(crate) const fn calls(&self) -> &Calls {
        &self.calls
    }

    /// What one instance is taken to need, in MiB: what the last one held at most, before the first the estimate.
    pub(crate) fn expected_mib(&self) -> u64 {
        self.measured_mib.unwrap_or(self.limits.expected_memory_mib).clamp(1, self.limits.memory_mib.max(1))
    }

    /// What keeping an instance of it is worth, for each MiB: frequency × cost of a start / size.
    ///
    /// Source: greedy-dual caching, as FaasCache (Fuerst and Sharma, ASPLOS 2021) applies it. The cost is in µs.
    pub(crate) fn worth(&self) -> u64 {
        let cost_us = u64::try_from(self.load_time.as_micros()).unwrap_or(u64::MAX).max(1);
        self.frequency.saturating_mul(cost_us) / self.expected_mib()
    }

    /// Starts an instance: the fleet has found room.
    pub(crate) fn start(&mut self, now: Duration, actions: &mut Actions) {
        let no = self.pool.start(self.limits.load_timeout, self.expected_mib(), now);
        actions.push(Action::Start(no));
    }

    /// Stops the instance that has been idle for longest: its memory is needed.
    pub(crate) fn evict(&mut self, actions: &mut Actions) {
        if let Some((_, no)) = self.pool.longest_idle() {
            self.stop(no, StopReason::Evicted, actions);
        }
    }

    /// Lets one instance end its calls and go: another version has nothing. False when there is none that could.
    pub(crate) fn give_up_one(&mut self, now: Duration, actions: &mut Actions) -> bool {
        let Some(no) = self.pool.soonest_done() else { return false };
        self.take_no_more(no, StopReason::GivenUp);
        self.follow(now, actions);
        true
    }

    /// Fails what waits: there can never be an instance for it.
    pub(crate) fn fail_waiting(&mut self, why: CallFailure, now: Duration, actions: &mut Actions) {
        while let Some(call) = self.calls.first_waiting() {
            self.calls.end(call);
            actions.push(Action::Fail(call, why));
        }
        self.follow(now, actions);
    }

    /// What every change may entail.
    fn follow(&mut self, now: Duration, actions: &mut Actions) {
        self.assign_waiting(actions);
        self.note_usage(now);
        self.stop_unneeded(now, actions);
    }

    fn arrived(&mut self, call: CallNo, now: Duration, actions: &mut Actions) {
        if let Some(rejection) = self.refusal(now) {
            return actions.push(Action::Reject(call, rejection));
        }
        if let Some(limit) = self.rate_limit() {
            self.rate.take(limit, now);
        }
        let load = if self.pool.totals().ready > 0 { Duration::ZERO } else { self.limits.load_timeout };
        self.calls.hold(call, now + load + self.limits.request_timeout);
        self.frequency += 1;
    }

    fn refusal(&self, now: Duration) -> Option<Rejection> {
        if self.drain_deadline.is_some() {
            return Some(Rejection::Draining);
        }
        let wait = self.rate_limit().map_or(Duration::ZERO, |limit| self.rate.wait(limit, now));
        if !wait.is_zero() {
            return Some(Rejection::Throttled { retry_in_ms: ms_up(wait) });
        }
        if let Some(backoff) = self.backoff.filter(|b| now < b.until && self.pool.hopeful() == 0) {
            let retry_in_ms = ms_up(backoff.until - now);
            return Some(Rejection::StartBackoff { instance: backoff.instance, retry_in_ms });
        }
        // What can be taken at once, or by an instance that starts or may start, does not wait in the queue's sense.
        let totals = self.pool.totals();
        let startable = self.limits.max_instances.saturating_sub(self.pool.len());
        let taken_soon =
            (totals.starting + startable).saturating_mul(self.limits.concurrency) + totals.free_slots;
        let full = self.calls.waiting() >= self.limits.queue_limit.saturating_add(taken_soon);
        full.then_some(Rejection::QueueFull)
    }

    fn rate_limit(&self) -> Option<RateLimit> {
        RateLimit::new(self.limits.rate_limit_per_s, self.limits.rate_burst)
    }

    fn ready(&mut self, no: InstanceNo, now: Duration) {
        let Some(Phase::Starting { since, .. }) = self.pool.get(no).map(|instance| instance.phase) else {
            return;
        };
        self.pool.change(no, |instance| {
            instance.phase = Phase::Ready { idle_since: now };
            instance.charge_mib = instance.peak_mib.unwrap_or(instance.charge_mib);
        });
        self.backoff = None;
        self.load_time = now - since;
        self.calls.wait_until(now + self.limits.request_timeout);
    }

    /// While it loads an instance is charged with what it is expected to become.
    fn measured(&mut self, no: InstanceNo, mib: u64) {
        let mib = mib.clamp(1, self.limits.memory_mib.max(1));
        let (expected, mut loaded) = (self.expected_mib(), false);
        self.pool.change(no, |instance| {
            loaded = matches!(instance.phase, Phase::Ready { .. });
            let starting = matches!(instance.phase, Phase::Starting { .. });
            instance.charge_mib = if starting { mib.max(expected) } else { mib };
            instance.peak_mib = Some(instance.peak_mib.map_or(mib, |peak| peak.max(mib)));
        });
        if loaded {
            self.measured_mib = Some(self.measured_mib.map_or(mib, |peak| peak.max(mib)));
        }
    }

    fn assign_waiting(&mut self, actions: &mut Actions) {
        while self.calls.waiting() > 0 {
            let Some(no) = self.pool.least_loaded() else { return };
            let Some(call) = self.calls.assign_first(no) else { return };
            let last = self.limits.recycle_calls;
            self.pool.change(no, |instance| {
                instance.in_flight += 1;
                instance.calls += 1;
                if instance.calls == last {
                    instance.phase = Phase::Leaving(StopReason::Worn(Wear::Calls));
                }
            });
            actions.push(Action::Assign(call, no));
        }
    }

    fn note_usage(&mut self, now: Duration) {
        match self.usage {
            Usage::Now if self.calls.is_empty() => self.usage = Usage::Since(now),
            Usage::Never if !self.calls.is_empty() => self.usage = Usage::Now,
            Usage::Since(since) if !self.calls.is_empty() => {
                self.policy.idle_ended(now - since);
                self.usage = Usage::Now;
            }
            _ => {}
        }
        if self.limits.concurrency > 1 && (self.usage == Usage::Now || self.autoscaler.is_some()) {
            let new = || Box::new(Autoscaler::new(self.limits.concurrency, now));
            let autoscaler = self.autoscaler.get_or_insert_with(new);
            autoscaler.observe(self.calls.len(), self.pool.totals().ready, now);
            if autoscaler.is_quiet(now) {
                self.autoscaler = None;
            }
        }
    }
}

/// Whole milliseconds, rounded up.
fn ms_up(wait: Duration) -> u64 {
    u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
