//! The call that a function is tried with.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use http::Method;
use modelet_core::{ArtifactCard, Code};

use crate::commands::invoke::content_type;
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
    /// What was given: a file, or the text itself. Nothing where nothing was given and the function has none of its own.
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
        if !Path::new(given).is_file() {
            let json = serde_json::from_str::<serde_json::Value>(given).is_ok().then_some("application/json");
            return Ok(Some(post(json, given.to_owned().into())));
        }
        let body = fs::read(given)
            .map_err(|error| Report::new(Code::BadBody, format!("could not read {given}: {error}")))?;
        Ok(Some(post(content_type(given, &body), body.into())))
    }
}
