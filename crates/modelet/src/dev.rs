//! What `modelet dev` is made of: files that are watched, and a console that says what happens.
//!
//! - [`watch`]: what the files of a function are like at a moment; [`burst`]: when a burst of saves is over
//! - [`console`]: reloads, calls and output as lines or records; [`text`]: how records read; [`order`]: in which order they stand
//! - [`scratch`]: the data folder, which is gone afterwards

pub mod burst;
pub mod console;
pub mod order;
pub mod scratch;
pub mod text;
pub mod watch;
