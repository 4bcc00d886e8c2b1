//! The way of code: its packages are brought, it is started once in a sandbox as an instance, and published.

use std::path::Path;
use std::time::Duration;

use http::Request;
use modelet_core::handler::{Handler, Interface, Layer, PythonCard};
use modelet_core::{ArtifactCard, Code, FunctionError, FunctionName, Settings};
use modelet_package::code::{CodePlan, CodeSource};
use modelet_package::{Packed, layer};
use modelet_platform::admin::views::LayerView;
use modelet_worker::Spawner;
use serde::Serialize;

use super::session::Asked;
use super::{Live, Made, Outcome, Way, as_deployed, live, packed, upload};
use crate::cli::Deploy;
use crate::client::Client;
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
    /// Until it was ready in a sandbox, milliseconds.
    pub load_ms: f64,
    /// Why its event is what it is, where the code says it.
    pub event_reason: Option<String>,
    /// The largest of its packages and their bytes.
    pub largest: Vec<(String, u64)>,
    /// The modules that it asked for while it was loaded.
    #[serde(skip)]
    pub imports: Vec<String>,
}

/// Everything from the source to the live version.
pub async fn publish(
    way: Way<'_>,
    source: CodeSource,
    name: FunctionName,
    work: &Path,
) -> Result<Outcome, Report> {
    let Way { client, deploy, progress, mut session } = way;
    if deploy.proof.sample.is_some() {
        return Err(crate::proof::nothing_converted());
    }
    let given = source.given();
    let python = match &mut session {
        _ if !source.needs_python() => None,
        Some(session) => Some(session.python(&source, python(&source, deploy)).await?),
        None => Some(python(&source, deploy).await?),
    };
    let packages = match (&source.requirements, &python) {
        (Some(requirements), Some(python)) => Some(packages::made(requirements, python, &progress).await?),
        _ => None,
    };
    let mut card = source.card(plan(&source, name.clone(), python.as_ref(), packages.as_ref())?);
    if let Some(view) = live(client, &name).await?
        && view.card.source_sha256 == card.source_sha256
        && let Some(deployed) = as_deployed(view)
    {
        return Ok(Outcome { deployed, made: Made::Nothing, given });
    }
    if let Some(session) = &session {
        session.check_size(&card, packages.as_ref())?;
    }
    let asked = Asked::of(&source, &card);
    let known = session.as_ref().and_then(|session| session.known(&asked));
    // What was tried already shows by itself whether it starts, before anybody calls it.
    let live = if known.is_some() { Live::WhenReady } else { Live::AtOnce };
    let mut tried = match known {
        Some(tried) => tried,
        None => {
            progress.next("trying it in a sandbox");
            tried(&source, &card, python.as_ref(), packages.as_ref(), work).await?
        }
    };
    tried.event_reason = source.event_reason().map(str::to_owned);
    if let Handler::Python(python) = &mut card.handler {
        python.imports.clone_from(&tried.imports);
    }
    match (&session, &packages) {
        (_, None) => {}
        (Some(session), Some(packages)) => session.link(packages)?,
        (None, Some(packages)) => send(client, packages, work, &progress).await?,
    }
    progress.next("packaging");
    let artifact = work.join("artifact.tar");
    let packed = packed(&source.bundle, card, &artifact).await?;
    progress.next(format!("publishing {}", output::size(packed.size_bytes)));
    let evidence = serde_json::to_string(&tried).unwrap_or_default();
    let deployed = upload(client, &packed, &artifact, evidence, live).await?;
    if let Some(session) = session {
        session.remember(asked, tried.clone());
    }
    Ok(Outcome { deployed, made: Made::Code(tried, packed), given })
}

