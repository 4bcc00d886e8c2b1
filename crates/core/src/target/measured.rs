//! Whether what a function took when it was run is within a target's limits. Times and memory are those of the machine that it was run
//! on, and told as such.

use super::Target;
use super::finding::{About, Finding, Verdict};
use super::limits::Of;

/// More than this share of a limit leaves little room, percent: another processor, another request.
const CLOSE_PERCENT: f64 = 50.0;
/// The same of memory, which depends less on the machine.
const CLOSE_MEMORY_PERCENT: u64 = 80;

impl Target {
    /// What an instance held at most, against what it asks for. `killed`: it met the limit, and `held_kib` is what it held under a
    /// larger one.
    pub fn of_memory(self, asked_mib: u64, held_kib: u64, killed: bool) -> Finding {
        let held_mib = held_kib.div_ceil(1_024);
        let met = if killed && held_mib <= asked_mib { ", and met that limit for a moment" } else { "" };
        let what = format!("held {held_mib} MiB at most, here, of memory_mib = {asked_mib}{met}");
        let verdict = match () {
            () if killed || held_mib > asked_mib => Verdict::Breaks,
            () if held_mib * 100 > asked_mib * CLOSE_MEMORY_PERCENT => Verdict::Warning,
            () => return Finding::new(Verdict::Ok, About::Memory, what),
        };
        // Room for what other calls take.
        let least_mib = if killed { held_mib.max(asked_mib) } else { held_mib };
        let wanted = least_mib * 100 / CLOSE_MEMORY_PERCENT + 1;
        let fix = match self.memory_for(wanted) {
            Some(mib) => format!("ask for more: [settings] memory_mib = {mib}, the next that would do"),
            None => format!("{} has not so much: load less, or a smaller model", self.title()),
        };
        let finding = Finding::new(verdict, About::Memory, what).fix(fix);
        self.bound(Of::MostMemory).into_iter().fold(finding, Finding::by)
    }

    /// How long an instance took until it was ready; `None`: longer than `waited_ms`.
    pub fn of_load(self, load_ms: Option<f64>, waited_ms: u64, timeout_ms: u64) -> Finding {
        let what = match load_ms {
            Some(ms) => format!("ready in {ms:.0} ms, here"),
            None => format!("was not ready within {waited_ms} ms, here"),
        };
        let took_ms = load_ms.unwrap_or(f64::INFINITY);
        let Some(bound) = self.bound(Of::Load) else {
            let verdict = if load_ms.is_some() { Verdict::Ok } else { Verdict::Breaks };
            return Finding::new(verdict, About::Start, what);
        };
        // Lambda begins again within the first call.
        let is_retried = self == Self::AwsLambda && took_ms <= timeout_ms as f64;
        let verdict = match took_ms / bound.value as f64 * 100.0 {
            percent if percent > 100.0 && !is_retried => Verdict::Breaks,
            percent if percent > CLOSE_PERCENT => Verdict::Warning,
            _ => return Finding::new(Verdict::Ok, About::Start, what),
        };
        let again = if self == Self::AwsLambda {
            " (Lambda begins again within the first call, under its time-out)"
        } else {
            ""
        };
        let fix = format!(
            "load less before the first call, or ask for more memory, with which more of a processor comes{again}"
        );
        Finding::new(verdict, About::Start, what).by(bound).fix(fix)
    }

    /// How long a call took, beyond the start of its instance; `None`: longer than its time-out, for which it was waited.
    pub fn of_call(self, call_ms: Option<f64>, timeout_ms: u64) -> Finding {
        let of = format!("of request_timeout_ms = {timeout_ms}");
        let what = match call_ms {
            Some(ms) => format!("the call took {ms:.1} ms, here, {of}"),
            None => format!("the call was not answered within its time, here, {of}"),
        };
        let percent = call_ms.unwrap_or(f64::INFINITY) / timeout_ms as f64 * 100.0;
        let verdict = match percent {
            percent if percent > 100.0 => Verdict::Breaks,
            percent if percent > CLOSE_PERCENT => Verdict::Warning,
            _ => return Finding::new(Verdict::Ok, About::Call, what),
        };
        let most = self.limit(Of::Timeout).filter(|most| *most > timeout_ms);
        let fix = most.map_or_else(
            || "it is the longest that there is: do less in one call, or in another target".to_owned(),
            |most| format!("[settings] request_timeout_ms, which may be {most}"),
        );
        let finding = Finding::new(verdict, About::Call, what).fix(fix);
        self.bound(Of::Timeout).into_iter().fold(finding, Finding::by)
    }

