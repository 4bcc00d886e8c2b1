//! How a command ends badly: what happened, what to do next, and the code that `modelet explain` expands. On standard error.

use std::process::ExitCode;

use modelet_cloud::error::{CloudError, Kind};
use modelet_core::{Code, Failure, FunctionError, PlatformError};
use owo_colors::{OwoColorize, Stream};
use serde_json::Value;

/// A failure for people.
#[derive(Debug)]
pub struct Report {
    code: Code,
    message: String,
    hint: Option<String>,
    /// Further lines, such as the nearest valid request.
    notes: Vec<(&'static str, String)>,
}

impl Report {
    /// A failure with a message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, notes: Vec::new() }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a further line.
    #[must_use]
    pub fn note(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.notes.push((name, text.into()));
        self
    }

    /// What happened, to what.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do next.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// True when it has this code.
    pub fn is(&self, code: Code) -> bool {
        self.code == code
    }

    /// A failure as the platform sent it: `{"error": {"code", "message", …}}`.
    pub fn from_answer(status: u16, body: &[u8]) -> Self {
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = &json["error"];
        let text = |name: &str| error[name].as_str().map(str::to_owned);
        let code = text("code").and_then(|code| code.parse().ok()).unwrap_or(Code::Internal);
        let message = text("message").unwrap_or_else(|| {
            let body = String::from_utf8_lossy(&body[..body.len().min(500)]);
            format!("the server answered {status}: {body}")
        });
        let notes = [("nearest valid request", text("nearest")), ("invocation", text("invocation"))];
        Self {
            code,
            message,
            hint: text("hint"),
            notes: notes.into_iter().filter_map(|(name, note)| Some((name, note?))).collect(),
        }
    }

    /// The same in the shape of the platform's own failures, for machines.
    pub fn to_json(&self) -> Value {
        let mut error = serde_json::json!({"code": self.code, "message": self.message, "hint": self.hint});
        for (name, note) in &self.notes {
            error[*name] = note.as_str().into();
        }
        serde_json::json!({"error": error})
    }

    /// Prints it on standard error; as JSON for machines.
    pub fn print(&self, as_json: bool) {
        if as_json {
            return eprintln!("{}", self.to_json());
        }
        let error = "error".if_supports_color(Stream::Stderr, |text| text.red());
        eprintln!("{error}: {}", self.message);
        for (name, note) in &self.notes {
            eprintln!("  {name}: {note}");
        }
        if let Some(hint) = &self.hint {
            let word = "hint".if_supports_color(Stream::Stderr, |text| text.cyan());
            eprintln!("{word}: {hint}");
        }
        eprintln!("  (modelet explain {})", self.code);
    }

    /// 1, or 3 when there is no platform to talk to.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(if self.code == Code::NoPlatform { 3 } else { 1 })
    }
}

impl From<FunctionError> for Report {
    fn from(error: FunctionError) -> Self {
        let notes = error.nearest.map(|nearest| ("nearest valid request", nearest));
        Self {
            code: error.code,
            message: error.message,
            hint: error.hint,
            notes: notes.into_iter().collect(),
        }
    }
}

impl From<CloudError> for Report {
    fn from(error: CloudError) -> Self {
        let code = error.code.unwrap_or(match error.kind {
            Kind::Refused => Code::BadInput,
            Kind::Credentials | Kind::Denied => Code::TargetDenied,
            Kind::NotFound
            | Kind::Conflict
            | Kind::Unfinished
            | Kind::Throttled
            | Kind::Unreachable
            | Kind::Service => Code::TargetFailed,
        });
        Self { code, message: error.to_string(), hint: error.hint, notes: Vec::new() }
    }
}

/// What a platform says, where it is a target.
impl From<Report> for CloudError {
    fn from(report: Report) -> Self {
        let kind = match report.code {
            Code::NoPlatform => Kind::Unreachable,
            Code::FunctionNotFound | Code::VersionNotFound | Code::InvocationNotFound => Kind::NotFound,
            Code::TrafficChanged | Code::VersionLive => Kind::Conflict,
            Code::QueueFull | Code::Throttled => Kind::Throttled,
            code if code.status() < 500 => Kind::Refused,
            _ => Kind::Service,
        };
        let error = Self::new(kind, report.message).code(report.code);
        Self { hint: report.hint, ..error }
    }
}

impl From<PlatformError> for Report {
    fn from(error: PlatformError) -> Self {
        Self { code: error.code, message: error.message, hint: error.hint, notes: Vec::new() }
    }
}

impl From<Failure> for Report {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Function(error) => error.into(),
            Failure::Platform(error) => error.into(),
        }
    }
}
