//! The words of the command line.

pub mod check;
pub mod dev;
pub mod image;
pub mod making;
pub mod package;
pub mod proof;
pub mod simulate;
pub mod target;
pub mod up;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, value_parser};
use modelet_core::manifest::{EngineChoice, Rung};
use modelet_core::{Code, FunctionName, InvocationId, Processor, Version, entry};
use modelet_platform::store::usage::{HOURS_KEPT, Period};

use making::Making;

use crate::spans::milliseconds;

/// Machine learning models as serverless functions: deploy a file, get an endpoint that scales from zero.
#[derive(Debug, Parser)]
#[command(name = "modelet", version, max_term_width = 100)]
#[command(
    after_help = "Start here:\n  modelet dev                   this folder as a function, reloaded on each change\n  modelet up                    the whole platform, in one process\n  modelet deploy model.onnx     a model file becomes an endpoint\n  modelet demo                  both, with a sample model"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub common: Common,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Print data as JSON, for machines
    #[arg(long, global = true)]
    pub json: bool,
    /// The platform to talk to, such as http://127.0.0.1:8080 [default: the one that runs on the data folder]
    #[arg(long, global = true, env = "MODELET_SERVER", value_name = "URL")]
    pub server: Option<String>,
    /// The data folder [default: ./.modelet if it is there, else ~/.local/share/modelet]
    #[arg(long, global = true, env = "MODELET_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the platform
    #[command(after_help = "Examples:\n  modelet up\n  modelet up --listen 127.0.0.1:9000 --data ./data")]
    Up(up::Up),
    /// Run a folder while you write it: reloaded on each change, with its log, and with a cloud's limits where asked for
    #[command(
        after_help = "Examples:\n  modelet dev\n  modelet dev ./churn --as aws-lambda\n  modelet dev app.py --listen 9000 --memory-mib 512"
    )]
    Dev(dev::Dev),
    /// Find out what would break a function on a cloud: run it once under that cloud's limits, and read its files
    #[command(
        after_help = "Examples:\n  modelet check ./churn --as aws-lambda --sample '{\"plan\": \"pro\"}'\n  modelet check model.onnx --as sagemaker\n  modelet check app/ --as cloud-run --at /predict --sample rows.json --json | jq '.findings[] | select(.verdict == \"breaks\")'"
    )]
    Check(check::Check),
    /// Publish a model file, or a folder with a model and modelet.toml, as a function
    #[command(
        after_help = "Examples:\n  modelet deploy churn.onnx\n  modelet deploy ./churn --name churn-eu --set memory_mib=512\n  modelet deploy churn.onnx --engine onnxruntime\n  modelet deploy churn.ubj --python ./venv/bin/python --sample rows.csv\n  modelet deploy churn.pt --input 'float32[any,30]'\n  modelet deploy ./churn --canary 10\n  modelet deploy ./churn --to http://10.0.0.7:8080 --plan\n  modelet deploy churn.zip --to aws-lambda --plan"
    )]
    Deploy(Box<Deploy>),
    /// Make of a model or of code what another host starts: a zip, a container image, or one program that needs nothing else
    #[command(
        after_help = "Examples:\n  modelet package churn.joblib --for aws-lambda\n  modelet package ./app -o app.zip\n  modelet package churn.joblib --push registry.example.com/churn:1 --files deploy\n  modelet package churn.joblib --standalone -o churn && ./churn --port 9000"
    )]
    Package(Box<package::Package>),
    /// Prove that a model answers the same once it is converted: the original and the converted one answer the same rows
    #[command(
        after_help = "Examples:\n  modelet prove churn.ubj\n  modelet prove churn.ubj --sample more.csv --json | jq .outputs\n  modelet prove churn.txt --python ./venv/bin/python"
    )]
    Prove(proof::Prove),
    /// Show what a Python model file (pickle, joblib, skops) is and what it would import, without running it
    #[command(
        after_help = "Examples:\n  modelet inspect churn.joblib\n  modelet inspect churn.pkl --json | jq .unknown"
    )]
    Inspect(Inspect),
    /// Call a function and print its answer
    #[command(
        after_help = "Examples:\n  modelet invoke iris '[[5.1, 3.5, 1.4, 0.2]]'\n  modelet invoke iris @rows.csv\n  cat rows.json | modelet invoke iris -\n  modelet invoke iris @rows.npy --accept text/csv"
    )]
    Invoke(Invoke),
    /// Print the answer of an asynchronous invocation
    #[command(
        after_help = "Examples:\n  modelet invoke iris @rows.csv --async\n  modelet result iris 01KB0Z8V5M3J9Q4T7W2X6Y1C0D --wait 60"
    )]
    Result(ResultOf),
    /// List functions
    #[command(after_help = "Examples:\n  modelet ls\n  modelet ls --json | jq -r '.[].url'")]
    Ls,
    /// Show everything about a function: versions, inputs and outputs, limits, instances
    #[command(
        after_help = "Examples:\n  modelet describe iris\n  modelet describe iris --json | jq .settings"
    )]
    Describe(Named),
    /// Show the log of a function: calls, output, events
    #[command(
        after_help = "Examples:\n  modelet logs iris\n  modelet logs iris -f --level warning\n  modelet logs iris --call 01KAWX… --since 10m\n  modelet logs iris -n 1000 --json | jq 'select(.status >= 500)'"
    )]
    Logs(Logs),
    /// Show what functions used: calls, billed time, memory, processor time, bytes
    #[command(
        after_help = "Examples:\n  modelet usage\n  modelet usage iris --by day --hours 168\n  modelet usage --json | jq .total.billed_ms"
    )]
    Usage(Usage),
    /// Show where the time of a function's last cold starts went, and what to do about it
    #[command(after_help = "Examples:\n  modelet why-slow iris\n  modelet why-slow iris -n 3")]
    WhySlow(WhySlow),
    /// Show a function here or elsewhere: who gets the calls, versions, address
    #[command(after_help = "Examples:\n  modelet status churn\n  modelet status churn --to aws-lambda")]
    Status(target::StatusOf),
    /// Give calls to another version, a part of them or all
    #[command(
        after_help = "Examples:\n  modelet traffic churn --canary 10\n  modelet traffic churn --promote\n  modelet traffic churn --version 3 --to aws-lambda"
    )]
    Traffic(target::Traffic),
    /// Give all calls back to the version that had them before
    #[command(after_help = "Examples:\n  modelet rollback churn\n  modelet rollback churn --to aws-lambda")]
    Rollback(target::Rollback),
    /// Delete a function with all its versions and logs
    #[command(after_help = "Examples:\n  modelet delete iris\n  modelet delete iris --yes")]
    Delete(Delete),
    /// Store values that functions are given as environment variables, and that nothing shows
    #[command(
        after_help = "Examples:\n  modelet secret set partner-key < key.txt\n  modelet secret ls\n  modelet secret rm partner-key\n\nIn modelet.toml:\n  [secrets]\n  API_KEY = \"partner-key\""
    )]
    Secret(Secret),
    /// Replay a trace of calls through the scheduler, and compare keep-alive policies on it
    #[command(
        after_help = "Examples:\n  modelet logs iris -n 100000 --json > iris.jsonl && modelet simulate iris.jsonl\n  modelet simulate trace.csv --policy fixed:60s,fixed:10m,hybrid --by function\n  modelet simulate --generate azure-like --memory-mib 4096 --set concurrency=1"
    )]
    Simulate(simulate::Simulate),
    /// Show what this machine can do, and what is missing
    #[command(
        after_help = "Examples:\n  modelet doctor\n  modelet doctor --json | jq '.[] | select(.verdict != \"ok\")'"
    )]
    Doctor,
    /// List the engines that compute models, or install ONNX Runtime
    #[command(
        after_help = "Examples:\n  modelet engines\n  modelet engines install\n  modelet engines install --arch arm64"
    )]
    Engines(Engines),
    /// Explain an error code
    #[command(
        after_help = "Examples:\n  modelet explain queue-full\n  modelet explain            lists all codes"
    )]
    Explain(Explain),
    /// Start the platform with a sample function, in a folder of its own
    #[command(after_help = "Examples:\n  modelet demo\n  modelet demo --listen 127.0.0.1:9000")]
    Demo(Demo),
    /// Print a completion script for a shell
    #[command(
        after_help = "Examples:\n  modelet completions bash > ~/.local/share/bash-completion/completions/modelet"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Answer a question about a model, for `deploy`
    #[command(hide = true)]
    Probe {
        /// The model's file.
        model: PathBuf,
        /// What is done before and after it, JSON.
        steps: String,
        /// The question, JSON.
        question: String,
    },
}

