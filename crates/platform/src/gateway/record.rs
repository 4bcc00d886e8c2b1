//! What is kept of a call, however it ends: answered, refused, or left by its client.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use modelet_core::{Code, Failure, InstanceId, InvocationId, InvocationRecord, Outcome, Phases};

use crate::dispatch::Dispatch;
use crate::store::catalog::VersionEntry;
use crate::store::logs::LogRecord;

/// The status that is logged when the client left before its answer (as nginx does).
const CLIENT_LEFT: u16 = 499;

/// The record of a call that is under way. It is written when it is dropped; until [`CallRecord::finish`] or a failure says
/// otherwise, as one whose client left.
pub struct CallRecord {
    dispatch: Arc<Dispatch>,
    record: InvocationRecord,
    arrived: Duration,
    assigned: Option<Duration>,
}

impl CallRecord {
    /// A call that has just come in.
    pub fn start(dispatch: Arc<Dispatch>, id: InvocationId, entry: &VersionEntry, protocol: &str) -> Self {
        let clock = dispatch.shared().clock;
        let record = InvocationRecord {
            id,
            function: entry.card.name.clone(),
            version: entry.version,
            instance: None,
            arrived_at_ms: clock.unix_ms(),
            protocol: protocol.to_owned(),
            status: CLIENT_LEFT,
            outcome: Outcome::Cancelled,
            code: None,
            cold_start: false,
            phases: Phases::default(),
            request_bytes: 0,
            response_bytes: 0,
        };
        Self { arrived: clock.now(), dispatch, record, assigned: None }
    }

    /// The id of the call.
    pub fn id(&self) -> &InvocationId {
        &self.record.id
    }

    /// The body is there.
    pub fn received(&mut self, bytes: usize) {
        self.record.request_bytes = bytes as u64;
    }

    /// An instance has it. `cold`: it waited for one to start.
    pub fn assigned(&mut self, instance: InstanceId, cold: bool) {
        let now = self.now();
        let waited_ms = ms(now - self.arrived);
        self.assigned = Some(now);
        self.record.instance = Some(instance);
        self.record.cold_start = cold;
        let phase = if cold { &mut self.record.phases.start_ms } else { &mut self.record.phases.queue_ms };
        *phase = waited_ms;
    }

    /// The answer has come. Gives the value of the `Server-Timing` header: the platform's phases, then the instance's own.
    pub fn answered(
        &mut self,
        status: u16,
        code: Option<Code>,
        bytes: usize,
        inner: Option<&HeaderValue>,
    ) -> Option<HeaderValue> {
        let now = self.now();
        let phases = &mut self.record.phases;
        phases.handler_ms = ms(now - self.assigned.unwrap_or(self.arrived));
        self.record.status = status;
        self.record.code = code;
        self.record.response_bytes = bytes as u64;
        let text = format!(
            "queue;dur={:.3}, start;dur={:.3}, instance;dur={:.3}",
            phases.queue_ms, phases.start_ms, phases.handler_ms
        );
        let inner = inner.and_then(|inner| inner.to_str().ok()).filter(|inner| !inner.is_empty());
        HeaderValue::try_from(inner.map_or_else(|| text.clone(), |inner| format!("{text}, {inner}"))).ok()
    }

    /// The answer has ended; what its status says of the outcome holds.
    pub fn finish(mut self) {
        self.record.outcome = if self.record.status < 400 { Outcome::Ok } else { Outcome::FunctionError };
    }

    /// The call failed before an answer of the function, with this status.
    pub fn failed(mut self, failure: &Failure, status: u16) {
        self.record.status = status;
        self.record.code = Some(failure.code());
        self.record.outcome = match failure {
            Failure::Function(_) => Outcome::FunctionError,
            Failure::Platform(_) => Outcome::PlatformError,
        };
    }

    fn now(&self) -> Duration {
        self.dispatch.shared().clock.now()
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        self.record.phases.total_ms = ms(self.now() - self.arrived);
        let logs = &self.dispatch.shared().logs;
        logs.offer(&self.record.function, LogRecord::Invocation(self.record.clone()));
    }
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
