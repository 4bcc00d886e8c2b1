//! The forms in which hosts understand what is said. A record becomes a text here, and nowhere else: by its form, without looking at
//! anything around it.
//!
//! | form | printed | logged, raised and our own |
//! |---|---|---|
//! | `Text` | as it is | as awslambdaric writes them in Lambda's text format; our own as they are |
//! | `Lambda` | as it is, as with awslambdaric | JSON, the members of awslambdaric's JSON format |
//! | `Json` | JSON; an object of JSON as it is | the same |
//! | `Google` | JSON; an object of JSON as it is | JSON, the members that Cloud Logging and Error Reporting look for |
//!
//! Which one it is:
//!
//! | host | form |
//! |---|---|
//! | AWS Lambda | `Lambda` with `AWS_LAMBDA_LOG_FORMAT=JSON`, else `Text`; our own from `AWS_LAMBDA_LOG_LEVEL` on |
//! | Cloud Run, Knative, Vertex AI | `Google`, or what `MODELET_LOG_FORMAT` says |
//! | SageMaker, Azure Machine Learning, Azure Functions, a bare port | `Text`, or what `MODELET_LOG_FORMAT` says |
//!
//! `MODELET_LOG_FORMAT` is `text` or `json`. All of these hosts take each line of the two outputs for one entry.

mod google;
mod json;

use std::ffi::OsString;

use modelet_core::entry::{Entry, Stream, rank};

use crate::contract::Contract;
use crate::contract::host::Kind;
use crate::log::calls::Trace;

pub use google::Service;
pub(super) use google::{Request, request};

/// Environment variable: `text` or `json`.
const ENV_FORMAT: &str = "MODELET_LOG_FORMAT";
/// What AWS Lambda says.
pub(super) const ENV_LAMBDA_FORMAT: &str = "AWS_LAMBDA_LOG_FORMAT";
const ENV_LAMBDA_LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";
/// A form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Lines for people, and the text format of AWS Lambda.
    Text(Least),
    /// The JSON format of AWS Lambda.
    Lambda(Least),
    /// The same, also of what is printed.
    Json,
    /// Cloud Logging's.
    Google(Service),
}

/// From which level on we say something ourselves: its [`rank`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Least(usize);

impl Form {
    /// The one that a host wants; `None` on a platform of ours, which reads records itself. The error names what makes no sense.
    pub fn of(contract: &Contract, var: impl Fn(&str) -> Option<OsString>) -> Result<Option<Self>, String> {
        let text = |name: &str| var(name).map(|value| value.to_string_lossy().into_owned());
        let host = match contract {
            Contract::Platform => return Ok(None),
            Contract::Lambda { .. } => {
                let least = Least::named(&text(ENV_LAMBDA_LEVEL).unwrap_or_default());
                let is_json =
                    text(ENV_LAMBDA_FORMAT).is_some_and(|format| format.eq_ignore_ascii_case("json"));
                return Ok(Some(if is_json { Self::Lambda(least) } else { Self::Text(least) }));
            }
            Contract::Port(host) => host,
        };
        let is_google = matches!(host.kind, Kind::Knative(_) | Kind::Vertex { .. });
        let json = || if is_google { Self::Google(Service::of(text)) } else { Self::Json };
        Ok(Some(match text(ENV_FORMAT).as_deref() {
            None if is_google => json(),
            None | Some("text") => Self::Text(Least::default()),
            Some("json") => json(),
            Some(other) => return Err(format!("{ENV_FORMAT} is {other:?}, neither text nor json")),
        }))
    }

    /// True where each call has a record of its own.
    pub(super) const fn tells_requests(&self) -> bool {
        matches!(self, Self::Google(_))
    }

    /// What is written of an entry, and where: one or more whole lines. `trace`: that of its call, where it is known.
    pub(super) fn written(&self, entry: &Entry, trace: Option<&Trace>) -> Option<(Stream, String)> {
        match self {
            Self::Text(least) | Self::Lambda(least) if entry.is_own() && !least.lets(&entry.level) => None,
            Self::Text(_) => Some((entry.to, entry.text())),
            Self::Lambda(_) if entry.is_printed() => Some((entry.to, entry.text())),
            Self::Json | Self::Google(_) if entry.is_printed() && entry.is_object() => {
                Some((Stream::Stdout, line(entry.message.trim())))
            }
            Self::Lambda(_) | Self::Json => Some((Stream::Stdout, line(&json::object(entry)))),
            Self::Google(service) => Some((Stream::Stdout, line(&google::object(entry, service, trace)))),
        }
    }
}

impl Least {
    fn named(level: &str) -> Self {
        Self(rank(level).unwrap_or(0))
    }

    fn lets(self, level: &str) -> bool {
        Self::named(level).0 >= self.0
    }
}

fn line(text: &(impl ToString + ?Sized)) -> String {
    let mut text = text.to_string();
    if text.contains(['\n', '\r']) {
        // An object of JSON over several lines: they part nothing within it.
        text = text.replace(['\n', '\r'], " ");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
