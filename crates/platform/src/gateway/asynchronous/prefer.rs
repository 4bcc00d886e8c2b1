//! The `Prefer` header (RFC 7240): what a client would rather have.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

/// What a client prefers.
pub const PREFER: HeaderName = HeaderName::from_static("prefer");
/// What was done of it.
pub const PREFERENCE_APPLIED: &str = "preference-applied";

/// Of the preferences those that are kept here; what else is said is the client's hope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preference {
    /// `respond-async`: 202 now, the answer later.
    pub is_async: bool,
    /// `wait=SECONDS`: how long the client waits for an answer that is not there yet.
    pub wait: Duration,
}

impl Preference {
    /// Reads the headers of a request. The first of several equal preferences counts (RFC 7240, 2).
    pub fn of(headers: &HeaderMap) -> Self {
        let mut preference = Self::default();
        let mut wait = None;
        let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
        for part in values.flat_map(|value| value.split(',')) {
            // Parameters, after a semicolon, have no meaning for these two.
            let part = part.split(';').next().unwrap_or_default();
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "respond-async" => preference.is_async = true,
                "wait" => wait = wait.or_else(|| value.trim().trim_matches('"').parse().ok()),
                _ => {}
            }
        }
        preference.wait = Duration::from_secs(wait.unwrap_or(0));
        preference
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(values: &[&'static str]) -> (bool, u64) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PREFER, HeaderValue::from_static(value));
        }
        let preference = Preference::of(&headers);
        (preference.is_async, preference.wait.as_secs())
    }

    #[test]
    fn preferences_are_read_as_the_standard_spells_them() {
        assert_eq!(read(&[]), (false, 0));
        assert_eq!(read(&["respond-async, wait=10"]), (true, 10));
        assert_eq!(read(&["Wait = \"7\"", "Respond-Async; foo=\"some, thing\""]), (true, 7));
        assert_eq!(read(&["return=minimal, wait=5, wait=9"]), (false, 5));
        assert_eq!(read(&["respond-asynchronously, wait=soon, wait=-1"]), (false, 0));
    }
}
