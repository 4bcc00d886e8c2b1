//! Where calls go: the region, and each service's endpoint, as AWS' own tools are told (AWS SDKs Reference Guide, "AWS Region" and
//! "Service-specific endpoints").

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::call::Request;
use crate::credentials::profile::{self, Profile};
use crate::environment::Environment;
use crate::error::{CloudError, Kind};
use crate::service::Service;
use crate::transport::Transport;

/// A place of AWS.
#[derive(Clone)]
pub struct Place {
    /// Who sends.
    pub transport: Arc<dyn Transport>,
    /// The region.
    pub region: String,
    /// The profile that was asked for by name.
    pub profile: Option<String>,
    /// All profiles.
    pub profiles: BTreeMap<String, Profile>,
    /// The environment.
    pub environment: Environment,
}

impl Place {
    /// The place that the command line, the environment or the profile says.
    ///
    /// # Errors
    /// When nothing says a region, or a file of profiles cannot be read.
    pub fn find(
        transport: Arc<dyn Transport>,
        environment: Environment,
        region: Option<String>,
        profile: Option<String>,
    ) -> Result<Self, CloudError> {
        let profiles = profile::all(&environment)?;
        let mut place = Self { transport, region: String::new(), profile, profiles, environment };
        let name = place.profile_name();
        if name != "default" && !place.profiles.contains_key(&name) {
            let known: Vec<_> = place.profiles.keys().map(String::as_str).collect();
            return Err(CloudError::new(
                Kind::Credentials,
                format!("there is no profile {name}; there is {}", known.join(", ")),
            ));
        }
        place.region = region
            .or_else(|| place.environment.get("AWS_REGION"))
            .or_else(|| place.environment.get("AWS_DEFAULT_REGION"))
            .or_else(|| place.of_profile("region"))
            .ok_or_else(|| {
                CloudError::refused("no region of AWS is named")
                    .hint("say one: --region eu-west-1, or AWS_REGION")
            })?;
        let is_region = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !place.region.chars().all(is_region) {
            return Err(CloudError::refused(format!("{:?} is no region of AWS", place.region)));
        }
        Ok(place)
    }

    /// The profile that is meant where none is asked for.
    pub fn profile_name(&self) -> String {
        let named =
            self.environment.get("AWS_PROFILE").or_else(|| self.environment.get("AWS_DEFAULT_PROFILE"));
        self.profile.clone().or(named).unwrap_or_else(|| "default".to_owned())
    }

    fn of_profile(&self, name: &str) -> Option<String> {
        Some(self.profiles.get(&self.profile_name())?.get(name)?.to_owned())
    }

    /// `aws`, or what the regions of China and the government have in its place in ARNs.
    pub fn partition(&self) -> &'static str {
        match self.region.get(..3) {
            Some("cn-") => "aws-cn",
            Some("us-") if self.region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    /// The region that a service's signatures name: its own, where all regions share the service.
    pub fn signing_region(&self, service: &Service) -> &str {
        match (service.is_global, self.partition()) {
            (false, _) => &self.region,
            (true, "aws-cn") => "cn-north-1",
            (true, "aws-us-gov") => "us-gov-west-1",
            (true, _) => "us-east-1",
        }
    }

    /// A service's address, without a slash at its end.
    pub fn endpoint(&self, service: &Service) -> String {
        self.other_endpoint(service).unwrap_or_else(|| {
            let domain = domain(self.partition());
            match (service.is_global, self.partition()) {
                (true, "aws") => format!("https://{}.{domain}", service.host),
                (true, "aws-us-gov") => format!("https://{}.us-gov.{domain}", service.host),
                _ => format!("https://{}.{}.{domain}", service.host, self.signing_region(service)),
            }
        })
    }

    /// The one that somebody named in the place of AWS' own.
    fn other_endpoint(&self, service: &Service) -> Option<String> {
        let ignored = self.environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        if ignored.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return None;
        }
        let url = self
            .environment
            .get(&format!("AWS_ENDPOINT_URL_{}", service.id))
            .or_else(|| self.environment.get("AWS_ENDPOINT_URL"))
            .or_else(|| self.of_profile("endpoint_url"))?;
        Some(url.trim_end_matches('/').to_owned())
    }

    /// Where a request goes, without its query. A bucket of S3 is part of the host at AWS, and of the path elsewhere.
    pub fn url(&self, request: &Request) -> String {
        let endpoint = self.endpoint(request.service);
        let is_own = self.other_endpoint(request.service).is_none();
        match (&request.bucket, endpoint.strip_prefix("https://")) {
            (Some(bucket), Some(host)) if is_own && !bucket.contains('.') => {
                format!("https://{bucket}.{host}{}", request.path)
            }
            (Some(bucket), _) => format!("{endpoint}/{bucket}{}", request.path),
            (None, _) => format!("{endpoint}{}", request.path),
        }
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").field("region", &self.region).field("profile", &self.profile).finish()
    }
}

/// What the hosts of a partition end with.
pub fn domain(partition: &str) -> &'static str {
    if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" }
}

/// The host, with a port where there is one, and the path of an address without a query.
pub fn host_and_path(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or((rest, "/"), |at| rest.split_at(at))
}
