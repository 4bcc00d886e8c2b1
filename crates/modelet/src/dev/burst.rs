//! When a burst of saves is over: editors, formatters and `git checkout` write several files, or one several times.

use std::time::Duration;

/// A burst is over when nothing has changed for this long.
const QUIET: Duration = Duration::from_millis(100);
/// One that does not end, since something keeps writing, is taken as it is after this long.
const LONGEST: Duration = Duration::from_secs(2);

/// A burst that is under way, if one is.
#[derive(Debug, Default)]
pub struct Burst {
    /// When its first and its last change were seen.
    seen: Option<(Duration, Duration)>,
}

impl Burst {
    /// Files were looked at; `changed`: they differ from the look before. Gives the moment of the first change once it is over.
    pub fn looked(&mut self, changed: bool, now: Duration) -> Option<Duration> {
        match (&mut self.seen, changed) {
            (None, false) => return None,
            (None, true) => self.seen = Some((now, now)),
            (Some((_, last)), true) => *last = now,
            (Some(_), false) => {}
        }
        let (first, last) = self.seen?;
        let is_over = now.saturating_sub(last) >= QUIET || now.saturating_sub(first) >= LONGEST;
        if is_over { self.seen.take().map(|(first, _)| first) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of looks at these moments, in milliseconds.
    fn over(looks: &[(bool, u64)]) -> Vec<Option<u64>> {
        let mut burst = Burst::default();
        let ms = |first: Duration| u64::try_from(first.as_millis()).unwrap();
        looks.iter().map(|(changed, at)| burst.looked(*changed, Duration::from_millis(*at)).map(ms)).collect()
    }

    #[test]
    fn several_saves_in_a_burst_are_one_reload() {
        let looks =
            [(false, 0), (true, 50), (false, 100), (true, 140), (true, 200), (false, 299), (false, 300)];
        assert_eq!(over(&looks), [None, None, None, None, None, None, Some(50)]);
    }

    #[test]
    fn saves_that_are_apart_are_a_reload_each() {
        let looks = [(true, 0), (false, 100), (false, 500), (true, 1_000), (false, 1_050), (false, 1_100)];
        assert_eq!(over(&looks), [None, Some(0), None, None, None, Some(1_000)]);
    }

    #[test]
    fn what_is_written_all_the_time_does_not_hold_a_reload_up_for_ever() {
        let looks: Vec<_> = (0..=41).map(|step| (true, step * 50)).collect();
        let reloads: Vec<_> = over(&looks).into_iter().flatten().collect();
        assert_eq!(reloads, [0]);
    }
}
