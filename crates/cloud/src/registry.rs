//! Registries of container images: an image to stand on is read there, and one that was made is brought there.
//!
//! Only what a registry does not have travels, and from one repository of it to another nothing does. What may pass is tried again.
//! Source: OCI Distribution Specification 1.1.
//!
//! - [`access`]: who asks; [`logins`]: where Docker and Podman keep that; [`key`]: what is shown with each call; [`door`]: how one is had and used
//! - [`failure`]: what a registry said, and whether another try may go well

mod access;
mod door;
mod failure;
mod key;
mod logins;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use futures_util::StreamExt;
use modelet_core::Processor;
use modelet_package::shipment::image::{Base, Descriptor, Image, Layout};
use oci_client::config::Os;
use oci_client::errors::OciDistributionError;
use oci_client::manifest::{ImageIndexEntry, OciDescriptor, OciImageManifest, OciManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, RegistryOperation};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::error::CloudError;
use crate::http::Http;
pub use access::Access;
use door::{Asked, Door, Entered};
pub use oci_client::Reference;

/// How much of a blob is read at a time, bytes.
const PIECE: u64 = 1 << 18;
/// The largest config of an image that is read, bytes.
const CONFIG_LIMIT_BYTES: u64 = 8 << 20;

/// Registries, as one asks them.
pub struct Registries {
    access: Access,
    http: Http,
    /// The keys that were had, each with what it opens.
    keys: Mutex<BTreeMap<Door, Entered>>,
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
    ///
    /// # Errors
    /// As [`Http::new`].
    pub fn new(access: Access) -> Result<Self, CloudError> {
        Ok(Self { access, http: Http::new()?, keys: Mutex::default() })
    }

    /// Reads an image to stand on; its layers stay where they are. Of one for several processors the one for this is meant.
    ///
    /// # Errors
    /// When it is not there, may not be read, or is not for this processor.
    pub async fn base(&self, image: &Reference, processor: Processor) -> Result<Base, CloudError> {
        let asked = Asked::pull("pull", image);
        let manifest = self.manifest(&asked, processor).await?;
        let manifest = serde_json::to_vec(&manifest)
            .map_err(|error| CloudError::refused(format!("{image} has no manifest: {error}")))?;
        let config = Base::config_of(&manifest)
            .ok_or_else(|| CloudError::refused(format!("{image} is no image: its manifest has no config")))?;
        if config.size_bytes > CONFIG_LIMIT_BYTES {
            let why = format!(
                "the config of {image} has {} bytes, {CONFIG_LIMIT_BYTES} are read",
                config.size_bytes
            );
            return Err(CloudError::refused(why));
        }
        let text = self.tried(&asked, async |client| {
            let mut text = Vec::new();
            pull(&client, image, &config, &mut text).await.map(|()| text)
        });
        let base = Base::of(&image.to_string(), &manifest, &text.await?, processor);
        base.map_err(|error| CloudError::refused(error.message).hint(error.hint.unwrap_or_default()))
    }

    /// The manifest of the one image, or of the one among several that runs on a processor.
    async fn manifest(
        &self,
        asked: &Asked<'_>,
        processor: Processor,
    ) -> Result<OciImageManifest, CloudError> {
        let image = asked.image;
        let pulled = self.tried(asked, async |client| {
            client.pull_manifest(image, &RegistryAuth::Anonymous).await.map(|(manifest, _)| manifest)
        });
        let several = match pulled.await? {
            OciManifest::Image(manifest) => return Ok(manifest),
            OciManifest::ImageIndex(index) => index.manifests,
        };
        let Some(digest) = for_linux(&several, processor) else {
            let why = format!("the image {image}: there is none of it for linux/{}", processor.of_images());
            return Err(CloudError::refused(why).hint("name another image: --base IMAGE"));
        };
        let one = image.clone_with_digest(digest);
        self.tried(&Asked::pull("pull", &one), async |client| {
            client.pull_image_manifest(&one, &RegistryAuth::Anonymous).await.map(|(manifest, _)| manifest)
        })
        .await
    }

