//! What `modelet check` is made of.
//!
//! - [`course`]: one run of the function, as the target would run it; [`sample`]: the call that it gets
//! - [`ran`]: what a run came to, as findings
//! - [`files`]: what is read of files and packages without running them
//! - [`mod@print`]: findings for people and for machines

pub mod course;
pub mod files;
pub mod print;
pub mod ran;
pub mod sample;
