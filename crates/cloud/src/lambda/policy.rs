//! What each call needs to be allowed: the least privilege, as a policy of IAM (Service Authorization Reference).

use serde_json::Value;

use super::action::Action;
use super::names::Names;
use super::wanted::{Code, Wanted};
use crate::aws::policy::{self, Needs, permissions};
use crate::aws::service::{EVENTS, IAM, LAMBDA, LOGS, S3};
use crate::plan::{Permission, Plan};
use crate::secrets;

/// What an action needs, and what takes it back.
pub fn of(action: &Action, names: &Names) -> Vec<Permission> {
    let mut all = permissions(&needs(action, names));
    all.extend(action.opposite().iter().flat_map(|opposite| permissions(&needs(opposite, names))));
    all
}

fn needs(action: &Action, names: &Names) -> Vec<Needs> {
    let (own, role, log) = (names.function_arn(), names.role_arn(), names.log_group_arn());
    let rule = |name: &str| names.rule_arn(name);
    let bucket = |name: &str| names.bucket_arn(name);
    let versions = format!("{own}:*");
    match action {
        Action::CreateLogGroup => vec![(log, &LOGS, &["CreateLogGroup", "TagResource"])],
        Action::DeleteLogGroup => vec![(log, &LOGS, &["DeleteLogGroup"])],
        Action::SetRetention(_) => vec![(log, &LOGS, &["PutRetentionPolicy", "DeleteRetentionPolicy"])],
        Action::CreateRole => vec![(role, &IAM, &["CreateRole", "TagRole"])],
        Action::DeleteRole => vec![(role, &IAM, &["DeleteRole"])],
        Action::AttachPolicy => vec![(role, &IAM, &["AttachRolePolicy"])],
        Action::DetachPolicy => vec![(role, &IAM, &["DetachRolePolicy"])],
        Action::PutPolicy(_) => vec![(role, &IAM, &["PutRolePolicy"])],
        Action::DeletePolicy(_) => vec![(role, &IAM, &["DeleteRolePolicy"])],
        Action::CreateBucket(name) => vec![(bucket(name), &S3, &["CreateBucket"])],
        Action::TagBucket(name) => vec![(bucket(name), &S3, &["PutBucketTagging"])],
        Action::DeleteBucket(name) => vec![(bucket(name), &S3, &["DeleteBucket"])],
        // Lambda reads it in the name of who asks.
        Action::PutCode { bucket: name, key } => {
            vec![(format!("{}/{key}", bucket(name)), &S3, &["PutObject", "GetObject"])]
        }
        Action::DeleteCode { bucket: name, key } => {
            vec![(format!("{}/{key}", bucket(name)), &S3, &["DeleteObject"])]
        }
        Action::Images(action) => names.repository().needs(action),
        Action::CreateFunction(role) => {
            vec![(own, &LAMBDA, &["CreateFunction", "TagResource"]), (role.clone(), &IAM, &["PassRole"])]
        }
        Action::DeleteFunction => vec![(own, &LAMBDA, &["DeleteFunction"])],
        Action::DeleteNewVersion => vec![(versions, &LAMBDA, &["DeleteFunction"])],
        Action::DeleteVersion(version) => vec![(format!("{own}:{version}"), &LAMBDA, &["DeleteFunction"])],
        Action::Configure(_, role) => {
            vec![(own, &LAMBDA, &["UpdateFunctionConfiguration"]), (role.clone(), &IAM, &["PassRole"])]
        }
        Action::UpdateCode | Action::SetImage(_) => vec![(own, &LAMBDA, &["UpdateFunctionCode"])],
        Action::Tag(_) => vec![(own, &LAMBDA, &["TagResource"])],
        Action::Publish => vec![(own, &LAMBDA, &["PublishVersion"])],
        Action::CreateAlias(_) => vec![(own, &LAMBDA, &["CreateAlias"])],
        Action::Route(_) => vec![(own, &LAMBDA, &["UpdateAlias"])],
        Action::DeleteAlias => vec![(own, &LAMBDA, &["DeleteAlias"])],
        Action::SetReserved(_) => {
            vec![(own, &LAMBDA, &["PutFunctionConcurrency", "DeleteFunctionConcurrency"])]
        }
        Action::SetProvisioned(_) => {
            vec![(
                versions,
                &LAMBDA,
                &["PutProvisionedConcurrencyConfig", "DeleteProvisionedConcurrencyConfig"],
            )]
        }
        Action::CreateUrl(_) => vec![(versions, &LAMBDA, &["CreateFunctionUrlConfig"])],
        Action::SetAuth(_) => vec![(versions, &LAMBDA, &["UpdateFunctionUrlConfig"])],
        Action::DeleteUrl => vec![(versions, &LAMBDA, &["DeleteFunctionUrlConfig"])],
        Action::Allow(_) => vec![(versions, &LAMBDA, &["AddPermission"])],
        Action::Forbid(_) => vec![(versions, &LAMBDA, &["RemovePermission"])],
        Action::PutRule(name, _) => vec![(rule(name), &EVENTS, &["PutRule", "TagResource"])],
        Action::PutTarget(name, _) => vec![(rule(name), &EVENTS, &["PutTargets"])],
        Action::RemoveTarget(name) => vec![(rule(name), &EVENTS, &["RemoveTargets"])],
        Action::DeleteRule(name) => vec![(rule(name), &EVENTS, &["DeleteRule"])],
        Action::Notify(_, upload) => notifications(bucket(&upload.bucket)),
        Action::Unnotify { bucket: name, .. } => notifications(bucket(name)),
    }
}

