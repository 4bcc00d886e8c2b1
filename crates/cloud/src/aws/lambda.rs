//! Lambda's own operations, but for what is one line where it is needed.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Aws;
use super::service::LAMBDA;
use crate::aws::call::Request;
use crate::error::{CloudError, Kind, found};
use crate::http::Answer;

/// Until code is sent: 50 MB over a slow line.
const CODE_TIMEOUT: Duration = Duration::from_secs(600);
/// The longest call of a function, and what the way there takes.
const INVOKE_TIMEOUT: Duration = Duration::from_secs(930);
/// Pages of versions that are read, at most.
const PAGES_LIMIT: usize = 40;
/// Between two looks at what Lambda is busy with.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How often one looks, at most: five minutes.
const LOOKS_LIMIT: u32 = 600;

const CORE: &str = "2015-03-31";
const CONCURRENCY: &str = "2017-10-31";
const PROVISIONED: &str = "2019-09-30";
const URLS: &str = "2021-10-31";
const TAGS: &str = "2017-03-31";

/// A function as it is there, and of each of its versions what the function was then.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Configuration {
    /// Its ARN.
    pub function_arn: String,
    /// The digest of its code, base64.
    pub code_sha256: String,
    /// What starts it; absent for an image.
    pub runtime: Option<String>,
    /// What is called; absent for an image.
    pub handler: Option<String>,
    /// The role that it runs in, by ARN.
    pub role: String,
    /// Memory, MB.
    pub memory_size: u64,
    /// The time-out of a call, seconds.
    pub timeout: u64,
    /// `/tmp`.
    pub ephemeral_storage: Storage,
    /// Variables.
    pub environment: Option<Environment>,
    /// What it is, for people; of versions, which of ours it is.
    pub description: String,
    /// `$LATEST` or a number.
    pub version: String,
    /// `Pending`, `Active`, `Inactive` or `Failed`.
    pub state: Option<String>,
    /// Why it is not `Active`.
    pub state_reason: Option<String>,
    /// `Successful`, `InProgress` or `Failed`.
    pub last_update_status: Option<String>,
    /// Why not.
    pub last_update_status_reason: Option<String>,
}

/// The size of `/tmp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Storage {
    /// MB.
    pub size: u64,
}

impl Default for Storage {
    fn default() -> Self {
        Self { size: 512 }
    }
}

/// The variables of a function.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Environment {
    /// By name.
    pub variables: BTreeMap<String, String>,
}

/// A function with what stands beside its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Function {
    /// Its configuration.
    pub configuration: Configuration,
    /// Where its code is from.
    #[serde(default)]
    pub code: Code,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// How much of the account's concurrency is its own.
    #[serde(default)]
    pub concurrency: Option<Reserved>,
}

/// Where code is from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Code {
    /// The image, where it is one.
    pub image_uri: Option<String>,
}

/// Concurrency that is kept for a function, and its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Reserved {
    /// Calls at once.
    pub reserved_concurrent_executions: Option<u32>,
}

/// An alias as it is there.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Alias {
    /// The version that gets all calls, or most.
    pub function_version: String,
    /// A second version, and its part of the calls.
    #[serde(default)]
    pub routing_config: Option<Routing>,
}

/// Who else gets calls.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Routing {
    /// Parts from 0 to 1, by version.
    pub additional_version_weights: Option<BTreeMap<String, f64>>,
}

/// An address of a function.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Url {
    /// The address.
    pub function_url: String,
    /// `AWS_IAM` or `NONE`.
    pub auth_type: String,
}

/// A request about a function.
pub(crate) fn about(
    date: &str,
    operation: &'static str,
    method: Method,
    name: &str,
    more: &[&str],
) -> Request {
    let parts = [&[date, "functions", name], more].concat();
    Request::rest(&LAMBDA, operation, method, &parts)
}

