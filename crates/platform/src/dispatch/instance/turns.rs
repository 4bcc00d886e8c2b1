//! Carries out whose turn it is to compute: see [`modelet_scheduler::turns`].

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use modelet_scheduler::Turns;
use modelet_worker::Confinement;

use super::Instance;
use crate::clock::Clock;

/// The turns of one instance.
#[derive(Debug, Default)]
pub(super) struct Turn(Mutex<Turns>);

impl Turn {
    pub fn books(&self) -> MutexGuard<'_, Turns> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Instance {
    /// Looks at how it works, for as long as it does and somebody waits for it: what takes a moment has nothing to do here but
    /// to set a timer.
    pub async fn take_turns(&self, clock: Clock) -> Infallible {
        loop {
            let next = self.turn.books().next_look();
            match next {
                Some(at) if at > clock.now() => tokio::time::sleep_until(clock.instant(at)).await,
                Some(_) => self.look_at_turn(clock),
                None => std::future::pending().await,
            }
        }
    }

    fn look_at_turn(&self, clock: Clock) {
        let walls = self.confinement();
        let computed = walls.as_ref().map_or(Duration::ZERO, |walls| walls.computed());
        let news = self.turn.books().look(computed, clock.now());
        put(walls, news);
    }

    /// Its last call has ended.
    pub(super) fn end_turn(&self) {
        let news = self.turn.books().end();
        put(news.and_then(|_| self.confinement()), news);
    }
}

/// Where the kernel knows no background, all compute as they always did.
fn put(walls: Option<Arc<Confinement>>, news: Option<bool>) {
    if let (Some(walls), Some(background)) = (walls, news) {
        let _ = walls.set_background(background);
    }
}
