//! The admin API: what the command line speaks, and anything else can. `GET /openapi.json` describes it; the description is
//! made from the same list as the routes, so that neither can be ahead of the other.
//!
//! - [`views`]: what goes over the wire
//! - [`functions`]: list, describe, delete, logs
//! - [`versions`]: deploy one, delete one; [`aliases`]: who gets the calls
//! - [`layers`]: packages that versions share
//! - [`secrets`]: set, list, remove
//! - [`usage`]: usage, and the receipts of cold starts
//! - [`metrics`]: what Prometheus reads; [`exposition`]: how it is written
//! - [`openapi`]: the description
//! - [`origin`]: keeps web pages of other origins out

mod aliases;
pub mod exposition;
pub mod functions;
mod layers;
pub mod metrics;
pub mod openapi;
pub mod origin;
pub mod secrets;
pub mod usage;
pub mod versions;
pub mod views;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{MethodRouter, get};
use modelet_core::{Code, Failure, PlatformError};
use modelet_protocol::ProtocolName;

use crate::config::Config;
use crate::dispatch::Dispatch;
use crate::gateway::asynchronous::Asynchronous;
use crate::store::catalog::Catalog;
use crate::store::secrets::Secrets;
use views::PlatformView;

/// What the admin API needs of the platform.
pub struct Admin {
    catalog: Arc<Catalog>,
    dispatch: Arc<Dispatch>,
    asynchronous: Arc<Asynchronous>,
    artifact_limit_bytes: u64,
    url: String,
    data: String,
}

impl Admin {
    /// Takes what it needs.
    pub fn new(
        catalog: Arc<Catalog>,
        dispatch: Arc<Dispatch>,
        asynchronous: Arc<Asynchronous>,
        config: &Config,
        url: &str,
    ) -> Self {
        Self {
            catalog,
            dispatch,
            asynchronous,
            artifact_limit_bytes: config.artifact_limit_mib << 20,
            url: url.to_owned(),
            data: config.data.display().to_string(),
        }
    }
}

impl Admin {
    fn secrets(&self) -> &Secrets {
        &self.dispatch.shared().secrets
    }
}

type Handlers = MethodRouter<Arc<Admin>>;

/// All routes of the admin API, and the index at `/`.
pub fn router(admin: Arc<Admin>) -> Router {
    let mut router = Router::new();
    for operation in openapi::operations() {
        router = router.route(operation.path, operation.handler);
    }
    router
        .route("/openapi.json", get(|| async { Json(openapi::document()) }))
        .route("/", get(index))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .layer(axum::middleware::from_fn(origin::keep_out))
        .with_state(admin)
}

async fn index(State(admin): State<Arc<Admin>>) -> String {
    let mut text = format!("modelet {} at {}\n\n", env!("CARGO_PKG_VERSION"), admin.url);
    for function in admin.catalog.all() {
        text.push_str(&format!("{}/fn/{}\n", admin.url, function.name));
    }
    text.push_str("\nadmin API: /openapi.json\n");
    text
}

async fn not_found(uri: http::Uri) -> ApiError {
    let message = format!("nothing answers at {}", uri.path());
    let hint =
        "functions are at /fn/NAME and /v2/models/NAME/infer, the admin API is described at /openapi.json";
    ApiError(PlatformError::new(Code::RouteNotFound, message).hint(hint).into())
}

async fn not_allowed(method: http::Method, uri: http::Uri) -> ApiError {
    let message = format!("{} does not take {method}", uri.path());
    ApiError(
        PlatformError::new(Code::MethodNotAllowed, message).hint("/openapi.json lists the methods").into(),
    )
}

pub(crate) async fn platform(State(admin): State<Arc<Admin>>) -> Json<PlatformView> {
    let functions = admin.catalog.all();
    let instances = functions.iter().map(|function| admin.dispatch.instances(&function.name).len()).sum();
    Json(PlatformView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        url: admin.url.clone(),
        data: admin.data.clone(),
        uptime_ms: u64::try_from(admin.dispatch.shared().clock.now().as_millis()).unwrap_or(u64::MAX),
        functions: functions.len(),
        instances,
    })
}

/// A failure as the admin API tells it: the same JSON as at `/fn`.
pub struct ApiError(pub Failure);

impl From<PlatformError> for ApiError {
    fn from(error: PlatformError) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        modelet_protocol::error(ProtocolName::Fn, &self.0, None).map(Body::from)
    }
}
