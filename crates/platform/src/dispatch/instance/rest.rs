//! When an instance begins to work, and when it rests. What it holds between calls, it keeps: under load such moments are too
//! short to be met by chance, so whoever watches asks for the next one, and the end of a call answers. One that idles is looked
//! at seldom: so the beginning of work is told too.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// Where both are told.
#[derive(Default)]
pub(super) struct Rest {
    asked: AtomicBool,
    held_kib: AtomicU64,
    told: Notify,
    begun: Notify,
}

impl Rest {
    /// The last call has ended, and the next one has not begun. Measured only when somebody asked.
    pub fn come(&self, held_kib: impl FnOnce() -> u64) {
        if self.asked.swap(false, Ordering::Relaxed) {
            self.held_kib.store(held_kib(), Ordering::Relaxed);
            self.told.notify_one();
        }
    }

    /// A call has come while there was none.
    pub fn end(&self) {
        self.begun.notify_one();
    }

    /// Waits for the next moment without a call, and says what was held in it, KiB; `None` when there is none within a time.
    pub async fn next(&self, within: Duration) -> Option<u64> {
        self.asked.store(true, Ordering::Relaxed);
        let told = tokio::time::timeout(within, self.told.notified()).await;
        self.asked.store(false, Ordering::Relaxed);
        told.ok().map(|()| self.held_kib.load(Ordering::Relaxed))
    }

    /// Waits for a call, or for a time.
    pub async fn ended(&self, within: Duration) {
        let _ = tokio::time::timeout(within, self.begun.notified()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_moment_is_told_to_who_asked_before_it_came() {
        let rest = Rest::default();
        rest.come(|| unreachable!("nobody has asked"));
        let second = Duration::from_secs(1);
        assert_eq!(rest.next(second).await, None);
        rest.come(|| unreachable!("who asked has gone"));
        let (found, ()) = tokio::join!(rest.next(second), async { rest.come(|| 7) });
        assert_eq!(found, Some(7));
    }
}
