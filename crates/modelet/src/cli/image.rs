//! The words of container images.

use std::path::PathBuf;

use clap::Args;
use modelet_cloud::registry::Reference;

/// How a container image is made, and where it goes.
#[derive(Debug, Clone, Default, Args)]
pub struct ImageOptions {
    /// Bring the image to a registry, such as registry.example.com/churn:1; only what is not there travels
    #[arg(long, value_name = "IMAGE", value_parser = parse_image)]
    pub push: Option<Reference>,
    /// The image to stand on [default: none for a model, python:X.Y-slim for Python code, distroless/cc-debian12 for ONNX Runtime]
    #[arg(long, value_name = "IMAGE", value_parser = parse_image)]
    pub base: Option<Reference>,
    /// Write files for Cloud Run, Knative and podman into this folder, with the image's name in them
    #[arg(long, value_name = "DIR")]
    pub files: Option<PathBuf>,
    /// A registry, as HOST:PORT, that has no TLS; loopback needs none
    #[arg(long, value_name = "HOST:PORT")]
    pub plain_http: Vec<String>,
    /// User of the registry that the image is brought to; the password is read from standard input [default: as docker login
    /// and podman login know it]
    #[arg(long, value_name = "NAME")]
    pub registry_user: Option<String>,
}

pub(super) fn parse_image(text: &str) -> Result<Reference, String> {
    text.parse().map_err(|_| "write it as REGISTRY/NAME:TAG, such as registry.example.com/churn:1".to_owned())
}
