//! What is read of files and packages, without running them.

use std::path::Path;

use modelet_core::target::finding::{About, Finding, Verdict};
use modelet_core::target::limits::Of;
use modelet_core::{ArtifactCard, Code, Target};
use modelet_package::code::Examiner;
use modelet_package::code::facts::{Facts, WayKind};
use modelet_package::{Bundle, binaries, layer};

use crate::output;
use crate::python::examine::Examination;
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

/// Whether the target passes on how code answers: in pieces, by websockets.
///
/// # Errors
/// When no Python is there to read the code with.
pub async fn ways(target: Target, bundle: &Bundle) -> Result<Vec<Finding>, Report> {
    let is_python = |path: &str| path.ends_with(".py");
    let files = bundle.files.iter().filter(|file| is_python(&file.path));
    let (names, places): (Vec<String>, Vec<_>) =
        files.map(|file| (file.path.clone(), file.place.clone())).unzip();
    if names.is_empty() {
        return Ok(vec![]);
    }
    let examiner = Examination { handle: tokio::runtime::Handle::current() };
    // It waits for a process: not on the thread that drives it.
    let facts = tokio::task::spawn_blocking(move || examiner.examine(&places)).await;
    let facts = facts.map_err(|error| Report::new(Code::Internal, format!("reading failed: {error}")))??;
    let of = |kind| lines(&names, &facts, kind);
    let streams = of(WayKind::Stream);
    let stream = target.of_stream().filter(|_| !streams.is_empty()).map(|finding| finding.at(streams));
    Ok(stream.into_iter().chain(target.of_websockets(of(WayKind::Websocket))).collect())
}

fn lines(names: &[String], facts: &[Facts], kind: WayKind) -> Vec<String> {
    let of_file = |(name, facts): (&String, &Facts)| {
        let lines = facts.ways.iter().filter(|way| way.kind == kind).map(|way| way.line);
        lines.map(|line| format!("{name}:{line}")).collect::<Vec<_>>()
    };
    names.iter().zip(facts).flat_map(of_file).collect()
}
