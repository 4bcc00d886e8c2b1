//! `modelet deploy`: recognise, choose an engine on evidence, package, publish.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Request;
use modelet_core::{Code, EngineName, FunctionError, FunctionName, Settings, Steps};
use modelet_package::artifact::Plan;
use modelet_package::batching::prove;
use modelet_package::evidence::fit_concurrency;
use modelet_package::probe::{Finding, Question};
use modelet_package::{Batching, Evidence, Packed, Prober, Source, annotate, choose, pack};
use modelet_platform::admin::functions::{HEADER_EVIDENCE, HEADER_SHA256};
use modelet_platform::admin::views::{Deployed, FunctionView};
use modelet_worker::once::run_once;
use serde_json::{Value, json};

use crate::cli::{Common, Deploy};
use crate::client::Client;
use crate::output::{self, Progress};
use crate::report::Report;

/// A probe may take this long: loading, and a few calls.
const PROBE_LIMIT: Duration = Duration::from_secs(300);

/// What a deploy came to.
pub struct Outcome {
    deployed: Deployed,
    /// Absent when nothing had to be made.
    made: Option<(Evidence, Packed)>,
    /// What the user gave, in words.
    given: String,
}

impl Outcome {
    /// The function.
    pub fn name(&self) -> &FunctionName {
        &self.deployed.name
    }
}

pub async fn run(common: &Common, deploy: &Deploy) -> Result<(), Report> {
    let client = Client::find(common)?;
    let outcome = publish(&client, deploy).await?;
    if let Some(warning) = &outcome.deployed.warning {
        output::say(format!("warning: {}", output::plain(warning)));
    }
    if common.json {
        output::json(&as_json(&outcome));
        return Ok(());
    }
    print_card(&outcome);
    if let Some(curl) =
        sample(&client, &outcome.deployed.name).await.and_then(|s| Some(s["curl"].as_str()?.to_owned()))
    {
        output::card_line("try", curl);
    }
    Ok(())
}

/// Everything from the file to the live version.
pub async fn publish(client: &Client, deploy: &Deploy) -> Result<Outcome, Report> {
    let work = tempfile::tempdir().map_err(|error| {
        Report::new(Code::Internal, format!("could not make a folder for the work: {error}"))
    })?;
    let rewritten = work.path().join("rewritten");
    std::fs::create_dir(&rewritten).map_err(|error| {
        Report::new(Code::Internal, format!("could not make a folder for the work: {error}"))
    })?;
    let progress = Progress::start(format!("reading {}", deploy.path.display()));
    let source = source(deploy, &rewritten)?;
    let name = deploy.name.clone().or_else(|| source.name.clone()).ok_or_else(|| {
        Report::new(Code::BadName, format!("no function name can be made of {}", deploy.path.display()))
            .hint("say one: --name NAME")
    })?;
    if let Some(deployed) = unchanged(client, &name, &source).await? {
        return Ok(Outcome { deployed, made: None, given: source.given() });
    }
    progress.next("trying the engines that can compute it");
    let evidence = evidence(&source).await?;
    let plan = plan(&source, name.clone(), &evidence)?;
    progress.next("packaging");
    let artifact = work.path().join("artifact.tar");
    let packed = pack(&source, plan, &artifact)?;
    progress.next(format!("publishing {}", output::size(packed.size_bytes)));
    let evidence_text = serde_json::to_string(&evidence.clone().without_signatures()).unwrap_or_default();
    let request = Request::post(format!("/api/v1/functions/{name}/versions"))
        .header(http::header::CONTENT_TYPE, "application/x-tar")
        .header(HEADER_SHA256, &packed.sha256)
        .header(HEADER_EVIDENCE, evidence_text.into_bytes());
    let deployed = client.upload(request, &artifact).await?;
    Ok(Outcome { deployed, made: Some((evidence, packed)), given: source.given() })
}

/// What the user points at, with what the command line adds to its manifest.
fn source(deploy: &Deploy, work: &Path) -> Result<Source, Report> {
    let mut source = Source::open(&deploy.path, work)?;
    if let Some(engine) = deploy.engine {
        source.manifest.engine = engine;
    }
    for (name, value) in &deploy.settings {
        source.manifest.settings.set(name, *value).map_err(|why| Report::new(Code::BadManifest, why))?;
    }
    source.manifest.settings.over(&Settings::default()).map_err(|why| Report::new(Code::BadManifest, why))?;
    Ok(source)
}

/// The live version, when it was made of the same source.
async fn unchanged(
    client: &Client,
    name: &FunctionName,
    source: &Source,
) -> Result<Option<Deployed>, Report> {
    let view: FunctionView = match client.get(&format!("/api/v1/functions/{name}")).await {
        Ok(view) => view,
        Err(report) if report.is(Code::FunctionNotFound) => return Ok(None),
        Err(report) => return Err(report),
    };
    let live = view.versions.iter().find(|version| version.version == view.version);
    let same = view.card.source_sha256 == source.sha256();
    Ok(live.filter(|_| same).map(|live| Deployed {
        name: name.clone(),
        version: view.version,
        created: false,
        sha256: live.sha256.clone(),
        size_bytes: live.size_bytes,
        url: view.url.clone(),
        warning: None,
    }))
}

async fn evidence(source: &Source) -> Result<Evidence, Report> {
    let prober = ChildProber {
        program: this_program()?,
        model: source.model.place.clone(),
        steps: source.steps_in_place(),
    };
    let wanted = source.manifest.engine.named();
    // Probes wait for child processes: not on the thread that talks to the platform.
    let max_rows = source.manifest.settings.batch_max_rows;
    let chosen = tokio::task::spawn_blocking(move || {
        let mut evidence = choose(&prober, wanted)?;
        if let Some(measured) = evidence.chosen() {
            evidence.batching = Some(prove(&prober, evidence.chosen, &measured.signature, max_rows)?);
        }
        Ok::<_, FunctionError>(evidence)
    })
    .await;
    Ok(chosen.map_err(|error| Report::new(Code::Internal, format!("the probe failed: {error}")))??)
}

