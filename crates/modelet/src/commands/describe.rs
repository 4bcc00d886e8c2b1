//! `modelet describe`: everything about a function.

use modelet_core::signature::shape_text;
use modelet_core::{ArtifactCard, Handler, ModelCard, OutputKind, Signature, Steps, Traffic, Version};
use modelet_platform::admin::views::FunctionView;

use crate::cli::{Common, Named};
use crate::client::Client;
use crate::commands::deploy::sample;
use crate::output;
use crate::report::Report;

pub async fn run(common: &Common, named: &Named) -> Result<(), Report> {
    let client = Client::find(common)?;
    let view: FunctionView = client.get(&format!("/api/v1/functions/{}", named.name)).await?;
    if common.json {
        output::json(&view);
        return Ok(());
    }
    let card = &view.card;
    output::line(format!("{}@{}", view.name, view.version));
    if let Some(description) = &card.manifest.description {
        output::line(format!("  {description}"));
    }
    output::card_line("url", &view.url);
    match &card.handler {
        Handler::Model(model) => print_model(model, &view),
        Handler::Python(python) => {
            output::card_line("handler", format!("{}, {}", python.handler(), python.interface.description()));
        }
        Handler::Program(program) => {
            output::card_line("handler", format!("{}, {}", program.command.join(" "), program.speaks));
        }
    }
    print_needs(card);
    for instance in &view.instances {
        let pid = instance.pid.map_or_else(String::new, |pid| format!(", process {pid}"));
        let memory = output::size(instance.memory_kib << 10);
        let isolation =
            instance.isolation.map_or_else(String::new, |rung| format!(", isolation {}", u8::from(rung)));
        output::card_line(
            "instance",
            format!(
                "{} {}{pid}, {} calls, {memory}{isolation}",
                instance.id, instance.state, instance.in_flight
            ),
        );
    }
    if let Some(warning) = &view.warning {
        output::card_line("warning", warning);
    }
    if view.instances.is_empty() {
        output::card_line("instances", "none runs; the next call starts one");
    }
    for version in &view.versions {
        let live = share(view.traffic, version.version);
        let (size, deployed) = (output::size(version.size_bytes), output::moment(version.deployed_at_ms));
        output::card_line("version", format!("{}  {size}  {deployed}{live}", version.version));
    }
    output::line("");
    let rows = view.settings.rows().into_iter();
    output::table(
        &["setting", "value", "meaning"],
        rows.map(|(n, v, m)| vec![n.to_owned(), v.to_string(), m]),
    );
    if let Some(curl) = sample(&client, &view.name).await.and_then(|s| Some(s["curl"].as_str()?.to_owned())) {
        output::line("");
        output::card_line("try", curl);
    }
    Ok(())
}

/// The part of the calls that a version gets.
fn share(traffic: Traffic, version: Version) -> String {
    match traffic.canary {
        Some(canary) if canary.version == version => {
            format!("  live, {} % of the calls", canary.percent.get())
        }
        _ if traffic.version == version => "  live".to_owned(),
        _ => String::new(),
    }
}

fn print_model(model: &ModelCard, view: &FunctionView) {
    if let Some(origin) = &model.origin {
        output::card_line("made of", origin);
    }
    print_steps(&model.steps);
    if let Some(certificate) = &model.certificate {
        output::card_line(certificate.word(), certificate.line());
    }
    output::card_line("engine", format!("{} {}", model.engine, model.engine_version));
    if let Some(reason) = view.evidence["reason"].as_str() {
        output::card_line("", reason);
    }
    if let Some(reason) = view.evidence["batching"]["reason"].as_str() {
        output::card_line("batching", reason);
    }
    print_signature(&model.signature);
}

fn print_needs(card: &ArtifactCard) {
    if let Some(version) = card.python() {
        output::card_line("python", version);
    }
    if let Some(layer) = card.packages() {
        output::card_line(
            "packages",
            format!("{}, {}", layer.packages.len(), output::size(layer.size_bytes)),
        );
        output::card_line("", layer.packages.join(", "));
    }
}

/// What is done before and after the model.
fn print_steps(steps: &Steps) {
    if let Some(text) = &steps.text {
        output::card_line("text", text);
    }
    if let Some(image) = &steps.image {
        output::card_line("image", image);
    }
    if let Some(audio) = &steps.audio {
        output::card_line("audio", audio);
    }
    if let Some(labels) = &steps.labels {
        output::card_line("labels", labels);
    }
}

fn print_signature(signature: &Signature) {
    for input in &signature.inputs {
        let optional = if input.optional { ", optional" } else { "" };
        let mut text = format!("{}  {} {}{optional}", input.name, input.dtype, input.shape_text());
        for (word, names) in [("columns", &input.columns), ("categories", &input.categories)] {
            if let Some(names) = names {
                text.push_str(&format!("  {word} {}", names.join(", ")));
            }
        }
        if let Some(numbers) = &input.numbers {
            text.push_str(&format!("  {numbers}"));
        }
        if let Some(file) = input.file {
            text.push_str(&format!("  each {} in base64", file.description()));
        }
        for rule in &input.rules {
            text.push_str(&format!("  {}: {rule}", input.column_name(rule.column)));
        }
        output::card_line("input", text);
    }
    let ignored: Vec<_> = signature.ignored().collect();
    if !ignored.is_empty() {
        output::card_line("left out", format!("{}  (may be sent)", ignored.join(", ")));
    }
    for given in &signature.outputs {
        let kind = match &given.kind {
            OutputKind::Tensor { dtype, shape } => {
                format!("{dtype} {}", shape.as_deref().map_or_else(|| "any shape".to_owned(), shape_text))
            }
            OutputKind::Map { key, value, .. } => format!("map from {key} to {value}"),
            OutputKind::Sequence { dtype } => format!("sequence of {dtype} tensors"),
        };
        let classes =
            given.classes.as_ref().map_or_else(String::new, |c| format!("  classes {}", c.join(", ")));
        output::card_line("output", format!("{}  {kind}{classes}", given.name));
    }
}
