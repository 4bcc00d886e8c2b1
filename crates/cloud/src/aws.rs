//! AWS: whose name calls are made in, where they go, and how they are sent.
//!
//! - [`place`]: the region and the endpoints; [`service`]: the services and how each is spoken to
//! - [`credentials`]: the key; [`sigv4`]: what it signs
//! - [`call`]: a request, tried again where that helps; [`failure`]: what the answer means when it is none
//! - [`xml`]: answers of the older services
//! - [`policy`]: what calls need to be allowed; [`names`]: what a function's things are called, and their tags
//! - [`iam`], [`lambda`], [`sagemaker`], [`ecr`], [`logs`], [`events`], [`s3`]: the operations that targets use, one file for each service

pub mod call;
pub mod credentials;
pub mod ecr;
pub mod events;
pub mod failure;
pub mod iam;
pub mod lambda;
pub mod logs;
pub mod names;
pub mod place;
pub mod policy;
pub mod s3;
pub mod sagemaker;
pub mod service;
pub mod sigv4;
pub mod xml;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::error::CloudError;
use crate::http::Answer;
use call::Request;
use credentials::Credentials;
pub use place::Place;
use service::Service;

/// What tells the time; passed in, as all that differs between two runs.
pub type Clock = fn() -> Timestamp;

/// An account of AWS at a place.
#[derive(Debug, Clone)]
pub struct Aws {
    /// Where calls go.
    pub place: Place,
    credentials: Credentials,
    /// The difference that jitter makes to a wait, from 0 to 1; passed in, as the clock is.
    jitter: fn() -> f64,
    clock: Clock,
}

impl Aws {
    /// Finds the credentials and is ready to call.
    ///
    /// # Errors
    /// When there are no credentials.
    pub async fn connect(place: Place, clock: Clock, jitter: fn() -> f64) -> Result<Self, CloudError> {
        let credentials = credentials::find(&place, clock).await?;
        Ok(Self { place, credentials, jitter, clock })
    }

    /// The same with a key that is known.
    pub(crate) fn with(place: Place, credentials: Credentials, clock: Clock) -> Self {
        Self { place, credentials, jitter: || 0.5, clock }
    }

    /// Where the key was found, in words.
    pub fn credentials_source(&self) -> &str {
        self.credentials.source()
    }

    /// Sends a request, signed; tried again where that helps.
    ///
    /// # Errors
    /// What the service says, or that it does not answer.
    pub async fn send(&self, request: Request) -> Result<Answer, CloudError> {
        let mut attempt = 0;
        loop {
            let error = match self.once(&request).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match call::again_in(&request, &error, attempt, (self.jitter)()) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(error),
            }
            attempt += 1;
        }
    }

    async fn once(&self, request: &Request) -> Result<Answer, CloudError> {
        let url = self.place.url(request);
        let mut sent = request.unsigned(&url);
        let (host, path) = place::host_and_path(&url);
        let scope = sigv4::Scope {
            region: self.place.signing_region(request.service),
            service: request.service.prefix,
            now: (self.clock)(),
        };
        let signed =
            sigv4::Signed { method: &request.method, host, path, query: &request.query, body: &request.body };
        sigv4::sign(signed, &mut sent.headers, &self.credentials, scope);
        let answer = self.place.http.send(&sent).await.map_err(|error| failure::unreached(request, error))?;
        failure::checked(request, answer, self.credentials.source())
    }

    /// An operation whose answer is JSON; `null` where the answer is empty.
    ///
    /// # Errors
    /// As [`Self::send`], and when the answer is no JSON.
    pub async fn json(&self, request: Request) -> Result<Value, CloudError> {
        let (service, operation) = (request.service, request.operation);
        let answer = self.send(request).await?;
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&answer.body)
            .map_err(|_| failure::senseless(service, operation, answer.status))
    }

    /// An operation of a service that takes forms and answers XML.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn query(
        &self,
        service: &'static Service,
        operation: &'static str,
        form: &[(&str, &str)],
    ) -> Result<xml::Document, CloudError> {
        let answer = self.send(Request::query(service, operation, form)).await?;
        xml::Document::read(&answer.body).ok_or_else(|| failure::senseless(service, operation, answer.status))
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
    /// As [`Self::send`]; this is the first call that needs valid credentials.
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
