//! What the probes found, and the engine that follows from it.
//!
//! The rule, in order: an engine that the manifest names is taken, or the deploy is refused with its reason. Else of the
//! engines that load the model and agree on the example rows, ONNX Runtime is taken, the reference and the fastest once warm;
//! unless `rten` starts so much faster that a cold call gains more than a warm one loses.

use modelet_core::{Code, DType, EngineName, FunctionError, Settings, Signature};
use serde::{Deserialize, Serialize};

use crate::batching::Batching;
use crate::probe::{Finding, Question};

/// `rten` is taken when it reaches its first answer this much earlier …
const COLD_GAIN_MS: f64 = 10.0;
/// … and a warm call takes at most this much longer.
const WARM_LOSS_MS: f64 = 0.5;
/// An instance gets as many calls at once as it answers in this time, so that none waits long behind the others.
const FULL_INSTANCE_MS: f64 = 50.0;

/// How a probe is run: the question goes to a process of its own, which has to be started.
pub trait Prober {
    /// Asks. An error means that the process could not be run at all, or died.
    fn ask(&self, question: &Question) -> Result<Finding, FunctionError>;
}

/// What was measured of one engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The engine's version.
    pub version: String,
    /// What it says the model takes and gives.
    #[serde(skip_serializing_if = "is_empty", default)]
    pub signature: Signature,
    /// From nothing to loaded, milliseconds.
    pub load_ms: f64,
    /// The first call, milliseconds.
    pub first_ms: f64,
    /// The median of further calls with one row, milliseconds.
    pub warm_ms: f64,
    /// Most memory that the process held, MiB.
    pub memory_mib: u64,
}

fn is_empty(signature: &Signature) -> bool {
    signature.inputs.is_empty()
}

/// What was found of one engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineEvidence {
    /// Which engine.
    pub engine: EngineName,
    /// Its figures, if it serves the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// Why it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// What the choice of an engine rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Every engine that was tried.
    pub engines: Vec<EngineEvidence>,
    /// The one that was taken.
    pub chosen: EngineName,
    /// Why, in a sentence.
    pub reason: String,
    /// Largest relative difference between the engines' answers, when two were compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_difference: Option<f64>,
    /// Whether calls may be computed together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batching: Option<Batching>,
}

impl Evidence {
    /// The figures of the engine that was taken.
    pub fn chosen(&self) -> Option<&Measured> {
        self.engines.iter().find(|e| e.engine == self.chosen)?.measured.as_ref()
    }

    /// The same without signatures, which are in the card.
    #[must_use]
    pub fn without_signatures(mut self) -> Self {
        for measured in self.engines.iter_mut().filter_map(|engine| engine.measured.as_mut()) {
            measured.signature = Signature::default();
        }
        self
    }
}

/// Chooses the engine: `wanted`, or the best.
pub fn choose(prober: &dyn Prober, wanted: Option<EngineName>) -> Result<Evidence, FunctionError> {
    let candidates = wanted.map_or_else(|| EngineName::ALL.to_vec(), |engine| vec![engine]);
    let mut engines = Vec::new();
    let mut first_refusal = None;
    for engine in candidates {
        let (measured, refused) = match prober.ask(&Question::Measure { engine })? {
            Finding::Measured(measured) => (Some(*measured), None),
            Finding::Refused(code, why) => {
                first_refusal.get_or_insert((code, why.clone()));
                (None, Some(why))
            }
            Finding::Agree(_) | Finding::Together(_) => {
                (None, Some("the probe answered another question".to_owned()))
            }
        };
        engines.push(EngineEvidence { engine, measured, refused });
    }
    let serving: Vec<_> = engines.iter().filter_map(|e| Some((e.engine, e.measured.clone()?))).collect();
    let (chosen, reason, largest_difference) = match serving.as_slice() {
        [] => return Err(nobody(first_refusal)),
        [(engine, _)] if wanted.is_some() => (*engine, "the manifest names it".to_owned(), None),
        [(engine, _)] => (*engine, "the only engine that serves this model".to_owned(), None),
        // Its example rows would not show it: they are small numbers.
        [(reference, warm), (EngineName::Rten, _), ..] if takes_wide_integers(&warm.signature) => {
            (*reference, "rten takes integers of 32 bits only, the model's are wider".to_owned(), None)
        }
        [(reference, warm), (other, cold), ..] => {
            let question = Question::Compare { reference: *reference, other: *other };
            match prober.ask(&question)? {
                Finding::Agree(difference) => {
                    let (chosen, reason) = faster((*reference, warm), (*other, cold));
                    (chosen, reason, Some(difference))
                }
                Finding::Refused(_, why) => {
                    (*reference, format!("{other} does not answer as {reference}: {why}"), None)
                }
                Finding::Measured(_) | Finding::Together(_) => (*reference, "the reference".to_owned(), None),
            }
        }
    };
    Ok(Evidence { engines, chosen, reason, largest_difference, batching: None })
}