impl Aws {
    /// A function; `None` where there is none of this name.
    pub(crate) async fn function(&self, name: &str) -> Result<Option<Function>, CloudError> {
        self.found(about(CORE, "GetFunction", Method::GET, name, &[])).await
    }

    /// Makes a function of a body as the API takes it.
    pub(crate) async fn create_function(&self, body: &Value) -> Result<(), CloudError> {
        let asked = Request::rest(&LAMBDA, "CreateFunction", Method::POST, &[CORE, "functions"]);
        self.send(Request { timeout: CODE_TIMEOUT, ..asked.with_json(body) }).await.map(drop)
    }

    /// Gives a function code.
    pub(crate) async fn update_code(&self, name: &str, body: &Value) -> Result<(), CloudError> {
        let asked = about(CORE, "UpdateFunctionCode", Method::PUT, name, &["code"]);
        self.send(Request { timeout: CODE_TIMEOUT, ..asked.with_json(body) }).await.map(drop)
    }

    /// Changes a function's configuration.
    pub(crate) async fn update_configuration(&self, name: &str, body: &Value) -> Result<(), CloudError> {
        let asked = about(CORE, "UpdateFunctionConfiguration", Method::PUT, name, &["configuration"]);
        self.send(asked.with_json(body)).await.map(drop)
    }

