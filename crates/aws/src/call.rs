//! A call: its request, and whether it is worth another try.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;

use crate::error::{CloudError, Kind};
use crate::failure;
use crate::service::{Protocol, Service};
use crate::sigv4::{encoded, query};
use crate::transport::{Answer, Request as Sent, Transport};

/// A call of a control plane answers within this.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How often a call is tried, at most.
const ATTEMPTS: u32 = 5;
/// The wait before the second try, milliseconds; each further one is twice as long.
const FIRST_WAIT_MS: f64 = 250.0;
/// The longest wait, milliseconds.
const LONGEST_WAIT_MS: f64 = 5_000.0;

/// A request to a service.
#[derive(Debug, Clone)]
pub struct Request {
    /// The service.
    pub service: &'static Service,
    /// The operation, as AWS names it.
    pub operation: &'static str,
    /// The method.
    pub method: Method,
    /// The bucket, of S3.
    pub bucket: Option<String>,
    /// The path, percent-encoded.
    pub path: String,
    /// The query, not encoded yet.
    pub query: Vec<(String, String)>,
    /// Its own headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Until the answer is whole.
    pub timeout: Duration,
}

impl Request {
    /// A request to a path, whose parts are encoded here.
    pub fn rest(service: &'static Service, operation: &'static str, method: Method, parts: &[&str]) -> Self {
        let path = parts.iter().map(|part| format!("/{}", encoded(part, b""))).collect();
        Self {
            service,
            operation,
            method,
            bucket: None,
            path,
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: TIMEOUT,
        }
    }

    /// A request of a service that has one path and takes JSON.
    pub fn json(service: &'static Service, operation: &'static str, body: &Value) -> Self {
        let target = match service.protocol {
            Protocol::Json { target } => target,
            Protocol::RestJson | Protocol::Query { .. } | Protocol::RestXml => "",
        };
        let mut request = Self::rest(service, operation, Method::POST, &[])
            .header("x-amz-target", &format!("{target}.{operation}"));
        request.path = "/".to_owned();
        request.body(Bytes::from(body.to_string()), "application/x-amz-json-1.1")
    }

