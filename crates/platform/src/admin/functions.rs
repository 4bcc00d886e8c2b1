//! List, describe, delete, logs.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path as PathParameter, Query, State};
use axum::response::Json;
use modelet_core::{Code, FunctionName, InvocationId, PlatformError, Qualifier, entry};
use serde::Deserialize;

use crate::admin::views::{Deleted, FunctionList, FunctionSummary, FunctionView, LogPage, VersionView};
use crate::admin::{Admin, ApiError};
use crate::store::catalog::FunctionEntry;
use crate::store::logs::Filter;
use crate::store::store_failed;

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
    let function = admin.catalog.function(&name)?;
    let live =
        function.resolve(Qualifier::Live).ok_or_else(|| store_failed("find the live version", &name))?;
    Ok(Json(FunctionView {
        url: admin.function_url(&name),
        version: live.version,
        traffic: function.traffic,
        versions: function
            .versions
            .values()
            .map(|entry| VersionView {
                version: entry.version,
                sha256: entry.sha256.clone(),
                made_of: entry.made_of.clone(),
                size_bytes: entry.card.size_bytes(),
                deployed_at_ms: entry.created_at_ms,
            })
            .collect(),
        card: (*live.card).clone(),
        settings: live.card.settings.clone(),
        // Kept as it came; what is not JSON is shown as nothing.
        evidence: serde_json::from_str(&live.evidence).unwrap_or_default(),
        instances: admin.dispatch.instances(&name),
        warning: admin.warning(&function),
        name,
    }))
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
pub(super) async fn to_its_end<T: Send + 'static>(
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
    pub(super) fn function_url(&self, name: &FunctionName) -> String {
        format!("{}/fn/{name}", self.url)
    }

    /// What cannot be as the settings of a live version say.
    fn warning(&self, function: &FunctionEntry) -> Option<String> {
        function.live().find_map(|entry| self.dispatch.warning(entry))
    }

    fn summary(&self, function: &FunctionEntry) -> Option<FunctionSummary> {
        let live = function.resolve(Qualifier::Live)?;
        Some(FunctionSummary {
            name: function.name.clone(),
            version: live.version,
            traffic: function.traffic,
            versions: function.versions.len(),
            engine: live.card.computed_by().to_owned(),
            size_bytes: live.card.size_bytes(),
            instances: self.dispatch.instances(&function.name).len(),
            deployed_at_ms: live.created_at_ms,
            url: self.function_url(&function.name),
        })
    }
}