fn plan(source: &Source, name: FunctionName, evidence: &Evidence) -> Result<Plan, Report> {
    let measured = evidence.chosen().ok_or_else(|| Report::new(Code::Internal, "no engine was measured"))?;
    let manifest = &source.manifest;
    let settings =
        manifest.settings.over(&Settings::default()).map_err(|why| Report::new(Code::BadManifest, why))?;
    let mut settings = match manifest.settings.concurrency {
        Some(_) => settings,
        None => fit_concurrency(settings, measured.warm_ms),
    };
    if let Some(batching) = &evidence.batching {
        settings.batch_max_rows = batching.max_rows;
    }
    let signature = annotate(measured.signature.clone(), manifest, source.columns.as_deref())?;
    Ok(Plan { name, settings, engine: (evidence.chosen, measured.version.clone()), signature })
}

fn this_program() -> Result<PathBuf, Report> {
    std::env::current_exe().map_err(|error| {
        Report::new(Code::Internal, format!("could not find this program's own file: {error}"))
    })
}

/// Runs each probe as `modelet probe`, in a process of its own.
struct ChildProber {
    program: PathBuf,
    model: PathBuf,
    steps: Steps,
}

impl Prober for ChildProber {
    fn ask(&self, question: &Question) -> Result<Finding, FunctionError> {
        let failed = |what: String| FunctionError::new(Code::ModelRefused, what);
        let steps = serde_json::to_string(&self.steps).map_err(|error| failed(error.to_string()))?;
        let asked = serde_json::to_string(question).map_err(|error| failed(error.to_string()))?;
        let args: [OsString; 4] = ["probe".into(), self.model.clone().into(), steps.into(), asked.into()];
        let env = [("ORT_DISABLE_TELEMETRY".into(), "1".into())];
        let running = run_once(&self.program, &args, &env, PROBE_LIMIT);
        let finished = tokio::runtime::Handle::current()
            .block_on(running)
            .map_err(|error| failed(format!("the model could not be tried: {error}")))?;
        let answer = finished.stdout.lines().last().and_then(|line| serde_json::from_str(line).ok());
        // An engine that a model takes down refuses it, in its way.
        Ok(answer.unwrap_or_else(|| {
            // What a panic says stands on the line after the one that says where.
            let mut lines = finished.stderr.lines().skip_while(|line| !line.contains("panicked at")).skip(1);
            let said = lines.next().or(finished.stderr.lines().last()).unwrap_or("no message").trim();
            Finding::Refused(
                Code::ModelRefused,
                format!("the engine crashed on it ({}): {said}", finished.ending),
            )
        }))
    }
}

/// The sample request that the function itself shows.
pub async fn sample(client: &Client, name: &FunctionName) -> Option<Value> {
    let described: Value = client.get(&format!("/fn/{name}")).await.ok()?;
    described["samples"].as_array()?.first().cloned()
}

fn as_json(outcome: &Outcome) -> Value {
    let mut value = serde_json::to_value(&outcome.deployed).unwrap_or_default();
    if let Some((evidence, packed)) = &outcome.made {
        value["engine"] = json!(packed.card.engine);
        value["evidence"] = serde_json::to_value(evidence.clone().without_signatures()).unwrap_or_default();
    }
    value
}

fn print_card(outcome: &Outcome) {
    let deployed = &outcome.deployed;
    let Some((evidence, packed)) = &outcome.made else {
        output::card_line(
            "unchanged",
            format!("{}@{} was made of the same files", deployed.name, deployed.version),
        );
        return output::card_line("live", &deployed.url);
    };
    let card = &packed.card;
    let inputs: Vec<_> =
        card.signature.inputs.iter().map(|i| format!("{} {} {}", i.name, i.dtype, i.shape_text())).collect();
    output::card_line("model", format!("{} · {}", outcome.given, inputs.join(", ")));
    output::card_line("engine", format!("{} {}: {}", card.engine, card.engine_version, evidence.reason));
    for engine in &evidence.engines {
        output::card_line("", engine_line(engine.engine, engine));
    }
    if let Some(difference) = evidence.largest_difference {
        output::card_line("", format!("engines agree, largest relative difference {difference:.0e}"));
    }
    if let Some(batching) = &evidence.batching {
        output::card_line(if batching.warning { "warning" } else { "batching" }, batching_line(batching));
    }
    let digest = deployed.sha256.get(..12).unwrap_or(&deployed.sha256);
    let size = output::size(packed.size_bytes);
    output::card_line(
        "packaged",
        format!("{}@{}  {size}  sha256:{digest}…", deployed.name, deployed.version),
    );
    output::card_line("live", &deployed.url);
}

fn batching_line(batching: &Batching) -> String {
    let about = if batching.warning { "batching is " } else { "" };
    format!("{about}{}", batching.reason)
}

fn engine_line(name: EngineName, engine: &modelet_package::EngineEvidence) -> String {
    match (&engine.measured, &engine.refused) {
        (Some(m), _) => format!(
            "{name:<12} cold {:.1} ms, warm {:.3} ms, {} MiB",
            m.load_ms + m.first_ms,
            m.warm_ms,
            m.memory_mib
        ),
        (None, Some(why)) => format!("{name:<12} no: {why}"),
        (None, None) => format!("{name:<12} not tried"),
    }
}
