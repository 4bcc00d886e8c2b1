//! A call's place in line, and what becomes of it.

use std::sync::Arc;

use modelet_core::PlatformError;
use modelet_scheduler::CallNo;
use tokio::sync::oneshot;

use crate::dispatch::VersionDispatch;
use crate::dispatch::place::Place;

/// An accepted call that waits for an instance. Dropped, it gives its place up.
pub struct Ticket {
    pub(super) seat: Seat,
    pub(super) assigned: oneshot::Receiver<Place>,
}

/// A call with an instance, or on its way to one. Dropped before [`Seat::finish`], the client is taken for gone.
pub struct Seat {
    pub(super) call: CallNo,
    pub(super) version: Arc<VersionDispatch>,
    pub(super) failed: oneshot::Receiver<PlatformError>,
    pub(super) open: bool,
}

impl Ticket {
    /// Waits for an instance, as long as the scheduler lets it.
    pub async fn wait(self) -> Result<(Seat, Place), PlatformError> {
        let Self { mut seat, assigned } = self;
        tokio::select! {
            biased;
            Ok(place) = assigned => Ok((seat, place)),
            failure = seat.failure() => Err(failure),
        }
    }
}

impl Seat {
    /// Waits for the scheduler to end the call before its answer: a time-out, or the death of its instance.
    pub async fn failure(&mut self) -> PlatformError {
        let failed = (&mut self.failed).await;
        self.open = false;
        failed.unwrap_or_else(|_| {
            PlatformError::new(
                modelet_core::Code::Internal,
                "the call was dropped from the books without a reason",
            )
        })
    }

    /// The instance ended before it took the call in: the call waits again, before those that came later.
    pub fn again(self) -> Ticket {
        let (assigned, on_assigned) = oneshot::channel();
        self.version.not_taken(self.call, assigned);
        Ticket { seat: self, assigned: on_assigned }
    }

    /// The answer has ended; the slot is free for the next.
    pub fn finish(mut self) {
        self.open = false;
        self.version.finished(self.call);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.open {
            self.version.left(self.call);
        }
    }
}
