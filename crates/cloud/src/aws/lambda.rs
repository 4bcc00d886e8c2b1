//! Lambda's own operations, on functions and their versions.
//!
//! - [`alias`]: on an alias: who gets its calls, who may call it, and by which address
//! - [`told`]: what Lambda says of all that

mod alias;
mod told;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use modelet_aws::transport::Answer;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Aws;
use super::service::LAMBDA;
use crate::aws::call::Request;
use crate::error::{CloudError, Kind, found};
pub use told::{Alias, Code, Configuration, Environment, Function, Reserved, Routing, Storage, Url};

/// Until code is sent: 50 MB over a slow line.
const CODE_TIMEOUT: Duration = Duration::from_secs(600);
/// The longest call of a function, and what the way there takes.
const INVOKE_TIMEOUT: Duration = Duration::from_secs(930);
/// Pages of versions and of aliases that are read, at most.
const PAGES_LIMIT: usize = 40;
/// Between two looks at what Lambda is busy with.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How often one looks, at most: five minutes.
const LOOKS_LIMIT: u32 = 600;

const CORE: &str = "2015-03-31";
const TAGS: &str = "2017-03-31";

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

    /// A version of a function.
    pub(crate) async fn version(&self, name: &str, version: &str) -> Result<Option<Function>, CloudError> {
        self.found(about(CORE, "GetFunction", Method::GET, name, &[]).with("Qualifier", version)).await
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
        let operation = "ListVersionsByFunction";
        let mut versions: Vec<Configuration> = self.all_of(operation, name, "versions", "Versions").await?;
        versions.retain(|version| version.version != "$LATEST");
        Ok(versions)
    }

    /// All pages of a list of a function's.
    async fn all_of<T: for<'a> Deserialize<'a>>(
        &self,
        operation: &'static str,
        name: &str,
        path: &str,
        list: &str,
    ) -> Result<Vec<T>, CloudError> {
        let mut found: Vec<T> = Vec::new();
        let mut marker: Option<String> = None;
        for _ in 0..PAGES_LIMIT {
            let mut asked = about(CORE, operation, Method::GET, name, &[path]);
            if let Some(marker) = &marker {
                asked = asked.with("Marker", marker);
            }
            let mut answer = self.json(asked).await?;
            let page: Vec<T> = parsed(operation, answer[list].take())?;
            found.extend(page);
            marker = answer["NextMarker"].as_str().filter(|marker| !marker.is_empty()).map(str::to_owned);
            if marker.is_none() {
                return Ok(found);
            }
        }
        let why = format!("{name} has more than {} {path}", found.len());
        Err(CloudError::refused(why).hint(format!("delete old ones: aws lambda list-{path} names them")))
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

fn parsed<T: for<'a> Deserialize<'a>>(operation: &'static str, answer: Value) -> Result<T, CloudError> {
    serde_json::from_value(answer).map_err(|_| super::failure::senseless(&LAMBDA, operation, 200))
}
