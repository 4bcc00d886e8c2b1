//! What each call needs to be allowed: the least privilege, as a policy of IAM (Service Authorization Reference).

use serde_json::Value;

use super::action::Action;
use crate::aws::names::Names;
use crate::aws::policy::{self, Needs, permissions};
use crate::aws::service::{IAM, LOGS, SAGEMAKER};
use crate::plan::{Permission, Plan};
use crate::secrets::{self, Secret};

/// What an action needs, where the role of our making is used; a role of the user's is named by its own [`pass`].
pub fn of(action: &Action, names: &Names) -> Vec<Permission> {
    let (endpoint, log) = (names.endpoint_arn(), names.endpoint_log_group_arn());
    let role = names.iam_role_arn(&names.endpoint_role());
    let needs: Vec<Needs> = match action {
        Action::CreateLogGroup => vec![(log, &LOGS, &["CreateLogGroup", "TagResource"])],
        Action::DeleteLogGroup => vec![(log, &LOGS, &["DeleteLogGroup"])],
        Action::SetRetention(_) => vec![(log, &LOGS, &["PutRetentionPolicy", "DeleteRetentionPolicy"])],
        Action::CreateRole => vec![(role, &IAM, &["CreateRole", "TagRole"])],
        Action::DeleteRole => vec![(role, &IAM, &["DeleteRole"])],
        Action::PutPolicy(_) => vec![(role, &IAM, &["PutRolePolicy"])],
        Action::DeletePolicy(_) => vec![(role, &IAM, &["DeleteRolePolicy"])],
        Action::Images(action) => names.endpoint_repository().needs(action),
        Action::CreateModel(version) => {
            vec![(names.model_arn(*version), &SAGEMAKER, &["CreateModel", "AddTags"])]
        }
        Action::DeleteModel(version) => vec![(names.model_arn(*version), &SAGEMAKER, &["DeleteModel"])],
        Action::CreateConfig(version) => {
            vec![(names.config_arn(*version), &SAGEMAKER, &["CreateEndpointConfig", "AddTags"])]
        }
        Action::DeleteConfig(version) => {
            vec![(names.config_arn(*version), &SAGEMAKER, &["DeleteEndpointConfig"])]
        }
        Action::CreateEndpoint(version) => vec![
            (endpoint, &SAGEMAKER, &["CreateEndpoint", "AddTags", "DeleteEndpoint"]),
            (names.config_arn(*version), &SAGEMAKER, &["CreateEndpoint"]),
        ],
        Action::Route(version) => vec![
            (endpoint, &SAGEMAKER, &["UpdateEndpoint"]),
            (names.config_arn(*version), &SAGEMAKER, &["UpdateEndpoint"]),
        ],
        Action::Await(_) => vec![],
        Action::DeleteEndpoint => vec![(endpoint, &SAGEMAKER, &["DeleteEndpoint"])],
    };
    permissions(&needs)
}

/// What giving a model its role needs.
pub fn pass(role_arn: String) -> Vec<Permission> {
    permissions(&[(role_arn, &IAM, &["PassRole"])])
}

/// What looking at what is there needs.
pub fn reads(names: &Names, secrets: &[Secret]) -> Vec<Permission> {
    let any = |kind: &str| names.arn("sagemaker", &format!("{kind}/{}*", names.model_prefix()));
    let mut needs: Vec<Needs> = vec![
        (names.endpoint_arn(), &SAGEMAKER, &["DescribeEndpoint", "ListTags"]),
        (any("model"), &SAGEMAKER, &["ListTags"]),
        (any("endpoint-config"), &SAGEMAKER, &["ListTags"]),
        ("*".to_owned(), &SAGEMAKER, &["ListModels", "ListEndpointConfigs"]),
        (
            names.iam_role_arn(&names.endpoint_role()),
            &IAM,
            &["GetRole", "ListAttachedRolePolicies", "ListRolePolicies"],
        ),
        ("*".to_owned(), &LOGS, &["DescribeLogGroups"]),
        (names.endpoint_log_group_arn(), &LOGS, &["ListTagsForResource"]),
    ];
    needs.extend(names.endpoint_repository().reads());
    needs.extend(secrets::reads(secrets));
    permissions(&needs)
}

/// The policy that allows a plan, and nothing else.
pub fn document(plan: &Plan<Action>) -> Value {
    policy::document(plan, "sagemaker.amazonaws.com")
}
