//! Tests as stories in virtual time: each line is one thing that happens, and what is done about it.

use std::time::Duration;

use modelet_core::manifest::KeepAlive;

use crate::{
    Action, CallFailure, CallNo, Event, Fleet, InstanceNo, Limits, Machine, Rejection, StopReason, VersionNo,
};

pub(crate) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Two instances of two calls each, three waiting, a second of idleness, 100 MiB.
pub(crate) fn limits() -> Limits {
    Limits {
        concurrency: 2,
        max_instances: 2,
        min_instances: 0,
        reserved_instances: 0,
        prewarmed_instances: 0,
        queue_limit: 3,
        rate_limit_per_s: 0,
        rate_burst: 0,
        keep_alive: KeepAlive::Fixed,
        idle_timeout: ms(1_000),
        load_timeout: ms(10_000),
        request_timeout: ms(2_000),
        drain_timeout: ms(3_000),
        recycle_calls: 0,
        memory_mib: 100,
        expected_memory_mib: 100,
        backoff_first: ms(500),
        backoff_max: ms(4_000),
    }
}

/// A machine with room for everything.
pub(crate) const AMPLE: Machine = Machine { memory_mib: 1 << 20, max_calls: 10_000, max_starting: 1_000 };

/// Versions 1, 2, … on a machine. `on` speaks to version 1, `on_of` to any.
pub(crate) struct Story {
    pub(crate) fleet: Fleet,
    pub(crate) now: Duration,
}

impl Story {
    /// One live version on an ample machine.
    pub(crate) fn new(limits: Limits) -> Self {
        Self::on_machine(AMPLE, [limits])
    }

    /// Live versions on this machine.
    pub(crate) fn on_machine(machine: Machine, versions: impl IntoIterator<Item = Limits>) -> Self {
        let mut story = Self { fleet: Fleet::new(machine), now: ms(0) };
        for limits in versions {
            let no = story.fleet.add(limits);
            story.fleet.step(no, Event::Live, story.now);
        }
        story
    }

    /// A version with one ready instance, number 1, and no call.
    pub(crate) fn warm(limits: Limits) -> Self {
        let mut story = Self::new(limits);
        assert_eq!(story.arrive(0), [start(1)]);
        assert_eq!(story.on(Event::Ready(InstanceNo(1))), [assign(0, 1)]);
        assert_eq!(story.on(Event::Finished(CallNo(0))), []);
        story
    }

    pub(crate) fn at(&mut self, now_ms: u64) -> &mut Self {
        self.now = ms(now_ms);
        self
    }

    /// Something happens to version 1, which is the only one.
    pub(crate) fn on(&mut self, event: Event) -> Vec<Action> {
        let actions = self.on_of(1, event);
        assert!(actions.iter().all(|(no, _)| *no == 1), "{actions:?}");
        actions.into_iter().map(|(_, action)| action).collect()
    }

    pub(crate) fn on_of(&mut self, version: u64, event: Event) -> Vec<(u64, Action)> {
        let actions = self.fleet.step(VersionNo(version), event, self.now);
        actions.into_iter().map(|(no, action)| (no.0, action)).collect()
    }

    pub(crate) fn arrive(&mut self, call: u64) -> Vec<Action> {
        self.on(Event::Arrived(CallNo(call)))
    }

    pub(crate) fn arrive_at(&mut self, version: u64, call: u64) -> Vec<(u64, Action)> {
        self.on_of(version, Event::Arrived(CallNo(call)))
    }

    pub(crate) fn finish(&mut self, call: u64) -> Vec<Action> {
        self.on(Event::Finished(CallNo(call)))
    }

    pub(crate) fn ready(&mut self, instance: u64) -> Vec<Action> {
        self.on(Event::Ready(InstanceNo(instance)))
    }

    pub(crate) fn exited(&mut self, instance: u64) -> Vec<Action> {
        self.on(Event::Exited(InstanceNo(instance)))
    }

    /// The time comes, and everything that is due then; what the platform's timer would do.
    pub(crate) fn tick(&mut self, now_ms: u64) -> Vec<Action> {
        self.now = ms(now_ms);
        self.fleet.tick(self.now).into_iter().map(|(_, action)| action).collect()
    }

    /// Time goes by until something is done; what, and when.
    pub(crate) fn sleep(&mut self) -> (Duration, Vec<Action>) {
        while let Some(due) = self.fleet.next_wake() {
            assert!(due > self.now, "what is due at {due:?} was acted on at {:?}", self.now);
            self.now = due;
            let actions = self.fleet.tick(due);
            if !actions.is_empty() {
                return (due, actions.into_iter().map(|(_, action)| action).collect());
            }
        }
        (self.now, Vec::new())
    }

    /// Versions 1 and so on get one ready instance each, number 1, by a call that has ended.
    pub(crate) fn warm_all(&mut self, versions: std::ops::RangeInclusive<u64>) {
        for version in versions {
            self.make_ready(version, 1, 0);
            self.on_of(version, Event::Finished(CallNo(0)));
        }
    }

    /// A call of a version starts an instance and is assigned to it.
    pub(crate) fn make_ready(&mut self, version: u64, instance: u64, call: u64) {
        assert_eq!(self.arrive_at(version, call), [(version, start(instance))]);
        let ready = self.on_of(version, Event::Ready(InstanceNo(instance)));
        assert_eq!(ready, [(version, assign(call, instance))]);
    }
}

pub(crate) fn start(instance: u64) -> Action {
    Action::Start(InstanceNo(instance))
}

pub(crate) fn assign(call: u64, instance: u64) -> Action {
    Action::Assign(CallNo(call), InstanceNo(instance))
}

pub(crate) fn reject(call: u64, why: Rejection) -> Action {
    Action::Reject(CallNo(call), why)
}

pub(crate) fn fail(call: u64, why: CallFailure) -> Action {
    Action::Fail(CallNo(call), why)
}

pub(crate) fn stop(instance: u64, why: StopReason) -> Action {
    Action::Stop(InstanceNo(instance), why)
}
