//! What Lambda says of functions, in its own words.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A function as it is there, and of each of its versions what the function was then.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Configuration {
    /// Its ARN.
    pub function_arn: String,
    /// The digest of its code, base64.
    pub code_sha256: String,
    /// What starts it; absent for an image.
    pub runtime: Option<String>,
    /// What is called; absent for an image.
    pub handler: Option<String>,
    /// The one processor that it runs on.
    pub architectures: Vec<String>,
    /// The role that it runs in, by ARN.
    pub role: String,
    /// Memory, MB.
    pub memory_size: u64,
    /// The time-out of a call, seconds.
    pub timeout: u64,
    /// `/tmp`.
    pub ephemeral_storage: Storage,
    /// Variables.
    pub environment: Option<Environment>,
    /// What it is, for people; of versions, which of ours it is.
    pub description: String,
    /// `$LATEST` or a number.
    pub version: String,
    /// `Pending`, `Active`, `Inactive` or `Failed`.
    pub state: Option<String>,
    /// Why it is not `Active`.
    pub state_reason: Option<String>,
    /// `Successful`, `InProgress` or `Failed`.
    pub last_update_status: Option<String>,
    /// Why not.
    pub last_update_status_reason: Option<String>,
}

/// The size of `/tmp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Storage {
    /// MB.
    pub size: u64,
}

impl Default for Storage {
    fn default() -> Self {
        Self { size: 512 }
    }
}

/// The variables of a function.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Environment {
    /// By name.
    pub variables: BTreeMap<String, String>,
}

/// A function with what stands beside its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Function {
    /// Its configuration.
    pub configuration: Configuration,
    /// Where its code is from.
    #[serde(default)]
    pub code: Code,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// How much of the account's concurrency is its own.
    #[serde(default)]
    pub concurrency: Option<Reserved>,
}

/// Where code is from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Code {
    /// The image, where it is one.
    pub image_uri: Option<String>,
}

/// Concurrency that is kept for a function, and its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Reserved {
    /// Calls at once.
    pub reserved_concurrent_executions: Option<u32>,
}

/// An alias as it is there.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Alias {
    /// Its name.
    pub name: String,
    /// The version that gets all calls, or most.
    pub function_version: String,
    /// A second version, and its part of the calls.
    #[serde(default)]
    pub routing_config: Option<Routing>,
}

/// Who else gets calls.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Routing {
    /// Parts from 0 to 1, by version.
    pub additional_version_weights: Option<BTreeMap<String, f64>>,
}

/// An address of a function.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Url {
    /// The address.
    pub function_url: String,
    /// `AWS_IAM` or `NONE`.
    pub auth_type: String,
}
