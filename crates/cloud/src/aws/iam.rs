//! IAM: the role that a function runs in.

use std::collections::BTreeMap;

use super::Aws;
use super::service::IAM;
use crate::error::{CloudError, found};

/// A role as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The ARNs of its policies.
    pub policies: Vec<String>,
}

impl Aws {
    /// The role of this name; `None` where there is none.
    pub(crate) async fn role(&self, name: &str) -> Result<Option<Role>, CloudError> {
        let form = [("RoleName", name)];
        let Some(role) = found(self.query(&IAM, "GetRole", &form).await)? else { return Ok(None) };
        let policies = self.query(&IAM, "ListAttachedRolePolicies", &form).await?.all("PolicyArn");
        Ok(Some(Role { arn: role.text("Arn").unwrap_or_default(), tags: role.tags(), policies }))
    }

    /// Makes a role, which those may assume whom its trust policy names.
    pub(crate) async fn create_role(
        &self,
        name: &str,
        trust: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CloudError> {
        let mut form = vec![
            ("RoleName".to_owned(), name.to_owned()),
            ("AssumeRolePolicyDocument".to_owned(), trust.to_owned()),
        ];
        for (number, (key, value)) in tags.iter().enumerate() {
            let number = number + 1;
            form.push((format!("Tags.member.{number}.Key"), key.clone()));
            form.push((format!("Tags.member.{number}.Value"), value.clone()));
        }
        let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.query(&IAM, "CreateRole", &form).await.map(drop)
    }

    /// Gives a role a policy.
    pub(crate) async fn attach_policy(&self, role: &str, arn: &str) -> Result<(), CloudError> {
        self.query(&IAM, "AttachRolePolicy", &[("RoleName", role), ("PolicyArn", arn)]).await.map(drop)
    }

    /// Takes a policy from a role.
    pub(crate) async fn detach_policy(&self, role: &str, arn: &str) -> Result<(), CloudError> {
        self.query(&IAM, "DetachRolePolicy", &[("RoleName", role), ("PolicyArn", arn)]).await.map(drop)
    }

    /// The names of the policies that stand in a role itself; none where there is no role.
    pub(crate) async fn own_policies(&self, role: &str) -> Result<Vec<String>, CloudError> {
        let answer = found(self.query(&IAM, "ListRolePolicies", &[("RoleName", role)]).await)?;
        Ok(answer.map(|answer| answer.all("member")).unwrap_or_default())
    }

    /// Writes a policy into a role.
    pub(crate) async fn put_policy(&self, role: &str, name: &str, document: &str) -> Result<(), CloudError> {
        let form = [("RoleName", role), ("PolicyName", name), ("PolicyDocument", document)];
        self.query(&IAM, "PutRolePolicy", &form).await.map(drop)
    }

    /// Takes a policy out of a role.
    pub(crate) async fn delete_policy(&self, role: &str, name: &str) -> Result<(), CloudError> {
        self.query(&IAM, "DeleteRolePolicy", &[("RoleName", role), ("PolicyName", name)]).await.map(drop)
    }

    /// Deletes a role, which has no policy any more.
    pub(crate) async fn delete_role(&self, name: &str) -> Result<(), CloudError> {
        self.query(&IAM, "DeleteRole", &[("RoleName", name)]).await.map(drop)
    }
}
