//! What becomes of an asynchronous invocation after an attempt. Pure functions.
//!
//! Source of the rules: AWS Lambda's asynchronous invocation (docs, "How Lambda handles errors and retries with asynchronous
//! invocation"): a failure is tried again twice, after one and two minutes; what could not begin is tried again for up to six
//! hours, ever later, up to 5 minutes. There each invocation waits for itself; here the function's line does, and one of it
//! tries whether it can go on: many that come back at the same moment would keep each other out.

use modelet_core::{Code, Settings};

/// Pauses of a line after attempts that were not begun: the first, doubled each time, up to the last.
const FIRST_PAUSE_MS: i64 = 100;
const LAST_PAUSE_MS: i64 = 300_000;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// With the function's answer, or an error that would come again.
    Answered,
    /// It failed while it was worked on, or in a way that the next time may not.
    Failed,
    /// The platform did not begin it.
    Refused,
}

impl Attempt {
    /// By the status of the answer, and its code when it is one of our errors.
    pub fn of(status: u16, code: Option<Code>) -> Self {
        match code {
            Some(
                Code::QueueFull
                | Code::Throttled
                | Code::Overloaded
                | Code::MachineFull
                | Code::ShuttingDown
                | Code::StartFailed
                | Code::LoadTimeout
                | Code::IsolationUnavailable
                | Code::SecretMissing
                | Code::EngineMissing
                | Code::StoreFailed,
            ) => Self::Refused,
            Some(
                Code::RequestTimeout
                | Code::OutOfMemory
                | Code::InstanceDied
                | Code::InstanceStuck
                | Code::PredictionFailed
                | Code::Internal,
            ) => Self::Failed,
            None if status >= 500 => Self::Failed,
            _ => Self::Answered,
        }
    }
}

/// What an invocation has been through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// When it was accepted, milliseconds since 1970.
    pub accepted_at_ms: i64,
    /// Attempts that were begun.
    pub attempts: u32,
    /// Attempts since then that were not.
    pub refusals: u32,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing more: what came of the last attempt is its answer.
    End,
    /// Another attempt.
    Again {
        /// Not before this time, milliseconds since 1970.
        due_at_ms: i64,
    },
}

impl Progress {
    /// Takes note of an attempt, and says what is next. An age beyond the limit ends it, but never before a first attempt.
    /// `line`: the function's, which has taken note already.
    pub fn after(&mut self, attempt: Attempt, line: &Pace, limits: &Settings, now_ms: i64) -> Next {
        let due_at_ms = match attempt {
            Attempt::Answered => {
                self.attempts += 1;
                return Next::End;
            }
            Attempt::Failed => {
                self.attempts += 1;
                self.refusals = 0;
                if u64::from(self.attempts) > limits.async_retries {
                    return Next::End;
                }
                now_ms.saturating_add(doubled(milliseconds(limits.async_retry_ms), self.attempts - 1))
            }
            // Its own pause, too: what others of the line can do it perhaps cannot.
            Attempt::Refused => {
                self.refusals += 1;
                let own_ms = doubled(FIRST_PAUSE_MS, self.refusals - 1).min(LAST_PAUSE_MS);
                line.until_ms.max(now_ms.saturating_add(own_ms))
            }
        };
        let last_ms = self.accepted_at_ms.saturating_add(milliseconds(limits.async_max_age_ms));
        if due_at_ms > last_ms { Next::End } else { Next::Again { due_at_ms } }
    }
}

/// How fast a line goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pace {
    pause_ms: i64,
    until_ms: i64,
}

impl Pace {
    /// Takes note of an attempt: one that was begun ends the pause, one that was not begins or lengthens it.
    pub fn note(&mut self, attempt: Attempt, now_ms: i64) {
        if attempt != Attempt::Refused {
            *self = Self::default();
        } else if now_ms >= self.until_ms {
            // Those that were refused along with another are one refusal.
            self.pause_ms = (self.pause_ms * 2).clamp(FIRST_PAUSE_MS, LAST_PAUSE_MS);
            self.until_ms = now_ms.saturating_add(self.pause_ms);
        }
    }

    /// How many may be worked on: the limit, or one that tries whether it can go on.
    pub fn allows(&self, limit: usize) -> usize {
        if self.pause_ms == 0 { limit } else { limit.min(1) }
    }

    /// When it can go on, milliseconds since 1970.
    pub fn until_ms(&self) -> i64 {
        self.until_ms
    }
}

