//! What people send to `/fn/NAME`; and, in [`replies`], what they get back.

use http::Response;
use modelet_core::{Tensor, Value};
use serde_json::{Value as Json, json};

use super::*;
use crate::Inputs;
use crate::tests::{decode, function, headers, input, output};

mod hosted;
mod replies;

const PATH: &str = "/fn/f";
const CSV: (&str, &str) = ("content-type", "text/csv");

/// Two columns, a number and a text: `age`, `plan`.
fn churn() -> FunctionContext {
    function(vec![input("age", DType::F32, &[None, Some(1)]), input("plan", DType::Str, &[None, Some(1)])])
}

/// One input of two columns with names.
fn iris() -> FunctionContext {
    let mut x = input("X", DType::F32, &[None, Some(2)]);
    x.columns = Some(vec!["length".into(), "width".into()]);
    function(vec![x])
}

/// Two inputs that are no columns.
fn sentences() -> FunctionContext {
    function(vec![input("ids", DType::I64, &[None, None]), input("mask", DType::I64, &[None, None])])
}

fn json_inputs(body: &str, ctx: &FunctionContext) -> Result<Inputs, FunctionError> {
    decode(PATH, &[("content-type", "application/json")], body.to_owned(), ctx).map(|decoded| decoded.inputs)
}

fn age_and_plan(ages: &[f32], plans: &[&str]) -> Inputs {
    let plans: Vec<String> = plans.iter().map(ToString::to_string).collect();
    vec![
        ("age".into(), Tensor::new(vec![ages.len(), 1], ages.to_vec()).unwrap()),
        ("plan".into(), Tensor::new(vec![plans.len(), 1], plans).unwrap()),
    ]
}

fn lengths(rows: usize, values: &[f32]) -> Inputs {
    vec![("X".into(), Tensor::new(vec![rows, 2], values.to_vec()).unwrap())]
}

