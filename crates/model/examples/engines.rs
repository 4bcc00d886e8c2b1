//! Loads a model with one engine or all, asks it example rows, and prints what it took: `engines MODEL [ENGINE] [ROWS]`.
//!
//! Resident memory is that of the whole process, so ask for one engine at a time to compare it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use modelet_core::EngineName;
use modelet_model::{LoadOptions, compare, describe_onnx, engine, examples, summarize};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(model) = arguments.next().map(PathBuf::from) else {
        eprintln!("usage: engines MODEL [ENGINE] [ROWS]");
        return;
    };
    let only = arguments.next().unwrap_or_else(|| "all".into());
    let rows = arguments.next().and_then(|rows| rows.parse().ok()).unwrap_or(1);
    let started = Instant::now();
    match summarize(&model) {
        Ok(summary) => {
            println!("summary in {:.2} ms: {:?}", ms(started), summary.operators());
            if let Ok(mut signature) = summary.signature() {
                describe_onnx(&mut signature, &summary);
                println!("{signature:#?}");
            }
        }
        Err(error) => println!("{error} ({})", error.hint.as_deref().unwrap_or_default()),
    }
    let library = std::env::var_os("MODELET_ONNXRUNTIME").map(PathBuf::from);
    let mut reference = None;
    for name in EngineName::ALL.iter().filter(|name| only == "all" || only == name.as_str()) {
        let options = LoadOptions { onnxruntime_library: library.clone(), ..LoadOptions::default() };
        match ask(*name, &model, &options, rows) {
            Err(error) => println!("{name}: {error}"),
            Ok(answer) => match &reference {
                None => reference = Some(answer),
                Some(first) => println!("{name}: {:?}", compare(&answer, first, 1e-4, 1e-5)),
            },
        }
    }
}

type Answer = Vec<(String, modelet_core::Value)>;

fn ask(
    name: EngineName,
    path: &Path,
    options: &LoadOptions,
    rows: usize,
) -> Result<Answer, modelet_core::FunctionError> {
    let started = Instant::now();
    let mut model = engine(name).load(path, options)?;
    let loaded = ms(started);
    let inputs = examples(model.signature(), rows, 1);
    let started = Instant::now();
    let answer = model.predict(inputs.clone(), None)?;
    let first = ms(started);
    const CALLS: u32 = 100;
    let started = Instant::now();
    for _ in 0..CALLS {
        model.predict(inputs.clone(), None)?;
    }
    let each = ms(started) / f64::from(CALLS);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    println!(
        "{name}: loaded in {loaded:.2} ms, first call {first:.3} ms, then {each:.4} ms, resident {}",
        resident.trim()
    );
    Ok(answer)
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
