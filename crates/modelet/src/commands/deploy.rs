//! `modelet deploy`: recognise, choose an engine on evidence, package, publish. Code goes its own [way](code).

mod code;
pub mod session;

use std::path::Path;
use std::sync::Arc;

use http::Request;
use modelet_core::certificate::{Verdict, short};
use modelet_core::{
    ArtifactCard, Certificate, Code, EngineName, FunctionName, InputSpec, Signature, Version,
};
use modelet_package::certificate::tolerance;
use modelet_package::{Batching, Evidence, ModelSource, Packed, Source};
use modelet_platform::admin::functions::{HEADER_EVIDENCE, HEADER_LIVE_WHEN, HEADER_SHA256};
use modelet_platform::admin::views::{Deployed, FunctionView};
use serde_json::{Value, json};
use session::Session;

use crate::cli::making::Making;
use crate::cli::{Common, Deploy};
use crate::client::Client;
use crate::making::{self, Found, Made};
use crate::output::{self, Progress};
use crate::report::Report;

/// What a deploy came to.
pub struct Outcome {
    deployed: Deployed,
    /// What was made; `None` when the live version is of the same files.
    made: Option<Made>,
}

impl Outcome {
    /// The function.
    pub fn name(&self) -> &FunctionName {
        &self.deployed.name
    }

    /// Its version, and whether there was none of these files before.
    pub fn version(&self) -> (Version, bool) {
        (self.deployed.version, self.deployed.created)
    }

    /// The card of what was made; `None` when nothing was.
    pub fn card(&self) -> Option<&ArtifactCard> {
        self.made.as_ref().map(|made| &made.card)
    }
}

/// How a deploy goes.
pub struct Way<'a> {
    /// The platform.
    pub client: &'a Client,
    /// What was asked for.
    pub making: &'a Making,
    /// Where it tells what takes a while.
    pub progress: Arc<Progress>,
    /// What `modelet dev` knows and wants.
    pub session: Option<&'a mut Session>,
}

pub async fn run(common: &Common, deploy: &Deploy) -> Result<(), Report> {
    let client = Client::find(common)?;
    let outcome = publish(&client, &deploy.making).await?;
    if let Some(warning) = &outcome.deployed.warning {
        output::say(format!("warning: {}", output::plain(warning)));
    }
    if outcome.card().is_some_and(|card| !card.manifest.triggers.is_empty()) {
        output::say("warning: this platform does not run triggers yet; AWS Lambda does (--to aws-lambda)");
    }
    if common.json {
        output::json(&as_json(&outcome));
        return Ok(());
    }
    print(&client, &outcome).await;
    Ok(())
}

/// Shows what came of it, and a call to try.
pub async fn print(client: &Client, outcome: &Outcome) {
    print_card(outcome);
    if let Some(curl) =
        sample(client, &outcome.deployed.name).await.and_then(|s| Some(s["curl"].as_str()?.to_owned()))
    {
        output::card_line("try", curl);
    } else if let Some(card) = outcome.card().filter(|card| card.is_code()) {
        output::card_line("try", code::call(card, &outcome.deployed.url));
    }
}

/// Everything from the file to the live version.
pub async fn publish(client: &Client, making: &Making) -> Result<Outcome, Report> {
    let progress = Arc::new(Progress::start(format!("reading {}", making.path.display())));
    publish_so(Way { client, making, progress, session: None }).await
}

/// The same, in a way of its own.
pub async fn publish_so(way: Way<'_>) -> Result<Outcome, Report> {
    let work = making::work_folder()?;
    let (client, making, progress) = (way.client, way.making, way.progress.clone());
    let (mut source, name) = making::opened(making, &progress, work.path()).await?;
    if let Some(session) = &way.session {
        session.impose(&mut source.bundle_mut().manifest, &name)?;
        session.bring_secrets(client, &source.bundle().manifest).await?;
    }
    let source = match source {
        Source::Model(source) => source,
        Source::Code(source) => return code::publish(way, *source, name, work.path()).await,
    };
    if let Some(deployed) = unchanged(client, &name, &source, making).await? {
        return Ok(Outcome { deployed, made: None });
    }
    let made = making::model::made(*source, name, making, &progress).await?;
    progress.next("packaging");
    let artifact = work.path().join("artifact.tar");
    let packed = made.packed(&artifact).await?;
    if let Some(session) = &way.session {
        session.check_size(&packed.card, None)?;
    }
    progress.next(format!("publishing {}", output::size(packed.size_bytes)));
    let deployed = upload(client, &packed, &artifact, made.found.as_text(), Live::AtOnce).await?;
    Ok(Outcome { deployed, made: Some(made) })
}

/// When a version becomes the live one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Live {
    /// As soon as it is there.
    AtOnce,
    /// Once an instance of it is ready, and not at all if none can be.
    WhenReady,
}

/// Sends an artifact to the platform, which makes it the live version.
async fn upload(
    client: &Client,
    packed: &Packed,
    artifact: &Path,
    evidence: String,
    live: Live,
) -> Result<Deployed, Report> {
    let mut request = Request::post(format!("/api/v1/functions/{}/versions", packed.card.name))
        .header(http::header::CONTENT_TYPE, "application/x-tar")
        .header(HEADER_SHA256, &packed.sha256)
        .header(HEADER_EVIDENCE, evidence.into_bytes());
    if live == Live::WhenReady {
        request = request.header(HEADER_LIVE_WHEN, "ready");
    }
    client.upload(request, artifact).await
}

