//! Names and ids: parsed once, valid from then on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not a name; the message says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NameError(String);

/// The name of a function: 1 to 48 lower-case letters, digits and single hyphens, starting with a letter and
/// ending with a letter or digit.
///
/// The rule is the intersection of what AWS Lambda, SageMaker, Cloud Run, Azure and Knative accept, so that a
/// function keeps its name wherever it is deployed.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct FunctionName(String);

impl FunctionName {
    /// Longest name, in characters.
    pub const MAX_LENGTH: usize = 48;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest valid name to any text, for a file name or folder name as source; `None` when nothing of the
    /// text is usable.
    pub fn nearest(text: &str) -> Option<Self> {
        let mut name = String::new();
        for c in text.chars().map(|c| c.to_ascii_lowercase()) {
            match c {
                'a'..='z' => name.push(c),
                '0'..='9' if !name.is_empty() => name.push(c),
                _ if !name.is_empty() && !name.ends_with('-') => name.push('-'),
                _ => {}
            }
        }
        name.truncate(Self::MAX_LENGTH);
        let name = name.trim_end_matches('-');
        (!name.is_empty()).then(|| Self(name.to_owned()))
    }
}

impl FromStr for FunctionName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let rule = "a function name is 1 to 48 lower-case letters, digits and single hyphens, starting with a letter";
        let legal = text.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-'));
        let bounded = !text.is_empty() && text.len() <= Self::MAX_LENGTH;
        let edges = text.starts_with(|c: char| c.is_ascii_lowercase()) && !text.ends_with('-');
        if legal && bounded && edges && !text.contains("--") {
            return Ok(Self(text.to_owned()));
        }
        Err(NameError(match Self::nearest(text) {
            Some(near) => format!("{text:?} is not a function name: {rule}; try \"{near}\""),
            None => format!("{text:?} is not a function name: {rule}"),
        }))
    }
}

impl TryFrom<String> for FunctionName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<FunctionName> for String {
    fn from(name: FunctionName) -> Self {
        name.0
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number of an immutable version: 1, 2, ….
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Version(pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a client may put after a function's name: nothing (the default alias), or a version number.
///
/// `live` is the one alias there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Qualifier {
    /// The default alias `live`: one version, or two that [share the calls](crate::Traffic).
    #[default]
    Live,
    /// One version, by number.
    Version(Version),
}

impl FromStr for Qualifier {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text {
            "live" | "$LATEST" => Ok(Self::Live),
            _ => text.parse().ok().filter(|n| *n > 0).map(|n| Self::Version(Version(n))).ok_or_else(|| {
                NameError(format!("{text:?} is not a qualifier: use a version number such as 1, or \"live\""))
            }),
        }
    }
}

/// The id of one invocation: 26 characters (ULID), sortable by time, given by the gateway.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct InvocationId(pub String);

impl fmt::Display for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of one instance, unique within one run of the platform: `churn-1-i7` is the 7th instance started, and
/// it serves version 1 of `churn`.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct InstanceId(pub String);

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_valid_on_every_cloud() {
        for good in ["a", "churn", "churn-2", "x1-y2", &"a".repeat(48)] {
            assert!(good.parse::<FunctionName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "1a", "A", "a_b", "a--b", "a.b", "ä", "a/b", &"a".repeat(49)] {
            assert!(bad.parse::<FunctionName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_invalid_name_gets_the_nearest_valid_one() {
        let error = "Churn_Model v2".parse::<FunctionName>().unwrap_err().to_string();
        assert!(error.contains("try \"churn-model-v2\""), "{error}");
        assert_eq!(FunctionName::nearest("2024_iris.pipeline").unwrap().as_str(), "iris-pipeline");
        assert_eq!(FunctionName::nearest("模型"), None);
    }

    #[test]
    fn qualifiers_are_live_or_a_positive_number() {
        assert_eq!("live".parse(), Ok(Qualifier::Live));
        assert_eq!("3".parse(), Ok(Qualifier::Version(Version(3))));
        for bad in ["0", "-1", "prod", ""] {
            assert!(bad.parse::<Qualifier>().is_err(), "{bad}");
        }
    }
}
