//! Asynchronous invocations (`Prefer: respond-async`, RFC 7240): accepted with 202 once they are on the disk, worked on when an
//! instance is there, tried again when they fail; the answer lies under the invocation's id for some time. What was worked on
//! when the platform was killed is tried once more: a function may get the same invocation twice, and never not at all.
//!
//! - [`prefer`]: what a client says it prefers
//! - [`door`]: accepts, and gives answers
//! - [`queue`]: which is next
//! - [`work`]: makes the attempts
//! - [`retry`]: what becomes of one after an attempt

mod door;
pub mod prefer;
pub mod queue;
pub mod retry;
mod work;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::Response;
use modelet_core::instance::HEADER_ERROR;
use modelet_core::{Code, FunctionName, PlatformError, Settings};
use tokio::sync::{Notify, broadcast};

use crate::gateway::call::NotBegun;
use crate::store::accepted::{Accepted, Asked, Ended};
use queue::{Due, Queue};
use retry::{Attempt, Next, Progress};

/// Ends that a client which waits may be behind before it looks for itself.
const ENDS_HELD: usize = 1_024;
/// A client that finds no room is told to come back after this.
const FULL_RETRY_S: u64 = 60;
/// What an earlier run left is tried within this time.
const LONGEST_LEFT_MS: i64 = 3_600_000;
/// When an answer cannot be kept (a full disk), the invocation is tried again after this.
const KEEP_RETRY_MS: i64 = 60_000;

/// Those that were accepted, and who is to be told.
pub struct Asynchronous {
    accepted: Accepted,
    limit_bytes: u64,
    queue: Mutex<Queue>,
    /// There may be something to work on.
    changed: Notify,
    /// The place in the store of each that ends.
    ends: broadcast::Sender<i64>,
    closed: AtomicBool,
}

impl Asynchronous {
    /// With what an earlier run has left. `limit_bytes`: of everything that is kept, when no more is accepted.
    pub fn open(accepted: Accepted, limit_bytes: u64, now_ms: i64) -> Result<Self, PlatformError> {
        let mut queue = Queue::default();
        for left in accepted.waiting()? {
            let (accepted_at_ms, attempts) = (left.accepted_at_ms, left.attempts);
            let progress = Progress { accepted_at_ms, attempts, refusals: 0 };
            // Not later than it could have been put off to: the clock may have been set back.
            let due_at_ms = left.due_at_ms.min(now_ms.saturating_add(LONGEST_LEFT_MS));
            queue.wait(Due { function: left.function, seq: left.seq, progress }, due_at_ms);
        }
        Ok(Self {
            accepted,
            limit_bytes,
            queue: Mutex::new(queue),
            changed: Notify::new(),
            ends: broadcast::channel(ENDS_HELD).0,
            closed: AtomicBool::new(false),
        })
    }

    /// How many of each function have not ended.
    pub fn lengths(&self) -> Vec<(FunctionName, usize)> {
        self.queue().lengths()
    }

    /// A function was deleted, and with it what waited.
    pub async fn forget(&self, function: &FunctionName) {
        self.queue().forget(function);
        self.accepted.recount().await.unwrap_or_else(|error| eprintln!("{error}"));
    }

    /// An attempt has its place in an instance: the next one of its function may come.
    fn begun(&self, function: &FunctionName) {
        self.queue().begun(function);
        self.changed.notify_one();
    }

    /// No attempt is begun any more. What is accepted from now on waits for the next start of the platform.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.changed.notify_one();
    }

    /// Keeps one. To be run to its end, whether or not the client waits.
    async fn accept(&self, asked: Asked, limits: &Settings, now_ms: i64) -> Result<(), PlatformError> {
        if self.accepted.kept_bytes() >= self.limit_bytes {
            let message = "asynchronous invocations and their answers take as much as --async-mib allows";
            return Err(PlatformError::new(Code::Overloaded, message)
                .hint("try again when some have ended, or raise --async-mib of modelet up")
                .retry_after_s(FULL_RETRY_S));
        }
        let function = asked.function.clone();
        let limit = usize::try_from(limits.async_queue_limit).unwrap_or(usize::MAX);
        if !self.queue().admit(&function, limit) {
            let message = format!(
                "{limit} asynchronous invocations of {function} have not ended, as many as async_queue_limit allows"
            );
            return Err(PlatformError::new(Code::QueueFull, message).retry_after_s(1));
        }
        match self.accepted.insert(asked, now_ms).await {
            Ok(seq) => {
                let progress = Progress { accepted_at_ms: now_ms, attempts: 0, refusals: 0 };
                self.queue().arrived(Due { function, seq, progress }, now_ms);
                self.changed.notify_one();
                Ok(())
            }
            Err(error) => {
                self.queue().withdrawn(&function);
                Err(error)
            }
        }
    }

    /// Writes down what came of an attempt, and gives the time of the next one.
    async fn settle(
        &self,
        due: &mut Due,
        answer: Response<Bytes>,
        limits: &Settings,
        now_ms: i64,
    ) -> Option<i64> {
        let status = modelet_protocol::meant_status(&answer);
        // A handler may write what it likes beside an answer that is none of our errors.
        let code = answer.headers().get(HEADER_ERROR).filter(|_| status >= 400);
        let code = code.and_then(|code| code.to_str().ok()?.parse().ok());
        let attempt = match answer.extensions().get::<NotBegun>() {
            Some(NotBegun) => Attempt::Refused,
            None => Attempt::of(status, code),
        };
        let pace = self.queue().note(&due.function, attempt, now_ms);
        let attempts = due.progress.attempts;
        let written = match due.progress.after(attempt, &pace, limits, now_ms) {
            Next::Again { due_at_ms } => {
                // What was not begun leaves no mark: after a start of the platform it is due at once.
                if due.progress.attempts > attempts {
                    let noted = self.accepted.again(due.seq, due.progress.attempts, due_at_ms).await;
                    noted.unwrap_or_else(|error| eprintln!("an attempt was not noted: {error}"));
                }
                return Some(due_at_ms);
            }
            Next::End => {
                let expires_at_ms =
                    now_ms.saturating_add(i64::try_from(limits.async_result_ms).unwrap_or(i64::MAX));
                let attempts = due.progress.attempts;
                self.accepted.end(Ended { seq: due.seq, attempts, answer, expires_at_ms }).await
            }
        };
        match written {
            Ok(()) => {
                // Nobody may wait.
                let _ = self.ends.send(due.seq);
                self.accepted.trim(self.limit_bytes).await.unwrap_or_else(|error| eprintln!("{error}"));
                None
            }
            Err(error) => {
                eprintln!("an answer was not kept, and its invocation is tried again: {error}");
                Some(now_ms + KEEP_RETRY_MS)
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
