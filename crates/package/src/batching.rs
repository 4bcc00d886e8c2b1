//! Whether calls of a function may be computed together, found out at deploy.
//!
//! The rule: a signature with an axis of rows, and example rows that get the same answers together as alone, within the
//! tolerance that engines have to one another, and sooner by more than putting them together costs (which [by rule](By::Rule) is not asked).
//! Else `batch_max_rows` becomes 1, with the reason in the evidence. A number that the user has set stays, and the reason becomes a warning.

use modelet_core::certificate::short;
use modelet_core::{EngineName, FunctionError, Settings, Signature};
use modelet_model::rows::{check_batch_axis, limit};
use serde::{Deserialize, Serialize};

use crate::evidence::{By, Prober};
use crate::probe::{Finding, Question};

/// Rows go together when that saves this much for each, milliseconds. Reading, gathering and answering in bursts costs a call
/// about 0.01 ms of what could have been computed meanwhile: tiny models lose 8 % of their throughput by it.
const LEAST_SAVING_MS: f64 = 0.02;

/// What example rows got, together and alone.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Together {
    /// What differs first, and where: `y[3, 1]: 0.25 against 0.5`. `None`: every row got the same answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differs: Option<String>,
    /// The largest absolute difference of two numbers.
    pub largest_difference: f64,
    /// Rows of the largest computation.
    pub rows: usize,
    /// How long that took, milliseconds.
    pub together_ms: f64,
    /// How long the same rows took one call after the other, milliseconds.
    pub alone_ms: f64,
}

/// How calls will be computed, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batching {
    /// `batch_max_rows` of the version.
    pub max_rows: u64,
    /// Why, in a sentence.
    pub reason: String,
    /// True when the user's own setting stands against what was found.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warning: bool,
    /// What was measured, where something was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Together>,
}

/// Finds out whether calls may be computed together by an engine. `set` is what the user says of `batch_max_rows`.
///
/// # Errors
/// When the probe could not be run.
pub fn prove(
    prober: &dyn Prober,
    engine: EngineName,
    signature: &Signature,
    set: Option<u64>,
    by: By,
) -> Result<Batching, FunctionError> {
    if set == Some(1) {
        let reason = "off: batch_max_rows = 1 is set".to_owned();
        return Ok(Batching { max_rows: 1, reason, warning: false, measured: None });
    }
    if let Err(why) = check_batch_axis(signature) {
        let reason = format!("off: no axis counts rows: {why}");
        let max_rows = set.unwrap_or(1);
        return Ok(Batching { max_rows, reason, warning: set.is_some(), measured: None });
    }
    // Together they are no larger than a call may be.
    let most = limit(signature).map_or(u64::MAX, |rows| rows as u64);
    let set = set.map(|rows| rows.min(most));
    Ok(match prober.ask(&Question::Together { engine })? {
        Finding::Together(measured) => judge(measured, set, most, by),
        Finding::Refused(_, why) => unproven(&format!("it could not be tried: {why}"), None, set),
        Finding::Measured(_) | Finding::Agree(_) => unproven("another question was answered", None, set),
    })
}

fn judge(measured: Together, set: Option<u64>, most: u64, by: By) -> Batching {
    if let Some(differs) = &measured.differs {
        let why = format!("rows get other answers together than alone: {differs}");
        return unproven(&why, Some(measured), set);
    }
    let max_rows = set.unwrap_or(Settings::default().batch_max_rows.min(most));
    let times = format!(
        "{} rows take {:.2} ms, one by one {:.2} ms",
        measured.rows, measured.together_ms, measured.alone_ms
    );
    let saved_ms = (measured.alone_ms - measured.together_ms) / measured.rows.max(1) as f64;
    if by == By::Clock && saved_ms < LEAST_SAVING_MS {
        return unproven(&format!("it would save too little: {times}"), Some(measured), set);
    }
    let reason = format!(
        "waiting calls are computed together, up to {max_rows} rows: same answers, largest difference {}; {times}",
        short(measured.largest_difference)
    );
    Batching { max_rows, reason, warning: false, measured: Some(measured) }
}

fn unproven(why: &str, measured: Option<Together>, set: Option<u64>) -> Batching {
    let reason = match set {
        None => format!("off: {why}"),
        Some(rows) => format!("on, since batch_max_rows = {rows} is set, although {why}"),
    };
    Batching { max_rows: set.unwrap_or(1), reason, warning: set.is_some(), measured }
}

#[cfg(test)]
mod tests {
    use modelet_core::{Code, DType, Dim, InputSpec, Limited, OutputKind, OutputSpec};

    use super::*;

