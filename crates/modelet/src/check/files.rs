//! What is read of files and packages, without running them.

use std::path::Path;

use modelet_core::target::finding::{About, Finding, Verdict};
use modelet_core::target::limits::Of;
use modelet_core::{ArtifactCard, Target};
use modelet_package::layer;

use crate::output;
use crate::python::packages::Made as Packages;

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
