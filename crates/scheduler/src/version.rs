//! The state of one version, and the one function that changes it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use crate::event::{Action, CallFailure, CallNo, Event, InstanceNo, Rejection, StopReason};
use crate::limits::Limits;

/// Everything the scheduler knows of one version.
#[derive(Debug, Clone)]
pub struct VersionState {
    limits: Limits,
    instances: BTreeMap<InstanceNo, Instance>,
    /// Calls without an instance, oldest first.
    queue: VecDeque<CallNo>,
    calls: HashMap<CallNo, Call>,
    /// Deadlines of all calls that have one, waiting or assigned.
    deadlines: BTreeSet<(Duration, CallNo)>,
    backoff: Option<Backoff>,
    drain_deadline: Option<Duration>,
    last_instance: u64,
}

#[derive(Debug, Clone)]
struct Instance {
    phase: Phase,
    in_flight: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting {
        load_deadline: Duration,
    },
    Ready {
        idle_since: Duration,
    },
    /// Takes no new calls; stopped when its last one ends.
    Condemned,
    /// Told to stop; its process has not ended yet.
    Stopping,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    instance: Option<InstanceNo>,
    /// While the call waits for a first instance this leaves room for its load.
    deadline: Duration,
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

/// Changes the state by what happened and says what is to be done, in order.
///
/// Unknown numbers (a call that has already ended, an instance that is gone) are no error: the event came late.
pub fn step(state: &mut VersionState, event: Event, now: Duration) -> Vec<Action> {
    let mut actions = Vec::new();
    match event {
        Event::Arrived(call) => state.arrived(call, now, &mut actions),
        Event::Finished(call) | Event::Left(call) => state.ended(call, now),
        Event::Ready(instance) => state.ready(instance, now),
        Event::Exited(instance) => state.exited(instance, now, &mut actions),
        Event::Tick => state.expire(now, &mut actions),
        Event::Drain => state.drain_deadline = Some(now + state.limits.drain_timeout),
    }
    state.assign_waiting(&mut actions);
    state.start_for_waiting(now, &mut actions);
    state.stop_unneeded(now, &mut actions);
    actions
}

impl VersionState {
    /// A version at zero.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            instances: BTreeMap::new(),
            queue: VecDeque::new(),
            calls: HashMap::new(),
            deadlines: BTreeSet::new(),
            backoff: None,
            drain_deadline: None,
            last_instance: 0,
        }
    }

    /// When `Tick` is due next; `None` while nothing depends on time.
    pub fn next_wake(&self, now: Duration) -> Option<Duration> {
        let instances = self.instances.values().filter_map(|instance| match instance.phase {
            Phase::Starting { load_deadline } => Some(load_deadline),
            Phase::Ready { idle_since } if instance.in_flight == 0 => {
                Some(idle_since + self.limits.idle_timeout)
            }
            _ => None,
        });
        // A back-off that is over has been acted on: `step` starts what waits as soon as it may.
        let backoff = self.backoff.map(|b| b.until).filter(|until| *until > now && !self.queue.is_empty());
        let drain = self.drain_deadline.filter(|_| !self.calls.is_empty());
        let call = self.deadlines.first().map(|(deadline, _)| *deadline);
        instances.chain(backoff).chain(drain).chain(call).min()
    }

    /// True when the version drains and nothing of it is left.
    pub fn is_drained(&self) -> bool {
        self.drain_deadline.is_some() && self.calls.is_empty() && self.instances.is_empty()
    }

    /// How many of each there are.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts { waiting: self.queue.len(), ..Counts::default() };
        for instance in self.instances.values() {
            counts.in_flight += instance.in_flight;
            match instance.phase {
                Phase::Starting { .. } => counts.starting += 1,
                Phase::Ready { .. } => counts.ready += 1,
                Phase::Condemned | Phase::Stopping => counts.stopping += 1,
            }
        }
        counts
    }

    fn arrived(&mut self, call: CallNo, now: Duration, actions: &mut Vec<Action>) {
        if self.drain_deadline.is_some() {
            return actions.push(Action::Reject(call, Rejection::Draining));
        }
        let Counts { ready, starting, .. } = self.counts();
        if let Some(backoff) = self.backoff.filter(|b| now < b.until && ready + starting == 0) {
            let retry_in_ms = u64::try_from((backoff.until - now).as_millis()).unwrap_or(u64::MAX);
            let rejection = Rejection::StartBackoff { instance: backoff.instance, retry_in_ms };
            return actions.push(Action::Reject(call, rejection));
        }
        // What can be taken at once, or by an instance that starts or may start, does not wait in the queue's sense.
        let startable = self.limits.max_instances.saturating_sub(self.instances.len());
        let taken_soon = (starting + startable).saturating_mul(self.limits.concurrency) + self.free_slots();
        if self.queue.len() >= self.limits.queue_limit.saturating_add(taken_soon) {
            return actions.push(Action::Reject(call, Rejection::QueueFull));
        }
        let load = if ready > 0 { Duration::ZERO } else { self.limits.load_timeout };
        let deadline = now + load + self.limits.request_timeout;
        self.deadlines.insert((deadline, call));
        self.calls.insert(call, Call { instance: None, deadline });
        self.queue.push_back(call);
    }

    fn ended(&mut self, call: CallNo, now: Duration) {
        let Some(Call { instance, .. }) = self.forget(call) else { return };
        match instance {
            Some(instance) => self.free_slot(instance, now),
            None => self.unqueue(call),
        }
    }

    fn ready(&mut self, no: InstanceNo, now: Duration) {
        let Some(instance) = self.instances.get_mut(&no) else { return };
        if !matches!(instance.phase, Phase::Starting { .. }) {
            return;
        }
        instance.phase = Phase::Ready { idle_since: now };
        self.backoff = None;
        let deadline = now + self.limits.request_timeout;
        for call in &self.queue {
            if let Some(state) = self.calls.get_mut(call).filter(|state| state.deadline > deadline) {
                self.deadlines.remove(&(state.deadline, *call));
                self.deadlines.insert((deadline, *call));
                state.deadline = deadline;
            }
        }
    }

    fn exited(&mut self, no: InstanceNo, now: Duration, actions: &mut Vec<Action>) {
        let Some(instance) = self.instances.remove(&no) else { return };
        if matches!(instance.phase, Phase::Starting { .. }) {
            return self.start_failed(no, CallFailure::StartFailed(no), now, actions);
        }
        for call in self.calls_of(no) {
            self.forget(call);
            actions.push(Action::Fail(call, CallFailure::InstanceDied(no)));
        }
    }

    /// Backs off, and fails the calls that have no other instance to hope for.
    fn start_failed(&mut self, no: InstanceNo, why: CallFailure, now: Duration, actions: &mut Vec<Action>) {
        let failures = self.backoff.map_or(0, |b| b.failures) + 1;
        let wait = self.limits.backoff_first * 2_u32.saturating_pow(failures.min(16) - 1);
        let until = now + wait.min(self.limits.backoff_max);
        self.backoff = Some(Backoff { failures, until, instance: no });
        let Counts { starting, ready, .. } = self.counts();
        if starting + ready == 0 {
            for call in std::mem::take(&mut self.queue) {
                self.forget(call);
                actions.push(Action::Fail(call, why));
            }
        }
    }

    /// Ends what has used up its time.
    fn expire(&mut self, now: Duration, actions: &mut Vec<Action>) {
        while let Some((_, call)) = self.deadlines.first().copied().filter(|(deadline, _)| *deadline <= now) {
            let instance = self.forget(call).and_then(|call| call.instance);
            match instance {
                Some(no) => self.condemn(no),
                None => self.unqueue(call),
            }
            actions.push(Action::Fail(call, CallFailure::RequestTimeout(instance)));
        }
        let late: Vec<_> = self.instances.iter().filter(|(_, i)| i.is_late(now)).map(|(no, _)| *no).collect();
        for no in late {
            self.stop(no, StopReason::LoadTimeout, actions);
            self.start_failed(no, CallFailure::LoadTimeout(no), now, actions);
        }
        if self.drain_deadline.is_some_and(|deadline| deadline <= now) {
            let mut calls: Vec<_> = self.calls.keys().copied().collect();
            calls.sort_unstable();
            for call in calls {
                self.ended(call, now);
                actions.push(Action::Fail(call, CallFailure::Draining));
            }
        }
    }

    fn assign_waiting(&mut self, actions: &mut Vec<Action>) {
        while !self.queue.is_empty() {
            let Some(no) = self.least_loaded() else { return };
            let Some(call) = self.queue.pop_front() else { return };
            let Some(instance) = self.instances.get_mut(&no) else { return };
            instance.in_flight += 1;
            if let Some(state) = self.calls.get_mut(&call) {
                state.instance = Some(no);
            }
            actions.push(Action::Assign(call, no));
        }
    }

    /// Starts as many instances as the waiting calls would fill, at once.
    fn start_for_waiting(&mut self, now: Duration, actions: &mut Vec<Action>) {
        if self.backoff.is_some_and(|backoff| now < backoff.until) {
            return;
        }
        let wanted = self.queue.len().div_ceil(self.limits.concurrency);
        let possible = self.limits.max_instances.saturating_sub(self.instances.len());
        for _ in 0..wanted.saturating_sub(self.counts().starting).min(possible) {
            self.last_instance += 1;
            let no = InstanceNo(self.last_instance);
            let load_deadline = now + self.limits.load_timeout;
            self.instances.insert(no, Instance { phase: Phase::Starting { load_deadline }, in_flight: 0 });
            actions.push(Action::Start(no));
        }
    }

    fn stop_unneeded(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let drained = self.drain_deadline.is_some() && self.queue.is_empty();
        let idle_timeout = self.limits.idle_timeout;
        let reason = |instance: &Instance| match instance.phase {
            Phase::Starting { .. } if drained => Some(StopReason::Draining),
            Phase::Ready { .. } if drained && instance.in_flight == 0 => Some(StopReason::Draining),
            Phase::Ready { idle_since } if instance.in_flight == 0 && now >= idle_since + idle_timeout => {
                Some(StopReason::Idle)
            }
            Phase::Condemned if instance.in_flight == 0 => Some(StopReason::Condemned),
            _ => None,
        };
        let unneeded: Vec<_> =
            self.instances.iter().filter_map(|(no, instance)| Some((*no, reason(instance)?))).collect();
        for (no, reason) in unneeded {
            self.stop(no, reason, actions);
        }
    }

    fn stop(&mut self, no: InstanceNo, reason: StopReason, actions: &mut Vec<Action>) {
        if let Some(instance) = self.instances.get_mut(&no) {
            instance.phase = Phase::Stopping;
            actions.push(Action::Stop(no, reason));
        }
    }

    fn condemn(&mut self, no: InstanceNo) {
        if let Some(instance) = self.instances.get_mut(&no) {
            instance.in_flight -= 1;
            if matches!(instance.phase, Phase::Ready { .. }) {
                instance.phase = Phase::Condemned;
            }
        }
    }

    fn free_slot(&mut self, no: InstanceNo, now: Duration) {
        if let Some(instance) = self.instances.get_mut(&no) {
            instance.in_flight -= 1;
            if let Phase::Ready { idle_since } = &mut instance.phase {
                *idle_since = now;
            }
        }
    }

    /// Drops a call from the books, its place in the queue excepted.
    fn forget(&mut self, call: CallNo) -> Option<Call> {
        let state = self.calls.remove(&call)?;
        self.deadlines.remove(&(state.deadline, call));
        Some(state)
    }

    /// Takes a call out of the queue. Calls mostly time out in the order in which they came: then it is the first.
    fn unqueue(&mut self, call: CallNo) {
        if self.queue.front() == Some(&call) {
            self.queue.pop_front();
        } else {
            self.queue.retain(|waiting| *waiting != call);
        }
    }

    fn calls_of(&self, no: InstanceNo) -> Vec<CallNo> {
        let mut calls: Vec<_> =
            self.calls.iter().filter(|(_, c)| c.instance == Some(no)).map(|(call, _)| *call).collect();
        calls.sort_unstable();
        calls
    }

    /// The ready instance with the fewest calls and a free slot; the oldest of equals, so that a trickle of calls keeps
    /// one instance warm and lets the others go.
    fn least_loaded(&self) -> Option<InstanceNo> {
        let ready = self.instances.iter().filter(|(_, i)| matches!(i.phase, Phase::Ready { .. }));
        let free = ready.filter(|(_, i)| i.in_flight < self.limits.concurrency);
        free.min_by_key(|(_, i)| i.in_flight).map(|(no, _)| *no)
    }

    fn free_slots(&self) -> usize {
        let ready = self.instances.values().filter(|i| matches!(i.phase, Phase::Ready { .. }));
        ready.map(|i| self.limits.concurrency - i.in_flight).sum()
    }
}

impl Instance {
    fn is_late(&self, now: Duration) -> bool {
        matches!(self.phase, Phase::Starting { load_deadline } if load_deadline <= now)
    }
}

#[cfg(test)]
mod tests;
