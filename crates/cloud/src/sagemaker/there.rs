//! What is there, as AWS says it.

use std::collections::BTreeMap;

use super::names::TAG_REVISION;
use super::wanted::Wanted;
use crate::aws::Aws;
use crate::aws::iam::Role;
use crate::aws::logs::Group;
use crate::aws::names::{Names, TAG_ARTIFACT};
use crate::aws::sagemaker::Endpoint as Told;
use crate::error::CloudError;
use crate::repository;

/// What is there.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct There {
    /// The log group.
    pub log_group: Option<Group>,
    /// The role of our making.
    pub role: Option<Role>,
    /// The names of the policies that stand in it.
    pub role_policies: Vec<String>,
    /// The repository and the image.
    pub images: repository::There,
    /// The endpoint.
    pub endpoint: Option<Endpoint>,
    /// The versions of our making, the oldest first.
    pub versions: Vec<Version>,
    /// The highest number that a model or a config has, whoever made it.
    pub highest: u64,
}

/// An endpoint that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// As SageMaker tells it.
    pub told: Told,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The version that it has; `None` for a config that is none of ours.
    pub version: Option<u64>,
}

/// A version: a model and a config of the same name. One of the two may be missing, where somebody was killed in between.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Version {
    /// Its number.
    pub number: u64,
    /// Which of ours it is.
    pub revision: String,
    /// The digest of its image.
    pub artifact: String,
    /// True when its model is there.
    pub has_model: bool,
    /// True when its config is there.
    pub has_config: bool,
}

impl There {
    /// The version of this number.
    pub fn version(&self, number: u64) -> Option<&Version> {
        self.versions.iter().find(|version| version.number == number)
    }

    /// The version that has the calls.
    pub fn live(&self) -> Option<u64> {
        self.endpoint.as_ref()?.version
    }

    /// The version before the one that has the calls.
    pub fn before_live(&self) -> Option<u64> {
        let live = self.live()?;
        let whole = self.versions.iter().filter(|version| version.has_model && version.has_config);
        whole.map(|version| version.number).filter(|number| *number < live).max()
    }
}

/// Reads what is there.
///
/// # Errors
/// What AWS says when it does not tell.
pub async fn look(aws: &Aws, names: &Names, wanted: Option<&Wanted>) -> Result<There, CloudError> {
    let written = wanted.and_then(|wanted| wanted.written.as_deref());
    let role = aws.role(&names.endpoint_role()).await?;
    let role_policies = match &role {
        Some(_) => aws.own_policies(&names.endpoint_role()).await?,
        None => Vec::new(),
    };
    let mut there = There {
        log_group: aws.log_group(&names.endpoint_log_group()).await?,
        role,
        role_policies,
        images: names.endpoint_repository().look(aws, names, written).await?,
        endpoint: endpoint(aws, names).await?,
        ..There::default()
    };
    let mut found = Found { aws, names, highest: 0, versions: BTreeMap::new() };
    for model in aws.models(&names.model_prefix()).await? {
        found.take(model, |version| version.has_model = true).await?;
    }
    for config in aws.endpoint_configs(&names.model_prefix()).await? {
        found.take(config, |version| version.has_config = true).await?;
    }
    there.highest = found.highest;
    there.versions = found.versions.into_values().collect();
    Ok(there)
}

/// The endpoint of this name, whoever made it.
pub async fn endpoint(aws: &Aws, names: &Names) -> Result<Option<Endpoint>, CloudError> {
    let Some(told) = aws.endpoint(&names.function).await? else { return Ok(None) };
    let tags = aws.sagemaker_tags(&told.endpoint_arn).await?;
    let version = names.version_of(&told.endpoint_config_name);
    Ok(Some(Endpoint { told, tags, version }))
}

/// What is found among models and configs.
struct Found<'a> {
    aws: &'a Aws,
    names: &'a Names,
    highest: u64,
    versions: BTreeMap<u64, Version>,
}

impl Found<'_> {
    /// Takes a model or a config, by its name and its ARN, if it is a version's and of our making.
    async fn take(
        &mut self,
        (name, arn): (String, String),
        mark: impl Fn(&mut Version),
    ) -> Result<(), CloudError> {
        let Some(number) = self.names.version_of(&name) else { return Ok(()) };
        self.highest = number.max(self.highest);
        let tags = self.aws.sagemaker_tags(&arn).await?;
        if self.names.are_ours(&tags) {
            let text = |tag: &str| tags.get(tag).cloned().unwrap_or_default();
            let version = self.versions.entry(number).or_default();
            version.number = number;
            version.revision = text(TAG_REVISION);
            version.artifact = text(TAG_ARTIFACT);
            mark(version);
        }
        Ok(())
    }
}
