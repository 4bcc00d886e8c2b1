//! What an instance costs: its account, told to the journal when it starts, when it is ready, now and then, and at its end. Of
//! one that ends with a killed platform, the last [`BEAT`] of its times is unknown.

use std::convert::Infallible;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use modelet_core::{Code, EndReason, InstanceRecord, StartFailure, StartPhase};
use modelet_scheduler::{StopReason, Wear};

use super::{End, Instance};
use crate::dispatch::VersionDispatch;
use crate::dispatch::account::Account;
use crate::store::journal::Entry;

/// A running instance is told of this often.
const BEAT: Duration = Duration::from_secs(10);
/// When an instance started, in the platform's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Startup {
    /// It was asked for.
    pub started: Duration,
    /// It began to load.
    pub loading: Duration,
    /// It was ready.
    pub ready: Duration,
}

impl Instance {
    /// When it started; `None` before it is ready.
    pub fn startup(&self) -> Option<Startup> {
        let (started, ready) = self.account().start();
        let ready = ready?;
        let load = Duration::from_secs_f64(self.readiness.get()?.load_ms.max(0.0) / 1e3);
        // What the instance measured itself cannot be longer than what we saw of it.
        Some(Startup { started, loading: ready.saturating_sub(load).max(started), ready })
    }

    /// How it was started, in words.
    pub fn started_from(&self) -> &str {
        self.started_from.get().copied().unwrap_or("nothing")
    }

    /// The most memory that it held so far, MiB.
    pub fn peak_memory_mib(&self) -> u64 {
        let walls = self.confinement().map_or(0, |walls| walls.peak_memory_kib());
        walls.max(self.account().peak_memory_kib()).div_ceil(1 << 10)
    }

    pub(super) fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at what its process has used.
    pub(super) fn look(&self) {
        let Some(confinement) = self.confinement() else { return };
        let used = confinement.usage();
        self.account().seen(used.cpu_ms, used.memory_kib);
    }

    /// Tells the journal what it came to by now.
    pub(super) fn tell(&self, version: &VersionDispatch, end: Option<(EndReason, String)>) {
        let clock = version.shared.clock;
        let totals = self.account().totals(clock.now());
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (reason, end) = end.unzip();
        let failure = reason.and_then(|reason| self.never_ready(reason, version));
        let record = InstanceRecord {
            id: self.id.clone(),
            function: version.entry.card.name.clone(),
            version: self.version,
            memory_mib: version.entry.card.settings.memory_mib,
            started_at_ms: self.started_at_ms,
            at_ms: clock.unix_ms(),
            loading_ms: ms(totals.loading),
            serving_ms: ms(totals.serving),
            idle_ms: ms(totals.idle),
            cpu_ms: totals.cpu_ms,
            peak_memory_kib: totals.peak_memory_kib,
            calls: totals.calls,
            end,
            reason,
            failure,
        };
        version.shared.logs.record(&Entry::Instance(record));
    }

    /// Tells the journal now and then.
    pub(super) async fn keep_telling(&self, version: &VersionDispatch) -> Infallible {
        loop {
            tokio::time::sleep(BEAT).await;
            self.look();
            self.tell(version, None);
        }
    }

    /// It has ended: tells the journal so.
    pub(super) fn close(&self, version: &VersionDispatch) {
        self.account().ended(version.shared.clock.now());
        self.tell(version, Some(self.reason()));
    }

    /// What is told of an instance that was never ready, unless it was stopped because nobody needed it.
    fn never_ready(&self, reason: EndReason, version: &VersionDispatch) -> Option<StartFailure> {
        if self.readiness.get().is_some() {
            return None;
        }
        let phase = if self.feed.get().is_some() { StartPhase::Load } else { StartPhase::Start };
        let (code, message) = match reason {
            EndReason::StartFailed | EndReason::OutOfMemory => {
                let error = self.start_failure();
                (error.code, error.message)
            }
            EndReason::LoadTimeout => {
                let limit = version.entry.card.settings.load_timeout_ms;
                (
                    Code::LoadTimeout,
                    format!("instance {} was not ready within load_timeout_ms = {limit}", self.id),
                )
            }
            _ => return None,
        };
        Some(StartFailure { phase, code, message })
    }

    /// Why it has ended, in a word and in words.
    fn reason(&self) -> (EndReason, String) {
        let stopping = self.diary().stopping;
        match (self.end.get(), stopping) {
            (Some(End::NotStarted(error)), _) => {
                (EndReason::StartFailed, format!("could not be started: {error}"))
            }
            (Some(End::Failed(code, _)), _) => (EndReason::StartFailed, format!("could not load: {code}")),
            (Some(End::OutOfMemory(mib)), _) => {
                (EndReason::OutOfMemory, format!("stopped: it grew to {mib} MiB"))
            }
            (_, Some(why)) if why != StopReason::Gone => {
                let (reason, words) = stopped(why);
                (reason, words.to_owned())
            }
            (Some(End::Exited(exit)), _) => {
                let was_ready = self.readiness.get().is_some();
                let reason = if was_ready { EndReason::Crashed } else { EndReason::StartFailed };
                (reason, exit.to_string())
            }
            (None, _) => (EndReason::Crashed, "ended".to_owned()),
        }
    }
}

/// Why the scheduler stopped it, in a word and in words.
fn stopped(why: StopReason) -> (EndReason, &'static str) {
    match why {
        StopReason::Idle => (EndReason::Idle, "stopped: idle"),
        StopReason::LoadTimeout => (EndReason::LoadTimeout, "stopped: not ready in time"),
        StopReason::Condemned => (EndReason::RequestTimeout, "stopped: a call in it timed out"),
        StopReason::Stuck => (EndReason::Stuck, "stopped: it was stuck"),
        StopReason::Worn(Wear::Calls) => (EndReason::Recycled, "replaced: it had its recycle_calls"),
        StopReason::Worn(Wear::Memory) => (EndReason::Recycled, "replaced: its memory had grown"),
        StopReason::Worn(Wear::Threads) => (EndReason::Recycled, "replaced: its threads had grown"),
        StopReason::Evicted => (EndReason::Evicted, "stopped: idle, and its memory was needed"),
        StopReason::GivenUp => (EndReason::GivenUp, "stopped: another function had nothing"),
        StopReason::Gone => (EndReason::Crashed, "ended by itself"),
        StopReason::Draining => (EndReason::Drained, "stopped: its version was taken out of service"),
    }
}
