//! The way of code to a platform: it is tried before it is deployed, and by a platform that is in the same process where that knows it.

use modelet_core::handler::{Handler, Interface, Layer, PythonCard};
use modelet_core::{ArtifactCard, FunctionName};
use modelet_package::code::CodeSource;
use modelet_platform::admin::views::FunctionView;
use std::path::Path;

use super::session::Asked;
use super::{Seen, Way, live};
use crate::making::Made;
use crate::making::code::{Start, Tried, prepared, python};
use crate::output;
use crate::report::Report;

/// Everything from the source to what is packed; `Err` with the function when its live version is of the same source.
pub async fn ready(
    way: &mut Way<'_>,
    source: CodeSource,
    name: FunctionName,
    work: &Path,
) -> Result<Result<(Made, Option<Seen>), Box<FunctionView>>, Report> {
    let (making, progress) = (way.making, way.progress.clone());
    let python = match &mut way.session {
        Some(session) => session.python(&source, python(&source, making)).await?,
        None => python(&source, making).await?,
    };
    let prepared = prepared(source, name.clone(), python, making, &progress).await?;
    if let Some(view) = live(way.client, &name).await?
        && view.card.source_sha256 == prepared.card.source_sha256
    {
        return Ok(Err(Box::new(view)));
    }
    if let Some(session) = &way.session {
        session.check_size(&prepared.card, prepared.packages.as_ref())?;
    }
    let asked = Asked::of(&prepared.source, &prepared.card);
    let known = way.session.as_ref().and_then(|session| session.known(&asked));
    let is_known = known.is_some();
    let tried = match known {
        Some(tried) => tried,
        None => prepared.tried(work, &progress).await?,
    };
    let seen = Seen { asked, tried: tried.clone(), is_known };
    Ok(Ok((prepared.made(tried), Some(seen))))
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
