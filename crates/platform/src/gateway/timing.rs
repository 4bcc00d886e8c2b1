//! Where the time of a call went: waiting told apart, and the `Server-Timing` header, read and written
//! (<https://www.w3.org/TR/server-timing/>).

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use modelet_core::Phases;
use modelet_core::millis::Millis;

use crate::dispatch::Startup;

/// The header.
pub const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// What an instance says of a call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Inner {
    /// The model's computation, milliseconds.
    pub inference_ms: f64,
    /// Processor time, milliseconds.
    pub cpu_ms: f64,
    /// Everything else that it says, as it says it.
    pub rest: String,
}

impl Inner {
    /// Reads the headers of an instance's answer; what is not there is 0.
    pub fn read(headers: &HeaderMap) -> Self {
        let mut inner = Self::default();
        let lists = headers.get_all(SERVER_TIMING).iter().filter_map(|list| list.to_str().ok());
        for metric in
            lists.flat_map(|list| list.split(',')).map(str::trim).filter(|metric| !metric.is_empty())
        {
            let (name, parameters) = metric.split_once(';').unwrap_or((metric, ""));
            let taken = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("dur="));
            let taken_ms =
                taken.and_then(|taken| taken.parse::<f64>().ok()).filter(|ms| *ms >= 0.0 && ms.is_finite());
            match (name.trim(), taken_ms) {
                ("predict", Some(ms)) => inner.inference_ms = ms,
                ("cpu", Some(ms)) => inner.cpu_ms = ms,
                _ if inner.rest.is_empty() => inner.rest = metric.to_owned(),
                _ => inner.rest.extend([", ", metric]),
            }
        }
        inner
    }
}

/// The `Server-Timing` of an answer. `receive`, `queue`, `start`, `load` and `instance` follow each other and add up to `total`;
/// `inference` and what the instance says are parts of `instance`. `first_inference` is `inference` once more, on the first
/// call of an instance.
pub fn header(phases: &Phases, inner: &Inner) -> Option<HeaderValue> {
    let mut text = format!(
        "receive;dur={}, queue;dur={}, start;dur={}, load;dur={}, instance;dur={}",
        Millis::of(phases.receive_ms),
        Millis::of(phases.queue_ms),
        Millis::of(phases.start_ms),
        Millis::of(phases.load_ms),
        Millis::of(phases.handler_ms)
    );
    let inference = Millis::of(phases.inference_ms);
    if !inner.rest.is_empty() {
        text.extend([", ", &inner.rest]);
    }
    if phases.first_inference {
        text.push_str(&format!(", first_inference;dur={inference}"));
    }
    text.push_str(&format!(
        ", inference;dur={inference}, cpu;dur={}, total;dur={}",
        Millis::of(inner.cpu_ms),
        Millis::of(phases.total_ms)
    ));
    HeaderValue::try_from(text).ok()
}

/// Divides the time that a call waited, from `from` until `until`, by what its instance did meanwhile: queue, start, load.
/// Gives also whether it waited for the instance at all.
pub fn divide(from: Duration, until: Duration, startup: Option<Startup>) -> ([Duration; 3], bool) {
    let waited = until.saturating_sub(from);
    let Some(Startup { started, loading, ready }) = startup.filter(|startup| startup.ready > from) else {
        return ([waited, Duration::ZERO, Duration::ZERO], false);
    };
    let common = |begin: Duration, end: Duration| end.min(until).saturating_sub(begin.max(from));
    let (start, load) = (common(started, loading), common(loading, ready));
    ([waited.saturating_sub(start + load), start, load], true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_instance_says_is_read_and_the_rest_passed_on() {
        let mut headers = HeaderMap::new();
        headers.append(
            SERVER_TIMING,
            HeaderValue::from_static("decode;dur=0.1, predict;desc=x;dur=2.5,encode;dur=0.2"),
        );
        headers.append(SERVER_TIMING, HeaderValue::from_static("cpu;dur=3"));
        let inner = Inner::read(&headers);
        let rest = "decode;dur=0.1, encode;dur=0.2".to_owned();
        assert_eq!(inner, Inner { inference_ms: 2.5, cpu_ms: 3.0, rest });
        let phases = Phases { inference_ms: 2.5, total_ms: 4.0, first_inference: true, ..Phases::default() };
        let text = header(&phases, &inner).unwrap();
        assert_eq!(
            text,
            "receive;dur=0.000, queue;dur=0.000, start;dur=0.000, load;dur=0.000, instance;dur=0.000, decode;dur=0.1, \
             encode;dur=0.2, first_inference;dur=2.500, inference;dur=2.500, cpu;dur=3.000, total;dur=4.000"
        );
        let later = header(&Phases { first_inference: false, ..phases }, &Inner::default()).unwrap();
        assert!(!later.to_str().unwrap().contains("first_inference"));
    }

    #[test]
    fn nonsense_of_an_instance_is_no_time() {
        let mut headers = HeaderMap::new();
        headers.append(
            SERVER_TIMING,
            HeaderValue::from_static("predict;dur=-1, cpu;dur=inf,, predict, cpu;dur="),
        );
        let inner = Inner::read(&headers);
        assert_eq!((inner.inference_ms, inner.cpu_ms), (0.0, 0.0));
    }

    #[test]
    fn waiting_is_divided_by_what_the_instance_did_meanwhile() {
        let ms = Duration::from_millis;
        let startup = |started, loading, ready| {
            Some(Startup { started: ms(started), loading: ms(loading), ready: ms(ready) })
        };
        let divided = |from, until, startup| {
            let (parts, cold) = divide(ms(from), ms(until), startup);
            (parts.map(|part| part.as_millis()), cold)
        };
        assert_eq!(divided(0, 40, startup(5, 10, 30)), ([15, 5, 20], true), "waited for all of it");
        assert_eq!(divided(20, 31, startup(5, 10, 30)), ([1, 0, 10], true), "came while it loaded");
        assert_eq!(divided(30, 40, startup(5, 10, 30)), ([10, 0, 0], false), "came when it was ready");
        assert_eq!(divided(0, 7, None), ([7, 0, 0], false));
    }
}