    /// Sets tags of a function.
    pub(crate) async fn tag_function(
        &self,
        arn: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CloudError> {
        let asked = Request::rest(&LAMBDA, "TagResource", Method::POST, &[TAGS, "tags", arn]);
        self.send(asked.with_json(&json!({"Tags": tags}))).await.map(drop)
    }

    /// All versions but `$LATEST`.
    pub(crate) async fn versions(&self, name: &str) -> Result<Vec<Configuration>, CloudError> {
        let mut versions = Vec::new();
        let mut marker: Option<String> = None;
        for _ in 0..PAGES_LIMIT {
            let mut asked = about(CORE, "ListVersionsByFunction", Method::GET, name, &["versions"]);
            if let Some(marker) = &marker {
                asked = asked.with("Marker", marker);
            }
            let mut answer = self.json(asked).await?;
            let page: Vec<Configuration> = parsed("ListVersionsByFunction", answer["Versions"].take())?;
            versions.extend(page.into_iter().filter(|version| version.version != "$LATEST"));
            marker = answer["NextMarker"].as_str().filter(|marker| !marker.is_empty()).map(str::to_owned);
            if marker.is_none() {
                break;
            }
        }
        Ok(versions)
    }

    /// Makes a version of what the function is now; gives its number.
    pub(crate) async fn publish(
        &self,
        name: &str,
        description: &str,
        code_sha256: Option<&str>,
    ) -> Result<String, CloudError> {
        let mut body = json!({"Description": description});
        if let Some(sha256) = code_sha256 {
            body["CodeSha256"] = json!(sha256);
        }
        let asked = about(CORE, "PublishVersion", Method::POST, name, &["versions"]);
        let published: Configuration = parsed("PublishVersion", self.json(asked.with_json(&body)).await?)?;
        Ok(published.version)
    }

    /// Deletes a function, or one version of it.
    pub(crate) async fn delete_function(&self, name: &str, version: Option<&str>) -> Result<(), CloudError> {
        let mut asked = about(CORE, "DeleteFunction", Method::DELETE, name, &[]);
        if let Some(version) = version {
            asked = asked.with("Qualifier", version);
        }
        self.send(asked).await.map(drop)
    }

    /// Waits until Lambda is done with what was asked of it before.
    pub(crate) async fn settled(&self, name: &str, version: Option<&str>) -> Result<(), CloudError> {
        for _ in 0..LOOKS_LIMIT {
            let mut asked = about(CORE, "GetFunctionConfiguration", Method::GET, name, &["configuration"]);
            if let Some(version) = version {
                asked = asked.with("Qualifier", version);
            }
            let now: Configuration = parsed("GetFunctionConfiguration", self.json(asked).await?)?;
            let failed = |what: &str, why: Option<&String>| {
                let why = why.map_or("it does not say why", String::as_str);
                Err(CloudError::new(
                    Kind::Service,
                    format!("Lambda says that {what} of {name} failed: {why}"),
                ))
            };
            match (now.state.as_deref(), now.last_update_status.as_deref()) {
                (Some("Failed"), _) => return failed("the start", now.state_reason.as_ref()),
                (_, Some("Failed")) => return failed("the change", now.last_update_status_reason.as_ref()),
                (Some("Pending"), _) | (_, Some("InProgress")) => self.pause(LOOK_AGAIN).await,
                _ => return Ok(()),
            }
        }
        let minutes = LOOK_AGAIN.as_secs_f64() * f64::from(LOOKS_LIMIT) / 60.0;
        Err(CloudError::new(
            Kind::Unfinished,
            format!("Lambda is still busy with {name} after {minutes} minutes"),
        )
        .hint("apply again later: what is done is kept"))
    }

    /// An alias; `None` where there is none of this name.
    pub(crate) async fn alias(&self, name: &str, alias: &str) -> Result<Option<Alias>, CloudError> {
        self.found(about(CORE, "GetAlias", Method::GET, name, &["aliases", alias])).await
    }

    /// Makes an alias.
    pub(crate) async fn create_alias(&self, name: &str, body: &Value) -> Result<(), CloudError> {
        let asked = about(CORE, "CreateAlias", Method::POST, name, &["aliases"]);
        self.send(asked.with_json(body)).await.map(drop)
    }

    /// Moves an alias.
    pub(crate) async fn update_alias(&self, name: &str, alias: &str, body: &Value) -> Result<(), CloudError> {
        let asked = about(CORE, "UpdateAlias", Method::PUT, name, &["aliases", alias]);
        self.send(asked.with_json(body)).await.map(drop)
    }

    /// Deletes an alias.
    pub(crate) async fn delete_alias(&self, name: &str, alias: &str) -> Result<(), CloudError> {
        self.send(about(CORE, "DeleteAlias", Method::DELETE, name, &["aliases", alias])).await.map(drop)
    }

    /// Keeps a part of the account's concurrency for a function; `None`: none any more.
    pub(crate) async fn set_reserved(&self, name: &str, calls: Option<u32>) -> Result<(), CloudError> {
        let asked = match calls {
            Some(calls) => about(CONCURRENCY, "PutFunctionConcurrency", Method::PUT, name, &["concurrency"])
                .with_json(&json!({"ReservedConcurrentExecutions": calls})),
            None => about(CONCURRENCY, "DeleteFunctionConcurrency", Method::DELETE, name, &["concurrency"]),
        };
        self.send(asked).await.map(drop)
    }

    /// How many instances an alias keeps ready.
    pub(crate) async fn provisioned(&self, name: &str, alias: &str) -> Result<Option<u32>, CloudError> {
        let asked = provisioned("GetProvisionedConcurrencyConfig", Method::GET, name, alias);
        let there: Option<Value> = self.found(asked).await?;
        let there = there.and_then(|there| there["RequestedProvisionedConcurrentExecutions"].as_u64());
        Ok(there.and_then(|there| u32::try_from(there).ok()))
    }

    /// Lets an alias keep instances ready; `None`: none any more.
    pub(crate) async fn set_provisioned(
        &self,
        name: &str,
        alias: &str,
        instances: Option<u32>,
    ) -> Result<(), CloudError> {
        let asked = match instances {
            Some(instances) => provisioned("PutProvisionedConcurrencyConfig", Method::PUT, name, alias)
                .with_json(&json!({"ProvisionedConcurrentExecutions": instances})),
            None => provisioned("DeleteProvisionedConcurrencyConfig", Method::DELETE, name, alias),
        };
        self.send(asked).await.map(drop)
    }

    /// The address of an alias; `None` where it has none.
    pub(crate) async fn url(&self, name: &str, alias: &str) -> Result<Option<Url>, CloudError> {
        self.found(of_url("GetFunctionUrlConfig", Method::GET, name, alias)).await
    }

    /// Makes the address of an alias.
    pub(crate) async fn create_url(&self, name: &str, alias: &str, auth: &str) -> Result<(), CloudError> {
        let body = json!({"AuthType": auth, "InvokeMode": "BUFFERED"});
        let asked = of_url("CreateFunctionUrlConfig", Method::POST, name, alias).with_json(&body);
        self.send(asked).await.map(drop)
    }

    /// Changes who may call the address of an alias.
    pub(crate) async fn update_url(&self, name: &str, alias: &str, auth: &str) -> Result<(), CloudError> {
        let asked = of_url("UpdateFunctionUrlConfig", Method::PUT, name, alias);
        self.send(asked.with_json(&json!({"AuthType": auth}))).await.map(drop)
    }

    /// Takes the address of an alias away.
    pub(crate) async fn delete_url(&self, name: &str, alias: &str) -> Result<(), CloudError> {
        self.send(of_url("DeleteFunctionUrlConfig", Method::DELETE, name, alias)).await.map(drop)
    }

    /// Who may call an alias: the statements of its policy.
    pub(crate) async fn policy(&self, name: &str, alias: &str) -> Result<Vec<Value>, CloudError> {
        let asked = about(CORE, "GetPolicy", Method::GET, name, &["policy"]).with("Qualifier", alias);
        let there: Option<Value> = self.found(asked).await?;
        let policy = there.and_then(|there| there["Policy"].as_str().map(str::to_owned)).unwrap_or_default();
        let mut policy: Value = serde_json::from_str(&policy).unwrap_or_default();
        Ok(match policy["Statement"].take() {
            Value::Array(statements) => statements,
            _ => Vec::new(),
        })
    }

    /// Lets somebody call an alias.
    pub(crate) async fn add_permission(
        &self,
        name: &str,
        alias: &str,
        body: &Value,
    ) -> Result<(), CloudError> {
        let asked = about(CORE, "AddPermission", Method::POST, name, &["policy"]).with("Qualifier", alias);
        self.send(asked.with_json(body)).await.map(drop)
    }

    /// Takes that back.
    pub(crate) async fn remove_permission(
        &self,
        name: &str,
        alias: &str,
        id: &str,
    ) -> Result<(), CloudError> {
        let asked = about(CORE, "RemovePermission", Method::DELETE, name, &["policy", id]);
        self.send(asked.with("Qualifier", alias)).await.map(drop)
    }

    /// Calls a function and waits for its answer.
    pub(crate) async fn invoke(
        &self,
        name: &str,
        qualifier: &str,
        body: Bytes,
    ) -> Result<Answer, CloudError> {
        let asked = about(CORE, "Invoke", Method::POST, name, &["invocations"]).with("Qualifier", qualifier);
        let asked = asked.body(body, "application/json").header("x-amz-invocation-type", "RequestResponse");
        self.send(Request { timeout: INVOKE_TIMEOUT, ..asked }).await
    }

    async fn found<T: for<'a> Deserialize<'a>>(&self, asked: Request) -> Result<Option<T>, CloudError> {
        let operation = asked.operation;
        found(self.json(asked).await)?.map(|answer| parsed(operation, answer)).transpose()
    }
}

fn provisioned(operation: &'static str, method: Method, name: &str, alias: &str) -> Request {
    about(PROVISIONED, operation, method, name, &["provisioned-concurrency"]).with("Qualifier", alias)
}

fn of_url(operation: &'static str, method: Method, name: &str, alias: &str) -> Request {
    about(URLS, operation, method, name, &["url"]).with("Qualifier", alias)
}

fn parsed<T: for<'a> Deserialize<'a>>(operation: &'static str, answer: Value) -> Result<T, CloudError> {
    serde_json::from_value(answer).map_err(|_| super::failure::senseless(&LAMBDA, operation, 200))
}
