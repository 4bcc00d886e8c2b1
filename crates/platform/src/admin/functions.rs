//! Deploy, list, describe, delete, logs.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path as PathParameter, Query, State};
use axum::response::Json;
use http::HeaderMap;
use http_body_util::BodyExt;
use modelet_core::{Code, FunctionName, InvocationId, PlatformError, Qualifier, entry};
use serde::Deserialize;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use crate::admin::views::{
    Deleted, Deployed, FunctionList, FunctionSummary, FunctionView, LogPage, VersionView,
};
use crate::admin::{Admin, ApiError};
use crate::dispatch::launch;
use crate::store::catalog::FunctionEntry;
use crate::store::logs::Filter;
use crate::store::store_failed;

/// Header of an upload: SHA-256 of the body, hexadecimal.
pub const HEADER_SHA256: &str = "x-modelet-sha256";
/// Header of an upload: JSON, what was measured when the engine was chosen.
pub const HEADER_EVIDENCE: &str = "x-modelet-evidence";

/// Header of an upload, `ready`: the version becomes live once an instance of it is ready, and there is no such version if none can be.
pub const HEADER_LIVE_WHEN: &str = "x-modelet-live-when";

/// Longest wait for new log rows.
const MAX_LOG_WAIT: Duration = Duration::from_secs(60);
/// Log rows in an answer unless asked otherwise.
const LOG_ROWS: usize = 100;

pub(crate) type Api<T> = Result<Json<T>, ApiError>;

pub(crate) fn name(text: &str) -> Result<FunctionName, PlatformError> {
    text.parse()
        .map_err(|error: modelet_core::NameError| PlatformError::new(Code::BadName, error.to_string()))
}

pub(crate) async fn list(State(admin): State<Arc<Admin>>) -> Json<FunctionList> {
    let functions = admin.catalog.all();
    Json(FunctionList { functions: functions.iter().filter_map(|entry| admin.summary(entry)).collect() })
}

pub(crate) async fn describe(
    State(admin): State<Arc<Admin>>,
    PathParameter(text): PathParameter<String>,
) -> Api<FunctionView> {
    let name = name(&text)?;
    let live = admin.catalog.resolve(&name, Qualifier::Live)?;
    let versions = admin.catalog.get(&name).map(|function| function.versions.clone()).unwrap_or_default();
    Ok(Json(FunctionView {
        url: admin.function_url(&name),
        version: live.version,
        versions: versions
            .values()
            .map(|entry| VersionView {
                version: entry.version,
                sha256: entry.sha256.clone(),
                size_bytes: entry.card.size_bytes(),
                deployed_at_ms: entry.created_at_ms,
            })
            .collect(),
        card: (*live.card).clone(),
        settings: live.card.settings.clone(),
        // Kept as it came; what is not JSON is shown as nothing.
        evidence: serde_json::from_str(&live.evidence).unwrap_or_default(),
        instances: admin.dispatch.instances(&name),
        name,
    }))
}

pub(crate) async fn deploy(
    State(admin): State<Arc<Admin>>,
    PathParameter(text): PathParameter<String>,
    headers: HeaderMap,
    body: Body,
) -> Api<Deployed> {
    let name = name(&text)?;
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
    let when_ready = headers.get(HEADER_LIVE_WHEN).is_some_and(|value| value == "ready");
    let published = to_its_end(async move {
        let ready = async |entry: &_| if when_ready { dispatch.make_ready(entry).await } else { Ok(()) };
        let published = catalog.publish(prepared, evidence, now_ms, ready).await?;
        dispatch.go_live(&catalog, &published.0.card.name);
        Ok(published)
    });
    let (entry, created) = published.await?;
    Ok(Json(Deployed {
        url: admin.function_url(&name),
        name,
        version: entry.version,
        created,
        sha256: entry.sha256.clone(),
        size_bytes: entry.card.size_bytes(),
        warning: admin.dispatch.warning(&entry),
    }))
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

pub(crate) async fn delete(
    State(admin): State<Arc<Admin>>,
    PathParameter(text): PathParameter<String>,
) -> Api<Deleted> {
    let name = name(&text)?;
    let deleted = to_its_end(async move {
        let function = admin.catalog.delete(&name).await?;
        admin.asynchronous.forget(&name).await;
        admin.dispatch.drain_function(&name).await;
        admin.dispatch.shared().logs.forget(&name).await;
        admin.catalog.sweep().await?;
        Ok(Deleted { name, versions: function.versions.len() })
    });
    Ok(Json(deleted.await?))
}

/// Runs a change to its end though the client may leave: it would otherwise stop at any `await`.
async fn to_its_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, PlatformError>> + Send + 'static,
) -> Result<T, PlatformError> {
    tokio::spawn(change).await.map_err(|error| store_failed("finish the change", error))?
}

/// Which part of a log is wanted.
#[derive(Debug, Deserialize)]
pub(crate) struct LogQuery {
    /// Only rows after this one.
    after: Option<i64>,
    /// At most this many.
    limit: Option<usize>,
    /// When there are none, wait this long for some.
    wait_ms: Option<u64>,
    /// Only what matters at least so much.
    level: Option<String>,
    /// Only of this call.
    call: Option<InvocationId>,
    /// Only of the last so many milliseconds.
    within_ms: Option<u64>,
}

impl LogQuery {
    /// What is shown, at this moment: milliseconds since 1970.
    fn filter(&self, now_ms: i64) -> Result<Filter, PlatformError> {
        let rank = |level: &str| {
            let message = format!("there is no level {level:?}: debug, info, warning, error, critical");
            entry::rank(level).ok_or_else(|| PlatformError::new(Code::BadInput, message))
        };
        let age = |ms| now_ms.saturating_sub(i64::try_from(ms).unwrap_or(i64::MAX));
        Ok(Filter {
            rank: self.level.as_deref().map(rank).transpose()?,
            call: self.call.clone(),
            from_ms: self.within_ms.map(age),
        })
    }
}

pub(crate) async fn logs(
    State(admin): State<Arc<Admin>>,
    PathParameter(text): PathParameter<String>,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> Api<LogPage> {
    let Query(query) = query.map_err(|error| PlatformError::new(Code::BadInput, error.body_text()))?;
    let name = name(&text)?;
    admin.catalog.resolve(&name, Qualifier::Live)?;
    let wait = Duration::from_millis(query.wait_ms.unwrap_or(0)).min(MAX_LOG_WAIT);
    let limit = query.limit.unwrap_or(LOG_ROWS);
    let shared = admin.dispatch.shared();
    let filter = query.filter(shared.clock.unix_ms())?;
    let rows = shared.logs.read(&name, query.after, limit, filter, wait).await?;
    Ok(Json(LogPage { rows }))
}

impl Admin {
    fn function_url(&self, name: &FunctionName) -> String {
        format!("{}/fn/{name}", self.url)
    }

    fn summary(&self, function: &FunctionEntry) -> Option<FunctionSummary> {
        let live = function.resolve(Qualifier::Live)?;
        Some(FunctionSummary {
            name: function.name.clone(),
            version: live.version,
            versions: function.versions.len(),
            engine: live.card.computed_by().to_owned(),
            size_bytes: live.card.size_bytes(),
            instances: self.dispatch.instances(&function.name).len(),
            deployed_at_ms: live.created_at_ms,
            url: self.function_url(&function.name),
        })
    }
}
