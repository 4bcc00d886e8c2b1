//! What the things of a function are called at AWS, and the tags that say what modelet made. Each target adds the names of its own things.

use std::collections::BTreeMap;

use modelet_core::FunctionName;
use modelet_core::digest::sha256;

use super::Place;

/// Letters of a digest that tell names apart.
const SHORT: usize = 8;
/// Letters of a function's name within other names, at most: a role's name has 64.
const WITHIN: usize = 40;

/// The tag whose value is the function's name.
pub const TAG_FUNCTION: &str = "modelet:function";
/// The tag that says that modelet made it, and may delete it.
pub const TAG_MANAGED: &str = "modelet:managed";
/// The tag whose value is the digest of the artifact.
pub const TAG_ARTIFACT: &str = "modelet:artifact";
/// The tag whose value is the version of modelet that wrote the others.
pub const TAG_VERSION: &str = "modelet:version";

/// The names of a function's things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The function.
    pub function: String,
    /// The partition, region and account that they are in.
    pub partition: &'static str,
    /// The region.
    pub region: String,
    /// The account's number.
    pub account: String,
}

impl Names {
    /// Those of a function at a place.
    pub fn new(function: &FunctionName, place: &Place, account: &str) -> Self {
        Self {
            function: function.to_string(),
            partition: place.partition(),
            region: place.region.clone(),
            account: account.to_owned(),
        }
    }

    /// The ARN of something in this region and account.
    pub(crate) fn arn(&self, service: &str, rest: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{rest}", self.partition, self.region, self.account)
    }

    /// The ARN of a role.
    pub(crate) fn iam_role_arn(&self, role: &str) -> String {
        format!("arn:{}:iam::{}:role/{role}", self.partition, self.account)
    }

    /// The tags of what is made for this function.
    pub fn tags(&self) -> BTreeMap<String, String> {
        [(TAG_MANAGED, "true"), (TAG_FUNCTION, &self.function), (TAG_VERSION, env!("CARGO_PKG_VERSION"))]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    }

    /// True for the tags of what was made for this function.
    pub fn are_ours(&self, tags: &BTreeMap<String, String>) -> bool {
        tags.get(TAG_MANAGED).is_some_and(|value| value == "true")
            && tags.get(TAG_FUNCTION).is_some_and(|name| *name == self.function)
    }

    /// The function's name as it stands within other names.
    pub(crate) fn within(&self) -> &str {
        self.function.get(..WITHIN).unwrap_or(&self.function).trim_end_matches('-')
    }
}

/// A few letters that tell names apart.
pub fn short(parts: &[&str]) -> String {
    digest(parts).get(..SHORT).unwrap_or_default().to_owned()
}

/// What stands for texts, and for no others.
pub fn digest(parts: &[&str]) -> String {
    // A slice is read to its end.
    sha256(parts.join("\0").as_bytes()).map(|(_, digest)| digest).unwrap_or_default()
}