    /// A request of a service that takes forms.
    pub fn query(service: &'static Service, operation: &'static str, form: &[(&str, &str)]) -> Self {
        let version = match service.protocol {
            Protocol::Query { version } => version,
            Protocol::RestJson | Protocol::Json { .. } | Protocol::RestXml => "",
        };
        let mut pairs =
            vec![("Action".to_owned(), operation.to_owned()), ("Version".to_owned(), version.to_owned())];
        pairs.extend(form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut request = Self::rest(service, operation, Method::POST, &[]);
        request.path = "/".to_owned();
        request.body(Bytes::from(query(&pairs)), "application/x-www-form-urlencoded; charset=utf-8")
    }

    /// Adds to the query.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    /// Gives it a body of JSON.
    #[must_use]
    pub fn with_json(self, body: &Value) -> Self {
        self.body(Bytes::from(body.to_string()), "application/json")
    }

    /// Gives it a body.
    #[must_use]
    pub fn body(mut self, body: Bytes, content_type: &str) -> Self {
        self.body = body;
        self.header("content-type", content_type)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// The request as it is sent, but for its signature.
    pub(crate) fn unsigned(&self, url: &str) -> Sent {
        let mark = if self.query.is_empty() { "" } else { "?" };
        Sent {
            method: self.method.clone(),
            url: format!("{url}{mark}{}", query(&self.query)),
            headers: self.headers.clone(),
            body: self.body.clone(),
            timeout: self.timeout,
        }
    }

    /// True when a second one, after one whose fate nobody knows, does no harm.
    fn is_repeatable(&self) -> bool {
        let reads = ["Get", "List", "Describe", "Filter", "Head"];
        self.method != Method::POST || reads.iter().any(|verb| self.operation.starts_with(verb))
    }
}

/// Sends a request that needs no signature. Not tried again.
///
/// # Errors
/// What the service says, or that it does not answer.
pub async fn unsigned(transport: &dyn Transport, request: &Request, url: &str) -> Result<Answer, CloudError> {
    let sent = request.unsigned(&format!("{url}{}", request.path));
    let answer = transport.send(&sent).await.map_err(|error| failure::unreached(request, error))?;
    failure::checked(request, answer, "the token")
}

/// How long to wait before the next try, after `attempt` others; `None` when it is not worth one. `jitter` is from 0 to 1.
pub fn again_in(request: &Request, error: &CloudError, attempt: u32, jitter: f64) -> Option<Duration> {
    let status = error.call.as_ref().map_or(0, |call| call.status);
    let is_worth_it = match error.kind {
        Kind::Throttled => true,
        Kind::Conflict => error.is_busy(),
        Kind::Unreachable => request.is_repeatable(),
        _ => (500..600).contains(&status),
    };
    if !is_worth_it || attempt + 1 >= ATTEMPTS {
        return None;
    }
    let wait_ms = (FIRST_WAIT_MS * f64::from(1 << attempt)).min(LONGEST_WAIT_MS);
    // Between half of it and all: clients that fail together do not come back together.
    Some(Duration::from_secs_f64(wait_ms * (0.5 + 0.5 * jitter.clamp(0.0, 1.0)) / 1_000.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Call;
    use crate::service::{IAM, LAMBDA, LOGS};

    fn error(kind: Kind, status: u16) -> CloudError {
        let call =
            Call { service: "x", operation: "X", status, code: String::new(), request_id: String::new() };
        CloudError { call: Some(call), ..CloudError::new(kind, "x") }
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_is_refused_is_not() {
        let read = Request::rest(&LAMBDA, "GetFunction", Method::GET, &["x"]);
        let made = Request::rest(&LAMBDA, "CreateFunction", Method::POST, &["x"]);
        let ms = |request, error: &CloudError, attempt| {
            again_in(request, error, attempt, 0.0).map(|wait| wait.as_millis())
        };
        for request in [&read, &made] {
            assert_eq!(ms(request, &error(Kind::Throttled, 429), 0), Some(125));
            assert_eq!(ms(request, &error(Kind::Service, 503), 1), Some(250));
            assert_eq!(ms(request, &error(Kind::Service, 503), ATTEMPTS - 1), None);
            assert_eq!(ms(request, &error(Kind::Denied, 403), 0), None);
        }
        let busy =
            CloudError { message: "An update is in progress".to_owned(), ..error(Kind::Conflict, 409) };
        assert_eq!(ms(&made, &busy, 0), Some(125));
        assert_eq!(ms(&made, &error(Kind::Conflict, 409), 0), None);
        // Nobody knows whether it was made.
        assert_eq!(ms(&made, &error(Kind::Unreachable, 0), 0), None);
        assert_eq!(ms(&read, &error(Kind::Unreachable, 0), 0), Some(125));
        assert_eq!(again_in(&read, &error(Kind::Throttled, 429), 3, 1.0), Some(Duration::from_secs(2)));
    }

    #[test]
    fn each_protocol_says_the_operation_in_its_own_way() {
        let form = Request::query(&IAM, "GetRole", &[("RoleName", "a b")]);
        assert_eq!(form.body, "Action=GetRole&RoleName=a%20b&Version=2010-05-08");
        let json = Request::json(&LOGS, "CreateLogGroup", &serde_json::json!({"logGroupName": "/x"}));
        assert_eq!(json.headers["x-amz-target"], "Logs_20140328.CreateLogGroup");
        let rest = Request::rest(&LAMBDA, "GetFunction", Method::GET, &["2015-03-31", "functions", "a:b"]);
        assert_eq!(rest.path, "/2015-03-31/functions/a%3Ab");
    }
}
