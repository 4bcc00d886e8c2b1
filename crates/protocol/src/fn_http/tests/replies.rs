//! What people get back from `/fn/NAME`.

use super::*;

/// An answer of a classifier with a `ZipMap` and of a plain tensor.
fn answer(path: &str, request: &str, accept: &str) -> Result<Response<Bytes>, FunctionError> {
    let mut ctx = iris();
    ctx.signature.outputs = vec![output("label", DType::Str), output("p", DType::F32)];
    let decoded = decode(path, &[("accept", accept)], request.to_owned(), &ctx)?;
    let wanted = |name: &str| decoded.outputs.as_ref().is_none_or(|names| names.iter().any(|n| n == name));
    let label = Value::Tensor(Tensor::vector(vec!["set\"osa".to_owned(), "ü".to_owned()]));
    let map = Value::Map {
        keys: Tensor::vector(vec!["a".to_owned(), "b".to_owned()]),
        values: Tensor::new(vec![2, 2], vec![0.1_f32, 0.9, f32::NAN, 1.0]).unwrap(),
    };
    let outputs = [("label".to_owned(), label), ("p".to_owned(), map)];
    crate::encode(&decoded.reply, outputs.into_iter().filter(|(n, _)| wanted(n)).collect(), &ctx)
}

#[test]
fn a_classifier_answers_labels_and_a_matrix_with_class_names() {
    let answer = answer(PATH, "[[1,2],[3,4]]", "*/*").unwrap();
    assert_eq!(
        serde_json::from_slice::<Json>(answer.body()).unwrap(),
        json!({
            "outputs": { "label": ["set\"osa", "ü"], "p": [[0.1, 0.9], [null, 1.0]] },
            "classes": { "p": ["a", "b"] },
        })
    );
    assert!(text(&answer).contains("[0.1,0.9]") && text(&answer).contains('ü'));
}

#[test]
fn instances_are_answered_row_by_row() {
    let both = answer(PATH, r#"{"instances": [[1,2],[3,4]]}"#, "").unwrap();
    assert_eq!(
        serde_json::from_slice::<Json>(both.body()).unwrap(),
        json!({
            "predictions": [{ "label": "set\"osa", "p": [0.1, 0.9] }, { "label": "ü", "p": [null, 1.0] }],
            "classes": { "p": ["a", "b"] },
        })
    );
    let one = answer(PATH, r#"{"instances": [[1,2],[3,4]], "outputs": ["label"]}"#, "").unwrap();
    assert_eq!(text(&one), "{\"predictions\":[\"set\\\"osa\",\"ü\"]}\n");
}

#[test]
fn answers_come_as_csv_and_npy_on_demand() {
    let csv = answer(PATH, "[[1,2],[3,4]]", "text/csv").unwrap();
    assert_eq!(text(&csv), "label,p.a,p.b\n\"set\"\"osa\",0.1,0.9\nü,,1.0\n");
    let error = answer(PATH, "[[1,2]]", "application/x-npy").unwrap_err();
    assert_eq!(
        (error.code, error.hint.as_deref()),
        (Code::NotAcceptable, Some("choose one with ?output=label"))
    );
    let npy = answer("/fn/f?output=p", "[[1,2],[3,4]]", "application/x-npy").unwrap();
    assert_eq!(npy::read(npy.body()).unwrap().shape(), [2, 2]);
    assert_eq!(npy.headers()["x-modelet-output"], "p");
    assert_eq!(answer("/fn/f?output=q", "[[1,2]]", "").unwrap_err().field.as_deref(), Some("outputs"));
}

#[test]
fn numbers_that_json_lacks_follow_the_functions_policy() {
    use modelet_core::manifest::NonFinite;
    let outputs = || vec![("y".to_owned(), Value::Tensor(Tensor::vector(vec![f64::NAN, f64::NEG_INFINITY])))];
    for (non_finite, body) in [
        (NonFinite::Null, Some("{\"outputs\":{\"y\":[null,null]}}\n")),
        (NonFinite::Text, Some("{\"outputs\":{\"y\":[\"NaN\",\"-Infinity\"]}}\n")),
        (NonFinite::Error, None),
    ] {
        let ctx = FunctionContext { non_finite, ..iris() };
        let reply = decode(PATH, &[], "[[1,2]]", &ctx).unwrap().reply;
        match (crate::encode(&reply, outputs(), &ctx), body) {
            (Ok(answer), Some(body)) => assert_eq!(text(&answer), body),
            (Err(error), None) => {
                assert!(error.code == Code::NonFiniteOutput && error.message.contains("\"y\""));
            }
            (other, _) => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_answer_over_the_limit_is_refused_in_every_form() {
    let ctx = FunctionContext { response_limit_bytes: 100, ..iris() };
    for accept in ["application/json", "text/csv", "application/x-npy"] {
        let reply = decode(PATH, &[("accept", accept)], "[[1,2]]", &ctx).unwrap().reply;
        let y = Value::Tensor(Tensor::zeros(DType::F32, vec![100, 1]).unwrap());
        let error = crate::encode(&reply, vec![("y".into(), y)], &ctx).unwrap_err();
        assert_eq!(error.code, Code::ResponseTooLarge, "{accept}");
    }
}

#[test]
fn errors_carry_everything_that_is_known() {
    let error = FunctionError::bad_input("inputs[0]", "a", "b").hint("do c").nearest("d");
    let id = InvocationId("01ABC".into());
    let answer = crate::error(ProtocolName::Fn, &Failure::Function(error), Some(&id));
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.headers()["x-modelet-error"], "bad-input");
    assert_eq!(
        serde_json::from_slice::<Json>(answer.body()).unwrap(),
        json!({ "error": {
            "code": "bad-input", "message": "inputs[0]: expected a, got b", "hint": "do c", "field": "inputs[0]",
            "expected": "a", "found": "b", "nearest": "d", "invocation": "01ABC",
        } })
    );
    let busy = PlatformError::new(Code::QueueFull, "the queue is full").retry_after_s(2);
    let answer = crate::error(ProtocolName::Fn, &Failure::Platform(busy), None);
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"2".parse().unwrap()));
}
