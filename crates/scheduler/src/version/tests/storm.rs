//! Thousands of seeded histories: arrivals, failures, slow loads, kills, departures, clock jumps. What must hold in each:
//! every call is answered exactly once, no limit is passed, no busy instance is stopped, and everything ends.

use std::collections::{BTreeMap, BTreeSet};
use std::env;

use super::*;

/// SplitMix64 (public domain, Sebastiano Vigna): small, seeded, good enough to choose events.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// The world outside the scheduler: what it asked for and what became of it.
struct World {
    seed: u64,
    limits: Limits,
    state: VersionState,
    now: Duration,
    next_call: u64,
    waiting: BTreeSet<CallNo>,
    assigned: BTreeMap<CallNo, InstanceNo>,
    answered: BTreeSet<CallNo>,
    starting: BTreeSet<InstanceNo>,
    ready: BTreeSet<InstanceNo>,
    stopping: BTreeSet<InstanceNo>,
}

impl World {
    fn new(seed: u64, dice: &mut Dice) -> Self {
        let limits = Limits {
            concurrency: 1 + dice.roll(4) as usize,
            max_instances: 1 + dice.roll(4) as usize,
            queue_limit: dice.roll(6) as usize,
            idle_timeout: ms(dice.roll(2_000)),
            load_timeout: ms(1 + dice.roll(2_000)),
            request_timeout: ms(1 + dice.roll(2_000)),
            drain_timeout: ms(dice.roll(2_000)),
            backoff_first: ms(1 + dice.roll(500)),
            backoff_max: ms(1 + dice.roll(2_000)),
        };
        let state = VersionState::new(limits.clone());
        Self {
            seed,
            limits,
            state,
            now: ms(0),
            next_call: 0,
            waiting: BTreeSet::new(),
            assigned: BTreeMap::new(),
            answered: BTreeSet::new(),
            starting: BTreeSet::new(),
            ready: BTreeSet::new(),
            stopping: BTreeSet::new(),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrived(call) => {
                self.waiting.insert(call);
            }
            Event::Finished(call) | Event::Left(call) => {
                self.end(call);
            }
            Event::Ready(no) => {
                if self.starting.remove(&no) {
                    self.ready.insert(no);
                }
            }
            Event::Exited(no) => {
                let known = self.starting.remove(&no) | self.ready.remove(&no) | self.stopping.remove(&no);
                assert!(known, "seed {}: the storm itself ended an unknown instance", self.seed);
            }
            Event::Tick | Event::Drain => {}
        }
        for action in step(&mut self.state, event, self.now) {
            self.carry_out(action);
        }
        self.check();
    }

    fn end(&mut self, call: CallNo) {
        let had = self.waiting.remove(&call) | self.assigned.remove(&call).is_some();
        assert!(had, "seed {}: {call:?} ended but was not open", self.seed);
        assert!(self.answered.insert(call), "seed {}: {call:?} was answered twice", self.seed);
    }

    fn carry_out(&mut self, action: Action) {
        let seed = self.seed;
        match action {
            Action::Start(no) => assert!(self.starting.insert(no), "seed {seed}: {no:?} started twice"),
            Action::Assign(call, no) => {
                assert!(self.waiting.remove(&call), "seed {seed}: {call:?} assigned but not waiting");
                assert!(
                    self.ready.contains(&no),
                    "seed {seed}: {call:?} assigned to {no:?}, which is not ready"
                );
                self.assigned.insert(call, no);
            }
            Action::Reject(call, _) | Action::Fail(call, _) => self.end(call),
            Action::Stop(no, why) => {
                let busy = self.assigned.values().any(|instance| *instance == no);
                assert!(!busy, "seed {seed}: busy {no:?} stopped: {why:?}");
                let known = self.starting.remove(&no) | self.ready.remove(&no);
                assert!(known, "seed {seed}: {no:?} stopped twice or never started");
                self.stopping.insert(no);
            }
        }
    }

