//! Keys that the host of a container or of a machine gives (ECS Developer Guide, "Task IAM role"; EC2 User Guide, "Instance metadata
//! service", version 2).

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};

use super::{Credentials, Told, none};
use crate::Place;
use crate::environment::Environment;
use crate::error::CloudError;
use crate::transport::Request;

/// Where ECS tells keys.
const CONTAINER: &str = "http://169.254.170.2";
/// Where EC2 tells keys.
const MACHINE: &str = "http://169.254.169.254";
/// A host that is there answers within this.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long our token for a machine's metadata holds, seconds.
const TOKEN_SECONDS: &str = "300";
/// Hosts that may be asked without encryption: this machine, ECS and EKS (as the SDKs have them).
const TRUSTED: &[&str] =
    &["127.0.0.1", "localhost", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];

/// The key of a container's role; `None` where the environment names no host for it.
pub(super) async fn of_container(place: &Place) -> Result<Option<Credentials>, CloudError> {
    let relative = place.environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    let full = place.environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let Some(url) = relative.map(|path| format!("{CONTAINER}{path}")).or(full) else { return Ok(None) };
    let host = url.strip_prefix("http://").map(|rest| rest.split('/').next().unwrap_or_default());
    let is_trusted =
        |host: &str| TRUSTED.iter().any(|own| host == *own || host.starts_with(&format!("{own}:")));
    if host.is_some_and(|host| !is_trusted(host)) {
        return Err(none(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI names a host that is asked over https:// alone",
        ));
    }
    let mut headers = HeaderMap::new();
    if let Some(token) = token(&place.environment)? {
        let mut value = HeaderValue::from_str(token.trim())
            .map_err(|_| none("the token for the container's credentials is no header's value"))?;
        value.set_sensitive(true);
        headers.insert("authorization", value);
    }
    let answer = ask(place, Method::GET, url, headers).await?;
    if answer.status != 200 {
        return Err(none(&format!("the container's host answered {} and no key", answer.status)));
    }
    Told::read(&answer.body, "the container's role").map(Some)
}

fn token(environment: &Environment) -> Result<Option<String>, CloudError> {
    let Some(file) = environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") else {
        return Ok(environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN"));
    };
    let read = std::fs::read_to_string(&file);
    read.map(Some).map_err(|error| none(&format!("the container's token cannot be read: {file}: {error}")))
}

/// The key of a machine's role; `None` where the machine is none of EC2's, or has no role.
pub(super) async fn of_machine(place: &Place) -> Result<Option<Credentials>, CloudError> {
    if place
        .environment
        .get("AWS_EC2_METADATA_DISABLED")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    {
        return Ok(None);
    }
    let base =
        place.environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or_else(|| MACHINE.to_owned());
    let base = base.trim_end_matches('/');
    let seconds = HeaderValue::from_static(TOKEN_SECONDS);
    let headers = HeaderMap::from_iter([(
        http::HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds"),
        seconds,
    )]);
    // Elsewhere than on EC2 nobody listens there.
    let Ok(token) = ask(place, Method::PUT, format!("{base}/latest/api/token"), headers).await else {
        return Ok(None);
    };
    // Other clouds have something else at this address.
    let Some(token) = well(token).and_then(|token| HeaderValue::from_bytes(&token).ok()) else {
        return Ok(None);
    };
    let headers = HeaderMap::from_iter([(http::HeaderName::from_static("x-aws-ec2-metadata-token"), token)]);
    let path = format!("{base}/latest/meta-data/iam/security-credentials/");
    let roles = ask(place, Method::GET, path.clone(), headers.clone()).await?;
    let roles = String::from_utf8_lossy(&well(roles).unwrap_or_default()).into_owned();
    let Some(role) = roles.lines().next().filter(|role| !role.is_empty()) else { return Ok(None) };
    let answer = ask(place, Method::GET, format!("{path}{role}"), headers).await?;
    Told::read(&answer.body, &format!("the machine's role {role}")).map(Some)
}

/// The body of an answer that is one.
fn well(answer: crate::transport::Answer) -> Option<Bytes> {
    (answer.status == 200).then_some(answer.body)
}

async fn ask(
    place: &Place,
    method: Method,
    url: String,
    headers: HeaderMap,
) -> Result<crate::transport::Answer, CloudError> {
    place.transport.send(&Request { method, url, headers, body: Bytes::new(), timeout: TIMEOUT }).await
}