fn text(response: &Response<Bytes>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

#[test]
fn columns_that_the_model_does_not_look_at_may_be_sent_and_are_left_out() {
    let mut ctx = churn();
    ctx.signature.frame = ["name", "plan", "age"].map(str::to_owned).to_vec();
    let two = age_and_plan(&[41.0, 35.5], &["pro", "001"]);
    for body in [
        r#"[{"age": 41, "plan": "pro", "name": "A"}, {"plan": "001", "age": 35.5, "name": null}]"#,
        r#"{"name": ["A", {"any": 1}], "plan": ["pro", "001"], "age": [41, 35.5]}"#,
        r#"[["A", "pro", 41], ["B", "001", 35.5]]"#,
        r#"[[41, "pro"], [35.5, "001"]]"#,
        r#"{"dataframe_split": {"columns": ["plan", "name", "age"], "data": [["pro", "A", 41], ["001", 1, 35.5]]}}"#,
    ] {
        assert_eq!(json_inputs(body, &ctx), Ok(two.clone()), "{body}");
    }
    for body in ["plan,age,name\npro,41,A\n001,35.5,\n", "A,pro,41\nB,001,35.5\n", "41,pro\n35.5,001\n"] {
        assert_eq!(decode(PATH, &[CSV], body, &ctx).map(|read| read.inputs), Ok(two.clone()), "{body}");
    }
    let error = json_inputs(r#"{"nam": "A", "plan": "pro", "age": 1}"#, &ctx).unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("did you mean \"name\"?"));
}

#[test]
fn a_table_is_taken_in_every_form_and_in_any_order() {
    let two = age_and_plan(&[41.0, 35.5], &["pro", "001"]);
    for body in [
        r#"[{"age": 41, "plan": "pro"}, {"plan": "001", "age": 35.5}]"#,
        r#"{"plan": ["pro", "001"], "age": [41, 35.5]}"#,
        r#"{"age": [[41], [35.5]], "plan": [["pro"], ["001"]]}"#,
        r#"[[41, "pro"], [35.5, "001"]]"#,
        r#"{"inputs": [[41, "pro"], [35.5, "001"]]}"#,
        r#"{"inputs": {"age": [41, 35.5], "plan": ["pro", "001"]}}"#,
        r#"{"inputs": [{"age": 41, "plan": "pro"}, {"age": 35.5, "plan": "001"}]}"#,
        r#"{"instances": [{"age": 41, "plan": "pro"}, {"age": 35.5, "plan": "001"}]}"#,
        r#"{"instances": [[41, "pro"], [35.5, "001"]]}"#,
        r#"{"dataframe_split": {"columns": ["plan", "age"], "index": [0, 1], "data": [["pro", 41], ["001", 35.5]]}}"#,
        r#"{"dataframe_records": [{"age": 41, "plan": "pro"}, {"age": 35.5, "plan": "001"}]}"#,
        r#"{"inputs": [{"name": "age", "shape": [2, 1], "datatype": "FP32", "data": [41, 35.5]},
                       {"name": "plan", "shape": [2, 1], "datatype": "BYTES", "data": ["pro", "001"]}]}"#,
    ] {
        assert_eq!(json_inputs(body, &churn()), Ok(two.clone()), "{body}");
    }
    let one = age_and_plan(&[41.0], &["pro"]);
    for body in
        [r#"{"age": 41, "plan": "pro"}"#, r#"[41, "pro"]"#, r#"{"inputs": {"plan": "pro", "age": 41}}"#]
    {
        assert_eq!(json_inputs(body, &churn()), Ok(one.clone()), "{body}");
    }
    for body in ["[]", r#"{"inputs": []}"#, r#"{"instances": []}"#, r#"{"age": [], "plan": []}"#] {
        assert_eq!(json_inputs(body, &churn()), Ok(age_and_plan(&[], &[])), "{body}");
    }
}

#[test]
fn the_columns_of_one_input_have_names_too() {
    let two = lengths(2, &[5.0, 3.5, 4.0, 3.0]);
    for body in [
        r#"[{"length": 5, "width": 3.5}, {"width": 3, "length": 4}]"#,
        r#"{"width": [3.5, 3], "length": [5, 4]}"#,
        r#"{"X": [[5, 3.5], [4, 3]]}"#,
        "[[5, 3.5], [4, 3]]",
        r#"{"instances": [[5, 3.5], [4, 3]]}"#,
        r#"{"instances": [{"X": [5, 3.5]}, {"X": [4, 3]}]}"#,
        r#"{"dataframe_split": {"columns": ["width", "length"], "data": [[3.5, 5], [3, 4]]}}"#,
        r#"{"dataframe_split": {"data": [[5, 3.5], [4, 3]]}}"#,
    ] {
        assert_eq!(json_inputs(body, &iris()), Ok(two.clone()), "{body}");
    }
    for body in
        ["[5, 3.5]", r#"{"length": 5, "width": 3.5}"#, r#"{"inputs": [5, 3.5]}"#, r#"{"X": [5, 3.5]}"#]
    {
        assert_eq!(json_inputs(body, &iris()), Ok(lengths(1, &[5.0, 3.5])), "{body}");
    }
    for body in ["[]", r#"{"inputs": []}"#, r#"{"length": [], "width": []}"#] {
        assert_eq!(json_inputs(body, &iris()), Ok(lengths(0, &[])), "{body}");
    }
}

#[test]
fn inputs_that_are_no_columns_come_by_name_or_row_by_row() {
    let tensor = |v: &[i64]| Tensor::new(vec![2, 2], v.to_vec()).unwrap();
    let two = vec![("ids".to_owned(), tensor(&[1, 2, 3, 4])), ("mask".to_owned(), tensor(&[1, 1, 1, 0]))];
    for body in [
        r#"{"inputs": {"mask": [[1, 1], [1, 0]], "ids": [[1, 2], [3, 4]]}}"#,
        r#"[{"ids": [1, 2], "mask": [1, 1]}, {"ids": [3, 4], "mask": [1, 0]}]"#,
        r#"{"instances": [{"ids": [1, 2], "mask": [1, 1]}, {"ids": [3, 4], "mask": [1, 0]}]}"#,
    ] {
        assert_eq!(json_inputs(body, &sentences()), Ok(two.clone()), "{body}");
    }
    let error = json_inputs("[[1, 2]]", &sentences()).unwrap_err();
    assert!(error.message.contains(r#"the inputs "ids", "mask""#), "{error}");
}

#[test]
fn scalars_and_lists_of_one_value_a_row_are_told_apart_by_the_signature() {
    let texts = function(vec![input("t", DType::Str, &[None])]);
    let text = |v: &[&str]| {
        vec![("t".to_owned(), Tensor::vector(v.iter().map(ToString::to_string).collect::<Vec<_>>()))]
    };
    assert_eq!(json_inputs(r#""a""#, &texts), Ok(text(&["a"])));
    assert_eq!(json_inputs(r#"["a", "b"]"#, &texts), Ok(text(&["a", "b"])));
    assert_eq!(json_inputs(r#"{"t": "a"}"#, &texts), Ok(text(&["a"])));
    let scalar = function(vec![input("n", DType::I64, &[])]);
    assert_eq!(json_inputs(r#"{"inputs": 16000}"#, &scalar).unwrap()[0].1.shape(), [0; 0]);
    let columns = function(vec![input("n", DType::F64, &[None, Some(1)])]);
    assert_eq!(json_inputs("[1, 2, 3]", &columns).unwrap()[0].1.shape(), [3, 1]);
    assert_eq!(json_inputs("5", &columns).unwrap()[0].1.shape(), [1, 1]);
}

#[test]
fn optional_inputs_may_be_left_out_and_a_null_is_a_missing_number() {
    let mut ctx = churn();
    ctx.signature.inputs[0].optional = true;
    let inputs = json_inputs(r#"[{"plan": "pro"}]"#, &ctx).unwrap();
    assert_eq!(inputs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["plan"]);
    let inputs =
        json_inputs(r#"[{"age": null, "plan": "pro"}, {"age": "NaN", "plan": "a"}]"#, &churn()).unwrap();
    assert!(matches!(inputs[0].1.data(), modelet_core::Data::F32(v) if v.iter().all(|x| x.is_nan())));
}

#[test]
fn integers_of_64_bits_survive_in_mixed_rows() {
    let ctx = function(vec![
        input("id", DType::I64, &[None, Some(1)]),
        input("x", DType::F64, &[None, Some(1)]),
        input("s", DType::Str, &[None, Some(1)]),
    ]);
    for body in [
        r#"[[9007199254740993, 0.5, "a"]]"#,
        r#"{"id": [9007199254740993], "x": [0.5], "s": ["a"]}"#,
        r#"{"id": 9007199254740993, "x": 0.5, "s": "a"}"#,
    ] {
        let inputs = json_inputs(body, &ctx).unwrap();
        assert_eq!(*inputs[0].1.data(), modelet_core::Data::I64(vec![9_007_199_254_740_993]), "{body}");
    }
}

#[test]
fn a_bad_request_names_field_expectation_finding_and_the_nearest_right_one() {
    for (body, field, says) in [
        (r#"{"age": "old", "plan": "pro"}"#, "age", "the text \"old\""),
        (r#"[{"age": 1, "plan": "a"}, {"age": 2, "plan": 7}]"#, "[1].plan", "got 7"),
        (r#"{"inputs": {"age": [1, 2], "plan": ["a", true]}}"#, "inputs.plan[1]", "got true"),
        (r#"{"inputs": [[1, "a"], ["b", "c"]]}"#, "inputs[1][0]", "the text \"b\""),
        (r#"[1, 2]"#, "[1]", "expected a text"),
        (
            r#"{"dataframe_split": {"columns": ["age", "plan"], "data": [[1, "a"], [2, 3]]}}"#,
            "dataframe_split.data[1][1]",
            "got 3",
        ),
        (r#"{"age": 1, "plam": "a"}"#, "plam", "unknown name"),
        (r#"{"age": 1}"#, "plan", "it is missing"),
        (r#"[{"age": 1, "plan": "a"}, {"age": 2}]"#, "[1]", "a value for \"plan\""),
        (r#"{"age": [1, 2], "plan": ["a"]}"#, "inputs.plan", "expected 2 rows"),
        (r#"[[1, "a", 3]]"#, "[0]", "a list of 2 values"),
        (r#"{"inputs": [[1, NaN]]}"#, "inputs[0][1]", "JSON has no NaN"),
    ] {
        let error = json_inputs(body, &churn()).unwrap_err();
        assert_eq!(error.field.as_deref(), Some(field), "{body}: {error}");
        assert!(error.message.contains(says), "{body}: {error}");
        assert_eq!(error.nearest.as_deref(), Some(r#"{"age": 0.5, "plan": "text"}"#), "{body}");
        assert!(json_inputs(&error.nearest.unwrap(), &churn()).is_ok());
    }
    let error = json_inputs(r#"{"age": 1, "plam": "a"}"#, &churn()).unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("did you mean \"plan\"?"));
    let error = json_inputs(r#"[{"age": 1, "plan": 7}]"#, &churn()).unwrap_err();
    assert!(error.hint.is_some_and(|hint| hint.contains("leading zeros")));
}

#[test]
fn leading_zeros_stay_in_text_columns() {
    let expected = age_and_plan(&[1.0], &["001"]);
    assert_eq!(json_inputs(r#"{"age": 1, "plan": "001"}"#, &churn()).unwrap(), expected);
    for body in ["age,plan\n1,001\n", "plan,age\r\n\"001\",1", "1,001", "\u{feff}age,plan\n1,001"] {
        assert_eq!(decode(PATH, &[CSV], body, &churn()).unwrap().inputs, expected, "{body}");
    }
}

#[test]
fn csv_is_read_with_and_without_a_header() {
    let two = lengths(2, &[5.0, 3.5, 4.0, 3.0]);
    for (kind, body) in [
        ("text/csv", "length,width\n5,3.5\n4,3\n"),
        ("text/csv", "width,length\n3.5,5\n3,4"),
        ("text/csv", "5,3.5\n4,3"),
        ("text/csv; header=absent", "5,3.5\r\n4,3\r\n"),
        ("text/csv; header=present", "length,width\n5,3.5\n4,3\n"),
        ("application/x-www-form-urlencoded", "5,3.5\n4,3"),
        ("text/plain;charset=UTF-8", "5,3.5\n4,3"),
    ] {
        assert_eq!(
            decode(PATH, &[("content-type", kind)], body, &iris()).unwrap().inputs,
            two,
            "{kind} {body}"
        );
    }
    let nameless = function(vec![input("X", DType::F32, &[None, Some(2)])]);
    assert_eq!(decode(PATH, &[CSV], "a,b\n5,3.5\n4,3", &nameless).unwrap().inputs, two);
    assert_eq!(decode(PATH, &[CSV], "length,width\n", &iris()).unwrap().inputs, lengths(0, &[]));
    let missing = decode(PATH, &[CSV], "5,\n", &iris()).unwrap().inputs;
    assert!(matches!(missing[0].1.data(), modelet_core::Data::F32(v) if v[1].is_nan()));
}

#[test]
fn csv_errors_name_line_and_column() {
    for (body, place) in [
        ("length,width\n5,3\n4,x", "line 3, column 2 (\"width\")"),
        ("5,3\n\n4,x", "line 3, column 2 (\"width\")"),
        ("5,3\n4", "line 2"),
        ("length,witdh\n5,3", "line 1, column 2"),
        ("length,length\n5,3", "line 1, column 2"),
        ("length\n5", "width"),
    ] {
        let error = decode(PATH, &[CSV], body, &iris()).unwrap_err();
        assert_eq!(error.field.as_deref(), Some(place), "{body}: {error}");
    }
    let error = decode(PATH, &[CSV], "1", &sentences()).unwrap_err();
    assert!(error.message.contains("no columns"), "{error}");
}

#[test]
fn bodies_without_a_type_are_guessed_as_curl_sends_them() {
    for header in [&[][..], &[("content-type", "application/x-www-form-urlencoded")]] {
        for body in ["[5, 3.5]", " {\"length\": 5, \"width\": 3.5}", "5,3.5", "length,width\n5,3.5"] {
            assert_eq!(
                decode(PATH, header, body, &iris()).unwrap().inputs,
                lengths(1, &[5.0, 3.5]),
                "{body}"
            );
        }
    }
}

#[test]
fn npy_and_raw_bytes_are_read_for_one_input() {
    let npy =
        |tensor: Tensor| decode(PATH, &[("content-type", "application/x-npy")], npy::write(&tensor), &iris());
    let expected = lengths(1, &[5.0, 3.0]);
    assert_eq!(npy(Tensor::new(vec![1, 2], vec![5.0_f32, 3.0]).unwrap()).unwrap().inputs, expected);
    assert_eq!(npy(Tensor::new(vec![2], vec![5.0_f64, 3.0]).unwrap()).unwrap().inputs, expected);
    assert_eq!(npy(Tensor::new(vec![1, 2], vec![5_i64, 3]).unwrap()).unwrap().inputs, expected);
    let raw = [5.0_f32.to_le_bytes(), 3.0_f32.to_le_bytes()].concat();
    let octets = [("content-type", "application/octet-stream")];
    assert_eq!(decode(PATH, &octets, raw, &iris()).unwrap().inputs, expected);
    let text = function(vec![input("t", DType::Str, &[None])]);
    let decoded = decode(PATH, &[("content-type", "text/plain")], "[1, 2", &text).unwrap();
    assert_eq!(decoded.inputs[0].1, Tensor::vector(vec!["[1, 2".to_owned()]));
    let ids = function(vec![input("t", DType::I64, &[None])]);
    let floats = npy::write(&Tensor::vector(vec![1.5_f32]));
    let error = decode(PATH, &octets, floats, &ids).unwrap_err();
    assert!(error.message.contains("[0]: expected a whole number"), "{error}");
}

#[test]
fn a_file_is_the_body_or_base64_and_other_files_are_refused() {
    let mut spec = input("image", DType::Str, &[None]);
    spec.file = Some(FileKind::Image);
    let pictures = function(vec![spec]);
    let file: &[u8] = b"\xff\xd8\xff\0";
    let is_taken = |kind: &str, body: &[u8]| {
        let decoded = decode(PATH, &[("content-type", kind)], body.to_vec(), &pictures);
        decoded.map(|decoded| decoded.inputs[0].1 == Tensor::vector(vec!["/9j/AA==".to_owned()]))
    };
    for kind in ["image/jpeg", "image/unheard-of", "application/octet-stream", media::FORM] {
        assert_eq!(is_taken(kind, file), Ok(true), "{kind}");
    }
    for body in [r#""/9j/AA==""#, r#"{"image": "/9j/AA=="}"#, r#"{"inputs": ["/9j/AA=="]}"#] {
        assert_eq!(is_taken(media::FORM, body.as_bytes()), Ok(true), "{body}");
    }
    let error = is_taken("audio/wav", file).unwrap_err();
    assert_eq!(error.code, Code::UnsupportedMediaType);
    assert!(error.message.contains("text/plain, image/jpeg, image/png"), "{error}");
    let mut spec = input("audio", DType::Str, &[None]);
    spec.file = Some(FileKind::Audio);
    let sounds = function(vec![spec]);
    for kind in ["audio/wav", "audio/x-wav", "application/octet-stream", media::FORM, ""] {
        let decoded = decode(PATH, &[("content-type", kind)], b"RIFF\0\0".to_vec(), &sounds).unwrap();
        assert_eq!(decoded.inputs[0].1, Tensor::vector(vec!["UklGRgAA".to_owned()]), "{kind}");
    }
    let texts = function(vec![input("t", DType::Str, &[None])]);
    let error = decode(PATH, &[("content-type", "image/jpeg")], file.to_vec(), &texts).unwrap_err();
    assert_eq!(error.code, Code::UnsupportedMediaType);
}

#[test]
fn a_function_describes_itself_with_requests_to_copy() {
    let ctx = churn();
    let card = modelet_core::ArtifactCard {
        format_version: 1,
        name: ctx.name.clone(),
        source_sha256: String::new(),
        manifest: modelet_core::Manifest::default(),
        settings: modelet_core::Settings::default(),
        handler: modelet_core::Handler::Model(Box::new(modelet_core::ModelCard {
            file: "model.onnx".into(),
            format: "onnx".into(),
            origin: None,
            steps: modelet_core::Steps::default(),
            certificate: None,
            engine: modelet_core::EngineName::Onnxruntime,
            engine_version: "1.28.0".into(),
            signature: ctx.signature.clone(),
        })),
        files: vec![],
    };
    let view = FunctionView {
        card: &card,
        version: ctx.version,
        versions: &[ctx.version],
        base_url: "http://127.0.0.1:8080",
    };
    let described_at = |path| route(&Method::GET, path).unwrap().unwrap();
    let route = described_at(PATH);
    let described: Json =
        serde_json::from_slice(crate::describe(&route, &view, &headers(&[])).body()).unwrap();
    assert_eq!(described["inputs"][0], json!({ "name": "age", "dtype": "float32", "shape": [null, 1] }));
    assert_eq!(described["limits"]["memory_mib"]["value"], 1024);
    let curl = r#"curl 'http://127.0.0.1:8080/fn/f' -H 'content-type: application/json' --data-binary '{"age": 0.5, "plan": "text"}'"#;
    assert_eq!(described["samples"][0]["curl"], curl);
    let kinds: Vec<_> =
        described["samples"].as_array().unwrap().iter().map(|s| s["protocol"].clone()).collect();
    assert!(kinds.contains(&json!("kserve_v2")), "{kinds:?}");
    let plain = crate::describe(&route, &view, &headers(&[("accept", "text/plain")]));
    assert!(text(&plain).contains("age  float32 [any, 1]") && text(&plain).contains(curl));

    let route = described_at("/v2/models/f");
    let metadata: Json =
        serde_json::from_slice(crate::describe(&route, &view, &headers(&[])).body()).unwrap();
    assert_eq!(metadata["platform"], "onnx_modelet");
    assert_eq!(metadata["inputs"][1], json!({ "name": "plan", "datatype": "BYTES", "shape": [-1, 1] }));
    assert_eq!(metadata["versions"], json!(["1"]));
}
