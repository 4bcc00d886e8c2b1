//! The proof that a converted model answers as its original: both answer the same rows, and the answers are compared.
//!
//! - [`original`]: what a model was made of; [`pins`]: the environment in which it answers
//! - [`mod@rows`], [`mod@column`], [`prose`]: rows that tell; [`mod@sample`], [`mod@npy`]: rows that the user gives
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
pub mod tolerance;
pub mod wire;

use std::path::Path;

use modelet_core::certificate::{Library, OutputProof, ProofRows, Tolerance, Verdict};
use modelet_core::manifest::Rung;
use modelet_core::{Certificate, Code, FunctionError, OutputKind, Signature, Tensor};
use modelet_model::rows::{self as batch, Inputs};
use modelet_model::tabular::splits::splits;

use compare::{Compared, Difference, compare};
use original::Original;
use sample::Sample;
use wire::{Answers, Message, Refusal, Reply};

/// The script that an original answers by: Python, with nothing but the framework.
pub const SCRIPT: &str = include_str!("certificate/answer.py");
/// Rows of the imported model go out in calls of about this size, in bytes.
const CALL_BYTES: usize = 1 << 20;
/// How far from zero the numbers are that a network is asked about.
const NETWORK_REACH: f64 = 1e3;
/// Columns of a row that a message shows.
const MAX_COLUMNS: usize = 12;

/// What an original said.
#[derive(Debug)]
pub struct Testimony {
    /// Its answers.
    pub answers: Answers,
    /// How it was isolated.
    pub rung: Rung,
}

/// Those who answer. How they are run is the business of whoever packages: each in a process of its own.
pub trait Witnesses {
    /// The original answers. The error is the reason, in a sentence, why it cannot.
    fn original(&self, original: &Original, request: &Message) -> Result<Testimony, String>;
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

/// The rows of a proof.
struct Rows {
    /// All of them, those behind the others that the model's signature refuses.
    all: Inputs,
    /// Those of them that the signature does not refuse.
    taken: usize,
    /// Those of them that the user gives.
    given: usize,
}

impl Rows {
    /// `None` where no rows can be made for what the model takes.
    fn new(claim: &Claim<'_>) -> Result<Option<Self>, FunctionError> {
        let reach = claim.original.loader.is_network().then_some(NETWORK_REACH);
        let made = rows::made(claim.signature, &splits(claim.model)?, reach);
        let taken = match claim.sample {
            Some(sample) => batch::merge(&[&made.taken, &sample.inputs]).ok_or_else(|| {
                FunctionError::new(Code::BadInput, "the sample does not have the columns of the model")
            })?,
            None => made.taken,
        };
        let count = batch::count(&taken);
        let given = claim.sample.and_then(|sample| batch::count(&sample.inputs)).unwrap_or_default();
        let all = batch::merge(&[&taken, &made.refused]).unwrap_or(taken);
        Ok(count.map(|taken| Self { all, taken, given }))
    }

    /// What is compared: what the original answers of what the signature does not refuse.
    fn compared(&self, refused: &[Refusal]) -> Inputs {
        without(&part(&self.all, 0, self.taken), refused)
    }

