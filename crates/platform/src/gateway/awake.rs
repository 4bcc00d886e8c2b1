//! Processors that wait awake while calls follow each other: a call whose model computes for a moment spends most of its time in
//! waking processors up. They may sleep again soon after the last one came or was answered, so that a call that computes for long
//! costs no more than that, and an idle platform nothing.

use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use modelet_worker::idle::IdleProcessors;
use tokio::sync::Notify;

use crate::clock::Clock;

/// Keeps them awake, where it may.
#[derive(Debug)]
pub struct Awake {
    processors: Option<IdleProcessors>,
    linger: Duration,
    until: Mutex<Option<Duration>>,
    begins: Notify,
}

impl Awake {
    /// They stay awake for so long after a call came or was answered; zero: they sleep when they like.
    pub fn new(linger: Duration) -> Self {
        let processors = (!linger.is_zero()).then(IdleProcessors::open).and_then(Result::ok);
        Self { processors, linger, until: Mutex::default(), begins: Notify::new() }
    }

    /// A call has come, or was answered.
    pub fn stir(&self, now: Duration) {
        let Some(processors) = &self.processors else { return };
        let mut until = self.until();
        if until.replace(now + self.linger).is_none() {
            say(processors, true);
            self.begins.notify_one();
        }
    }

    /// Lets them sleep when it is time, for ever.
    pub async fn watch(&self, clock: Clock) -> Infallible {
        let Some(processors) = &self.processors else { return std::future::pending().await };
        loop {
            self.begins.notified().await;
            while let Some(until) = self.still(processors, clock.now()) {
                tokio::time::sleep_until(clock.instant(until)).await;
            }
        }
    }

    /// Until when they stay awake; `None`: they may sleep now.
    fn still(&self, processors: &IdleProcessors, now: Duration) -> Option<Duration> {
        let mut until = self.until();
        *until = until.filter(|until| *until > now);
        if until.is_none() {
            say(processors, false);
        }
        *until
    }

    fn until(&self) -> MutexGuard<'_, Option<Duration>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where it cannot be said any more, they sleep as everywhere else.
fn say(processors: &IdleProcessors, awake: bool) {
    let _ = processors.keep_awake(awake);
}