/// The Python that it gets: of the command line, of what the code asks for, or the usual one.
async fn python(source: &CodeSource, deploy: &Deploy) -> Result<Interpreter, Report> {
    let missing = |why: String| {
        Report::new(Code::PythonMissing, why)
            .hint("install it, or say another: [python] version in modelet.toml")
    };
    if let Some(path) = &deploy.proof.python {
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

/// Starts it as an instance: what it imports is imported, what it loads at its top level is loaded.
async fn tried(
    source: &CodeSource,
    card: &ArtifactCard,
    python: Option<&Interpreter>,
    packages: Option<&Packages>,
    work: &Path,
) -> Result<Tried, Report> {
    let failed = |why: String| Report::new(Code::StartFailed, format!("the code could not be tried: {why}"));
    let spawner = Spawner::start(this_binary()?, None).await.map_err(|error| failed(error.to_string()))?;
    let trial = Trial {
        card,
        bundle: &source.bundle,
        python,
        packages: packages.map(|packages| packages.folder.as_path()),
        imports: source.imports(),
    };
    let limit = Duration::from_millis(card.settings.load_timeout_ms);
    let mut running = trial.start(&spawner, work).await.map_err(failed)?;
    let ready = tokio::time::timeout(limit, running.feed.readiness()).await;
    let answer = match ready {
        Ok(Ok(readiness)) => match readiness.failure {
            None => Ok(Tried {
                load_ms: readiness.load_ms,
                event_reason: None,
                largest: packages.map(|packages| largest(&packages.folder)).unwrap_or_default(),
                imports: readiness.imports,
            }),
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

/// Sends the packages, unless the platform has them.
async fn send(client: &Client, packages: &Packages, work: &Path, progress: &Progress) -> Result<(), Report> {
    let path = format!("/api/v1/layers/{}", packages.layer.sha256);
    let view: LayerView = client.get(&path).await?;
    if view.known {
        return Ok(());
    }
    progress.next(format!("sending {} of packages, once", output::size(packages.layer.size_bytes)));
    let (folder, tar) = (packages.folder.clone(), work.join("packages.tar"));
    let target = tar.clone();
    let written = tokio::task::spawn_blocking(move || layer::pack(&folder, &target)).await;
    let written =
        written.map_err(|error| error.to_string()).and_then(|it| it.map_err(|error| error.to_string()));
    let not_written =
        |why: String| Report::new(Code::PackagesRefused, format!("the packages could not be packed: {why}"));
    let (sha256, _) = written.map_err(not_written)?;
    if sha256 != packages.layer.sha256 {
        return Err(not_written(format!("{} was changed since it was made", packages.folder.display()))
            .hint("remove that folder, and deploy again"));
    }
    let request = Request::put(path).header(http::header::CONTENT_TYPE, "application/x-tar");
    client.upload::<LayerView>(request, &tar).await.map(drop)
}

fn largest(folder: &Path) -> Vec<(String, u64)> {
    // Only for the eye.
    let mut parts = layer::largest(folder).unwrap_or_default();
    parts.truncate(NAMED_PACKAGES);
    parts
}

/// A first call. What code takes nobody knows but its author; where an application answers is known.
pub fn call(card: &ArtifactCard, url: &str) -> String {
    match &card.handler {
        Handler::Python(PythonCard { interface: Interface::Score | Interface::Predict, .. }) => {
            format!("curl {url} -H 'content-type: application/json' -d '[[…]]'")
        }
        _ if card.is_application() => format!("curl {url}/   and every path below it"),
        _ => format!("curl {url} -d '{{}}'   with an event of yours"),
    }
}

/// The lines of the card that are about the code.
pub fn print(given: &str, tried: &Tried, packed: &Packed) {
    output::card_line("handler", given);
    if let Some(reason) = &tried.event_reason {
        output::card_line(
            "event",
            format!("the whole request, since {reason} ([python] event = \"body\" for the body alone)"),
        );
    }
    if let Handler::Python(python) = &packed.card.handler {
        for named in python.outside.keys() {
            output::card_line("also", format!("{named}, which the code names"));
        }
    }
    let python = packed.card.python().map(|version| format!("Python {version}, ")).unwrap_or_default();
    output::card_line("tried", format!("{python}ready in {:.0} ms in a sandbox", tried.load_ms));
    if let Some(Layer { packages, size_bytes, .. }) = packed.card.packages() {
        let part = |(name, size): &(String, u64)| format!("{name} {}", output::size(*size));
        let parts: Vec<String> = tried.largest.iter().map(part).collect();
        let more = if packages.len() > parts.len() { ", …" } else { "" };
        let size = output::size(*size_bytes);
        output::card_line("packages", format!("{}, {size}: {}{more}", packages.len(), parts.join(", ")));
    }
}
