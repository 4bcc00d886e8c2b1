//! Tests of the whole: every decoder against hostile bodies, every sample against its own decoder.

mod hostile;

use std::io::Write;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method};
use modelet_core::manifest::NonFinite;
use modelet_core::{
    Code, DType, Dim, Failure, FunctionError, InputSpec, OutputKind, OutputSpec, Signature, Tensor, Version,
};
use proptest::prelude::*;

use crate::{Decoded, FunctionContext, PROTOCOLS, ProtocolName};

/// An input `name` of a shape in which `None` is free.
pub(crate) fn input(name: &str, dtype: DType, shape: &[Option<usize>]) -> InputSpec {
    let dims = shape.iter().map(|dim| dim.map_or(Dim::Dynamic, Dim::Fixed)).collect();
    InputSpec {
        name: name.into(),
        dtype,
        shape: Some(dims),
        optional: false,
        columns: None,
        categories: None,
        numbers: None,
        table_rows: None,
        takes_integers: false,
        rules: vec![],
        file: None,
    }
}

/// An output tensor.
pub(crate) fn output(name: &str, dtype: DType) -> OutputSpec {
    OutputSpec {
        name: name.into(),
        kind: OutputKind::Tensor { dtype, shape: None },
        classes: None,
        ranking: None,
    }
}

/// A function called `f` with generous limits.
pub(crate) fn function(inputs: Vec<InputSpec>) -> FunctionContext {
    FunctionContext {
        name: "f".parse().unwrap(),
        version: Version(1),
        signature: Signature::new(inputs, vec![output("y", DType::F32)]),
        non_finite: NonFinite::Null,
        body_limit_bytes: 4 << 20,
        response_limit_bytes: 4 << 20,
    }
}

pub(crate) fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
}

