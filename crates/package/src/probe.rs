//! Loads a model with one engine, lets it answer the example rows, and measures. Run in a process of its own: what is
//! measured is then the engine's alone, and a model that crashes an engine harms nothing.

use std::path::Path;
use std::time::{Duration, Instant};

use modelet_core::{Code, EngineName, FunctionError, Signature, Steps};
use modelet_model::{LoadOptions, Model, compare, examples};
use serde::{Deserialize, Serialize};

use crate::batching::Together;
use crate::evidence::Measured;

mod together;

/// Rows of the example batch.
const EXAMPLE_ROWS: usize = 8;
/// Seed of the example rows: the same model is always asked the same.
const EXAMPLE_SEED: u64 = 1;
/// Repeated calls for the warm time: as many as fit in this time, at least two, at most [`MAX_CALLS`].
const MEASURE_TIME: Duration = Duration::from_millis(300);
const MAX_CALLS: usize = 200;
/// Two engines agree when every number differs by less, relative to its size.
const RELATIVE_TOLERANCE: f64 = 1e-4;
const ABSOLUTE_TOLERANCE: f64 = 1e-6;

/// What a probe is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Question {
    /// Measure one engine.
    Measure {
        /// Which.
        engine: EngineName,
    },
    /// Do two engines answer alike?
    Compare {
        /// The reference.
        reference: EngineName,
        /// The other.
        other: EngineName,
    },
    /// Does one engine answer rows together as it does alone?
    Together {
        /// Which.
        engine: EngineName,
    },
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The engine loads the model and answers.
    Measured(Box<Measured>),
    /// The engines answer alike; their largest relative difference.
    Agree(f64),
    /// What rows got together and alone.
    Together(Together),
    /// The engines do not answer alike, or one cannot: a code and a sentence.
    Refused(Code, String),
}

/// Answers a question, in this process.
pub fn answer(question: &Question, model: &Path, steps: &Steps, options: &LoadOptions) -> Finding {
    let model = &Asked { model, steps, options };
    let found = match question {
        Question::Measure { engine } => measure(*engine, model).map(|m| Finding::Measured(Box::new(m))),
        Question::Compare { reference, other } => agree(*reference, *other, model).map(Finding::Agree),
        Question::Together { engine } => together::together(*engine, model).map(Finding::Together),
    };
    found.unwrap_or_else(|error| Finding::Refused(error.code, error.message))
}

/// The model that a question is about.
struct Asked<'a> {
    model: &'a Path,
    steps: &'a Steps,
    options: &'a LoadOptions,
}

impl Asked<'_> {
    fn load(&self, engine: EngineName) -> Result<Box<dyn Model>, FunctionError> {
        modelet_model::load(engine, self.model, self.steps, self.options)
    }
}

fn measure(engine: EngineName, asked: &Asked) -> Result<Measured, FunctionError> {
    let started = Instant::now();
    let mut model = asked.load(engine)?;
    let engine = modelet_model::engine(engine);
    let load_ms = ms(started.elapsed());
    let mut signature = model.signature().clone();
    modelet_model::describe_onnx(&mut signature, &modelet_model::summarize(asked.model)?);
    let row = examples(&signature, 1, EXAMPLE_SEED);
    let started = Instant::now();
    let outputs = model.predict(row.clone(), None);
    let first_ms = ms(started.elapsed());
    let warm_ms = match outputs {
        Ok(_) => warm(|| model.predict(row.clone(), None).map(drop))?,
        // An example may not be what this model wants (a size that its graph fixes without saying so). The reference engine
        // is believed that it serves what it loads; any other has to show it.
        Err(_) if engine.name() == EngineName::REFERENCE => first_ms,
        Err(error) => return Err(error),
    };
    Ok(Measured {
        version: engine.version(asked.options)?,
        signature,
        load_ms,
        first_ms,
        warm_ms,
        memory_mib: peak_mib(),
    })
}

fn warm(mut call: impl FnMut() -> Result<(), FunctionError>) -> Result<f64, FunctionError> {
    let started = Instant::now();
    let mut times = Vec::new();
    while times.len() < 2 || (times.len() < MAX_CALLS && started.elapsed() < MEASURE_TIME) {
        let call_started = Instant::now();
        call()?;
        times.push(call_started.elapsed());
    }
    times.sort_unstable();
    Ok(ms(times[times.len() / 2]))
}

fn agree(reference: EngineName, other: EngineName, asked: &Asked) -> Result<f64, FunctionError> {
    let mut reference = asked.load(reference)?;
    let mut other = asked.load(other)?;
    let mut largest = 0.0_f64;
    let signature: Signature = reference.signature().clone();
    for (rows, seed) in [(1, EXAMPLE_SEED), (EXAMPLE_ROWS, EXAMPLE_SEED + 1)] {
        let inputs = examples(&signature, rows, seed);
        let (expected, found) = (reference.predict(inputs.clone(), None)?, other.predict(inputs, None)?);
        let agreement = compare(&expected, &found, RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE)
            .map_err(|difference| FunctionError::new(Code::EnginesDisagree, difference))?;
        largest = largest.max(agreement.largest_difference);
    }
    Ok(largest)
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// The most memory that this process ever held, MiB (`VmHWM` of proc(5)); 0 where there is no `/proc`.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok())
        .unwrap_or(0)
        .div_ceil(1 << 10)
}
