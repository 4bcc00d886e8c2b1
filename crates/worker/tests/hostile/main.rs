//! Hostile programs against the sandbox, on every rung that this machine has, as whoever runs the tests and, where that is
//! root, as an ordinary user too.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::semicolon_if_nothing_returned,
    reason = "the whole program is a test"
)]

mod answers;
mod escapes;
mod limits;
mod lives;
mod ordinary;
mod stage;
