//! The proof that a converted model answers as its original: both answer the same rows, and the answers are compared.
//!
//! - [`original`]: what a model was made of; [`pins`]: the environment in which it answers
//! - [`mod@rows`], [`mod@column`], [`prose`]: rows that tell, of tables; [`sizes`], [`mod@spread`]: of what is none
//! - [`mod@sample`], [`mod@npy`]: rows that the user gives; [`trial`]: all of them, by shape
//! - [`wire`]: rows and answers as they travel
//! - [`mod@compare`], [`tolerance`]: whether two answers are the same
//! - [`alone`]: rows that the original refuses
//!
//! Deliberately absent: how either side is run. Whoever packages passes in the [`Witnesses`].

mod alone;
mod column;
pub mod compare;
mod npy;
pub mod original;
pub mod pins;
mod prose;
pub mod rows;
pub mod sample;
mod sizes;
mod spread;
pub mod tolerance;
mod trial;
pub mod wire;

use std::path::Path;

use modelet_core::certificate::{Library, OutputProof, ProofRows, SizeProof, Tolerance, Verdict};
use modelet_core::manifest::Rung;
use modelet_core::{Certificate, Code, FunctionError, OutputKind, Signature, Tensor};
use modelet_model::rows::{self as batch, Inputs};

use alone::Alone;
use compare::{Difference, MAX_WORST, compare};
use original::Original;
use sample::Sample;
use trial::{Trial, part};
use wire::{Answers, Message, Reply};

/// The script that an original answers by: Python, with nothing but the framework.
pub const SCRIPT: &str = include_str!("certificate/answer.py");
/// Rows of the imported model go out in calls of about this size, in bytes.
const CALL_BYTES: usize = 1 << 20;
/// Columns of a row that a message shows.
const MAX_COLUMNS: usize = 12;

/// What an original said.
#[derive(Debug)]
pub struct Testimony {
    /// Its answers, one for each question.
    pub answers: Vec<Answers>,
    /// How it was isolated.
    pub rung: Rung,
}

/// Those who answer. How they are run is the business of whoever packages: each in a process of its own.
pub trait Witnesses {
    /// The original answers questions. The error is the reason, in a sentence, why it cannot.
    fn original(&self, original: &Original, questions: &[Message]) -> Result<Testimony, String>;
    /// The imported model answers calls, by the runtime itself.
    ///
    /// # Errors
    /// When it cannot be started, or fails on a call, which it neither answers nor refuses.
    fn imported(&self, requests: &[Message]) -> Result<Vec<Reply>, FunctionError>;
}

/// What is to be proved.
#[derive(Debug)]
pub struct Claim<'a> {
    /// The original.
    pub original: &'a Original,
    /// The imported model's file.
    pub model: &'a Path,
    /// What the imported model takes and gives.
    pub signature: &'a Signature,
    /// Rows of the user's.
    pub sample: Option<&'a Sample>,
    /// The user's own tolerance.
    pub tolerance: Option<f64>,
    /// What the imported model is answered by.
    pub imported: Vec<Library>,
}

/// What a proof found.
#[derive(Debug)]
pub struct Proof {
    /// For the card.
    pub certificate: Certificate,
    /// The rows that are furthest apart, and those that only the original refuses, each in words.
    pub worst: Vec<String>,
}

/// Lets both answer the same rows, and compares.
///
/// # Errors
/// `conversion-differs` when answers cannot even be compared; anything that keeps the imported model from answering.
pub fn prove(claim: &Claim<'_>, witnesses: &dyn Witnesses) -> Result<Proof, FunctionError> {
    let trials = trial::all(claim)?;
    let Some(outputs) = tensors(claim.signature).filter(|_| !trials.is_empty()) else {
        return Ok(unproved(
            claim,
            "no rows can be made for what the model takes, or not compared for what it gives",
        ));
    };
    let rows_of_a_call = sizes::fixed_rows(claim.signature);
    let question =
        |trial: &Trial| Message::question(&trial.inputs, &outputs, claim.signature, rows_of_a_call);
    let questions: Vec<_> = trials.iter().map(question).collect();
    let testimony = match witnesses.original(claim.original, &questions) {
        Ok(testimony) => testimony,
        Err(reason) => return Ok(unproved(claim, reason)),
    };
    let answers = &testimony.answers;
    let heard = trials.iter().zip(answers);
    let heard = heard.map(|(trial, answer)| Heard { trial, answer, kept: trial.kept(&answer.refused) });
    let heard: Vec<_> = heard.filter(|heard| !heard.kept.is_empty()).collect();
    if heard.is_empty() && answers.len() == trials.len() {
        let said =
            answers.iter().find_map(|answer| answer.refused.first()).map_or("nothing", |one| &one.said);
        return Ok(unproved(claim, format!("the original answers none of the rows; it says {said}")));
    }
    if answers.len() != trials.len() || !heard.iter().all(|heard| heard.is_of(&outputs)) {
        return Ok(unproved(claim, "the original does not answer what it was asked for"));
    }
    let tolerance = tolerance::of(claim.original.frameworks(), claim.tolerance);
    let found = Found::of(claim, &heard, &outputs, &tolerance, witnesses)?;
    let rows = ProofRows {
        refused_asked: found.refused_asked,
        refused_answered: found.refused_answered,
        ..trial::counts(claim, &trials, answers)
    };
    let sizes = trial::size_proofs(&trials, answers);
    let certificate = certificate(claim, testimony, found.outputs, tolerance, rows, sizes);
    Ok(Proof { certificate, worst: found.worst })
}

