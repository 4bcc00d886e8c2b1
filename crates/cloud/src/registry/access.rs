//! Who asks a registry: the user that is named on the command line, or the login that `docker login` and `podman login` keep.

use std::fmt;

use oci_client::Reference;

use super::logins;
use crate::environment::Environment;
use crate::error::CloudError;

/// The way into registries.
#[derive(Clone)]
pub struct Access {
    /// Registries, as `host:port`, that have no TLS.
    pub plain: Vec<String>,
    /// For one registry: its name, a user, and the password.
    pub given: Option<(String, String, String)>,
    /// The environment, which says where logins are kept.
    pub environment: Environment,
}

/// Who asks, and where that is known from.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    /// Who.
    pub who: Who,
    /// Where that is known from, in words.
    pub source: String,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Who {
    /// One who does not say.
    Nobody,
    /// A user with a password, or with a token in its place.
    User(String, String),
    /// The owner of an identity token, which stands for a user and a password (Azure's registries give them).
    Identity(String),
}

impl Access {
    /// A way that knows what the environment leads to.
    pub const fn new(environment: Environment) -> Self {
        Self { plain: Vec::new(), given: None, environment }
    }

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

    /// True for a registry without TLS.
    pub(super) fn is_plain(&self, registry: &str) -> bool {
        self.plain.iter().any(|plain| plain == registry)
    }

    /// Who asks the registry of an image.
    ///
    /// # Errors
    /// When a login is kept for it, and cannot be had.
    pub(super) async fn to(&self, image: &Reference) -> Result<Login, CloudError> {
        let registry = image.resolve_registry();
        if let Some((_, user, password)) = self.given.as_ref().filter(|(name, ..)| name == registry) {
            let who = Who::User(user.clone(), password.clone());
            return Ok(Login { who, source: "as it was given".to_owned() });
        }
        logins::find(&self.environment, image).await
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = self.given.as_ref().map(|(registry, user, _)| (registry, user));
        f.debug_struct("Access").field("plain", &self.plain).field("given", &given).finish_non_exhaustive()
    }
}

/// For people: without what nobody may see.
impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.who {
            Who::Nobody => f.write_str("nobody"),
            Who::User(user, _) => write!(f, "{user} ({})", self.source),
            Who::Identity(_) => write!(f, "the owner of an identity token ({})", self.source),
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        Access::new(Environment::new(|_| None))
    }

    #[test]
    fn registries_on_loopback_need_no_tls_and_others_do() {
        let plain = |image: &str| access().with_loopback(&image.parse().unwrap()).plain;
        assert_eq!(plain("127.0.0.1:5000/churn:1"), ["127.0.0.1:5000"]);
        assert_eq!(plain("localhost:5000/churn"), ["localhost:5000"]);
        assert!(plain("registry.example.com/churn").is_empty());
        assert!(plain("churn").is_empty());
    }

    #[test]
    fn a_password_is_not_shown() {
        let given = Some(("r.example".to_owned(), "me".to_owned(), "hunter2".to_owned()));
        let shown = format!("{:?}", Access { given, ..access() });
        assert!(shown.contains("me") && !shown.contains("hunter2"), "{shown}");
        let login =
            Login { who: Who::User("me".to_owned(), "hunter2".to_owned()), source: "given".to_owned() };
        assert_eq!(
            (format!("{login}"), format!("{login:?}")),
            ("me (given)".to_owned(), "me (given)".to_owned())
        );
    }
}
