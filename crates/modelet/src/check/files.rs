//! What is read of files and packages, without running them.

use std::path::Path;

use modelet_cloud::lambda::start::Start;
use modelet_core::target::finding::{About, Finding, Verdict};
use modelet_core::target::limits::Of;
use modelet_core::{ArtifactCard, Code, Processor, Target};
use modelet_package::code::Examiner;
use modelet_package::code::facts::{Facts, WayKind};
use modelet_package::shipment::zip;
use modelet_package::{Bundle, Shipment, binaries, layer};

use crate::commands::package::shipped_with;
use crate::output;
use crate::python::examine::Examination;
use crate::python::packages::Made as Packages;
use crate::report::Report;

/// What a host gets, where the runtime that goes along is on this machine; else why not.
pub fn shipment(
    card: &ArtifactCard,
    bundle: &Bundle,
    packages: Option<&Packages>,
    processor: Processor,
) -> Result<Shipment, Finding> {
    shipped_with(card, bundle, packages, processor, None).map_err(|report| {
        let what = format!("sizes are without what goes along with each function: {}", report.message());
        Finding::new(Verdict::Note, About::Size, what)
    })
}

/// Whether all that a host gets is small enough, unpacked.
pub fn size(
    target: Target,
    card: &ArtifactCard,
    packages: Option<&Packages>,
    shipment: Option<&Shipment>,
) -> Finding {
    let packages_bytes = packages.map_or(0, |packages| packages.layer.size_bytes);
    let all = shipment.map_or_else(|| card.size_bytes() + packages_bytes, Shipment::size_bytes);
    let largest = || packages.map(|it| layer::largest(&it.folder).unwrap_or_default()).unwrap_or_default();
    match target.check_size(all - packages_bytes, packages_bytes, largest) {
        Err(error) => Finding::refused(About::Size, &error),
        Ok(()) => {
            let finding = Finding::new(Verdict::Ok, About::Size, format!("{} unpacked", output::size(all)));
            target.bound(Of::Unzipped).or(target.bound(Of::Image)).into_iter().fold(finding, Finding::by)
        }
    }
}

/// How large the zip is, where the target takes one: it is written, and gone.
///
/// # Errors
/// `bad-artifact` when it cannot be written.
pub async fn zipped(target: Target, shipment: &Shipment, work: &Path) -> Result<Option<Finding>, Report> {
    let Some(limit) = target.bound(Of::Zipped) else { return Ok(None) };
    let (shipment, place) = (shipment.clone(), work.join("checked.zip"));
    let written = tokio::task::spawn_blocking(move || zip::write(&shipment, &place)).await;
    let size = written
        .map_err(|error| Report::new(Code::Internal, format!("packaging failed: {error}")))??
        .size_bytes;
    let what = format!("{} as a zip", output::size(size));
    Ok(Some(if size <= limit.value {
        Finding::new(Verdict::Ok, About::Size, what).by(limit)
    } else {
        Finding::new(Verdict::Note, About::Size, what)
            .by(limit)
            .fix("it travels through S3, which modelet deploy --to aws-lambda does by itself")
    }))
}

/// Whether the target has what starts it.
pub fn start(target: Target, card: &ArtifactCard) -> Option<Finding> {
    let error = (target == Target::AwsLambda).then(|| Start::of(card).err()).flatten()?;
    let report = Report::from(error);
    let finding = Finding::new(Verdict::Breaks, About::Binaries, report.message());
    Some(report.advice().into_iter().fold(finding, Finding::fix))
}

/// Whether the target's host runs the libraries and programs among them, on this processor.
///
/// # Errors
/// `packages-refused` when a file cannot be read.
pub async fn programs(
    target: Target,
    card: &ArtifactCard,
    bundle: &Bundle,
    packages: Option<&Packages>,
    processor: Processor,
) -> Result<Vec<Finding>, Report> {
    let system = target.system(card.python());
    let (bundle, packages) = (bundle.clone(), packages.map(|packages| packages.folder.clone()));
    // Reads all of them: not on the thread that drives processes.
    let read = tokio::task::spawn_blocking(move || binaries::of(&bundle, packages.as_deref())).await;
    let read = read.map_err(|error| error.to_string()).and_then(|it| it.map_err(|error| error.to_string()));
    let unread = |why| Report::new(Code::PackagesRefused, format!("the packages could not be read: {why}"));
    Ok(binaries::findings(&read.map_err(unread)?, target, processor, system))
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
