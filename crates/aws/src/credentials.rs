//! Whose name calls are made in. Found where AWS' own tools find it, in their order; never shown, logged or written down.
//!
//! - [`profile`]: the files below `~/.aws`
//! - [`assumed`]: roles, through STS
//! - [`host`]: what a container's or a machine's host gives

pub mod assumed;
pub mod host;
pub mod profile;

use std::fmt;

use serde::Deserialize;

use crate::environment::Environment;
use crate::error::{CloudError, Kind};
use crate::{Clock, Place};
use profile::{Profile, Source};

/// Profiles that are named by other profiles, at most.
const PROFILES_IN_A_ROW: usize = 5;

/// A key, and where it is from.
#[derive(Clone)]
pub struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    source: String,
}

impl Credentials {
    /// A key from somewhere, which is said in words.
    pub fn new(
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
        session_token: Option<impl Into<String>>,
        source: impl Into<String>,
    ) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token: session_token.map(Into::into),
            source: source.into(),
        }
    }

    /// Which key it is.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// Where it was found, in words: for people.
    pub fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn secret_access_key(&self) -> &str {
        &self.secret_access_key
    }

    pub(crate) fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials(of {})", self.source)
    }
}

/// A key as STS, container hosts and machines say it in JSON.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    access_key_id: String,
    secret_access_key: String,
    #[serde(alias = "SessionToken")]
    token: Option<String>,
}

impl Told {
    fn read(body: &[u8], source: &str) -> Result<Credentials, CloudError> {
        // The parser's own words may quote what it read.
        let told: Self = serde_json::from_slice(body).map_err(|_| none(&format!("{source} gave no key")))?;
        Ok(Credentials::new(told.access_key_id, told.secret_access_key, told.token, source))
    }
}

/// Looks in the usual places, in the order of AWS' own tools: the environment, an identity of the web that the environment names, the
/// profile, the container's host, the machine's.
///
/// # Errors
/// [`Kind::Credentials`], when there are none anywhere, or those that are named cannot be had.
pub async fn find(place: &Place, clock: Clock) -> Result<Credentials, CloudError> {
    let chosen = place.profile.as_deref();
    if chosen.is_none()
        && let Some(credentials) = of_environment(&place.environment)
    {
        return Ok(credentials);
    }
    if chosen.is_none()
        && let Some(identity) = assumed::Identity::of_environment(&place.environment)
    {
        return assumed::by_identity(place, &identity).await;
    }
    if let Some(profile) = place.profiles.get(&place.profile_name()) {
        let found = Box::pin(of_profile(place, profile, clock, PROFILES_IN_A_ROW)).await?;
        if let Some(credentials) = found {
            return Ok(credentials);
        }
    }
    if let Some(name) = chosen {
        return Err(none(&format!("the profile {name} has no key")));
    }
    if let Some(credentials) = host::of_container(place).await? {
        return Ok(credentials);
    }
    host::of_machine(place).await?.ok_or_else(|| {
        none("there are no credentials for AWS: not in the environment, in no profile, and this machine has no role")
    })
}

/// Those that a profile stands for; `None` where it says nothing of any.
async fn of_profile(
    place: &Place,
    profile: &Profile,
    clock: Clock,
    more: usize,
) -> Result<Option<Credentials>, CloudError> {
    let Some(role) = profile.role()? else { return profile.key() };
    if more == 0 {
        return Err(none(&format!("the profile {} is named by too many others", profile.name)));
    }
    let base = match &role.source {
        Source::Profile(name) if *name == profile.name => profile.key()?,
        Source::Profile(name) => {
            let other = place.profiles.get(name).ok_or_else(|| {
                none(&format!("the profile {} names the profile {name}, which is not there", profile.name))
            })?;
            Box::pin(of_profile(place, other, clock, more - 1)).await?
        }
        Source::Environment => of_environment(&place.environment),
        Source::Container => host::of_container(place).await?,
        Source::Machine => host::of_machine(place).await?,
        Source::Web(identity) => {
            return assumed::by_identity(place, identity).await.map(Some);
        }
    };
    let base = base.ok_or_else(|| {
        none(&format!("the profile {} assumes a role, and has no key to do it with", profile.name))
    })?;
    assumed::by_key(place, base, &role, clock).await.map(Some)
}

fn of_environment(environment: &Environment) -> Option<Credentials> {
    let id = environment.get("AWS_ACCESS_KEY_ID")?;
    let secret = environment.get("AWS_SECRET_ACCESS_KEY")?;
    Some(Credentials::new(id, secret, environment.get("AWS_SESSION_TOKEN"), "the environment"))
}

fn none(why: &str) -> CloudError {
    CloudError::new(Kind::Credentials, why).hint(
        "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; of a single sign-on: aws configure export-credentials \
         --format env",
    )
}

#[cfg(test)]
mod tests;
