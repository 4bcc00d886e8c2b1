//! The files below `~/.aws` (AWS CLI User Guide, "Configuration and credential file settings"): names and values in sections.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::assumed::{Identity, Role};
use super::{Credentials, none};
use crate::environment::Environment;
use crate::error::CloudError;

/// The largest file that is read, bytes.
const FILE_LIMIT_BYTES: u64 = 1 << 20;

/// Where the key is from with which a role is assumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Another profile, or the same.
    Profile(String),
    /// The environment.
    Environment,
    /// The container's host.
    Container,
    /// The machine.
    Machine,
    /// No key: an identity of the web.
    Web(Identity),
}

/// A profile, of both files.
#[derive(Clone)]
pub struct Profile {
    /// Its name.
    pub name: String,
    values: BTreeMap<String, String>,
}

impl Profile {
    /// A value of it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The key that stands in it.
    pub(super) fn key(&self) -> Result<Option<Credentials>, CloudError> {
        if let (Some(id), Some(secret)) = (self.get("aws_access_key_id"), self.get("aws_secret_access_key")) {
            let source = format!("the profile {}", self.name);
            return Ok(Some(Credentials::new(id, secret, self.get("aws_session_token"), source)));
        }
        for (word, what) in [
            ("sso_session", "is of a single sign-on"),
            ("sso_start_url", "is of a single sign-on"),
            ("credential_process", "gets its key from a program"),
        ] {
            if self.get(word).is_some() {
                return Err(none(&format!("the profile {} {what}, which modelet does not ask", self.name)).hint(
                    format!(
                        "have it in the environment: eval \"$(aws configure export-credentials --profile {} --format env)\"",
                        self.name
                    ),
                ));
            }
        }
        Ok(None)
    }

    /// The role that it assumes.
    pub(super) fn role(&self) -> Result<Option<Role>, CloudError> {
        let Some(arn) = self.get("role_arn") else { return Ok(None) };
        let refused = |why: &str| none(&format!("the profile {} {why}", self.name));
        if self.get("mfa_serial").is_some() {
            return Err(refused("asks for a code of a second factor, which modelet does not ask you for"));
        }
        let session = self.get("role_session_name").unwrap_or(super::assumed::SESSION).to_owned();
        let source = match (self.get("source_profile"), self.get("credential_source")) {
            (Some(profile), _) => Source::Profile(profile.to_owned()),
            (None, Some("Environment")) => Source::Environment,
            (None, Some("EcsContainer")) => Source::Container,
            (None, Some("Ec2InstanceMetadata")) => Source::Machine,
            (None, Some(_)) => return Err(refused("has a credential_source that AWS does not know")),
            (None, None) => {
                let file = self.get("web_identity_token_file");
                let file = file.ok_or_else(|| {
                    refused("has a role_arn, and neither source_profile nor credential_source")
                })?;
                Source::Web(Identity {
                    role: arn.to_owned(),
                    session: session.clone(),
                    token_file: file.into(),
                })
            }
        };
        let external_id = self.get("external_id").map(str::to_owned);
        Ok(Some(Role { arn: arn.to_owned(), session, external_id, source }))
    }
}

/// All profiles of both files, by name. What is not there has none.
///
/// # Errors
/// A file that cannot be read, or a line of it that is none, by file and number and without the line itself.
pub fn all(environment: &Environment) -> Result<BTreeMap<String, Profile>, CloudError> {
    let home = environment.get("HOME").map(PathBuf::from).unwrap_or_default();
    let path = |variable: &str, name: &str| {
        environment.get(variable).map_or_else(|| home.join(".aws").join(name), PathBuf::from)
    };
    let mut profiles = BTreeMap::new();
    read(&path("AWS_CONFIG_FILE", "config"), true, &mut profiles)?;
    // Where both have a value, the file of credentials has the say.
    read(&path("AWS_SHARED_CREDENTIALS_FILE", "credentials"), false, &mut profiles)?;
    Ok(profiles)
}

fn read(
    path: &std::path::Path,
    is_config: bool,
    profiles: &mut BTreeMap<String, Profile>,
) -> Result<(), CloudError> {
    let about = |why: &str| none(&format!("{}: {why}", path.display()));
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(about(&error.to_string())),
        Ok(file) if file.len() > FILE_LIMIT_BYTES => return Err(about("is too large for what it should be")),
        Ok(_) => {}
    }
    let text = std::fs::read_to_string(path).map_err(|error| about(&error.to_string()))?;
    let mut section = None;
    for (number, line) in text.lines().enumerate() {
        let is_nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) || is_nested {
            continue;
        }
        if let Some(head) = line.strip_prefix('[') {
            let head = head.split(']').next().unwrap_or_default().trim();
            section = named(head, is_config);
            continue;
        }
        let (name, value) =
            line.split_once('=').ok_or_else(|| about(&format!("line {} is no NAME = VALUE", number + 1)))?;
        if let Some(section) = &section {
            let new = || Profile { name: section.clone(), values: BTreeMap::new() };
            let profile = profiles.entry(section.clone()).or_insert_with(new);
            profile.values.insert(name.trim().to_lowercase(), value.trim().to_owned());
        }
    }
    Ok(())
}

/// The profile that a section is of. In `config` all but `default` are `[profile NAME]`, and other sections are none.
fn named(head: &str, is_config: bool) -> Option<String> {
    let after = head.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t']));
    match after {
        Some(name) if is_config => Some(name.trim().trim_matches('"').to_owned()),
        None if is_config => (head == "default").then(|| head.to_owned()),
        _ => Some(head.to_owned()),
    }
}
