//! Runs every backend test of the `onnx` package through every engine, and prints what came out.
//!
//! ```text
//! python crates/model/tests/onnx_backend.py FOLDER      # in an environment with onnx 1.23.2
//! ONNX_BACKEND_TESTS=FOLDER MODELET_ONNXRUNTIME=LIBRARY cargo test -p modelet-model --test onnx_backend
//! ```
//!
//! A test passes, or its model is refused with a sentence, or it is wrong: another answer, a failed call, a crash, a hang.
//! Nothing may be wrong. Each engine runs in a child process; when the child dies or hangs, the test that it was in is
//! wrong and another child goes on after it.

#![allow(clippy::unwrap_used, reason = "the whole program is a test")]

#[path = "common/onnx.rs"]
mod onnx;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use modelet_core::{Code, Data, EngineName, Tensor, Value};
use modelet_model::{LoadOptions, compare, engine};
use onnx::{GraphProto, ModelProto, NodeProto, OptionalProto, SequenceProto, TensorProto, TypeProto};
use prost::Message;

const TEST_LIMIT: Duration = Duration::from_secs(60);
const CHILD: &str = "ONNX_BACKEND_CHILD";

/// What came out of a test.
#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    Passed,
    Unsupported(String),
    Wrong(String),
}

fn main() -> ExitCode {
    if let Ok(name) = std::env::var(CHILD) {
        return run_child(&name);
    }
    let Ok(folder) = std::env::var("ONNX_BACKEND_TESTS") else {
        eprintln!("set ONNX_BACKEND_TESTS to the folder that crates/model/tests/onnx_backend.py wrote");
        return ExitCode::FAILURE;
    };
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let tests: Vec<PathBuf> = tests_in(Path::new(&folder))
        .into_iter()
        .filter(|test| test.to_string_lossy().contains(&only))
        .collect();
    let results: Vec<_> = std::thread::scope(|scope| {
        let run = |name: &'static EngineName| {
            let tests = &tests;
            scope.spawn(move || (*name, run_engine(*name, tests)))
        };
        let threads: Vec<_> = EngineName::ALL.iter().map(run).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    report(&tests, &results)
}

fn tests_in(folder: &Path) -> Vec<PathBuf> {
    let list = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    list(folder).iter().flat_map(|kind| list(kind)).filter(|test| test.join("model.onnx").exists()).collect()
}

/// Runs all tests in child processes, a new one after each crash or hang.
fn run_engine(name: EngineName, tests: &[PathBuf]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    while outcomes.len() < tests.len() {
        let rest = &tests[outcomes.len()..];
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(CHILD, name.as_str())
            .env("ORT_DISABLE_TELEMETRY", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (send, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let mut stdin = child.stdin.take().unwrap();
        let paths: Vec<_> = rest.iter().map(|test| test.to_string_lossy().into_owned() + "\n").collect();
        std::thread::spawn(move || stdin.write_all(paths.concat().as_bytes()));
        for _ in rest {
            let outcome = match lines.recv_timeout(TEST_LIMIT) {
                Ok(line) => parse(&line),
                Err(mpsc::RecvTimeoutError::Timeout) => Outcome::Wrong(format!("hung for {TEST_LIMIT:?}")),
                Err(mpsc::RecvTimeoutError::Disconnected) => Outcome::Wrong("the process crashed".into()),
            };
            let died = matches!(&outcome, Outcome::Wrong(reason) if reason.starts_with("hung") || reason.starts_with("the process"));
            outcomes.push(outcome);
            if died {
                break;
            }
        }
        let _ = child.kill();
        let _ = child.wait();
    }
    outcomes
}

fn parse(line: &str) -> Outcome {
    match line.split_once('\t') {
        Some(("unsupported", reason)) => Outcome::Unsupported(reason.into()),
        Some(("wrong", reason)) => Outcome::Wrong(reason.into()),
        _ if line == "passed" => Outcome::Passed,
        _ => Outcome::Wrong(format!("the process said {line:?}")),
    }
}

/// One line out for each path in.
fn run_child(name: &str) -> ExitCode {
    let name = EngineName::ALL.iter().copied().find(|engine| engine.as_str() == name).unwrap();
    for path in std::io::stdin().lines().map_while(Result::ok) {
        let one_line = |reason: String| reason.replace(['\n', '\t', '\r'], " ");
        match run_test(name, Path::new(&path)) {
            Outcome::Passed => println!("passed"),
            Outcome::Unsupported(reason) => println!("unsupported\t{}", one_line(reason)),
            Outcome::Wrong(reason) => println!("wrong\t{}", one_line(reason)),
        }
    }
    ExitCode::SUCCESS
}

fn run_test(name: EngineName, folder: &Path) -> Outcome {
    let path = folder.join("model.onnx");
    let library = std::env::var_os("MODELET_ONNXRUNTIME").map(PathBuf::from);
    let options = LoadOptions { onnxruntime_library: library, ..LoadOptions::default() };
    let mut model = match engine(name).load(&path, &options) {
        Ok(model) => model,
        Err(error) if error.code == Code::ModelRefused => return Outcome::Unsupported(error.to_string()),
        Err(error) => return Outcome::Wrong(error.to_string()),
    };
    let proto = ModelProto::decode(&*std::fs::read(&path).unwrap()).unwrap();
    let graph = proto.graph.as_ref().unwrap();
    let tolerance = std::fs::read_to_string(folder.join("tolerance.txt")).unwrap();
    let (relative, absolute) = tolerance.trim().split_once(' ').unwrap();
    let (relative, absolute): (f64, f64) = (relative.parse().unwrap(), absolute.parse().unwrap());
    for number in 0.. {
        let data = folder.join(format!("test_data_set_{number}"));
        if !data.exists() {
            break;
        }
        let mut inputs = Vec::new();
        // As onnx's runner does, inputs are given in the order of the graph, without those that have a default.
        let has_default = |name: &Option<String>| graph.initializer.iter().any(|tensor| tensor.name == *name);
        let wanted = graph.input.iter().filter(|info| !has_default(&info.name));
        for (index, info) in wanted.enumerate() {
            let Ok(bytes) = std::fs::read(data.join(format!("input_{index}.pb"))) else { continue };
            match TensorProto::decode(&*bytes).map_err(|e| e.to_string()).and_then(|t| t.to_tensor()) {
                Ok(tensor) => inputs.push((info.name.clone().unwrap(), tensor)),
                Err(reason) => return Outcome::Wrong(format!("input {index} cannot be read: {reason}")),
            }
        }
        let answers = match model.predict(inputs, None) {
            Ok(answers) => answers,
            Err(error) if error.message.contains("(engine ") => {
                return Outcome::Unsupported(error.to_string());
            }
            Err(error) => return Outcome::Wrong(error.to_string()),
        };
        for (index, (info, (name, value))) in graph.output.iter().zip(answers).enumerate() {
            let bytes = std::fs::read(data.join(format!("output_{index}.pb"))).unwrap();
            let expected = match expected(info.r#type.as_ref().unwrap(), &bytes) {
                Ok(expected) => expected,
                Err(reason) => return Outcome::Wrong(format!("output {index} cannot be read: {reason}")),
            };
            let relative = relative.max(two_last_places(&value));
            let absolute = absolute.max(transform_error(graph, &expected));
            let result =
                compare(&[(name.clone(), value.clone())], &[(name, expected.clone())], relative, absolute);
            match result {
                Err(_) if is_random(&proto) && kind(&value) == kind(&expected) => {}
                Err(reason) => return Outcome::Wrong(reason),
                Ok(_) => {}
            }
        }
    }
    Outcome::Passed
}

fn expected(info: &TypeProto, bytes: &[u8]) -> Result<Value, String> {
    let sequence = |sequence: SequenceProto| {
        sequence.tensors.iter().map(TensorProto::to_tensor).collect::<Result<_, _>>().map(Value::Sequence)
    };
    if info.sequence.is_some() {
        return sequence(SequenceProto::decode(bytes).map_err(|e| e.to_string())?);
    }
    if info.optional.is_some() {
        return match OptionalProto::decode(bytes).map_err(|e| e.to_string())? {
            OptionalProto { tensor: Some(tensor), .. } => tensor.to_tensor().map(Value::Tensor),
            OptionalProto { sequence: Some(inner), .. } => sequence(inner),
            _ => Ok(Value::Absent),
        };
    }
    TensorProto::decode(bytes).map_err(|e| e.to_string())?.to_tensor().map(Value::Tensor)
}

/// Two units in the last place: the tolerance that onnx's own runner gives bfloat16; float16 gets the same.
fn two_last_places(value: &Value) -> f64 {
    match value {
        Value::Tensor(tensor) if matches!(tensor.data(), Data::BF16(_)) => 2_f64.powi(-6),
        Value::Tensor(tensor) if matches!(tensor.data(), Data::F16(_)) => 2_f64.powi(-9),
        _ => 0.0,
    }
}

/// The rounding error of a Fourier transform is relative to its largest bin, not to each; the expected values were
/// computed in float64. (ONNX Runtime's own run of these tests allows 1e-3.)
fn transform_error(graph: &GraphProto, expected: &Value) -> f64 {
    let transforms = graph.node.iter().any(|node| matches!(node.op_type.as_deref(), Some("DFT" | "STFT")));
    match expected {
        Value::Tensor(tensor) if transforms => match tensor.data() {
            Data::F32(data) => data.iter().fold(0.0, |largest, x| f64::from(x.abs()).max(largest)) * 1e-6,
            _ => 0.0,
        },
        _ => 0.0,
    }
}

/// Type and shape: all that can be compared of a random answer. numpy's generator is no part of the standard, so onnx's
/// reference runner and ONNX Runtime's leave such tests out.
fn kind(value: &Value) -> Option<(&[usize], modelet_core::DType)> {
    match value {
        Value::Tensor(tensor) => Some((Tensor::shape(tensor), tensor.dtype())),
        _ => None,
    }
}

fn is_random(model: &ModelProto) -> bool {
    const RANDOM: &[&str] = &[
        "Bernoulli",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
        "Multinomial",
    ];
    let random = |node: &NodeProto| {
        let op = node.op_type.as_deref().unwrap_or_default();
        // The third input of Dropout switches training on.
        RANDOM.contains(&op) || op == "Dropout" && node.input.len() == 3
    };
    let of_functions = model.functions.iter().flat_map(|function| &function.node);
    model.graph.iter().flat_map(|graph| &graph.node).chain(of_functions).any(random)
}

fn domain_of(test: &Path) -> String {
    let model = ModelProto::decode(&*std::fs::read(test.join("model.onnx")).unwrap()).unwrap();
    let nodes = model.graph.iter().flat_map(|graph| &graph.node);
    let domain = nodes.filter_map(|node| node.domain.clone()).find(|d| !d.is_empty() && d != "ai.onnx");
    domain.unwrap_or_else(|| "ai.onnx".into())
}

fn report(tests: &[PathBuf], results: &[(EngineName, Vec<Outcome>)]) -> ExitCode {
    let mut counts: BTreeMap<(String, &str), [usize; 3]> = BTreeMap::new();
    for (index, test) in tests.iter().enumerate() {
        let domain = domain_of(test);
        for (engine, outcomes) in results {
            let column = match outcomes[index] {
                Outcome::Passed => 0,
                Outcome::Unsupported(_) => 1,
                Outcome::Wrong(_) => 2,
            };
            counts.entry((domain.clone(), engine.as_str())).or_default()[column] += 1;
        }
    }
    if let Some(path) = std::env::var_os("ONNX_BACKEND_DETAILS") {
        let mut file = std::fs::File::create(path).unwrap();
        for (engine, outcomes) in results {
            for (test, outcome) in tests.iter().zip(outcomes) {
                writeln!(file, "{engine}\t{}\t{outcome:?}", test.display()).unwrap();
            }
        }
    }
    println!("| domain | engine | passed | unsupported, refused with a reason | wrong |");
    println!("|---|---|---:|---:|---:|");
    for ((domain, engine), [passed, unsupported, wrong]) in &counts {
        println!("| {domain} | {engine} | {passed} | {unsupported} | {wrong} |");
    }
    let mut failed = 0;
    for (engine, outcomes) in results {
        for (test, outcome) in tests.iter().zip(outcomes) {
            if let Outcome::Wrong(reason) = outcome {
                failed += 1;
                println!("WRONG {engine} {}: {reason}", test.file_name().unwrap().to_string_lossy());
            }
        }
    }
    let passed: usize = counts.values().map(|[passed, ..]| passed).sum();
    println!("\n{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