/// `modelet deploy`
#[derive(Debug, Args)]
pub struct Deploy {
    #[command(flatten)]
    pub making: Making,
    #[command(flatten)]
    pub target: target::DeployTo,
}

/// `modelet invoke`
#[derive(Debug, Args)]
pub struct Invoke {
    /// Name of the function
    pub name: FunctionName,
    /// The body: text, @FILE, or - for standard input [default: the function's own sample]
    pub body: Option<String>,
    /// Version to call [default: the live one]
    #[arg(long)]
    pub version: Option<u32>,
    /// Content-Type of the body [default: from the file's name or its first bytes]
    #[arg(long, value_name = "TYPE")]
    pub content_type: Option<String>,
    /// Content-Type of the answer: application/json, text/csv or application/x-npy
    #[arg(long, value_name = "TYPE")]
    pub accept: Option<String>,
    /// Do not wait for the answer: print the invocation's id, with which `modelet result` gets it
    #[arg(long = "async", conflicts_with = "to")]
    pub is_async: bool,
    #[command(flatten)]
    pub elsewhere: target::Elsewhere,
}

/// `modelet result`
#[derive(Debug, Args)]
pub struct ResultOf {
    /// Name of the function
    pub name: FunctionName,
    /// Id of the invocation
    pub invocation: String,
    /// How long to wait for an answer that is not there yet
    #[arg(long, default_value_t = 0, value_name = "SECONDS", value_parser = value_parser!(u64).range(..=604_800))]
    pub wait: u64,
}