fn doubled(first_ms: i64, times: u32) -> i64 {
    first_ms.saturating_mul(1_i64.checked_shl(times.min(62)).unwrap_or(i64::MAX))
}

fn milliseconds(setting_ms: u64) -> i64 {
    i64::try_from(setting_ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted() -> Progress {
        Progress { accepted_at_ms: 1_000, attempts: 0, refusals: 0 }
    }

    fn after(progress: &mut Progress, attempt: Attempt, limits: &Settings, now_ms: i64) -> Next {
        let mut pace = Pace::default();
        pace.note(attempt, now_ms);
        progress.after(attempt, &pace, limits, now_ms)
    }

    fn again(due_at_ms: i64) -> Next {
        Next::Again { due_at_ms }
    }

    #[test]
    fn a_failure_is_tried_again_twice_after_one_and_two_minutes() {
        let (mut progress, limits) = (accepted(), Settings::default());
        assert_eq!(after(&mut progress, Attempt::Failed, &limits, 5_000), again(65_000));
        assert_eq!(after(&mut progress, Attempt::Failed, &limits, 65_000), again(185_000));
        assert_eq!(after(&mut progress, Attempt::Failed, &limits, 185_000), Next::End);
        assert_eq!(progress.attempts, 3);
    }

    #[test]
    fn what_was_not_begun_costs_no_attempt_and_waits_ever_longer_until_it_is_too_old() {
        let (mut progress, mut pace, limits) = (accepted(), Pace::default(), Settings::default());
        let mut now_ms = 1_000;
        let mut waits_ms = Vec::new();
        loop {
            pace.note(Attempt::Refused, now_ms);
            match progress.after(Attempt::Refused, &pace, &limits, now_ms) {
                Next::Again { due_at_ms } => waits_ms.push(due_at_ms - now_ms),
                Next::End => break,
            }
            now_ms += waits_ms.last().unwrap();
        }
        assert_eq!(waits_ms[..3], [100, 200, 400]);
        assert_eq!(waits_ms.iter().max(), Some(&300_000));
        assert!(now_ms <= 1_000 + 21_600_000 && now_ms + 300_000 > 1_000 + 21_600_000, "{now_ms}");
        assert_eq!(progress.attempts, 0);
    }

    #[test]
    fn a_line_pauses_once_for_all_that_were_refused_and_goes_on_with_the_first_that_was_not() {
        let mut pace = Pace::default();
        assert_eq!(pace.allows(16), 16);
        for _ in 0..16 {
            pace.note(Attempt::Refused, 1_000);
        }
        assert_eq!((pace.until_ms(), pace.allows(16), pace.allows(0)), (1_100, 1, 0));
        pace.note(Attempt::Refused, 1_100);
        assert_eq!(pace.until_ms(), 1_300);
        pace.note(Attempt::Failed, 1_300);
        assert_eq!(pace.allows(16), 16);
    }

    #[test]
    fn the_ends_of_the_settings_are_no_surprise() {
        let limits = |retries, retry_ms, max_age_ms| Settings {
            async_retries: retries,
            async_retry_ms: retry_ms,
            async_max_age_ms: max_age_ms,
            ..Settings::default()
        };
        assert_eq!(after(&mut accepted(), Attempt::Failed, &limits(0, 1, 604_800_000), 2_000), Next::End);
        assert_eq!(after(&mut accepted(), Attempt::Refused, &limits(9, 1, 0), 1_000), Next::End);
        let mut old = Progress { attempts: 99, ..accepted() };
        assert_eq!(after(&mut old, Attempt::Failed, &limits(100, 3_600_000, 604_800_000), 2_000), Next::End);
    }

    #[test]
    fn errors_are_told_apart_by_whether_they_would_come_again() {
        for (status, code, attempt) in [
            (200, None, Attempt::Answered),
            (404, None, Attempt::Answered),
            (500, None, Attempt::Failed),
            (400, Some(Code::BadInput), Attempt::Answered),
            (500, Some(Code::ResponseTooLarge), Attempt::Answered),
            (500, Some(Code::PredictionFailed), Attempt::Failed),
            (502, Some(Code::InstanceDied), Attempt::Failed),
            (503, Some(Code::StartFailed), Attempt::Refused),
            (429, Some(Code::QueueFull), Attempt::Refused),
        ] {
            assert_eq!(Attempt::of(status, code), attempt, "{status} {code:?}");
        }
    }
}
