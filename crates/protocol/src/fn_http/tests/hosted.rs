//! What clients of other hosts send.

use modelet_core::FileKind;

use super::*;

fn form(body: &str, ctx: &FunctionContext) -> Result<String, FunctionError> {
    let decoded = decode(PATH, &[("content-type", "application/json")], body.to_owned(), ctx)?;
    let y = Tensor::new(vec![2], vec![0.5_f32, 1.0]).unwrap();
    let response = crate::encode(&decoded.reply, vec![("y".to_owned(), Value::Tensor(y))], ctx)?;
    Ok(text(&response).trim_end().to_owned())
}

#[test]
fn rows_of_sagemaker_are_lists_of_features() {
    let body = r#"{"instances": [{"features": [1.5, 2]}, {"features": [3, 4]}]}"#;
    assert_eq!(json_inputs(body, &iris()), Ok(lengths(2, &[1.5, 2.0, 3.0, 4.0])));
    assert_eq!(form(body, &iris()).unwrap(), r#"{"predictions":[0.5,1.0]}"#);
    let named = function(vec![input("features", DType::F32, &[None, Some(1)])]);
    assert!(
        json_inputs(r#"{"instances": [{"features": 1}]}"#, &named).is_ok(),
        "a column is what it is called"
    );
}

#[test]
fn parameters_that_say_something_are_refused() {
    for nothing in ["null", "{}"] {
        let body = format!(r#"{{"instances": [[1.5, 2]], "parameters": {nothing}}}"#);
        assert_eq!(json_inputs(&body, &iris()), Ok(lengths(1, &[1.5, 2.0])));
    }
    let error =
        json_inputs(r#"{"instances": [[1.5, 2]], "parameters": {"threshold": 0.5}}"#, &iris()).unwrap_err();
    assert_eq!(error.field.as_deref(), Some("parameters"));
}

#[test]
fn files_of_vertex_are_wrapped_in_b64() {
    let mut spec = input("picture", DType::Str, &[None]);
    spec.file = Some(FileKind::Image);
    let ctx = function(vec![spec]);
    let two = Tensor::vector(vec!["QUJD".to_owned(), "REVG".to_owned()]);
    for body in [
        r#"{"instances": [{"b64": "QUJD"}, {"b64": "REVG"}]}"#,
        r#"{"instances": [{"picture": {"b64": "QUJD"}}, {"picture": {"b64": "REVG"}}]}"#,
    ] {
        assert_eq!(json_inputs(body, &ctx), Ok(vec![("picture".to_owned(), two.clone())]), "{body}");
    }
    assert!(json_inputs(r#"{"instances": [{"b64": "QUJD"}]}"#, &churn()).is_err(), "a text is no file");
}

#[test]
fn input_data_of_azure_is_answered_by_a_list() {
    let two = age_and_plan(&[41.0, 35.5], &["pro", "001"]);
    for body in [
        r#"{"input_data": {"columns": ["plan", "age"], "index": [0, 1], "data": [["pro", 41], ["001", 35.5]]}}"#,
        r#"{"input_data": {"age": [41, 35.5], "plan": ["pro", "001"]}}"#,
        r#"{"input_data": [{"age": 41, "plan": "pro"}, {"age": 35.5, "plan": "001"}]}"#,
        r#"{"input_data": [[41, "pro"], [35.5, "001"]]}"#,
    ] {
        assert_eq!(json_inputs(body, &churn()), Ok(two.clone()), "{body}");
        assert_eq!(form(body, &churn()).unwrap(), "[0.5,1.0]", "{body}");
    }
    let error = json_inputs(r#"{"input_data": {"columns": ["age"], "rows": []}}"#, &churn()).unwrap_err();
    assert!(error.message.starts_with("input_data"), "{error}");
}

fn event(members: &str) -> String {
    format!(r#"{{"specversion": "1.0", "id": "1", "source": "//s", "type": "t"{members}}}"#)
}

#[test]
fn the_data_of_a_structured_event_is_the_body() {
    let read = |body: String| {
        let kind = ("content-type", "application/cloudevents+json; charset=utf-8");
        decode(PATH, &[kind], body, &iris()).map(|decoded| decoded.inputs)
    };
    for members in [
        r#", "data": [[1.5, 2]]"#,
        r#", "datacontenttype": "application/json", "subject": "s", "data": {"width": 2, "length": 1.5}"#,
        r#", "datacontenttype": "text/csv", "data": "1.5,2\n""#,
        r#", "data_base64": "W1sxLjUsIDJdXQ==""#,
        r#", "datacontenttype": "text/csv", "data_base64": "MS41LDIK""#,
    ] {
        assert_eq!(read(event(members)), Ok(lengths(1, &[1.5, 2.0])), "{members}");
    }
    for body in [
        event(""),
        event(r#", "data": [[1.5, 2]], "data_base64": """#),
        event(r#", "data_base64": "no base64!""#),
        event(r#", "datacontenttype": "application/cloudevents+json", "data_base64": "e30=""#),
        event(r#", "data": [[1.5, 2]]"#).replace("1.0", "0.3"),
        event(r#", "data": [[1.5, 2]]"#).replace(r#""id": "1", "#, ""),
        "[[1.5, 2]]".to_owned(),
    ] {
        assert_eq!(read(body.clone()).unwrap_err().code, Code::BadBody, "{body}");
    }
    let batch = decode(PATH, &[("content-type", "application/cloudevents-batch+json")], "[]", &iris());
    assert_eq!(batch.unwrap_err().code, Code::UnsupportedMediaType);
}

#[test]
fn the_data_of_a_binary_event_is_the_body_already() {
    let headers = [("content-type", "application/json"), ("ce-specversion", "1.0"), ("ce-id", "1")];
    assert_eq!(decode(PATH, &headers, "[[1.5, 2]]", &iris()).map(|d| d.inputs), Ok(lengths(1, &[1.5, 2.0])));
}