fn takes_wide_integers(signature: &Signature) -> bool {
    signature.inputs.iter().any(|input| matches!(input.dtype, DType::I64 | DType::U64 | DType::U32))
}

fn faster(warm: (EngineName, &Measured), cold: (EngineName, &Measured)) -> (EngineName, String) {
    let gain = (warm.1.load_ms + warm.1.first_ms) - (cold.1.load_ms + cold.1.first_ms);
    let loss = cold.1.warm_ms - warm.1.warm_ms;
    if gain >= COLD_GAIN_MS && loss <= WARM_LOSS_MS {
        (cold.0, format!("starts {gain:.0} ms faster than {}, and a warm call costs {loss:+.2} ms", warm.0))
    } else {
        (
            warm.0,
            format!(
                "a warm call costs {:+.2} ms against {}, which starts {gain:.0} ms faster",
                -loss, cold.0
            ),
        )
    }
}

fn nobody(refusal: Option<(Code, String)>) -> FunctionError {
    let (code, why) = refusal.unwrap_or((Code::ModelRefused, "no engine was tried".to_owned()));
    let error = FunctionError::new(code, why);
    match code {
        Code::EngineMissing => error.hint("run: modelet engines install"),
        _ => error,
    }
}

/// The limits of a function whose manifest leaves `concurrency` to us: as many calls at once as are answered in a short time.
#[must_use]
pub fn fit_concurrency(mut settings: Settings, warm_ms: f64) -> Settings {
    let fit = (FULL_INSTANCE_MS / warm_ms.max(1e-3)).clamp(1.0, settings.concurrency as f64);
    settings.concurrency = fit as u64;
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Script(Vec<(Question, Finding)>);

    impl Prober for Script {
        fn ask(&self, question: &Question) -> Result<Finding, FunctionError> {
            let found = self.0.iter().find(|(asked, _)| asked == question);
            Ok(found.unwrap_or_else(|| panic!("{question:?} was not expected")).1.clone())
        }
    }

    fn measured(load_ms: f64, warm_ms: f64) -> Finding {
        Finding::Measured(Box::new(Measured {
            version: "1".into(),
            signature: Signature::default(),
            load_ms,
            first_ms: 0.0,
            warm_ms,
            memory_mib: 1,
        }))
    }

    const ORT: Question = Question::Measure { engine: EngineName::Onnxruntime };
    const RTEN: Question = Question::Measure { engine: EngineName::Rten };
    const BOTH: Question = Question::Compare { reference: EngineName::Onnxruntime, other: EngineName::Rten };

    fn chosen(answers: Vec<(Question, Finding)>) -> EngineName {
        choose(&Script(answers), None).unwrap().chosen
    }

    #[test]
    fn the_faster_start_wins_only_when_warm_calls_do_not_pay_for_it() {
        let agree = || (BOTH, Finding::Agree(0.0));
        let small = vec![(ORT, measured(30.0, 0.02)), (RTEN, measured(3.0, 0.04)), agree()];
        assert_eq!(chosen(small), EngineName::Rten);
        let large = vec![(ORT, measured(110.0, 10.0)), (RTEN, measured(80.0, 19.0)), agree()];
        assert_eq!(chosen(large), EngineName::Onnxruntime);
    }

    #[test]
    fn disagreement_leaves_the_reference_and_says_so() {
        let refused = Finding::Refused(Code::EnginesDisagree, "y[3]: 1.0 and 2.0".into());
        let answers = vec![(ORT, measured(30.0, 0.02)), (RTEN, measured(3.0, 0.04)), (BOTH, refused)];
        let evidence = choose(&Script(answers), None).unwrap();
        assert_eq!(evidence.chosen, EngineName::Onnxruntime);
        assert!(evidence.reason.contains("y[3]"), "{}", evidence.reason);
    }

    #[test]
    fn when_nobody_serves_it_the_first_reason_counts() {
        let answers = vec![
            (ORT, Finding::Refused(Code::EngineMissing, "no library".into())),
            (RTEN, Finding::Refused(Code::ModelRefused, "no operator".into())),
        ];
        let error = choose(&Script(answers), None).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (Code::EngineMissing, "no library"));
        assert!(error.hint.unwrap().contains("engines install"));
    }

    #[test]
    fn slow_models_get_fewer_calls_at_once() {
        let fit = |warm_ms| fit_concurrency(Settings::default(), warm_ms).concurrency;
        assert_eq!((fit(0.02), fit(10.0), fit(1_000.0)), (16, 5, 1));
    }
}
