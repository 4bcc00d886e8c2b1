use http::Request;

use super::*;

fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn event(form: Event, head: &Parts, body: &'static [u8]) -> Value {
    serde_json::from_slice(&of(form, head, Bytes::from_static(body)).unwrap()).unwrap()
}

fn answered(text: &str) -> Result<Response<Bytes>, FunctionError> {
    response(Bytes::from(text.to_owned()))
}

#[test]
fn the_body_is_the_event_and_nothing_is_an_empty_one() {
    let plain = request("POST", "/fn/f", &[("content-type", "application/x-www-form-urlencoded")]);
    assert_eq!(event(Event::Body, &plain, b"{\"data\": [1]}"), json!({"data": [1]}));
    assert_eq!(event(Event::Body, &plain, b""), json!({}));
    let picture = request("POST", "/fn/f", &[("content-type", "image/png")]);
    let refused = of(Event::Body, &picture, Bytes::from_static(b"\x89PNG")).unwrap_err();
    assert_eq!(refused.code, Code::UnsupportedMediaType);
    assert!(refused.hint.unwrap().contains("http_v2"));
}

#[test]
fn a_request_is_described_as_http_apis_describe_it() {
    let head = request(
        "POST",
        "/fn/f?a=1&a=2&b=x%20y",
        &[
            ("Content-Type", "application/json"),
            ("X-Two", "1"),
            ("X-Two", "2"),
            ("Cookie", "k=v; z=1"),
            ("Host", "h"),
        ],
    );
    let event = event(Event::HttpV2, &head, b"{\"x\":1}");
    assert_eq!((&event["version"], &event["rawQueryString"]), (&json!("2.0"), &json!("a=1&a=2&b=x%20y")));
    assert_eq!(event["queryStringParameters"], json!({"a": "1,2", "b": "x y"}));
    assert_eq!((&event["headers"]["x-two"], &event["cookies"]), (&json!("1,2"), &json!(["k=v", "z=1"])));
    assert!(event["headers"].get("cookie").is_none());
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("{\"x\":1}"), &json!(false)));
    assert_eq!(event["requestContext"]["http"]["method"], "POST");
    // As AWS: what there is none of is left out.
    let bare = self::event(Event::HttpV2, &request("GET", "/", &[]), b"");
    for absent in ["body", "cookies", "queryStringParameters"] {
        assert!(bare.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn bytes_come_in_base64() {
    let head = request("POST", "/fn/f", &[("content-type", "application/octet-stream")]);
    for form in [Event::HttpV1, Event::HttpV2] {
        let event = event(form, &head, b"hello");
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("aGVsbG8="), &json!(true)));
    }
}

#[test]
fn a_request_is_described_as_rest_apis_describe_it() {
    let head = request("PUT", "/fn/f?a=1&a=2", &[("X-Two", "1"), ("X-Two", "2")]);
    let event = event(Event::HttpV1, &head, b"text");
    assert_eq!((&event["httpMethod"], &event["queryStringParameters"]), (&json!("PUT"), &json!({"a": "2"})));
    assert_eq!(event["multiValueQueryStringParameters"], json!({"a": ["1", "2"]}));
    assert_eq!(event["multiValueHeaders"], json!({"x-two": ["1", "2"]}));
    assert_eq!(
        self::event(Event::HttpV1, &request("GET", "/", &[]), b"")["queryStringParameters"],
        Value::Null
    );
}

#[test]
fn an_answer_with_a_status_is_a_response_and_any_other_is_json() {
    let plain = answered("{\"prediction\": [1]}").unwrap();
    assert_eq!(plain.status().as_u16(), 200);
    assert_eq!(plain.headers()["content-type"], "application/json");
    let made = answered(
        r#"{"statusCode": 201, "headers": {"x-a": "1", "content-type": "text/html"}, "multiValueHeaders": {"x-b": ["1", "2"]},
            "cookies": ["a=b"], "body": "made"}"#,
    )
    .unwrap();
    assert_eq!((made.status().as_u16(), made.body().as_ref()), (201, &b"made"[..]));
    let headers = made.headers();
    assert_eq!(
        (&headers["x-a"], &headers["set-cookie"], &headers["content-type"]),
        (&"1".parse().unwrap(), &"a=b".parse().unwrap(), &"text/html".parse().unwrap())
    );
    assert_eq!(headers.get_all("x-b").iter().count(), 2);
    let binary = answered(r#"{"statusCode": 200, "isBase64Encoded": true, "body": "aGVsbG8="}"#).unwrap();
    assert_eq!(binary.body().as_ref(), b"hello");
    // What its author meant, though gateways take a text alone.
    assert_eq!(
        answered(r#"{"statusCode": "200", "body": {"a": 1}}"#).unwrap().body().as_ref(),
        br#"{"a":1}"#
    );
    assert_eq!(
        answered(r#"{"statusCode": 200, "body": "{}"}"#).unwrap().headers()["content-type"],
        "application/json"
    );
    assert_eq!(
        answered(r#"{"statusCode": 200, "body": "hi"}"#).unwrap().headers()["content-type"],
        "text/plain; charset=utf-8"
    );
}

#[test]
fn what_is_no_response_is_the_functions_failure() {
    for (text, why) in [
        (r#"{"statusCode": 9999}"#, "statusCode is 9999"),
        (r#"{"statusCode": null}"#, "statusCode is null"),
        (r#"{"statusCode": 200, "headers": {"a b": "1"}}"#, "the header \"a b\""),
        (r#"{"statusCode": 200, "isBase64Encoded": true, "body": "%"}"#, "no base64"),
    ] {
        let error = answered(text).unwrap_err();
        assert_eq!(error.code, Code::HandlerFailed);
        assert!(error.message.contains(why), "{text}: {error}");
    }
    assert_eq!(answered("statusCode").unwrap().status().as_u16(), 200);
}

#[test]
fn a_response_with_a_head_of_its_own_has_any_body() {
    let made =
        headed(br#"{"statusCode": 202, "headers": {"x-a": "1"}}"#, Bytes::from_static(b"\xff\x01")).unwrap();
    assert_eq!((made.status().as_u16(), made.body().as_ref()), (202, &b"\xff\x01"[..]));
    let said: Value = serde_json::from_slice(&wrapped(&made)).unwrap();
    assert_eq!(
        (&said["statusCode"], &said["isBase64Encoded"], &said["body"]),
        (&json!(202), &json!(true), &json!("/wE="))
    );
}
