//! Paths: cutting them into pieces, and the sentences for those that lead nowhere.

use http::Method;
use modelet_core::{Code, FunctionName, PlatformError, Qualifier};

use crate::text::quoted;

/// The pieces of a path below a prefix, percent-decoded: `/fn/churn/versions/2` below `/fn` is
/// `["churn", "versions", "2"]`. `None` when the path lies elsewhere. One slash at the end does not matter.
pub(crate) fn pieces(path: &str, prefix: &str) -> Option<Vec<String>> {
    let rest = path.strip_prefix(prefix)?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.is_empty() {
        return Some(Vec::new());
    }
    Some(rest.strip_prefix('/')?.split('/').map(percent_decode).collect())
}

/// A piece of a path or a query, with `%41` read as `A`. What is no escape stays as it is.
pub(crate) fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        let escape = tail.first_chunk::<2>().filter(|_| *byte == b'%');
        let value = escape
            .filter(|hex| hex.iter().all(u8::is_ascii_hexdigit))
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(value.unwrap_or(*byte));
        rest = if value.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A text as a value of a query string, so that [`query_values`] gives it again.
pub(crate) fn percent_encode(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// The values of one name in a query string.
pub(crate) fn query_values(query: Option<&str>, name: &str) -> Vec<String> {
    let pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(n, _)| *n == name).map(|(_, value)| query_text(value)).collect()
}

/// All names and values of a query string, decoded, in their order.
pub fn query_pairs(query: Option<&str>) -> Vec<(String, String)> {
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(n, v)| (query_text(n), query_text(v)))
        .collect()
}

fn query_text(text: &str) -> String {
    percent_decode(&text.replace('+', " "))
}

/// A function's name out of a path.
pub(crate) fn function_name(text: &str) -> Result<FunctionName, PlatformError> {
    text.parse().map_err(|_| {
        // The name's own error repeats all of it, which may be long here.
        let near = FunctionName::nearest(text).map(|near| format!("; try \"{near}\"")).unwrap_or_default();
        let rule = "1 to 48 lower-case letters, digits and single hyphens, starting with a letter";
        PlatformError::new(Code::BadName, format!("{} is not a function name: {rule}{near}", quoted(text)))
    })
}

/// A qualifier out of a path.
pub(crate) fn qualifier(text: &str) -> Result<Qualifier, PlatformError> {
    text.parse().map_err(|_| {
        let message = format!("{} is not a version: use a number such as 1, or \"live\"", quoted(text));
        PlatformError::new(Code::BadName, message)
    })
}

/// Lets a method pass that a path allows. `HEAD` goes where `GET` goes.
pub(crate) fn allow(method: &Method, allowed: &[Method], path: &str) -> Result<(), PlatformError> {
    let get = allowed.contains(&Method::GET);
    if allowed.contains(method) || (get && method == Method::HEAD) {
        return Ok(());
    }
    let mut names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
    names.extend(get.then_some("HEAD"));
    Err(PlatformError::new(
        Code::MethodNotAllowed,
        format!("{} does not take {}; it takes {}", quoted(path), quoted(method.as_str()), names.join(", ")),
    ))
}

/// The failure for a path that a protocol owns and does not know.
pub(crate) fn unknown(path: &str, known: &str) -> PlatformError {
    PlatformError::new(Code::RouteNotFound, format!("there is nothing at {}", quoted(path)))
        .hint(format!("there is {known}"))
}

#[cfg(test)]
mod tests {
    use modelet_core::Version;

    use super::*;
    use crate::{Operation, ProtocolName, Route, route};

    fn routed(method: &Method, path: &str) -> Option<Result<Route, Code>> {
        route(method, path).map(|routed| routed.map_err(|(_, error)| error.code))
    }

