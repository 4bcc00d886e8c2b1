//! Who computes first when processors are short: an instance whose calls compute for a moment, before one whose calls compute for
//! long. That one goes into the background, where it gets what others leave; and so that it goes on however many others there are,
//! it comes back for a turn when it got next to nothing. A multi-level feedback queue (Corbató and others, 1962), with two levels.

use std::time::Duration;

/// Work that takes less is never looked at: most calls.
pub const FIRST_LOOK: Duration = Duration::from_millis(5);
/// A look at one that went on for longer comes after twice the time of the last, up to this.
const LONGEST_LOOK: Duration = Duration::from_millis(100);
/// Long work computes for at least this part of the time between two looks, on one processor, also where others want it.
const LONG_PART: u32 = 4;
/// In the background one that got less than this part of a processor since the last look starves.
const STARVED_PART: u32 = 10;
/// How long its turn is then.
const TURN: Duration = Duration::from_millis(50);

/// What is remembered of one instance.
#[derive(Debug, Default)]
pub struct Turns {
    background: bool,
    last: Option<Look>,
    next: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
struct Look {
    at: Duration,
    computed: Duration,
}

impl Turns {
    /// It begins to work: on calls, having had none, or on its start.
    pub fn begin(&mut self, now: Duration) {
        self.last = None;
        self.next = Some(now + FIRST_LOOK);
    }

    /// When to look at it; `None` while it has nothing to do.
    pub const fn next_look(&self) -> Option<Duration> {
        self.next
    }

    /// A look at how long it has computed so far. What comes back is whether it belongs into the background, when that is news.
    pub fn look(&mut self, computed: Duration, now: Duration) -> Option<bool> {
        let look = Look { at: now, computed };
        let Some(last) = self.last.replace(look) else {
            self.next = Some(now + if self.background { LONGEST_LOOK } else { FIRST_LOOK });
            return None;
        };
        let (passed, used) = (now.saturating_sub(last.at), computed.saturating_sub(last.computed));
        let was = self.background;
        self.background = match was {
            false => used >= passed / LONG_PART,
            true => used >= passed / STARVED_PART,
        };
        let pause = match (was, self.background) {
            (true, false) => TURN,
            (false, false) => (passed * 2).min(LONGEST_LOOK),
            (_, true) => LONGEST_LOOK,
        };
        self.next = Some(now + pause);
        (was != self.background).then_some(self.background)
    }

    /// It has nothing to do any more. What was done before anybody looked was short, and so, most likely, is what comes next;
    /// what was long will be long. As [`Turns::look`].
    pub fn end(&mut self) -> Option<bool> {
        self.next = None;
        let was_short = self.last.is_none();
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

    /// An instance of which is known how fast it computes on each level, in virtual time: ms in the background, of all.
    fn run(turns: &mut Turns, begin: u64, end: u64, ordinary_percent: u64, background_percent: u64) -> u64 {
        let (mut computed_us, mut in_background) = (0, 0);
        turns.begin(ms(begin));
        for now in begin..end {
            if turns.next_look().is_some_and(|at| at <= ms(now)) {
                turns.look(Duration::from_micros(computed_us), ms(now));
            }
            in_background += u64::from(turns.background);
            computed_us += 10 * if turns.background { background_percent } else { ordinary_percent };
        }
        in_background
    }

    #[test]
    fn short_work_is_never_in_the_background() {
        let mut turns = Turns::default();
        for call in 0..100 {
            assert_eq!(run(&mut turns, call * 5, call * 5 + 5, 100, 100), 0);
            assert_eq!(turns.end(), None);
        }
    }

    #[test]
    fn long_work_is_after_ten_milliseconds_and_from_the_beginning_the_next_time() {
        let mut turns = Turns::default();
        assert_eq!(run(&mut turns, 0, 1_000, 100, 100), 990);
        assert_eq!(turns.end(), None);
        assert_eq!(run(&mut turns, 2_000, 3_000, 100, 100), 1_000);
        assert_eq!(turns.end(), None);
        assert_eq!(run(&mut turns, 4_000, 4_004, 100, 100), 4);
        assert_eq!(turns.end(), Some(false), "this one was short");
        assert_eq!(run(&mut turns, 5_000, 5_004, 100, 100), 0);
    }

    #[test]
    fn work_that_waits_is_not_long() {
        assert_eq!(run(&mut Turns::default(), 0, 1_000, 20, 20), 0);
    }

    #[test]
    fn one_that_starves_computes_a_third_of_the_time() {
        let background = run(&mut Turns::default(), 0, 12_000, 100, 2);
        assert!((7_900..8_100).contains(&background), "{background}");
        assert!(run(&mut Turns::default(), 0, 12_000, 100, 12) > 11_900, "this one gets on");
    }

    #[test]
    fn one_that_waits_in_the_background_leaves_it() {
        let mut turns = Turns::default();
        run(&mut turns, 0, 200, 100, 100);
        let background = run(&mut turns, 200, 1_200, 10, 0);
        assert!(background < 210, "{background}");
    }
}