/// A request through the public functions, as the runtime sends it.
pub(crate) fn decode(
    path: &str,
    header: &[(&'static str, &str)],
    body: impl Into<Bytes>,
    ctx: &FunctionContext,
) -> Result<Decoded, FunctionError> {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let route = crate::route(&Method::POST, path).unwrap().unwrap();
    crate::decode(&route, &headers(header), query, body.into(), ctx).map_err(|refused| refused.error)
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn hundreds_of_hostile_bodies_each_get_a_sentence() {
    let ctx = function(vec![input("x", DType::F32, &[None, Some(2)])]);
    assert!(decode("/fn/f", &[JSON], "[[1,2]]", &ctx).is_ok(), "the function takes what is right");
    let all = hostile::all();
    println!("{} bodies", all.len());
    assert!(all.len() >= 300);
    for (path, headers, body) in all {
        let start = String::from_utf8_lossy(&body[..body.len().min(90)]).into_owned();
        let error = decode(path, &headers, body, &ctx)
            .map(|decoded| decoded.inputs)
            .expect_err(&format!("{path} {headers:?} {start}"));
        let answer = crate::error(ProtocolName::Fn, &Failure::Function(error.clone()), None);
        assert!(answer.status().is_client_error(), "{start}: {error:?}");
        assert!(error.message.len() >= 20, "{start}: {error}");
        assert!(error.message.len() <= 1_000, "an error does not repeat a hostile body: {error}");
    }
}

#[test]
fn an_error_never_repeats_much_of_a_body() {
    let ctx = function(vec![input("x", DType::F32, &[None, Some(2)])]);
    let long = "k".repeat(1 << 20);
    for body in [
        format!("{{\"{long}\":1}}"),
        format!("[{{\"{long}\":1}}]"),
        format!("{{\"inputs\":[[1,\"{long}\"]]}}"),
        format!("{{\"inputs\":1,\"{long}\":1}}"),
        format!("{{\"inputs\":[[1,2]],\"outputs\":[\"{long}\"]}}"),
        format!("{{\"dataframe_split\":{{\"{long}\":1}}}}"),
        format!("{{\"{long}\":NaN}}"),
        format!("[{}]", "1".repeat(1 << 20)),
    ] {
        let error = decode("/fn/f", &[JSON], body, &ctx).unwrap_err();
        assert!(format!("{error:?}").len() < 4_000, "{}", &format!("{error:?}")[..300]);
    }
}

/// Any signature that a model may have.
fn signatures() -> impl Strategy<Value = Signature> {
    let dtype = proptest::sample::select(DType::ALL);
    let dim = prop_oneof![Just(None), Just(Some(1)), (2_usize..5).prop_map(Some)];
    let shape = prop_oneof![
        Just(vec![None]),
        Just(vec![None, Some(1)]),
        (1_usize..6).prop_map(|n| vec![None, Some(n)]),
        proptest::collection::vec(dim, 0..5),
    ];
    let one = (dtype, shape, any::<bool>(), any::<bool>(), any::<bool>());
    proptest::collection::vec(one, 1..4).prop_map(|inputs| {
        let inputs =
            inputs.into_iter().enumerate().map(|(at, (dtype, shape, columns, categories, optional))| {
                let mut spec = input(["x", "in \"put\"", "größe"][at], dtype, &shape);
                let width = match shape.as_slice() {
                    [_, Some(width)] if columns => Some(*width),
                    _ => None,
                };
                spec.columns = width.map(|n| (0..n).map(|i| format!("c{at},{i}'")).collect());
                spec.categories = categories.then(|| vec!["7".to_owned(), "b".to_owned()]);
                spec.optional = optional && at > 0;
                spec
            });
        Signature::new(inputs.collect(), vec![output("y", DType::F32)])
    })
}

proptest! {
    #[test]
    fn every_sample_is_a_valid_request(signature in signatures()) {
        let ctx = FunctionContext { signature, ..function(vec![]) };
        for protocol in PROTOCOLS {
            let samples = protocol.samples(&ctx.name, &ctx.signature);
            prop_assert!(!samples.is_empty());
            for sample in samples {
                let header = [("content-type", sample.content_type)];
                let decoded = decode(&sample.path, &header, sample.body.clone(), &ctx);
                let text = String::from_utf8_lossy(&sample.body).into_owned();
                let decoded = decoded.map_err(|e| TestCaseError::fail(format!("{} {text}: {e}", sample.content_type)))?;
                for (name, tensor) in &decoded.inputs {
                    let spec = ctx.signature.input(name).unwrap();
                    prop_assert!(spec.accepts_shape(tensor.shape()) && spec.dtype == tensor.dtype());
                }
            }
        }
    }

    #[test]
    fn no_body_makes_a_decoder_panic(
        signature in signatures(),
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            "[\\[\\]{}\",:0-9a-z .e-]{0,80}".prop_map(String::into_bytes),
        ],
        kind in 0_usize..6,
        path in proptest::sample::select(&["/fn/f", "/v2/models/f/infer", "/2015-03-31/functions/f/invocations"][..]),
    ) {
        let ctx = FunctionContext { signature, ..function(vec![]) };
        let kinds = ["application/json", "text/csv", "application/x-npy", "application/octet-stream", "text/plain", ""];
        let length = body.first().copied().unwrap_or(0).to_string();
        let binary = [("content-type", kinds[kind]), ("inference-header-content-length", length.as_str())];
        let _ = decode(path, &binary[..1], body.clone(), &ctx);
        let _ = decode(path, &binary, body, &ctx);
    }
}

#[test]
fn a_body_over_the_limit_names_both_sizes_and_points_to_binary() {
    let ctx = function(vec![input("x", DType::F64, &[None, Some(480), Some(512), Some(3)])]);
    let row = format!("[{}]", vec!["[0.12345,0.5,0.25]"; 512].join(","));
    let image = format!("[[{}]]", vec![row; 480].join(","));
    let size = image.len();
    let error = decode("/fn/f", &[JSON], image, &ctx).unwrap_err();
    assert_eq!((error.code, error.code.status()), (Code::BodyTooLarge, 413));
    assert!(error.message.contains("4.0 MiB") && size > 4 << 20, "{error}");
    assert!(error.hint.is_some_and(|hint| hint.contains("npy")));
}

#[test]
fn a_gzip_request_is_read_and_a_zip_is_named() {
    let ctx = function(vec![input("x", DType::F32, &[None, Some(2)])]);
    for (path, body) in [
        ("/fn/f", r#"{"inputs": [[1,2]]}"#),
        ("/v2/models/f/infer", r#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}"#),
    ] {
        let encoded = [JSON, ("content-encoding", "gzip")];
        let decoded = decode(path, &encoded, gzip(body.as_bytes()), &ctx).unwrap();
        assert_eq!(decoded.inputs[0].1, Tensor::new(vec![1, 2], vec![1.0_f32, 2.0]).unwrap());
        let error = decode(path, &encoded, &b"PK\x03\x04\x14\x00"[..], &ctx).unwrap_err();
        assert_eq!(error.code.status(), 400);
        assert!(error.message.contains("gzip") && error.message.contains("zip archive"), "{error}");
    }
}
