//! Thousands of seeded histories of a few versions: arrivals, failures, slow loads, kills, departures, stuck and worn
//! instances, growth, clock jumps, versions that come, retire and go. What must hold in each is in [`World`]; and
//! everything ends.

use std::env;

use super::world::{Dice, Member, World};
use crate::story::ms;
use crate::{CallNo, Event, InstanceNo, VersionNo, Wear};

const STEPS: usize = 120;
const MOST_VERSIONS: usize = 5;

impl World {
    fn random_event(&self, member: &Member, dice: &mut Dice) -> Event {
        let open: Vec<CallNo> = member.waiting.iter().chain(member.assigned.keys()).copied().collect();
        let assigned: Vec<CallNo> = member.assigned.keys().copied().collect();
        let list = |set: &std::collections::BTreeSet<InstanceNo>| set.iter().copied().collect::<Vec<_>>();
        let (starting, ready, stopping) =
            (list(&member.starting), list(&member.ready), list(&member.stopping));
        let event = match dice.roll(100) {
            0..36 => None,
            36..58 => dice.pick(&assigned).map(Event::Finished),
            58..60 => dice.pick(&open).map(Event::Left),
            60..62 => dice.pick(&assigned).map(Event::NotTaken),
            62..74 => dice.pick(&starting).map(Event::Ready),
            74..77 => dice.pick(&starting).map(Event::Exited),
            77..79 => dice.pick(&ready).map(Event::Exited),
            79..88 => dice.pick(&stopping).map(Event::Exited),
            88..90 => dice.pick(&ready).map(|no| Event::Worn(no, Wear::Memory)),
            90..92 => dice.pick(&ready).map(Event::Stuck),
            92..94 if self.seed.is_multiple_of(2) => {
                dice.pick(&ready).map(|no| Event::Measured(no, 1 + dice.roll(300)))
            }
            94 => Some(Event::Retired),
            95 => Some(Event::Live),
            _ => Some(Event::Tick),
        };
        event.unwrap_or(Event::Arrived(CallNo(self.calls)))
    }

    fn run(&mut self, dice: &mut Dice) {
        for _ in 0..1 + dice.roll(3) {
            self.add(dice);
        }
        for _ in 0..STEPS {
            let jump = if dice.roll(20) == 0 { dice.roll(20_000) } else { dice.roll(100) };
            self.now += ms(jump);
            match dice.roll(60) {
                0 if self.members.len() < MOST_VERSIONS => self.add(dice),
                1 => self.drain_one(dice),
                2..12 => self.tick(),
                _ => self.one_event(dice),
            }
        }
    }

    fn one_event(&mut self, dice: &mut Dice) {
        let versions: Vec<VersionNo> = self.members.keys().copied().collect();
        let Some(no) = dice.pick(&versions) else { return };
        let event = self.random_event(&self.members[&no], dice);
        self.calls += u64::from(matches!(event, Event::Arrived(_)));
        self.happen(no, event);
    }

    /// A version is to go, or goes, when nothing is left of it.
    fn drain_one(&mut self, dice: &mut Dice) {
        let versions: Vec<VersionNo> = self.members.keys().copied().collect();
        let Some(no) = dice.pick(&versions) else { return };
        if !self.members[&no].draining {
            self.happen(no, Event::Drain);
        }
        self.remove_drained();
    }

    fn remove_drained(&mut self) {
        let seed = self.seed;
        let over = |member: &Member| member.draining && member.calls() + member.instances() == 0;
        let drained: Vec<_> = self.members.iter().filter(|(_, m)| over(m)).map(|(no, _)| *no).collect();
        for no in drained {
            assert!(self.fleet.remove(no), "seed {seed}: {no:?} is drained, but not removed");
            self.members.remove(&no);
        }
    }

    /// The next thing that a world without failures does of itself: loads succeed, processes end, calls are answered.
    fn natural_event(&self) -> Option<(VersionNo, Event)> {
        self.members.iter().find_map(|(no, member)| {
            let stopped = member.stopping.first().map(|instance| Event::Exited(*instance));
            let loaded = || member.starting.first().map(|instance| Event::Ready(*instance));
            let answered = || member.assigned.keys().next().map(|call| Event::Finished(*call));
            Some((*no, stopped.or_else(loaded).or_else(answered)?))
        })
    }

    /// No more arrivals and no more failures: what is due happens until nothing is left to happen.
    fn settle(&mut self) {
        for _ in 0..2_000 {
            if let Some((no, event)) = self.natural_event() {
                self.now += ms(1);
                self.happen(no, event);
            } else if let Some(wake) = self.fleet.next_wake() {
                self.now = self.now.max(wake);
                self.tick();
            } else {
                break;
            }
        }
        assert_eq!(self.answered.len() as u64, self.calls, "seed {}: calls lost", self.seed);
        for (no, member) in &self.members {
            let most = member.floor().min(member.limits.min_instances);
            let left = member.instances();
            assert!(
                left <= most,
                "seed {}: {no:?} keeps {left} instances, {most} are its minimum",
                self.seed
            );
        }
    }

    /// Everything is taken out: nothing may be left, in no book.
    fn end_all(&mut self) {
        let all: Vec<VersionNo> = self.members.keys().copied().collect();
        all.into_iter().for_each(|no| self.happen(no, Event::Drain));
        self.settle();
        self.remove_drained();
        assert!(self.members.is_empty(), "seed {}: not drained", self.seed);
        assert_eq!((self.fleet.memory_mib(), self.fleet.next_wake()), (0, None), "seed {}", self.seed);
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
        world.end_all();
    }
}
