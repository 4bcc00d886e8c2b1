//! A shipment becomes a container image, is saved as a file, and is brought to a registry.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use modelet_cloud::container;
use modelet_cloud::delivery::WrittenImage;
use modelet_cloud::environment::Environment;
use modelet_cloud::registry::{Access, Pushed, Reference, Registries};
use modelet_core::{ArtifactCard, Code, Processor};
use modelet_package::Shipment;
use modelet_package::shipment::image::{self, Base, Image, Layout};

use crate::cli::image::ImageOptions;
use crate::output::Progress;
use crate::report::Report;

/// Longest password that is read, bytes.
const PASSWORD_LIMIT: u64 = 1 << 16;

/// An image that was made.
pub struct Made {
    /// Its blobs.
    pub image: Image,
    /// The name of the image that it stands on.
    pub base: Option<String>,
    /// What was brought to a registry.
    pub pushed: Option<Pushed>,
}

/// Makes the image, with its blobs in the folder `work`. `saved`: a file that ends in `.tar`, or a folder, that gets it as an OCI layout.
pub async fn made(
    shipment: Shipment,
    options: &ImageOptions,
    saved: Option<&Path>,
    work: &Path,
    progress: &Progress,
) -> Result<Made, Report> {
    let registries = Registries::new(access(options)?)?;
    let below = below(&registries, &shipment, options.base.clone(), progress).await?;
    let as_folder = saved.filter(|path| path.extension().is_none_or(|ending| ending != "tar"));
    let layout = Layout::create(as_folder.map_or_else(|| work.join("image"), Path::to_owned))
        .map_err(|error| unwritten(as_folder.unwrap_or(work), &error))?;
    let written = written(shipment, below.as_ref().map(|(_, base)| base.clone()), &layout, progress).await?;
    if let (Some(path), Some((name, base))) = (saved, &below) {
        progress.next(format!("bringing {name} for {}", path.display()));
        registries.fetch(name, base, &layout).await?;
    }
    if let Some(path) = saved.filter(|_| as_folder.is_none()) {
        let (layout, target) = (layout.clone(), path.to_owned());
        let archived = tokio::task::spawn_blocking(move || layout.archive(&target)).await;
        archived
            .map_err(|error| Report::new(Code::Internal, error.to_string()))?
            .map_err(|error| unwritten(path, &error))?;
    }
    let pushed = match &options.push {
        None => None,
        Some(target) => {
            progress.next(format!("bringing it to {target}"));
            let near = below.as_ref().map(|(name, base)| (name, base));
            Some(registries.push(&written, &layout, near, target).await?)
        }
    };
    Ok(Made { image: written, base: below.map(|(name, _)| name.to_string()), pushed })
}

/// Makes the image in the words that all of AWS takes, with its blobs in the folder `work`, where they have to stay until it is brought
/// to a registry.
pub async fn for_aws(
    shipment: Shipment,
    base: Option<Reference>,
    work: &Path,
    progress: &Progress,
) -> Result<WrittenImage, Report> {
    let registries =
        Registries::new(access(&ImageOptions { base: base.clone(), ..ImageOptions::default() })?)?;
    let below = below(&registries, &shipment, base, progress).await?;
    let folder = work.join("image");
    let layout = Layout::create(folder.clone()).map_err(|error| unwritten(&folder, &error))?;
    let written = written(shipment, below.as_ref().map(|(_, base)| base.clone()), &layout, progress).await?;
    let image = written.as_docker(&layout).map_err(|error| {
        Report::new(Code::BadArtifact, format!("AWS cannot be given the image: {error}"))
            .hint("stand on another one: --base IMAGE")
    })?;
    Ok(WrittenImage { image, layout, below })
}

/// The image to stand on: the one that was asked for, or the one that it has to be.
async fn below(
    registries: &Registries,
    shipment: &Shipment,
    asked: Option<Reference>,
    progress: &Progress,
) -> Result<Option<(Reference, Base)>, Report> {
    let Some(name) = asked.or_else(|| image::base_of(shipment)?.parse().ok()) else { return Ok(None) };
    progress.next(format!("reading {name}"));
    let base = registries.base(&name, shipment.processor).await?;
    fits(shipment, &base)?;
    Ok(Some((name, base)))
}

/// Writes the layers, not on the thread that talks to registries.
async fn written(
    shipment: Shipment,
    base: Option<Base>,
    layout: &Layout,
    progress: &Progress,
) -> Result<Image, Report> {
    progress.next("writing the layers");
    let layout = layout.clone();
    let written = tokio::task::spawn_blocking(move || image::write(&shipment, base.as_ref(), &layout)).await;
    Ok(written.map_err(|error| Report::new(Code::Internal, format!("packaging failed: {error}")))??)
}

/// Writes the files that hosts of containers with this processor take.
pub fn files(
    card: &ArtifactCard,
    reference: &str,
    processor: Processor,
    folder: &Path,
) -> Result<Vec<String>, Report> {
    fs::create_dir_all(folder).map_err(|error| unwritten(folder, &error))?;
    let files = container::files(card, reference, processor);
    for (name, text) in &files {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| unwritten(&path, &error))?;
    }
    Ok(files.into_iter().map(|(name, _)| name.to_owned()).collect())
}

/// Refuses a base that says of itself that it has another Python.
fn fits(shipment: &Shipment, base: &Base) -> Result<(), Report> {
    let Some(wanted) = shipment.card.python() else { return Ok(()) };
    let env = base.env();
    let Some(has) = env.iter().find_map(|variable| variable.strip_prefix("PYTHON_VERSION=")) else {
        return Ok(());
    };
    let is_same = has == wanted || has.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('.'));
    if is_same {
        return Ok(());
    }
    let message = format!("the code is for Python {wanted}, and the image {} has Python {has}", base.name);
    Err(Report::new(Code::BadArtifact, message)
        .hint("name an image with that version: --base IMAGE; or ask for another: [python] version"))
}

fn access(options: &ImageOptions) -> Result<Access, Report> {
    let environment = Environment::new(|name| std::env::var(name).ok());
    let mut access = Access { plain: options.plain_http.clone(), ..Access::new(environment) };
    for image in [&options.push, &options.base].into_iter().flatten() {
        access = access.with_loopback(image);
    }
    if let (Some(user), Some(target)) = (&options.registry_user, &options.push) {
        let mut password = String::new();
        io::stdin().take(PASSWORD_LIMIT).read_to_string(&mut password).map_err(|error| {
            Report::new(Code::BadInput, format!("the password could not be read: {error}"))
        })?;
        let registry = Reference::resolve_registry(target).to_owned();
        access.given = Some((registry, user.clone(), password.trim_end_matches(['\r', '\n']).to_owned()));
    }
    Ok(access)
}

fn unwritten(path: &Path, error: &io::Error) -> Report {
    Report::new(Code::BadArtifact, format!("could not write {}: {error}", path.display()))
        .hint("check the space and permissions of that folder")
}
