//! A model on its way to an artifact: its engine is chosen on evidence, its conversion proved.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use modelet_core::certificate::Verdict;
use modelet_core::{Certificate, Code, FunctionError, FunctionName, Settings, Steps};
use modelet_package::artifact::{Plan, card};
use modelet_package::batching::prove;
use modelet_package::evidence::fit_concurrency;
use modelet_package::probe::{Finding, Question};
use modelet_package::{Evidence, ModelSource, Prober, annotate, certificate, choose};
use modelet_worker::once::run_once;

use super::site::Site;
use super::{Found, Made};
use crate::cli::making::Making;
use crate::launch::this_binary;
use crate::output::Progress;
use crate::proof;
use crate::report::Report;

/// A probe may take this long: loading, and a few calls.
const PROBE_LIMIT: Duration = Duration::from_secs(300);

/// Everything from the source to what is packaged.
pub async fn made(
    source: ModelSource,
    name: FunctionName,
    making: &Making,
    progress: &Progress,
) -> Result<Made, Report> {
    progress.next("trying the engines that can compute it");
    let evidence = evidence(&source, making.site).await?;
    let mut plan = plan(&source, name, &evidence, making.site)?;
    plan.certificate = shown(&source, &plan, making, progress).await?;
    let (card, given) = (card(&source, plan), source.given());
    Ok(Made { bundle: source.bundle, card, found: Found::Model(evidence), packages: None, given })
}

/// Tries the engines, and chooses one.
pub async fn evidence(source: &ModelSource, site: Site) -> Result<Evidence, Report> {
    let prober = ChildProber {
        program: this_binary()?,
        model: source.model.place.clone(),
        steps: source.steps_in_place(),
    };
    let manifest = &source.bundle.manifest;
    let wanted = manifest.engine.named();
    // Probes wait for child processes: not on the thread that talks to the platform.
    let max_rows = manifest.settings.batch_max_rows;
    let by = site.by(source.bundle.files.iter().map(|file| file.size_bytes).sum());
    let chosen = tokio::task::spawn_blocking(move || {
        let mut evidence = choose(&prober, wanted, site.engines(), by)?;
        if let Some(measured) = evidence.chosen() {
            evidence.batching = Some(prove(&prober, evidence.chosen, &measured.signature, max_rows, by)?);
        }
        Ok::<_, FunctionError>(evidence)
    })
    .await;
    Ok(chosen.map_err(|error| Report::new(Code::Internal, format!("the probe failed: {error}")))??)
}

/// What is packaged, but for a certificate.
pub fn plan(
    source: &ModelSource,
    name: FunctionName,
    evidence: &Evidence,
    site: Site,
) -> Result<Plan, Report> {
    let measured = evidence.chosen().ok_or_else(|| Report::new(Code::Internal, "no engine was measured"))?;
    let manifest = &source.bundle.manifest;
    let settings =
        manifest.settings.over(&Settings::default()).map_err(|why| Report::new(Code::BadManifest, why))?;
    let mut settings = match manifest.settings.concurrency {
        None if site == Site::Here => fit_concurrency(settings, measured.warm_ms),
        // What a call takes elsewhere is not known here.
        _ => settings,
    };
    if let Some(batching) = &evidence.batching {
        settings.batch_max_rows = batching.max_rows;
    }
    let signature = annotate(measured.signature.clone(), manifest, source.columns.as_deref())?;
    Ok(Plan {
        name,
        settings,
        engine: (evidence.chosen, measured.version.clone()),
        signature,
        certificate: None,
    })
}

/// What shows that a converted model answers as the original; `None` where nothing was converted.
async fn shown(
    source: &ModelSource,
    plan: &Plan,
    making: &Making,
    progress: &Progress,
) -> Result<Option<Certificate>, Report> {
    if source.original.is_none() {
        let nothing = making.proof.sample.is_none();
        return if nothing { Ok(None) } else { Err(proof::nothing_converted()) };
    }
    if making.no_proof {
        return Ok(Some(Certificate::not_proved("--no-proof was given", proof::imported(source, plan))));
    }
    let proof = proof::prove(source, plan, &making.proof, progress).await?;
    match proof.certificate.verdict {
        Verdict::Differs => return Err(certificate::refusal(&proof, &source.given()).into()),
        Verdict::NotProved if making.require_proof => return Err(proof::not_proved(&proof)),
        Verdict::NotProved => proof::warn(&proof),
        Verdict::Proved => {}
    }
    Ok(Some(proof.certificate))
}

/// Runs each probe as `modelet probe`, in a process of its own.
struct ChildProber {
    program: PathBuf,
    model: PathBuf,
    steps: Steps,
}

impl Prober for ChildProber {
    fn ask(&self, question: &Question) -> Result<Finding, FunctionError> {
        let failed = |what: String| FunctionError::new(Code::ModelRefused, what);
        let steps = serde_json::to_string(&self.steps).map_err(|error| failed(error.to_string()))?;
        let asked = serde_json::to_string(question).map_err(|error| failed(error.to_string()))?;
        let args: [OsString; 4] = ["probe".into(), self.model.clone().into(), steps.into(), asked.into()];
        let env = [("ORT_DISABLE_TELEMETRY".into(), "1".into())];
        let running = run_once(&self.program, &args, &env, PROBE_LIMIT);
        let finished = tokio::runtime::Handle::current()
            .block_on(running)
            .map_err(|error| failed(format!("the model could not be tried: {error}")))?;
        let answer = finished.stdout.lines().last().and_then(|line| serde_json::from_str(line).ok());
        // An engine that a model takes down refuses it, in its way.
        Ok(answer.unwrap_or_else(|| {
            // What a panic says stands on the line after the one that says where.
            let mut lines = finished.stderr.lines().skip_while(|line| !line.contains("panicked at")).skip(1);
            let said = lines.next().or(finished.stderr.lines().last()).unwrap_or("no message").trim();
            Finding::Refused(
                Code::ModelRefused,
                format!("the engine crashed on it ({}): {said}", finished.ending),
            )
        }))
    }
}