/// The live version, when it was made of the same source.
async fn unchanged(
    client: &Client,
    name: &FunctionName,
    source: &ModelSource,
    making: &Making,
) -> Result<Option<Deployed>, Report> {
    let Some(view) = live(client, name).await? else { return Ok(None) };
    let usual = source.original.as_ref().map(|original| tolerance::of(original.frameworks(), None));
    let is_usual = |own: &Certificate| own.verdict == Verdict::Proved && own.tolerance == usual;
    let proved = view.card.model().and_then(|model| model.certificate.as_ref()).is_some_and(is_usual);
    let nothing_new_to_prove = making.proof.sample.is_none() && making.proof.tolerance.is_none();
    let as_proved = source.original.is_none() || making.no_proof || proved && nothing_new_to_prove;
    Ok(Some(view)
        .filter(|view| view.card.source_sha256 == source.sha256() && as_proved)
        .and_then(as_deployed))
}

/// The function, if it is there.
async fn live(client: &Client, name: &FunctionName) -> Result<Option<FunctionView>, Report> {
    match client.get(&format!("/api/v1/functions/{name}")).await {
        Ok(view) => Ok(Some(view)),
        Err(report) if report.is(Code::FunctionNotFound) => Ok(None),
        Err(report) => Err(report),
    }
}

/// What there is already, as if it had been deployed now.
fn as_deployed(view: FunctionView) -> Option<Deployed> {
    let live = view.versions.iter().find(|version| version.version == view.version)?;
    Some(Deployed {
        name: view.name,
        version: view.version,
        created: false,
        sha256: live.sha256.clone(),
        size_bytes: live.size_bytes,
        url: view.url,
        warning: None,
    })
}

/// The sample request that the function itself shows.
pub async fn sample(client: &Client, name: &FunctionName) -> Option<Value> {
    let described: Value = client.get(&format!("/fn/{name}")).await.ok()?;
    described["samples"].as_array()?.first().cloned()
}

fn as_json(outcome: &Outcome) -> Value {
    let mut value = serde_json::to_value(&outcome.deployed).unwrap_or_default();
    let Some(made) = &outcome.made else { return value };
    match &made.found {
        Found::Model(evidence) => {
            let model = made.card.model();
            value["engine"] = json!(model.map(|model| model.engine));
            value["certificate"] = json!(model.map(|model| &model.certificate));
            value["evidence"] =
                serde_json::to_value(evidence.clone().without_signatures()).unwrap_or_default();
        }
        Found::Code(tried) => {
            value["handler"] = json!(made.card.handler);
            value["evidence"] = json!(tried);
        }
    }
    value
}

fn print_card(outcome: &Outcome) {
    let deployed = &outcome.deployed;
    match &outcome.made {
        None => output::card_line(
            "unchanged",
            format!("{}@{} was made of the same files", deployed.name, deployed.version),
        ),
        Some(made) => {
            print_made(made);
            print_packaged(deployed);
        }
    }
    output::card_line("live", &deployed.url);
}

/// The lines about what was made.
pub fn print_made(made: &Made) {
    match &made.found {
        Found::Model(evidence) => print_model(&made.given, evidence, &made.card),
        Found::Code(tried) => code::print(&made.given, tried, &made.card),
    }
}

fn print_packaged(deployed: &Deployed) {
    let digest = deployed.sha256.get(..12).unwrap_or(&deployed.sha256);
    let size = output::size(deployed.size_bytes);
    output::card_line(
        "packaged",
        format!("{}@{}  {size}  sha256:{digest}…", deployed.name, deployed.version),
    );
}

fn print_model(given: &str, evidence: &Evidence, card: &ArtifactCard) {
    let Some(model) = card.model() else { return };
    output::card_line("model", format!("{given} · {}", inputs_line(&model.signature)));
    output::card_line("engine", format!("{} {}: {}", model.engine, model.engine_version, evidence.reason));
    for engine in &evidence.engines {
        output::card_line("", engine_line(engine.engine, engine));
    }
    if let Some(difference) = evidence.largest_difference {
        output::card_line("", format!("engines agree, largest relative difference {}", short(difference)));
    }
    if let Some(batching) = &evidence.batching {
        output::card_line(if batching.warning { "warning" } else { "batching" }, batching_line(batching));
    }
    if let Some(certificate) = &model.certificate {
        output::card_line(certificate.word(), certificate.line());
    }
}

/// `X float32 [batch, 4]`; of a table `rows of age float64, plan string`.
fn inputs_line(signature: &Signature) -> String {
    let table = signature.is_table_of_columns();
    let shape = |input: &InputSpec| if table { String::new() } else { format!(" {}", input.shape_text()) };
    let one = |input: &InputSpec| format!("{} {}{}", input.name, input.dtype, shape(input));
    let inputs: Vec<_> = signature.inputs.iter().map(one).collect();
    format!("{}{}", if table { "rows of " } else { "" }, inputs.join(", "))
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
