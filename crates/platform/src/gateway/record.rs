//! What is kept of a call, however it ends: answered, refused, or left by its client.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method};
use modelet_core::{Code, Failure, InvocationId, InvocationRecord, Outcome, Phases, target};
use modelet_protocol::CallLog;

use crate::dispatch::Dispatch;
use crate::dispatch::instance::Instance;
use crate::gateway::timing::{self, Inner};
use crate::store::catalog::VersionEntry;
use crate::store::journal::Entry;

/// Most of a path that is kept.
const PATH_CHARACTERS: usize = 200;

/// The status that is logged when the client left before its answer (as nginx does).
const CLIENT_LEFT: u16 = 499;

/// The record of a call that is under way. It is written when it is dropped, and so before its answer is given away; until
/// [`CallRecord::finish`] or a failure says otherwise, as one whose client left.
pub struct CallRecord {
    dispatch: Arc<Dispatch>,
    record: InvocationRecord,
    stage: Stage,
    /// When it came to its stage.
    since: Duration,
    arrived: Duration,
}

/// How far a call has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Receiving,
    Waiting,
    InInstance,
    Over,
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
            method: None,
            path: None,
            status: CLIENT_LEFT,
            outcome: Outcome::Cancelled,
            code: None,
            attempt: None,
            cold_start: false,
            started_from: None,
            phases: Phases::default(),
            billed_ms: 0,
            memory_mib: entry.card.settings.memory_mib,
            cpu_ms: 0.0,
            request_bytes: 0,
            response_bytes: 0,
        };
        let now = clock.now();
        Self { dispatch, record, stage: Stage::Receiving, since: now, arrived: now }
    }

    /// The id of the call.
    pub fn id(&self) -> &InvocationId {
        &self.record.id
    }

    /// It is an attempt of an asynchronous invocation; the first is 1.
    pub fn attempt(&mut self, number: u32) {
        self.record.attempt = Some(number);
    }

    /// True for a call whose client waits for its answer.
    pub fn is_waited_for(&self) -> bool {
        self.record.attempt.is_none()
    }

    /// What it took in its instance, which is done with it, for a client that wants to hear what was said of it.
    pub fn log<'a>(&'a mut self, said: &'a str, peak_memory_mib: u64) -> CallLog<'a> {
        self.close();
        let InvocationRecord { id, version, phases, cold_start, memory_mib, .. } = &self.record;
        CallLog {
            invocation: id,
            version: *version,
            said,
            duration_ms: phases.handler_ms,
            billed_ms: phases.billed_ms(),
            memory_mib: *memory_mib,
            peak_memory_mib,
            init_ms: cold_start.then_some(phases.start_ms + phases.load_ms),
        }
    }

    /// What was asked for.
    pub fn asked(&mut self, method: &Method, path: &str) {
        self.record.method = Some(method.to_string());
        self.record.path = Some(path.chars().take(PATH_CHARACTERS).collect());
    }

    /// Whose limits the platform imposes, where they are not its own: what a failure by one of them has to say.
    pub fn explained(&self, mut failure: Failure) -> Failure {
        let Some(target) = self.dispatch.shared().target.filter(|_| target::is_met_by(failure.code())) else {
            return failure;
        };
        let whose = format!("this is the limit of {}", target.title());
        let hint = match &mut failure {
            Failure::Function(error) => &mut error.hint,
            Failure::Platform(error) => &mut error.hint,
        };
        *hint = Some(hint.take().map_or_else(|| whose.clone(), |hint| format!("{whose}; {hint}")));
        failure
    }

    /// The body is there.
    pub fn received(&mut self, bytes: usize) {
        self.record.request_bytes = bytes as u64;
        self.record.phases.receive_ms = ms(self.enter(Stage::Waiting));
    }

    /// Its instance ended before it took the call in: the time there was time in the queue.
    pub fn not_taken(&mut self) {
        self.record.phases.queue_ms += ms(self.enter(Stage::Waiting));
        self.record.instance = None;
    }

    /// It has an instance.
    pub fn assigned(&mut self, instance: &Instance) {
        let from = self.since;
        let waited = self.enter(Stage::InInstance);
        let ([queue, start, load], cold) = timing::divide(from, from + waited, instance.startup());
        let phases = &mut self.record.phases;
        // Added: an instance may have ended before it took the call in.
        phases.queue_ms += ms(queue);
        phases.start_ms += ms(start);
        phases.load_ms += ms(load);
        self.record.instance = Some(instance.id.clone());
        if cold {
            self.record.cold_start = true;
            self.record.started_from = Some(instance.started_from().to_owned());
        }
    }

    /// The instance works on it; `first`: on no other before.
    pub fn entered(&mut self, first: bool) {
        self.record.phases.first_inference = first;
    }

    /// The answer has come, with these headers. Gives the value of its `Server-Timing` header.
    pub fn answered(
        &mut self,
        status: u16,
        code: Option<Code>,
        bytes: usize,
        headers: &HeaderMap,
    ) -> Option<HeaderValue> {
        let inner = self.note(status, code, headers);
        self.sent(bytes as u64);
        self.close();
        timing::header(&self.record.phases, &inner)
    }

    /// An answer has begun that is sent while it is made. Gives the value of its `Server-Timing` header, as far as it is known.
    pub fn began(&mut self, status: u16, headers: &HeaderMap) -> Option<HeaderValue> {
        let inner = self.note(status, None, headers);
        let now = self.dispatch.shared().clock.now();
        let phases = Phases {
            handler_ms: ms(now - self.since),
            total_ms: ms(now - self.arrived),
            ..self.record.phases
        };
        timing::header(&phases, &inner)
    }

    /// So much of the answer has been sent, in bytes.
    pub fn sent(&mut self, bytes: u64) {
        self.record.response_bytes = bytes;
    }

    /// What the head of an answer says.
    fn note(&mut self, status: u16, code: Option<Code>, headers: &HeaderMap) -> Inner {
        let inner = Inner::read(headers);
        self.record.status = status;
        self.record.code = code;
        self.record.cpu_ms = inner.cpu_ms;
        self.record.phases.inference_ms = inner.inference_ms;
        inner
    }

    /// Its client left before it had the whole answer.
    pub fn left(mut self) {
        self.record.status = CLIENT_LEFT;
    }

    /// The answer is whole; what the status that it stands for says of the outcome holds.
    pub fn finish(mut self, meant_status: u16) {
        self.record.outcome = if meant_status < 400 { Outcome::Ok } else { Outcome::FunctionError };
    }

    /// The call failed before an answer of the function, with this status. Gives the value of its `Server-Timing` header.
    pub fn failed(mut self, failure: &Failure, status: u16) -> Option<HeaderValue> {
        self.record.status = status;
        self.record.code = Some(failure.code());
        self.record.outcome = match failure {
            Failure::Function(_) => Outcome::FunctionError,
            Failure::Platform(_) => Outcome::PlatformError,
        };
        self.close();
        timing::header(&self.record.phases, &Inner::default())
    }

    /// The time of the call ends here; what it was doing till now gets the rest of it.
    fn close(&mut self) {
        if self.stage == Stage::Over {
            return;
        }
        let stage = self.stage;
        let taken_ms = ms(self.enter(Stage::Over));
        let waited_for_start = matches!(self.record.code, Some(Code::StartFailed | Code::LoadTimeout));
        let phases = &mut self.record.phases;
        match stage {
            Stage::Receiving => phases.receive_ms = taken_ms,
            Stage::Waiting if waited_for_start => phases.start_ms += taken_ms,
            Stage::Waiting => phases.queue_ms += taken_ms,
            Stage::InInstance => phases.handler_ms = taken_ms,
            Stage::Over => return,
        }
        phases.total_ms = ms(self.since - self.arrived);
    }

    /// Comes to a stage; gives the time since the last one.
    fn enter(&mut self, stage: Stage) -> Duration {
        let now = self.dispatch.shared().clock.now();
        self.stage = stage;
        now - std::mem::replace(&mut self.since, now)
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        self.close();
        if self.record.instance.is_some() && self.record.outcome != Outcome::PlatformError {
            self.record.billed_ms = self.record.phases.billed_ms();
        }
        self.dispatch.shared().logs.record(&Entry::Invocation(self.record.clone()));
    }
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
