//! The call that a function is tried with.

use std::path::Path;

use bytes::Bytes;
use http::Method;
use modelet_core::ArtifactCard;

use crate::commands::invoke;
use crate::report::Report;

/// A call.
#[derive(Debug, Clone)]
pub struct Sample {
    /// How it asks.
    pub method: Method,
    /// Path below the function's, or nothing.
    pub at: String,
    /// What its body is, where that is known.
    pub content_type: Option<&'static str>,
    /// Its body.
    pub body: Bytes,
}

impl Sample {
    /// What was given: a file (also as `@FILE`), `-` for standard input, or the text itself. Nothing where nothing was given and the
    /// function has none of its own.
    ///
    /// # Errors
    /// `bad-body` for a file that cannot be read.
    pub fn of(card: &ArtifactCard, given: Option<&str>, at: Option<&str>) -> Result<Option<Self>, Report> {
        let path = at.map_or_else(String::new, |at| format!("/{}", at.trim_start_matches('/')));
        let post = |content_type, body| Self { method: Method::POST, at: path.clone(), content_type, body };
        let Some(given) = given else {
            if at.is_some() {
                return Ok(Some(Self { method: Method::GET, ..post(None, Bytes::new()) }));
            }
            let own = card.model().and_then(|model| modelet_protocol::sample(&card.name, &model.signature));
            return Ok(own.map(|sample| post(Some(sample.content_type), sample.body.into())));
        };
        if given == "-" || given.starts_with('@') {
            let (body, kind) = invoke::body(given)?;
            return Ok(Some(post(kind, body)));
        }
        let is_json = serde_json::from_str::<serde_json::Value>(given).is_ok();
        if is_json || !is_path(given) {
            return Ok(Some(post(is_json.then_some("application/json"), given.to_owned().into())));
        }
        let (body, kind) = invoke::body(&format!("@{given}"))?;
        Ok(Some(post(kind, body)))
    }
}

/// True for the path of something that is there, and for a word that can only be meant as one: with an ending, such as `rows.csv`.
fn is_path(given: &str) -> bool {
    let path = Path::new(given);
    let is_ending = |ending: &std::ffi::OsStr| {
        (1..=5).contains(&ending.len())
            && ending.to_str().is_some_and(|it| it.bytes().all(|byte| byte.is_ascii_alphabetic()))
    };
    path.exists() || !given.contains(char::is_whitespace) && path.extension().is_some_and(is_ending)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_from_a_body() {
        for path in ["nowhere.json", "../nowhere/rows.csv", "/", "nowhere.JPEG"] {
            assert!(is_path(path), "{path}");
        }
        for body in ["5.1,3.5,1.4,0.2", "The cat sits outside.", "hello", "1.5", "{\"a\": 1}"] {
            assert!(!is_path(body), "{body}");
        }
    }
}
