//! A shipment as a container image, written without a daemon: an OCI image layout, a folder of blobs named by their digests.
//!
//! Each part is a layer, and what changes seldom comes first: a new model leaves the layers below it as they are, in the registry and on
//! the host. The same shipment is the same image, to the digest: no clock, no user and no folder of this machine is in it.
//!
//! Source: OCI Image Format Specification 1.1 (`image-layout.md`, `manifest.md`, `config.md`, `layer.md`).

mod base;
mod docker;
mod layer;
mod layout;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use modelet_core::{Code, FunctionError};
use serde_json::{Value, json};

use super::{BOOTSTRAP, PartKind, Shipment};
pub use base::Base;
pub use layer::WrittenLayer;
pub use layout::{Descriptor, Layout};

/// The folder of the image in which a shipment lies.
pub const ROOT: &str = "modelet";
/// The user and the group that a container runs as: nobody's on any usual host.
const USER: &str = "65532:65532";
/// The port that a container listens on, where its host does not name one.
const PORT: u16 = 8080;
/// The moment that is written where one has to be.
const EPOCH: &str = "1970-01-01T00:00:00Z";
/// Where programs are looked for, in an image that does not say it.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// An image's manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An image's config.
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// A layer.
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// An image that was written.
#[derive(Debug, Clone)]
pub struct Image {
    /// Its manifest: by its digest it is named everywhere.
    pub manifest: Descriptor,
    /// Its config.
    pub config: Descriptor,
    /// The layers of the image below, the lowest first.
    pub below: Vec<Descriptor>,
    /// Its own layers, the lowest first.
    pub layers: Vec<WrittenLayer>,
}

impl Image {
    /// Bytes that travel: all blobs, compressed.
    pub fn size_bytes(&self) -> u64 {
        let own = self.layers.iter().map(|layer| &layer.blob);
        own.chain(&self.below).chain([&self.config, &self.manifest]).map(|blob| blob.size_bytes).sum()
    }
}

/// Writes the image of a shipment, over the layers of `base` where there is one.
///
/// # Errors
/// `bad-artifact` for a file that cannot be read, or a folder that cannot be written.
pub fn write(shipment: &Shipment, base: Option<&Base>, target: &Layout) -> Result<Image, FunctionError> {
    let failed = |error: io::Error| {
        FunctionError::new(
            Code::BadArtifact,
            format!("could not write the image to {}: {error}", target.folder().display()),
        )
        .hint("check the space and permissions of that folder")
    };
    let layers: io::Result<Vec<_>> =
        shipment.parts.iter().map(|part| layer::write(part, Path::new(ROOT), target)).collect();
    let layers = layers.map_err(failed)?;
    let config = serde_json::to_vec(&config(shipment, base, &layers));
    let config = target.put(CONFIG, &config.map_err(io::Error::from).map_err(failed)?).map_err(failed)?;
    let below: Vec<Descriptor> = base.map(|base| base.layers.clone()).unwrap_or_default();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config,
        "layers": below.iter().chain(layers.iter().map(|layer| &layer.blob)).collect::<Vec<_>>(),
    });
    let manifest = serde_json::to_vec(&manifest).map_err(io::Error::from).map_err(failed)?;
    let manifest = target.put(MANIFEST, &manifest).map_err(failed)?;
    target.index(&manifest, shipment.card.name.as_str(), shipment.processor).map_err(failed)?;
    Ok(Image { manifest, config, below, layers })
}

/// What a container is started with.
fn config(shipment: &Shipment, base: Option<&Base>, layers: &[WrittenLayer]) -> Value {
    let card = &shipment.card;
    let mut env: Vec<String> = base.map(Base::env).unwrap_or_default();
    if !env.iter().any(|variable| variable.starts_with("PATH=")) {
        env.push(PATH.to_owned());
    }
    let mut own: BTreeMap<&str, &str> = BTreeMap::new();
    let port = PORT.to_string();
    own.insert("PORT", &port);
    own.extend(card.manifest.env.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    env.retain(|variable| variable.split_once('=').is_none_or(|(name, _)| !own.contains_key(name)));
    env.extend(own.iter().map(|(name, value)| format!("{name}={value}")));
    let mut diff_ids: Vec<String> = base.map(|base| base.diff_ids.clone()).unwrap_or_default();
    diff_ids.extend(layers.iter().map(|layer| layer.diff_id.clone()));
    let mut history: Vec<Value> = base.map(|base| base.history.clone()).unwrap_or_default();
    history.extend(layers.iter().map(
        |layer| json!({ "created": EPOCH, "created_by": format!("modelet package: {}", layer.kind.as_str()) }),
    ));
    json!({
        "created": EPOCH,
        "architecture": shipment.processor.of_images(),
        "os": "linux",
        "config": {
            "User": USER,
            "ExposedPorts": { format!("{PORT}/tcp"): {} },
            "Env": env,
            "Entrypoint": [format!("/{ROOT}/{BOOTSTRAP}")],
            "WorkingDir": "/",
            "Labels": {
                "org.opencontainers.image.title": card.name.as_str(),
                "modelet.function": card.name.as_str(),
                "modelet.source": card.source_sha256,
            },
        },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
        "history": history,
    })
}

/// Which image a shipment has to stand on: its runtime alone needs none.
pub fn base_of(shipment: &Shipment) -> Option<String> {
    let has = |kind| shipment.parts.iter().any(|part| part.kind == kind);
    match shipment.card.python() {
        Some(version) => Some(format!("docker.io/library/python:{version}-slim")),
        // ONNX Runtime is linked with C++'s library and the C library that finds it.
        None if has(PartKind::Engine) => Some("gcr.io/distroless/cc-debian12".to_owned()),
        None => None,
    }
}

#[cfg(test)]
mod tests;
