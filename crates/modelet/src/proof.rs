//! The witnesses of a proof, each in a process of its own: the original in its framework, and the converted model in the runtime.
//!
//! - [`environment`]: the Python in which an original answers
//! - [`guest`]: a script runs in it, in a sandbox; [`original`]: an original answers; [`conversion`]: a network is converted
//! - [`served`]: the converted model answers, as an instance

pub mod conversion;
mod environment;
mod guest;
mod original;
mod served;

use modelet_core::certificate::Library;
use modelet_core::{Certificate, Code, FunctionError};
use modelet_package::ModelSource;
use modelet_package::artifact::{Plan, card};
use modelet_package::certificate::original::Original;
use modelet_package::certificate::sample::Sample;
use modelet_package::certificate::wire::{Message, Reply};
use modelet_package::certificate::{Claim, Proof, Testimony, Witnesses, prove as compare};
use modelet_worker::Spawner;
use tokio::runtime::Handle;

use crate::cli::proof::ProofOptions;
use crate::launch::this_binary;
use crate::making;
use crate::output::{self, Progress};
use crate::report::Report;

/// What to do when there is no proof.
const NEXT: &str = "install uv, or name the Python that the model was trained with: --python PATH";

/// Lets the original and the converted model answer the same rows. `Ok` too when the original cannot be asked: the certificate
/// says why.
pub async fn prove(
    source: &ModelSource,
    plan: &Plan,
    options: &ProofOptions,
    progress: &Progress,
) -> Result<Proof, Report> {
    let original = source.original.clone().ok_or_else(nothing_converted)?;
    let sample = options.sample.as_deref().map(|path| Sample::read(path, &plan.signature)).transpose()?;
    let unproved = |reason: String| Proof {
        certificate: Certificate::not_proved(reason, imported(source, plan)),
        worst: vec![],
    };
    let python = match environment::find(&original, options, progress).await {
        Ok(python) => python,
        Err(reason) => return Ok(unproved(reason)),
    };
    let spawner = match Spawner::start(this_binary()?, None).await {
        Ok(spawner) => spawner,
        Err(error) => return Ok(unproved(format!("the original cannot be isolated: {error}"))),
    };
    progress.next(format!("asking {} and the converted model about the same rows", original.framework));
    let witnesses = Both {
        spawner,
        python,
        options: options.clone(),
        served: served::Served { card: card(source, plan.clone()), source: source.clone() },
    };
    let (signature, model, imported) =
        (plan.signature.clone(), source.model.place.clone(), imported(source, plan));
    let tolerance = options.tolerance;
    // Both wait for processes: not on the thread that drives them.
    let proved = tokio::task::spawn_blocking(move || {
        let (original, model, sample) = (&original, model.as_path(), sample.as_ref());
        compare(&Claim { original, model, signature: &signature, sample, tolerance, imported }, &witnesses)
    });
    Ok(proved.await.map_err(|error| Report::new(Code::Internal, format!("the proof failed: {error}")))??)
}

/// Refuses to prove a model that is served as it was given.
pub fn nothing_converted() -> Report {
    Report::new(Code::BadInput, "nothing was converted, so there is nothing to prove")
        .hint("an ONNX file is served as it is")
}

/// What the converted model is answered by.
pub fn imported(source: &ModelSource, plan: &Plan) -> Vec<Library> {
    let library = |name: &str, version: &str| Library { name: name.to_owned(), version: version.to_owned() };
    let own =
        [library("modelet", env!("CARGO_PKG_VERSION")), library(plan.engine.0.as_str(), &plan.engine.1)];
    own.into_iter().chain(source.converter.clone()).collect()
}

/// Says that there is no proof.
pub fn warn(proof: &Proof) {
    output::say(format!(
        "warning: the conversion is not proved: {}",
        output::plain(&proof.certificate.line())
    ));
    output::say(format!("  {NEXT}; --no-proof goes without"));
}

/// Refuses a model that is not proved.
pub fn not_proved(proof: &Proof) -> Report {
    let message = format!("the conversion is not proved: {}", output::plain(&proof.certificate.line()));
    Report::new(Code::ConversionNotProved, message).hint(NEXT)
}

/// Both witnesses.
struct Both {
    spawner: Spawner,
    python: environment::Python,
    options: ProofOptions,
    served: served::Served,
}

impl Witnesses for Both {
    fn original(&self, original: &Original, questions: &[Message]) -> Result<Testimony, String> {
        let work = making::work_folder().map_err(|report| report.message().to_owned())?;
        let asked =
            original::ask(&self.spawner, &self.python, &self.options, original, questions, work.path());
        Handle::current().block_on(asked)
    }

    fn imported(&self, requests: &[Message]) -> Result<Vec<Reply>, FunctionError> {
        let work = tempfile::tempdir().map_err(|error| {
            FunctionError::new(Code::Internal, format!("could not make a folder for the work: {error}"))
        })?;
        Handle::current().block_on(self.served.ask(&self.spawner, requests, work.path()))
    }
}
