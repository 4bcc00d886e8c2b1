//! AWS' published test suite for signatures ("aws-sig-v4-test-suite"): key, moment and service are those of the suite.

use super::*;

fn authorization(
    method: &Method,
    path: &str,
    query: &[(&str, &str)],
    headers: &[(&str, &str)],
    body: &str,
    token: Option<&str>,
) -> String {
    let credentials =
        Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token, "the test");
    // 2015-08-30T12:36:00Z
    let scope = Scope { region: "us-east-1", service: "service", now_s: 1_440_938_160 };
    let query: Vec<_> = query.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let mut all = HeaderMap::new();
    for (name, value) in headers {
        all.insert(http::HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let request =
        Signed { method, host: "example.amazonaws.com", path, query: &query, body: body.as_bytes() };
    sign(request, &mut all, &credentials, scope);
    all["authorization"].to_str().unwrap().rsplit_once("Signature=").unwrap().1.to_owned()
}

#[test]
fn signatures_are_those_of_the_published_suite() {
    let of = |method: Method, path, query: &[(&str, &str)], headers: &[(&str, &str)], body| {
        authorization(&method, path, query, headers, body, None)
    };
    // get-vanilla
    assert_eq!(
        of(Method::GET, "/", &[], &[], ""),
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    );
    // get-vanilla-query-order-key-case
    assert_eq!(
        of(Method::GET, "/", &[("Param2", "value2"), ("Param1", "value1")], &[], ""),
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
    );
    // post-vanilla
    assert_eq!(
        of(Method::POST, "/", &[], &[], ""),
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
    );
    // post-x-www-form-urlencoded
    assert_eq!(
        of(Method::POST, "/", &[], &[("content-type", "application/x-www-form-urlencoded")], "Param1=value1"),
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
    );
}

#[test]
fn what_is_to_be_encoded_is_by_rfc_3986() {
    assert_eq!(encoded("a b/c~d+e", b""), "a%20b%2Fc~d%2Be");
    assert_eq!(encoded("/a%3Ab", b"/"), "/a%253Ab");
    let pairs = [("b".to_owned(), "2 3".to_owned()), ("a".to_owned(), String::new())];
    assert_eq!(query(&pairs), "a=&b=2%203");
}
