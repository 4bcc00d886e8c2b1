//! SageMaker's own operations: models, configs of endpoints, endpoints, and calls of them.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use modelet_aws::transport::Answer;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Request;
use super::failure::senseless;
use super::service::{SAGEMAKER, SAGEMAKER_RUNTIME};
use super::{Aws, listed, tags};
use crate::error::{CloudError, Kind};

/// The one variant of an endpoint, by its name in it.
const VARIANT: &str = "live";
/// Pages of models and of configs that are read, at most.
const PAGES_LIMIT: usize = 40;
/// The longest call of an endpoint, its start, and what the way there takes.
const INVOKE_TIMEOUT: Duration = Duration::from_secs(90);
/// Between two looks at what SageMaker is busy with.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// How often one looks, at most: half an hour. An endpoint has up to eight minutes to start, and an update goes back by itself.
const LOOKS_LIMIT: u32 = 900;

/// An endpoint as it is there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Endpoint {
    /// Its ARN.
    pub endpoint_arn: String,
    /// `Creating`, `Updating`, `SystemUpdating`, `RollingBack`, `InService`, `OutOfService`, `Deleting`, `Failed` or
    /// `UpdateRollbackFailed`.
    pub endpoint_status: String,
    /// The config that it has.
    pub endpoint_config_name: String,
    /// Why it failed, or why it went back to the config that it had.
    pub failure_reason: Option<String>,
    /// What answers calls: one, where it is serverless.
    pub production_variants: Vec<Variant>,
}

/// What answers calls of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Variant {
    /// How it is limited.
    pub current_serverless_config: Option<Serverless>,
}

/// How a serverless endpoint is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Serverless {
    /// Memory, MB.
    #[serde(rename = "MemorySizeInMB")]
    pub memory_mb: u64,
    /// Calls at once.
    #[serde(rename = "MaxConcurrency")]
    pub max_concurrency: u64,
    /// Instances kept ready.
    #[serde(rename = "ProvisionedConcurrency", default)]
    pub provisioned: Option<u64>,
}

impl Serverless {
    fn body(self) -> Value {
        let mut body = json!({"MemorySizeInMB": self.memory_mb, "MaxConcurrency": self.max_concurrency});
        if let Some(provisioned) = self.provisioned {
            body["ProvisionedConcurrency"] = json!(provisioned);
        }
        body
    }
}

impl Endpoint {
    /// True while SageMaker changes it, and nobody else may.
    pub fn is_busy(&self) -> bool {
        ["Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"]
            .contains(&self.endpoint_status.as_str())
    }

    /// True when it answers calls.
    pub fn is_in_service(&self) -> bool {
        self.endpoint_status == "InService"
    }
}

impl Aws {
    /// An endpoint; `None` where there is none of this name.
    pub(crate) async fn endpoint(&self, name: &str) -> Result<Option<Endpoint>, CloudError> {
        let operation = "DescribeEndpoint";
        let Some(there) = absent(self.sagemaker(operation, &json!({"EndpointName": name})).await)? else {
            return Ok(None);
        };
        serde_json::from_value(there).map(Some).map_err(|_| senseless(&SAGEMAKER, operation, 200))
    }

    /// An endpoint, once SageMaker is done with what was asked of it before; `None` where there is none any more.
    pub(crate) async fn settled_endpoint(&self, name: &str) -> Result<Option<Endpoint>, CloudError> {
        for _ in 0..LOOKS_LIMIT {
            match self.endpoint(name).await? {
                Some(endpoint) if endpoint.is_busy() => self.pause(LOOK_AGAIN).await,
                settled => return Ok(settled),
            }
        }
        let minutes = LOOK_AGAIN.as_secs() * u64::from(LOOKS_LIMIT) / 60;
        let why = format!("SageMaker is still busy with the endpoint {name} after {minutes} minutes");
        Err(CloudError::new(Kind::Unfinished, why).hint("apply again later: what is done is kept"))
    }

    /// The tags of something of SageMaker's.
    pub(crate) async fn sagemaker_tags(&self, arn: &str) -> Result<BTreeMap<String, String>, CloudError> {
        Ok(tags(&self.sagemaker("ListTags", &json!({"ResourceArn": arn})).await?["Tags"]))
    }

    /// Names and ARNs of the models in whose names this stands.
    pub(crate) async fn models(&self, within: &str) -> Result<Vec<(String, String)>, CloudError> {
        self.listed_names("ListModels", within, "Models", ["ModelName", "ModelArn"]).await
    }

    /// Names and ARNs of the configs in whose names this stands.
    pub(crate) async fn endpoint_configs(&self, within: &str) -> Result<Vec<(String, String)>, CloudError> {
        let fields = ["EndpointConfigName", "EndpointConfigArn"];
        self.listed_names("ListEndpointConfigs", within, "EndpointConfigs", fields).await
    }

