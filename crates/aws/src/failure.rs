//! What a service's answer means when it is a failure, and what to do about it.

use serde_json::Value;

use crate::call::Request;
use crate::error::{Call, CloudError, Kind};
use crate::service::{Protocol, Service};
use crate::transport::Answer;
use crate::xml::Document;

/// What to do where AWS has another time.
const CLOCK: &str = "the clock of this machine is wrong: set it";

/// The answer, unless it is a failure.
///
/// # Errors
/// The failure, as the service tells it.
pub fn checked(request: &Request, answer: Answer, key: &str) -> Result<Answer, CloudError> {
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    let header = |name: &str| answer.headers.get(name)?.to_str().ok().map(str::to_owned);
    let (code, message) = match request.service.protocol {
        Protocol::RestJson | Protocol::Json { .. } => of_json(&answer.body, header("x-amzn-errortype")),
        Protocol::Query { .. } | Protocol::RestXml => of_xml(&answer.body),
    };
    let call = Call {
        service: request.service.prefix,
        operation: request.operation,
        status: answer.status,
        request_id: header("x-amzn-requestid").or_else(|| header("x-amz-request-id")).unwrap_or_default(),
        code,
    };
    let kind = kind(&call);
    let hint = if is_of_the_clock(&call, &message) {
        Some(CLOCK.to_owned())
    } else {
        hint(kind, &call, request.service, key)
    };
    let message = if message.is_empty() { format!("answered {}", answer.status) } else { message };
    Err(CloudError { hint, call: Some(call), ..CloudError::new(kind, message) })
}

/// A failure on the way there, with what was asked.
pub fn unreached(request: &Request, error: CloudError) -> CloudError {
    let call = Call {
        service: request.service.prefix,
        operation: request.operation,
        status: 0,
        code: String::new(),
        request_id: String::new(),
    };
    CloudError { call: Some(call), ..error }
}

/// An answer that says it went well, and nothing that makes sense.
pub fn senseless(service: &Service, operation: &'static str, status: u16) -> CloudError {
    let call =
        Call { service: service.prefix, operation, status, code: String::new(), request_id: String::new() };
    let error =
        CloudError::new(Kind::Unreachable, format!("answered {status}, and nothing that AWS would say"));
    CloudError { call: Some(call), ..error }.hint("is AWS_ENDPOINT_URL the address of something else?")
}

/// `{"__type": "prefix#Code"}` or a header, and `message` in one of its spellings.
fn of_json(body: &[u8], header: Option<String>) -> (String, String) {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text =
        |names: &[&str]| names.iter().find_map(|name| body[*name].as_str()).unwrap_or_default().to_owned();
    let code = header.unwrap_or_else(|| text(&["__type", "code", "Code"]));
    let code = code.split(':').next().unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default();
    (code.to_owned(), text(&["message", "Message"]))
}

fn of_xml(body: &[u8]) -> (String, String) {
    let document = Document::read(body);
    let text = |name| document.as_ref().and_then(|document| document.text(name)).unwrap_or_default();
    (text("Code"), text("Message"))
}

fn kind(call: &Call) -> Kind {
    let has = |words: &[&str]| words.iter().any(|word| call.code.contains(word));
    if has(&["AccessDenied", "UnauthorizedOperation", "NotAuthorized"]) {
        Kind::Denied
    } else if has(&[
        "ExpiredToken",
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "UnrecognizedClient",
        "SignatureDoesNotMatch",
        "InvalidSignature",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "MissingAuthenticationToken",
    ]) {
        Kind::Credentials
    } else if has(&["NoSuch", "NotFound"]) || call.status == 404 {
        Kind::NotFound
    } else if has(&["Throttl", "TooManyRequests", "SlowDown", "RequestLimitExceeded"]) || call.status == 429 {
        Kind::Throttled
    } else if has(&["Conflict", "AlreadyExists", "AlreadyOwnedByYou"]) || call.status == 409 {
        Kind::Conflict
    } else if call.status == 403 {
        Kind::Denied
    } else {
        Kind::Service
    }
}

/// True where the signature is right, and of another time. Only S3 has a name for that.
fn is_of_the_clock(call: &Call, message: &str) -> bool {
    let says =
        ["Signature expired", "Signature not yet current"].iter().any(|words| message.starts_with(words));
    call.code.contains("Skewed") || says
}

fn hint(kind: Kind, call: &Call, service: &Service, key: &str) -> Option<String> {
    match kind {
        Kind::Denied => Some(format!(
            "the credentials ({key}) lack {}; modelet deploy … --plan --policy FILE writes a policy with all that is needed",
            service.permission(call.operation)
        )),
        Kind::Credentials if call.code.contains("xpired") => Some(format!(
            "the credentials ({key}) are over: get new ones (aws sso login, or assume the role again)"
        )),
        Kind::Credentials => {
            Some(format!("AWS does not know the credentials ({key}): look at AWS_PROFILE and its key"))
        }
        Kind::Throttled => Some("try again in a minute; what is there already is kept".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Method};

    use super::*;
    use crate::service::{IAM, LAMBDA, LOGS, S3};

    fn failed(
        service: &'static Service,
        status: u16,
        body: &'static str,
        headers: &[(&'static str, &'static str)],
    ) -> CloudError {
        let request = Request::rest(service, "PutBucketNotificationConfiguration", Method::POST, &[]);
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let answer = Answer { status, headers, body: Bytes::from_static(body.as_bytes()) };
        checked(&request, answer, "the profile eu").unwrap_err()
    }

    #[test]
    fn each_protocol_tells_its_failures_in_its_own_way() {
        let error = failed(
            &LAMBDA,
            404,
            r#"{"Type": "User", "Message": "Function not found"}"#,
            &[("x-amzn-errortype", "ResourceNotFoundException:http://internal"), ("x-amzn-requestid", "r1")],
        );
        assert_eq!(error.kind, Kind::NotFound);
        assert_eq!(
            error.to_string(),
            "lambda PutBucketNotificationConfiguration: ResourceNotFoundException: Function not found (request r1)"
        );
        let error =
            failed(&LOGS, 400, r#"{"__type": "com.x#ThrottlingException", "message": "slower"}"#, &[]);
        assert_eq!((error.kind, error.is("ThrottlingException")), (Kind::Throttled, true));
        let xml = "<ErrorResponse><Error><Code>EntityAlreadyExists</Code><Message>m</Message></Error></ErrorResponse>";
        assert_eq!(failed(&IAM, 409, xml, &[]).kind, Kind::Conflict);
        assert_eq!(failed(&IAM, 502, "<html>", &[]).message, "answered 502");
    }

    #[test]
    fn what_to_do_names_the_permission_or_the_key() {
        let denied = failed(&S3, 403, "<Error><Code>AccessDenied</Code></Error>", &[]);
        assert!(denied.hint.unwrap().contains("(the profile eu) lack s3:PutBucketNotification;"));
        let over =
            failed(&LAMBDA, 403, r#"{"message": "m"}"#, &[("x-amzn-errortype", "ExpiredTokenException")]);
        assert_eq!(over.kind, Kind::Credentials);
        assert!(over.hint.unwrap().contains("are over"), "the words say how to renew");
        let early = r#"{"message": "Signature not yet current: 20261129T003000Z is still later than 20261129T002000Z"}"#;
        let early = failed(&LAMBDA, 403, early, &[("x-amzn-errortype", "InvalidSignatureException")]);
        assert_eq!((early.kind, early.hint.as_deref()), (Kind::Credentials, Some(CLOCK)));
    }
}
