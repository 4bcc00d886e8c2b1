//! A shipment becomes a container image, is saved as a file, and is brought to a registry.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use modelet_cloud::container;
use modelet_cloud::registry::{Access, Pushed, Reference, Registries};
use modelet_core::{ArtifactCard, Code};
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
    let registries = Registries::new(access(options)?);
    let below = match options.base.clone().or_else(|| image::base_of(&shipment)?.parse().ok()) {
        None => None,
        Some(name) => {
            progress.next(format!("reading {name}"));
            let base = registries.base(&name).await?;
            fits(&shipment, &base)?;
            Some((name, base))
        }
    };
    let as_folder = saved.filter(|path| path.extension().is_none_or(|ending| ending != "tar"));
    let layout = Layout::create(as_folder.map_or_else(|| work.join("image"), Path::to_owned))
        .map_err(|error| unwritten(as_folder.unwrap_or(work), &error))?;
    progress.next("writing the layers");
    let written = {
        let (layout, base) = (layout.clone(), below.as_ref().map(|(_, base)| base.clone()));
        let written = tokio::task::spawn_blocking(move || image::write(&shipment, base.as_ref(), &layout));
        written.await.map_err(|error| Report::new(Code::Internal, format!("packaging failed: {error}")))??
    };
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

/// Writes the files that hosts of containers take.
pub fn files(card: &ArtifactCard, reference: &str, folder: &Path) -> Result<Vec<String>, Report> {
    fs::create_dir_all(folder).map_err(|error| unwritten(folder, &error))?;
    let files = container::files(card, reference);
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
    let mut access = Access { plain: options.plain_http.clone(), given: None };
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