    /// Brings the layers of an image to stand on into a layout, as far as they are not there.
    ///
    /// # Errors
    /// When one does not come, or is not what its digest says.
    pub async fn fetch(&self, image: &Reference, base: &Base, layout: &Layout) -> Result<(), CloudError> {
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
        self.tried(&Asked::pull("pull", image), async |client| {
            pull(&client, image, layer, &mut File::create(&draft).await?).await
        })
        .await?;
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
        let near = below.map(|(source, _)| source);
        let near = near.filter(|source| source.resolve_registry() == target.resolve_registry());
        let asked = Asked { what: "push", image: target, operation: RegistryOperation::Push, near };
        let mut sent_bytes = 0;
        if let Some((source, base)) = below {
            for layer in &base.layers {
                if self.is_there(&asked, layer).await? || self.is_mounted(&asked, layer).await {
                    continue;
                }
                self.fetch_one(source, layer, layout).await?;
                sent_bytes += self.send(&asked, layer, layout).await?;
            }
        }
        for own in image.layers.iter().map(|layer| &layer.blob).chain([&image.config]) {
            if !self.is_there(&asked, own).await? {
                sent_bytes += self.send(&asked, own, layout).await?;
            }
        }
        let place = layout.place(&image.manifest.digest).map_err(|error| unread(layout.folder(), &error))?;
        let manifest = tokio::fs::read(&place).await.map_err(|error| unread(&place, &error))?;
        let kind: http::HeaderValue = image
            .manifest
            .media_type
            .parse()
            .map_err(|_| CloudError::refused("an image's manifest has no type"))?;
        self.tried(&asked, async |client| {
            client.push_manifest_raw(target, manifest.clone(), kind.clone()).await
        })
        .await?;
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
        self.tried(&Asked::pull("look into", image), async |client| {
            match client.fetch_manifest_digest(image, &RegistryAuth::Anonymous).await {
                Ok(_) => Ok(true),
                Err(error) if failure::is_not_there(&error) => Ok(false),
                Err(error) => Err(error),
            }
        })
        .await
    }

    async fn is_there(&self, asked: &Asked<'_>, blob: &Descriptor) -> Result<bool, CloudError> {
        self.tried(asked, async |client| client.blob_exists(asked.image, &blob.digest).await).await
    }

    /// True when a blob of the near image is the target's too by now. A registry that does not do that gets it as any other blob.
    async fn is_mounted(&self, asked: &Asked<'_>, blob: &Descriptor) -> bool {
        let Some(source) = asked.near else { return false };
        let Ok(entered) = self.enter(asked).await else { return false };
        entered.client.mount_blob(asked.image, source, &blob.digest).await.is_ok()
    }

    /// Sends a blob of the layout, and says how large it is.
    async fn send(&self, asked: &Asked<'_>, blob: &Descriptor, layout: &Layout) -> Result<u64, CloudError> {
        let place = layout.place(&blob.digest).map_err(|error| unread(layout.folder(), &error))?;
        self.tried(asked, async |client| {
            let pieces =
                futures_util::stream::try_unfold(File::open(&place).await?, async |mut file: File| {
                    let mut piece = Vec::new();
                    (&mut file).take(PIECE).read_to_end(&mut piece).await?;
                    Ok::<_, OciDistributionError>((!piece.is_empty()).then(|| (piece.into(), file)))
                });
            client.push_blob_stream(asked.image, pieces, &blob.digest, Some(blob.size_bytes)).await
        })
        .await?;
        Ok(blob.size_bytes)
    }
}

/// Brings a blob, which is no larger than its descriptor says, and what its digest says.
async fn pull(
    client: &Client,
    image: &Reference,
    descriptor: &Descriptor,
    out: &mut (impl AsyncWrite + Unpin),
) -> Result<(), OciDistributionError> {
    let mut pieces = client.pull_blob_stream(image, &blob(descriptor)).await?;
    let mut left = descriptor.size_bytes;
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        left = left.checked_sub(piece.len() as u64).ok_or_else(|| {
            let why = format!(
                "{} is larger than the {} bytes it should have",
                descriptor.digest, descriptor.size_bytes
            );
            OciDistributionError::SpecViolationError(why)
        })?;
        out.write_all(&piece).await?;
    }
    out.flush().await?;
    Ok(())
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
