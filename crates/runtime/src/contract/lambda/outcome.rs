//! What an answer of the protocol `lambda_invoke` is to Lambda: a result, or an error with a type.

use bytes::Bytes;
use http::Response;
use modelet_core::FunctionError;
use modelet_core::instance::HEADER_FUNCTION_ERROR;
use serde::Deserialize;
use serde_json::json;

/// Largest result that Lambda takes: 6 MiB and 100 bytes, as its own message says.
pub(super) const RESULT_LIMIT_BYTES: usize = (6 << 20) + 100;
/// The header with the name of an exception of Lambda's API.
const HEADER_EXCEPTION: &str = "x-amzn-errortype";

/// What came of a call.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// The result, as the client gets it.
    Answered(Bytes),
    /// The function failed.
    Failed(Failed),
}

/// An error, as the client gets it.
#[derive(Debug, PartialEq)]
pub(super) struct Failed {
    /// Such as `Function.BadInput`.
    pub(super) error_type: String,
    /// JSON with at least `errorMessage` and `errorType`.
    pub(super) body: Bytes,
}

/// What is read of an answer that says a failure.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Said {
    #[serde(rename = "errorType")]
    error_type: Option<String>,
    #[serde(alias = "Message")]
    message: Option<String>,
}

impl Outcome {
    /// Of an answer.
    pub(super) fn of(answer: Response<Bytes>) -> Self {
        let is_error = answer.headers().contains_key(HEADER_FUNCTION_ERROR);
        let (head, body) = answer.into_parts();
        let size = body.len();
        if head.status.is_success() && !is_error {
            return match size > RESULT_LIMIT_BYTES {
                true => Self::Failed(too_large(size)),
                false => Self::Answered(body),
            };
        }
        // A handler may write anything; what is no JSON is said as it is.
        let said: Said = serde_json::from_slice(&body).unwrap_or_default();
        if let (true, Some(error_type)) = (size <= RESULT_LIMIT_BYTES, said.error_type) {
            return Self::Failed(Failed { error_type, body });
        }
        let exception = head.headers.get(HEADER_EXCEPTION).and_then(|name| name.to_str().ok());
        let message = said.message.unwrap_or_else(|| String::from_utf8_lossy(&body).into_owned());
        Self::Failed(Failed::new(exception.unwrap_or("Runtime.Unknown"), &message))
    }

    /// Of an answer that broke off.
    pub(super) fn not_whole(error: &FunctionError) -> Failed {
        Failed::new(&format!("Function.{}", error.code.in_camel_case()), &error.message)
    }

    /// Of a handler that could not be made.
    pub(super) fn not_started(error: &FunctionError) -> Failed {
        Failed::new(&format!("Runtime.{}", error.code.in_camel_case()), &error.message)
    }
}

impl Failed {
    fn new(error_type: &str, message: &str) -> Self {
        let body = json!({ "errorMessage": message, "errorType": error_type, "stackTrace": [] });
        Self { error_type: error_type.to_owned(), body: body.to_string().into() }
    }
}

/// Lambda's own words for it.
fn too_large(size: usize) -> Failed {
    let message = format!(
        "Response payload size ({size} bytes) exceeded maximum allowed payload size ({RESULT_LIMIT_BYTES} bytes)."
    );
    Failed::new("Function.ResponseSizeTooLarge", &message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> Outcome {
        let mut response = Response::new(body.into());
        *response.status_mut() = status.try_into().unwrap();
        for (name, value) in headers {
            response.headers_mut().insert(*name, value.parse().unwrap());
        }
        Outcome::of(response)
    }

    fn failed(outcome: Outcome) -> (String, serde_json::Value) {
        let Outcome::Failed(failed) = outcome else { panic!("{outcome:?}") };
        (failed.error_type, serde_json::from_slice(&failed.body).unwrap())
    }

    #[test]
    fn an_answer_is_a_result_up_to_lambdas_own_limit() {
        assert_eq!(of(200, &[], "{}"), Outcome::Answered("{}".into()));
        let largest = vec![b' '; 6_291_556];
        assert_eq!(of(200, &[], largest.clone()), Outcome::Answered(largest.into()));
        let (error_type, body) = failed(of(200, &[], vec![b' '; 6_291_557]));
        assert_eq!(error_type, "Function.ResponseSizeTooLarge");
        assert_eq!(
            body["errorMessage"],
            "Response payload size (6291557 bytes) exceeded maximum allowed payload size (6291556 bytes)."
        );
    }

    #[test]
    fn a_failure_keeps_its_type_and_its_words() {
        let marked = [(HEADER_FUNCTION_ERROR, "Unhandled")];
        let own = r#"{"errorMessage": "no", "errorType": "KeyError", "stackTrace": ["a"]}"#;
        let Outcome::Failed(kept) = of(200, &marked, own) else { panic!("it is a failure") };
        assert_eq!((kept.error_type.as_str(), &kept.body[..]), ("KeyError", own.as_bytes()));
        let exception = [(HEADER_EXCEPTION, "InvalidRequestContentException")];
        let (error_type, body) = failed(of(400, &exception, r#"{"Type": "User", "message": "no JSON"}"#));
        assert_eq!(
            (error_type.as_str(), &body["errorMessage"]),
            ("InvalidRequestContentException", &"no JSON".into())
        );
        let (error_type, body) = failed(of(500, &[], "plain words"));
        assert_eq!((error_type.as_str(), &body["errorMessage"]), ("Runtime.Unknown", &"plain words".into()));
    }
}
