//! Operations on an alias: who gets its calls, how many at once, who may call it, and by which address.

use http::Method;
use serde_json::{Value, json};

use super::{Alias, CORE, Url, about};
use crate::aws::Aws;
use crate::aws::call::Request;
use crate::error::CloudError;

const CONCURRENCY: &str = "2017-10-31";
const PROVISIONED: &str = "2019-09-30";
const URLS: &str = "2021-10-31";

impl Aws {
    /// All aliases of a function, whoever made them.
    pub(crate) async fn aliases(&self, name: &str) -> Result<Vec<Alias>, CloudError> {
        self.all_of("ListAliases", name, "aliases", "Aliases").await
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
}

fn provisioned(operation: &'static str, method: Method, name: &str, alias: &str) -> Request {
    about(PROVISIONED, operation, method, name, &["provisioned-concurrency"]).with("Qualifier", alias)
}

fn of_url(operation: &'static str, method: Method, name: &str, alias: &str) -> Request {
    about(URLS, operation, method, name, &["url"]).with("Qualifier", alias)
}
