//! What both sides said, and what was found of it: trial by trial, and in all of them together.

use modelet_core::certificate::{OutputProof, Tolerance};
use modelet_core::{Code, FunctionError, Signature, Tensor};
use modelet_model::rows::{self as batch, Inputs};

use super::alone::{self, Alone};
use super::compare::{self, Difference, MAX_WORST, compare};
use super::trial::{Trial, part};
use super::wire::{self, Answers, Message, Reply};
use super::{Claim, Witnesses, sizes};

/// Rows of the imported model go out in calls of about this size, in bytes.
const CALL_BYTES: usize = 1 << 20;
/// Columns of a row that a message shows.
const MAX_COLUMNS: usize = 12;

/// What an original said to one trial.
pub(super) struct Heard<'a> {
    pub trial: &'a Trial,
    pub answer: &'a Answers,
    /// The rows that it answered, of those that the signature does not refuse.
    pub kept: Inputs,
}

impl Heard<'_> {
    pub fn is_of(&self, outputs: &[String]) -> bool {
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
pub(super) struct Found {
    pub outputs: Vec<OutputProof>,
    pub worst: Vec<String>,
    pub refused_asked: u64,
    pub refused_answered: u64,
}

impl Found {
    /// Asks the imported model what the original answered and, each alone, what it refused, and compares trial by trial.
    pub fn of(
        claim: &Claim<'_>,
        heard: &[Heard<'_>],
        outputs: &[String],
        tolerance: &Tolerance,
        witnesses: &dyn Witnesses,
    ) -> Result<Self, FunctionError> {
        let fixed = sizes::fixed_rows(claim.signature);
        let most = batch::limit(claim.signature);
        let together: Vec<_> = heard.iter().map(|heard| calls(&heard.kept, fixed, most, outputs)).collect();
        let alone: Vec<_> = heard.iter().map(|heard| Alone::of(heard, fixed, outputs)).collect();
        let requests = together.iter().zip(&alone).flat_map(|(together, alone)| [&**together, &alone.calls]);
        // One instance answers all of them.
        let mut replies = witnesses.imported(&requests.collect::<Vec<_>>().concat())?.into_iter();
        let mut found = Self::default();
        let mut worst = Vec::new();
        for ((heard, together), alone) in heard.iter().zip(&together).zip(&alone) {
            if !together.is_empty() {
                let imported = joined(replies.by_ref().take(together.len()).collect(), &heard.trial.at())?;
                worst.extend(found.compare(heard, &imported, tolerance, claim.signature)?);
            }
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

/// `fixed` is how many rows a call has, where it may have no others, `most` how many at most, where that is limited.
fn calls(inputs: &Inputs, fixed: Option<usize>, most: Option<usize>, outputs: &[String]) -> Vec<Message> {
    let rows = batch::count(inputs).unwrap_or_default();
    let many = (CALL_BYTES / (batch::size_bytes(inputs) / rows.max(1)).max(1)).max(1);
    let many = many.min(most.unwrap_or(many));
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
pub(super) fn row_in_words(row: usize, rows: &Inputs, signature: &Signature) -> String {
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
