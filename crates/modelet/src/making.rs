//! From what the user points at to what is packaged: recognised, its engine chosen on evidence.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use modelet_core::manifest::EngineChoice;
use modelet_core::{Code, FunctionError, FunctionName, Settings, Steps};
use modelet_package::artifact::Plan;
use modelet_package::batching::prove;
use modelet_package::evidence::fit_concurrency;
use modelet_package::importer::Workshop;
use modelet_package::probe::{Finding, Question};
use modelet_package::{Evidence, ModelSource, Prober, Source, annotate, choose};
use modelet_worker::once::run_once;

use crate::launch::this_binary;
use crate::proof::conversion::Conversion;
use crate::python::examine::Examination;
use crate::report::Report;

/// A probe may take this long: loading, and a few calls.
const PROBE_LIMIT: Duration = Duration::from_secs(300);

/// A folder that is gone when it is dropped.
pub fn work_folder() -> Result<tempfile::TempDir, Report> {
    tempfile::tempdir().map_err(|error| {
        Report::new(Code::Internal, format!("could not make a folder for the work: {error}"))
            .hint("check the space and permissions of the temporary folder")
    })
}

/// What the user points at; files that have to be rewritten are put into `work`.
pub async fn source(path: &Path, conversion: Conversion, work: &Path) -> Result<Source, Report> {
    let examiner = Examination { handle: tokio::runtime::Handle::current() };
    let (path, work) = (path.to_owned(), work.to_owned());
    // A conversion waits for child processes: not on the thread that drives them.
    let opened = tokio::task::spawn_blocking(move || {
        Source::open(&path, &Workshop { folder: &work, converter: &conversion, examiner: &examiner })
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

/// Tries the engines, and chooses one.
pub async fn evidence(source: &ModelSource) -> Result<Evidence, Report> {
    let prober = ChildProber {
        program: this_binary()?,
        model: source.model.place.clone(),
        steps: source.steps_in_place(),
    };
    let manifest = &source.bundle.manifest;
    let wanted = manifest.engine.named();
    // Probes wait for child processes: not on the thread that talks to the platform.
    let max_rows = manifest.settings.batch_max_rows;
    let chosen = tokio::task::spawn_blocking(move || {
        let mut evidence = choose(&prober, wanted)?;
        if let Some(measured) = evidence.chosen() {
            evidence.batching = Some(prove(&prober, evidence.chosen, &measured.signature, max_rows)?);
        }
        Ok::<_, FunctionError>(evidence)
    })
    .await;
    Ok(chosen.map_err(|error| Report::new(Code::Internal, format!("the probe failed: {error}")))??)
}

/// What is packaged, but for a certificate.
pub fn plan(source: &ModelSource, name: FunctionName, evidence: &Evidence) -> Result<Plan, Report> {
    let measured = evidence.chosen().ok_or_else(|| Report::new(Code::Internal, "no engine was measured"))?;
    let manifest = &source.bundle.manifest;
    let settings =
        manifest.settings.over(&Settings::default()).map_err(|why| Report::new(Code::BadManifest, why))?;
    let mut settings = match manifest.settings.concurrency {
        Some(_) => settings,
        None => fit_concurrency(settings, measured.warm_ms),
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
