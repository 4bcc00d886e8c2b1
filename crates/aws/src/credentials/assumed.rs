//! Roles that are assumed, through STS: with a key, or with an identity of the web.

use std::path::PathBuf;

use super::profile::Source;
use super::{Credentials, none};
use crate::call::{self, Request};
use crate::environment::Environment;
use crate::error::CloudError;
use crate::xml::Document;
use crate::{Caller, Clock, Place, service};

/// The name of our sessions, where the user has none: AWS' own logs show it.
pub const SESSION: &str = "modelet";

/// A role, and how it is assumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// The session's name.
    pub session: String,
    /// What somebody else's role asks for.
    pub external_id: Option<String>,
    /// With what.
    pub source: Source,
}

/// An identity of the web: a token in a file, which stands for a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The role's ARN.
    pub role: String,
    /// The session's name.
    pub session: String,
    /// The token's file, which others write anew from time to time.
    pub token_file: PathBuf,
}

impl Identity {
    /// The one that the environment names, as Kubernetes and CI services set it.
    pub fn of_environment(environment: &Environment) -> Option<Self> {
        Some(Self {
            role: environment.get("AWS_ROLE_ARN")?,
            session: environment.get("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| SESSION.to_owned()),
            token_file: environment.get("AWS_WEB_IDENTITY_TOKEN_FILE")?.into(),
        })
    }
}

/// Assumes a role with a key.
pub(super) async fn by_key(
    place: &Place,
    base: Credentials,
    role: &Role,
    clock: Clock,
) -> Result<Credentials, CloudError> {
    let mut form = vec![("RoleArn", role.arn.as_str()), ("RoleSessionName", &role.session)];
    form.extend(role.external_id.as_deref().map(|id| ("ExternalId", id)));
    let sts = Caller::with(place.clone(), base, clock);
    let answer = sts.query(&service::STS, "AssumeRole", &form).await?;
    read(Some(answer), &format!("the role {}", role.arn))
}

/// Assumes a role with an identity of the web: the one call that nobody signs.
pub(super) async fn by_identity(place: &Place, identity: &Identity) -> Result<Credentials, CloudError> {
    let file = identity.token_file.display();
    let token = std::fs::read_to_string(&identity.token_file)
        .map_err(|error| none(&format!("the token of {} cannot be read: {file}: {error}", identity.role)))?;
    let form = [
        ("RoleArn", identity.role.as_str()),
        ("RoleSessionName", &identity.session),
        ("WebIdentityToken", token.trim()),
    ];
    let request = Request::query(&service::STS, "AssumeRoleWithWebIdentity", &form);
    let url = place.endpoint(&service::STS);
    let answer = call::unsigned(place.transport.as_ref(), &request, &url).await?;
    read(Document::read(&answer.body), &format!("the role {}", identity.role))
}

fn read(document: Option<Document>, source: &str) -> Result<Credentials, CloudError> {
    let no_key = || none(&format!("STS gave no key of {source}"));
    let document = document.ok_or_else(no_key)?;
    let text = |name: &str| document.text(name).ok_or_else(no_key);
    Ok(Credentials::new(
        text("AccessKeyId")?,
        text("SecretAccessKey")?,
        document.text("SessionToken"),
        source,
    ))
}
