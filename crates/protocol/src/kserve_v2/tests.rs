//! V2 as its clients speak it; the bodies are what tritonclient 2.73 sends.

use http::Response;
use modelet_core::{DType, OutputKind, OutputSpec, Tensor, Value, Version};
use serde_json::{Value as Json, json};

use super::*;
use crate::tests::{decode, function, input, output};

const INFER: &str = "/v2/models/f/infer";

fn body(response: &Response<Bytes>) -> Json {
    serde_json::from_slice(response.body()).unwrap()
}

fn texts() -> FunctionContext {
    function(vec![input("s", DType::Str, &[None, Some(1)])])
}

fn floats() -> FunctionContext {
    function(vec![input("x", DType::F32, &[None, Some(2)])])
}

fn infer(json: &Json, ctx: &FunctionContext) -> Result<Decoded, FunctionError> {
    decode(INFER, &[], json.to_string(), ctx)
}

fn one(input: &Json) -> Json {
    json!({ "inputs": [input] })
}

#[test]
fn text_tensors_are_taken_flat_and_nested() {
    let expected = Tensor::new(vec![2, 1], vec!["a".to_owned(), "001".to_owned()]).unwrap();
    for data in [json!(["a", "001"]), json!([["a"], ["001"]])] {
        let request = one(&json!({ "name": "s", "shape": [2, 1], "datatype": "BYTES", "data": data }));
        assert_eq!(infer(&request, &texts()).unwrap().inputs, [("s".to_owned(), expected.clone())]);
    }
    let request = one(&json!({ "name": "s", "shape": [2, 1], "datatype": "BYTES", "data": [["a", "b"]] }));
    let error = infer(&request, &texts()).unwrap_err();
    assert!(error.message.contains("shape [2, 1]") && error.message.contains("shape [1, 2]"), "{error}");
}

#[test]
fn a_text_where_a_list_belongs_is_named() {
    let request = one(&json!({ "name": "s", "shape": [1, 1], "datatype": "BYTES", "data": "abc" }));
    let error = infer(&request, &texts()).unwrap_err();
    assert_eq!(error.field.as_deref(), Some("inputs[0].data"));
    assert!(error.message.contains("expected a list"), "{error}");
    let answer = KserveV2.error(&Failure::Function(error), None);
    assert_eq!(answer.status(), 400);
    assert!(body(&answer)["error"].as_str().unwrap().contains("inputs[0].data"));
}

#[test]
fn a_negative_size_is_refused_in_json_and_in_binary() {
    let json = one(&json!({ "name": "x", "shape": [-1, 2], "datatype": "FP32", "data": [1, 2, 3, 4] }));
    let error = infer(&json, &floats()).unwrap_err();
    assert_eq!((error.field.as_deref(), error.code.status()), (Some("inputs[0].shape[0]"), 400));
    let head = one(&json!({
        "name": "x", "shape": [-1, 2], "datatype": "FP32", "parameters": { "binary_data_size": 16 }
    }))
    .to_string();
    let length = head.len().to_string();
    let request = [head.as_bytes(), &[0; 16]].concat();
    let error = decode(INFER, &[(JSON_LENGTH_HEADER, &length)], request, &floats()).unwrap_err();
    assert_eq!(error.field.as_deref(), Some("inputs[0].shape[0]"));
}

