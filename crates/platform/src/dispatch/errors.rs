//! What a call is told that is refused, or that fails without an answer of the function: what happened, to what, and what
//! to do.

use modelet_core::{Code, PlatformError};
use modelet_scheduler::{CallFailure, InstanceNo, Machine, Rejection};

use crate::dispatch::VersionDispatch;
use crate::dispatch::instance::Instance;

/// Why a call was not accepted. `instance` finds an instance by its number, also one that has ended lately.
pub(super) fn rejection<'a>(
    version: &VersionDispatch,
    why: Rejection,
    machine: &Machine,
    instance: impl Fn(InstanceNo) -> Option<&'a Instance>,
) -> PlatformError {
    let (name, settings) = (&version.entry.card.name, &version.entry.card.settings);
    match why {
        Rejection::QueueFull => {
            let limit = settings.queue_limit;
            let message = format!("{name} has as many calls waiting as queue_limit = {limit} allows");
            PlatformError::new(Code::QueueFull, message)
                .hint("try again later, or raise max_instances, concurrency or queue_limit")
                .retry_after_s(1)
        }
        Rejection::Throttled { retry_in_ms } => {
            let limit = settings.rate_limit_per_s;
            let message = format!(
                "{name} gets more calls than rate_limit_per_s = {limit} lets in; the next is let in in {retry_in_ms} ms"
            );
            PlatformError::new(Code::Throttled, message)
                .hint("call less often, put several rows into one call, or raise rate_limit_per_s or rate_burst")
                .retry_after_s(retry_in_ms.div_ceil(1_000))
        }
        Rejection::TooManyCalls => {
            let limit = machine.max_calls;
            let message =
                format!("the platform holds as many calls as --max-calls = {limit} allows, {name} its share");
            PlatformError::new(Code::Throttled, message)
                .hint("try again later, or raise --max-calls of modelet up")
                .retry_after_s(1)
        }
        Rejection::MachineFull => no_room(version, machine),
        Rejection::StartBackoff { instance: no, retry_in_ms } => {
            let mut error = start_failure(version, instance(no));
            error.message.push_str(&format!("; the next try is due in {retry_in_ms} ms"));
            error.retry_after_s(retry_in_ms.div_ceil(1_000))
        }
        Rejection::Draining => {
            PlatformError::new(Code::ShuttingDown, format!("{name} is being taken out of service"))
                .retry_after_s(5)
        }
    }
}

/// Why an accepted call ended without an answer.
pub(super) fn failure<'a>(
    version: &VersionDispatch,
    why: CallFailure,
    machine: &Machine,
    instance: impl Fn(InstanceNo) -> Option<&'a Instance>,
) -> PlatformError {
    let (name, settings) = (&version.entry.card.name, &version.entry.card.settings);
    match why {
        CallFailure::StartFailed(no) => start_failure(version, instance(no)),
        CallFailure::LoadTimeout(no) => {
            let limit = settings.load_timeout_ms;
            let last = instance(no).map(Instance::last_words).unwrap_or_default();
            let message =
                format!("an instance of {name} was not ready within load_timeout_ms = {limit}{last}");
            PlatformError::new(Code::LoadTimeout, message)
                .hint("raise load_timeout_ms, or make the model smaller")
        }
        CallFailure::RequestTimeout(no) => {
            let limit = settings.request_timeout_ms;
            let place = no.and_then(instance).map_or_else(
                || "while it waited for a free instance".to_owned(),
                |instance| format!("while instance {} worked on it", instance.id),
            );
            let message =
                format!("{name} did not answer within request_timeout_ms = {limit}: time was up {place}");
            PlatformError::new(Code::RequestTimeout, message)
                .hint("raise request_timeout_ms, or send less in one call")
        }
        CallFailure::InstanceDied(no) => instance(no).map_or_else(
            || {
                let message = format!("the instance of {name} that had the call ended");
                PlatformError::new(Code::InstanceDied, message)
            },
            |instance| instance.death(settings.memory_mib),
        ),
        CallFailure::Stuck(no) => stuck(version, instance(no)),
        CallFailure::MachineFull => no_room(version, machine),
        CallFailure::Draining => {
            let limit = settings.drain_timeout_ms;
            let message =
                format!("{name} is being taken out of service, and drain_timeout_ms = {limit} is over");
            PlatformError::new(Code::ShuttingDown, message)
        }
    }
}

fn stuck(version: &VersionDispatch, instance: Option<&Instance>) -> PlatformError {
    let (name, settings) = (&version.entry.card.name, &version.entry.card.settings);
    let which = instance.map_or_else(|| format!("an instance of {name}"), |i| format!("instance {}", i.id));
    let limit = settings.stuck_timeout_ms;
    let message = format!(
        "{which} had the call, and neither computed nor answered for stuck_timeout_ms = {limit}: it was stopped"
    );
    PlatformError::new(Code::InstanceStuck, message)
        .hint("the next call gets a new instance; modelet logs shows what it said")
}

fn no_room(version: &VersionDispatch, machine: &Machine) -> PlatformError {
    let (name, memory_mib) = (&version.entry.card.name, machine.memory_mib);
    let message = format!(
        "there is no room for an instance of {name}: other functions use --memory-mib = {memory_mib}, or it is kept for them"
    );
    PlatformError::new(Code::MachineFull, message)
        .hint("try again later, raise --memory-mib of modelet up, or lower reserved_instances or min_instances of other functions")
        .retry_after_s(1)
}

fn start_failure(version: &VersionDispatch, instance: Option<&Instance>) -> PlatformError {
    let name = &version.entry.card.name;
    instance.map_or_else(
        || PlatformError::new(Code::StartFailed, format!("no instance of {name} could be started")),
        Instance::start_failure,
    )
}
