//! What goes over the wire of the admin API.

use modelet_core::{
    ArtifactCard, FunctionName, InstanceRecord, InvocationRecord, Settings, Traffic, Usage, Version,
};
use serde::{Deserialize, Serialize};

use crate::dispatch::InstanceView;
use crate::store::logs::LogRow;
use crate::store::usage::{Period, UsageRow};

/// The platform itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PlatformView {
    /// Version of modelet.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// Base URL.
    pub url: String,
    /// Data folder.
    pub data: String,
    /// Time since its start, milliseconds.
    pub uptime_ms: u64,
    /// Functions deployed.
    pub functions: usize,
    /// Instances that run now, of all functions.
    pub instances: usize,
}

/// A function in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FunctionSummary {
    /// Its name.
    pub name: FunctionName,
    /// The version that calls reach by default, but for a canary's part.
    pub version: Version,
    /// Who gets the calls.
    pub traffic: Traffic,
    /// How many versions it has.
    pub versions: usize,
    /// What computes it.
    pub engine: String,
    /// Bytes of the live version's files.
    pub size_bytes: u64,
    /// Instances that run now.
    pub instances: usize,
    /// When the live version was deployed, milliseconds since 1970.
    pub deployed_at_ms: i64,
    /// Where it answers.
    pub url: String,
}

/// All functions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FunctionList {
    /// By name.
    pub functions: Vec<FunctionSummary>,
}

/// A version of a function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VersionView {
    /// Its number.
    pub version: Version,
    /// SHA-256 of its artifact.
    pub sha256: String,
    /// What it was made of: the same source with the same certificate gives the same, also where its artifact differs.
    pub made_of: String,
    /// Bytes of its files.
    pub size_bytes: u64,
    /// When it was deployed, milliseconds since 1970.
    pub deployed_at_ms: i64,
}

/// Everything about a function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FunctionView {
    /// Its name.
    pub name: FunctionName,
    /// The version that calls reach by default, but for a canary's part.
    pub version: Version,
    /// Who gets the calls.
    pub traffic: Traffic,
    /// Where it answers.
    pub url: String,
    /// All versions, oldest first.
    pub versions: Vec<VersionView>,
    /// The card of the live version.
    pub card: ArtifactCard,
    /// All limits of the live version.
    pub settings: Settings,
    /// What was measured when the live version's engine was chosen.
    pub evidence: serde_json::Value,
    /// Instances that run now, of all versions.
    pub instances: Vec<InstanceView>,
    /// What cannot be as the settings say, and what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// A layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LayerView {
    /// SHA-256 of its tar.
    pub sha256: String,
    /// True when the platform has it.
    pub known: bool,
}

/// What came of a deploy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Deployed {
    /// The function.
    pub name: FunctionName,
    /// The version that was made of it.
    pub version: Version,
    /// False when there was a version of the same source, and no new one was needed.
    pub created: bool,
    /// Who gets the calls now.
    pub traffic: Traffic,
    /// SHA-256 of its artifact.
    pub sha256: String,
    /// Bytes of its files.
    pub size_bytes: u64,
    /// Where it answers.
    pub url: String,
    /// What cannot be as its settings say, and what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// What came of a delete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Deleted {
    /// The function that was.
    pub name: FunctionName,
    /// How many versions it had.
    pub versions: usize,
}

/// A version that was deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VersionDeleted {
    /// Its function.
    pub name: FunctionName,
    /// The version that was. No other one gets its number.
    pub version: Version,
}

/// A secret, by its name: no answer has its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SecretView {
    /// Its name.
    pub name: String,
}

/// All secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SecretList {
    /// By name.
    pub secrets: Vec<SecretView>,
}

/// A piece of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LogPage {
    /// Oldest first.
    pub rows: Vec<LogRow>,
}

/// What was used over some time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct UsagePage {
    /// Beginning of the first hour, milliseconds since 1970 (UTC).
    pub from_ms: i64,
    /// The moment of the answer: all that had ended by then is in it. Times of running instances are up to 10 s behind.
    pub until_ms: i64,
    /// How rows are added up.
    pub by: Period,
    /// By time, function and version; at most 10,000.
    pub rows: Vec<UsageRow>,
    /// The sum of the rows.
    pub total: Usage,
    /// Records that could not be written, of all functions, ever: what they were about is missing here. 0 unless the disk was
    /// full or damaged.
    pub lost_records: u64,
}

/// Receipts of cold starts, and of starts that failed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ColdStarts {
    /// The first call of each instance that a call waited for, oldest first.
    pub cold_starts: Vec<InvocationRecord>,
    /// Instances that were never ready, with why, oldest first.
    #[serde(default)]
    pub failed_starts: Vec<InstanceRecord>,
}
