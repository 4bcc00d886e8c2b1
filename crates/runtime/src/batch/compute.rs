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

/// The answer to a call, and how it came about.
#[derive(Debug)]
pub struct Computed {
    /// The outputs.
    pub outputs: Outputs,
    /// How long the computation took, that of others in it included.
    pub took: Duration,
    /// This call's part of the processor time, by rows.
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
        each_alone(model, group);
        return Ok(());
    }
    let (started, mut used) = (Instant::now(), Duration::ZERO);
    match processor::count(&mut used, || attempt(model, &group)) {
        Ok(parts) => {
            answer(group, parts, started.elapsed(), used);
            Ok(())
        }
        Err(Attempt::OtherRows(why)) => {
            each_alone(model, group);
            Err(why)
        }
        Err(Attempt::Failed(error)) => match each_alone(model, group) {
            0 => Err(format!("together they fail ({error}), and each alone does not")),
            _ => Ok(()),
        },
    }
}

/// Computes one call.
pub(super) fn alone(model: &mut dyn Model, call: Call) -> Result<Computed, FunctionError> {
    let (started, mut used) = (Instant::now(), Duration::ZERO);
    let outputs = processor::count(&mut used, || predict(model, call.inputs, call.outputs.as_deref()))?;
    Ok(Computed { outputs, took: started.elapsed(), used, calls: 1, rows: call.rows })
}

enum Attempt {
    Failed(FunctionError),
    OtherRows(String),
}

fn attempt(model: &mut dyn Model, group: &[Waiting]) -> Result<Vec<Outputs>, Attempt> {
    let inputs: Vec<_> = group.iter().map(|waiting| &waiting.call.inputs).collect();
    let merged = rows::merge(&inputs).ok_or_else(|| Attempt::OtherRows("their inputs differ".to_owned()))?;
    let wanted = group.first().and_then(|waiting| waiting.call.outputs.as_deref());
    let outputs = predict(model, merged, wanted).map_err(Attempt::Failed)?;
    let counts: Vec<_> = group.iter().map(|waiting| waiting.call.rows).collect();
    rows::split(&outputs, &counts).map_err(Attempt::OtherRows)
}

fn answer(group: Vec<Waiting>, parts: Vec<Outputs>, took: Duration, used: Duration) {
    let calls = group.len();
    let rows: usize = group.iter().map(|waiting| waiting.call.rows).sum();
    for (waiting, outputs) in group.into_iter().zip(parts) {
        let used = used.mul_f64(waiting.call.rows as f64 / rows as f64);
        let _ = waiting.answer.send(Ok(Computed { outputs, took, used, calls, rows }));
    }
}

/// How many of them failed.
fn each_alone(model: &mut dyn Model, group: Vec<Waiting>) -> usize {
    let mut failed = 0;
    for waiting in group {
        let computed = alone(model, waiting.call);
        failed += usize::from(computed.is_err());
        // A caller that left meanwhile does not hear it.
        let _ = waiting.answer.send(computed);
    }
    failed
}

/// A panic of an engine fails what it met, and nothing else.
fn predict(
    model: &mut dyn Model,
    inputs: rows::Inputs,
    outputs: Option<&[String]>,
) -> Result<Outputs, FunctionError> {
    let predicted = catch_unwind(AssertUnwindSafe(|| model.predict(inputs, outputs)));
    predicted.unwrap_or_else(|panic| Err(panicked(panic.as_ref())))
}
