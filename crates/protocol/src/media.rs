//! Content types: what a body is, and what a client accepts as an answer.

use http::{HeaderMap, header};
use modelet_core::{Code, FunctionError};

use crate::text::quoted;

pub(crate) const JSON: &str = "application/json";
pub(crate) const CSV: &str = "text/csv";
pub(crate) const NPY: &str = "application/x-npy";
pub(crate) const OCTETS: &str = "application/octet-stream";
pub(crate) const PNG: &str = "image/png";
pub(crate) const WAV: &str = "audio/wav";
pub(crate) const TEXT: &str = "text/plain";
/// What `curl -d` says of every body, so it says nothing.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// A media type without its parameters, in lower case, and the parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MediaType {
    pub(crate) essence: String,
    parameters: Vec<(String, String)>,
}

impl MediaType {
    pub(crate) fn parse(text: &str) -> Self {
        let mut parts = text.split(';');
        let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let parameters = parts.filter_map(|part| part.split_once('=')).map(|(name, value)| {
            (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"').to_ascii_lowercase())
        });
        Self { essence, parameters: parameters.collect() }
    }

    /// The Content-Type of a request; `None` when there is none.
    pub(crate) fn of_body(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::CONTENT_TYPE)?;
        Some(Self::parse(&String::from_utf8_lossy(value.as_bytes())))
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Of the types that can be answered, best first, the one that the client likes best.
pub(crate) fn accepted(headers: &HeaderMap, offers: &[&'static str]) -> Result<&'static str, FunctionError> {
    let ranges: Vec<String> = headers
        .get_all(header::ACCEPT)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect();
    let ranges = ranges.join(",");
    let ranges: Vec<(MediaType, f32)> = ranges
        .split(',')
        .filter(|range| !range.trim().is_empty())
        .map(MediaType::parse)
        .map(weighted)
        .collect();
    if ranges.is_empty() {
        return Ok(offers[0]);
    }
    let weighed = offers.iter().map(|offer| (quality(offer, &ranges), *offer));
    // Of equal ones the first wins, so the order of the offers is our preference.
    let best = weighed.fold((0.0, None), |best, (q, offer)| if q > best.0 { (q, Some(offer)) } else { best });
    best.1.ok_or_else(|| {
        let asked = ranges.iter().map(|(range, _)| range.essence.as_str()).collect::<Vec<_>>().join(", ");
        let mut error = FunctionError::new(
            Code::NotAcceptable,
            format!("the answer cannot be made as {}; it can be {}", quoted(&asked), offers.join(", ")),
        );
        (error.field, error.expected, error.found) =
            (Some("Accept".to_owned()), Some(offers.join(", ")), Some(quoted(&asked)));
        error
    })
}

fn weighted(range: MediaType) -> (MediaType, f32) {
    let q = range.parameter("q").and_then(|q| q.parse().ok()).filter(|q: &f32| q.is_finite()).unwrap_or(1.0);
    (range, q)
}

/// How much a client likes an offer: the quality of the most specific range that covers it.
fn quality(offer: &str, ranges: &[(MediaType, f32)]) -> f32 {
    let family = offer.split_once('/').map_or(offer, |(family, _)| family);
    let covers = [offer.to_owned(), format!("{family}/*"), "*/*".to_owned()];
    covers.iter().find_map(|c| ranges.iter().find(|(range, _)| range.essence == *c)).map_or(0.0, |(_, q)| *q)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(value: &str) -> Result<&'static str, FunctionError> {
        let headers = HeaderMap::from_iter([(header::ACCEPT, value.parse().unwrap())]);
        accepted(&headers, &[JSON, CSV, NPY])
    }

    #[test]
    fn the_answer_is_what_the_client_likes_best() {
        for (header, answer) in [
            ("*/*", JSON),
            ("", JSON),
            ("text/csv", CSV),
            ("text/*", CSV),
            ("application/x-npy, application/json;q=0.5", NPY),
            ("text/csv;q=0.3, application/x-npy; q=0.2", CSV),
            ("application/json;q=0, */*", CSV),
            ("text/html, */*;q=0.1", JSON),
        ] {
            assert_eq!(accept(header).unwrap(), answer, "{header}");
        }
        assert_eq!(accepted(&HeaderMap::new(), &[JSON]).unwrap(), JSON);
    }

    #[test]
    fn what_cannot_be_answered_is_refused_with_what_can() {
        for header in ["image/png", "application/json;q=0", "nonsense"] {
            let error = accept(header).unwrap_err();
            assert_eq!(error.code, Code::NotAcceptable);
            assert!(error.message.contains("text/csv"), "{error}");
        }
    }

    #[test]
    fn a_content_type_is_read_with_its_parameters() {
        let headers = HeaderMap::from_iter([(
            header::CONTENT_TYPE,
            "Text/CSV; header=Present; charset=\"UTF-8\"".parse().unwrap(),
        )]);
        let media = MediaType::of_body(&headers).unwrap();
        assert_eq!(media.essence, CSV);
        assert_eq!((media.parameter("header"), media.parameter("charset")), (Some("present"), Some("utf-8")));
    }
}
