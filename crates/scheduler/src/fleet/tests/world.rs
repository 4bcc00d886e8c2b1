//! The world outside the scheduler: what it asked for, what became of it, and what it must never ask for. It counts
//! everything itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use modelet_core::manifest::KeepAlive;

use super::super::Fleet;
use crate::story::{AMPLE, ms};
use crate::{
    Action, CallFailure, CallNo, Event, InstanceNo, Limits, Machine, Rejection, StopReason, VersionNo,
};

/// SplitMix64 (public domain, Sebastiano Vigna): small, seeded, good enough to choose events.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.roll(from.len() as u64) as usize])
    }

    /// Mostly small.
    fn few(&mut self, sides: u64) -> usize {
        self.roll(sides).saturating_sub(sides / 2) as usize
    }
}

/// One version as the world sees it.
pub(super) struct Member {
    pub(super) limits: Limits,
    live: bool,
    pub(super) draining: bool,
    pub(super) waiting: BTreeSet<CallNo>,
    pub(super) assigned: BTreeMap<CallNo, InstanceNo>,
    pub(super) starting: BTreeSet<InstanceNo>,
    pub(super) ready: BTreeSet<InstanceNo>,
    /// Ready ones that may get no more calls.
    closed: BTreeSet<InstanceNo>,
    pub(super) stopping: BTreeSet<InstanceNo>,
    served: BTreeMap<InstanceNo, u64>,
    last_instance: u64,
}

pub(super) struct World {
    pub(super) seed: u64,
    pub(super) fleet: Fleet,
    pub(super) machine: Machine,
    pub(super) now: Duration,
    pub(super) members: BTreeMap<VersionNo, Member>,
    pub(super) calls: u64,
    pub(super) answered: BTreeSet<CallNo>,
    /// True once an instance was measured at more than it was charged with.
    pub(super) grown: bool,
}

pub(super) fn random_limits(dice: &mut Dice) -> Limits {
    let memory_mib = 50 + dice.roll(200);
    Limits {
        concurrency: 1 + dice.roll(4) as usize,
        max_instances: 1 + dice.roll(4) as usize,
        min_instances: dice.few(4),
        reserved_instances: dice.few(4),
        prewarmed_instances: dice.few(4),
        queue_limit: dice.roll(6) as usize,
        rate_limit_per_s: if dice.roll(4) == 0 { 1 + dice.roll(50) } else { 0 },
        rate_burst: dice.roll(10),
        keep_alive: if dice.roll(2) == 0 { KeepAlive::Fixed } else { KeepAlive::Hybrid },
        idle_timeout: ms(dice.roll(2_000)),
        load_timeout: ms(1 + dice.roll(2_000)),
        request_timeout: ms(1 + dice.roll(2_000)),
        drain_timeout: ms(dice.roll(2_000)),
        recycle_calls: if dice.roll(3) == 0 { 1 + dice.roll(6) } else { 0 },
        memory_mib,
        expected_memory_mib: 20 + dice.roll(memory_mib),
        backoff_first: ms(1 + dice.roll(500)),
        backoff_max: ms(1 + dice.roll(2_000)),
    }
}

impl World {
    pub(super) fn new(seed: u64, dice: &mut Dice) -> Self {
        let machine = Machine {
            memory_mib: if dice.roll(8) == 0 { AMPLE.memory_mib } else { 100 + dice.roll(800) },
            max_calls: if dice.roll(4) == 0 { 1 + dice.roll(12) as usize } else { 1_000 },
            max_starting: 1 + dice.roll(4) as usize,
        };
        Self {
            seed,
            fleet: Fleet::new(machine),
            machine,
            now: ms(0),
            members: BTreeMap::new(),
            calls: 0,
            answered: BTreeSet::new(),
            grown: false,
        }
    }

    pub(super) fn add(&mut self, dice: &mut Dice) {
        let limits = random_limits(dice);
        let no = self.fleet.add(limits.clone());
        self.members.insert(no, Member::new(limits));
        self.happen(no, Event::Live);
    }

    pub(super) fn happen(&mut self, no: VersionNo, event: Event) {
        self.note(no, event);
        let actions = self.fleet.step(no, event, self.now);
        self.carry_out(actions);
    }