impl Invoke {
    /// The version asked for.
    pub fn version(&self) -> Option<Version> {
        self.version.map(Version)
    }
}

/// A command about one function.
#[derive(Debug, Args)]
pub struct Named {
    /// Name of the function
    pub name: FunctionName,
}

/// `modelet logs`
#[derive(Debug, Args)]
pub struct Logs {
    /// Name of the function
    pub name: FunctionName,
    /// Go on as records come
    #[arg(long, short)]
    pub follow: bool,
    /// How many of the last records to start with
    #[arg(long, short = 'n', default_value_t = 100, value_name = "N")]
    pub lines: usize,
    /// Only what matters at least so much: debug, info, warning, error or critical
    #[arg(long, value_name = "LEVEL", value_parser = parse_level)]
    pub level: Option<String>,
    /// Only of the call with this id, which its answer has in x-modelet-invocation
    #[arg(long, value_name = "ID", value_parser = parse_call)]
    pub call: Option<InvocationId>,
    /// Only of this long ago and later, such as 10m
    #[arg(long, value_name = "SPAN", value_parser = milliseconds)]
    pub since: Option<u64>,
    #[command(flatten)]
    pub elsewhere: target::Elsewhere,
}

/// `modelet usage`
#[derive(Debug, Args)]
pub struct Usage {
    /// Only of this function, which may be deleted by now
    pub name: Option<FunctionName>,
    /// The last hours, the current one included; 13 months are kept
    #[arg(long, default_value_t = 24, value_name = "N", value_parser = value_parser!(i64).range(1..=HOURS_KEPT))]
    pub hours: i64,
    /// One row for each hour, for each day (UTC), or for all of it
    #[arg(long, default_value = "all", value_name = "hour|day|all", value_parser = parse_period)]
    pub by: Period,
}

/// `modelet why-slow`
#[derive(Debug, Args)]
pub struct WhySlow {
    /// Name of the function
    pub name: FunctionName,
    /// How many of the last cold starts to show
    #[arg(long, short = 'n', default_value_t = 10, value_name = "N")]
    pub last: usize,
}

