//! AWS' signature, version 4 (IAM User Guide, "Create a signed AWS API request").

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, Method};
use modelet_core::digest::hex;
use modelet_core::moment;
use sha2::{Digest, Sha256};

use crate::credentials::Credentials;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Who is asked, and where: what a signature is good for.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The region, such as `eu-west-1`.
    pub region: &'a str,
    /// The service's name in signatures, such as `lambda`.
    pub service: &'a str,
    /// The moment, seconds since 1970; the signature holds for some minutes around it.
    pub now_s: u64,
}

/// What is signed.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// The method.
    pub method: &'a Method,
    /// The host, with its port where the address has one.
    pub host: &'a str,
    /// The path as it is sent, percent-encoded.
    pub path: &'a str,
    /// The query, not encoded yet.
    pub query: &'a [(String, String)],
    /// The body.
    pub body: &'a [u8],
}

/// Adds what signs a request to its headers, all of which are signed.
pub fn sign(request: Signed<'_>, headers: &mut HeaderMap, credentials: &Credentials, scope: Scope<'_>) {
    let moment = moment::basic(scope.now_s);
    let body_sha256 = hex(&Sha256::digest(request.body));
    put(headers, "x-amz-date", &moment);
    if let Some(token) = credentials.session_token() {
        put(headers, "x-amz-security-token", token);
    }
    if scope.service == "s3" {
        put(headers, "x-amz-content-sha256", &body_sha256);
    }
    let (named, canonical) = canonical(request, headers, &body_sha256, scope.service);
    let day = &moment[..8];
    let place = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
    let to_sign = format!("{ALGORITHM}\n{moment}\n{place}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    let mut key = hmac(format!("AWS4{}", credentials.secret_access_key()).as_bytes(), day);
    for part in [scope.region, scope.service, "aws4_request", &to_sign] {
        key = hmac(&key, part);
    }
    let id = credentials.access_key_id();
    put(
        headers,
        "authorization",
        &format!("{ALGORITHM} Credential={id}/{place}, SignedHeaders={named}, Signature={}", hex(&key)),
    );
}

/// The names of the signed headers, and the request in the form that is signed.
fn canonical(request: Signed<'_>, headers: &HeaderMap, body_sha256: &str, service: &str) -> (String, String) {
    let mut lines: Vec<(String, String)> = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), squeezed(value.to_str().ok()?))))
        .collect();
    lines.push(("host".to_owned(), request.host.to_owned()));
    lines.sort();
    let named = lines.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
    let lines: String = lines.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    // S3 alone takes paths as they are; all others encode what is encoded already once more.
    let path = if service == "s3" { request.path.to_owned() } else { encoded(request.path, b"/") };
    let query = query(request.query);
    let method = request.method;
    (named.clone(), format!("{method}\n{path}\n{query}\n{lines}\n{named}\n{body_sha256}"))
}

/// A query as it is signed and sent: encoded, sorted.
pub fn query(pairs: &[(String, String)]) -> String {
    let mut pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encoded(name, b""), encoded(value, b""))).collect();
    pairs.sort();
    pairs.join("&")
}

/// Percent-encoded by RFC 3986: all but letters, digits, `-._~` and what is `kept`.
pub fn encoded(text: &str, kept: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn squeezed(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn hmac(key: &[u8], message: &str) -> Vec<u8> {
    // A key of any length is a key to HMAC.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    // What is no header's value makes a signature that nobody accepts, and the service says so.
    if let Ok(mut value) = HeaderValue::from_str(value) {
        value.set_sensitive(matches!(name, "authorization" | "x-amz-security-token"));
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests;
