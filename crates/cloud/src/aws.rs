//! AWS: what targets ask of its services. How a call is made is the room [`modelet_aws`].
//!
//! - [`policy`]: what calls need to be allowed; [`names`]: what a function's things are called, and their tags
//! - [`iam`], [`lambda`], [`sagemaker`], [`ecr`], [`logs`], [`events`], [`s3`], [`secrets`]: the operations that targets use, one file for
//!   each service

pub mod ecr;
pub mod events;
pub mod iam;
pub mod lambda;
pub mod logs;
pub mod names;
pub mod policy;
pub mod s3;
pub mod sagemaker;
pub mod secrets;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

pub use modelet_aws::{Caller, Clock, Place, call, failure, place, service, xml};
use serde_json::{Value, json};

use crate::error::CloudError;

/// An account of AWS at a place, with the operations that targets use.
#[derive(Debug, Clone)]
pub struct Aws(Caller);

impl Deref for Aws {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl Aws {
    /// Finds the credentials and is ready to call.
    ///
    /// # Errors
    /// When there are no credentials.
    pub async fn connect(place: Place, clock: Clock, jitter: fn() -> f64) -> Result<Self, CloudError> {
        Caller::connect(place, clock, jitter).await.map(Self)
    }

    /// Whose name calls are made in, and where they go, for people.
    pub(crate) fn words(&self, account: &str) -> String {
        format!("account {account}, {}, by {}", self.place.region, self.credentials_source())
    }

    /// Waits a little, as long as there is patience.
    pub(crate) async fn pause(&self, wait: Duration) {
        tokio::time::sleep(wait).await;
    }

    /// The account's number.
    ///
    /// # Errors
    /// As [`Caller::send`]; this is the first call that needs valid credentials.
    pub async fn account(&self) -> Result<String, CloudError> {
        let answer = self.query(&service::STS, "GetCallerIdentity", &[]).await?;
        answer.text("Account").ok_or_else(|| failure::senseless(&service::STS, "GetCallerIdentity", 200))
    }
}

/// Tags as most services take them: a list of keys and values.
pub(crate) fn listed(tags: &BTreeMap<String, String>) -> Vec<Value> {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// Tags, however a service tells them: as one object, or as a list of keys and values.
pub(crate) fn tags(told: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match told {
        Value::Object(tags) => tags.iter().map(|(key, value)| (key.clone(), text(value))).collect(),
        Value::Array(tags) => tags.iter().map(|tag| (text(&tag["Key"]), text(&tag["Value"]))).collect(),
        _ => BTreeMap::new(),
    }
}
