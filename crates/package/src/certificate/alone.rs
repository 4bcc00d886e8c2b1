//! Rows that the original refuses: the converted model is asked about each of them alone, and has to refuse it too.
//!
//! One that is answered would be an answer that the original never gave. A whole call is refused for one bad row by both, so that
//! nothing but single rows tells.

use modelet_core::{Code, FunctionError, Tensor};
use modelet_model::rows::{self as batch, Inputs};

use super::compare;
use super::part;
use super::wire::{Answers, Message, Refusal, Reply, plain};

/// Rows that are asked about alone, at most: of more, as many, evenly chosen.
const MAX_ALONE: usize = 1_000;
/// Rows that are shown, at most.
const MAX_SHOWN: usize = 3;

/// What is asked, each with what the original said about it.
pub(super) fn chosen(refused: &[Refusal]) -> Vec<&Refusal> {
    let many = refused.len().min(MAX_ALONE);
    (0..many).map(|at| &refused[at * refused.len() / many]).collect()
}

/// A call with one row; with as many copies of it as a call must have, where it may have no others.
pub(super) fn call(all: &Inputs, row: usize, fixed: Option<usize>, outputs: &[String]) -> Message {
    let one = part(all, row, row + 1);
    let copies = vec![&one; fixed.unwrap_or(1).max(1)];
    Message::request(&batch::merge(&copies).unwrap_or(one.clone()), outputs)
}

/// The rows that the converted model answers, in words: `label is 1, the original says ValueError: …, for age=inf`.
pub(super) fn answered(
    asked: &[&Refusal],
    replies: &[Reply],
    row_in_words: impl Fn(usize) -> String,
) -> Result<(u64, Vec<String>), FunctionError> {
    if asked.len() != replies.len() {
        return Err(FunctionError::new(Code::Internal, "not every call of a proof was answered"));
    }
    let (mut count, mut shown) = (0, Vec::new());
    for (refusal, reply) in asked.iter().zip(replies) {
        let Reply::Answered(answers) = reply else { continue };
        count += 1;
        if shown.len() < MAX_SHOWN {
            let (said, row) = (&refusal.said, row_in_words(refusal.row));
            shown.push(format!("{}, the original refuses with {said}, for {row}", first(answers)));
        }
    }
    Ok((count, shown))
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
