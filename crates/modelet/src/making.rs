//! From what the user points at to what is packaged. No platform is needed for it.
//!
//! - [`model`]: its engine is chosen on evidence, its conversion proved
//! - [`site`]: where it is to run
//! - [`code`]: its packages are brought, and it is tried in a sandbox

pub mod code;
pub mod model;
pub mod site;

use std::path::Path;
use std::sync::Arc;

use modelet_core::manifest::EngineChoice;
use modelet_core::{ArtifactCard, Code, FunctionName, Processor, Settings};
use modelet_package::importer::Workshop;
use modelet_package::{Bundle, Evidence, Packed, Source, pack};

use crate::cli::making::Making;
use crate::output::Progress;
use crate::proof::conversion::Conversion;
use crate::python::examine::Examination;
use crate::python::packages::Made as Packages;
use crate::report::Report;

/// What was made: all that an artifact is packed of, and what stands beside it on a host.
pub struct Made {
    /// Its files.
    pub bundle: Bundle,
    /// Its card.
    pub card: ArtifactCard,
    /// What was found out about it.
    pub found: Found,
    /// The packages of its code.
    pub packages: Option<Packages>,
    /// What the user gave, in words.
    pub given: String,
}

/// What was found out while it was made.
pub enum Found {
    /// Of a model: the engines that can compute it.
    Model(Evidence),
    /// Of code: what trying it came to.
    Code(code::Tried),
}

impl Found {
    /// As JSON, for a platform to keep.
    pub fn as_text(&self) -> String {
        match self {
            Self::Model(evidence) => serde_json::to_string(&evidence.clone().without_signatures()),
            Self::Code(tried) => serde_json::to_string(tried),
        }
        .unwrap_or_default()
    }
}

/// Everything from the file to what is packaged. Files that have to be rewritten are put into `work`.
pub async fn made(making: &Making, progress: &Arc<Progress>, work: &Path) -> Result<Made, Report> {
    let (source, name) = opened(making, progress, work).await?;
    match source {
        Source::Model(source) => model::made(*source, name, making, progress).await,
        Source::Code(source) => {
            let python = code::python(&source, making).await?;
            let prepared = code::prepared(*source, name, python, making, progress).await?;
            let tried = prepared.tried(work, progress).await?;
            Ok(prepared.made(tried))
        }
    }
}

/// What the user points at, with the function's name and what the command line adds.
pub async fn opened(
    making: &Making,
    progress: &Arc<Progress>,
    work: &Path,
) -> Result<(Source, FunctionName), Report> {
    let conversion = Conversion { options: making.proof.clone(), progress: Arc::clone(progress) };
    let source = source(&making.path, conversion, making.site.processor(), work).await?;
    let source = amended(source, making.engine, &making.settings)?;
    making.site.check(&source.bundle().manifest)?;
    let name = making.name.clone().or_else(|| source.bundle().name.clone()).ok_or_else(|| {
        Report::new(Code::BadName, format!("no function name can be made of {}", making.path.display()))
            .hint("say one: --name NAME")
    })?;
    Ok((source, name))
}

impl Made {
    /// Writes the artifact. Not on the thread that may serve a platform too.
    pub async fn packed(&self, target: &Path) -> Result<Packed, Report> {
        let (bundle, card, target) = (self.bundle.clone(), self.card.clone(), target.to_owned());
        let packed = tokio::task::spawn_blocking(move || pack(&bundle, card, &target)).await;
        Ok(packed.map_err(|error| Report::new(Code::Internal, format!("packaging failed: {error}")))??)
    }
}

/// A folder that is gone when it is dropped.
pub fn work_folder() -> Result<tempfile::TempDir, Report> {
    tempfile::tempdir().map_err(|error| {
        Report::new(Code::Internal, format!("could not make a folder for the work: {error}"))
            .hint("check the space and permissions of the temporary folder")
    })
}

/// What the user points at, to be run on this processor; files that have to be rewritten are put into `work`.
pub async fn source(
    path: &Path,
    conversion: Conversion,
    processor: Processor,
    work: &Path,
) -> Result<Source, Report> {
    let examiner = Examination { handle: tokio::runtime::Handle::current() };
    let (path, work) = (path.to_owned(), work.to_owned());
    // A conversion waits for child processes: not on the thread that drives them.
    let opened = tokio::task::spawn_blocking(move || {
        let (converter, examiner) = (&conversion, &examiner);
        Source::open(&path, &Workshop { folder: &work, converter, examiner, processor })
    });
    Ok(opened.await.map_err(|error| Report::new(Code::Internal, format!("reading failed: {error}")))??)
}

/// A source with what the command line adds to its manifest.
pub fn amended(
    mut source: Source,
    engine: Option<EngineChoice>,
    settings: &[(String, u64)],
) -> Result<Source, Report> {
    let manifest = &mut source.bundle_mut().manifest;
    if let Some(engine) = engine {
        manifest.engine = engine;
    }
    for (name, value) in settings {
        manifest.settings.set(name, *value).map_err(|why| Report::new(Code::BadManifest, why))?;
    }
    manifest.settings.over(&Settings::default()).map_err(|why| Report::new(Code::BadManifest, why))?;
    Ok(source)
}