/// `modelet delete`
#[derive(Debug, Args)]
pub struct Delete {
    /// Name of the function
    pub name: FunctionName,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    #[command(flatten)]
    pub elsewhere: target::Elsewhere,
}

/// `modelet secret`
#[derive(Debug, Args)]
pub struct Secret {
    /// What to do
    #[command(subcommand)]
    pub action: SecretAction,
}

/// What to do with secrets.
#[derive(Debug, Subcommand)]
pub enum SecretAction {
    /// Store a value, read from standard input
    Set {
        /// The secret's name
        name: String,
    },
    /// List the names
    Ls,
    /// Remove a secret
    Rm {
        /// The secret's name
        name: String,
    },
}

/// `modelet engines`
#[derive(Debug, Args)]
pub struct Engines {
    /// What to do; without it, list
    #[command(subcommand)]
    pub action: Option<EnginesAction>,
}

/// What to do with engines.
#[derive(Debug, Subcommand)]
pub enum EnginesAction {
    /// Install ONNX Runtime into modelet's cache, with uv or pip; its hash is checked
    Install {
        /// For artifacts for another processor: x86_64 or arm64 [default: this machine's, for all that runs here]
        #[arg(long, value_name = "ARCH")]
        arch: Option<Processor>,
    },
}

/// `modelet inspect`
#[derive(Debug, Args)]
pub struct Inspect {
    /// The file
    pub file: PathBuf,
}

/// `modelet explain`
#[derive(Debug, Args)]
pub struct Explain {
    /// The code, as an error printed it; without it, all codes
    pub code: Option<Code>,
}

/// `modelet demo`
#[derive(Debug, Args)]
pub struct Demo {
    /// Where to listen [default: 127.0.0.1:8080, or the next free port]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse_listen)]
    pub listen: Option<SocketAddr>,
}

/// `ADDRESS:PORT`; a port alone, or with `localhost`, means loopback.
fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')).unwrap_or(text);
    match port.parse::<u16>() {
        Ok(port) => Ok((Ipv4Addr::LOCALHOST, port).into()),
        Err(_) => text.parse().map_err(|_| "write it as 127.0.0.1:8080, or as a port alone".to_owned()),
    }
}

fn parse_rung(text: &str) -> Result<Rung, String> {
    let number: u8 = text.parse().map_err(|_| "write a number from 1 to 4".to_owned())?;
    Rung::try_from(number)
}

fn parse_engine(text: &str) -> Result<EngineChoice, String> {
    match text {
        "auto" => Ok(EngineChoice::Auto),
        "onnxruntime" => Ok(EngineChoice::Onnxruntime),
        "tabular" => Ok(EngineChoice::Tabular),
        "rten" => Ok(EngineChoice::Rten),
        _ => Err("the engines are auto, onnxruntime, tabular and rten".to_owned()),
    }
}

fn parse_level(text: &str) -> Result<String, String> {
    let known = entry::rank(text).map(|_| text.to_owned());
    known.ok_or_else(|| "a level is debug, info, warning, error or critical".to_owned())
}

fn parse_call(text: &str) -> Result<InvocationId, String> {
    let is_id =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    is_id.then(|| InvocationId(text.to_owned())).ok_or_else(|| "that is no id of a call".to_owned())
}

fn parse_period(text: &str) -> Result<Period, String> {
    match text {
        "hour" => Ok(Period::Hour),
        "day" => Ok(Period::Day),
        "all" => Ok(Period::All),
        _ => Err("usage is added up by hour, day or all".to_owned()),
    }
}

fn parse_setting(text: &str) -> Result<(String, u64), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE, such as memory_mib=512")?;
    let number = value.trim().parse().map_err(|_| format!("{value:?} is not a whole number"))?;
    modelet_core::settings::SettingsPatch::default().set(name.trim(), number)?;
    Ok((name.trim().to_owned(), number))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_words_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn settings_are_checked_by_name() {
        assert_eq!(parse_setting("memory_mib=512"), Ok(("memory_mib".into(), 512)));
        assert!(parse_setting("memory=512").unwrap_err().contains("memory_mib"));
        assert!(parse_setting("memory_mib=big").unwrap_err().contains("whole number"));
    }
}
