//! Hostile programs against the sandbox, on every rung that this machine has, as whoever runs the tests and, where that is
//! root, as an ordinary user too.

mod escapes;
mod limits;
mod lives;
mod ordinary;
mod stage;
