//! Layers: packages that versions share, sent before the first version that needs them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path as PathParameter, State};
use axum::response::Json;
use modelet_core::{Code, PlatformError};

use crate::admin::Admin;
use crate::admin::functions::Api;
use crate::admin::versions::receive;
use crate::admin::views::LayerView;
use crate::store::{is_digest, store_failed};

pub(crate) async fn describe(
    State(admin): State<Arc<Admin>>,
    PathParameter(sha256): PathParameter<String>,
) -> Api<LayerView> {
    let known = admin.catalog.layers().has(&sha256);
    Ok(Json(LayerView { sha256, known }))
}

pub(crate) async fn store(
    State(admin): State<Arc<Admin>>,
    PathParameter(sha256): PathParameter<String>,
    body: Body,
) -> Api<LayerView> {
    if !is_digest(&sha256) {
        let message = format!("{sha256:?} is not a SHA-256, hexadecimal");
        return Err(PlatformError::new(Code::BadArtifact, message).into());
    }
    let layers = admin.catalog.layers().clone();
    let upload = layers.draft(&ulid::Ulid::generate().to_string());
    if let Err(error) = receive(body, &upload, admin.artifact_limit_bytes).await {
        // A draft that cannot be removed now is removed at the next start.
        let _ = tokio::fs::remove_file(&upload).await;
        return Err(error.into());
    }
    let promised = sha256.clone();
    let stored = tokio::task::spawn_blocking(move || layers.store(&upload, &promised)).await;
    stored.map_err(|error| store_failed("store the layer", error))??;
    Ok(Json(LayerView { sha256, known: true }))
}
