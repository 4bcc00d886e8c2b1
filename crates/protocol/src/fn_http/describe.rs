//! `GET /fn/NAME`: what the function is, what it takes, and requests to copy.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use modelet_core::{ArtifactCard, Handler, InputSpec, OutputKind, OutputSpec, Version};
use serde::Serialize;

use crate::protocol::{FunctionView, json_response};
use crate::sample::Shown;
use crate::{PROTOCOLS, media};

#[derive(Serialize)]
struct Description<'a> {
    name: &'a str,
    version: Version,
    versions: &'a [Version],
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    /// What answers, in words.
    handler: String,
    #[serde(flatten)]
    model: Option<Model<'a>>,
    size_bytes: u64,
    /// Every setting by name.
    limits: BTreeMap<&'static str, Limit>,
    samples: Vec<Shown>,
}

#[derive(Serialize)]
struct Model<'a> {
    format: &'a str,
    engine: &'a str,
    engine_version: &'a str,
    inputs: &'a [InputSpec],
    /// Columns that may be sent and are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ignored: Vec<&'a str>,
    outputs: &'a [OutputSpec],
}

#[derive(Serialize)]
struct Limit {
    value: u64,
    meaning: String,
}

/// JSON, or text for people when that is asked for.
pub(super) fn response(view: &FunctionView<'_>, headers: &HeaderMap) -> Response<Bytes> {
    let description = description(view);
    match media::accepted(headers, &[media::JSON, media::TEXT]) {
        Ok(media::TEXT) => {
            crate::protocol::response(StatusCode::OK, "text/plain; charset=utf-8", text(&description))
        }
        // A description is worth having in any form, so JSON goes to those as well who asked for something else.
        _ => json_response(StatusCode::OK, &description),
    }
}

fn description<'a>(view: &FunctionView<'a>) -> Description<'a> {
    let card = view.card;
    let signature = card.signature();
    let samples = PROTOCOLS
        .iter()
        .flat_map(|protocol| signature.map(|it| protocol.samples(&card.name, it)).unwrap_or_default());
    let limits =
        card.settings.rows().into_iter().map(|(name, value, meaning)| (name, Limit { value, meaning }));
    Description {
        name: card.name.as_str(),
        version: view.version,
        versions: view.versions,
        description: card.manifest.description.as_deref(),
        handler: handler(card),
        model: card.model().map(|model| Model {
            format: &model.format,
            engine: model.engine.as_str(),
            engine_version: &model.engine_version,
            inputs: &model.signature.inputs,
            ignored: model.signature.ignored().collect(),
            outputs: &model.signature.outputs,
        }),
        size_bytes: card.size_bytes(),
        limits: limits.collect(),
        samples: samples.map(|sample| sample.show(view.base_url)).collect(),
    }
}

/// What answers, in words.
fn handler(card: &ArtifactCard) -> String {
    match &card.handler {
        Handler::Model(model) => format!("{}, {} {}", model.format, model.engine, model.engine_version),
        Handler::Python(python) => {
            format!("{}, {}, Python {}", python.handler(), python.interface, python.version)
        }
        Handler::Program(program) => format!("{}, {}", program.command.join(" "), program.speaks),
    }
}

fn text(description: &Description<'_>) -> String {
    let d = description;
    let mut lines = vec![format!("{} version {} ({})", d.name, d.version, d.handler)];
    lines.extend(d.description.map(|sentence| format!("  {sentence}")));
    if let Some(model) = &d.model {
        lines.push("inputs".to_owned());
        lines.extend(model.inputs.iter().map(input_line));
        if !model.ignored.is_empty() {
            lines.push(format!("  left out, where they are sent: {}", model.ignored.join(", ")));
        }
        lines.push("outputs".to_owned());
        lines.extend(model.outputs.iter().map(output_line));
    }
    lines.push("limits".to_owned());
    lines.extend(
        d.limits.iter().map(|(name, limit)| format!("  {name} = {}  {}", limit.value, limit.meaning)),
    );
    lines.push("try".to_owned());
    lines.extend(d.samples.iter().map(|sample| format!("  {}", sample.curl)));
    lines.push(String::new());
    lines.join("\n")
}

fn input_line(spec: &InputSpec) -> String {
    let optional = if spec.optional { "  optional" } else { "" };
    let listed = [("columns", &spec.columns), ("categories", &spec.categories)].map(|(word, names)| {
        names.as_ref().map(|names| format!("  {word}: {}", names.join(", "))).unwrap_or_default()
    });
    let rules = spec.rules.iter().map(|rule| format!("  {}: {rule}", spec.column_name(rule.column)));
    let file = spec.file.map(|kind| format!("  each {} in base64", kind.description()));
    let places = spec.table_rows.map(|rows| format!("  {}", modelet_core::index::words(rows)));
    let said: Vec<String> = listed.into_iter().chain(rules).chain(file).chain(places).collect();
    format!("  {}  {} {}{optional}{}", spec.name, spec.dtype, spec.shape_text(), said.concat())
}

fn output_line(spec: &OutputSpec) -> String {
    let what = match &spec.kind {
        OutputKind::Tensor { dtype, shape } => {
            let shape =
                shape.as_deref().map_or_else(|| "any shape".to_owned(), modelet_core::signature::shape_text);
            format!("{dtype} {shape}")
        }
        OutputKind::Map { key, value, .. } => format!("map from {key} to {value}"),
        OutputKind::Sequence { dtype } => format!("sequence of {dtype}"),
    };
    let classes = spec.classes.as_ref().map(|names| format!("  classes: {}", names.join(", ")));
    format!("  {}  {what}{}", spec.name, classes.unwrap_or_default())
}
