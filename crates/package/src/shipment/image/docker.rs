//! An image in the words that Docker had before there was OCI, for hosts that know no others: SageMaker refuses OCI's manifests
//! (`Unsupported manifest media type`). The blobs are the same; only the manifest is another, and so the image's digest.
//!
//! Source: Image Manifest Version 2, Schema 2, of Docker's registry.

use std::io;

use serde_json::json;

use super::base::DOCKER_LAYER;
use super::{Descriptor, Image, LAYER, Layout};

/// An image's manifest.
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// An image's config.
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";

impl Image {
    /// The same image, its manifest in Docker's words. It lies in the same layout.
    ///
    /// # Errors
    /// When a layer below is packed in a way that Docker's words have no name for, or the layout cannot be written.
    pub fn as_docker(&self, layout: &Layout) -> io::Result<Self> {
        let renamed = |blob: &Descriptor, media_type: &str| Descriptor {
            media_type: media_type.to_owned(),
            ..blob.clone()
        };
        let mut below = Vec::new();
        for layer in &self.below {
            if layer.media_type != LAYER {
                return Err(io::Error::other(format!(
                    "a layer of the image below is {}, and not gzip",
                    layer.media_type
                )));
            }
            below.push(renamed(layer, DOCKER_LAYER));
        }
        let mut layers = self.layers.clone();
        for layer in &mut layers {
            layer.blob = renamed(&layer.blob, DOCKER_LAYER);
        }
        let config = renamed(&self.config, CONFIG);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": below.iter().chain(layers.iter().map(|layer| &layer.blob)).collect::<Vec<_>>(),
        });
        let manifest = layout.put(MANIFEST, &serde_json::to_vec(&manifest)?)?;
        Ok(Self { manifest, config, below, layers })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::WrittenLayer;
    use super::*;

    #[test]
    fn dockers_words_name_the_same_blobs() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(folder.path().to_owned()).unwrap();
        let blob = |kind: &str, bytes: &[u8]| layout.put(kind, bytes).unwrap();
        let image = Image {
            manifest: blob(super::super::MANIFEST, b"{}"),
            config: blob(super::super::CONFIG, b"{\"os\":\"linux\"}"),
            below: vec![blob(LAYER, b"below")],
            layers: vec![WrittenLayer {
                kind: crate::shipment::PartKind::Runtime,
                blob: blob(LAYER, b"own"),
                diff_id: "sha256:0".to_owned(),
                size_bytes: 3,
            }],
        };
        let docker = image.as_docker(&layout).unwrap();
        let written = fs::read_to_string(layout.place(&docker.manifest.digest).unwrap()).unwrap();
        assert_ne!(docker.manifest.digest, image.manifest.digest);
        for same in [&image.config, &image.below[0], &image.layers[0].blob] {
            assert!(written.contains(&same.digest), "{written}");
        }
        assert!(!written.contains("oci"), "{written}");
        let zstd = Image { below: vec![blob("application/vnd.oci.image.layer.v1.tar+zstd", b"z")], ..image };
        assert!(zstd.as_docker(&layout).unwrap_err().to_string().contains("zstd"));
    }
}
