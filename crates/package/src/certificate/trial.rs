//! What both sides are asked about: rows of one shape, each compared as a claim of its own; the made ones, and the user's.

use modelet_core::certificate::{ProofRows, SizeProof};
use modelet_core::{FunctionError, Signature};
use modelet_model::rows::{self as batch, Inputs};
use modelet_model::tabular::splits::splits;

use super::{Claim, rows, sizes};
use crate::certificate::wire::{Answers, Refusal};

/// How far from zero the numbers are that a network is asked about.
const NETWORK_REACH: f64 = 1e3;

/// Rows of one shape.
pub(super) struct Trial {
    /// All of them, those behind the others that the model's signature refuses.
    pub inputs: Inputs,
    /// How many there are.
    pub rows: usize,
    /// How many of them the signature does not refuse.
    pub taken: usize,
    /// How many of them the user gave.
    pub given: usize,
    /// The sizes that are free and that they have, in words.
    pub sizes: Option<String>,
}

/// All trials; none when no rows can be made for what the model takes.
///
/// # Errors
/// `model-refused` when the imported model's file cannot be read.
pub(super) fn all(claim: &Claim<'_>) -> Result<Vec<Trial>, FunctionError> {
    let signature = claim.signature;
    let reach = claim.original.loader.is_network().then_some(NETWORK_REACH);
    let table = rows::made(signature, &splits(claim.model)?, reach);
    let made = match table.filter(|_| !(claim.original.loader.is_network() && may_be_places(signature))) {
        Some(table) => vec![(table.taken, table.refused)],
        None => sizes::made(signature, reach).into_iter().map(|inputs| (inputs, Inputs::new())).collect(),
    };
    let given = claim.sample.iter().map(|sample| {
        let rows = batch::count(&sample.inputs).unwrap_or_default();
        (sizes::filled(&sample.inputs, sizes::fixed_rows(signature)), rows)
    });
    let made = made.into_iter().map(|(taken, refused)| Trial::new(signature, &taken, &refused, 0));
    let given = given.map(|(inputs, rows)| Trial::new(signature, &inputs, &Inputs::new(), rows));
    let all: Option<Vec<Trial>> = made.chain(given).collect();
    Ok(all.unwrap_or_default().into_iter().filter(|trial| trial.rows > 0).collect())
}

/// True when integers may be looked up in a table of which nothing is known: most rows have to have small ones, or the original
/// refuses them all.
fn may_be_places(signature: &Signature) -> bool {
    let mut wanted = signature.inputs.iter().filter(|input| !input.optional);
    wanted.any(|input| input.dtype.is_integer() && input.table_rows.is_none())
}

impl Trial {
    /// `None` where these are no rows.
    fn new(signature: &Signature, taken: &Inputs, refused: &Inputs, given: usize) -> Option<Self> {
        let sizes = sizes::in_words(signature, taken);
        let inputs = batch::merge(&[taken, refused]).unwrap_or_else(|| taken.clone());
        Some(Self { rows: batch::count(&inputs)?, taken: batch::count(taken)?, inputs, given, sizes })
    }

    /// What is compared: the rows that nobody refuses.
    pub(super) fn kept(&self, refused: &[Refusal]) -> Inputs {
        let mut bounds: Vec<_> =
            refused.iter().map(|refusal| refusal.row).filter(|row| *row < self.taken).collect();
        bounds.push(self.taken);
        let mut parts = Vec::new();
        let mut from = 0;
        for bound in bounds {
            if from < bound {
                parts.push(part(&self.inputs, from, bound));
            }
            from = bound + 1;
        }
        batch::merge(&parts.iter().collect::<Vec<_>>()).unwrap_or_default()
    }

    /// Where it is, at the end of a sentence.
    pub(super) fn at(&self) -> String {
        self.sizes.as_ref().map_or_else(String::new, |sizes| format!(", at {sizes}"))
    }
}

/// The rows of some inputs from one to before another.
pub(super) fn part(inputs: &Inputs, from: usize, to: usize) -> Inputs {
    inputs.iter().map(|(name, tensor)| (name.clone(), batch::slice(tensor, from..to))).collect()
}

/// How many rows there were.
pub(super) fn counts(claim: &Claim<'_>, trials: &[Trial], answers: &[Answers]) -> ProofRows {
    let given: usize = trials.iter().map(|trial| trial.given).sum();
    // Of those that the signature refuses only what the original refuses too tells anything.
    let beyond = trials
        .iter()
        .zip(answers)
        .flat_map(|(trial, answer)| answer.refused.iter().filter(|refusal| refusal.row >= trial.taken));
    let made = trials.iter().map(|trial| trial.taken).sum::<usize>() - given + beyond.count();
    let refused: usize = answers.iter().map(|answer| answer.refused.len()).sum();
    ProofRows {
        made: made as u64,
        given: given as u64,
        refused: refused as u64,
        seed: rows::SEED,
        sample_sha256: claim.sample.map(|sample| sample.sha256.clone()),
        ..ProofRows::default()
    }
}

/// The free sizes that were tried, each once.
pub(super) fn size_proofs(trials: &[Trial], answers: &[Answers]) -> Vec<SizeProof> {
    let mut proofs: Vec<SizeProof> = Vec::new();
    for (trial, answer) in trials.iter().zip(answers) {
        let Some(inputs) = &trial.sizes else { continue };
        let refused = answer.refused.iter().filter(|refusal| refusal.row < trial.taken).count();
        let compared = trial.taken.saturating_sub(refused) as u64;
        match proofs.iter_mut().find(|proof| proof.inputs == *inputs) {
            Some(known) => known.compared += compared,
            None => proofs.push(SizeProof { inputs: inputs.clone(), compared }),
        }
    }
    proofs
}
