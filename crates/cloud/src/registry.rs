//! Registries of container images: an image to stand on is read there, and one that was made is brought there.
//!
//! Only what a registry does not have travels, and from one repository of it to another nothing does. Source: OCI Distribution
//! Specification 1.1.

mod access;

use std::path::Path;
use std::time::Duration;

use modelet_core::Processor;
use modelet_package::shipment::image::{Base, Descriptor, Image, Layout};
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::config::Os;
use oci_client::errors::OciDistributionError;
use oci_client::manifest::{ImageIndexEntry, OciDescriptor, OciImageManifest, OciManifest};
use oci_client::{Client, RegistryOperation};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::error::{CloudError, Kind};
pub use access::Access;
pub use oci_client::Reference;

/// Connecting may take so long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two pieces of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// How much of a blob is read at a time, bytes.
const PIECE: u64 = 1 << 18;

/// Registries, asked by one client.
pub struct Registries {
    client: Client,
    access: Access,
}

/// What was brought to a registry.
#[derive(Debug, Clone)]
pub struct Pushed {
    /// The image's name there, by digest: it names these bytes for ever.
    pub reference: String,
    /// Bytes that travelled; the rest was there.
    pub sent_bytes: u64,
    /// Bytes of the whole image.
    pub size_bytes: u64,
}

impl Registries {
    /// Those that `access` leads into.
    pub fn new(access: Access) -> Self {
        // The second time it is there already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::new(ClientConfig {
            protocol: ClientProtocol::HttpsExcept(access.plain.clone()),
            use_monolithic_push: true,
            connect_timeout: Some(CONNECT_TIMEOUT),
            read_timeout: Some(READ_TIMEOUT),
            ..ClientConfig::default()
        });
        Self { client, access }
    }

    /// Reads an image to stand on; its layers stay where they are. Of one for several processors the one for this is meant.
    ///
    /// # Errors
    /// When it is not there, may not be read, or is not for this processor.
    pub async fn base(&self, image: &Reference, processor: Processor) -> Result<Base, CloudError> {
        let failed = |error| told("pull", image, &error);
        let manifest = self.manifest(image, processor).await?;
        let manifest = serde_json::to_vec(&manifest).map_err(|error| failed(error.into()))?;
        let config = Base::config_of(&manifest)
            .ok_or_else(|| CloudError::refused(format!("{image} is no image: its manifest has no config")))?;
        let mut text = Vec::new();
        self.client.pull_blob(image, &blob(&config), &mut text).await.map_err(failed)?;
        let base = Base::of(&image.to_string(), &manifest, &text, processor);
        base.map_err(|error| CloudError::refused(error.message).hint(error.hint.unwrap_or_default()))
    }

    async fn manifest(
        &self,
        image: &Reference,
        processor: Processor,
    ) -> Result<OciImageManifest, CloudError> {
        let failed = |error| told("pull", image, &error);
        let access = self.access.to(image);
        let several = match self.client.pull_manifest(image, &access).await.map_err(failed)?.0 {
            OciManifest::Image(manifest) => return Ok(manifest),
            OciManifest::ImageIndex(index) => index.manifests,
        };
        let Some(digest) = for_linux(&several, processor) else {
            let why = format!("the image {image}: there is none of it for linux/{}", processor.of_images());
            return Err(CloudError::refused(why).hint("name another image: --base IMAGE"));
        };
        let one = image.clone_with_digest(digest);
        Ok(self.client.pull_image_manifest(&one, &access).await.map_err(failed)?.0)
    }

    /// Brings the layers of an image to stand on into a layout, as far as they are not there.
    ///
    /// # Errors
    /// When one does not come, or is not what its digest says.
    pub async fn fetch(&self, image: &Reference, base: &Base, layout: &Layout) -> Result<(), CloudError> {
        self.enter(image, RegistryOperation::Pull).await?;
        for layer in &base.layers {
            self.fetch_one(image, layer, layout).await?;
        }
        Ok(())
    }

    async fn fetch_one(
        &self,
        image: &Reference,
        layer: &Descriptor,
        layout: &Layout,
    ) -> Result<(), CloudError> {
        let place = layout.place(&layer.digest).map_err(|error| unread(layout.folder(), &error))?;
        if place.exists() {
            return Ok(());
        }
        let draft = place.with_extension("part");
        let mut file = File::create(&draft).await.map_err(|error| unread(&draft, &error))?;
        let pulled = self.client.pull_blob(image, &blob(layer), &mut file).await;
        pulled.map_err(|error| told("pull", image, &error))?;
        tokio::fs::rename(&draft, &place).await.map_err(|error| unread(&place, &error))
    }

    /// Brings an image to a registry. `below`: where the image that it stands on is.
    ///
    /// # Errors
    /// When the registry refuses it, or does not answer.
    pub async fn push(
        &self,
        image: &Image,
        layout: &Layout,
        below: Option<(&Reference, &Base)>,
        target: &Reference,
    ) -> Result<Pushed, CloudError> {
        self.enter(target, RegistryOperation::Push).await?;
        let mut sent_bytes = 0;
        if let Some((source, base)) = below {
            let is_near = source.resolve_registry() == target.resolve_registry();
            for layer in &base.layers {
                if self.is_there(target, layer).await? {
                    continue;
                }
                if is_near && self.client.mount_blob(target, source, &layer.digest).await.is_ok() {
                    continue;
                }
                self.fetch_one(source, layer, layout).await?;
                sent_bytes += self.send(target, layer, layout).await?;
            }
        }
        for own in image.layers.iter().map(|layer| &layer.blob).chain([&image.config]) {
            if !self.is_there(target, own).await? {
                sent_bytes += self.send(target, own, layout).await?;
            }
        }
        let place = layout.place(&image.manifest.digest).map_err(|error| unread(layout.folder(), &error))?;
        let manifest = tokio::fs::read(&place).await.map_err(|error| unread(&place, &error))?;
        let kind = image.manifest.media_type.parse();
        let kind = kind.map_err(|_| CloudError::refused("an image's manifest has no type"))?;
        let pushed = self.client.push_manifest_raw(target, manifest, kind).await;
        pushed.map_err(|error| told("push", target, &error))?;
        Ok(Pushed {
            reference: format!("{}/{}@{}", target.registry(), target.repository(), image.manifest.digest),
            sent_bytes,
            size_bytes: image.size_bytes(),
        })
    }

    /// True when an image is there under this name.
    ///
    /// # Errors
    /// When the registry does not say.
    pub async fn holds(&self, image: &Reference) -> Result<bool, CloudError> {
        match self.client.fetch_manifest_digest(image, &self.access.to(image)).await {
            Ok(_) => Ok(true),
            Err(error) if access::is_not_there(&error) => Ok(false),
            Err(error) => Err(told("look into", image, &error)),
        }
    }

    /// Shows who asks, where the registry wants to know.
    async fn enter(&self, image: &Reference, operation: RegistryOperation) -> Result<(), CloudError> {
        let entered = self.client.auth(image, &self.access.to(image), operation).await;
        entered.map(drop).map_err(|error| told("log in to", image, &error))
    }

    async fn is_there(&self, image: &Reference, blob: &Descriptor) -> Result<bool, CloudError> {
        let there = self.client.blob_exists(image, &blob.digest).await;
        there.map_err(|error| told("look into", image, &error))
    }

    /// Sends a blob of the layout, and says how large it is.
    async fn send(&self, image: &Reference, blob: &Descriptor, layout: &Layout) -> Result<u64, CloudError> {
        let place = layout.place(&blob.digest).map_err(|error| unread(layout.folder(), &error))?;
        let file = File::open(&place).await.map_err(|error| unread(&place, &error))?;
        let pieces = futures_util::stream::try_unfold(file, async |mut file: File| {
            let mut piece = Vec::new();
            (&mut file).take(PIECE).read_to_end(&mut piece).await?;
            Ok::<_, OciDistributionError>((!piece.is_empty()).then(|| (piece.into(), file)))
        });
        let sent = self.client.push_blob_stream(image, pieces, &blob.digest, Some(blob.size_bytes)).await;
        sent.map_err(|error| told("push", image, &error))?;
        Ok(blob.size_bytes)
    }
}

