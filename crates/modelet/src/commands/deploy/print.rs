//! What is shown of a deploy.

use std::process::ExitCode;

use modelet_cloud::plan::Plan;
use modelet_cloud::{Deployment, Target};
use modelet_core::certificate::short;
use modelet_core::{ArtifactCard, EngineName, InputSpec, Signature};
use modelet_package::{Batching, Evidence};
use modelet_platform::admin::views::Deployed;
use serde_json::{Value, json};

use super::{Outcome, code, sample};
use crate::cli::Common;
use crate::cli::target::To;
use crate::client::Client;
use crate::commands::target::deploy::{as_json as plan_as_json, would_change};
use crate::commands::target::show;
use crate::making::{Found, Made};
use crate::output;
use crate::target::platform::Platform;
use crate::target::platform::action::Action;

/// Shows a plan; the exit code says whether something would change.
pub fn plan(
    common: &Common,
    (to, platform): (&To, &Platform),
    wanted: &Deployment,
    plan: &Plan<Action>,
) -> ExitCode {
    if common.json {
        output::json(&plan_as_json((&to.to_string(), platform), plan, None, None));
        return would_change(plan);
    }
    output::card_line("target", format!("{}: {}", platform.place(), wanted.name));
    if plan.is_empty() {
        output::card_line("unchanged", "all is there as it should be");
    }
    show::steps(plan);
    would_change(plan)
}

/// What is done now.
pub fn doing(action: &Action, wanted: &Deployment) -> String {
    let modelet_cloud::Delivery::Artifact(artifact) = &wanted.delivery else {
        return "changing who gets the calls".to_owned();
    };
    match action {
        Action::PutPackages => {
            let bytes = artifact.packages.as_ref().map_or(0, |(layer, _)| layer.size_bytes);
            format!("sending {} of packages, once", output::size(bytes))
        }
        Action::CreateFunction | Action::CreateVersion => {
            format!("publishing {}", output::size(artifact.size_bytes))
        }
        Action::Route(_) | Action::DeleteFunction | Action::DeleteNewVersion => {
            "changing who gets the calls".to_owned()
        }
    }
}

/// What somebody should know who deploys this, on standard error.
pub fn warnings(outcome: &Outcome, notes: &[String]) {
    for note in notes {
        output::say(format!("note: {note}"));
    }
    if let Some(warning) = &outcome.deployed.warning {
        output::say(format!("warning: {}", output::plain(warning)));
    }
    if outcome.card().is_some_and(|card| !card.manifest.triggers.is_empty()) {
        output::say("warning: this platform does not run triggers yet; AWS Lambda does (--to aws-lambda)");
    }
}

/// Shows what came of it, and a call to try.
pub async fn outcome(client: &Client, outcome: &Outcome) {
    print_card(outcome);
    if let Some(curl) =
        sample(client, &outcome.deployed.name).await.and_then(|s| Some(s["curl"].as_str()?.to_owned()))
    {
        output::card_line("try", curl);
    } else if let Some(card) = outcome.card().filter(|card| card.is_code()) {
        output::card_line("try", code::call(card, &outcome.deployed.url));
    }
}

/// What came of it, for machines.
pub fn as_json(outcome: &Outcome) -> Value {
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
            self::made(made);
            print_packaged(deployed);
        }
    }
    if deployed.traffic.canary.is_some() {
        output::card_line("calls", deployed.traffic);
    }
    output::card_line("live", &deployed.url);
}

/// The lines about what was made.
pub fn made(made: &Made) {
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
