//! What the probes found, and the engine that follows from it.
//!
//! The rule, in order: an engine that the manifest names is taken, or the deploy is refused with its reason. Else of the
//! engines that load the model, ONNX Runtime is the reference. One that answers the example rows as it does is taken in its
//! place when it is better at both, cold and warm, or starts so much faster that a cold call gains more than a warm one loses.
//! Where a host cannot have an engine, that one is a reference all the same. For hosts elsewhere what was measured here says little, and the
//! same files have to be the same artifact wherever they are packaged: there a [rule](By::Rule) takes the place of the clock.

use modelet_core::{Code, DType, EngineName, FunctionError, Settings, Signature};
use serde::{Deserialize, Serialize};

use crate::batching::Batching;
use crate::probe::{Finding, Question};

/// Another engine is taken when it reaches its first answer this much earlier …
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

/// A larger model is left to ONNX Runtime, bytes: a warm call of rten takes about twice as long, which small models do not feel.
const RTEN_BYTES: u64 = 16 << 20;

/// What decides between engines that answer alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// What was measured: it runs where it was measured.
    Clock,
    /// What comes first in a list, whatever was measured: `tabular`; `rten` for small models; ONNX Runtime; `rten`.
    Rule {
        /// How large the model is.
        model_bytes: u64,
    },
}

/// Chooses the engine: `wanted`, or the best, of those that the host can have.
pub fn choose(
    prober: &dyn Prober,
    wanted: Option<EngineName>,
    possible: &[EngineName],
    by: By,
) -> Result<Evidence, FunctionError> {
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
    let serving: Vec<_> = engines.iter().filter_map(|e| Some((e.engine, e.measured.as_ref()?))).collect();
    let choice = match serving.as_slice() {
        [] => return Err(nobody(first_refusal)),
        [(engine, _)] if possible.contains(engine) && wanted.is_some() => {
            Ok(Choice::of(*engine, "the manifest names it"))
        }
        [(engine, _)] if possible.contains(engine) => {
            Ok(Choice::of(*engine, "the only engine that serves this model"))
        }
        [reference, others @ ..] => between(prober, *reference, others, possible, by)?,
    };
    let Choice { chosen, reason, largest_difference } =
        choice.map_err(|why| out_of_reach(serving[0].0, possible, &engines, why))?;
    Ok(Evidence { engines, chosen, reason, largest_difference, batching: None })
}

/// The refusal of a model that only engines compute which the host cannot have; `why` is what was said against the others.
fn out_of_reach(
    reference: EngineName,
    possible: &[EngineName],
    engines: &[EngineEvidence],
    mut why: Vec<String>,
) -> FunctionError {
    let said = |one: &EngineEvidence| Some(format!("{}: {}", one.engine, one.refused.as_ref()?));
    why.extend(engines.iter().filter(|one| possible.contains(&one.engine)).filter_map(said));
    let why = if why.is_empty() { "no other was asked for".to_owned() } else { why.join("; ") };
    let message = format!("{reference} computes this model, which is not there on its host; {why}");
    FunctionError::new(Code::ModelRefused, message)
        .hint("package it for a host that has the library beside the runtime: a zip or an image")
}

/// An engine with its figures.
type Candidate<'a> = (EngineName, &'a Measured);

/// The engine taken, why, and how far its answers are from another's.
struct Choice {
    chosen: EngineName,
    reason: String,
    largest_difference: Option<f64>,
}

impl Choice {
    fn of(chosen: EngineName, reason: &str) -> Self {
        Self { chosen, reason: reason.to_owned(), largest_difference: None }
    }
}

