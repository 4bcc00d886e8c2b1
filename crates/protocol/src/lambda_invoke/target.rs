//! Which function and which version a client of Lambda means.
//!
//! | what it says | |
//! |---|---|
//! | `churn`, `churn:2` | a name, and a qualifier |
//! | `arn:aws:lambda:REGION:ACCOUNT:function:churn`, and `:2` behind it | an ARN; region and account are the client's affair |
//! | `ACCOUNT:function:churn`, and `:2` behind it | a part of one |
//! | `?Qualifier=2` | the same qualifier, apart |
//!
//! `$LATEST` and `live` are the live version, a number is that version.

use modelet_core::{Code, FunctionName, PlatformError, Qualifier};

use crate::route;
use crate::text::quoted;

/// Of the piece of the path, decoded, and the query.
pub(super) fn of(text: &str, query: Option<&str>) -> Result<(FunctionName, Qualifier), PlatformError> {
    let (name, inner) = parts(text);
    let apart = route::query_values(query, "Qualifier").into_iter().next();
    if let (Some(inner), Some(apart)) = (inner, &apart)
        && inner != apart
    {
        let message = format!(
            "the name says the qualifier {}, and the query {}: they have to be the same",
            quoted(inner),
            quoted(apart)
        );
        return Err(PlatformError::new(Code::BadInput, message));
    }
    let qualifier = inner.or(apart.as_deref()).map_or(Ok(Qualifier::Live), qualifier)?;
    Ok((route::function_name(name)?, qualifier))
}

/// The name, and the qualifier behind it.
fn parts(text: &str) -> (&str, Option<&str>) {
    let pieces: Vec<&str> = text.split(':').collect();
    match pieces.as_slice() {
        ["arn", _, "lambda", _, _, "function", name] | [_, "function", name] | [name] => (*name, None),
        ["arn", _, "lambda", _, _, "function", name, qualifier]
        | [_, "function", name, qualifier]
        | [name, qualifier] => (*name, Some(*qualifier)),
        _ => (text, None),
    }
}

/// Any other word may be an alias somewhere, and is none here.
fn qualifier(text: &str) -> Result<Qualifier, PlatformError> {
    if text == "$LATEST" {
        return Ok(Qualifier::Live);
    }
    text.parse().map_err(|_| {
        let message = format!("there is no version or alias {}", quoted(text));
        PlatformError::new(Code::VersionNotFound, message)
            .hint("use a version's number, or \"live\" or \"$LATEST\" for the live one")
    })
}
