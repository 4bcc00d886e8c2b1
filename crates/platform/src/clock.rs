//! The two clocks: one that only goes forward, for decisions; one that tells the date, for records.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The platform's clocks.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// Starts at zero now.
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// Time since the platform started.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// The instant at which [`Clock::now`] gives `time`.
    pub fn instant(&self, time: Duration) -> tokio::time::Instant {
        (self.started + time).into()
    }

    /// Milliseconds since 1970 (UTC).
    pub fn unix_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}
