//! The proof that a converted model answers as its original: both answer the same rows, and the answers are compared.
//!
//! - [`original`]: what a model was made of; [`pins`]: the environment in which it answers
//! - [`mod@rows`], [`mod@column`], [`prose`]: rows that tell, of tables; [`sizes`], [`mod@spread`]: of what is none
//! - [`mod@sample`], [`mod@npy`]: rows that the user gives; [`trial`]: all of them, by shape
//! - [`wire`]: rows and answers as they travel
//! - [`mod@compare`], [`tolerance`], [`softmax`]: whether two answers are the same
//! - [`found`]: what both sides said to each trial, and all that was found; [`alone`]: rows that the original refuses
//!
//! Deliberately absent: how either side is run. Whoever packages passes in the [`Witnesses`].

mod alone;
mod column;
pub mod compare;
mod found;
mod npy;
pub mod original;
pub mod pins;
mod prose;
pub mod rows;
pub mod sample;
mod sizes;
mod softmax;
mod spread;
pub mod tolerance;
mod trial;
pub mod wire;

use std::path::Path;

use modelet_core::certificate::{Library, OutputProof, ProofRows, SizeProof, Tolerance, Verdict};
use modelet_core::manifest::Rung;
use modelet_core::{Certificate, Code, FunctionError, OutputKind, Signature};

use found::{Found, Heard};
use original::Original;
use sample::Sample;
use trial::Trial;
use wire::{Answers, Message, Reply};

/// The script that an original answers by: Python, with nothing but the framework.
pub const SCRIPT: &str = include_str!("certificate/answer.py");

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
    let heard: Vec<_> = heard.collect();
    let mut answered = heard.iter().filter(|heard| !heard.kept.is_empty()).peekable();
    if answered.peek().is_none() && answers.len() == trials.len() {
        let said =
            answers.iter().find_map(|answer| answer.refused.first()).map_or("nothing", |one| &one.said);
        return Ok(unproved(claim, format!("the original answers none of the rows; it says {said}")));
    }
    if answers.len() != trials.len() || !answered.all(|heard| heard.is_of(&outputs)) {
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
