//! `modelet package`: what another host starts is made of a model or of code. No platform is needed for it.
//!
//! - [`said`]: what is told of it
//! - [`image`]: as a container image

mod image;
mod said;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use modelet_core::target::limits::Of;
use modelet_core::{ArtifactCard, Code, EngineName, Processor, Target};
use modelet_package::shipment::{Beside, Part, PartKind, Written, standalone, zip};
use modelet_package::{Bundle, Shipment, layer};

use crate::cli::Common;
use crate::cli::package::Package;
use crate::commands::deploy::print_made;
use crate::engines;
use crate::making::site::Site;
use crate::making::{self, Made};
use crate::output::{self, Progress};
use crate::python::packages::Made as Packages;
use crate::report::Report;
use crate::runtimes::{self, Kind};

/// What a shipment is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Zip,
    Standalone,
}

impl Form {
    fn of(package: &Package) -> Self {
        if package.standalone { Self::Standalone } else { Self::Zip }
    }

    fn write(self, shipment: &Shipment, target: &Path) -> Result<Written, Report> {
        Ok(match self {
            Self::Zip => zip::write(shipment, target)?,
            Self::Standalone => standalone::write(shipment, target)?,
        })
    }

    /// The file that is written where none is named.
    fn usual_file(self, name: &str) -> PathBuf {
        match self {
            Self::Zip => format!("{name}.zip").into(),
            Self::Standalone => name.into(),
        }
    }
}

/// What was packaged.
struct Packaged {
    form: Form,
    target: Option<Target>,
    path: PathBuf,
    written: Written,
    shipment: Shipment,
    /// The largest packages and their bytes, the largest first.
    largest: Vec<(String, u64)>,
}

pub async fn run(common: &Common, mut package: Package) -> Result<(), Report> {
    let form = Form::of(&package);
    let processor = package.arch.unwrap_or(Processor::HERE);
    package.making.site =
        if package.standalone { Site::Alone(processor) } else { Site::Host(package.target, processor) };
    let progress = Arc::new(Progress::start(format!("reading {}", package.making.path.display())));
    let work = making::work_folder()?;
    let made = making::made(&package.making, &progress, work.path()).await?;
    if form == Form::Standalone {
        standalone::check(&made.card)?;
    }
    let shipment = shipped(&made, processor, package.runtime.as_deref())?;
    let largest = made.packages.as_ref().map(|it| layer::largest(&it.folder).unwrap_or_default());
    let largest = largest.unwrap_or_default();
    if let Some(target) = package.target {
        said::start(target, &shipment)?;
        check_size(target, &shipment, &largest)?;
    }
    if package.is_image() {
        let usual =
            || Some(format!("{}.tar", made.card.name).into()).filter(|_| package.images.push.is_none());
        let saved = package.output.clone().or_else(usual);
        if let Some(saved) = &saved {
            check_place(saved, &package.making.path)?;
        }
        let said = image::run(shipment, &package.images, saved.as_deref(), work.path(), &progress).await?;
        drop(progress);
        if common.json {
            output::json(&said);
        } else {
            print_made(&made);
            image::print(&said);
        }
        return Ok(());
    }
    let path = package.output.clone().unwrap_or_else(|| form.usual_file(made.card.name.as_str()));
    check_place(&path, &package.making.path)?;
    progress.next(format!("writing {}", path.display()));
    let written = write(form, shipment.clone(), &path).await?;
    drop(progress);
    let packaged = Packaged { form, target: package.target, path, written, shipment, largest };
    if common.json {
        output::json(&said::json(&packaged));
        return Ok(());
    }
    print_made(&made);
    said::print(&packaged);
    Ok(())
}

/// What a host with this processor gets of what was made. `runtime`: the program that was named.
pub fn shipped(made: &Made, processor: Processor, runtime: Option<&Path>) -> Result<Shipment, Report> {
    shipped_with(&made.card, &made.bundle, made.packages.as_ref(), processor, runtime)
}

/// The same of its parts.
pub fn shipped_with(
    card: &ArtifactCard,
    bundle: &Bundle,
    packages: Option<&Packages>,
    processor: Processor,
    runtime: Option<&Path>,
) -> Result<Shipment, Report> {
    let runtime = runtimes::find(Kind::of(card), processor, runtime)?;
    let needs_library = card.model().is_some_and(|model| model.engine == EngineName::Onnxruntime);
    let library = needs_library.then(|| engines::library_for(processor)).transpose()?;
    let beside = Beside {
        runtime: &runtime,
        processor,
        packages: packages.map(|packages| packages.folder.as_path()),
        onnxruntime: library.as_deref(),
    };
    Ok(Shipment::of(card.clone(), bundle, beside)?)
}

/// Refuses what is too large for a target that takes a zip.
fn check_size(target: Target, shipment: &Shipment, largest: &[(String, u64)]) -> Result<(), Report> {
    let of_packages = |part: &&Part| part.kind == PartKind::Packages;
    let packages: u64 = shipment.parts.iter().filter(of_packages).map(Part::size_bytes).sum();
    Ok(target.check_size(shipment.size_bytes() - packages, packages, || largest.to_vec())?)
}

/// Refuses a place within what was given: the next time it would be a part of it.
fn check_place(path: &Path, given: &Path) -> Result<(), Report> {
    let refused = |why: &str| {
        Err(Report::new(Code::BadName, format!("{} cannot be written: {why}", path.display()))
            .hint("say another file: -o FILE"))
    };
    if path.is_dir() {
        return refused("it is a folder");
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (Ok(parent), Ok(given)) = (parent.canonicalize(), given.canonicalize()) else {
        return refused("its folder is not there");
    };
    if given.is_dir() && parent.starts_with(&given) {
        return refused(
            "it lies within the folder that is packaged, and would be a part of it the next time",
        );
    }
    Ok(())
}

/// Writes the file: whole, or not at all.
async fn write(form: Form, shipment: Shipment, path: &Path) -> Result<Written, Report> {
    let failed = |error: io::Error| {
        Report::new(Code::BadArtifact, format!("could not write {}: {error}", path.display()))
            .hint("check the space and permissions of that folder")
    };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let draft = tempfile::Builder::new().prefix(".modelet-").tempdir_in(parent).map_err(failed)?;
    let file = draft.path().join("draft");
    let target = file.clone();
    let written = tokio::task::spawn_blocking(move || form.write(&shipment, &target)).await;
    let written =
        written.map_err(|error| Report::new(Code::Internal, format!("packaging failed: {error}")))??;
    fs::rename(&file, path).map_err(failed)?;
    Ok(written)
}

/// The share of its limit for what is unzipped that a target has, percent.
fn share(target: Target, bytes: u64) -> Option<(u64, f64)> {
    let most = target.limit(Of::Unzipped)?;
    Some((most, bytes as f64 / most as f64 * 100.0))
}
