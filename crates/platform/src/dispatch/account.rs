//! The account of one instance: how long it loaded, served and idled, and what it used meanwhile. Time is passed in.

use std::time::Duration;

/// What an instance is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Loading,
    /// With this many calls in it, also none.
    Ready(u64),
    Ended,
}

/// An account. The three times add up to the life of the instance so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    state: State,
    /// When the times were last brought up to date.
    counted_until: Duration,
    started: Duration,
    ready: Option<Duration>,
    totals: Totals,
}

/// What an account comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Until it was ready.
    pub loading: Duration,
    /// With at least one call in it.
    pub serving: Duration,
    /// Ready and without a call.
    pub idle: Duration,
    /// Processor time of its process, milliseconds.
    pub cpu_ms: u64,
    /// The most memory that it was seen to hold, KiB.
    pub peak_memory_kib: u64,
    /// Calls that it had.
    pub calls: u64,
}

impl Account {
    /// The account of an instance that is started now.
    pub fn open(now: Duration) -> Self {
        Self {
            state: State::Loading,
            counted_until: now,
            started: now,
            ready: None,
            totals: Totals::default(),
        }
    }

    /// It is ready.
    pub fn ready(&mut self, now: Duration) {
        self.count(now);
        if self.state == State::Loading {
            self.state = State::Ready(0);
            self.ready = Some(now);
        }
    }

    /// A call has entered it. True for its first.
    pub fn entered(&mut self, now: Duration) -> bool {
        self.count(now);
        if let State::Ready(calls) = &mut self.state {
            *calls += 1;
        }
        self.totals.calls += 1;
        self.totals.calls == 1
    }

    /// A call has left it.
    pub fn left(&mut self, now: Duration) {
        self.count(now);
        if let State::Ready(calls) = &mut self.state {
            *calls = calls.saturating_sub(1);
        }
    }

    /// Its process was seen to have used this much processor time, and to hold this much memory.
    pub fn seen(&mut self, cpu_ms: u64, memory_kib: u64) {
        self.totals.cpu_ms = self.totals.cpu_ms.max(cpu_ms);
        self.totals.peak_memory_kib = self.totals.peak_memory_kib.max(memory_kib);
    }

    /// The most memory that it was seen to hold, KiB.
    pub fn peak_memory_kib(&self) -> u64 {
        self.totals.peak_memory_kib
    }

    /// It has ended; nothing is counted any more.
    pub fn ended(&mut self, now: Duration) {
        self.count(now);
        self.state = State::Ended;
    }

    /// What it comes to by now.
    pub fn totals(&self, now: Duration) -> Totals {
        let mut account = self.clone();
        account.count(now);
        account.totals
    }

    /// When it was started, and when it was ready if it is.
    pub fn start(&self) -> (Duration, Option<Duration>) {
        (self.started, self.ready)
    }

    fn count(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.counted_until);
        self.counted_until = self.counted_until.max(now);
        match self.state {
            State::Loading => self.totals.loading += passed,
            State::Ready(0) => self.totals.idle += passed,
            State::Ready(_) => self.totals.serving += passed,
            State::Ended => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn every_moment_of_a_life_is_counted_once() {
        let mut account = Account::open(ms(100));
        account.ready(ms(130));
        assert!(account.entered(ms(150)), "its first call");
        assert!(!account.entered(ms(160)));
        account.left(ms(170));
        assert_eq!(account.totals(ms(175)).serving, ms(25), "one call is still in it");
        account.left(ms(180));
        account.seen(40, 1_000);
        account.seen(50, 900);
        account.ended(ms(300));
        let totals = account.totals(ms(999));
        assert_eq!((totals.loading, totals.serving, totals.idle), (ms(30), ms(30), ms(140)));
        assert_eq!((totals.calls, totals.cpu_ms, totals.peak_memory_kib), (2, 50, 1_000));
        assert_eq!(account.start(), (ms(100), Some(ms(130))));
    }

    #[test]
    fn one_that_never_gets_ready_only_loads_and_a_call_in_it_at_its_end_was_served_till_then() {
        let mut failed = Account::open(ms(0));
        failed.ended(ms(20));
        failed.ready(ms(30));
        assert_eq!(failed.totals(ms(50)), Totals { loading: ms(20), ..Totals::default() });
        assert_eq!(failed.start().1, None);
        let mut killed = Account::open(ms(0));
        killed.ready(ms(1));
        killed.entered(ms(2));
        killed.ended(ms(10));
        killed.left(ms(12));
        assert_eq!(killed.totals(ms(12)).serving, ms(8));
    }
}
