//! Rows that the original refuses: the converted model is asked about each of them alone, and has to refuse it too.
//!
//! One that is answered would be an answer that the original never gave. A whole call is refused for one bad row by both, so that
//! nothing but single calls tell.

use modelet_core::{Code, FunctionError, Signature, Tensor};

use super::compare;
use super::found::{Heard, row_in_words};
use super::trial::part;
use super::wire::{Answers, Message, Refusal, Reply, plain};

/// Calls of a trial, at most: of more, as many, evenly chosen.
const MAX_ALONE: usize = 1_000;
/// Rows that are shown, at most, and values of each.
pub(super) const MAX_SHOWN: usize = 3;

/// What is asked of one trial.
pub(super) struct Alone<'a> {
    heard: &'a Heard<'a>,
    /// What the original said about the first row of each call.
    refusals: Vec<&'a Refusal>,
    /// One row each; as many as a call has, where it may have no others.
    pub calls: Vec<Message>,
}

impl<'a> Alone<'a> {
    /// `fixed` is how many rows a call has, where it may have no others: then all of a call are refused together.
    pub fn of(heard: &'a Heard<'a>, fixed: Option<usize>, outputs: &[String]) -> Self {
        let unit = fixed.unwrap_or(1).max(1);
        let all: Vec<_> = heard.answer.refused.iter().filter(|refusal| refusal.row % unit == 0).collect();
        let many = all.len().min(MAX_ALONE);
        let refusals: Vec<_> = (0..many).map(|at| all[at * all.len() / many]).collect();
        let end = |row: usize| heard.trial.rows.min(row + unit);
        let call = |row| Message::request(&part(&heard.trial.inputs, row, end(row)), outputs);
        let calls = refusals.iter().map(|refusal| call(refusal.row)).collect();
        Self { heard, refusals, calls }
    }

    /// The rows that the converted model answers, in words: `label is 1, the original refuses with ValueError: …, for age=inf`.
    ///
    /// # Errors
    /// When replies are missing.
    pub fn answered(&self, replies: &[Reply], signature: &Signature) -> Result<Vec<String>, FunctionError> {
        if replies.len() != self.calls.len() {
            return Err(FunctionError::new(Code::Internal, "not every call of a proof was answered"));
        }
        let both = self.refusals.iter().zip(replies);
        let in_words = |(refusal, reply): (&&Refusal, &Reply)| {
            let Reply::Answered(answers) = reply else { return None };
            let (said, trial) = (&refusal.said, self.heard.trial);
            let (row, at) = (row_in_words(refusal.row, &trial.inputs, signature), trial.at());
            Some(format!("{}, the original refuses with {said}, for {row}{at}", first(answers)))
        };
        Ok(both.filter_map(in_words).collect())
    }
}

/// `label is 1`
fn first(answers: &Answers) -> String {
    let Some((name, tensor)) = answers.outputs.first() else { return "it answers".to_owned() };
    let values: Vec<_> = (0..tensor.len().min(MAX_SHOWN)).map(|at| value(tensor, at)).collect();
    format!("{} is {}", plain(name), values.join(", "))
}

fn value(tensor: &Tensor, at: usize) -> String {
    plain(&compare::shown(tensor.data(), at))
}
