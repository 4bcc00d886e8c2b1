//! The calls in hand on a port: what each is called in the log, and the trace that it belongs to.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Instant;

use http::header::USER_AGENT;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use hyper::body::Body;
use modelet_core::InvocationId;
use modelet_core::entry::Stream;
use modelet_core::instance::HEADER_INVOCATION;

use super::form::{Request, request};
use super::{LOG, Log, project};

/// Headers in which hosts name a call: Azure Functions, Cloud Run functions.
const NAMES: [&str; 2] = ["x-azure-functions-invocationid", "function-execution-id"];
/// A longer name is not taken for one.
const NAME_LIMIT_BYTES: usize = 128;
const TRACE_PARENT: &str = "traceparent";
const CLOUD_TRACE: &str = "x-cloud-trace-context";

/// What the ids of this process' calls begin with.
static BEGINNING: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
static LAST: AtomicU64 = AtomicU64::new(0);

/// A place in a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The project that it is a trace of, where that is known.
    pub project: Option<String>,
    /// 32 hexadecimal digits.
    pub id: String,
    /// 16 hexadecimal digits.
    pub span: String,
    /// Whether it is kept.
    pub is_sampled: bool,
}

/// The traces of the calls in hand.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<HashMap<InvocationId, Trace>>);

/// A call in hand.
#[derive(Debug)]
pub struct Call {
    id: InvocationId,
    since: Instant,
    method: String,
    target: String,
    agent: String,
}

impl Trace {
    /// The one that a request belongs to: as W3C says it, or else as Google did before (docs of Cloud Trace, "Context propagation").
    fn of(headers: &HeaderMap) -> Option<Self> {
        let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let (id, span, is_sampled) = said(TRACE_PARENT)
            .and_then(of_trace_parent)
            .or_else(|| said(CLOUD_TRACE).and_then(of_cloud_trace))?;
        Some(Self { project: project::known(), id, span, is_sampled })
    }
}

/// `00-TRACE-SPAN-FLAGS`.
fn of_trace_parent(text: &str) -> Option<(String, String, bool)> {
    let mut parts = text.split('-').skip(1);
    let (id, span, flags) = (parts.next()?, parts.next()?, parts.next()?);
    let flags = u8::from_str_radix(flags, 16).ok()?;
    (is_hex(id, 32) && is_hex(span, 16)).then(|| (id.to_owned(), span.to_owned(), flags & 1 == 1))
}

/// `TRACE/SPAN;o=1`, the span as a decimal number.
fn of_cloud_trace(text: &str) -> Option<(String, String, bool)> {
    let (trace, options) = text.split_once(';').unwrap_or((text, ""));
    let (id, span) = trace.split_once('/').unwrap_or((trace, "0"));
    let span: u64 = span.parse().ok()?;
    is_hex(id, 32).then(|| (id.to_owned(), format!("{span:016x}"), options.trim() == "o=1"))
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Calls {
    /// The trace of a call.
    pub(super) fn trace(&self, call: Option<&InvocationId>) -> Option<Trace> {
        self.traces().get(call?).cloned()
    }

    fn traces(&self) -> std::sync::MutexGuard<'_, HashMap<InvocationId, Trace>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    /// Names a request that has come to a port, in a header of its own.
    pub fn begin(head: &mut Parts) -> Self {
        let id = InvocationId(name(&head.headers).map_or_else(new_name, str::to_owned));
        if let Ok(value) = HeaderValue::from_str(&id.0) {
            head.headers.insert(HeaderName::from_static(HEADER_INVOCATION), value);
        }
        if let (Some(log), Some(trace)) = (LOG.get(), Trace::of(&head.headers)) {
            log.calls.traces().insert(id.clone(), trace);
        }
        let agent = head.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        Self {
            id,
            since: Instant::now(),
            method: head.method.to_string(),
            target: head.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
            agent: agent.unwrap_or_default().to_owned(),
        }
    }

    /// Writes its own record, where there is a form for that.
    pub fn answered(&self, answer: &Response<impl Body>) {
        let Some(log) = LOG.get().filter(|log| log.form.tells_requests()) else { return };
        let said = Request {
            call: &self.id.0,
            method: &self.method,
            target: &self.target,
            agent: &self.agent,
            status: answer.status().as_u16(),
            response_bytes: answer.body().size_hint().exact(),
            took: self.since.elapsed(),
        };
        Log::print(Stream::Stdout, &request(&said, log.calls.trace(Some(&self.id)).as_ref()));
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(log) = LOG.get() {
            log.calls.traces().remove(&self.id);
        }
    }
}

/// What a host calls it.
fn name(headers: &HeaderMap) -> Option<&str> {
    let names = std::iter::once(HEADER_INVOCATION).chain(NAMES);
    let said = names.filter_map(|name| headers.get(name)?.to_str().ok());
    said.into_iter().find(|name| !name.is_empty() && name.len() <= NAME_LIMIT_BYTES)
}

/// One that nobody else has.
fn new_name() -> String {
    format!("{:016x}-{}", *BEGINNING, LAST.fetch_add(1, Ordering::Relaxed) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(name: &'static str, value: &str) -> Option<(String, String, bool)> {
        let headers = HeaderMap::from_iter([(HeaderName::from_static(name), value.parse().unwrap())]);
        Trace::of(&headers).map(|trace| (trace.id, trace.span, trace.is_sampled))
    }

    #[test]
    fn a_trace_is_read_in_both_forms() {
        let (id, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        let found = |is_sampled| Some((id.to_owned(), span.to_owned(), is_sampled));
        assert_eq!(trace(TRACE_PARENT, &format!("00-{id}-{span}-01")), found(true));
        assert_eq!(trace(TRACE_PARENT, &format!("00-{id}-{span}-00")), found(false));
        let decimal = u64::from_str_radix(span, 16).unwrap();
        assert_eq!(trace(CLOUD_TRACE, &format!("{id}/{decimal};o=1")), found(true));
        assert_eq!(trace(CLOUD_TRACE, &format!("{id}/{decimal}")), found(false));
        for nonsense in ["", "00-1-2-3", "x/1;o=1", &format!("00-{id}-{span}"), &format!("{id}/zz;o=1")] {
            assert_eq!(trace(TRACE_PARENT, nonsense), None, "{nonsense}");
            assert_eq!(trace(CLOUD_TRACE, nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_call_has_the_name_that_its_host_gives_it_or_one_of_its_own() {
        let called = |headers: &[(&'static str, &str)]| {
            let mut head = http::Request::new(()).into_parts().0;
            for (name, value) in headers {
                head.headers.insert(*name, value.parse().unwrap());
            }
            let call = Call::begin(&mut head);
            assert_eq!(head.headers[HEADER_INVOCATION], call.id.0.as_str());
            call.id.0.clone()
        };
        assert_eq!(called(&[(NAMES[1], "kx7"), (NAMES[0], "5f3")]), "5f3");
        assert_eq!(called(&[(NAMES[1], "kx7")]), "kx7");
        let long = "x".repeat(NAME_LIMIT_BYTES + 1);
        assert_ne!(called(&[(NAMES[1], &long)]), long);
        assert_ne!(called(&[]), called(&[]));
    }
}
