//! The place of a call in an instance, from its assignment until it is known what becomes of it.
//!
//! When the process of an instance has ended, its end is told to the scheduler, which fails the calls in it, only after each
//! call in it knows its fate: one that the instance never took in goes back into line, and must not be failed.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::sync::Notify;

use crate::dispatch::instance::Instance;

/// The places in one instance that are not settled.
#[derive(Debug, Default)]
pub(super) struct Places {
    open: AtomicUsize,
    settled: Notify,
}

impl Places {
    fn take(&self) {
        self.open.fetch_add(1, SeqCst);
    }

    fn settle_one(&self) {
        if self.open.fetch_sub(1, SeqCst) == 1 {
            self.settled.notify_waiters();
        }
    }

    /// Waits until the fate of every call is known.
    pub(super) async fn settled(&self) {
        loop {
            let settled = self.settled.notified();
            if self.open.load(SeqCst) == 0 {
                return;
            }
            settled.await;
        }
    }
}

/// A call's place in an instance.
pub struct Place {
    instance: Arc<Instance>,
    open: bool,
}

impl Place {
    /// A call is given to an instance.
    pub(super) fn new(instance: Arc<Instance>) -> Self {
        instance.places.take();
        Self { instance, open: true }
    }

    /// What becomes of the call is known: it is answered, broken off, or back in line.
    pub fn settle(&mut self) {
        if std::mem::take(&mut self.open) {
            self.instance.places.settle_one();
        }
    }
}

impl Deref for Place {
    type Target = Instance;

    fn deref(&self) -> &Instance {
        &self.instance
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.settle();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn an_end_waits_for_the_fate_of_every_call() {
        let places = Places::default();
        places.settled().await;
        places.take();
        places.take();
        let mut settled = pin!(places.settled());
        assert!(settled.as_mut().now_or_never().is_none());
        places.settle_one();
        assert!(settled.as_mut().now_or_never().is_none(), "one is left");
        places.settle_one();
        assert!(settled.as_mut().now_or_never().is_some());
    }
}