/// The image among several that runs on a processor.
fn for_linux(entries: &[ImageIndexEntry], processor: Processor) -> Option<String> {
    let fits = |entry: &&ImageIndexEntry| {
        entry.platform.as_ref().is_some_and(|platform| {
            platform.os == Os::Linux && platform.architecture.to_string() == processor.of_images()
        })
    };
    entries.iter().find(fits).map(|entry| entry.digest.clone())
}

fn blob(descriptor: &Descriptor) -> OciDescriptor {
    OciDescriptor {
        media_type: descriptor.media_type.clone(),
        digest: descriptor.digest.clone(),
        size: i64::try_from(descriptor.size_bytes).unwrap_or(i64::MAX),
        ..OciDescriptor::default()
    }
}

fn unread(path: &Path, error: &std::io::Error) -> CloudError {
    CloudError::refused(format!("{}: {error}", path.display()))
}

/// What a registry said, and what to do.
fn told(what: &str, image: &Reference, error: &OciDistributionError) -> CloudError {
    let (registry, text) = (image.resolve_registry(), access::said(error));
    let (kind, hint) = match error {
        _ if access::is_refusal(error) => (
            Kind::Denied,
            format!("log in (docker login {registry}, or podman login), or name a user: --registry-user"),
        ),
        OciDistributionError::ImageManifestNotFoundError(_) => {
            (Kind::NotFound, format!("check the name: {image}"))
        }
        OciDistributionError::RequestError(_) => (
            Kind::Unreachable,
            format!(
                "check that {registry} can be reached; one without TLS is named by --plain-http {registry}"
            ),
        ),
        _ => (Kind::Service, format!("those are the words of {registry}")),
    };
    CloudError::new(kind, format!("could not {what} {image}: {text}")).hint(hint)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_an_image_for_several_processors_the_one_that_is_meant_is_taken() {
        let entries = [("windows", "arm64", "w"), ("linux", "amd64", "x"), ("linux", "arm64", "a")];
        let entries = entries.map(|(os, architecture, digest)| -> ImageIndexEntry {
            let entry = json!({
                "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1,
                "platform": {"os": os, "architecture": architecture},
            });
            serde_json::from_value(entry).unwrap()
        });
        assert_eq!(for_linux(&entries, Processor::Arm64).as_deref(), Some("a"));
        assert_eq!(for_linux(&entries, Processor::X86_64).as_deref(), Some("x"));
        assert_eq!(for_linux(&entries[..2], Processor::Arm64), None);
    }
}
