//! A network is converted by its own framework, in the Python that its original answers in.

use std::sync::Arc;

use modelet_core::{Code, FunctionError};
use modelet_package::certificate::original::{Loader, Original};
use modelet_package::conversion::{Converted, Converter, GUARDS, MAX_ANSWER_BYTES, NETWORKS, SCRIPT};
use modelet_worker::Spawner;
use tokio::runtime::Handle;

use super::NEXT;
use super::environment::{self, Python};
use super::guest::{self, Errand};
use crate::cli::proof::ProofOptions;
use crate::launch::this_binary;
use crate::making;
use crate::output::Progress;
use crate::report::Report;

/// Converts networks as the command line says. It waits for processes: not for the thread that drives them.
pub struct Conversion {
    /// Which Python, and within which limits.
    pub options: ProofOptions,
    /// Where it says what it does.
    pub progress: Arc<Progress>,
}

impl Converter for Conversion {
    fn convert(&self, original: &Original) -> Result<Converted, FunctionError> {
        if original.loader != Loader::Torchscript && !self.options.inputs.is_empty() {
            let message = format!(
                "{} says the shapes of its inputs itself: leave --input out",
                original.file.display()
            );
            return Err(FunctionError::new(Code::BadInput, message));
        }
        let refused = |why: String, next: &str| {
            let message = format!("{} cannot be converted: {why}", original.file.display());
            FunctionError::new(Code::ModelRefused, message).hint(next)
        };
        let handle = Handle::current();
        let python = handle.block_on(environment::find(original, &self.options, &self.progress));
        let python = python.map_err(|why| refused(why, NEXT))?;
        let wanted = original.loader.converter().unwrap_or_default();
        let by = python.library(wanted);
        let by = by.ok_or_else(|| {
            refused(
                format!("its Python has no {wanted}, which converts it"),
                &format!("leave --python out, so that uv makes an environment; or install {wanted} there"),
            )
        })?;
        self.progress.next(format!("converting it by {} in a sandbox", original.framework));
        let answer = handle.block_on(self.ask(original, &python));
        let next = "export the model to ONNX where it was trained, and deploy that";
        answer.map(|answer| Converted { answer, by }).map_err(|why| refused(why, next))
    }
}

impl Conversion {
    async fn ask(&self, original: &Original, python: &Python) -> Result<Vec<u8>, String> {
        let failed = |report: Report| report.message().to_owned();
        let spawner = Spawner::start(this_binary().map_err(failed)?, None).await;
        let spawner = spawner.map_err(|error| format!("the converter cannot be isolated: {error}"))?;
        let work = making::work_folder().map_err(failed)?;
        let errand = self.errand(original, work.path());
        let errand = errand.map_err(|error| format!("the model could not be laid out: {error}"))?;
        Ok(guest::run(&spawner, python, &self.options, errand).await?.stdout)
    }

    fn errand(&self, original: &Original, work: &std::path::Path) -> std::io::Result<Errand> {
        let script = guest::write(work.join("convert.py"), SCRIPT.as_bytes())?;
        let networks = guest::write(work.join(NETWORKS.0), NETWORKS.1.as_bytes())?;
        let guards = guest::write(work.join(GUARDS.0), GUARDS.1.as_bytes())?;
        let model = guest::copy(original, work)?;
        let shapes = serde_json::to_string(&self.options.inputs)?;
        Ok(Errand {
            who: "the converter",
            script,
            args: vec![original.loader.as_str().into(), model.clone().into(), shapes.into()],
            shown: vec![networks, guards, model],
            answer_bytes: MAX_ANSWER_BYTES,
        })
    }
}
