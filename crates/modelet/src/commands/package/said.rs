//! What is told of what was packaged: its parts by size, how much of a target's limit it takes, and how it is started there.

use modelet_cloud::lambda::start::Start;
use modelet_core::{Processor, Target};
use modelet_package::Shipment;
use serde_json::{Value, json};

use super::{Form, Packaged, share};
use crate::output;
use crate::report::Report;

/// How many of the largest packages are named.
const NAMED: usize = 5;

/// How a target starts a shipment, where that has to be said to it.
///
/// # Errors
/// When it needs what the target does not have.
pub fn start(target: Target, shipment: &Shipment) -> Result<Option<Start>, Report> {
    let is_lambda = target == Target::AwsLambda;
    Ok(is_lambda.then(|| Start::of(&shipment.card)).transpose()?)
}

/// For machines.
pub fn json(packaged: &Packaged) -> Value {
    let Packaged { form, target, path, written, shipment, largest } = packaged;
    let parts = shipment
        .parts
        .iter()
        .map(|part| json!({"part": part.kind.as_str(), "size_bytes": part.size_bytes()}));
    let largest = largest.iter().map(|(name, size)| json!({"name": name, "size_bytes": size}));
    let mut value = json!({
        "name": shipment.card.name,
        "form": match form { Form::Zip => "zip", Form::Standalone => "standalone" },
        "target": target.map(Target::as_str),
        "processor": shipment.processor,
        "path": path,
        "sha256": written.sha256,
        "size_bytes": written.size_bytes,
        "unzipped_bytes": shipment.size_bytes(),
        "unzipped_limit_bytes": target.and_then(|target| Some(share(target, 0)?.0)),
        "parts": parts.collect::<Vec<_>>(),
        "largest_packages": largest.collect::<Vec<_>>(),
        "computed_by": shipment.card.computed_by(),
        "source_sha256": shipment.card.source_sha256,
    });
    if let Some(Start { runtime, handler, variable }) = started(packaged) {
        let environment: serde_json::Map<_, _> =
            variable.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        value["lambda"] = json!({"runtime": runtime, "handler": handler, "environment": environment});
    }
    value
}

/// For people.
pub fn print(packaged: &Packaged) {
    let Packaged { form, target, path, written, shipment, largest } = packaged;
    let size = output::size(written.size_bytes);
    output::card_line("packaged", format!("{}  {size}", path.display()));
    output::card_line("", format!("sha256:{}", written.sha256));
    output::card_line("for", made_for(shipment.processor.as_str()));
    let part = |(name, size): (&str, u64)| format!("{name} {}", output::size(size));
    let parts: Vec<_> = shipment.parts.iter().map(|it| part((it.kind.as_str(), it.size_bytes()))).collect();
    output::card_line("parts", parts.join(", "));
    if !largest.is_empty() {
        let named: Vec<_> = largest.iter().take(NAMED).map(|(name, size)| part((name, *size))).collect();
        output::card_line("largest", named.join(", "));
    }
    if let Some((most, percent)) = target.and_then(|target| share(target, shipment.size_bytes())) {
        output::card_line("limit", format!("{percent:.1} % of the {most} bytes that it may have unzipped"));
    }
    if *form == Form::Standalone {
        // A shell looks up a word without a slash in PATH.
        let is_bare = path.components().count() == 1;
        let program = if is_bare { std::path::Path::new(".").join(path) } else { path.clone() };
        output::card_line("start", format!("{} --port 8080", program.display()));
    }
    if let Some(Start { runtime, handler, variable }) = started(packaged) {
        let variable = variable.map(|(name, value)| format!(", variable {name}={value}"));
        output::card_line(
            "lambda",
            format!("runtime {runtime}, handler {handler}{}", variable.unwrap_or_default()),
        );
    }
}

/// The processor that it is for, and what was seen of it on that.
pub fn made_for(processor: &str) -> String {
    let here = Processor::HERE.as_str();
    if processor == here {
        return processor.to_owned();
    }
    format!("{processor}: nothing of it was run on that, what was tried was tried on {here}")
}

/// How it is started, which was asked before it was written.
fn started(packaged: &Packaged) -> Option<Start> {
    start(packaged.target?, &packaged.shipment).ok().flatten()
}
