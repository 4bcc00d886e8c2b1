//! Secrets by reference: what names one in a store of AWS', how it is asked for, and what of the answer is the value.
//!
//! References are written as ECS writes them in `valueFrom` (ECS Developer Guide, "Pass Secrets Manager secrets through environment
//! variables" and "Pass Systems Manager parameters"):
//!
//! | reference | what it names |
//! |---|---|
//! | `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-AbCdEf` | a secret, its current version |
//! | the same and `:json-key:version-stage:version-id` | a key of its JSON object; another version; what is empty is not said |
//! | `NAME`, `NAME:json-key:…` | the same in the caller's own account and region |
//! | `arn:aws:ssm:REGION:ACCOUNT:parameter/NAME`, `ssm:NAME` | a parameter of the Parameter Store |

use std::fmt;
use std::str::FromStr;

use modelet_core::base64;
use serde_json::{Value, json};

use crate::call::Request;
use crate::service::{SECRETS_MANAGER, SSM, Service};

/// What the variable of a reference begins with; the variable that gets the value follows.
pub const ENV_PREFIX: &str = "MODELET_SECRET_";
/// What a parameter's name begins with in a reference.
const PARAMETER: &str = "ssm:";
/// Parts of a secret's ARN.
const ARN_PARTS: usize = 7;

/// Where a secret lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Store {
    /// Secrets Manager.
    SecretsManager,
    /// The Parameter Store of Systems Manager.
    Parameters,
}

impl Store {
    /// The service.
    pub fn service(self) -> &'static Service {
        match self {
            Self::SecretsManager => &SECRETS_MANAGER,
            Self::Parameters => &SSM,
        }
    }

    /// The operation that gives a value.
    pub const fn operation(self) -> &'static str {
        match self {
            Self::SecretsManager => "GetSecretValue",
            Self::Parameters => "GetParameter",
        }
    }

    /// The name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::SecretsManager => "AWS Secrets Manager",
            Self::Parameters => "AWS' Parameter Store",
        }
    }
}

/// What names a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Where it lies.
    pub store: Store,
    /// Its ARN or its name.
    pub id: String,
    /// The key of its JSON object whose value is meant; `None`: all of it.
    pub json_key: Option<String>,
    /// The label of its version.
    pub stage: Option<String>,
    /// The id of its version.
    pub version: Option<String>,
}

impl Reference {
    /// The region that its ARN names.
    pub fn region(&self) -> Option<&str> {
        self.id.starts_with("arn:").then(|| self.id.split(':').nth(3))?.filter(|region| !region.is_empty())
    }

    /// The same without a key: what is asked for once, whatever its keys.
    pub fn whole(&self) -> Self {
        Self { json_key: None, ..self.clone() }
    }

    /// What asks for its value.
    pub fn request(&self) -> Request {
        let mut body = match self.store {
            Store::SecretsManager => json!({"SecretId": self.id}),
            Store::Parameters => json!({"Name": self.id, "WithDecryption": true}),
        };
        for (name, value) in [("VersionStage", &self.stage), ("VersionId", &self.version)] {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        }
        Request::json(self.store.service(), self.store.operation(), &body)
    }

    /// The value in an answer. An error says what is wrong, and nothing of what is in it.
    pub fn value(&self, answer: &Value) -> Result<Vec<u8>, String> {
        let whole = match self.store {
            Store::Parameters => answer["Parameter"]["Value"].as_str().map(|text| text.as_bytes().to_vec()),
            Store::SecretsManager => match (&answer["SecretString"], &answer["SecretBinary"]) {
                (Value::String(text), _) => Some(text.as_bytes().to_vec()),
                (_, Value::String(bytes)) => base64::decode(bytes).ok(),
                _ => None,
            },
        };
        let whole = whole.ok_or("there is no value in it")?;
        let value = match &self.json_key {
            None => whole,
            Some(key) => {
                let object: Value = serde_json::from_slice(&whole)
                    .map_err(|_| format!("it is no JSON, and has no key {key:?}"))?;
                match object.get(key) {
                    Some(Value::String(text)) => text.as_bytes().to_vec(),
                    Some(other) => other.to_string().into_bytes(),
                    None => return Err(format!("there is no key {key:?} in its JSON")),
                }
            }
        };
        if value.contains(&0) {
            return Err("there is a zero byte in it, which no variable can have".to_owned());
        }
        Ok(value)
    }
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "{text:?} names no secret: say arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME, with :json-key:version-stage:version-id \
                 after it or not, a secret's name, or ssm:PARAMETER"
            )
        };
        let whole = |store, id: &str| {
            let is_said = !id.is_empty() && !id.contains(char::is_whitespace);
            let id = id.to_owned();
            is_said
                .then_some(Self { store, id, json_key: None, stage: None, version: None })
                .ok_or_else(refused)
        };
        if let Some(name) = text.strip_prefix(PARAMETER) {
            return whole(Store::Parameters, name);
        }
        let mut parts = text.split(':');
        let id = match text.strip_prefix("arn:").map(|_| parts.clone().nth(2)) {
            Some(Some("ssm")) if text.contains(":parameter/") => return whole(Store::Parameters, text),
            Some(Some("secretsmanager")) if parts.clone().nth(5) == Some("secret") => {
                parts.by_ref().take(ARN_PARTS).collect::<Vec<_>>().join(":")
            }
            Some(_) => return Err(refused()),
            None => parts.next().unwrap_or_default().to_owned(),
        };
        let mut more = || parts.next().filter(|part| !part.is_empty()).map(str::to_owned);
        let (json_key, stage, version) = (more(), more(), more());
        if parts.next().is_some() {
            return Err(refused());
        }
        whole(Store::SecretsManager, &id).map(|all| Self { json_key, stage, version, ..all })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.store == Store::Parameters && !self.id.starts_with("arn:") {
            f.write_str(PARAMETER)?;
        }
        f.write_str(&self.id)?;
        let more = [&self.json_key, &self.stage, &self.version];
        if more.iter().all(|part| part.is_none()) {
            return Ok(());
        }
        more.iter().try_for_each(|part| write!(f, ":{}", part.as_deref().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests;