#[test]
fn names_counts_and_datatypes_are_named_when_wrong() {
    for (input, says) in [
        (
            json!({ "name": "x", "shape": [1, 2], "datatype": "FP64", "data": [1, 2] }),
            "expected FP32, got FP64",
        ),
        (json!({ "name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3] }), "expected [any, 2]"),
        (json!({ "name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3] }), "expected 4 values"),
        (json!({ "name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, "b"] }), "inputs[0].data[1]"),
    ] {
        let error = infer(&one(&input), &floats()).unwrap_err();
        let answer = body(&KserveV2.error(&Failure::Function(error.clone()), None));
        let text = answer["error"].as_str().unwrap();
        assert!(text.contains(says) && text.contains("A request that fits: {\"inputs\""), "{text}");
    }
}

#[test]
fn an_unknown_name_is_refused_unless_it_can_only_mean_one_input() {
    let column = |name: &str| json!({ "name": name, "shape": [1, 2], "datatype": "FP32", "data": [1, 2] });
    assert_eq!(infer(&one(&column("whatever")), &floats()).unwrap().inputs[0].0, "x");
    let two = function(vec![
        input("left", DType::F32, &[None, Some(2)]),
        input("right", DType::F32, &[None, Some(2)]),
    ]);
    let error = infer(&json!({ "inputs": [column("left"), column("righ")] }), &two).unwrap_err();
    assert!(error.hint.unwrap().contains("did you mean \"right\"?"));
}

#[test]
fn the_answer_has_the_id_and_flat_data() {
    let request = json!({
        "id": "r1",
        "inputs": [{ "name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1.0, 2.0, 3.0, 4.0] }],
        "outputs": [{ "name": "y", "parameters": { "binary_data": false } }],
    });
    let decoded = infer(&request, &floats()).unwrap();
    assert_eq!(decoded.outputs.as_deref(), Some(&["y".to_owned()][..]));
    let y = Value::Tensor(Tensor::new(vec![2, 1], vec![3.0_f32, 7.0]).unwrap());
    let answer = crate::encode(&decoded.reply, vec![("y".into(), y)], &floats()).unwrap();
    let expected = json!({
        "id": "r1", "model_name": "f", "model_version": "1",
        "outputs": [{ "name": "y", "datatype": "FP32", "shape": [2, 1], "data": [3.0, 7.0] }],
    });
    assert_eq!(body(&answer), expected);
    assert_eq!(answer.headers()["content-type"], "application/json");
}

#[test]
fn a_map_becomes_a_tensor_with_class_names() {
    let mut ctx = floats();
    ctx.signature.outputs = vec![OutputSpec {
        name: "p".into(),
        kind: OutputKind::Map { key: DType::I64, value: DType::F32, per_row: true },
        classes: None,
        ranking: None,
    }];
    let request = one(&json!({ "name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2] }));
    let reply = infer(&request, &ctx).unwrap().reply;
    let map = Value::Map {
        keys: Tensor::vector(vec![0_i64, 1]),
        values: Tensor::new(vec![1, 2], vec![0.25_f32, 0.75]).unwrap(),
    };
    let answer = body(&crate::encode(&reply, vec![("p".into(), map)], &ctx).unwrap());
    assert_eq!(
        answer["outputs"][0],
        json!({ "name": "p", "datatype": "FP32", "shape": [1, 2], "parameters": { "classes": "[0,1]" }, "data": [0.25, 0.75] })
    );
}

/// What tritonclient sends and expects unless told otherwise: raw tensors behind the JSON, both ways.
#[test]
fn tensors_travel_in_binary_both_ways() {
    let mut ctx = function(vec![input("n", DType::I64, &[None]), input("s", DType::Str, &[None])]);
    ctx.signature.outputs = vec![output("y", DType::Bool), output("t", DType::Str)];
    let head = json!({
        "inputs": [
            { "name": "s", "shape": [2], "datatype": "BYTES", "parameters": { "binary_data_size": 13 } },
            { "name": "n", "shape": [2], "datatype": "INT64", "parameters": { "binary_data_size": 16 } },
        ],
        "outputs": [{ "name": "y", "parameters": { "binary_data": true } }, { "name": "t", "parameters": { "binary_data": true } }],
    })
    .to_string();
    let length = head.len().to_string();
    let tail = [&b"\x04\0\0\0abcd\x01\0\0\0z"[..], &i64::MIN.to_le_bytes(), &7_i64.to_le_bytes()].concat();
    let request = [head.as_bytes(), &tail].concat();
    let decoded = decode(INFER, &[(JSON_LENGTH_HEADER, &length)], request.clone(), &ctx).unwrap();
    let inputs = [
        ("n".to_owned(), Tensor::vector(vec![i64::MIN, 7])),
        ("s".to_owned(), Tensor::vector(vec!["abcd".to_owned(), "z".to_owned()])),
    ];
    assert_eq!(decoded.inputs, inputs);
    for end in head.len()..request.len() {
        assert!(decode(INFER, &[(JSON_LENGTH_HEADER, &length)], request[..end].to_vec(), &ctx).is_err());
    }

    let outputs = vec![
        ("y".to_owned(), Value::Tensor(Tensor::vector(vec![true, false]))),
        ("t".to_owned(), Value::Tensor(Tensor::vector(vec!["ä".to_owned()]))),
    ];
    let answer = crate::encode(&decoded.reply, outputs, &ctx).unwrap();
    let length: usize = answer.headers()[JSON_LENGTH_HEADER].to_str().unwrap().parse().unwrap();
    let (head, tail) = answer.body().split_at(length);
    let head: Json = serde_json::from_slice(head).unwrap();
    assert_eq!(head["outputs"][0]["parameters"]["binary_data_size"], 2);
    assert_eq!(head["outputs"][1]["parameters"]["binary_data_size"], 6);
    assert_eq!(tail, b"\x01\0\x02\0\0\0\xc3\xa4");
}

#[test]
fn binary_for_all_outputs_is_one_parameter() {
    let request = json!({
        "inputs": [{ "name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2] }],
        "parameters": { "binary_data_output": true },
    });
    let reply = infer(&request, &floats()).unwrap().reply;
    let y = Value::Tensor(Tensor::vector(vec![1.0_f32]));
    let answer = crate::encode(&reply, vec![("y".into(), y)], &floats()).unwrap();
    assert!(answer.body().ends_with(&1.0_f32.to_le_bytes()));
    assert_eq!(answer.headers()["content-type"], "application/octet-stream");
}

#[test]
fn sequences_go_out_stacked_or_not_at_all() {
    let request = one(&json!({ "name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2] }));
    let reply = infer(&request, &floats()).unwrap().reply;
    let alike = Value::Sequence(vec![Tensor::vector(vec![1_i64]), Tensor::vector(vec![2_i64])]);
    let answer = crate::encode(&reply, vec![("y".into(), alike)], &floats()).unwrap();
    assert_eq!(body(&answer)["outputs"][0]["shape"], json!([2, 1]));
    let ragged = Value::Sequence(vec![Tensor::vector(vec![1_i64]), Tensor::vector(vec![2_i64, 3])]);
    let error = crate::encode(&reply, vec![("y".into(), ragged)], &floats()).unwrap_err();
    assert!(error.message.contains("sequence"), "{error}");
}

#[test]
fn health_and_metadata_are_what_clients_expect() {
    let functions = [("churn".parse().unwrap(), Version(2))];
    let send = |method: &Method, path: &str, ok| {
        let route = route(method, path).unwrap().unwrap();
        let answer = crate::server(&route, &ServerState { ok, functions: &functions });
        (answer.status().as_u16(), body(&answer))
    };
    let ask = |path: &str, ok| send(&Method::GET, path, ok);
    assert_eq!(ask("/v2/health/live", true), (200, json!({ "live": true })));
    assert_eq!(ask("/v2/health/ready", false), (503, json!({ "ready": false })));
    assert_eq!(ask("/v2/models/f/ready", true), (200, json!({ "name": "f", "ready": true })));
    let index = json!([{ "name": "churn", "version": "2", "state": "READY" }]);
    assert_eq!(send(&Method::POST, "/v2/repository/index", true), (200, index));
    let (status, metadata) = ask("/v2", true);
    assert_eq!((status, metadata["name"].as_str()), (200, Some("modelet")));
    assert_eq!(
        super::metadata("x", DType::F16, Some(&[Dim::Named("batch".into()), Dim::Fixed(2)])),
        json!({ "name": "x", "datatype": "FP16", "shape": [-1, 2] })
    );
}
