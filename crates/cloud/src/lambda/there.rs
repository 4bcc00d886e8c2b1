//! What is there, as AWS says it.

use std::collections::{BTreeMap, BTreeSet};

use modelet_core::Processor;
use serde_json::Value;

use super::Auth;
use super::names::{ALIAS, Names, TAG_ARTIFACT, TAG_MANAGED};
use super::wanted::{Code, Settings, Wanted};
use crate::aws::Aws;
use crate::aws::events::Rule;
use crate::aws::iam::Role;
use crate::aws::lambda::{Alias, Configuration, Url};
use crate::aws::logs::Group;
use crate::error::CloudError;
use crate::repository;
use crate::traffic::{Canary, Traffic};

/// What our permissions are called: an id begins with this.
pub const PERMISSION: &str = "modelet-";
/// The permissions of a public address.
pub const URL_PERMISSIONS: [&str; 2] = ["modelet-url", "modelet-url-invoke"];

/// What is there.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct There {
    /// The log group.
    pub log_group: Option<Group>,
    /// The role of our making.
    pub role: Option<Role>,
    /// The names of the policies that stand in it.
    pub role_policies: Vec<String>,
    /// The bucket for code, if code goes through one; its tags.
    pub bucket: Option<BTreeMap<String, String>>,
    /// The function's code in it.
    pub code_keys: Vec<String>,
    /// The repository and the image, if code goes through one.
    pub images: repository::There,
    /// The function.
    pub function: Option<Function>,
    /// The rules that may be ours.
    pub rules: Vec<Rule>,
    /// The ids of what buckets call, by bucket.
    pub notifications: BTreeMap<String, Vec<String>>,
}

/// A function that is there.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Function {
    /// Its ARN.
    pub arn: String,
    /// What its state is called.
    pub state: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// How it runs.
    pub settings: Settings,
    /// The role that it runs in.
    pub role: String,
    /// The digest of its code, as Lambda tells it.
    pub code_sha256: String,
    /// The image that it is made of.
    pub image: Option<String>,
    /// What it runs on, where Lambda says it.
    pub processor: Option<Processor>,
    /// Its versions and which of ours each is, the oldest first.
    pub versions: Vec<(String, String)>,
    /// Versions to which other aliases lead than ours.
    pub aliased: BTreeSet<String>,
    /// Who gets the calls.
    pub traffic: Option<Traffic>,
    /// Its address and who may call that.
    pub url: Option<(String, Auth)>,
    /// Who may call the alias, by id: the ARN that the permission is for, where there is one.
    pub permissions: BTreeMap<String, Option<String>>,
    /// Calls at once.
    pub reserved: Option<u32>,
    /// Instances kept ready.
    pub provisioned: Option<u32>,
}

impl Function {
    /// The digest of the artifact that its tags name.
    pub fn artifact(&self) -> Option<&str> {
        self.tags.get(TAG_ARTIFACT).map(String::as_str)
    }

    /// The numbers of its versions, the oldest first.
    pub fn numbers(&self) -> impl Iterator<Item = &str> {
        self.versions.iter().map(|(number, _)| number.as_str())
    }

    /// Buckets that may call it, by our permissions.
    fn buckets(&self) -> impl Iterator<Item = &str> {
        let ours = self.permissions.iter().filter(|(id, _)| id.starts_with(PERMISSION));
        ours.filter_map(|(_, source)| source.as_deref()?.split_once(":s3:::").map(|(_, bucket)| bucket))
    }
}

