//! Usage, and the receipts of cold starts.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path as PathParameter, Query, State};
use axum::response::Json;
use modelet_core::usage::HOUR_MS;
use modelet_core::{Code, FunctionName, PlatformError, Qualifier, Usage};
use serde::Deserialize;

use crate::admin::functions::{Api, name};
use crate::admin::views::{ColdStarts, UsagePage};
use crate::admin::{Admin, openapi};
use crate::store::logs::LogRecord;
use crate::store::usage::{HOURS_KEPT, Period, Question};

/// Hours in an answer unless asked otherwise.
const HOURS: i64 = 24;
/// Cold starts in an answer unless asked otherwise.
const COLD_STARTS: usize = 10;

/// Which usage is wanted.
#[derive(Debug, Deserialize)]
pub(crate) struct UsageQuery {
    function: Option<String>,
    hours: Option<i64>,
    by: Option<Period>,
}

/// What [`UsageQuery`] may say, for the description.
pub(crate) const USAGE_PARAMETERS: &[openapi::Parameter] = &[
    ("function", "query", "string", "only of this function, which may be deleted; without it, of all"),
    ("hours", "query", "integer", "the last hours, the current one included; 24 by default, 9504 at most"),
    ("by", "query", "string", "one row for each `hour` or `day` (UTC), or for `all` of it, as by default"),
];

pub(crate) async fn usage(
    State(admin): State<Arc<Admin>>,
    query: Result<Query<UsageQuery>, QueryRejection>,
) -> Api<UsagePage> {
    let Query(query) = query.map_err(|error| PlatformError::new(Code::BadInput, error.body_text()))?;
    let function = query.function.as_deref().map(name).transpose()?;
    let (period, until_ms) = (query.by.unwrap_or_default(), admin.dispatch.shared().clock.unix_ms());
    let from_ms = until_ms - (query.hours.unwrap_or(HOURS).clamp(1, HOURS_KEPT) - 1) * HOUR_MS;
    let question = Question { function: function.clone(), from_ms, period };
    let (rows, lost_records) = admin.dispatch.shared().logs.usage(question).await?;
    if rows.is_empty() {
        admin.must_exist(function.as_ref())?;
    }
    let mut total = Usage::default();
    rows.iter().for_each(|row| total.add(&row.usage));
    let from_ms = from_ms.div_euclid(HOUR_MS) * HOUR_MS;
    Ok(Json(UsagePage { from_ms, until_ms, by: period, rows, total, lost_records }))
}

/// How many receipts are wanted.
#[derive(Debug, Deserialize)]
pub(crate) struct ColdStartsQuery {
    limit: Option<usize>,
}

/// What [`ColdStartsQuery`] may say, for the description.
pub(crate) const COLD_STARTS_PARAMETERS: &[openapi::Parameter] =
    &[("limit", "query", "integer", "at most this many in all, 10 by default")];

pub(crate) async fn cold_starts(
    State(admin): State<Arc<Admin>>,
    PathParameter(text): PathParameter<String>,
    query: Result<Query<ColdStartsQuery>, QueryRejection>,
) -> Api<ColdStarts> {
    let Query(query) = query.map_err(|error| PlatformError::new(Code::BadInput, error.body_text()))?;
    let name = name(&text)?;
    admin.must_exist(Some(&name))?;
    let limit = query.limit.unwrap_or(COLD_STARTS);
    let mut page = ColdStarts::default();
    for record in admin.dispatch.shared().logs.cold_starts(&name, limit).await? {
        match record {
            LogRecord::Invocation(call) => page.cold_starts.push(call),
            LogRecord::Instance(instance) => page.failed_starts.push(instance),
            LogRecord::Line { .. } | LogRecord::Event { .. } => {}
        }
    }
    Ok(Json(page))
}

impl Admin {
    /// Refuses the name of a function that is not there.
    fn must_exist(&self, function: Option<&FunctionName>) -> Result<(), PlatformError> {
        function.map_or(Ok(()), |name| self.catalog.resolve(name, Qualifier::Live).map(drop))
    }
}
