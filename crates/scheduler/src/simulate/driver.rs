//! The world of a simulation: it does at once what the scheduler asks for, and says when that is done.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use super::held::Held;
use super::{Arrival, Function, Outcome, Tally};
use crate::{Action, CallNo, Event, Fleet, InstanceNo, StopReason, VersionNo};

/// What will happen, by when; what was arranged first happens first.
type Due = (Duration, u64, VersionNo, Happening);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Ready(InstanceNo),
    Finished(CallNo),
    Exited(InstanceNo),
}

/// A call that has not ended.
struct Call {
    arrived: Duration,
    duration: Duration,
    instance: Option<InstanceNo>,
}

pub(super) struct Driver<'a> {
    fleet: Fleet,
    functions: &'a [Function],
    /// The version of each function, and the function of each version.
    versions: Vec<VersionNo>,
    indices: HashMap<VersionNo, usize>,
    due: BinaryHeap<Reverse<Due>>,
    calls: HashMap<CallNo, Call>,
    instances: HashMap<(VersionNo, InstanceNo), Held>,
    /// Instances of each function now.
    running: Vec<u64>,
    /// Memory of all instances now.
    memory_mib: u64,
    outcome: Outcome,
    now: Duration,
    /// Calls and happenings so far.
    last: u64,
}

impl<'a> Driver<'a> {
    /// Every function is live, with no instance.
    pub(super) fn new(fleet: Fleet, functions: &'a [Function]) -> Self {
        let outcome = Outcome { functions: vec![Tally::default(); functions.len()], ..Outcome::default() };
        let mut driver = Self {
            fleet,
            functions,
            versions: Vec::with_capacity(functions.len()),
            indices: HashMap::with_capacity(functions.len()),
            due: BinaryHeap::new(),
            calls: HashMap::new(),
            instances: HashMap::new(),
            running: vec![0; functions.len()],
            memory_mib: 0,
            outcome,
            now: Duration::ZERO,
            last: 0,
        };
        for (index, function) in functions.iter().enumerate() {
            let no = driver.fleet.add(function.limits.clone());
            driver.versions.push(no);
            driver.indices.insert(no, index);
            driver.step(no, Event::Live);
        }
        driver
    }

    /// A call comes, now or when it is due, whichever is later.
    pub(super) fn arrive(&mut self, arrival: Arrival) {
        self.now = self.now.max(arrival.at);
        let index = arrival.function as usize;
        let call = CallNo(self.next_number());
        self.tally(index).calls += 1;
        let state = Call { arrived: self.now, duration: arrival.duration, instance: None };
        self.calls.insert(call, state);
        self.step(self.versions[index], Event::Arrived(call));
    }

    /// Lets time pass, with everything that happens until then.
    pub(super) fn pass_until(&mut self, end: Duration) {
        while let Some(next) = self.next_time().filter(|next| *next <= end) {
            self.pass_to(next);
        }
    }

    /// Lets time pass until the last call has ended, and adds up. Each call has a deadline, so this ends.
    pub(super) fn finish(mut self) -> Outcome {
        while !self.calls.is_empty()
            && let Some(next) = self.next_time()
        {
            self.pass_to(next);
        }
        let left: Vec<_> = self.instances.keys().copied().collect();
        for (no, instance) in left {
            self.end_instance(no, instance);
        }
        self.outcome.span = self.now;
        for tally in &self.outcome.functions {
            self.outcome.total.add(tally);
        }
        self.outcome
    }

    fn next_time(&self) -> Option<Duration> {
        let happening = self.due.peek().map(|Reverse((at, ..))| *at);
        [happening, self.fleet.next_wake()].into_iter().flatten().min()
    }

    /// What happens at one moment: instances and calls first, then what the scheduler wanted to be woken for.
    fn pass_to(&mut self, at: Duration) {
        self.now = self.now.max(at);
        match self.due.peek() {
            Some(Reverse((due, ..))) if *due <= self.now => self.happen(),
            _ => {
                let actions = self.fleet.tick(self.now);
                self.carry_out(actions);
            }
        }
    }

    fn happen(&mut self) {
        let Some(Reverse((_, _, no, happening))) = self.due.pop() else { return };
        match happening {
            Happening::Ready(instance) => self.ready(no, instance),
            Happening::Finished(call) => self.finished(no, call),
            Happening::Exited(instance) => {
                self.end_instance(no, instance);
                self.step(no, Event::Exited(instance));
            }
        }
    }

