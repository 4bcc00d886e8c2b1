//! Secrets: set, list, remove. Nothing here gives a value back.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Json;
use http_body_util::{BodyExt, Limited};
use modelet_core::{Code, PlatformError};

use crate::admin::views::{SecretList, SecretView};
use crate::admin::{Admin, ApiError};
use crate::store::secrets::MAX_SECRET_BYTES;
use crate::store::store_failed;

pub(crate) async fn list(State(admin): State<Arc<Admin>>) -> Result<Json<SecretList>, ApiError> {
    let names = admin.secrets().names().map_err(|error| store_failed("list the secrets", error))?;
    Ok(Json(SecretList { secrets: names.into_iter().map(|name| SecretView { name }).collect() }))
}

pub(crate) async fn set(
    State(admin): State<Arc<Admin>>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<SecretView>, ApiError> {
    // One byte more than fits is read, so that the store says what is wrong.
    let value = Limited::new(body, MAX_SECRET_BYTES + 1).collect().await.map_err(|error| {
        let message = format!("a secret has at most {MAX_SECRET_BYTES} bytes: {error}");
        PlatformError::new(Code::BadInput, message)
    })?;
    admin.secrets().set(&name, &value.to_bytes())?;
    Ok(Json(SecretView { name }))
}

pub(crate) async fn remove(
    State(admin): State<Arc<Admin>>,
    Path(name): Path<String>,
) -> Result<Json<SecretView>, ApiError> {
    admin.secrets().remove(&name)?;
    Ok(Json(SecretView { name }))
}