/// The best of several engines: each that answers as the reference does is held against the best so far. The inner error is what was
/// said against each that the host can have.
fn between(
    prober: &dyn Prober,
    reference: Candidate<'_>,
    others: &[Candidate<'_>],
    possible: &[EngineName],
    by: By,
) -> Result<Result<Choice, Vec<String>>, FunctionError> {
    let mut best = possible.contains(&reference.0).then_some(reference);
    let mut taken_for = None;
    let mut kept_for = Vec::new();
    let mut largest_difference: Option<f64> = None;
    for other in others.iter().filter(|(engine, _)| possible.contains(engine)) {
        match difference(prober, reference, *other)? {
            Ok(difference) => {
                largest_difference = Some(largest_difference.unwrap_or(0.0).max(difference));
                let reason = match best {
                    Some(best) => by.prefers(best, *other),
                    None => Ok(format!("answers as {} does, which is not there on its host", reference.0)),
                };
                match reason {
                    Ok(reason) => (best, taken_for) = (Some(*other), Some(reason)),
                    Err(reason) => kept_for.push(reason),
                }
            }
            Err(reason) => kept_for.push(reason),
        }
    }
    let Some((chosen, _)) = best else { return Ok(Err(kept_for)) };
    let reason = taken_for.unwrap_or_else(|| kept_for.join("; "));
    Ok(Ok(Choice { chosen, reason, largest_difference }))
}

/// How far an engine's answers are from the reference's, or why it cannot take its place.
fn difference(
    prober: &dyn Prober,
    (reference, measured): Candidate<'_>,
    (other, _): Candidate<'_>,
) -> Result<Result<f64, String>, FunctionError> {
    // Its example rows would not show it: they are small numbers.
    if other == EngineName::Rten && takes_wide_integers(&measured.signature) {
        return Ok(Err("rten takes integers of 32 bits only, the model's are wider".to_owned()));
    }
    Ok(match prober.ask(&Question::Compare { reference, other })? {
        Finding::Agree(difference) => Ok(difference),
        Finding::Refused(_, why) => Err(format!("{other} does not answer as {reference}: {why}")),
        Finding::Measured(_) | Finding::Together(_) => Err("the probe answered another question".to_owned()),
    })
}

fn takes_wide_integers(signature: &Signature) -> bool {
    signature.inputs.iter().any(|input| matches!(input.dtype, DType::I64 | DType::U64 | DType::U32))
}

impl By {
    /// Why another engine is taken in the place of the best so far, or why not.
    fn prefers(self, best: Candidate<'_>, other: Candidate<'_>) -> Result<String, String> {
        let model_bytes = match self {
            Self::Clock => return faster(best, other),
            Self::Rule { model_bytes } => model_bytes,
        };
        let place = |engine| match engine {
            EngineName::Tabular => 0,
            EngineName::Rten if model_bytes <= RTEN_BYTES => 1,
            EngineName::Onnxruntime => 2,
            EngineName::Rten => 3,
        };
        let rule = "by rule, so that the same files are the same artifact wherever they are packaged";
        match place(other.0) < place(best.0) {
            true => Ok(format!("answers as {} does, and is taken {rule}", best.0)),
            false => Err(format!("{} comes after it, {rule}", other.0)),
        }
    }
}

/// The same by what was measured.
fn faster(best: Candidate<'_>, other: Candidate<'_>) -> Result<String, String> {
    let cold_ms = |measured: &Measured| measured.load_ms + measured.first_ms;
    let gain = cold_ms(best.1) - cold_ms(other.1);
    let loss = other.1.warm_ms - best.1.warm_ms;
    let better_at_both = gain > 0.0 && loss <= 0.0;
    if better_at_both || gain >= COLD_GAIN_MS && loss <= WARM_LOSS_MS {
        let warm = either(loss, "more", "less");
        Ok(format!(
            "starts {gain:.0} ms faster than {}, and a warm call costs {:.2} ms {warm}",
            best.0,
            loss.abs()
        ))
    } else {
        let (warm, cold) = (either(loss, "less", "more"), either(gain, "faster", "slower"));
        Err(format!(
            "a warm call costs {:.2} ms {warm} than with {}, which starts {:.0} ms {cold}",
            loss.abs(),
            other.0,
            gain.abs()
        ))
    }
}

/// The word for a number that is not below zero, or the one for others.
fn either(number: f64, not_below: &'static str, below: &'static str) -> &'static str {
    if number >= 0.0 { not_below } else { below }
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
    const TABULAR: Question = Question::Measure { engine: EngineName::Tabular };
    const BOTH: Question = Question::Compare { reference: EngineName::Onnxruntime, other: EngineName::Rten };
    const WITH_TABULAR: Question =
        Question::Compare { reference: EngineName::Onnxruntime, other: EngineName::Tabular };

    fn no_tabular() -> (Question, Finding) {
        (TABULAR, Finding::Refused(Code::ModelRefused, "no Conv".into()))
    }

    fn chosen(answers: Vec<(Question, Finding)>) -> EngineName {
        choose(&Script(answers), None, EngineName::ALL, By::Clock).unwrap().chosen
    }

    #[test]
    fn the_faster_start_wins_only_when_warm_calls_do_not_pay_for_it() {
        let agree = || (BOTH, Finding::Agree(0.0));
        let small = vec![(ORT, measured(30.0, 0.02)), (RTEN, measured(3.0, 0.04)), no_tabular(), agree()];
        assert_eq!(chosen(small), EngineName::Rten);
        let large = vec![(ORT, measured(110.0, 10.0)), (RTEN, measured(80.0, 19.0)), no_tabular(), agree()];
        assert_eq!(chosen(large), EngineName::Onnxruntime);
    }

    #[test]
    fn of_three_engines_the_best_that_agrees_is_taken() {
        let with = |tabular: Finding, rten: Finding| {
            let measured =
                [(ORT, measured(25.0, 0.02)), (TABULAR, measured(1.0, 0.01)), (RTEN, measured(3.0, 0.04))];
            chosen([&measured[..], &[(WITH_TABULAR, tabular), (BOTH, rten)]].concat())
        };
        let agree = || Finding::Agree(0.0);
        let differ = || Finding::Refused(Code::EnginesDisagree, "y[3]: 1.0 and 2.0".into());
        assert_eq!(with(agree(), agree()), EngineName::Tabular);
        assert_eq!(with(differ(), agree()), EngineName::Rten);
        assert_eq!(with(agree(), differ()), EngineName::Tabular);
        assert_eq!(with(differ(), differ()), EngineName::Onnxruntime);
    }

    #[test]
    fn by_rule_nothing_that_was_measured_decides() {
        let chosen = |ort_ms: f64, rten_ms: f64, model_bytes| {
            let agree = (BOTH, Finding::Agree(0.0));
            let answers = vec![
                (ORT, measured(ort_ms, ort_ms)),
                (RTEN, measured(rten_ms, rten_ms)),
                no_tabular(),
                agree,
            ];
            choose(&Script(answers), None, EngineName::ALL, By::Rule { model_bytes }).unwrap().chosen
        };
        for (ort_ms, rten_ms) in [(1.0, 100.0), (100.0, 1.0)] {
            assert_eq!(chosen(ort_ms, rten_ms, 1 << 20), EngineName::Rten);
            assert_eq!(chosen(ort_ms, rten_ms, 1 << 30), EngineName::Onnxruntime);
        }
    }

    #[test]
    fn disagreement_leaves_the_reference_and_says_so() {
        let refused = Finding::Refused(Code::EnginesDisagree, "y[3]: 1.0 and 2.0".into());
        let answers =
            vec![(ORT, measured(30.0, 0.02)), no_tabular(), (RTEN, measured(3.0, 0.04)), (BOTH, refused)];
        let evidence = choose(&Script(answers), None, EngineName::ALL, By::Clock).unwrap();
        assert_eq!(evidence.chosen, EngineName::Onnxruntime);
        assert!(evidence.reason.contains("y[3]"), "{}", evidence.reason);
    }

    #[test]
    fn where_the_best_engine_cannot_be_another_that_agrees_is_taken_or_none() {
        let rten = &[EngineName::Rten];
        let with = |rten_finding: Finding| {
            let measured = [(ORT, measured(30.0, 0.02)), no_tabular(), (RTEN, measured(90.0, 9.0))];
            choose(&Script([&measured[..], &[(BOTH, rten_finding)]].concat()), None, rten, By::Clock)
        };
        let evidence = with(Finding::Agree(1e-6)).unwrap();
        assert_eq!((evidence.chosen, evidence.largest_difference), (EngineName::Rten, Some(1e-6)));
        assert!(evidence.reason.contains("answers as onnxruntime does"), "{}", evidence.reason);
        let error = with(Finding::Refused(Code::EnginesDisagree, "y[3]: 1.0 and 2.0".into())).unwrap_err();
        assert!(error.message.starts_with("onnxruntime computes this model"), "{error:?}");
        assert!(error.message.contains("y[3]"), "{error:?}");
        let alone = vec![(ORT, measured(30.0, 0.02))];
        let error = choose(&Script(alone), Some(EngineName::Onnxruntime), rten, By::Clock).unwrap_err();
        assert!(error.message.ends_with("no other was asked for"), "{error:?}");
    }

    #[test]
    fn when_nobody_serves_it_the_first_reason_counts() {
        let answers = vec![
            (ORT, Finding::Refused(Code::EngineMissing, "no library".into())),
            no_tabular(),
            (RTEN, Finding::Refused(Code::ModelRefused, "no operator".into())),
        ];
        let error = choose(&Script(answers), None, EngineName::ALL, By::Clock).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (Code::EngineMissing, "no library"));
        assert!(error.hint.unwrap().contains("engines install"));
    }

    #[test]
    fn slow_models_get_fewer_calls_at_once() {
        let fit = |warm_ms| fit_concurrency(Settings::default(), warm_ms).concurrency;
        assert_eq!((fit(0.02), fit(10.0), fit(1_000.0)), (16, 5, 1));
    }
}
