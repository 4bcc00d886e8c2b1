//! Does what a plan says, at a platform.

use http::Request;
use http::header::CONTENT_TYPE;
use modelet_cloud::apply::{Hand, Inverse};
use modelet_cloud::delivery::Artifact;
use modelet_cloud::error::gone;
use modelet_cloud::traffic::{NEW, Traffic};
use modelet_cloud::{CloudError, Delivery, Deployment};
use modelet_core::{Code, FunctionName, Version};
use modelet_package::layer;
use modelet_platform::admin::versions::{HEADER_EVIDENCE, HEADER_LIVE_WHEN, HEADER_SHA256};
use modelet_platform::admin::views::{Deleted, Deployed, LayerView, VersionDeleted};

use super::action::Action;
use super::there::{There, number, path, route, told};
use crate::client::Client;
use crate::report::Report;

/// Who does it.
pub struct PlatformHand<'a> {
    client: &'a Client,
    name: &'a FunctionName,
    /// What is sent; `None` where nothing is.
    artifact: Option<&'a Artifact>,
    before: &'a There,
    /// Who gets the calls by now.
    now: Option<modelet_core::Traffic>,
    /// The version that the plan made, or that somebody made of the same in between.
    new: Option<Deployed>,
}

impl<'a> PlatformHand<'a> {
    /// Of a function, as it was before.
    pub fn new(
        client: &'a Client,
        name: &'a FunctionName,
        wanted: Option<&'a Deployment>,
        before: &'a There,
    ) -> Self {
        let artifact = match wanted.map(|wanted| &wanted.delivery) {
            Some(Delivery::Artifact(artifact)) => Some(artifact),
            _ => None,
        };
        let now = before.function.as_ref().map(|function| function.traffic);
        Self { client, name, artifact, before, now, new: None }
    }

    fn artifact(&self) -> Result<&'a Artifact, CloudError> {
        self.artifact.ok_or_else(|| CloudError::refused("there is no artifact to send"))
    }

    /// Sends the artifact. A version that is not `live` gets no calls, unless it is the first one of its function.
    async fn publish(&mut self, live: bool) -> Result<(), CloudError> {
        let artifact = self.artifact()?;
        let mut request = upload(self.name, artifact);
        if !live {
            request = request.header(HEADER_LIVE_WHEN, "asked");
        }
        self.new = Some(self.client.upload(request, &artifact.path).await?);
        Ok(())
    }

    async fn route(&mut self, next: &Traffic) -> Result<(), CloudError> {
        let named = |version: &String| match &self.new {
            Some(new) if version == NEW => new.version.to_string(),
            _ => version.clone(),
        };
        let mut next = Traffic { version: named(&next.version), canary: next.canary.clone() };
        next.canary.iter_mut().for_each(|canary| canary.version = named(&canary.version));
        if self.now.map(told).as_ref() == Some(&next) {
            return Ok(());
        }
        self.now = Some(route(self.client, self.name, number(&next)?, self.now).await?);
        Ok(())
    }

    async fn delete_new_version(&self) -> Result<(), CloudError> {
        // What somebody else made stays.
        let Some(Version(version)) = self.new.as_ref().filter(|new| new.created).map(|new| new.version)
        else {
            return Ok(());
        };
        let path = format!("{}/versions/{version}", path(self.name));
        gone(self.client.delete::<VersionDeleted>(&path).await.map(drop).map_err(CloudError::from))
    }
}

impl Hand for PlatformHand<'_> {
    type Action = Action;

    async fn carry_out(&mut self, action: &Action) -> Result<(), CloudError> {
        match action {
            Action::PutPackages => Ok(send_packages(self.client, self.artifact()?).await?),
            Action::CreateFunction => self.publish(true).await,
            Action::CreateVersion => self.publish(false).await,
            Action::Route(next) => self.route(next).await,
            Action::DeleteNewVersion => self.delete_new_version().await,
            Action::DeleteFunction => {
                let deleted = self.client.delete::<Deleted>(&path(self.name)).await;
                gone(deleted.map(drop).map_err(CloudError::from))
            }
        }
    }

    fn inverse(&self, action: &Action) -> Inverse<Action> {
        action.inverse(self.before)
    }
}

/// The request that publishes an artifact, which is its body.
pub fn upload(name: &FunctionName, artifact: &Artifact) -> http::request::Builder {
    Request::post(format!("{}/versions", path(name)))
        .header(CONTENT_TYPE, "application/x-tar")
        .header(HEADER_SHA256, &artifact.sha256)
        .header(HEADER_EVIDENCE, artifact.evidence.as_bytes())
}

async fn send_packages(client: &Client, artifact: &Artifact) -> Result<(), Report> {
    let Some((layer, folder)) = artifact.packages.clone() else { return Ok(()) };
    let tar = artifact.path.with_file_name("packages.tar");
    let (from, to) = (folder.clone(), tar.clone());
    let written = tokio::task::spawn_blocking(move || layer::pack(&from, &to)).await;
    let written =
        written.map_err(|error| error.to_string()).and_then(|it| it.map_err(|error| error.to_string()));
    let not_written =
        |why: String| Report::new(Code::PackagesRefused, format!("the packages could not be packed: {why}"));
    let (sha256, _) = written.map_err(not_written)?;
    if sha256 != layer.sha256 {
        return Err(not_written(format!("{} was changed since it was made", folder.display()))
            .hint("remove that folder, and deploy again"));
    }
    let request = Request::put(format!("/api/v1/layers/{}", layer.sha256));
    let request = request.header(CONTENT_TYPE, "application/x-tar");
    client.upload::<LayerView>(request, &tar).await.map(drop)
}
