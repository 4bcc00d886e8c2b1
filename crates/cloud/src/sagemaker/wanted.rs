//! What is to be there: of the card, what is delivered and what was asked for, everything resolved and held against the limits of
//! SageMaker's Serverless Inference.

use std::collections::BTreeMap;
use std::sync::Arc;

use modelet_core::target::limits::Of;
use modelet_core::{ArtifactCard, Target};
use serde_json::{Value, json};

use super::Options;
use crate::aws::names::{Names, digest};
use crate::aws::sagemaker::Serverless;
use crate::delivery::{Delivery, WrittenImage};
use crate::error::CloudError;
use crate::repository;
use crate::secrets::{self, Secret};
use crate::target::Deployment;

/// Calls at once that a serverless endpoint may be given (API reference, `ProductionVariantServerlessConfig`).
const MOST_CALLS_AT_ONCE: u64 = 200;

/// What is to be there.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// What the things are called.
    pub names: Names,
    /// The image, by its digest.
    pub image: String,
    /// The image that has to be brought there first.
    pub written: Option<Arc<WrittenImage>>,
    /// The digest that the tags name.
    pub artifact: String,
    /// How the endpoint is limited.
    pub serverless: Serverless,
    /// A role that is there already; `None`: one is made.
    pub role: Option<String>,
    /// How long the log is kept, days.
    pub retention_days: u32,
    /// Versions kept besides the one that has the calls and the one that gets them.
    pub keep_versions: usize,
    /// Its secrets.
    pub secrets: Vec<Secret>,
}

impl Wanted {
    /// Resolves a deployment.
    ///
    /// # Errors
    /// [`Kind::Refused`](crate::error::Kind::Refused), by what SageMaker does not have.
    pub fn of(deployment: &Deployment, names: Names, options: &Options) -> Result<Self, CloudError> {
        let card = &deployment.card;
        refuse(card, deployment.canary_percent)?;
        Target::Sagemaker.check_processor(deployment.processor).map_err(CloudError::refused)?;
        let (image, written) = match &deployment.delivery {
            Delivery::Written(written) => {
                (names.endpoint_repository().image(&written.image.manifest.digest), Some(Arc::clone(written)))
            }
            Delivery::Image { reference } => {
                repository::check(reference, &names, Target::Sagemaker)?;
                (reference.clone(), None)
            }
            Delivery::Zip(zip) => {
                return Err(CloudError::refused(format!(
                    "SageMaker takes container images alone, and {} is a zip",
                    zip.path.display()
                ))
                .hint("deploy what it was made of: modelet deploy PATH --to sagemaker"));
            }
            Delivery::Artifact(_) | Delivery::There { .. } => {
                let why = "SageMaker takes container images alone, and no artifact of a platform's";
                return Err(CloudError::refused(why));
            }
        };
        Ok(Self {
            names,
            image,
            written,
            artifact: deployment.delivery.digest().to_owned(),
            serverless: serverless(card, options.provisioned)?,
            role: options.role.clone(),
            retention_days: options.retention_days,
            keep_versions: options.keep_versions,
            secrets: Vec::new(),
        })
    }

    /// The role that models run in.
    pub fn role_arn(&self) -> String {
        self.role.clone().unwrap_or_else(|| self.names.iam_role_arn(&self.names.endpoint_role()))
    }

    /// What tells its versions apart.
    pub fn revision(&self) -> String {
        let Serverless { memory_mb, max_concurrency, provisioned } = self.serverless;
        let limits = format!("{memory_mb} {max_concurrency} {}", provisioned.unwrap_or_default());
        let (role, environment) = (self.role_arn(), self.environment());
        let variables = environment.iter().map(|(name, value)| format!("{name}={value}"));
        let parts: Vec<_> = [self.image.clone(), role, limits].into_iter().chain(variables).collect();
        digest(&parts.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Variables besides those in the image: what names the secrets.
    pub fn environment(&self) -> BTreeMap<String, String> {
        secrets::environment(&self.secrets)
    }

    /// What the role of our making allows, and no more: reading its images and its secrets, and writing its log.
    pub fn role_policy(&self) -> Value {
        let names = &self.names;
        // The account and the repository of an image that somebody else brought stand in its name.
        let (host, path) = self.image.split_once('/').unwrap_or_default();
        let account = host.split('.').next().unwrap_or_default();
        let repository = path.split('@').next().unwrap_or_default();
        let repository =
            format!("arn:{}:ecr:{}:{account}:repository/{repository}", names.partition, names.region);
        let statement = |actions: &[&str], resource: String| json!({"Effect": "Allow", "Action": actions, "Resource": resource});
        let mut statements = vec![
            statement(&["ecr:GetAuthorizationToken"], "*".to_owned()),
            statement(
                &["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                repository,
            ),
            statement(
                &["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                format!("{}:*", names.endpoint_log_group_arn()),
            ),
        ];
        statements.extend(secrets::statements(&self.secrets, names));
        json!({"Version": "2012-10-17", "Statement": statements})
    }

    /// What that policy is called: another one has another name.
    pub fn role_policy_name(&self) -> String {
        format!("modelet-{}", digest(&[&self.role_policy().to_string()]))
    }
}

/// Refuses what SageMaker does not have, or modelet does not do there yet.
fn refuse(card: &ArtifactCard, canary_percent: Option<u8>) -> Result<(), CloudError> {
    if canary_percent.is_some() {
        return Err(super::one_version());
    }
    if !card.manifest.triggers.is_empty() {
        return Err(CloudError::refused(format!(
            "{} has [[triggers]], and an endpoint of SageMaker is called by its clients alone",
            card.name
        ))
        .hint("take them out of modelet.toml, or deploy it --to aws-lambda, which has them"));
    }
    Target::Sagemaker.impose(&mut card.manifest.settings.clone()).map_err(CloudError::refused)
}

fn serverless(card: &ArtifactCard, provisioned: Option<u32>) -> Result<Serverless, CloudError> {
    let limit = |of| Target::Sagemaker.limit(of).unwrap_or(1);
    let asked_mb = card.settings.memory_mib.max(limit(Of::LeastMemory));
    let memory_mb = asked_mb.next_multiple_of(limit(Of::MemoryStep));
    if memory_mb > limit(Of::MostMemory) {
        return Err(CloudError::refused(format!(
            "{} needs {asked_mb} MiB of memory, and a serverless endpoint has up to {}",
            card.name,
            limit(Of::MostMemory)
        ))
        .hint("deploy it --to aws-lambda, which has up to 10240, or say less: --set memory_mib=6144"));
    }
    // One call at a time is in an instance there.
    let max_concurrency = card.settings.max_instances;
    if max_concurrency > MOST_CALLS_AT_ONCE {
        return Err(CloudError::refused(format!(
            "a serverless endpoint has up to {MOST_CALLS_AT_ONCE} instances, and {} has max_instances = {max_concurrency}",
            card.name
        ))
        .hint(format!("say less: --set max_instances={MOST_CALLS_AT_ONCE}")));
    }
    let provisioned = provisioned.filter(|ready| *ready > 0).map(u64::from);
    if let Some(ready) = provisioned.filter(|ready| *ready > max_concurrency) {
        return Err(CloudError::refused(format!(
            "{ready} instances are to be kept ready, and {} has up to {max_concurrency} (max_instances)",
            card.name
        ))
        .hint(format!("say more: --set max_instances={ready}")));
    }
    Ok(Serverless { memory_mb, max_concurrency, provisioned })
}