    pub(super) fn tick(&mut self) {
        let actions = self.fleet.tick(self.now);
        self.carry_out(actions);
        let late = self.fleet.next_wake().filter(|due| *due <= self.now && self.fleet.calls() == 0);
        assert_eq!(late, None, "seed {}: due again at once", self.seed);
    }

    fn note(&mut self, no: VersionNo, event: Event) {
        let seed = self.seed;
        let Some(member) = self.members.get_mut(&no) else { panic!("seed {seed}: {no:?} is not known") };
        match event {
            Event::Arrived(call) => assert!(member.waiting.insert(call)),
            Event::Finished(call) | Event::Left(call) => self.end(no, call),
            Event::NotTaken(call) => {
                let instance = member.assigned.remove(&call);
                assert!(member.waiting.insert(call));
                member.closed.extend(instance);
            }
            Event::Ready(instance) => {
                assert!(member.starting.remove(&instance) && member.ready.insert(instance));
            }
            Event::Exited(instance) => member.forget(instance),
            Event::Worn(instance, _) if member.ready.contains(&instance) => {
                member.closed.insert(instance);
            }
            Event::Measured(..) => self.grown = true,
            Event::Live => member.live = true,
            Event::Retired => member.live = false,
            Event::Drain => member.draining = true,
            Event::Tick | Event::Worn(..) | Event::Stuck(_) => {}
        }
    }

    fn end(&mut self, no: VersionNo, call: CallNo) {
        let Some(member) = self.members.get_mut(&no) else { panic!("seed {}: {no:?} is gone", self.seed) };
        let had = member.waiting.remove(&call) | member.assigned.remove(&call).is_some();
        assert!(had, "seed {}: {call:?} of {no:?} ended but was not open", self.seed);
        assert!(self.answered.insert(call), "seed {}: {call:?} was answered twice", self.seed);
    }

    fn carry_out(&mut self, actions: Vec<(VersionNo, Action)>) {
        for (no, action) in actions {
            match action {
                Action::Start(instance) => self.started(no, instance),
                Action::Assign(call, instance) => self.assigned(no, call, instance),
                Action::Stop(instance, why) => self.stopped(no, instance, why),
                Action::Reject(call, Rejection::TooManyCalls) => {
                    let held = self.members.values().map(Member::calls).sum::<usize>();
                    assert!(held * 10 >= self.machine.max_calls * 9, "seed {}: refused at {held}", self.seed);
                    self.end(no, call);
                }
                Action::Fail(call, CallFailure::RequestTimeout(Some(instance))) => {
                    self.end(no, call);
                    self.close(no, instance);
                }
                Action::Reject(call, _) | Action::Fail(call, _) => self.end(no, call),
            }
        }
        self.check();
    }

    fn close(&mut self, no: VersionNo, instance: InstanceNo) {
        if let Some(member) = self.members.get_mut(&no) {
            member.closed.insert(instance);
        }
    }

    fn started(&mut self, no: VersionNo, instance: InstanceNo) {
        let (seed, budget) = (self.seed, self.machine.memory_mib);
        let Some(member) = self.members.get_mut(&no) else { panic!("seed {seed}: {no:?} is gone") };
        member.last_instance += 1;
        assert_eq!(instance.0, member.last_instance, "seed {seed}: a number was used twice");
        member.starting.insert(instance);
        let starting: usize = self.members.values().map(|member| member.starting.len()).sum();
        assert!(starting <= self.machine.max_starting, "seed {seed}: {starting} load at once");
        if !self.grown {
            // Nothing was measured: every instance is charged with the estimate of its version.
            let held: u64 = self.members.values().map(|m| m.instances() as u64 * m.size_mib()).sum();
            let kept: u64 = self.members.values().map(Member::unfilled_mib).sum();
            assert!(held <= budget, "seed {seed}: {held} MiB of {budget}");
            let member = &self.members[&no];
            let own = member.instances() <= member.floor();
            assert!(own || held + kept <= budget, "seed {seed}: {no:?} took what is kept for others");
        }
        assert!(self.fleet.memory_mib() <= budget, "seed {seed}: a start beyond the budget");
    }