    async fn listed_names(
        &self,
        operation: &'static str,
        within: &str,
        list: &str,
        fields: [&str; 2],
    ) -> Result<Vec<(String, String)>, CloudError> {
        let mut body = json!({"NameContains": within, "MaxResults": 100});
        let mut found = Vec::new();
        for _ in 0..PAGES_LIMIT {
            let answer = self.sagemaker(operation, &body).await?;
            for one in answer[list].as_array().into_iter().flatten() {
                let [name, arn] = fields.map(|field| one[field].as_str().unwrap_or_default().to_owned());
                found.push((name, arn));
            }
            let Some(next) = answer["NextToken"].as_str() else { return Ok(found) };
            body["NextToken"] = json!(next);
        }
        let why = format!("more than {} {list} have {within} in their names", found.len());
        Err(CloudError::refused(why).hint("choose another name: --name NAME; or delete old ones"))
    }

    /// Makes a model of an image, which runs in a role; false where one of this name was there already.
    pub(crate) async fn create_model(
        &self,
        name: &str,
        image: &str,
        role: &str,
        environment: &BTreeMap<String, String>,
        tags: &BTreeMap<String, String>,
    ) -> Result<bool, CloudError> {
        let mut container = json!({"Image": image});
        if !environment.is_empty() {
            container["Environment"] = json!(environment);
        }
        let body = json!({
            "ModelName": name, "PrimaryContainer": container, "ExecutionRoleArn": role, "Tags": listed(tags),
        });
        present(self.sagemaker("CreateModel", &body).await)
    }

    /// Deletes a model.
    pub(crate) async fn delete_model(&self, name: &str) -> Result<(), CloudError> {
        absent(self.sagemaker("DeleteModel", &json!({"ModelName": name})).await).map(drop)
    }

    /// Makes the config of a serverless endpoint for a model of the same name; false where one was there already.
    pub(crate) async fn create_endpoint_config(
        &self,
        name: &str,
        serverless: Serverless,
        tags: &BTreeMap<String, String>,
    ) -> Result<bool, CloudError> {
        let variant =
            json!({"VariantName": VARIANT, "ModelName": name, "ServerlessConfig": serverless.body()});
        let body = json!({"EndpointConfigName": name, "ProductionVariants": [variant], "Tags": listed(tags)});
        present(self.sagemaker("CreateEndpointConfig", &body).await)
    }

    /// Deletes a config.
    pub(crate) async fn delete_endpoint_config(&self, name: &str) -> Result<(), CloudError> {
        absent(self.sagemaker("DeleteEndpointConfig", &json!({"EndpointConfigName": name})).await).map(drop)
    }

    /// Makes an endpoint.
    pub(crate) async fn create_endpoint(
        &self,
        name: &str,
        config: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CloudError> {
        let body = json!({"EndpointName": name, "EndpointConfigName": config, "Tags": listed(tags)});
        present(self.sagemaker("CreateEndpoint", &body).await).map(drop)
    }

    /// Gives an endpoint another config.
    pub(crate) async fn update_endpoint(&self, name: &str, config: &str) -> Result<(), CloudError> {
        let body = json!({"EndpointName": name, "EndpointConfigName": config});
        self.sagemaker("UpdateEndpoint", &body).await.map(drop)
    }

    /// Deletes an endpoint.
    pub(crate) async fn delete_endpoint(&self, name: &str) -> Result<(), CloudError> {
        absent(self.sagemaker("DeleteEndpoint", &json!({"EndpointName": name})).await).map(drop)
    }

    /// Calls an endpoint and waits for its answer.
    pub(crate) async fn invoke_endpoint(
        &self,
        name: &str,
        body: Bytes,
        content_type: &str,
        accept: &str,
    ) -> Result<Answer, CloudError> {
        let parts = ["endpoints", name, "invocations"];
        let asked = Request::rest(&SAGEMAKER_RUNTIME, "InvokeEndpoint", Method::POST, &parts);
        let asked = asked.body(body, content_type).header("accept", accept);
        self.send(Request { timeout: INVOKE_TIMEOUT, ..asked }).await
    }

    async fn sagemaker(&self, operation: &'static str, body: &Value) -> Result<Value, CloudError> {
        self.json(Request::json(&SAGEMAKER, operation, body)).await
    }
}

/// `None` where something is not there. SageMaker has no code for that: it is a failed validation, and the words say which.
fn absent(answer: Result<Value, CloudError>) -> Result<Option<Value>, CloudError> {
    match answer {
        Ok(there) => Ok(Some(there)),
        Err(error) if error.kind == Kind::NotFound || error.message.starts_with("Could not find") => Ok(None),
        Err(error) => Err(error),
    }
}

/// True for what was made by this call. What is there already may be of one before whose answer was lost: that is a failed validation too.
fn present(answer: Result<Value, CloudError>) -> Result<bool, CloudError> {
    match answer {
        Err(error) if error.message.starts_with("Cannot create already existing") => Ok(false),
        other => other.map(|_| true),
    }
}
