//! Code on its way to an artifact: its packages are brought, and it is started once in a sandbox as an instance.

use std::path::Path;
use std::time::Duration;

use modelet_core::handler::Handler;
use modelet_core::{ArtifactCard, Code, FunctionError, FunctionName, Processor, Settings};
use modelet_package::code::{CodePlan, CodeSource};
use modelet_package::layer;
use modelet_worker::Spawner;
use serde::Serialize;

use super::site::Site;
use super::{Found, Made};
use crate::cli::making::Making;
use crate::launch::this_binary;
use crate::output::{self, Progress};
use crate::python::interpreter::Interpreter;
use crate::python::packages::{self, Made as Packages};
use crate::python::versions;
use crate::report::Report;
use crate::trial::Trial;

/// How many of the largest packages are named.
const NAMED_PACKAGES: usize = 5;
/// An instance that is tried says why it failed within this time.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Most of its last lines that are shown.
const LAST_LINES: usize = 20;

/// What trying it came to.
#[derive(Debug, Clone, Serialize)]
pub struct Tried {
    /// How it started.
    pub start: Start,
    /// Why its event is what it is, where the code says it.
    pub event_reason: Option<String>,
    /// The largest of its packages and their bytes.
    pub largest: Vec<(String, u64)>,
    /// The modules that it asked for while it was loaded.
    #[serde(skip)]
    pub imports: Vec<String>,
}

/// How it started in a sandbox here.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// It was ready after so many milliseconds.
    ReadyMs(f64),
    /// Not at all, since this file of it is for another processor.
    Foreign(String),
}

/// Code with its packages, not tried yet.
pub struct Prepared {
    /// The code.
    pub source: CodeSource,
    /// Its card, as far as it is known before it was tried.
    pub card: ArtifactCard,
    /// Its Python.
    pub python: Option<Interpreter>,
    /// Its packages.
    pub packages: Option<Packages>,
    /// The same for this machine's processor: those that it is tried with.
    pub packages_here: Option<Packages>,
}

/// Brings the packages.
pub async fn prepared(
    source: CodeSource,
    name: FunctionName,
    python: Option<Interpreter>,
    making: &Making,
    progress: &Progress,
) -> Result<Prepared, Report> {
    if making.proof.sample.is_some() {
        return Err(crate::proof::nothing_converted());
    }
    let packages_for = async |site: Site| match (&source.requirements, &python) {
        (Some(requirements), Some(python)) => {
            let platform = site.wheels(&python.version);
            packages::made(requirements, python, platform.as_deref(), progress).await.map(Some)
        }
        _ => Ok(None),
    };
    let packages = packages_for(making.site).await?;
    let packages_here = match making.site.processor() {
        Processor::HERE => packages.clone(),
        _ => packages_for(making.site.tried_at()).await?,
    };
    let card = source.card(plan(&source, name, python.as_ref(), packages.as_ref())?);
    Ok(Prepared { source, card, python, packages, packages_here })
}

impl Prepared {
    /// Tries it.
    pub async fn tried(&self, work: &Path, progress: &Progress) -> Result<Tried, Report> {
        progress.next("trying it in a sandbox");
        let Self { source, card, python, packages, packages_here } = self;
        let (start, imports) = match source.foreign_to(Processor::HERE) {
            Some(file) => (Start::Foreign(file.to_owned()), Vec::new()),
            None => started(source, card, python.as_ref(), packages_here.as_ref(), work).await?,
        };
        let event_reason = source.event_reason().map(str::to_owned);
        let largest = packages.as_ref().map(|packages| largest(&packages.folder)).unwrap_or_default();
        Ok(Tried { start, event_reason, largest, imports })
    }

    /// What it is with what trying it came to.
    pub fn made(self, tried: Tried) -> Made {
        let Self { source, mut card, packages, .. } = self;
        if let Handler::Python(python) = &mut card.handler {
            python.imports.clone_from(&tried.imports);
        }
        let given = source.given();
        Made { bundle: source.bundle, card, found: Found::Code(tried), packages, given }
    }
}

/// The Python that it gets, if it needs one: of the command line, of what the code asks for, or the usual one.
pub async fn python(source: &CodeSource, making: &Making) -> Result<Option<Interpreter>, Report> {
    if source.needs_python() { found(source, making).await.map(Some) } else { Ok(None) }
}

