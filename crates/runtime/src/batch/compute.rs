//! One computation for several calls.
//!
//! When it fails, or does not answer with a row for a row, each call is computed again, alone and once: one bad input fails
//! alone, and nobody gets another's row or none. When it was not an input's fault, the model does not take rows of several
//! calls, whatever its signature says, and no calls are put together any more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use modelet_core::FunctionError;
use modelet_model::Model;
use modelet_model::rows::{self, Outputs};

use super::queue::{Call, Waiting};
use crate::handler::panicked;
use crate::processor;

/// What came of a call, and how.
#[derive(Debug)]
pub struct Computed {
    /// The outputs, or why there are none.
    pub outputs: Result<Outputs, FunctionError>,
    /// How long the computation took, that of others in it included.
    pub took: Duration,
    /// Processor time: this call's part, by rows, of what all in it used.
    pub used: Duration,
    /// How many calls were computed together, this one included.
    pub calls: usize,
    /// Their rows; 0 when the call was alone and its inputs have no rows.
    pub rows: usize,
}

/// Computes calls together and answers each. An error, one sentence: the model does not take rows of several calls. The
/// calls are answered then, too.
pub(super) fn together(model: &mut dyn Model, mut group: Vec<Waiting>) -> Result<(), String> {
    // Whoever left is not computed for.
    group.retain(|waiting| !waiting.answer.is_closed());
    if group.len() < 2 {
        each_alone(model, group, Duration::ZERO);
        return Ok(());
    }
    let started = Instant::now();
    let mut used = Duration::ZERO;
    match processor::count(&mut used, || attempt(model, &group)) {
        Ok(parts) => {
            answer(group, parts, started.elapsed(), used);
            Ok(())
        }
        Err(Attempt::OtherRows(why)) => {
            each_alone(model, group, used);
            Err(why)
        }
        Err(Attempt::Failed(error)) => match each_alone(model, group, used) {
            0 => Err(format!("together they fail ({error}), and each alone does not")),
            _ => Ok(()),
        },
    }
}

/// Computes one call.
pub(super) fn alone(model: &mut dyn Model, call: Call) -> Computed {
    let started = Instant::now();
    let mut used = Duration::ZERO;
    let predict = AssertUnwindSafe(|| model.predict(call.inputs, call.outputs.as_deref()));
    let outputs = processor::count(&mut used, || catch_unwind(predict));
    let outputs = outputs.unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
    Computed { outputs, took: started.elapsed(), used, calls: 1, rows: call.rows }
}

enum Attempt {
    Failed(FunctionError),
    OtherRows(String),
}

/// A panic of an engine, or of ours, fails the attempt.
fn attempt(model: &mut dyn Model, group: &[Waiting]) -> Result<Vec<Outputs>, Attempt> {
    let attempted = catch_unwind(AssertUnwindSafe(|| {
        let inputs: Vec<_> = group.iter().map(|waiting| &waiting.call.inputs).collect();
        let merged =
            rows::merge(&inputs).ok_or_else(|| Attempt::OtherRows("their inputs differ".to_owned()))?;
        let wanted = group.first().and_then(|waiting| waiting.call.outputs.as_deref());
        let outputs = model.predict(merged, wanted).map_err(Attempt::Failed)?;
        let counts: Vec<_> = group.iter().map(|waiting| waiting.call.rows).collect();
        rows::split(&outputs, &counts).map_err(Attempt::OtherRows)
    }));
    attempted.unwrap_or_else(|panic| Err(Attempt::Failed(panicked(panic.as_ref()))))
}

fn answer(group: Vec<Waiting>, parts: Vec<Outputs>, took: Duration, used: Duration) {
    let (calls, rows) = (group.len(), rows_of(&group));
    for (waiting, outputs) in group.into_iter().zip(parts) {
        let used = share(used, waiting.call.rows, rows);
        let _ = waiting.answer.send(Computed { outputs: Ok(outputs), took, used, calls, rows });
    }
}

/// How many of them failed. `spent` is what an attempt to compute them together used.
fn each_alone(model: &mut dyn Model, group: Vec<Waiting>, spent: Duration) -> usize {
    let (mut failed, rows) = (0, rows_of(&group));
    for waiting in group {
        let spent = share(spent, waiting.call.rows, rows);
        let computed = alone(model, waiting.call);
        failed += usize::from(computed.outputs.is_err());
        // A caller that left meanwhile does not hear it.
        let _ = waiting.answer.send(Computed { used: computed.used + spent, ..computed });
    }
    failed
}

fn rows_of(group: &[Waiting]) -> usize {
    group.iter().map(|waiting| waiting.call.rows).sum()
}

fn share(used: Duration, rows: usize, of: usize) -> Duration {
    used.mul_f64(rows as f64 / of.max(1) as f64)
}
