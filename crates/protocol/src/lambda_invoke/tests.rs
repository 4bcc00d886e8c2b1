//! Names, payloads, events and failures, without a client. `python/tests/test_lambda_invoke.py` has the clients.

use http::header::CONTENT_TYPE;
use modelet_core::{DType, FunctionError, Qualifier, Tensor, Value};
use serde_json::Value as JsonValue;

use super::*;
use crate::tests::{decode, function, headers, input};
use crate::{Inputs, event_request, npy, route};

const PATH: &str = "/2015-03-31/functions/f/invocations";

/// One input of two columns.
fn ctx() -> FunctionContext {
    let mut x = input("X", DType::F32, &[None, Some(2)]);
    x.columns = Some(vec!["length".into(), "width".into()]);
    function(vec![x])
}

fn one_row() -> Inputs {
    vec![("X".into(), Tensor::new(vec![1, 2], vec![1.5_f32, 2.0]).unwrap())]
}

fn routed(target: &str) -> Result<(String, Qualifier), Code> {
    let routed = route(&Method::POST, target).expect("the path is Lambda's");
    routed
        .map(|route| (route.function.unwrap().to_string(), route.qualifier))
        .map_err(|(_, error)| error.code)
}

#[test]
fn names_arns_and_qualifiers_mean_a_version() {
    let (live, two) = (Qualifier::Live, Qualifier::Version(Version(2)));
    for (name, query, qualifier) in [
        ("churn", "", live),
        ("churn:2", "", two),
        ("churn:live", "", live),
        ("churn:$LATEST", "", live),
        ("churn", "?Qualifier=2", two),
        ("churn:2", "?Qualifier=2", two),
        ("churn", "?Qualifier=%24LATEST", live),
        ("arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Achurn", "", live),
        ("arn:aws:lambda:eu-west-1:123456789012:function:churn:2", "", two),
        ("123456789012:function:churn:2", "", two),
        ("123456789012:function:churn", "?Qualifier=2", two),
    ] {
        let target = format!("/2015-03-31/functions/{name}/invocations{query}");
        assert_eq!(routed(&target), Ok(("churn".to_owned(), qualifier)), "{target}");
    }
    for (name, query, code) in [
        ("churn", "?Qualifier=prod", Code::VersionNotFound),
        ("churn:1", "?Qualifier=2", Code::BadInput),
        ("Churn_Model", "", Code::BadName),
        ("arn:aws:s3:::bucket", "", Code::BadName),
        ("a:b:c:d:e", "", Code::BadName),
    ] {
        let target = format!("/2015-03-31/functions/{name}/invocations{query}");
        assert_eq!(routed(&target), Err(code), "{target}");
    }
    assert_eq!(routed("/2015-03-31/functions"), Err(Code::RouteNotFound));
    assert_eq!(routed("/2015-03-31/functions/churn/code"), Err(Code::RouteNotFound));
    assert_eq!(route(&Method::POST, "/2015-03-31/event-source-mappings"), None);
}

