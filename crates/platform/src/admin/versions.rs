//! Versions: deploy one, delete one that gets no calls.

use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path as PathParameter, State};
use axum::response::Json;
use http::HeaderMap;
use http_body_util::BodyExt;
use modelet_core::{Code, Percent, PlatformError, Version};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use crate::admin::Admin;
use crate::admin::functions::{Api, name, to_its_end};
use crate::admin::views::{Deployed, VersionDeleted};
use crate::dispatch::launch;
use crate::store::catalog::Share;
use crate::store::store_failed;

/// Header of an upload: SHA-256 of the body, hexadecimal.
pub const HEADER_SHA256: &str = "x-modelet-sha256";
/// Header of an upload: JSON, what was measured when the engine was chosen.
pub const HEADER_EVIDENCE: &str = "x-modelet-evidence";
/// Header of an upload, `ready`: the version becomes live once an instance of it is ready, and there is no such version if none can be.
/// `asked`: it gets no calls before somebody gives it some, unless it is the first one of its function.
pub const HEADER_LIVE_WHEN: &str = "x-modelet-live-when";
/// Header of an upload: the part of the calls that the version gets at first, percent.
pub const HEADER_CANARY: &str = "x-modelet-canary";

pub(crate) async fn deploy(
    State(admin): State<Arc<Admin>>,
    PathParameter(text): PathParameter<String>,
    headers: HeaderMap,
    body: Body,
) -> Api<Deployed> {
    let name = name(&text)?;
    let (share, when_ready) = live(&headers)?;
    let promised = headers.get(HEADER_SHA256).and_then(|value| value.to_str().ok()).ok_or_else(|| {
        PlatformError::new(Code::BadArtifact, format!("the header {HEADER_SHA256} is missing"))
            .hint("send the SHA-256 of the body, hexadecimal")
    })?;
    let evidence = headers
        .get(HEADER_EVIDENCE)
        .map_or_else(String::new, |value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let upload = admin.catalog.artifacts().draft(&ulid::Ulid::generate().to_string());
    if let Err(error) = receive(body, &upload, admin.artifact_limit_bytes).await {
        // A draft that cannot be removed now is removed at the next start.
        let _ = tokio::fs::remove_file(&upload).await;
        return Err(error.into());
    }
    let (artifacts, promised) = (admin.catalog.artifacts().clone(), promised.to_owned());
    let prepared = tokio::task::spawn_blocking(move || artifacts.prepare(&upload, &promised)).await;
    let prepared = prepared.map_err(|error| store_failed("store the artifact", error))??;
    if prepared.card.name != name {
        let message = format!("the artifact was made for {}, not for {name}", prepared.card.name);
        return Err(PlatformError::new(Code::BadArtifact, message).into());
    }
    if let Some(version) = prepared.card.python() {
        // Said now, and not to whoever calls it first.
        launch::python(admin.dispatch.shared(), version).await?;
    }
    let now_ms = admin.dispatch.shared().clock.unix_ms();
    let (catalog, dispatch) = (admin.catalog.clone(), admin.dispatch.clone());
    let published = to_its_end(async move {
        let ready = async |entry: &_| if when_ready { dispatch.make_ready(entry).await } else { Ok(()) };
        let published = catalog.publish(prepared, (evidence, share), now_ms, ready).await?;
        dispatch.go_live(&catalog, &published.0.card.name);
        Ok(published)
    });
    let (entry, created) = published.await?;
    let traffic = admin.catalog.function(&name)?.traffic;
    Ok(Json(Deployed {
        url: admin.function_url(&name),
        name,
        traffic,
        version: entry.version,
        created,
        sha256: entry.sha256.clone(),
        size_bytes: entry.card.size_bytes(),
        warning: admin.dispatch.warning(&entry),
    }))
}

/// What the version gets of the calls, and whether once an instance of it is ready.
fn live(headers: &HeaderMap) -> Result<(Share, bool), PlatformError> {
    let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let bad = |why: String| PlatformError::new(Code::BadInput, why);
    let part = text(HEADER_CANARY).map(|text| {
        let number =
            text.parse::<i64>().map_err(|_| bad(format!("{HEADER_CANARY}: {text:?} is no whole number")))?;
        Percent::try_from(number).map_err(|why| bad(format!("{HEADER_CANARY}: {why}")))
    });
    match (part.transpose()?, text(HEADER_LIVE_WHEN).as_deref()) {
        (Some(_), Some("asked")) => {
            Err(bad(format!("{HEADER_LIVE_WHEN}: asked gives it no calls, {HEADER_CANARY} gives it some"))
                .hint("leave one of them out"))
        }
        (None, Some("asked")) => Ok((Share::None, false)),
        (part, when) => Ok((part.map_or(Share::All, Share::Part), when == Some("ready"))),
    }
}

pub(crate) async fn receive(mut body: Body, upload: &Path, limit_bytes: u64) -> Result<(), PlatformError> {
    let mut file = File::create(upload).await.map_err(|error| store_failed("store the upload", error))?;
    let mut received = 0_u64;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            PlatformError::new(
                Code::BadArtifact,
                format!("the upload broke off after {received} bytes: {error}"),
            )
        })?;
        let Some(data) = frame.data_ref() else { continue };
        received += data.len() as u64;
        if received > limit_bytes {
            let message = format!("the artifact has more than {} MiB", limit_bytes >> 20);
            return Err(PlatformError::new(Code::BodyTooLarge, message)
                .hint("raise --artifact-limit-mib of modelet up"));
        }
        file.write_all(data).await.map_err(|error| store_failed("store the upload", error))?;
    }
    file.flush().await.map_err(|error| store_failed("store the upload", error))
}

/// Deletes a version; its calls in flight end first.
pub(crate) async fn delete(
    State(admin): State<Arc<Admin>>,
    PathParameter((text, version)): PathParameter<(String, String)>,
) -> Api<VersionDeleted> {
    let name = name(&text)?;
    let number = version.parse().map_err(|_| {
        PlatformError::new(Code::VersionNotFound, format!("{version:?} is no number of a version"))
    })?;
    let version = Version(number);
    let deleted = to_its_end(async move {
        admin.catalog.delete_version(&name, version).await?;
        admin.dispatch.drain_version(&name, version).await;
        admin.catalog.sweep().await?;
        Ok(VersionDeleted { name, version })
    });
    Ok(Json(deleted.await?))
}
