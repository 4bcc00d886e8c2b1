//! What outlives the process: functions and versions in SQLite, artifacts as files, logs in a second database.
//!
//! - [`writer`]: the one thread that writes to a database, several changes to a commit
//! - [`schema`]: the tables, and how older ones become newer
//! - [`catalog`]: functions and their versions, on disk and in memory
//! - [`accepted`]: asynchronous invocations and their answers
//! - [`artifacts`]: unpacked artifacts, by digest; [`layers`]: packages that they share
//! - [`secrets`]: values that functions are given and that nothing else shows
//! - [`logs`]: records of invocations and what instances print
//! - [`journal`]: where a record is safe before its call is answered
//! - [`fold`]: brings the journal into the database, each record once
//! - [`counts`]: what this run has counted, for `/metrics`
//! - [`usage`]: what was used, by the hour

pub mod accepted;
pub mod artifacts;
pub mod catalog;
pub mod counts;
pub mod fold;
pub mod journal;
pub mod layers;
pub mod logs;
pub mod schema;
pub mod secrets;
mod unpack;
pub mod usage;
pub mod writer;

use modelet_core::{Code, PlatformError};

/// Any failure of the store, as a user meets it.
pub(crate) fn store_failed(what: &str, error: impl std::fmt::Display) -> PlatformError {
    PlatformError::new(Code::StoreFailed, format!("could not {what}: {error}"))
        .hint("check the disk: modelet doctor")
}

/// True for what names content: SHA-256, hexadecimal.
pub(crate) fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
