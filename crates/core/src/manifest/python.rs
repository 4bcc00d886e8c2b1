//! What a manifest says of a handler in Python.

use serde::{Deserialize, Serialize};

use crate::handler::{Event, Interface, SignatureType};

/// What a manifest says of Python code; what is absent is read from the code and the files beside it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PythonNotes {
    /// The version of Python, such as `3.11`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How the code is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<Interface>,
    /// What a function of functions-framework takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_type: Option<SignatureType>,
    /// What becomes the event of a Lambda function, where a client sends it an HTTP request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
    /// True when a Lambda function that is called with an HTTP event gets that event's body alone, as it does by `/fn`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unwrap: bool,
    /// False when models that are loaded within calls are to be loaded in each call anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memoize_loaders: Option<bool>,
    /// True for what AWS Lambda answers, to the letter.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
}
