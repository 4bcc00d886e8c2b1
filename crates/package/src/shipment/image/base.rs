//! The image that another one stands on: its layers stay as they are, and what it says of itself is read.

use modelet_core::{Code, FunctionError, Processor};
use serde_json::Value;

use super::LAYER;
use super::layout::Descriptor;

/// How Docker called layers before there was OCI; the bytes are the same.
pub(super) const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// An image to stand on.
#[derive(Debug, Clone)]
pub struct Base {
    /// Its name, as it was asked for.
    pub name: String,
    /// Its layers, the lowest first.
    pub layers: Vec<Descriptor>,
    /// The digests of their tars.
    pub diff_ids: Vec<String>,
    /// How they came to be.
    pub history: Vec<Value>,
    config: Value,
}

impl Base {
    /// Reads the manifest and the config of an image that is to run on `processor`.
    ///
    /// # Errors
    /// `bad-artifact` for what is no image, or one for another processor.
    pub fn of(
        name: &str,
        manifest: &[u8],
        config: &[u8],
        processor: Processor,
    ) -> Result<Self, FunctionError> {
        let refused = |why: String| {
            FunctionError::new(Code::BadArtifact, format!("the image {name}: {why}"))
                .hint("name another image: --base IMAGE")
        };
        let no_json = |error: serde_json::Error| refused(format!("it does not say what it is: {error}"));
        let manifest: Value = serde_json::from_slice(manifest).map_err(no_json)?;
        let config: Value = serde_json::from_slice(config).map_err(no_json)?;
        let machine = [&config["os"], &config["architecture"]].map(|text| text.as_str().unwrap_or("?"));
        let wanted = ["linux", processor.of_images()];
        if machine != wanted {
            let (has, wanted) = (machine.join("/"), wanted.join("/"));
            return Err(refused(format!("it is for {has}, and not for {wanted}")));
        }
        let mut layers: Vec<Descriptor> =
            serde_json::from_value(manifest["layers"].clone()).map_err(no_json)?;
        for layer in &mut layers {
            if layer.media_type == DOCKER_LAYER {
                LAYER.clone_into(&mut layer.media_type);
            }
        }
        let diff_ids: Vec<String> =
            serde_json::from_value(config["rootfs"]["diff_ids"].clone()).map_err(no_json)?;
        if layers.len() != diff_ids.len() {
            let (has, names) = (layers.len(), diff_ids.len());
            return Err(refused(format!("it has {has} layers, and names {names}")));
        }
        let history = config["history"].as_array().cloned().unwrap_or_default();
        Ok(Self { name: name.to_owned(), layers, diff_ids, history, config })
    }

    /// The config of an image, as its manifest names it.
    pub fn config_of(manifest: &[u8]) -> Option<Descriptor> {
        serde_json::from_value(serde_json::from_slice::<Value>(manifest).ok()?["config"].clone()).ok()
    }

    /// Its variables.
    pub fn env(&self) -> Vec<String> {
        let variables = self.config["config"]["Env"].as_array();
        variables.into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_owned())).collect()
    }
}
