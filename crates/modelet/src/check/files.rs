//! What is read of files and packages, without running them.

use std::path::Path;

use modelet_core::target::finding::{About, Finding, Verdict};
use modelet_core::target::limits::Of;
use modelet_core::{ArtifactCard, Code, Target};
use modelet_package::{Bundle, binaries, layer};

use crate::output;
use crate::python::packages::Made as Packages;
use crate::report::Report;

/// Whether files and packages are small enough.
pub fn size(target: Target, card: &ArtifactCard, packages: Option<&Packages>) -> Finding {
    let (files_bytes, packages_bytes) =
        (card.size_bytes(), packages.map_or(0, |packages| packages.layer.size_bytes));
    let largest = || packages.map(|it| largest(&it.folder)).unwrap_or_default();
    match target.check_size(files_bytes, packages_bytes, largest) {
        Err(error) => Finding::refused(About::Size, &error),
        Ok(()) => {
            let what = format!("files and packages have {}", output::size(files_bytes + packages_bytes));
            let finding = Finding::new(Verdict::Ok, About::Size, what);
            target.bound(Of::Unzipped).or(target.bound(Of::Image)).into_iter().fold(finding, Finding::by)
        }
    }
}

fn largest(folder: &Path) -> Vec<(String, u64)> {
    layer::largest(folder).unwrap_or_default()
}

/// Whether the target's host runs the libraries and programs among them.
///
/// # Errors
/// `packages-refused` when a file cannot be read.
pub async fn programs(
    target: Target,
    card: &ArtifactCard,
    bundle: &Bundle,
    packages: Option<&Packages>,
) -> Result<Vec<Finding>, Report> {
    let system = target.system(card.python());
    let (bundle, packages) = (bundle.clone(), packages.map(|packages| packages.folder.clone()));
    // Reads all of them: not on the thread that drives processes.
    let read = tokio::task::spawn_blocking(move || binaries::of(&bundle, packages.as_deref())).await;
    let read = read.map_err(|error| error.to_string()).and_then(|it| it.map_err(|error| error.to_string()));
    let unread = |why| Report::new(Code::PackagesRefused, format!("the packages could not be read: {why}"));
    Ok(binaries::findings(&read.map_err(unread)?, target, system))
}
