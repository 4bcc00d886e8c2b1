//! Who calls AWS: sends requests in somebody's name, again where that helps.

use serde_json::Value;

use crate::call::{self, Request};
use crate::credentials::{self, Credentials};
use crate::error::CloudError;
use crate::place::{self, Place};
use crate::service::Service;
use crate::transport::Answer;
use crate::{failure, sigv4, xml};

/// What tells the time, seconds since 1970; passed in, as all that differs between two runs.
pub type Clock = fn() -> u64;

/// An account of AWS at a place.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Where calls go.
    pub place: Place,
    credentials: Credentials,
    /// The difference that jitter makes to a wait, from 0 to 1; passed in, as the clock is.
    jitter: fn() -> f64,
    clock: Clock,
}

impl Caller {
    /// Finds the credentials and is ready to call.
    ///
    /// # Errors
    /// When there are no credentials.
    pub async fn connect(place: Place, clock: Clock, jitter: fn() -> f64) -> Result<Self, CloudError> {
        let credentials = credentials::find(&place, clock).await?;
        Ok(Self { place, credentials, jitter, clock })
    }

    /// The same with a key that is known.
    pub fn with(place: Place, credentials: Credentials, clock: Clock) -> Self {
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
            now_s: (self.clock)(),
        };
        let signed =
            sigv4::Signed { method: &request.method, host, path, query: &request.query, body: &request.body };
        sigv4::sign(signed, &mut sent.headers, &self.credentials, scope);
        let answer =
            self.place.transport.send(&sent).await.map_err(|error| failure::unreached(request, error))?;
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
}