    fn assigned(&mut self, no: VersionNo, call: CallNo, instance: InstanceNo) {
        let seed = self.seed;
        let Some(member) = self.members.get_mut(&no) else { panic!("seed {seed}: {no:?} is gone") };
        assert!(member.waiting.remove(&call), "seed {seed}: {call:?} assigned but not waiting");
        assert!(
            member.ready.contains(&instance),
            "seed {seed}: {call:?} for {instance:?}, which is not ready"
        );
        assert!(
            !member.closed.contains(&instance),
            "seed {seed}: {call:?} for {instance:?}, which is leaving"
        );
        member.assigned.insert(call, instance);
        let served = member.served.entry(instance).or_default();
        *served += 1;
        let last = member.limits.recycle_calls;
        assert!(last == 0 || *served <= last, "seed {seed}: {instance:?} has had {served} calls");
    }

    fn stopped(&mut self, no: VersionNo, instance: InstanceNo, why: StopReason) {
        let seed = self.seed;
        let Some(member) = self.members.get_mut(&no) else { panic!("seed {seed}: {no:?} is gone") };
        let busy = member.assigned.values().any(|of| *of == instance);
        assert!(!busy, "seed {seed}: busy {instance:?} stopped: {why:?}");
        let known = member.starting.remove(&instance) | member.ready.remove(&instance);
        assert!(known, "seed {seed}: {instance:?} stopped twice or never started");
        member.stopping.insert(instance);
        let left = member.starting.len() + member.ready.difference(&member.closed).count();
        if why == StopReason::Evicted {
            assert!(left >= member.floor(), "seed {seed}: {instance:?} was kept for {no:?}, but evicted");
        }
    }

    fn check(&self) {
        let seed = self.seed;
        let mut held = 0;
        for (no, member) in &self.members {
            member.check(seed, self.fleet.counts(*no));
            held += member.calls();
            let nothing = member.instances() == 0 && self.fleet.next_wake().is_none();
            assert!(member.waiting.is_empty() || !nothing, "seed {seed}: calls wait for nothing");
        }
        assert_eq!(self.fleet.calls(), held, "seed {seed}: calls held");
        assert!(held <= self.machine.max_calls, "seed {seed}: {held} calls held");
    }
}

impl Member {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            live: false,
            draining: false,
            waiting: BTreeSet::new(),
            assigned: BTreeMap::new(),
            starting: BTreeSet::new(),
            ready: BTreeSet::new(),
            closed: BTreeSet::new(),
            stopping: BTreeSet::new(),
            served: BTreeMap::new(),
            last_instance: 0,
        }
    }

    pub(super) fn calls(&self) -> usize {
        self.waiting.len() + self.assigned.len()
    }

    pub(super) fn instances(&self) -> usize {
        self.starting.len() + self.ready.len() + self.stopping.len()
    }

    /// What is kept for it, in instances.
    pub(super) fn floor(&self) -> usize {
        let wanted = self.limits.min_instances.max(self.limits.reserved_instances);
        if self.live && !self.draining { wanted.min(self.limits.max_instances) } else { 0 }
    }

    fn size_mib(&self) -> u64 {
        self.limits.expected_memory_mib.min(self.limits.memory_mib)
    }

    fn unfilled_mib(&self) -> u64 {
        self.floor().saturating_sub(self.instances()) as u64 * self.size_mib()
    }

    fn forget(&mut self, instance: InstanceNo) {
        self.starting.remove(&instance);
        self.ready.remove(&instance);
        self.stopping.remove(&instance);
    }

    fn check(&self, seed: u64, counts: crate::Counts) {
        assert!(self.instances() <= self.limits.max_instances, "seed {seed}: {} instances", self.instances());
        assert_eq!(counts.starting, self.starting.len(), "seed {seed}: starting");
        assert_eq!(counts.waiting, self.waiting.len(), "seed {seed}: waiting");
        assert_eq!(counts.in_flight, self.assigned.len(), "seed {seed}: in flight");
        for no in &self.ready {
            let load = self.assigned.values().filter(|instance| *instance == no).count();
            assert!(load <= self.limits.concurrency, "seed {seed}: {no:?} has {load} calls");
        }
        let slots = self.limits.max_instances * self.limits.concurrency;
        let waiting = self.waiting.len();
        assert!(waiting <= self.limits.queue_limit + slots, "seed {seed}: {waiting} wait");
    }
}
