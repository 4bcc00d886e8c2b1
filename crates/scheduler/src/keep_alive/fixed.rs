//! Kept for the idle timeout.

use std::time::Duration;

use super::{Policy, Window};

/// The idle timeout, whatever the calls were like.
#[derive(Debug)]
pub struct Fixed(pub Duration);

impl Policy for Fixed {
    fn idle_ended(&mut self, _idle: Duration) {}

    fn window(&self) -> Window {
        Window { warm_after: Duration::ZERO, cold_after: self.0 }
    }
}
