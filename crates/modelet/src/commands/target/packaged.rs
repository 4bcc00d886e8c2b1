//! What is deployed: an artifact that was packaged before, or one that is made now of a model or of code.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use modelet_cloud::delivery;
use modelet_core::{Code, Processor, Target};
use modelet_package::shipment::zip;

use crate::cli::making::Making;
use crate::commands::package::shipped;
use crate::making::made;
use crate::making::site::Site;
use crate::output::Progress;
use crate::report::Report;

/// The zip that is deployed: what is at the path, where `modelet package` wrote it; else one that is made in the folder `work`. `asked`:
/// the processor that was asked for.
pub async fn packaged(
    making: &Making,
    target: Target,
    asked: Option<Processor>,
    work: &Path,
    progress: &Arc<Progress>,
) -> Result<PathBuf, Report> {
    if delivery::is_packaged(&making.path) {
        return as_it_is(making, asked).map(|()| making.path.clone());
    }
    let mut making = making.clone();
    let processor = asked.unwrap_or(Processor::HERE);
    making.site = Site::Host(Some(target), processor);
    let made = made(&making, progress, work).await?;
    let shipment = shipped(&made, processor, None)?;
    progress.next("packaging");
    let path = work.join("artifact.zip");
    let file = path.clone();
    let written = tokio::task::spawn_blocking(move || zip::write(&shipment, &file)).await;
    written.map_err(|error| Report::new(Code::Internal, format!("packaging failed: {error}")))??;
    Ok(path)
}

/// Refuses what is said of something that is made already.
fn as_it_is(making: &Making, asked: Option<Processor>) -> Result<(), Report> {
    let said = [
        ("--set", !making.settings.is_empty()),
        ("--engine", making.engine.is_some()),
        ("--arch", asked.is_some()),
        ("--sample", making.proof.sample.is_some()),
        ("--no-proof", making.no_proof),
        ("--require-proof", making.require_proof),
    ];
    match said.iter().find(|(_, is_said)| *is_said) {
        None => Ok(()),
        Some((option, _)) => {
            let why = format!(
                "{} is packaged already, and {option} would change nothing of it",
                making.path.display()
            );
            Err(Report::new(Code::BadInput, why)
                .hint(format!("say {option} to modelet package, or give the source")))
        }
    }
}