fn notifications(bucket: String) -> Vec<Needs> {
    vec![(bucket, &S3, &["GetBucketNotificationConfiguration", "PutBucketNotificationConfiguration"])]
}

/// What looking at what is there needs.
pub fn reads(names: &Names, wanted: Option<&Wanted>) -> Vec<Permission> {
    let own = names.function_arn();
    let mut needs: Vec<Needs> = vec![
        (own.clone(), &LAMBDA, &["GetFunction", "ListVersionsByFunction", "ListAliases"]),
        (
            format!("{own}:*"),
            &LAMBDA,
            &[
                "GetFunction",
                "GetFunctionUrlConfig",
                "GetPolicy",
                "GetProvisionedConcurrencyConfig",
                "GetFunctionConfiguration",
            ],
        ),
        (own, &LAMBDA, &["GetFunctionConfiguration"]),
        (names.role_arn(), &IAM, &["GetRole", "ListAttachedRolePolicies", "ListRolePolicies"]),
        ("*".to_owned(), &LOGS, &["DescribeLogGroups"]),
        (names.log_group_arn(), &LOGS, &["ListTagsForResource"]),
        ("*".to_owned(), &EVENTS, &["ListRules"]),
        (
            names.rule_arn(&format!("{}*", names.rule_prefix())),
            &EVENTS,
            &["ListTagsForResource", "ListTargetsByRule"],
        ),
    ];
    needs.extend(wanted.map(|wanted| secrets::reads(&wanted.secrets)).unwrap_or_default());
    if wanted.is_none_or(|wanted| matches!(wanted.code, Code::Image(_))) {
        needs.extend(names.repository().reads());
    }
    let bucket = match wanted.map(|wanted| &wanted.code) {
        Some(Code::Bucket { bucket, .. }) => Some(bucket.clone()),
        Some(Code::Sent(_) | Code::Image(_)) => None,
        None => Some(names.bucket()),
    };
    if let Some(bucket) = bucket {
        needs.push((names.bucket_arn(&bucket), &S3, &["ListObjectsV2", "GetBucketTagging"]));
    }
    permissions(&needs)
}

/// The policy that allows a plan, and nothing else.
pub fn document<A>(plan: &Plan<A>) -> Value {
    policy::document(plan, "lambda.amazonaws.com")
}