/// What an original said to one trial.
struct Heard<'a> {
    trial: &'a Trial,
    answer: &'a Answers,
    /// The rows that it answered, of those that the signature does not refuse.
    kept: Inputs,
}

impl Heard<'_> {
    fn is_of(&self, outputs: &[String]) -> bool {
        self.answer.outputs.iter().map(|(name, _)| name).eq(outputs)
    }

    /// Its answers to the rows that are compared.
    fn answers(&self) -> Inputs {
        let rows = batch::count(&self.kept).unwrap_or_default();
        let first = |tensor: &Tensor| match tensor.shape().first() {
            Some(own) if *own > rows => batch::slice(tensor, 0..rows),
            _ => tensor.clone(),
        };
        self.answer.outputs.iter().map(|(name, tensor)| (name.clone(), first(tensor))).collect()
    }
}

/// What was found in all trials.
#[derive(Default)]
struct Found {
    outputs: Vec<OutputProof>,
    worst: Vec<String>,
    refused_asked: u64,
    refused_answered: u64,
}

impl Found {
    /// Asks the imported model what the original answered and, each alone, what it refused, and compares trial by trial.
    fn of(
        claim: &Claim<'_>,
        heard: &[Heard<'_>],
        outputs: &[String],
        tolerance: &Tolerance,
        witnesses: &dyn Witnesses,
    ) -> Result<Self, FunctionError> {
        let fixed = sizes::fixed_rows(claim.signature);
        let together: Vec<_> = heard.iter().map(|heard| calls(&heard.kept, fixed, outputs)).collect();
        let alone: Vec<_> = heard.iter().map(|heard| Alone::of(heard, fixed, outputs)).collect();
        let requests = together.iter().zip(&alone).flat_map(|(together, alone)| [&**together, &alone.calls]);
        // One instance answers all of them.
        let mut replies = witnesses.imported(&requests.collect::<Vec<_>>().concat())?.into_iter();
        let mut found = Self::default();
        let mut worst = Vec::new();
        for ((heard, together), alone) in heard.iter().zip(&together).zip(&alone) {
            let imported = joined(replies.by_ref().take(together.len()).collect(), &heard.trial.at())?;
            worst.extend(found.compare(heard, &imported, tolerance, claim.signature)?);
            let replies: Vec<_> = replies.by_ref().take(alone.calls.len()).collect();
            found.add_refused(alone.answered(&replies, claim.signature)?, alone.calls.len());
        }
        worst.sort_by(|one: &(f64, String), other| other.0.total_cmp(&one.0));
        found.worst.splice(0..0, worst.into_iter().take(MAX_WORST).map(|(_, words)| words));
        Ok(found)
    }

    /// The largest differences of a trial, in words.
    fn compare(
        &mut self,
        heard: &Heard<'_>,
        imported: &Inputs,
        tolerance: &Tolerance,
        signature: &Signature,
    ) -> Result<Vec<(f64, String)>, FunctionError> {
        let at = heard.trial.at();
        let compared = compare(&heard.answers(), imported, tolerance).map_err(|why| {
            FunctionError::new(
                Code::ConversionDiffers,
                format!("the converted model cannot be compared with the original: {why}{at}"),
            )
        })?;
        for output in compared.outputs {
            match self.outputs.iter_mut().find(|known| known.name == output.name) {
                Some(known) => known.add(&output),
                None => self.outputs.push(output),
            }
        }
        let worst = compared.worst.iter();
        Ok(worst.map(|one| (one.size, in_words(one, &heard.kept, signature) + &at)).collect())
    }

    fn add_refused(&mut self, answered: Vec<String>, asked: usize) {
        self.refused_asked += asked as u64;
        self.refused_answered += answered.len() as u64;
        let room = alone::MAX_SHOWN.saturating_sub(self.worst.len());
        self.worst.extend(answered.into_iter().take(room));
    }
}

fn unproved(claim: &Claim<'_>, reason: impl Into<String>) -> Proof {
    Proof { certificate: Certificate::not_proved(reason, claim.imported.clone()), worst: Vec::new() }
}

fn certificate(
    claim: &Claim<'_>,
    testimony: Testimony,
    outputs: Vec<OutputProof>,
    tolerance: Tolerance,
    rows: ProofRows,
    sizes: Vec<SizeProof>,
) -> Certificate {
    let agrees = outputs.iter().all(OutputProof::agrees) && rows.refused_answered == 0;
    let silent = outputs.iter().find(|output| !output.tells());
    let reason = silent.filter(|_| agrees).map(|output| {
        format!(
            "every answer of {} is NaN or infinite, or there is none: nothing follows from them",
            output.name
        )
    });
    let versions = testimony.answers.into_iter().next().unwrap_or_default().versions;
    let mut original: Vec<_> =
        versions.into_iter().map(|(name, version)| Library { name, version }).collect();
    // The framework of the model first, whatever else was loaded.
    original.sort_by_key(|library| library.name != claim.original.framework);
    Certificate {
        verdict: match (agrees, &reason) {
            (false, _) => Verdict::Differs,
            (true, Some(_)) => Verdict::NotProved,
            (true, None) => Verdict::Proved,
        },
        reason,
        original,
        imported: claim.imported.clone(),
        rows,
        sizes,
        outputs,
        tolerance: Some(tolerance),
        rung: Some(testimony.rung),
    }
}

/// The names of all outputs, when all are tensors.
fn tensors(signature: &Signature) -> Option<Vec<String>> {
    let outputs = signature.outputs.iter();
    outputs
        .map(|output| matches!(output.kind, OutputKind::Tensor { .. }).then(|| output.name.clone()))
        .collect()
}

/// `fixed` is how many rows a call has, where it may have no others.
fn calls(inputs: &Inputs, fixed: Option<usize>, outputs: &[String]) -> Vec<Message> {
    let rows = batch::count(inputs).unwrap_or_default();
    let many = (CALL_BYTES / (batch::size_bytes(inputs) / rows.max(1)).max(1)).max(1);
    let of_one_call = fixed.unwrap_or(many).max(1);
    let starts = (0..rows).step_by(of_one_call);
    starts.map(|from| Message::request(&part(inputs, from, rows.min(from + of_one_call)), outputs)).collect()
}

/// The answers to several calls as one; none of them may be refused.
fn joined(replies: Vec<Reply>, at: &str) -> Result<Inputs, FunctionError> {
    let answers = replies.into_iter().map(|reply| match reply {
        Reply::Answered(answers) => Ok(answers.outputs),
        Reply::Refused(said) => Err(FunctionError::new(
            Code::ConversionDiffers,
            format!("the converted model refuses rows that the original answers{at}: {said}"),
        )),
    });
    let calls = answers.collect::<Result<Vec<Inputs>, _>>()?;
    batch::merge(&calls.iter().collect::<Vec<_>>()).ok_or_else(|| {
        FunctionError::new(Code::Internal, "the calls of a proof were answered with different outputs")
    })
}

/// `probabilities[1] is 0.25, the original says 0.5, for age=41.0, income=nan`.
fn in_words(difference: &Difference, rows: &Inputs, signature: &Signature) -> String {
    let Difference { row, output, original, imported, .. } = difference;
    let row = row_in_words(*row, rows, signature);
    format!("{output} is {imported}, the original says {original}, for {row}")
}

/// `age=41.0, income=nan`
fn row_in_words(row: usize, rows: &Inputs, signature: &Signature) -> String {
    let mut columns = Vec::new();
    for (name, tensor) in rows {
        let width = tensor.shape().get(1..).unwrap_or_default().iter().product::<usize>();
        let names = signature.input(name).and_then(|input| input.columns.as_ref());
        for at in 0..width {
            let column = match names.and_then(|names| names.get(at)) {
                Some(column) => column.clone(),
                None if width == 1 => name.clone(),
                None => format!("{name}[{at}]"),
            };
            let column = wire::plain(&column);
            columns.push(format!("{column}={}", compare::shown(tensor.data(), row * width + at)));
        }
    }
    let more = columns.len().saturating_sub(MAX_COLUMNS);
    columns.truncate(MAX_COLUMNS);
    if more > 0 {
        columns.push(format!("and {more} more columns"));
    }
    columns.join(", ")
}

/// What a deploy says when answers differ.
pub fn refusal(proof: &Proof, given: &str) -> FunctionError {
    let rows: Vec<_> = proof.worst.iter().map(|row| format!("\n  {row}")).collect();
    let message = format!(
        "{given} was converted, and does not answer as the original: {}{}",
        proof.certificate.line(),
        rows.concat()
    );
    FunctionError::new(Code::ConversionDiffers, message).hint(ways_on(&proof.certificate))
}

fn ways_on(certificate: &Certificate) -> &'static str {
    if certificate.rows.refused_answered > 0 {
        "rows that the original refuses must not be answered: report it; where you never send such rows, --no-proof \
         deploys without a proof; or export the model to ONNX yourself and deploy that"
    } else {
        "say how much may differ: --tolerance X; or export the model to ONNX yourself and deploy that"
    }
}

#[cfg(test)]
mod tests;
