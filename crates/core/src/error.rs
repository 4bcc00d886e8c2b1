//! Failures: stable codes, and the two kinds of failure that are kept apart everywhere.
//!
//! A [`FunctionError`] is about the user's model, code or input; a [`PlatformError`] is about the platform (not found,
//! throttled, timed out). Both say what happened, to what, and what to do next. `modelet explain CODE` prints the page of
//! a code, which lies in `codes/`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($variant:ident, $name:literal, $status:literal;)*) => {
        /// A stable code for every failure that a user can meet.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum Code { $(#[doc = $name] #[serde(rename = $name)] $variant,)* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The code as text, as users meet it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// The code as clients of Lambda have the types of errors: `bad-input` is `BadInput`.
            pub fn in_camel_case(self) -> String {
                let words = self.as_str().split('-');
                words.map(|word| word[..1].to_ascii_uppercase() + &word[1..]).collect()
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Code::$variant => $status,)* }
            }

            /// The page that explains it, in Markdown: what happened, why, what to do.
            pub const fn page(self) -> &'static str {
                match self { $(Code::$variant => include_str!(concat!("codes/", $name, ".md")),)* }
            }
        }
    };
}

codes! {
    BadInput, "bad-input", 400;
    BadBody, "bad-body", 400;
    BodyTooLarge, "body-too-large", 413;
    UnsupportedMediaType, "unsupported-media-type", 415;
    NotAcceptable, "not-acceptable", 406;
    PredictionFailed, "prediction-failed", 500;
    HandlerFailed, "handler-failed", 500;
    NonFiniteOutput, "non-finite-output", 500;
    ResponseTooLarge, "response-too-large", 500;
    FunctionNotFound, "function-not-found", 404;
    VersionNotFound, "version-not-found", 404;
    InvocationNotFound, "invocation-not-found", 404;
    InvocationPending, "invocation-pending", 202;
    RouteNotFound, "route-not-found", 404;
    MethodNotAllowed, "method-not-allowed", 405;
    QueueFull, "queue-full", 429;
    Throttled, "throttled", 429;
    RequestTimeout, "request-timeout", 504;
    StartFailed, "start-failed", 503;
    LoadTimeout, "load-timeout", 503;
    OutOfMemory, "out-of-memory", 502;
    InstanceDied, "instance-died", 502;
    InstanceStuck, "instance-stuck", 502;
    MachineFull, "machine-full", 503;
    IsolationUnavailable, "isolation-unavailable", 503;
    SecretMissing, "secret-missing", 503;
    ShuttingDown, "shutting-down", 503;
    Overloaded, "overloaded", 503;
    BadArtifact, "bad-artifact", 400;
    BadManifest, "bad-manifest", 400;
    BadName, "bad-name", 400;
    BadTrace, "bad-trace", 400;
    ModelRefused, "model-refused", 400;
    HandlerRefused, "handler-refused", 400;
    PackagesRefused, "packages-refused", 400;
    TargetUnfit, "target-unfit", 400;
    PythonMissing, "python-missing", 503;
    EngineMissing, "engine-missing", 503;
    EnginesDisagree, "engines-disagree", 400;
    ConversionDiffers, "conversion-differs", 400;
    ConversionNotProved, "conversion-not-proved", 400;
    TrafficChanged, "traffic-changed", 409;
    VersionLive, "version-live", 409;
    TargetDenied, "target-denied", 403;
    TargetFailed, "target-failed", 502;
    NoPlatform, "no-platform", 503;
    DataInUse, "data-in-use", 409;
    PortInUse, "port-in-use", 409;
    ForbiddenOrigin, "forbidden-origin", 403;
    StoreFailed, "store-failed", 500;
    Internal, "internal", 500;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Code {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text).ok_or_else(|| {
            let all: Vec<_> = Self::ALL.iter().map(|code| code.as_str()).collect();
            format!("there is no code {text:?}; the codes are {}", all.join(", "))
        })
    }
}

/// The user's model, code or input was wrong.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct FunctionError {
    /// Which failure.
    pub code: Code,
    /// What happened, to what.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// Where in the input, as a path: `inputs[0].data`.
    pub field: Option<String>,
    /// What was expected there.
    pub expected: Option<String>,
    /// What came instead.
    pub found: Option<String>,
    /// The nearest request that would have been right, as a body to send.
    pub nearest: Option<String>,
    /// What the function's code raised.
    pub raised: Option<Box<Raised>>,
}

/// An error that the user's code raised, in its language's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    /// Its class, such as `KeyError`.
    #[serde(alias = "type")]
    pub kind: String,
    /// What it says.
    pub message: String,
    /// Where it came from, a text for each frame.
    #[serde(default)]
    pub stack: Vec<String>,
}

impl FunctionError {
    /// A failure with a message and nothing more yet.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            field: None,
            expected: None,
            found: None,
            nearest: None,
            raised: None,
        }
    }

    /// An input that does not fit: the field's path, what was expected, what came.
    pub fn bad_input(
        field: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        let (field, expected, found) = (field.into(), expected.into(), found.into());
        let mut error = Self::new(Code::BadInput, format!("{field}: expected {expected}, got {found}"));
        (error.field, error.expected, error.found) = (Some(field), Some(expected), Some(found));
        error
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the nearest valid request.
    #[must_use]
    pub fn nearest(mut self, body: impl Into<String>) -> Self {
        self.nearest = Some(body.into());
        self
    }
}

/// The platform could not serve the call.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct PlatformError {
    /// Which failure.
    pub code: Code,
    /// What happened, to what.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// When it is worth trying again, in seconds.
    pub retry_after_s: Option<u64>,
}

impl PlatformError {
    /// A failure with a message and nothing more yet.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, retry_after_s: None }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds when to try again.
    #[must_use]
    pub fn retry_after_s(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }
}

/// Either failure, at the edge where both become an answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Failure {
    /// The user's.
    #[error(transparent)]
    Function(#[from] FunctionError),
    /// Ours.
    #[error(transparent)]
    Platform(#[from] PlatformError),
}

impl Failure {
    /// The code of either.
    pub fn code(&self) -> Code {
        match self {
            Self::Function(e) => e.code,
            Self::Platform(e) => e.code,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Function(e) => e.hint.as_deref(),
            Self::Platform(e) => e.hint.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page_that_says_what_to_do() {
        for code in Code::ALL {
            let page = code.page();
            assert!(page.starts_with(&format!("# {code}\n")), "{code}: the page starts with its code");
            assert!(page.contains("\n## What to do\n"), "{code}: the page says what to do");
            assert_eq!(code.as_str().parse(), Ok(*code));
            assert!(code.in_camel_case().starts_with(|c: char| c.is_ascii_uppercase()));
        }
        assert_eq!(Code::BadInput.in_camel_case(), "BadInput");
        assert!("no-such".parse::<Code>().unwrap_err().contains("queue-full"));
    }

    #[test]
    fn a_bad_input_names_field_expectation_and_finding() {
        let error = FunctionError::bad_input("inputs[0].data", "a list", "text").hint("send [\"abc\"]");
        assert_eq!(error.to_string(), "inputs[0].data: expected a list, got text");
        assert_eq!((error.code.status(), error.hint.as_deref()), (400, Some("send [\"abc\"]")));
    }
}
