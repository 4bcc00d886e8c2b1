//! What is there, as the platform says it, and its words for traffic beside those of all targets.

use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use modelet_cloud::error::{CloudError, found};
use modelet_cloud::traffic::{Canary, Traffic};
use modelet_cloud::{Delivery, Deployment};
use modelet_core::{ArtifactCard, FunctionName, Percent, Version};
use modelet_platform::admin::views::{FunctionView, LayerView, VersionView};
use serde_json::json;

use crate::client::Client;

/// What is there.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct There {
    /// The function.
    pub function: Option<FunctionView>,
    /// True when the packages that are wanted are there, or none are.
    pub has_packages: bool,
}

/// Where the admin API has a function.
pub fn path(name: &FunctionName) -> String {
    format!("/api/v1/functions/{name}")
}

/// A function that is there.
///
/// # Errors
/// `function-not-found`, or what the platform says.
pub async fn function(client: &Client, name: &FunctionName) -> Result<FunctionView, CloudError> {
    Ok(client.get(&path(name)).await?)
}

/// Reads what is there of a function, and of the packages that are wanted.
///
/// # Errors
/// What the platform says when it does not tell.
pub async fn look(
    client: &Client,
    name: &FunctionName,
    wanted: Option<&Deployment>,
) -> Result<There, CloudError> {
    let packages = match wanted.map(|wanted| &wanted.delivery) {
        Some(Delivery::Artifact(artifact)) => artifact.packages.as_ref(),
        _ => None,
    };
    let has_packages = match packages {
        None => true,
        Some((layer, _)) => client.get::<LayerView>(&format!("/api/v1/layers/{}", layer.sha256)).await?.known,
    };
    Ok(There { function: found(function(client, name).await)?, has_packages })
}

/// Gives the calls to others; with `was` only if they go so until now.
///
/// # Errors
/// What the platform says.
pub async fn route(
    client: &Client,
    name: &FunctionName,
    next: modelet_core::Traffic,
    was: Option<modelet_core::Traffic>,
) -> Result<modelet_core::Traffic, CloudError> {
    let mut body = json!(next);
    if let Some(was) = was {
        body["was"] = json!(was);
    }
    let request =
        Request::put(format!("{}/aliases/live", path(name))).header(CONTENT_TYPE, "application/json");
    Ok(client.json(request, Bytes::from(body.to_string())).await?)
}

/// The version that was made of the same as a card: one that gets calls, else the newest.
pub fn known<'a>(view: &'a FunctionView, card: &ArtifactCard) -> Option<&'a VersionView> {
    let made_of = card.made_of();
    let mut same: Vec<_> = view.versions.iter().filter(|version| version.made_of == made_of).collect();
    same.sort_by_key(|version| (view.traffic.reaches(version.version), version.version));
    same.pop()
}

/// The numbers of a function's versions, the oldest first.
pub fn numbers(view: &FunctionView) -> Vec<String> {
    view.versions.iter().map(|version| version.version.to_string()).collect()
}

/// Who gets the calls, as all targets say it.
pub fn told(traffic: modelet_core::Traffic) -> Traffic {
    Traffic {
        version: traffic.version.to_string(),
        canary: traffic
            .canary
            .map(|canary| Canary { version: canary.version.to_string(), percent: canary.percent.get() }),
    }
}

/// The same, as the platform takes it.
///
/// # Errors
/// When a version has no number, or a part is none.
pub fn number(traffic: &Traffic) -> Result<modelet_core::Traffic, CloudError> {
    let version = |text: &str| {
        let why = || CloudError::refused(format!("{text:?} is no number of a version"));
        text.parse().map(Version).map_err(|_| why())
    };
    let canary = |canary: &Canary| {
        let percent = Percent::try_from(i64::from(canary.percent)).map_err(CloudError::refused)?;
        Ok::<_, CloudError>(modelet_core::Canary { version: version(&canary.version)?, percent })
    };
    Ok(modelet_core::Traffic {
        version: version(&traffic.version)?,
        canary: traffic.canary.as_ref().map(canary).transpose()?,
    })
}