async fn found(source: &CodeSource, making: &Making) -> Result<Interpreter, Report> {
    let missing = |why: String| {
        Report::new(Code::PythonMissing, why)
            .hint("install it, or say another: [python] version in modelet.toml")
    };
    if let Some(path) = &making.proof.python {
        let program = if path.is_dir() { path.join("bin/python") } else { path.clone() };
        return Interpreter::ask(&program).await.map_err(missing);
    }
    match versions::asked(source).map_err(|why| Report::new(Code::BadManifest, why))? {
        Some((version, by)) => versions::of(&version)
            .await
            .map_err(|why| missing(format!("{by} asks for Python {version}: {why}"))),
        None => versions::usual(Some(source)).await.map_err(missing),
    }
}

fn plan(
    source: &CodeSource,
    name: FunctionName,
    python: Option<&Interpreter>,
    packages: Option<&Packages>,
) -> Result<CodePlan, Report> {
    let asked = &source.bundle.manifest.settings;
    let mut settings = asked.over(&Settings::default()).map_err(|why| Report::new(Code::BadManifest, why))?;
    // Code is not made for several calls at once, unless its author says so, or it awaits what takes long.
    if asked.concurrency.is_none() && !source.is_concurrent() {
        settings.concurrency = 1;
    }
    let packages = packages.map(|packages| packages.layer.clone());
    let python = python.map(|python| python.version.clone());
    Ok(CodePlan { name, settings, python, packages })
}

/// Starts it as an instance: what it imports is imported, what it loads at its top level is loaded. With the modules that it asked for.
async fn started(
    source: &CodeSource,
    card: &ArtifactCard,
    python: Option<&Interpreter>,
    packages: Option<&Packages>,
    work: &Path,
) -> Result<(Start, Vec<String>), Report> {
    let failed = |why: String| Report::new(Code::StartFailed, format!("the code could not be tried: {why}"));
    let spawner = Spawner::start(this_binary()?, None).await.map_err(|error| failed(error.to_string()))?;
    let trial = Trial {
        card,
        bundle: &source.bundle,
        python,
        packages: packages.map(|packages| packages.folder.as_path()),
        imports: source.imports(),
        target: None,
        memory_mib: card.settings.memory_mib,
    };
    let limit = Duration::from_millis(card.settings.load_timeout_ms);
    let mut running = trial.start(&spawner, work).await.map_err(failed)?;
    let ready = tokio::time::timeout(limit, running.feed.readiness()).await;
    let answer = match ready {
        Ok(Ok(readiness)) => match readiness.failure {
            None => Ok((Start::ReadyMs(readiness.load_ms), readiness.imports)),
            // A program says in its own words why it ended.
            Some((code, why)) if matches!(card.handler, Handler::Program(_)) => {
                let said = last(&mut running.lines).await;
                Err(FunctionError::new(code, format!("{why}\n  {said}")).into())
            }
            Some((code, why)) => Err(FunctionError::new(code, why).into()),
        },
        Ok(Err(error)) => {
            Err(failed(format!("it ended before it was ready ({error}): {}", last(&mut running.lines).await)))
        }
        Err(_) => Err(Report::new(
            Code::LoadTimeout,
            format!("it was not ready within load_timeout_ms = {} ms", limit.as_millis()),
        )
        .hint("raise it: --set load_timeout_ms=300000")),
    };
    // It is ready, or never will be.
    let _ = running.process.stop(Duration::ZERO).await;
    answer
}

/// The last lines of an instance that ended.
async fn last(lines: &mut tokio::sync::mpsc::Receiver<modelet_worker::OutputLine>) -> String {
    let mut last: Vec<String> = Vec::new();
    while let Ok(Some(line)) = tokio::time::timeout(LAST_WORDS, lines.recv()).await {
        last.push(output::plain(&line.text));
    }
    let skipped = last.len().saturating_sub(LAST_LINES);
    if last.is_empty() { "it said nothing".to_owned() } else { last.split_off(skipped).join("\n  ") }
}

fn largest(folder: &Path) -> Vec<(String, u64)> {
    // Only for the eye.
    let mut parts = layer::largest(folder).unwrap_or_default();
    parts.truncate(NAMED_PACKAGES);
    parts
}