    /// Answers one question, or none.
    struct Once(Option<Finding>);

    impl Prober for Once {
        fn ask(&self, question: &Question) -> Result<Finding, FunctionError> {
            assert_eq!(question, &Question::Together { engine: EngineName::Rten });
            Ok(self.0.clone().expect("nothing was to be asked"))
        }
    }

    fn signature(first: Dim) -> Signature {
        let shape = Some(vec![first, Dim::Fixed(2)]);
        let input = InputSpec {
            name: "x".into(),
            dtype: DType::F32,
            shape: shape.clone(),
            optional: false,
            columns: None,
            categories: None,
            numbers: None,
            table_rows: None,
            takes_integers: false,
            rules: vec![],
            file: None,
        };
        let kind = OutputKind::Tensor { dtype: DType::F32, shape };
        let output = OutputSpec { name: "y".into(), kind, classes: None, ranking: None };
        Signature::new(vec![input], vec![output])
    }

    fn found(differs: Option<&str>) -> Option<Finding> {
        timed(differs, 1.0)
    }

    fn timed(differs: Option<&str>, together_ms: f64) -> Option<Finding> {
        let differs = differs.map(str::to_owned);
        let (rows, alone_ms) = (64, 4.0);
        let together = Together { differs, largest_difference: 3e-8, rows, together_ms, alone_ms };
        Some(Finding::Together(together))
    }

    fn proven(finding: Option<Finding>, first: Dim, set: Option<u64>) -> (u64, bool, String) {
        let batching = prove(&Once(finding), EngineName::Rten, &signature(first), set, By::Clock).unwrap();
        (batching.max_rows, batching.warning, batching.reason)
    }

    #[test]
    fn rows_that_get_the_same_answers_go_together() {
        let (rows, warning, reason) = proven(found(None), Dim::Dynamic, None);
        assert_eq!((rows, warning), (64, false));
        assert!(
            reason.contains("largest difference 3e-8; 64 rows take 1.00 ms, one by one 4.00 ms"),
            "{reason}"
        );
        assert_eq!(proven(found(None), Dim::Dynamic, Some(8)).0, 8);
    }

    #[test]
    fn together_they_are_no_larger_than_one_call_may_be() {
        let limited = || Dim::Limited(Limited { name: "batch".into(), min: 0, max: Some(16) });
        for (set, wanted) in [(None, 16), (Some(8), 8), (Some(64), 16)] {
            let (rows, _, reason) = proven(found(None), limited(), set);
            assert!(rows == wanted && reason.contains(&format!("up to {wanted} rows")), "{reason}");
        }
    }

    #[test]
    fn whatever_is_in_doubt_goes_alone_unless_the_user_says_otherwise() {
        let refused = || Some(Finding::Refused(Code::BadInput, "x is odd".into()));
        for (finding, why) in
            [(found(Some("y[0]: 1 against 2")), "y[0]: 1 against 2"), (refused(), "x is odd")]
        {
            let (rows, warning, reason) = proven(finding.clone(), Dim::Dynamic, None);
            assert_eq!((rows, warning), (1, false));
            assert!(reason.starts_with("off: ") && reason.ends_with(why), "{reason}");
            let (rows, warning, reason) = proven(finding, Dim::Dynamic, Some(8));
            assert_eq!((rows, warning), (8, true));
            assert!(reason.starts_with("on, since batch_max_rows = 8 is set, although "), "{reason}");
        }
    }

    #[test]
    fn what_saves_next_to_nothing_is_not_worth_gathering_for() {
        let measured = |rows, together_ms, alone_ms| {
            Some(Finding::Together(Together { rows, together_ms, alone_ms, ..Together::default() }))
        };
        let (rows, _, reason) = proven(measured(64, 0.17, 0.60), Dim::Dynamic, None);
        assert_eq!(rows, 1, "a small tree ensemble: {reason}");
        assert!(reason.starts_with("off: it would save too little: 64 rows take 0.17 ms"), "{reason}");
        assert_eq!(proven(measured(64, 22.85, 118.6), Dim::Dynamic, None).0, 64, "a small transformer");
    }

    #[test]
    fn nothing_is_tried_where_the_answer_is_known() {
        assert_eq!(proven(None, Dim::Dynamic, Some(1)), (1, false, "off: batch_max_rows = 1 is set".into()));
        let fixed = "off: no axis counts rows: the input x has the shape [1, 2]";
        assert_eq!(proven(None, Dim::Fixed(1), None), (1, false, fixed.into()));
        assert_eq!(proven(None, Dim::Fixed(1), Some(8)), (8, true, fixed.into()));
    }
}
