//! Example rows, answered together and alone.

use std::ops::Range;
use std::time::{Duration, Instant};

use modelet_core::{EngineName, FunctionError, Signature};
use modelet_model::rows::{self, Inputs, Outputs};
use modelet_model::{Model, OnnxSummary, compare, examples, summarize};

use super::{ABSOLUTE_TOLERANCE, Asked, EXAMPLE_SEED, RELATIVE_TOLERANCE, ms};
use crate::batching::Together;

/// The calls of each round, by their rows: single rows, a client's own batch beside others, and many, which engines compute
/// in other ways than few.
const ROUNDS: [&[usize]; 3] = [&[1, 1, 1], &[1, 2, 5], &[1; 64]];
/// The last round is left out when a row takes longer.
const SLOW_ROW: Duration = Duration::from_millis(20);
/// The computation of many is timed this often and the best counts: whatever else the machine does may hit it once, and it is
/// one measurement against the sum of many.
const TIMES: usize = 3;
/// Operators that fit a scale to all that a computation holds: rows of one caller would change the answers to another. Their
/// effect on example rows may be too small to be seen.
const SHARE_A_SCALE: [&str; 3] = ["DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"];

/// Answers example rows together and alone with one engine.
///
/// # Errors
/// When the model cannot be loaded, or does not take the example rows.
pub(super) fn together(engine: EngineName, asked: &Asked) -> Result<Together, FunctionError> {
    let summary = summarize(asked.model)?;
    let mut found = Together { differs: shared_scale(&summary), ..Together::default() };
    if found.differs.is_some() {
        return Ok(found);
    }
    let mut model = asked.load(engine)?;
    let mut signature = model.signature().clone();
    modelet_model::describe_onnx(&mut signature, &summary);
    for (calls, seed) in ROUNDS.iter().zip(EXAMPLE_SEED..) {
        let slow = found.rows > 0 && found.alone_ms > ms(SLOW_ROW) * found.rows as f64;
        if found.differs.is_some() || slow {
            break;
        }
        round(&mut *model, &signature, calls, seed, &mut found)?;
    }
    Ok(found)
}

fn shared_scale(summary: &OnnxSummary) -> Option<String> {
    let used = summary.operators();
    let mut shared = SHARE_A_SCALE.iter().filter(|op| used.values().any(|used| used.contains(**op)));
    shared.next().map(|op| format!("{op} fits one scale to all rows of a computation"))
}

/// Calls with so many rows each, as one computation and as many.
fn round(
    model: &mut dyn Model,
    signature: &Signature,
    calls: &[usize],
    seed: u64,
    found: &mut Together,
) -> Result<(), FunctionError> {
    let total = calls.iter().sum();
    let all = examples(signature, total, seed);
    if all.is_empty() && found.rows > 0 {
        // So many rows are more than an example may hold.
        return Ok(());
    }
    let (merged, mut together) = timed(model, all.clone())?;
    let parts = rows::split(&merged, calls);
    let mut alone = Duration::ZERO;
    let mut from = 0;
    for (at, count) in calls.iter().enumerate() {
        let (expected, took) = timed(model, part(&all, from..from + count))?;
        from += count;
        alone += took;
        let agreement = parts
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|parts| compare(&parts[at], &expected, RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE));
        match agreement {
            Ok(agreement) => {
                found.largest_difference = found.largest_difference.max(agreement.largest_difference);
            }
            Err(differs) => {
                found.differs = Some(differs);
                break;
            }
        }
    }
    for _ in 1..TIMES {
        together = together.min(timed(model, all.clone())?.1);
    }
    (found.rows, found.together_ms, found.alone_ms) = (total, ms(together), ms(alone));
    Ok(())
}

fn timed(model: &mut dyn Model, inputs: Inputs) -> Result<(Outputs, Duration), FunctionError> {
    let started = Instant::now();
    let outputs = model.predict(inputs, None)?;
    Ok((outputs, started.elapsed()))
}

/// Some rows of every input.
fn part(all: &Inputs, rows: Range<usize>) -> Inputs {
    all.iter().map(|(name, tensor)| (name.clone(), rows::slice(tensor, rows.clone()))).collect()
}