    fn counts(&self, refused: &[Refusal], claim: &Claim<'_>) -> ProofRows {
        let beyond = refused.iter().filter(|refusal| refusal.row >= self.taken).count();
        ProofRows {
            made: (self.taken - self.given + beyond) as u64,
            given: self.given as u64,
            refused: refused.len() as u64,
            seed: rows::SEED,
            sample_sha256: claim.sample.map(|sample| sample.sha256.clone()),
            ..ProofRows::default()
        }
    }
}

/// Lets both answer the same rows, and compares.
///
/// # Errors
/// `conversion-differs` when answers cannot even be compared; anything that keeps the imported model from answering.
pub fn prove(claim: &Claim<'_>, witnesses: &dyn Witnesses) -> Result<Proof, FunctionError> {
    let (Some(outputs), Some(rows)) = (tensors(claim.signature), Rows::new(claim)?) else {
        return Ok(unproved(
            claim,
            "no rows can be made for what the model takes, or not compared for what it gives",
        ));
    };
    let question = Message::question(&rows.all, &outputs, claim.signature);
    let testimony = match witnesses.original(claim.original, &question) {
        Ok(testimony) => testimony,
        Err(reason) => return Ok(unproved(claim, reason)),
    };
    let refused = &testimony.answers.refused;
    let kept = rows.compared(refused);
    let answered = batch::count(&kept).unwrap_or_default();
    if answered == 0 {
        let said = refused.first().map_or("nothing", |refusal| &refusal.said);
        return Ok(unproved(claim, format!("the original answers none of the rows; it says {said}")));
    }
    if !testimony.answers.outputs.iter().map(|(name, _)| name).eq(&outputs) {
        return Ok(unproved(claim, "the original does not answer what it was asked for"));
    }
    let fixed = rows::fixed_rows(claim.signature);
    let alone = alone::chosen(refused);
    let mut requests = calls(&kept, answered, fixed, &outputs);
    let together = requests.len();
    requests.extend(alone.iter().map(|refusal| alone::call(&rows.all, refusal.row, fixed, &outputs)));
    let mut replies = witnesses.imported(&requests)?;
    let to_each = replies.split_off(together.min(replies.len()));
    let tolerance = tolerance::of(claim.original.frameworks(), claim.tolerance);
    let original = first_rows(&testimony.answers.outputs, answered);
    let compared = compare(&original, &joined(replies)?, &tolerance).map_err(|why| {
        FunctionError::new(
            Code::ConversionDiffers,
            format!("the converted model cannot be compared with the original: {why}"),
        )
    })?;
    let mut worst: Vec<_> = compared.worst.iter().map(|one| in_words(one, &kept, claim.signature)).collect();
    let (count, shown) =
        alone::answered(&alone, &to_each, |row| row_in_words(row, &rows.all, claim.signature))?;
    worst.extend(shown);
    let counts = ProofRows {
        refused_asked: alone.len() as u64,
        refused_answered: count,
        ..rows.counts(refused, claim)
    };
    Ok(Proof { certificate: certificate(claim, testimony, compared, tolerance, counts), worst })
}

fn unproved(claim: &Claim<'_>, reason: impl Into<String>) -> Proof {
    Proof { certificate: Certificate::not_proved(reason, claim.imported.clone()), worst: Vec::new() }
}

fn certificate(
    claim: &Claim<'_>,
    testimony: Testimony,
    compared: Compared,
    tolerance: Tolerance,
    rows: ProofRows,
) -> Certificate {
    let agrees = compared.outputs.iter().all(OutputProof::agrees) && rows.refused_answered == 0;
    let silent = compared.outputs.iter().find(|output| !output.tells());
    let reason = silent.filter(|_| agrees).map(|output| {
        format!(
            "every answer of {} is NaN or infinite, or there is none: nothing follows from them",
            output.name
        )
    });
    let mut original: Vec<_> =
        testimony.answers.versions.into_iter().map(|(name, version)| Library { name, version }).collect();
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
        outputs: compared.outputs,
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

/// All rows but those that were refused.
fn without(inputs: &Inputs, refused: &[Refusal]) -> Inputs {
    let rows = batch::count(inputs).unwrap_or_default();
    let mut bounds: Vec<_> = refused.iter().map(|refusal| refusal.row).filter(|row| *row < rows).collect();
    bounds.push(rows);
    let mut parts = Vec::new();
    let mut from = 0;
    for bound in bounds {
        if from < bound {
            parts.push(part(inputs, from, bound));
        }
        from = bound + 1;
    }
    batch::merge(&parts.iter().collect::<Vec<_>>()).unwrap_or_default()
}

/// The first rows of answers; all, where there are fewer.
fn first_rows(outputs: &[(String, Tensor)], rows: usize) -> Inputs {
    let first = |tensor: &Tensor| match tensor.shape().first() {
        Some(own) if *own > rows => batch::slice(tensor, 0..rows),
        _ => tensor.clone(),
    };
    outputs.iter().map(|(name, tensor)| (name.clone(), first(tensor))).collect()
}

fn part(inputs: &Inputs, from: usize, to: usize) -> Inputs {
    inputs.iter().map(|(name, tensor)| (name.clone(), batch::slice(tensor, from..to))).collect()
}

/// `fixed` is how many rows a call has, where it may have no others.
fn calls(inputs: &Inputs, rows: usize, fixed: Option<usize>, outputs: &[String]) -> Vec<Message> {
    let many = (CALL_BYTES / (batch::size_bytes(inputs) / rows).max(1)).max(1);
    let of_one_call = fixed.unwrap_or(many).max(1);
    let starts = (0..rows).step_by(of_one_call);
    starts.map(|from| Message::request(&part(inputs, from, rows.min(from + of_one_call)), outputs)).collect()
}

/// The answers to several calls as one; none of them may be refused.
fn joined(replies: Vec<Reply>) -> Result<Inputs, FunctionError> {
    let answers = replies.into_iter().map(|reply| match reply {
        Reply::Answered(answers) => Ok(answers.outputs),
        Reply::Refused(said) => Err(FunctionError::new(
            Code::ConversionDiffers,
            format!("the converted model refuses rows that the original answers: {said}"),
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
