//! ECR, the registry of containers: repositories, and the way into the registry itself.

use std::collections::BTreeMap;

use modelet_core::base64;
use serde_json::{Value, json};

use super::call::Request;
use super::failure::senseless;
use super::service::ECR;
use super::{Aws, listed, tags};
use crate::error::{CloudError, Kind, found};

impl Aws {
    /// The tags of the repository of this name; `None` where there is none.
    pub(crate) async fn repository(
        &self,
        name: &str,
    ) -> Result<Option<BTreeMap<String, String>>, CloudError> {
        let Some(there) = found(self.ecr("DescribeRepositories", &json!({"repositoryNames": [name]})).await)?
        else {
            return Ok(None);
        };
        let arn = &there["repositories"][0]["repositoryArn"];
        let tagged = self.ecr("ListTagsForResource", &json!({"resourceArn": arn})).await?;
        Ok(Some(tags(&tagged["tags"])))
    }

    /// Makes a repository.
    pub(crate) async fn create_repository(
        &self,
        name: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CloudError> {
        let body = json!({"repositoryName": name, "tags": listed(tags)});
        self.ecr("CreateRepository", &body).await.map(drop)
    }

    /// Deletes a repository with all its images.
    pub(crate) async fn delete_repository(&self, name: &str) -> Result<(), CloudError> {
        self.ecr("DeleteRepository", &json!({"repositoryName": name, "force": true})).await.map(drop)
    }

    /// Deletes an image, by its digest and so under all its tags.
    pub(crate) async fn delete_image(&self, repository: &str, digest: &str) -> Result<(), CloudError> {
        let body = json!({"repositoryName": repository, "imageIds": [{"imageDigest": digest}]});
        let answer = self.ecr("BatchDeleteImage", &body).await?;
        // The call succeeds as a whole, and says in the answer what it did not do.
        let failed = answer["failures"].as_array().and_then(|failed| failed.first());
        match failed.filter(|failed| failed["failureCode"] != "ImageNotFound") {
            None => Ok(()),
            Some(failed) => {
                let text = |name: &str| failed[name].as_str().unwrap_or_default();
                let why =
                    format!("{digest} was not deleted: {} {}", text("failureCode"), text("failureReason"));
                Err(CloudError::new(Kind::Service, why))
            }
        }
    }

    /// A user and a password for the registry, which hold for half a day.
    pub(crate) async fn registry_login(&self) -> Result<(String, String), CloudError> {
        let operation = "GetAuthorizationToken";
        let answer = self.ecr(operation, &json!({})).await?;
        let token = answer["authorizationData"][0]["authorizationToken"].as_str();
        let login = token.and_then(|token| String::from_utf8(base64::decode(token).ok()?).ok());
        let login = login.as_deref().and_then(|login| login.split_once(':'));
        let (user, password) = login.ok_or_else(|| senseless(&ECR, operation, 200))?;
        Ok((user.to_owned(), password.to_owned()))
    }

    async fn ecr(&self, operation: &'static str, body: &Value) -> Result<Value, CloudError> {
        self.json(Request::json(&ECR, operation, body)).await
    }
}
