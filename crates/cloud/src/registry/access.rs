//! Who asks a registry, and how: the credentials that `docker login` and `podman login` keep, or those that are given.

use std::fmt;

use docker_credential::{DockerCredential, get_credential, get_podman_credential};
use oci_client::Reference;
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::secrets::RegistryAuth;

/// Docker's own registry, as `docker login` calls it.
const DOCKER_HUB: (&str, &str) = ("index.docker.io", "https://index.docker.io/v1/");
/// The name that goes with a token in the place of a password.
const TOKEN_USER: &str = "<token>";

/// The way into registries.
#[derive(Clone, Default)]
pub struct Access {
    /// Registries, as `host:port`, that have no TLS.
    pub plain: Vec<String>,
    /// For one registry: its name, a user, and the password.
    pub given: Option<(String, String, String)>,
}

impl Access {
    /// Lets registries on loopback do without TLS, as Docker and Podman's users expect.
    #[must_use]
    pub fn with_loopback(mut self, image: &Reference) -> Self {
        let registry = image.resolve_registry();
        let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
        if ["localhost", "127.0.0.1", "[::1]"].contains(&host) {
            self.plain.push(registry.to_owned());
        }
        self
    }

    /// Credentials for the registry of an image; nobody's where there are none.
    pub(super) fn to(&self, image: &Reference) -> RegistryAuth {
        let registry = image.resolve_registry();
        if let Some((_, user, password)) = self.given.as_ref().filter(|(name, ..)| name == registry) {
            return RegistryAuth::Basic(user.clone(), password.clone());
        }
        let name = if registry == DOCKER_HUB.0 { DOCKER_HUB.1 } else { registry };
        match get_credential(name).or_else(|_| get_podman_credential(name)) {
            Ok(DockerCredential::UsernamePassword(user, password)) => RegistryAuth::Basic(user, password),
            Ok(DockerCredential::IdentityToken(token)) => RegistryAuth::Basic(TOKEN_USER.to_owned(), token),
            Err(_) => RegistryAuth::Anonymous,
        }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = self.given.as_ref().map(|(registry, user, _)| (registry, user));
        f.debug_struct("Access").field("plain", &self.plain).field("given", &given).finish_non_exhaustive()
    }
}

/// True where a registry lets nobody do that, or not this one.
pub(super) fn is_refusal(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::UnauthorizedError { .. } | OciDistributionError::AuthenticationFailure(_) => {
            true
        }
        OciDistributionError::RequestError(error) => {
            error.status().is_some_and(|status| matches!(status.as_u16(), 401 | 403))
        }
        OciDistributionError::ServerError { code, .. } => matches!(code, 401 | 403),
        _ => false,
    }
}

/// True when a registry says that it has no such image, or no such repository.
pub(super) fn is_not_there(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::ImageManifestNotFoundError(_)
        | OciDistributionError::ServerError { code: 404, .. } => true,
        OciDistributionError::RegistryError { envelope, .. } => envelope.errors.iter().any(|error| {
            matches!(
                error.code,
                OciErrorCode::ManifestUnknown | OciErrorCode::NameUnknown | OciErrorCode::NotFound
            )
        }),
        _ => false,
    }
}

/// What a registry said, in one line.
pub(super) fn said(error: &OciDistributionError) -> String {
    match error {
        OciDistributionError::RegistryError { envelope, .. } => {
            let words: Vec<_> =
                envelope.errors.iter().map(|error| format!("{:?}: {}", error.code, error.message)).collect();
            words.join("; ")
        }
        _ if is_refusal(error) => "it wants to know who asks, or does not let them".to_owned(),
        OciDistributionError::RequestError(error) => {
            let mut text = error.to_string();
            let mut cause = std::error::Error::source(error);
            while let Some(inner) = cause {
                text = format!("{text}: {inner}");
                cause = inner.source();
            }
            text
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_on_loopback_need_no_tls_and_others_do() {
        let plain = |image: &str| Access::default().with_loopback(&image.parse().unwrap()).plain;
        assert_eq!(plain("127.0.0.1:5000/churn:1"), ["127.0.0.1:5000"]);
        assert_eq!(plain("localhost:5000/churn"), ["localhost:5000"]);
        assert!(plain("registry.example.com/churn").is_empty());
        assert!(plain("churn").is_empty());
    }

    #[test]
    fn a_password_is_not_shown() {
        let given = Some(("r.example".to_owned(), "me".to_owned(), "hunter2".to_owned()));
        let shown = format!("{:?}", Access { given, ..Access::default() });
        assert!(shown.contains("me") && !shown.contains("hunter2"), "{shown}");
    }
}
