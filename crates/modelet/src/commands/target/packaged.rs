//! What is deployed: an artifact that was packaged before, or one that is made now of a model or of code.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use modelet_cloud::delivery;
use modelet_core::{Code, Target};
use modelet_package::shipment::zip;

use crate::cli::making::Making;
use crate::commands::package::shipped;
use crate::making::made;
use crate::making::site::Site;
use crate::output::Progress;
use crate::report::Report;

/// The zip that is deployed: what is at the path, where `modelet package` wrote it; else one that is made in the folder `work`.
pub async fn packaged(
    making: &Making,
    target: Target,
    work: &Path,
    progress: &Arc<Progress>,
) -> Result<PathBuf, Report> {
    if delivery::is_packaged(&making.path) {
        return as_it_is(making).map(|()| making.path.clone());
    }
    let mut making = making.clone();
    making.site = Site::Host(Some(target));
    let made = made(&making, progress, work).await?;
    let shipment = shipped(&made, None)?;
    progress.next("packaging");
    let path = work.join("artifact.zip");
    let file = path.clone();
    let written = tokio::task::spawn_blocking(move || zip::write(&shipment, &file)).await;
    written.map_err(|error| Report::new(Code::Internal, format!("packaging failed: {error}")))??;
    Ok(path)
}

/// Refuses what is said of something that is made already.
fn as_it_is(making: &Making) -> Result<(), Report> {
    let said = [
        ("--set", !making.settings.is_empty()),
        ("--engine", making.engine.is_some()),
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
