//! Why an instance is gone, and what the calls are told that it had.

use modelet_core::{Code, PlatformError};
use modelet_worker::Exit;

use super::Instance;

/// Why it is gone.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// It could not be started at all.
    NotStarted(PlatformError),
    /// It said itself why it cannot serve.
    Failed(Code, String),
    /// It grew beyond its limit, to this many MiB.
    OutOfMemory(u64),
    /// Its process ended.
    Exited(Exit),
}

impl Instance {
    /// Why a call that waited for its start fails.
    pub(in crate::dispatch) fn start_failure(&self) -> PlatformError {
        let id = &self.id;
        match self.end.get() {
            Some(End::Failed(code, why)) => {
                // The request was right: a code that blames it does not fit here.
                let code = if code.status() < 500 { Code::StartFailed } else { *code };
                PlatformError::new(code, format!("instance {id} could not load: {why}"))
            }
            Some(End::NotStarted(error)) => PlatformError {
                message: format!("instance {id} could not be started: {}", error.message),
                ..error.clone()
            },
            Some(End::OutOfMemory(mib)) => PlatformError::new(
                Code::OutOfMemory,
                format!("instance {id} grew to {mib} MiB while it loaded, beyond memory_mib"),
            )
            .hint("raise memory_mib in [settings]"),
            Some(End::Exited(exit)) => PlatformError::new(
                Code::StartFailed,
                format!("instance {id} {exit} before it was ready{}", self.last_words()),
            ),
            None => PlatformError::new(
                Code::StartFailed,
                format!("instance {id} did not start{}", self.last_words()),
            ),
        }
    }

    /// Why a call that it worked on fails.
    pub(in crate::dispatch) fn death(&self, memory_mib: u64) -> PlatformError {
        let id = &self.id;
        match self.end.get() {
            Some(End::OutOfMemory(mib)) => PlatformError::new(
                Code::OutOfMemory,
                format!("instance {id} grew to {mib} MiB, beyond memory_mib = {memory_mib}, and was stopped"),
            )
            .hint("raise memory_mib, send less in one call, or lower concurrency"),
            Some(End::Exited(exit)) => PlatformError::new(
                Code::InstanceDied,
                // Not its last words: they may be about other clients' calls.
                format!("instance {id} {exit} while it worked on this call"),
            )
            .hint("the next call gets a new instance; modelet logs shows what it said"),
            _ => PlatformError::new(
                Code::InstanceDied,
                format!("instance {id} ended while it worked on this call"),
            ),
        }
    }
}