    fn check(&self) {
        let seed = self.seed;
        let counts = self.state.counts();
        let live = self.starting.len() + self.ready.len() + self.stopping.len();
        assert!(live <= self.limits.max_instances, "seed {seed}: {live} instances");
        assert_eq!(counts.starting, self.starting.len(), "seed {seed}: starting");
        assert_eq!(counts.waiting, self.waiting.len(), "seed {seed}: waiting");
        assert_eq!(counts.in_flight, self.assigned.len(), "seed {seed}: in flight");
        for no in &self.ready {
            let load = self.assigned.values().filter(|instance| *instance == no).count();
            assert!(load <= self.limits.concurrency, "seed {seed}: {no:?} has {load} calls");
        }
        let slots = self.limits.max_instances * self.limits.concurrency;
        assert!(counts.waiting <= self.limits.queue_limit + slots, "seed {seed}: {} wait", counts.waiting);
        let hopeless =
            counts.starting + counts.ready + counts.stopping == 0 && self.state.next_wake(self.now).is_none();
        assert!(counts.waiting == 0 || !hopeless, "seed {seed}: calls wait for nothing");
    }

    fn random_event(&self, dice: &mut Dice) -> Event {
        let pick = |set: Vec<InstanceNo>, dice: &mut Dice| {
            (!set.is_empty()).then(|| set[dice.roll(set.len() as u64) as usize])
        };
        let open: Vec<CallNo> = self.waiting.iter().chain(self.assigned.keys()).copied().collect();
        let assigned: Vec<CallNo> = self.assigned.keys().copied().collect();
        let event = match dice.roll(100) {
            0..40 => None,
            40..65 if !assigned.is_empty() => {
                Some(Event::Finished(assigned[dice.roll(assigned.len() as u64) as usize]))
            }
            65..70 if !open.is_empty() => Some(Event::Left(open[dice.roll(open.len() as u64) as usize])),
            70..80 => pick(self.starting.iter().copied().collect(), dice).map(Event::Ready),
            80..84 => pick(self.starting.iter().copied().collect(), dice).map(Event::Exited),
            84..87 => pick(self.ready.iter().copied().collect(), dice).map(Event::Exited),
            87..94 => pick(self.stopping.iter().copied().collect(), dice).map(Event::Exited),
            _ => Some(Event::Tick),
        };
        event.unwrap_or(Event::Arrived(CallNo(self.next_call)))
    }

    fn run(&mut self, dice: &mut Dice) {
        for _ in 0..120 {
            let jump = if dice.roll(20) == 0 { dice.roll(20_000) } else { dice.roll(100) };
            self.now += ms(jump);
            let event = self.random_event(dice);
            self.next_call += u64::from(matches!(event, Event::Arrived(_)));
            self.happen(event);
        }
    }

    /// No more arrivals: processes that were told to stop end, time passes, and everything must come to an end.
    fn settle(&mut self) {
        self.happen(Event::Drain);
        for _ in 0..1_000 {
            if let Some(no) = self.stopping.first().copied() {
                self.happen(Event::Exited(no));
            } else if let Some(wake) = self.state.next_wake(self.now) {
                self.now = self.now.max(wake);
                self.happen(Event::Tick);
            } else {
                break;
            }
        }
        assert!(self.state.is_drained(), "seed {}: not drained: {:?}", self.seed, self.state);
        assert_eq!(self.answered.len() as u64, self.next_call, "seed {}: calls lost", self.seed);
    }
}

/// `MODELET_STORM_SEEDS=N` runs more; `MODELET_STORM_SEED=N` runs one, the number that a failure printed.
#[test]
fn no_history_loses_a_call_or_breaks_a_limit() {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("MODELET_STORM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MODELET_STORM_SEEDS").unwrap_or(10_000),
    };
    for seed in seeds {
        let mut dice = Dice(seed);
        let mut world = World::new(seed, &mut dice);
        world.run(&mut dice);
        world.settle();
    }
}
