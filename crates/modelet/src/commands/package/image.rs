//! `modelet package --image`: as a container image, saved or brought to a registry.

use std::path::Path;

use modelet_core::Code;
use modelet_package::Shipment;
use modelet_package::shipment::image::WrittenLayer;
use serde_json::{Value, json};

use super::said::made_for;
use crate::cli::image::ImageOptions;
use crate::image::{self, Made};
use crate::output::{self, Progress};
use crate::report::Report;

/// Makes the image, and brings it where it was asked for.
pub async fn run(
    shipment: Shipment,
    options: &ImageOptions,
    saved: Option<&Path>,
    work: &Path,
    progress: &Progress,
) -> Result<Value, Report> {
    if options.files.is_some() && options.push.is_none() {
        return Err(Report::new(
            Code::BadInput,
            "--files names the image by where hosts find it: in a registry",
        )
        .hint("say where it goes: --push REGISTRY/NAME:TAG"));
    }
    let card = shipment.card.clone();
    let processor = shipment.processor;
    let made = image::made(shipment, options, saved, work, progress).await?;
    let files = match (&options.files, &made.pushed) {
        (Some(folder), Some(pushed)) => image::files(&card, &pushed.reference, processor, folder)?,
        _ => Vec::new(),
    };
    Ok(
        json!({ "name": card.name, "processor": processor, "image": of(&made), "files": files, "saved": saved }),
    )
}

fn of(made: &Made) -> Value {
    let layer = |layer: &WrittenLayer| {
        json!({
            "part": layer.kind.as_str(), "digest": layer.blob.digest,
            "size_bytes": layer.size_bytes, "compressed_bytes": layer.blob.size_bytes,
        })
    };
    json!({
        "digest": made.image.manifest.digest,
        "size_bytes": made.image.size_bytes(),
        "base": made.base,
        "layers": made.image.layers.iter().map(layer).collect::<Vec<_>>(),
        "reference": made.pushed.as_ref().map(|pushed| &pushed.reference),
        "sent_bytes": made.pushed.as_ref().map(|pushed| pushed.sent_bytes),
    })
}

/// The lines about it.
pub fn print(said: &Value) {
    let image = &said["image"];
    output::card_line("for", made_for(said["processor"].as_str().unwrap_or_default()));
    let bytes = |value: &Value| output::size(value.as_u64().unwrap_or_default());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if let Some(base) = image["base"].as_str() {
        output::card_line("base", base);
    }
    for layer in image["layers"].as_array().into_iter().flatten() {
        let sizes =
            format!("{}, {} compressed", bytes(&layer["size_bytes"]), bytes(&layer["compressed_bytes"]));
        output::card_line("layer", format!("{:<9} {sizes}", text(&layer["part"])));
    }
    output::card_line("image", format!("{}  {}", bytes(&image["size_bytes"]), text(&image["digest"])));
    if let Some(saved) = said["saved"].as_str() {
        output::card_line("saved", saved);
    }
    if let Some(reference) = image["reference"].as_str() {
        output::card_line("pushed", format!("{reference}, {} sent", bytes(&image["sent_bytes"])));
        output::card_line("try", format!("podman run --rm -p 8080:8080 {reference}"));
    }
    for file in said["files"].as_array().into_iter().flatten() {
        output::card_line("file", text(file));
    }
}
