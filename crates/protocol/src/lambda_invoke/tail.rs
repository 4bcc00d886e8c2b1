//! The end of a call's log, with its answer: `X-Amz-Log-Type: Tail` is answered by `X-Amz-Log-Result`, the last 4 KiB in base64.
//!
//! The lines around it are those of Lambda's own log (docs of Lambda, "Viewing CloudWatch logs"; AWS' emulator): parted by tabs, the bill
//! in whole milliseconds.

use http::{HeaderMap, HeaderName, HeaderValue};
use modelet_core::{Code, PlatformError, base64};

use crate::protocol::CallLog;
use crate::text::quoted;

const LOG_TYPE: &str = "x-amz-log-type";
const LOG_RESULT: HeaderName = HeaderName::from_static("x-amz-log-result");
/// So much of the log comes with an answer.
const TAIL_BYTES: usize = 4 << 10;

/// Refuses what is neither `None` nor `Tail`.
pub(super) fn check(headers: &HeaderMap) -> Result<(), PlatformError> {
    match headers.get(LOG_TYPE).map(HeaderValue::as_bytes) {
        None | Some(b"None" | b"Tail") => Ok(()),
        Some(other) => {
            let other = quoted(&String::from_utf8_lossy(other));
            let message = format!("the log type {other} is neither None nor Tail");
            Err(PlatformError::new(Code::BadInput, message))
        }
    }
}

pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    headers.get(LOG_TYPE).is_some_and(|asked| asked == "Tail")
}

pub(super) fn tell(headers: &mut HeaderMap, log: &CallLog<'_>) {
    let text = text(log);
    let tail = &text.as_bytes()[text.len().saturating_sub(TAIL_BYTES)..];
    // Base64 is always a valid header.
    headers.extend(HeaderValue::try_from(base64::encode(tail)).ok().map(|tail| (LOG_RESULT, tail)));
}

fn text(log: &CallLog<'_>) -> String {
    let CallLog { invocation, version, said, duration_ms, billed_ms, memory_mib, peak_memory_mib, init_ms } =
        log;
    let init = init_ms.map(|ms| format!("\tInit Duration: {ms:.2} ms")).unwrap_or_default();
    format!(
        "START RequestId: {invocation} Version: {version}\n{said}END RequestId: {invocation}\n\
         REPORT RequestId: {invocation}\tDuration: {duration_ms:.2} ms\tBilled Duration: {billed_ms} ms\t\
         Memory Size: {memory_mib} MB\tMax Memory Used: {peak_memory_mib} MB{init}\t\n"
    )
}

#[cfg(test)]
mod tests {
    use modelet_core::{InvocationId, Version};

    use super::*;

    fn told(said: &str, init_ms: Option<f64>) -> String {
        let invocation = InvocationId("01H".into());
        let log = CallLog {
            invocation: &invocation,
            version: Version(3),
            said,
            duration_ms: 4.8512,
            billed_ms: 5,
            memory_mib: 256,
            peak_memory_mib: 61,
            init_ms,
        };
        let mut headers = HeaderMap::new();
        tell(&mut headers, &log);
        String::from_utf8(base64::decode(headers[LOG_RESULT].to_str().unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn the_log_of_a_call_has_lambdas_lines_around_it() {
        let report = "REPORT RequestId: 01H\tDuration: 4.85 ms\tBilled Duration: 5 ms\tMemory Size: 256 MB\tMax Memory Used: 61 MB";
        let around = "START RequestId: 01H Version: 3\none\nEND RequestId: 01H\n";
        assert_eq!(told("one\n", None), format!("{around}{report}\t\n"));
        assert_eq!(told("one\n", Some(332.034)), format!("{around}{report}\tInit Duration: 332.03 ms\t\n"));
    }

    #[test]
    fn only_the_end_of_a_long_log_is_told() {
        let tail = told(&"x".repeat(9000), None);
        assert_eq!(tail.len(), TAIL_BYTES);
        assert!(tail.starts_with('x') && tail.ends_with("61 MB\t\n"));
    }

    #[test]
    fn a_log_type_is_none_or_tail() {
        let asked =
            |value: &str| HeaderMap::from_iter([(HeaderName::from_static(LOG_TYPE), value.parse().unwrap())]);
        assert!(is_wanted(&asked("Tail")) && check(&asked("Tail")).is_ok());
        assert!(
            !is_wanted(&asked("None")) && check(&asked("None")).is_ok() && check(&HeaderMap::new()).is_ok()
        );
        assert_eq!(
            check(&asked("Head")).unwrap_err().message,
            "the log type \"Head\" is neither None nor Tail"
        );
    }
}