    /// It may have been stopped while it loaded.
    fn ready(&mut self, no: VersionNo, instance: InstanceNo) {
        let now = self.now;
        let Some(held) = self.instances.get_mut(&(no, instance)) else { return };
        held.ready(now);
        self.step(no, Event::Ready(instance));
    }

    /// It may have failed before.
    fn finished(&mut self, no: VersionNo, call: CallNo) {
        if self.end_call(no, call) {
            self.tally_of(no).served += 1;
            self.step(no, Event::Finished(call));
        }
    }

    fn step(&mut self, no: VersionNo, event: Event) {
        let actions = self.fleet.step(no, event, self.now);
        self.carry_out(actions);
    }

    fn carry_out(&mut self, actions: Vec<(VersionNo, Action)>) {
        for (no, action) in actions {
            match action {
                Action::Start(instance) => self.start(no, instance),
                Action::Assign(call, instance) => self.assign(no, call, instance),
                Action::Reject(call, why) => {
                    self.end_call(no, call);
                    *self.tally_of(no).rejected.entry(why.name()).or_default() += 1;
                }
                Action::Fail(call, why) => {
                    self.end_call(no, call);
                    *self.tally_of(no).failed.entry(why.name()).or_default() += 1;
                }
                Action::Stop(instance, why) => self.stop(no, instance, why),
            }
        }
    }

    fn start(&mut self, no: VersionNo, instance: InstanceNo) {
        let index = self.indices[&no];
        let Function { limits, cold_start } = &self.functions[index];
        let memory_mib = limits.expected_memory_mib.clamp(1, limits.memory_mib.max(1));
        let ready_at = self.now + *cold_start;
        self.instances.insert((no, instance), Held::new(memory_mib, self.now));
        self.arrange(ready_at, no, Happening::Ready(instance));
        self.running[index] += 1;
        self.memory_mib += memory_mib;
        self.outcome.total.note_peak(self.instances.len() as u64, self.memory_mib);
        let running = self.running[index];
        let tally = self.tally(index);
        tally.starts += 1;
        tally.note_peak(running, running * memory_mib);
    }

    fn assign(&mut self, no: VersionNo, call: CallNo, instance: InstanceNo) {
        let (Some(state), Some(held)) = (self.calls.get_mut(&call), self.instances.get_mut(&(no, instance)))
        else {
            return;
        };
        state.instance = Some(instance);
        held.take(self.now);
        let (wait, is_cold) = (self.now - state.arrived, held.was_waited_for(state.arrived));
        let end = self.now + state.duration;
        let tally = self.tally_of(no);
        tally.cold_starts += u64::from(is_cold);
        tally.waits.push(wait);
        self.arrange(end, no, Happening::Finished(call));
    }

    fn stop(&mut self, no: VersionNo, instance: InstanceNo, why: StopReason) {
        let for_memory = matches!(why, StopReason::Evicted | StopReason::GivenUp);
        self.tally_of(no).evictions += u64::from(for_memory);
        self.arrange(self.now, no, Happening::Exited(instance));
    }

    /// Takes a call out of the books and out of its instance. False: it had ended before.
    fn end_call(&mut self, no: VersionNo, call: CallNo) -> bool {
        let Some(state) = self.calls.remove(&call) else { return false };
        let held = state.instance.and_then(|instance| self.instances.get_mut(&(no, instance)));
        if let Some(held) = held {
            held.give_back(self.now);
        }
        true
    }

    fn end_instance(&mut self, no: VersionNo, instance: InstanceNo) {
        if let Some(held) = self.instances.remove(&(no, instance)) {
            let index = self.indices[&no];
            self.running[index] -= 1;
            self.memory_mib -= held.memory_mib();
            let held = held.end(self.now);
            self.tally(index).held.add(&held);
        }
    }

    fn arrange(&mut self, at: Duration, no: VersionNo, happening: Happening) {
        let number = self.next_number();
        self.due.push(Reverse((at, number, no, happening)));
    }

    const fn next_number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn tally(&mut self, index: usize) -> &mut Tally {
        &mut self.outcome.functions[index]
    }

    fn tally_of(&mut self, no: VersionNo) -> &mut Tally {
        let index = self.indices[&no];
        self.tally(index)
    }
}
