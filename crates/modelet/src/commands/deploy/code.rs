//! The way of code to a platform: its packages travel apart, and a platform that is in the same process tries it itself.

use std::path::Path;

use http::Request;
use modelet_core::handler::{Handler, Interface, Layer, PythonCard};
use modelet_core::{ArtifactCard, Code, FunctionName};
use modelet_package::code::CodeSource;
use modelet_package::layer;
use modelet_platform::admin::views::LayerView;

use super::session::Asked;
use super::{Live, Outcome, Way, as_deployed, live, upload};
use crate::client::Client;
use crate::making::code::{Start, Tried, prepared, python};
use crate::output::{self, Progress};
use crate::python::packages::Made as Packages;
use crate::report::Report;

/// Everything from the source to the live version.
pub async fn publish(
    way: Way<'_>,
    source: CodeSource,
    name: FunctionName,
    work: &Path,
) -> Result<Outcome, Report> {
    let Way { client, making, progress, mut session } = way;
    let python = match &mut session {
        Some(session) => session.python(&source, python(&source, making)).await?,
        None => python(&source, making).await?,
    };
    let prepared = prepared(source, name.clone(), python, making, &progress).await?;
    if let Some(view) = live(client, &name).await?
        && view.card.source_sha256 == prepared.card.source_sha256
        && let Some(deployed) = as_deployed(view)
    {
        return Ok(Outcome { deployed, made: None });
    }
    if let Some(session) = &session {
        session.check_size(&prepared.card, prepared.packages.as_ref())?;
    }
    let asked = Asked::of(&prepared.source, &prepared.card);
    let known = session.as_ref().and_then(|session| session.known(&asked));
    // What was tried already shows by itself whether it starts, before anybody calls it.
    let live = if known.is_some() { Live::WhenReady } else { Live::AtOnce };
    let tried = match known {
        Some(tried) => tried,
        None => prepared.tried(work, &progress).await?,
    };
    let made = prepared.made(tried.clone());
    match (&session, &made.packages) {
        (_, None) => {}
        (Some(session), Some(packages)) => session.link(packages)?,
        (None, Some(packages)) => send(client, packages, work, &progress).await?,
    }
    progress.next("packaging");
    let artifact = work.join("artifact.tar");
    let packed = made.packed(&artifact).await?;
    progress.next(format!("publishing {}", output::size(packed.size_bytes)));
    let deployed = upload(client, &packed, &artifact, made.found.as_text(), live).await?;
    if let Some(session) = session {
        session.remember(asked, tried);
    }
    Ok(Outcome { deployed, made: Some(made) })
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
pub fn print(given: &str, tried: &Tried, card: &ArtifactCard) {
    output::card_line("handler", given);
    if let Some(reason) = &tried.event_reason {
        output::card_line(
            "event",
            format!("the whole request, since {reason} ([python] event = \"body\" for the body alone)"),
        );
    }
    if let Handler::Python(python) = &card.handler {
        for named in python.outside.keys() {
            output::card_line("also", format!("{named}, which the code names"));
        }
    }
    let python = card.python().map(|version| format!("Python {version}, ")).unwrap_or_default();
    output::card_line(
        "tried",
        match &tried.start {
            Start::ReadyMs(load_ms) => format!("{python}ready in {load_ms:.0} ms in a sandbox"),
            Start::Foreign(file) => {
                format!("not at all: {file} is for another processor than this machine's")
            }
        },
    );
    if let Some(Layer { packages, size_bytes, .. }) = card.packages() {
        let part = |(name, size): &(String, u64)| format!("{name} {}", output::size(*size));
        let parts: Vec<String> = tried.largest.iter().map(part).collect();
        let more = if packages.len() > parts.len() { ", …" } else { "" };
        let size = output::size(*size_bytes);
        output::card_line("packages", format!("{}, {size}: {}{more}", packages.len(), parts.join(", ")));
    }
}
