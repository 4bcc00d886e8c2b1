//! What a call took, as its answer says it.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use modelet_core::millis::Millis;

/// The header for it (W3C).
pub(super) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The phases as `Server-Timing` (W3C), and what else there is to say.
pub(super) fn server_timing(phases: &[(&str, Duration)], also: Option<String>) -> HeaderValue {
    let part = |(name, time): &(&str, Duration)| format!("{name};dur={}", Millis::from(*time));
    let parts: Vec<_> = phases.iter().map(part).chain(also).collect();
    // Names and numbers only: always a valid header.
    HeaderValue::try_from(parts.join(", ")).unwrap_or_else(|_| HeaderValue::from_static(""))
}
