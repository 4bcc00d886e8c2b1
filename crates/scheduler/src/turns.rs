//! Who computes first when processors are short: an instance whose calls compute for a moment, before one whose calls compute for
//! long. That one goes into the background, where it gets what others leave; and so that it goes on however many others there are,
//! it comes back for a turn when it got next to nothing. A multi-level feedback queue (Corbató and others, 1962), with two levels.

use std::time::Duration;

/// Work that takes less is never looked at: most calls.
pub const FIRST_LOOK: Duration = Duration::from_millis(5);
/// Calls that compute for less than this on average are short, however many there are.
const SHORT: Duration = Duration::from_millis(4);
/// How long work is looked at before a new judgement begins; in the background, between two looks.
const WINDOW: Duration = Duration::from_millis(100);
/// Long work computes for at least this part of a window, on one processor, also where others want it; what computes for less
/// waits for something.
const LONG_PART: u32 = 4;
/// In the background one that got less than this part of a processor starves.
const STARVED_PART: u32 = 10;
/// How long its turn is then.
const TURN: Duration = Duration::from_millis(50);

/// What is remembered of one instance.
#[derive(Debug, Default)]
pub struct Turns {
    background: bool,
    since: Option<Since>,
    next: Option<Duration>,
}

/// What it is judged by: what it has done since.
#[derive(Debug, Clone, Copy)]
struct Since {
    at: Duration,
    computed: Duration,
    ended: u32,
}

impl Turns {
    /// It begins to work: on calls, having had none, or on its start.
    pub fn begin(&mut self, now: Duration) {
        self.since = None;
        self.next = Some(now + FIRST_LOOK);
    }

    /// When to look at it; `None` while it has nothing to do.
    pub const fn next_look(&self) -> Option<Duration> {
        self.next
    }

    /// A call of it has ended.
    pub const fn ended(&mut self) {
        if let Some(since) = &mut self.since {
            since.ended = since.ended.saturating_add(1);
        }
    }

    /// A look at how long it has computed so far. What comes back is whether it belongs into the background, when that is news.
    pub fn look(&mut self, computed: Duration, now: Duration) -> Option<bool> {
        let fresh = Since { at: now, computed, ended: 0 };
        let Some(since) = self.since else {
            self.since = Some(fresh);
            self.next = Some(now + if self.background { WINDOW } else { FIRST_LOOK });
            return None;
        };
        let (passed, used) = (now.saturating_sub(since.at), computed.saturating_sub(since.computed));
        let was = self.background;
        let part = if was { STARVED_PART } else { LONG_PART };
        self.background = used >= passed / part && used / (since.ended + 1) >= SHORT;
        let is_news = was != self.background;
        if is_news || passed >= WINDOW {
            self.since = Some(fresh);
        }
        let pause = match (was, self.background) {
            (true, false) => TURN,
            (false, false) if passed < WINDOW => passed,
            _ => WINDOW,
        };
        self.next = Some(now + pause);
        is_news.then_some(self.background)
    }

    /// It has nothing to do any more. What was done before anybody looked was short, and so, most likely, is what comes next;
    /// what was long will be long. As [`Turns::look`].
    pub fn end(&mut self) -> Option<bool> {
        self.next = None;
        let was_short = self.since.is_none();
        (self.background && was_short).then(|| {
            self.background = false;
            false
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// An instance in virtual time, of which is known what part of a processor it gets on each level, and after how much
    /// computing one of its calls ends, there being always another one.
    struct Instance {
        turns: Turns,
        ordinary_percent: u64,
        background_percent: u64,
        call_us: u64,
    }

    impl Instance {
        fn new(ordinary_percent: u64, background_percent: u64, call_us: u64) -> Self {
            Self { turns: Turns::default(), ordinary_percent, background_percent, call_us }
        }

        /// How many of these milliseconds it was in the background.
        fn work(&mut self, begin: u64, end: u64) -> u64 {
            let (mut computed_us, mut ended, mut in_background) = (0, 0, 0);
            self.turns.begin(ms(begin));
            for now in begin..end {
                if self.turns.next_look().is_some_and(|at| at <= ms(now)) {
                    self.turns.look(Duration::from_micros(computed_us), ms(now));
                }
                let background = self.turns.background;
                in_background += u64::from(background);
                computed_us += 10 * if background { self.background_percent } else { self.ordinary_percent };
                while ended < computed_us / self.call_us {
                    ended += 1;
                    self.turns.ended();
                }
            }
            in_background
        }
    }

    const ONE_CALL: u64 = u64::MAX;

    #[test]
    fn short_work_is_never_in_the_background() {
        let mut instance = Instance::new(100, 100, ONE_CALL);
        for call in 0..100 {
            assert_eq!(instance.work(call * 5, call * 5 + 5), 0);
            assert_eq!(instance.turns.end(), None);
        }
    }

    #[test]
    fn short_calls_are_short_however_many_there_are() {
        assert_eq!(Instance::new(100, 100, 3_000).work(0, 10_000), 0);
        assert_eq!(Instance::new(30, 30, 3_000).work(0, 10_000), 0, "others compute too");
        assert!(Instance::new(100, 100, 20_000).work(0, 10_000) > 9_000, "these are long");
    }

    #[test]
    fn long_work_is_soon_and_from_the_beginning_the_next_time() {
        let mut instance = Instance::new(100, 100, ONE_CALL);
        assert_eq!(instance.work(0, 1_000), 990);
        assert_eq!(instance.turns.end(), None);
        assert_eq!(instance.work(2_000, 3_000), 1_000);
        assert_eq!(instance.turns.end(), None);
        assert_eq!(instance.work(4_000, 4_004), 4);
        assert_eq!(instance.turns.end(), Some(false), "this one was short");
        assert_eq!(instance.work(5_000, 5_004), 0);
    }

    #[test]
    fn work_that_waits_is_not_long() {
        assert_eq!(Instance::new(20, 20, ONE_CALL).work(0, 1_000), 0);
    }

    #[test]
    fn one_that_starves_computes_a_third_of_the_time() {
        let background = Instance::new(100, 2, ONE_CALL).work(0, 12_000);
        assert!((7_900..8_100).contains(&background), "{background}");
        assert!(Instance::new(100, 12, ONE_CALL).work(0, 12_000) > 11_900, "this one gets on");
    }

    #[test]
    fn one_whose_calls_become_short_leaves_the_background() {
        let mut instance = Instance::new(100, 100, ONE_CALL);
        instance.work(0, 1_000);
        instance.call_us = 1_000;
        assert_eq!(instance.work(1_000, 3_000), 105);
    }
}
