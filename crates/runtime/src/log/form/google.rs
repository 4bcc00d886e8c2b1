//! What Google's Cloud Logging understands of a line (docs, "Structured logging", special fields), and Error Reporting (docs, "Format
//! errors in logs"): a stack trace in Python's own form. What failed without one is an error to be reported by its `@type`.

use std::time::Duration;

use modelet_core::entry::Entry;
use modelet_core::error::Raised;
use modelet_core::moment;
use serde_json::{Map, Value, json};

use crate::log::calls::Trace;
use crate::log::now_ms;

/// How a stack trace begins.
const TRACEBACK: &str = "Traceback (most recent call last):";
/// The type by which Error Reporting takes what has no stack trace.
const REPORTED: &str = "type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent";
/// Levels that are severities there.
const SEVERITIES: [&str; 8] =
    ["DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"];
/// Names of the same in Python.
const SAME: [(&str, &str); 3] = [("WARN", "WARNING"), ("FATAL", "CRITICAL"), ("TRACE", "DEBUG")];

/// Whose errors they are; each empty where nobody says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    name: String,
    revision: String,
}

/// What is kept of a request.
#[derive(Debug)]
pub struct Request<'a> {
    /// The call.
    pub call: &'a str,
    /// Its method.
    pub method: &'a str,
    /// Its path and query, as the client sent them.
    pub target: &'a str,
    /// Who sent it, by its own word.
    pub agent: &'a str,
    /// The status of the answer.
    pub status: u16,
    /// Bytes of the answer's body, if it says them.
    pub response_bytes: Option<u64>,
    /// From its head to that of its answer.
    pub took: Duration,
}

impl Service {
    /// Out of the variables of Cloud Run and Knative.
    pub(super) fn of(var: impl Fn(&str) -> Option<String>) -> Self {
        Self { name: var("K_SERVICE").unwrap_or_default(), revision: var("K_REVISION").unwrap_or_default() }
    }

    /// Marks a record as an error that Error Reporting is to count.
    fn report(&self, object: &mut Map<String, Value>) {
        object.insert("@type".to_owned(), REPORTED.into());
        if !self.name.is_empty() {
            let context = json!({ "service": self.name, "version": self.revision });
            object.insert("serviceContext".to_owned(), context);
        }
    }
}

/// The object of an entry.
pub(super) fn object(entry: &Entry, service: &Service, trace: Option<&Trace>) -> Value {
    let mut object = head(entry.at_ms, severity(entry), entry.call(), trace);
    let mut message = entry.message.as_str();
    match &entry.raised {
        Some(raised) if !raised.stack.is_empty() => {
            object.insert("stack_trace".to_owned(), stack_trace(raised).into());
            message = message.split(&format!("\n{TRACEBACK}")).next().unwrap_or(message);
        }
        Some(_) => service.report(&mut object),
        None if entry.is_own() && entry.level == "ERROR" => service.report(&mut object),
        None => {}
    }
    object.insert("message".to_owned(), message.into());
    if let Some(logger) = &entry.logger {
        object.insert("logger".to_owned(), logger.clone().into());
    }
    let said = entry.said.as_ref().and_then(Value::as_object);
    for (name, value) in said.into_iter().flatten().chain(&entry.fields) {
        object.entry(name.clone()).or_insert_with(|| value.clone());
    }
    object.into()
}

/// The record of a call that was answered.
pub fn request(request: &Request<'_>, trace: Option<&Trace>) -> String {
    let Request { call, method, target, agent, status, response_bytes, took } = request;
    let severity = match status {
        500.. => "ERROR",
        400.. => "WARNING",
        _ => "INFO",
    };
    let mut object = head(now_ms(), severity, call, trace);
    object.insert("message".to_owned(), format!("{method} {target} {status}").into());
    let mut said = json!({
        "requestMethod": method,
        "requestUrl": target,
        "status": status,
        "userAgent": agent,
        "latency": format!("{:.6}s", took.as_secs_f64()),
    });
    if let Some(bytes) = response_bytes {
        said["responseSize"] = bytes.to_string().into();
    }
    object.insert("httpRequest".to_owned(), said);
    super::line(&Value::from(object))
}

/// What all have in common.
fn head(at_ms: u64, severity: &str, call: &str, trace: Option<&Trace>) -> Map<String, Value> {
    let mut object = Map::new();
    let mut say = |name: &str, value: Value| object.insert(name.to_owned(), value);
    say("time", moment::rfc3339(at_ms).into());
    say("severity", severity.into());
    let mut labels = Map::new();
    if !call.is_empty() {
        labels.insert("invocation".to_owned(), call.into());
    }
    match trace {
        Some(Trace { project: Some(project), id, span, is_sampled }) => {
            say("logging.googleapis.com/trace", format!("projects/{project}/traces/{id}").into());
            say("logging.googleapis.com/spanId", span.clone().into());
            say("logging.googleapis.com/trace_sampled", (*is_sampled).into());
        }
        // Traces have names within a project only: without it this is but a word to look for.
        Some(Trace { project: None, id, .. }) => {
            labels.insert("trace".to_owned(), id.clone().into());
        }
        None => {}
    }
    if !labels.is_empty() {
        say("logging.googleapis.com/labels", labels.into());
    }
    object
}

fn severity(entry: &Entry) -> &str {
    let known = |level: &str| {
        let level = SAME.iter().find(|(name, _)| *name == level).map_or(level, |(_, same)| *same);
        SEVERITIES.into_iter().find(|severity| *severity == level)
    };
    known(&entry.level).or_else(|| known(entry.standard_level())).unwrap_or("DEFAULT")
}

/// As `traceback.format_exc` of Python has it.
fn stack_trace(raised: &Raised) -> String {
    let frames: String =
        raised.stack.iter().map(|frame| format!("{}\n", frame.trim_end_matches('\n'))).collect();
    format!("{TRACEBACK}\n{frames}{}: {}", raised.kind, raised.message)
}