#[test]
fn the_invocation_type_says_how_the_call_is_made() {
    let manner = |pairs: &[(&'static str, &str)]| LambdaInvoke.manner(&headers(pairs));
    assert_eq!(manner(&[]), Ok(Some(Manner::Waited)));
    assert_eq!(manner(&[("x-amz-invocation-type", "Event")]), Ok(Some(Manner::Later)));
    assert_eq!(manner(&[("x-amz-invocation-type", "DryRun")]), Ok(Some(Manner::Checked)));
    for refused in
        [("x-amz-invocation-type", "event"), ("x-amz-tenant-id", "a"), ("x-amz-durable-execution-name", "a")]
    {
        assert_eq!(manner(&[refused]).unwrap_err().code, Code::BadInput, "{refused:?}");
    }
    assert_eq!(crate::manner(ProtocolName::Fn, &headers(&[("x-amz-invocation-type", "Event")])), Ok(None));
}

#[test]
fn a_payload_is_read_in_every_form_of_fn_whatever_its_content_type_says() {
    for body in ["[[1.5, 2]]", r#"{"width": 2, "length": 1.5}"#, r#"{"instances": [[1.5, 2]]}"#] {
        for kind in ["", "application/octet-stream", "text/csv"] {
            let read = decode(PATH, &[("content-type", kind)], body, &ctx()).map(|decoded| decoded.inputs);
            assert_eq!(read, Ok(one_row()), "{body} as {kind}");
        }
    }
    assert_eq!(
        decode(PATH, &[], "", &ctx()).unwrap_err().code,
        Code::BadInput,
        "no payload is an empty object"
    );
    for body in ["1.5,2", "{'length': 1.5}", "\u{93}NUMPY"] {
        assert_eq!(decode(PATH, &[], body, &ctx()).unwrap_err().code, Code::BadBody, "{body}");
    }
}

/// What comes of an event: the inputs, or the failure in the response's form.
fn opened(event: &JsonValue, ctx: &FunctionContext) -> Result<Decoded, JsonValue> {
    let route = route(&Method::POST, PATH).unwrap().unwrap();
    let decoded = crate::decode(&route, &HeaderMap::new(), None, event.to_string().into(), ctx);
    decoded.map_err(|refused| json_of(&crate::refuse(ProtocolName::LambdaInvoke, refused)))
}

fn json_of(response: &Response<Bytes>) -> JsonValue {
    serde_json::from_slice(response.body()).unwrap()
}

fn answer(decoded: &Decoded, ctx: &FunctionContext) -> JsonValue {
    let y = Tensor::new(vec![1, 2], vec![0.5_f32, 1.0]).unwrap();
    let response = crate::encode(&decoded.reply, vec![("y".to_owned(), Value::Tensor(y))], ctx).unwrap();
    assert_eq!((response.status(), response.headers().get("x-amz-function-error")), (StatusCode::OK, None));
    json_of(&response)
}

fn http_api(content_type: &str, body: &str, is_base64: bool) -> JsonValue {
    serde_json::json!({
        "version": "2.0", "routeKey": "POST /predict", "rawPath": "/predict", "rawQueryString": "",
        "headers": {"content-type": content_type, "host": "x.example"},
        "requestContext": {"http": {"method": "POST", "path": "/predict"}, "stage": "$default"},
        "body": body, "isBase64Encoded": is_base64,
    })
}

#[test]
fn an_event_of_an_http_api_is_read_as_its_request_and_answered_as_a_response() {
    let decoded = opened(&http_api("text/csv", "1.5,2\n", false), &ctx()).unwrap();
    assert_eq!(decoded.inputs, one_row());
    let answer = answer(&decoded, &ctx());
    assert_eq!((&answer["statusCode"], &answer["isBase64Encoded"]), (&200.into(), &false.into()));
    assert_eq!(answer["headers"]["content-type"], "application/json");
    assert_eq!(answer["body"], "{\"outputs\":{\"y\":[[0.5,1.0]]}}\n");
}

#[test]
fn bytes_come_and_go_as_base64() {
    let x = Tensor::new(vec![1, 2], vec![1.5_f32, 2.0]).unwrap();
    let raw: Vec<u8> = [1.5_f32, 2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    for (kind, body) in [("application/octet-stream", raw), ("application/x-npy", npy::write(&x))] {
        let mut event = http_api(kind, &modelet_core::base64::encode(&body), true);
        event["headers"]["accept"] = "application/x-npy".into();
        let decoded = opened(&event, &ctx()).unwrap();
        assert_eq!(decoded.inputs, one_row(), "{kind}");
        let answer = answer(&decoded, &ctx());
        assert_eq!(answer["isBase64Encoded"], true);
        assert_eq!(answer["headers"]["content-type"], "application/x-npy");
        let bytes = modelet_core::base64::decode(answer["body"].as_str().unwrap()).unwrap();
        assert!(bytes.starts_with(npy::MAGIC));
    }
    let refused = opened(&http_api("application/x-npy", "no base64!", true), &ctx()).unwrap_err();
    assert_eq!(refused["statusCode"], 400);
}

#[test]
fn events_of_rest_apis_and_load_balancers_keep_their_words() {
    let rest = serde_json::json!({
        "resource": "/predict", "path": "/predict", "httpMethod": "POST",
        "headers": {"Content-Type": "application/json"}, "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": {"output": "y"}, "multiValueQueryStringParameters": {"output": ["y"]},
        "pathParameters": null, "requestContext": {"resourcePath": "/predict"},
        "body": "[[1.5, 2]]", "isBase64Encoded": false,
    });
    let decoded = opened(&rest, &ctx()).unwrap();
    assert_eq!((decoded.outputs.as_deref(), &decoded.inputs), (Some(&["y".to_owned()][..]), &one_row()));
    let answered = answer(&decoded, &ctx());
    assert_eq!(answered["multiValueHeaders"]["content-type"], serde_json::json!(["application/json"]));
    assert!(answered.get("headers").is_none() && answered.get("statusDescription").is_none());

    let mut balanced = serde_json::json!({
        "requestContext": {"elb": {"targetGroupArn": "arn"}}, "httpMethod": "POST", "path": "/",
        "queryStringParameters": {"output": "%79"}, "headers": {"content-type": "application/json"},
        "body": "[[1.5, 2]]", "isBase64Encoded": false,
    });
    let decoded = opened(&balanced, &ctx()).unwrap();
    assert_eq!(decoded.outputs, Some(vec!["y".to_owned()]), "a load balancer decodes nothing");
    assert_eq!(answer(&decoded, &ctx())["statusDescription"], "200 OK");
    let apart = balanced.as_object_mut().unwrap().remove("headers").unwrap();
    balanced["multiValueHeaders"] = serde_json::json!({"content-type": [apart["content-type"]]});
    let answered = answer(&opened(&balanced, &ctx()).unwrap(), &ctx());
    assert_eq!(answered["multiValueHeaders"]["content-type"], serde_json::json!(["application/json"]));
    assert!(answered.get("headers").is_none());
}

#[test]
fn an_application_gets_the_request_and_gives_a_response() {
    let mut event = http_api("text/plain", "a", false);
    event["rawPath"] = "/prod/items".into();
    event["requestContext"]["stage"] = "prod".into();
    event["requestContext"]["http"]["method"] = "PUT".into();
    event["rawQueryString"] = "a=1&a=2".into();
    event["cookies"] = serde_json::json!(["k=v", "z=1"]);
    let read = event_request(&event.to_string().into()).unwrap().unwrap();
    assert_eq!((read.head.method.as_str(), &read.body[..]), ("PUT", &b"a"[..]));
    assert_eq!(read.head.uri, "/items?a=1&a=2");
    assert_eq!(read.head.headers["cookie"], "k=v; z=1");
    let mut answer = Response::new(Bytes::from_static(b"b"));
    *answer.status_mut() = StatusCode::CREATED;
    for (name, value) in [("set-cookie", "a=b"), ("set-cookie", "c=d"), ("vary", "a"), ("vary", "b")] {
        answer.headers_mut().append(name, HeaderValue::from_static(value));
    }
    let http = json_of(&read.wrap(&answer));
    assert_eq!((&http["statusCode"], &http["body"]), (&201.into(), &"b".into()));
    assert_eq!(http["cookies"], serde_json::json!(["a=b", "c=d"]));
    assert_eq!(http["headers"], serde_json::json!({"vary": "a, b"}));

    let rest = serde_json::json!({"httpMethod": "GET", "path": "/items", "requestContext": {"stage": "prod"}, "body": null});
    let read = event_request(&rest.to_string().into()).unwrap().unwrap();
    assert_eq!((read.head.method.as_str(), read.head.uri.path(), read.body.len()), ("GET", "/items", 0));
    assert_eq!(
        json_of(&read.wrap(&answer))["multiValueHeaders"]["set-cookie"],
        serde_json::json!(["a=b", "c=d"])
    );

    event["rawPath"] = "/prod/größe 1%2F2".into();
    assert_eq!(
        event_request(&event.to_string().into()).unwrap().unwrap().head.uri.path(),
        "/gr%C3%B6%C3%9Fe%201%2F2"
    );

    assert!(event_request(&Bytes::from_static(b"{\"requestContext\": 1}")).is_none());
    assert!(event_request(&Bytes::from_static(b"no JSON")).is_none());
    event["isBase64Encoded"] = true.into();
    event["body"] = "no base64!".into();
    assert_eq!(event_request(&event.to_string().into()).unwrap().unwrap_err().code, Code::BadBody);
}

#[test]
fn a_bad_request_within_an_event_is_a_response_and_no_function_error() {
    let refused = opened(&http_api("application/json", r#"{"length": "long"}"#, false), &ctx()).unwrap_err();
    assert_eq!(refused["statusCode"], 400);
    let body: JsonValue = serde_json::from_str(refused["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["error"]["code"], "bad-input");
    let refused = opened(&http_api("image/jpeg", "", false), &ctx()).unwrap_err();
    assert_eq!(refused["statusCode"], 415);
    let mut get = http_api("", "", false);
    get["requestContext"]["http"]["method"] = "GET".into();
    get.as_object_mut().unwrap().remove("body");
    assert_eq!(opened(&get, &ctx()).unwrap_err()["statusCode"], 405);
}

#[test]
fn a_model_with_a_column_called_request_context_gets_its_column() {
    let ctx = function(vec![input("requestContext", DType::F32, &[None, Some(1)])]);
    let event = http_api("application/json", "[[1]]", false);
    let refused = opened(&event, &ctx).unwrap_err();
    assert_eq!(refused["errorType"], "Function.BadInput", "{refused}");
    assert!(decode(PATH, &[], r#"{"requestContext": 1}"#, &ctx).is_ok());
}

fn said(failure: impl Into<Failure>) -> (u16, Option<String>, JsonValue) {
    let id = InvocationId("01J".to_owned());
    let response = LambdaInvoke.error(&failure.into(), Some(&id));
    assert_eq!(response.headers()["x-amzn-requestid"], "01J");
    assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
    let header =
        |name| response.headers().get(name).map(|value: &HeaderValue| value.to_str().unwrap().to_owned());
    (
        response.status().as_u16(),
        header("x-amzn-errortype").or(header("x-amz-function-error")),
        json_of(&response),
    )
}

#[test]
fn a_function_that_failed_is_an_answer_and_a_call_that_failed_an_exception() {
    let (status, marked, body) = said(FunctionError::bad_input("inputs", "a list", "text").hint("send one"));
    assert_eq!((status, marked.as_deref()), (200, Some("Unhandled")));
    assert_eq!(body["errorType"], "Function.BadInput");
    assert_eq!(body["errorMessage"], "inputs: expected a list, got text; send one");
    assert_eq!((&body["requestId"], &body["error"]["field"]), (&"01J".into(), &"inputs".into()));
    for (code, error_type) in [
        (Code::RequestTimeout, "Sandbox.Timedout"),
        (Code::OutOfMemory, "Runtime.OutOfMemory"),
        (Code::InstanceDied, "Runtime.ExitError"),
        (Code::StartFailed, "Runtime.ExitError"),
    ] {
        let (status, marked, body) = said(PlatformError::new(code, "why"));
        assert_eq!(
            (status, marked.as_deref(), &body["errorType"]),
            (200, Some("Unhandled"), &error_type.into())
        );
    }
    for (code, status, exception) in [
        (Code::FunctionNotFound, 404, "ResourceNotFoundException"),
        (Code::VersionNotFound, 404, "ResourceNotFoundException"),
        (Code::QueueFull, 429, "TooManyRequestsException"),
        (Code::BodyTooLarge, 413, "RequestTooLargeException"),
        (Code::BadBody, 400, "InvalidRequestContentException"),
        (Code::BadName, 400, "InvalidParameterValueException"),
        (Code::MachineFull, 500, "ServiceException"),
        (Code::Internal, 500, "ServiceException"),
    ] {
        let (found, marked, body) = said(PlatformError::new(code, "why").retry_after_s(3));
        assert_eq!((found, marked.as_deref()), (status, Some(exception)), "{code}");
        assert_eq!(body.get("Message").or(body.get("message")), Some(&"why".into()), "{code}");
    }
    assert_eq!(
        said(PlatformError::new(Code::Throttled, "why")).2["Reason"],
        "FunctionInvocationRateLimitExceeded"
    );
}