    /// How large a request or an answer is; `None` where the target has no limit.
    pub fn of_payload(self, of: Of, bytes: u64) -> Option<Finding> {
        let bound = self.bound(of)?;
        let whose = if of == Of::Request { "the request" } else { "the answer" };
        if bytes <= bound.value {
            return None;
        }
        let fix = match (self, of) {
            (Self::AwsLambda, Of::Answer) => {
                "lay it into S3 and answer where it is; or stream it, which a function URL allows up to 200 MB"
            }
            (Self::AwsLambda, _) => "lay it into S3 and send where it is; or send npy in the place of JSON",
            (_, Of::Answer) => "lay it into a storage and answer where it is, or answer in several calls",
            _ => "lay it into a storage and send where it is, or send npy in the place of JSON",
        };
        let what = format!("{whose} has {bytes} bytes, {} takes {}", self.title(), bound.value);
        Some(Finding::new(Verdict::Breaks, About::Payload, what).by(bound).fix(fix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_compared_with_what_is_asked_for_and_the_next_step_is_named() {
        let of =
            |target: Target, asked, held_mib: u64, killed| target.of_memory(asked, held_mib << 10, killed);
        assert_eq!(of(Target::AwsLambda, 128, 60, false).verdict, Verdict::Ok);
        assert_eq!(of(Target::AwsLambda, 128, 110, false).verdict, Verdict::Warning);
        let finding = of(Target::AwsLambda, 128, 200, false);
        assert_eq!(finding.verdict, Verdict::Breaks);
        assert!(finding.fix.unwrap().contains("memory_mib = 251"));
        assert_eq!(of(Target::AwsLambda, 128, 100, true).verdict, Verdict::Breaks);
        assert!(of(Target::Sagemaker, 1_024, 1_200, false).fix.unwrap().contains("memory_mib = 2048"));
        assert!(of(Target::AzureFunctions, 1_536, 1_600, false).fix.unwrap().contains("has not so much"));
    }

    #[test]
    fn a_slow_start_is_begun_again_on_lambda_and_fails_elsewhere() {
        let of = |target: Target, ms, timeout_ms| target.of_load(Some(ms), 0, timeout_ms).verdict;
        assert_eq!(of(Target::AwsLambda, 900.0, 3_000), Verdict::Ok);
        assert_eq!(of(Target::AwsLambda, 6_000.0, 3_000), Verdict::Warning);
        assert_eq!(of(Target::AwsLambda, 12_000.0, 3_000), Verdict::Breaks);
        assert_eq!(of(Target::AwsLambda, 12_000.0, 30_000), Verdict::Warning);
        assert_eq!(of(Target::AzureFunctions, 31_000.0, 230_000), Verdict::Breaks);
        assert_eq!(of(Target::Vertex, 500_000.0, 60_000), Verdict::Ok);
        assert_eq!(Target::CloudRun.of_load(None, 480_000, 300_000).verdict, Verdict::Breaks);
    }

    #[test]
    fn a_call_is_compared_with_its_time_out() {
        assert_eq!(Target::AwsLambda.of_call(Some(20.0), 3_000).verdict, Verdict::Ok);
        assert_eq!(Target::AwsLambda.of_call(Some(2_000.0), 3_000).verdict, Verdict::Warning);
        let finding = Target::AwsLambda.of_call(None, 3_000);
        assert!(finding.verdict == Verdict::Breaks && finding.fix.unwrap().contains("may be 900000"));
        assert!(Target::Vertex.of_call(None, 60_000).fix.unwrap().contains("longest that there is"));
    }

    #[test]
    fn payloads_are_compared_byte_by_byte() {
        assert_eq!(Target::Vertex.of_payload(Of::Request, 1_500_000), None);
        let finding = Target::Vertex.of_payload(Of::Request, 1_500_001).unwrap();
        assert!(finding.what.contains("1500001 bytes, Vertex AI takes 1500000"), "{finding:?}");
        assert_eq!(Target::AzureFunctions.of_payload(Of::Answer, 1 << 40), None);
    }
}
