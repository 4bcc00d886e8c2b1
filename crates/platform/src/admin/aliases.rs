//! The alias `live`: who gets the calls.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Json;
use http_body_util::{BodyExt, Limited};
use modelet_core::{Canary, Code, PlatformError, Traffic, Version};
use serde::Deserialize;

use crate::admin::Admin;
use crate::admin::functions::{Api, name, to_its_end};

/// Largest request, bytes.
const MAX_REQUEST_BYTES: usize = 4 << 10;

/// Who is to get the calls.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    /// The version that gets all calls, or all but the canary's.
    version: Version,
    /// Another that gets a part.
    #[serde(default)]
    canary: Option<Canary>,
    /// Only if they go so until now: two people do not overwrite each other.
    #[serde(default)]
    was: Option<Traffic>,
}

pub(crate) async fn route(
    State(admin): State<Arc<Admin>>,
    Path(text): Path<String>,
    body: Body,
) -> Api<Traffic> {
    let name = name(&text)?;
    let bad = |why: String| {
        PlatformError::new(Code::BadInput, why)
            .hint(r#"send {"version": 3, "canary": {"version": 4, "percent": 10}}; without a canary version 3 gets all"#)
    };
    let body = Limited::new(body, MAX_REQUEST_BYTES).collect().await;
    let body =
        body.map_err(|error| bad(format!("the request has at most {MAX_REQUEST_BYTES} bytes: {error}")))?;
    let Route { version, canary, was } = serde_json::from_slice(&body.to_bytes())
        .map_err(|error| bad(format!("the body does not say who gets the calls: {error}")))?;
    let routed = to_its_end(async move {
        let next = admin.catalog.route(&name, Traffic { version, canary }, was).await?;
        admin.dispatch.go_live(&admin.catalog, &name);
        Ok(next)
    });
    Ok(Json(routed.await?))
}
