//! Does what a plan says, at AWS.

use std::time::Duration;

use super::action::Action;
use super::names::TAG_REVISION;
use super::there::There;
use super::wanted::Wanted;
use crate::apply::{Hand, Inverse};
use crate::aws::Aws;
use crate::aws::names::{Names, TAG_ARTIFACT};
use crate::aws::sagemaker::Endpoint;
use crate::error::{CloudError, Kind, gone, made};

/// IAM's roles are known to SageMaker some seconds after they are made: how often a model is tried to be made until then.
const ROLE_TRIES: u32 = 30;
/// What SageMaker says until then.
const EARLY: [&str; 2] = ["Could not assume role", "does not have BatchGetImage permission"];
/// Between two tries.
const ROLE_WAIT: Duration = Duration::from_secs(2);
/// Who may assume the role.
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// Who does it.
pub struct SagemakerHand<'a> {
    /// The account.
    pub aws: &'a Aws,
    /// What the things are called.
    pub names: &'a Names,
    /// What is wanted; `None` where things are taken away.
    pub wanted: Option<&'a Wanted>,
    /// What was there before.
    pub before: &'a There,
}

impl Hand for SagemakerHand<'_> {
    type Action = Action;

    async fn carry_out(&mut self, action: &Action) -> Result<(), CloudError> {
        let (aws, names) = (self.aws, self.names);
        let (group, role) = (names.endpoint_log_group(), names.endpoint_role());
        match action {
            Action::CreateLogGroup => made(aws.create_log_group(&group, &names.tags()).await),
            Action::DeleteLogGroup => gone(aws.delete_log_group(&group).await),
            Action::SetRetention(days) => aws.set_retention(&group, *days).await,
            Action::CreateRole => made(aws.create_role(&role, TRUST, &names.tags()).await),
            Action::DeleteRole => gone(aws.delete_role(&role).await),
            Action::PutPolicy(name) => {
                aws.put_policy(&role, name, &self.wanted()?.role_policy().to_string()).await
            }
            Action::DeletePolicy(policy) => gone(aws.delete_policy(&role, policy).await),
            Action::Images(action) => {
                let written = self.wanted.and_then(|wanted| wanted.written.as_deref());
                names.endpoint_repository().carry_out(aws, names, written, action).await
            }
            Action::CreateModel(version) => self.create_model(*version).await,
            Action::DeleteModel(version) => aws.delete_model(&names.model(*version)).await,
            Action::CreateConfig(version) => {
                let wanted = self.wanted()?;
                let (name, tags) = (names.model(*version), self.version_tags(wanted));
                let is_new = aws.create_endpoint_config(&name, wanted.serverless, &tags).await?;
                if is_new { Ok(()) } else { self.is_of_ours(&names.config_arn(*version)).await }
            }
            Action::DeleteConfig(version) => aws.delete_endpoint_config(&names.model(*version)).await,
            Action::CreateEndpoint(version) => self.create_endpoint(*version).await,
            Action::Route(version) => route(aws, names, *version).await,
            Action::Await(version) => answers(aws, names, *version).await.map(drop),
            Action::DeleteEndpoint => self.delete_endpoint().await,
        }
    }

    fn inverse(&self, action: &Action) -> Inverse<Action> {
        action.inverse(self.before)
    }
}

impl SagemakerHand<'_> {
    fn wanted(&self) -> Result<&Wanted, CloudError> {
        // Only a plan that takes things away is carried out without.
        self.wanted.ok_or_else(|| CloudError::refused("there is nothing to be deployed"))
    }

    /// The tags of a version's model and config.
    fn version_tags(&self, wanted: &Wanted) -> std::collections::BTreeMap<String, String> {
        let mut tags = self.names.tags();
        tags.insert(TAG_ARTIFACT.to_owned(), wanted.artifact.clone());
        tags.insert(TAG_REVISION.to_owned(), wanted.revision());
        tags
    }

    async fn create_model(&self, version: u64) -> Result<(), CloudError> {
        let wanted = self.wanted()?;
        let (name, role, tags) = (self.names.model(version), wanted.role_arn(), self.version_tags(wanted));
        let mut tries = 0;
        loop {
            let made = self.aws.create_model(&name, &wanted.image, &role, &wanted.environment(), &tags).await;
            let is_early = wanted.role.is_none()
                && made.as_ref().is_err_and(|error| EARLY.iter().any(|words| error.message.contains(words)));
            tries += 1;
            if !is_early || tries == ROLE_TRIES {
                return if made? { Ok(()) } else { self.is_of_ours(&self.names.model_arn(version)).await };
            }
            self.aws.pause(ROLE_WAIT).await;
        }
    }

    /// Refuses a model or a config that was there already and is of another revision: somebody else deploys at the same time.
    async fn is_of_ours(&self, arn: &str) -> Result<(), CloudError> {
        let (tags, revision) = (self.aws.sagemaker_tags(arn).await?, self.wanted()?.revision());
        if self.names.are_ours(&tags) && tags.get(TAG_REVISION) == Some(&revision) {
            return Ok(());
        }
        let why = format!("somebody else made {arn} while this was deployed");
        Err(CloudError::new(Kind::Conflict, why).hint("deploy again, one after the other"))
    }

    /// Makes the endpoint. One that does not come to answer is not left behind: it could not be changed any more.
    async fn create_endpoint(&self, version: u64) -> Result<(), CloudError> {
        let (aws, names) = (self.aws, self.names);
        aws.create_endpoint(&names.function, &names.model(version), &names.tags()).await?;
        let answered = answers(aws, names, version).await;
        if answered.as_ref().is_err_and(|error| error.kind == Kind::Service && error.call.is_none()) {
            self.delete_endpoint().await?;
        }
        answered.map(drop)
    }

    async fn delete_endpoint(&self) -> Result<(), CloudError> {
        let name = &self.names.function;
        if self.aws.settled_endpoint(name).await?.is_some() {
            self.aws.delete_endpoint(name).await?;
            self.aws.settled_endpoint(name).await?;
        }
        Ok(())
    }
}

/// Gives an endpoint another version, and waits until that answers.
///
/// # Errors
/// When it is not there, or goes back to the version that it had.
pub async fn route(aws: &Aws, names: &Names, version: u64) -> Result<(), CloudError> {
    let config = names.model(version);
    let now = aws.settled_endpoint(&names.function).await?;
    if now.is_none_or(|endpoint| endpoint.endpoint_config_name != config || !endpoint.is_in_service()) {
        aws.update_endpoint(&names.function, &config).await?;
    }
    answers(aws, names, version).await.map(drop)
}

/// Waits until an endpoint answers with a version.
async fn answers(aws: &Aws, names: &Names, version: u64) -> Result<Endpoint, CloudError> {
    let name = &names.function;
    let failed = |what: String, why: Option<String>| {
        let why = why.unwrap_or_else(|| "SageMaker does not say why".to_owned());
        CloudError::new(Kind::Service, format!("the endpoint {name} {what}: {why}"))
            .hint(format!("what the container wrote: modelet logs {name} --to sagemaker"))
    };
    let settled = aws.settled_endpoint(name).await?;
    let endpoint = settled.ok_or_else(|| failed("is gone".to_owned(), None))?;
    if !endpoint.is_in_service() {
        let state = endpoint.endpoint_status.clone();
        return Err(failed(format!("is {state}, and not InService"), endpoint.failure_reason));
    }
    if endpoint.endpoint_config_name != names.model(version) {
        let has = endpoint.endpoint_config_name.clone();
        return Err(failed(format!("went back to {has}"), endpoint.failure_reason));
    }
    Ok(endpoint)
}