/// Reads what is there. `wanted` says where else to look than where the function itself leads.
///
/// # Errors
/// What AWS says when it does not tell.
pub async fn look(aws: &Aws, names: &Names, wanted: Option<&Wanted>) -> Result<There, CloudError> {
    let function = function(aws, names).await?;
    let mut there = There {
        log_group: aws.log_group(&names.log_group()).await?,
        role: aws.role(&names.role()).await?,
        rules: aws.rules(&names.rule_prefix()).await?,
        ..There::default()
    };
    if there.role.is_some() {
        there.role_policies = aws.own_policies(&names.role()).await?;
    }
    let bucket = match wanted.map(|wanted| &wanted.code) {
        Some(Code::Bucket { bucket, .. }) => Some(bucket.clone()),
        Some(Code::Sent(_) | Code::Image(_)) => None,
        // What is removed may have been larger once.
        None => Some(names.bucket()),
    };
    if let Some(bucket) = bucket {
        // Names of buckets are all the world's: somebody else may have the one that would be ours.
        let owner = (bucket == names.bucket()).then_some(names.account.as_str());
        there.bucket = aws.bucket(&bucket, owner).await?;
        if there.bucket.is_some() {
            there.code_keys = aws.objects(&bucket, &names.code_prefix()).await?;
        }
    }
    let is_image = wanted.is_none_or(|wanted| matches!(wanted.code, Code::Image(_)));
    if is_image {
        let written = wanted.and_then(|wanted| wanted.written.as_deref());
        there.images = names.repository().look(aws, names, written).await?;
    }
    let uploads = wanted.map_or(&[][..], |wanted| &wanted.uploads);
    let buckets = function
        .iter()
        .flat_map(Function::buckets)
        .chain(uploads.iter().map(|upload| upload.bucket.as_str()));
    for bucket in buckets {
        if !there.notifications.contains_key(bucket)
            && let Some(entries) = aws.notifications(bucket).await?
        {
            let ids = entries.into_iter().filter_map(|(id, _)| id).collect();
            there.notifications.insert(bucket.to_owned(), ids);
        }
    }
    there.function = function;
    Ok(there)
}

/// Reads the function alone; `None` where there is none of this name.
///
/// # Errors
/// What AWS says when it does not tell.
pub async fn function(aws: &Aws, names: &Names) -> Result<Option<Function>, CloudError> {
    let name = &names.function;
    let Some(told) = aws.function(name).await? else { return Ok(None) };
    let versions = aws.versions(name).await?;
    let mut others = aws.aliases(name).await?;
    let alias = others.iter().position(|alias| alias.name == ALIAS).map(|at| others.remove(at));
    let (url, policy, provisioned) = match &alias {
        None => (None, Vec::new(), None),
        Some(_) => {
            (aws.url(name, ALIAS).await?, aws.policy(name, ALIAS).await?, aws.provisioned(name, ALIAS).await?)
        }
    };
    let Configuration { function_arn, code_sha256, role, state, architectures, .. } = &told.configuration;
    Ok(Some(Function {
        arn: function_arn.clone(),
        state: state.clone().unwrap_or_else(|| "Active".to_owned()),
        settings: Settings::read(&told.configuration),
        role: role.clone(),
        code_sha256: code_sha256.clone(),
        image: told.code.image_uri,
        processor: architectures.first().and_then(|name| name.parse().ok()),
        versions: versions.into_iter().map(|version| (version.version, version.description)).collect(),
        aliased: others.into_iter().map(traffic).flat_map(Traffic::versions).collect(),
        traffic: alias.map(traffic),
        url: url.map(|Url { function_url, auth_type }| (function_url, Auth::read(&auth_type))),
        permissions: policy.iter().filter_map(permission).collect(),
        reserved: told.concurrency.and_then(|own| own.reserved_concurrent_executions),
        provisioned,
        tags: told.tags,
    }))
}

/// What an alias says.
pub fn traffic(alias: Alias) -> Traffic {
    let weights =
        alias.routing_config.and_then(|routing| routing.additional_version_weights).unwrap_or_default();
    let canary = weights.into_iter().next().map(|(version, weight)| Canary {
        version,
        // Parts are percents that we set, or somebody else's, rounded for people.
        percent: (weight * 100.0).round().clamp(0.0, 100.0) as u8,
    });
    Traffic { version: alias.function_version, canary }
}

/// The id of a statement, and the ARN that it is for.
fn permission(statement: &Value) -> Option<(String, Option<String>)> {
    let condition = &statement["Condition"];
    let source = ["ArnLike", "ArnEquals"].iter().find_map(|test| {
        let test = condition[*test].as_object()?;
        let named = test.iter().find(|(key, _)| key.eq_ignore_ascii_case("aws:SourceArn"))?;
        named.1.as_str().map(str::to_owned)
    });
    Some((statement["Sid"].as_str()?.to_owned(), source))
}

/// True for the tags of the bucket that modelet made for all functions.
pub fn is_managed(tags: &BTreeMap<String, String>) -> bool {
    tags.get(TAG_MANAGED).is_some_and(|value| value == "true")
}
