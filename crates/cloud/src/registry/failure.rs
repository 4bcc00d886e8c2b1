//! What a registry said when a call of it failed, and whether another one may go well.

use std::time::Duration;

use oci_client::Reference;
use oci_client::errors::{OciDistributionError, OciErrorCode};

use super::access::{Login, Who};
use crate::error::{CloudError, Kind};
use crate::http::causes;

/// How often something is tried, at most.
pub(super) const ATTEMPTS: u32 = 5;
/// How often another key is asked for, in a row: one may be over between its making and its use.
pub(super) const KEYS: u32 = 2;
/// The wait before the second try; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Letters of a registry's own words that are passed on.
const WORDS: usize = 300;

/// A call that failed.
pub(super) struct Failure {
    /// How.
    pub error: CloudError,
    /// What may help.
    pub then: Then,
}

/// What may help after a failure. All that a registry is asked for comes to the same when it is asked twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing.
    Never,
    /// The same a little later.
    Again,
    /// The same with another token: this one is over, or does not reach so far.
    WithAnotherKey,
}

/// The wait after so many tries.
pub(super) fn wait(tries: u32) -> Duration {
    FIRST_WAIT * 2_u32.pow(tries.saturating_sub(1))
}

/// The failure of a call that `login` made.
pub(super) fn of(error: &OciDistributionError, login: &Login) -> Failure {
    let status = status(error);
    let then = match status {
        Some(401) => Then::WithAnotherKey,
        Some(429 | 500..) => Then::Again,
        None if of_the_way(error).is_some() => Then::Again,
        Some(_) | None => Then::Never,
    };
    let kind = match status {
        Some(401 | 403) => Kind::Denied,
        Some(404) => Kind::NotFound,
        Some(429) => Kind::Throttled,
        None if of_the_way(error).is_some() => Kind::Unreachable,
        None if matches!(error, OciDistributionError::ImageManifestNotFoundError(_)) => Kind::NotFound,
        Some(_) | None => Kind::Service,
    };
    Failure { error: CloudError::new(kind, said(error, status, login)), then }
}

/// The failure in full: what was to be done, with what, and what to do next.
pub(super) fn told(what: &str, image: &Reference, error: CloudError) -> CloudError {
    let registry = image.resolve_registry();
    let hint = match error.kind {
        Kind::Denied => {
            format!("log in (docker login {registry}, or podman login), or name a user: --registry-user")
        }
        Kind::NotFound => format!("check the name: {image}"),
        Kind::Unreachable => format!(
            "check that {registry} can be reached; one without TLS is named by --plain-http {registry}"
        ),
        Kind::Throttled => "try again in some minutes, or log in: registries let those do more".to_owned(),
        Kind::Credentials => return error,
        _ => format!("those are the words of {registry}"),
    };
    CloudError::new(error.kind, format!("could not {what} {image}: {}", error.message)).hint(hint)
}

/// True when a registry says that it has no such image, or no such repository.
pub(super) fn is_not_there(error: &OciDistributionError) -> bool {
    matches!(error, OciDistributionError::ImageManifestNotFoundError(_)) || status(error) == Some(404)
}

/// The status of an answer, or the one that its words stand for.
fn status(error: &OciDistributionError) -> Option<u16> {
    match error {
        OciDistributionError::UnauthorizedError { .. } | OciDistributionError::AuthenticationFailure(_) => {
            Some(401)
        }
        OciDistributionError::ServerError { code, .. } => Some(*code),
        OciDistributionError::RequestError(error) => error.status().map(|status| status.as_u16()),
        OciDistributionError::RegistryError { envelope, .. } => {
            let code = envelope.errors.first().map(|error| match error.code {
                OciErrorCode::Unauthorized => 401,
                OciErrorCode::Denied => 403,
                OciErrorCode::ManifestUnknown | OciErrorCode::NameUnknown | OciErrorCode::NotFound => 404,
                OciErrorCode::Toomanyrequests => 429,
                _ => 400,
            });
            Some(code.unwrap_or(400))
        }
        _ => None,
    }
}

/// A failure on the way to the registry or back.
fn of_the_way(error: &OciDistributionError) -> Option<&reqwest::Error> {
    match error {
        OciDistributionError::RequestError(error) => Some(error),
        OciDistributionError::IoError(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}

/// What a registry said, in one line. Addresses are left out: those of uploads and of blobs may let anybody in.
fn said(error: &OciDistributionError, status: Option<u16>, login: &Login) -> String {
    match (error, status) {
        (_, Some(401 | 403)) if login.who == Who::Nobody => "it wants to know who asks".to_owned(),
        (_, Some(401 | 403)) => format!("it does not let {login} do that, or not with this password"),
        (OciDistributionError::RegistryError { envelope, .. }, _) => {
            let words: Vec<_> =
                envelope.errors.iter().map(|error| format!("{:?}: {}", error.code, error.message)).collect();
            words.join("; ")
        }
        (OciDistributionError::ServerError { code, message, .. }, _) => {
            let words: String = message.trim().chars().filter(|c| !c.is_control()).take(WORDS).collect();
            if words.is_empty() {
                format!("it answered {code}")
            } else {
                format!("it answered {code}: {words}")
            }
        }
        (_, Some(status)) => format!("it answered {status}"),
        (other, None) => of_the_way(other).map_or_else(|| other.to_string(), causes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: u16, message: &str) -> OciDistributionError {
        let url = "https://r.example/upload?_state=SECRET".to_owned();
        OciDistributionError::ServerError { code, url, message: message.to_owned() }
    }

    fn login(who: Who) -> Login {
        Login { who, source: "given".to_owned() }
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_is_refused_is_not() {
        let then = |error: &OciDistributionError| of(error, &login(Who::Nobody)).then;
        assert_eq!([500, 503, 429].map(|code| then(&server(code, ""))), [Then::Again; 3]);
        assert_eq!([403, 404, 413].map(|code| then(&server(code, ""))), [Then::Never; 3]);
        assert_eq!(then(&server(401, "")), Then::WithAnotherKey);
        let disk = OciDistributionError::IoError(std::io::Error::other("no space"));
        assert_eq!(then(&disk), Then::Never);
        assert_eq!([1, 2, 4].map(|tries| wait(tries).as_millis()), [250, 500, 2_000]);
    }

    #[test]
    fn what_is_said_names_who_asked_and_no_address_that_lets_in() {
        let image: Reference = "r.example/churn:1".parse().unwrap();
        let of = |error: &OciDistributionError, who| told("push", &image, of(error, &login(who)).error);
        let me = || Who::User("me".to_owned(), "hunter2".to_owned());
        let denied = of(&server(403, "x"), me());
        assert_eq!(
            denied.message,
            "could not push r.example/churn:1: it does not let me (given) do that, or not with this password"
        );
        assert!(denied.kind == Kind::Denied && denied.hint.unwrap().contains("docker login r.example"));
        assert!(of(&server(401, ""), Who::Nobody).message.ends_with("it wants to know who asks"));
        let broken = of(&server(500, "disk\n full\x1b"), me());
        assert_eq!(broken.message, "could not push r.example/churn:1: it answered 500: disk full");
    }
}
