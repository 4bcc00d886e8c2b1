//! Keeps web pages of other origins out. The admin API listens on loopback without a key, and a browser sends there whatever
//! any page asks it to: only the `Origin` header tells such a request from the command line's.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{HOST, ORIGIN};
use modelet_core::{Code, PlatformError};

use crate::admin::ApiError;

pub(crate) async fn keep_out(request: Request, next: Next) -> Response {
    match foreign_origin(request.headers()) {
        Some(origin) => {
            let message = format!("a web page of {origin} may not use the admin API");
            ApiError(PlatformError::new(Code::ForbiddenOrigin, message).into()).into_response()
        }
        None => next.run(request).await,
    }
}

/// The origin of a request that another site's page has made.
fn foreign_origin(headers: &HeaderMap) -> Option<&str> {
    let origin = headers.get(ORIGIN)?.to_str().unwrap_or("an unreadable origin");
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let own = host.is_some_and(|host| origin.split_once("://").is_some_and(|(_, rest)| rest == host));
    (!own).then_some(origin)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_pages_of_the_platform_itself_and_clients_without_an_origin_pass() {
        let headers = |origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static("127.0.0.1:8080"));
            headers.extend(origin.map(|origin| (ORIGIN, HeaderValue::from_static(origin))));
            headers
        };
        assert_eq!(foreign_origin(&headers(None)), None);
        assert_eq!(foreign_origin(&headers(Some("http://127.0.0.1:8080"))), None);
        for bad in
            ["http://evil.example", "null", "http://127.0.0.1:8081", "http://127.0.0.1:8080.evil.example"]
        {
            assert_eq!(foreign_origin(&headers(Some(bad))), Some(bad));
        }
    }
}
