//! How a cloud's call fails: what was asked of whom, what it said, and what to do next.

use std::fmt;

use modelet_core::Code;

/// What kind of failure it is, for those who decide by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There are no credentials, or they do not hold any more.
    Credentials,
    /// The credentials hold, and may not do that.
    Denied,
    /// What was asked about is not there.
    NotFound,
    /// It is there already, or somebody changes it at the moment.
    Conflict,
    /// The cloud has begun it, and was not done when patience was over: nothing of it may be taken back.
    Unfinished,
    /// Too many calls.
    Throttled,
    /// Nobody answers, or nobody that makes sense.
    Unreachable,
    /// The target does not have what is asked for: nothing was sent.
    Refused,
    /// Anything else that the cloud says.
    Service,
}

/// A call, and what came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The service, such as `lambda`.
    pub service: &'static str,
    /// The operation, such as `CreateFunction`.
    pub operation: &'static str,
    /// The HTTP status; 0 when there was no answer.
    pub status: u16,
    /// The service's own name for the failure, such as `AccessDeniedException`; empty when it gave none.
    pub code: String,
    /// What the cloud's support asks for; empty when there is none.
    pub request_id: String,
}

/// A failure of a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CloudError {
    /// What kind.
    pub kind: Kind,
    /// What happened, to what.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The call that failed, where one did.
    pub call: Option<Call>,
    /// The stable code, where a platform of ours gave one.
    pub code: Option<Code>,
}

impl CloudError {
    /// A failure with a message and nothing more yet.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, call: None, code: None }
    }

    /// The target does not have what is asked for.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Kind::Refused, message)
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the stable code.
    #[must_use]
    pub fn code(mut self, code: Code) -> Self {
        self.code = Some(code);
        self
    }

    /// True when somebody changes it at the moment: Lambda has one name for that and for what is there already.
    pub fn is_busy(&self) -> bool {
        self.kind == Kind::Conflict && self.message.contains("in progress")
    }

    /// True when the service gave the failure this name.
    pub fn is(&self, code: &str) -> bool {
        self.call.as_ref().is_some_and(|call| call.code == code)
    }
}

impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.call {
            None => f.write_str(&self.message),
            Some(Call { service, operation, code, request_id, .. }) => {
                write!(f, "{service} {operation}: ")?;
                if !code.is_empty() {
                    write!(f, "{code}: ")?;
                }
                f.write_str(&self.message)?;
                if request_id.is_empty() { Ok(()) } else { write!(f, " (request {request_id})") }
            }
        }
    }
}

/// `None` where what was asked about is not there.
///
/// # Errors
/// Any other failure, as it came.
pub fn found<T>(answer: Result<T, CloudError>) -> Result<Option<T>, CloudError> {
    match answer {
        Ok(there) => Ok(Some(there)),
        Err(error) if error.kind == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Made by this call, or by one before whose answer was lost.
///
/// # Errors
/// Any failure but that it is there already, as it came.
pub fn made(answer: Result<(), CloudError>) -> Result<(), CloudError> {
    match answer {
        Err(error) if error.kind == Kind::Conflict && !error.is_busy() => Ok(()),
        other => other,
    }
}

/// Gone by this call, or before.
///
/// # Errors
/// Any failure but that it is not there, as it came.
pub fn gone(answer: Result<(), CloudError>) -> Result<(), CloudError> {
    found(answer).map(drop)
}