    #[test]
    fn every_path_of_every_protocol_leads_somewhere() {
        use Operation::{Describe, Predict, Ready, ServerIndex, ServerLive, ServerMetadata, ServerReady};
        let v2 = Qualifier::Version(Version(2));
        for (method, path, protocol, function, qualifier, operation) in [
            (Method::POST, "/fn/churn", ProtocolName::Fn, true, Qualifier::Live, Predict),
            (Method::POST, "/fn/churn/", ProtocolName::Fn, true, Qualifier::Live, Predict),
            (Method::POST, "/fn/%63hurn", ProtocolName::Fn, true, Qualifier::Live, Predict),
            (Method::POST, "/fn/churn:2", ProtocolName::Fn, true, v2, Predict),
            (Method::POST, "/fn/churn/versions/2", ProtocolName::Fn, true, v2, Predict),
            (Method::POST, "/fn/churn:live", ProtocolName::Fn, true, Qualifier::Live, Predict),
            (Method::GET, "/fn/churn", ProtocolName::Fn, true, Qualifier::Live, Describe),
            (Method::HEAD, "/fn/churn:2", ProtocolName::Fn, true, v2, Describe),
            (Method::GET, "/v2", ProtocolName::KserveV2, false, Qualifier::Live, ServerMetadata),
            (Method::GET, "/v2/", ProtocolName::KserveV2, false, Qualifier::Live, ServerMetadata),
            (Method::GET, "/v2/health/live", ProtocolName::KserveV2, false, Qualifier::Live, ServerLive),
            (Method::GET, "/v2/health/ready", ProtocolName::KserveV2, false, Qualifier::Live, ServerReady),
            (
                Method::POST,
                "/v2/repository/index",
                ProtocolName::KserveV2,
                false,
                Qualifier::Live,
                ServerIndex,
            ),
            (Method::GET, "/v2/models/churn", ProtocolName::KserveV2, true, Qualifier::Live, Describe),
            (Method::GET, "/v2/models/churn/versions/2", ProtocolName::KserveV2, true, v2, Describe),
            (Method::GET, "/v2/models/churn/ready", ProtocolName::KserveV2, true, Qualifier::Live, Ready),
            (Method::GET, "/v2/models/churn/versions/2/ready", ProtocolName::KserveV2, true, v2, Ready),
            (Method::POST, "/v2/models/churn/infer", ProtocolName::KserveV2, true, Qualifier::Live, Predict),
            (Method::POST, "/v2/models/churn/versions/2/infer", ProtocolName::KserveV2, true, v2, Predict),
        ] {
            let function = function.then(|| "churn".parse().unwrap());
            let expected = Route { protocol, function, qualifier, operation, invocation: None };
            assert_eq!(routed(&method, path), Some(Ok(expected)), "{path}");
        }
    }

    #[test]
    fn the_answer_of_an_invocation_has_a_place() {
        let route = routed(&Method::GET, "/fn/churn/invocations/01J").unwrap().unwrap();
        assert_eq!((route.operation, route.invocation.unwrap().0.as_str()), (Operation::Result, "01J"));
    }

    #[test]
    fn what_leads_nowhere_is_said_in_the_protocol_it_was_asked_in() {
        for (method, path, code) in [
            (Method::PUT, "/fn/churn", Code::MethodNotAllowed),
            (Method::POST, "/fn/churn/invocations/01J", Code::MethodNotAllowed),
            (Method::GET, "/fn/churn/invocations", Code::RouteNotFound),
            (Method::GET, "/v2/models/churn/infer", Code::MethodNotAllowed),
            (Method::POST, "/v2/models/churn", Code::MethodNotAllowed),
            (Method::POST, "/v2/health/live", Code::MethodNotAllowed),
            (Method::POST, "/fn", Code::RouteNotFound),
            (Method::POST, "/fn/a/b", Code::RouteNotFound),
            (Method::POST, "/fn/a:1/versions/2", Code::RouteNotFound),
            (Method::GET, "/v2/nothing", Code::RouteNotFound),
            (Method::GET, "/v2/models/churn/config", Code::RouteNotFound),
            (Method::POST, "/fn/Churn_Model", Code::BadName),
            (Method::POST, "/fn/%FF%00", Code::BadName),
            (Method::POST, "/fn//", Code::BadName),
            (Method::POST, "/fn/churn:prod", Code::BadName),
            (Method::POST, "/v2/models/churn/versions/0/infer", Code::BadName),
        ] {
            assert_eq!(routed(&method, path), Some(Err(code)), "{path}");
        }
        for path in ["/", "/fnord", "/v2x", "/v1/models/a", ""] {
            assert_eq!(routed(&Method::GET, path), None, "{path}");
        }
    }

    #[test]
    fn a_wrong_method_and_a_wrong_name_get_the_right_ones() {
        let (_, error) = route(&Method::PUT, "/fn/churn").unwrap().unwrap_err();
        assert!(error.message.ends_with("it takes POST, GET, HEAD"), "{error}");
        let (_, error) = route(&Method::POST, "/fn/Churn_Model").unwrap().unwrap_err();
        assert!(error.message.ends_with("try \"churn-model\""), "{error}");
    }

    #[test]
    fn queries_are_read_by_name() {
        let query = Some("output=a%20b&x=1&output=c+d&output");
        assert_eq!(query_values(query, "output"), ["a b", "c d"]);
        assert!(query_values(None, "output").is_empty());
        assert_eq!(percent_decode("%zz%4"), "%zz%4");
        assert_eq!(percent_encode("a b/ä"), "a%20b%2F%C3%A4");
    }
}
