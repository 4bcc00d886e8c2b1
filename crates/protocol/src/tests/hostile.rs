//! Several hundred requests to a function of one `float32 [any, 2]`, all of them wrong.

use modelet_core::Tensor;

use super::{JSON, gzip};
use crate::npy;

/// One hostile request: path, headers, body.
pub(super) type Hostile = (&'static str, Vec<(&'static str, &'static str)>, Vec<u8>);

const FN: &str = "/fn/f";
const V2: &str = "/v2/models/f/infer";
const CSV: (&str, &str) = ("content-type", "text/csv");
const NPY: (&str, &str) = ("content-type", "application/x-npy");
const RAW: (&str, &str) = ("content-type", "application/octet-stream");

/// A valid request of each protocol, to be broken.
const VALID: &[(&str, &str)] = &[
    (FN, r#"{"inputs":[[1.5,-2],[3e2,4]],"outputs":["y"]}"#),
    (V2, r#"{"id":"1","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1.5,2]}]}"#),
];

/// What is no list of rows of two numbers, or no JSON at all.
const WRONG_VALUES: &[&str] = &[
    "null",
    "true",
    "\"abc\"",
    "{}",
    "[null]",
    "[[\"true\",1]]",
    "[[1,\"abc\"]]",
    "[[1,NaN]]",
    "[[1,-Infinity]]",
    "[[1,1e400]]",
    "[[1,1e39]]",
    "[[1,2],[3]]",
    "[[1,2],3]",
    "[[1,2,3]]",
    "[[[1,2]]]",
    "[[1,{}]]",
    "[[1,[]]]",
    "[[],[]]",
    "[1,2,3]",
    "[[1,2],null]",
    "[[1,2],[[3],4]]",
    "[{\"z\":1}]",
    "[{\"x\":[1,2]},{}]",
    "[{},5]",
    "[[1,2],{\"x\":1}]",
    "{\"x\":[[1,2]],\"y\":1}",
    "{\"x\":[[1,2]],\"x\":[[1,2]]}",
    "[1 2]",
    "[0x10,1]",
    "[01,2]",
    "[.5,2]",
    "[1.,2]",
    "[+1,2]",
    "['a']",
    "[1,2",
    "[1,2}",
    "\"\\ud800\"",
    "[\"\\x\"]",
];

/// What follows the name of a V2 input.
const WRONG_V2_INPUTS: &[&str] = &[
    r#""shape":[-1,2],"datatype":"FP32","data":[1,2]"#,
    r#""shape":[1,-2],"datatype":"FP32","data":[1,2]"#,
    r#""shape":[1.5,2],"datatype":"FP32","data":[1,2]"#,
    r#""shape":[18446744073709551615,2],"datatype":"FP32","data":[1,2]"#,
    r#""shape":[4611686018427387904,2],"datatype":"FP32","data":[1,2]"#,
    r#""shape":"1","datatype":"FP32","data":[1,2]"#,
    r#""shape":[[1,2]],"datatype":"FP32","data":[1,2]"#,
    r#""shape":[2],"datatype":"FP32","data":[1,2]"#,
    r#""shape":[1,2],"datatype":"FP64","data":[1,2]"#,
    r#""shape":[1,2],"datatype":"FLOAT","data":[1,2]"#,
    r#""shape":[1,2],"datatype":7,"data":[1,2]"#,
    r#""shape":[1,2],"datatype":"FP32","data":[1,2,3]"#,
    r#""shape":[1,2],"datatype":"FP32","data":[[1],[2]]"#,
    r#""shape":[1,2],"datatype":"FP32","data":"abc""#,
    r#""shape":[1,2],"datatype":"FP32""#,
    r#""shape":[1,2],"data":[1,2]"#,
    r#""datatype":"FP32","data":[1,2]"#,
    r#""shape":[1,2],"datatype":"FP32","data":[1,2],"extra":1"#,
    r#""shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}"#,
    r#""shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":-8}"#,
    r#""shape":[1,2],"datatype":"FP32","parameters":[]"#,
];

const WRONG_V2_BODIES: &[&str] = &[
    r#"{"inputs":[]}"#,
    r#"{"inputs":{}}"#,
    r#"{"inputs":[1]}"#,
    "[]",
    "{}",
    r#"{"id":7,"inputs":[]}"#,
    r#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}],"outputs":[{"name":"nope"}]}"#,
    r#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}],"outputs":[7]}"#,
    r#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}],"unknown":1}"#,
];

const WRONG_FN_BODIES: &[&str] = &[
    r#"{"dataframe_split":1}"#,
    r#"{"dataframe_split":{"data":[[1]]}}"#,
    r#"{"dataframe_records":5}"#,
    r#"{"inputs":[[1,2]],"instances":[[1,2]]}"#,
    r#"{"inputs":[[1,2]],"extra":1}"#,
    r#"{"outputs":["y"]}"#,
    r#"{"inputs":[[1,2]],"outputs":["nope"]}"#,
    r#"{"inputs":[[1,2]],"outputs":"y"}"#,
    r#"{"instances":[1,2]}"#,
];

const WRONG_CSV: &[&str] = &[
    "",
    "a,b\n1",
    "1,2\n3",
    "1,x",
    "1;2",
    "1,2\n,\nabc,1",
    "\n\n",
    "\"1,2",
    "1e999,2",
    "a,b\nc,d",
    "1,2,3",
    "a,b",
];

/// All of them.
pub(super) fn all() -> Vec<Hostile> {
    let mut all = damaged();
    all.extend(packed());
    all.extend(wrong_json());
    all.extend(wrong_files());
    all.extend(wrong_headers());
    all
}

/// Valid JSON cut at every byte, with every byte replaced, and nested without end.
fn damaged() -> Vec<Hostile> {
    let mut all: Vec<Hostile> = Vec::new();
    for (path, text) in VALID {
        for at in 0..text.len() {
            all.push((path, vec![JSON], text.as_bytes()[..at].to_vec()));
            let mut broken = text.as_bytes().to_vec();
            broken[at] = 0xff;
            all.push((path, vec![JSON], broken));
        }
        for open in ["[", "{\"a\":", "[[1],", "{\"inputs\":", "[1,\"a\",["] {
            all.push((path, vec![JSON], open.repeat(100_000).into_bytes()));
        }
        all.push((path, vec![JSON], format!("{text}{text}").into()));
        all.push((path, vec![JSON], vec![b' '; 5 << 20]));
    }
    all
}

/// Bombs, and bodies that are not packed as they say.
fn packed() -> Vec<Hostile> {
    let bomb = gzip(&vec![b'['; 32 << 20]);
    let mut all: Vec<Hostile> = Vec::new();
    for (path, text) in VALID {
        for (encoding, body) in [
            ("gzip", bomb.clone()),
            ("gzip", bomb[..bomb.len() / 2].to_vec()),
            ("gzip", text.as_bytes().to_vec()),
            ("gzip", Vec::new()),
            ("br", text.as_bytes().to_vec()),
            ("deflate", gzip(text.as_bytes())),
            ("identity", gzip(text.as_bytes())),
        ] {
            all.push((path, vec![JSON, ("content-encoding", encoding)], body));
        }
    }
    all
}

fn wrong_json() -> Vec<Hostile> {
    let mut all: Vec<Hostile> = Vec::new();
    for value in WRONG_VALUES {
        all.push((FN, vec![JSON], (*value).into()));
        all.push((FN, vec![JSON], format!("{{\"inputs\":{value}}}").into()));
        all.push((FN, vec![JSON], format!("{{\"instances\":{value}}}").into()));
        let v2 = format!(r#"{{"inputs":[{{"name":"x","shape":[1,2],"datatype":"FP32","data":{value}}}]}}"#);
        all.push((V2, vec![JSON], v2.into()));
    }
    for input in WRONG_V2_INPUTS {
        for name in ["x", "z"] {
            all.push((V2, vec![JSON], format!(r#"{{"inputs":[{{"name":"{name}",{input}}}]}}"#).into()));
        }
    }
    all.extend(WRONG_V2_BODIES.iter().map(|body| (V2, vec![JSON], (*body).into())));
    all.extend(WRONG_FN_BODIES.iter().map(|body| (FN, vec![JSON], (*body).into())));
    all
}

/// CSV, npy and raw bytes.
fn wrong_files() -> Vec<Hostile> {
    let mut all: Vec<Hostile> = WRONG_CSV.iter().map(|csv| (FN, vec![CSV], (*csv).into())).collect();
    all.push((FN, vec![CSV], vec![0xff, 0xfe, 0, 1]));
    let valid = npy::write(&Tensor::new(vec![1, 2], vec![1.0_f32, 2.0]).unwrap());
    all.extend((0..valid.len()).map(|end| (FN, vec![NPY], valid[..end].to_vec())));
    for tensor in [
        Tensor::new(vec![1, 3], vec![1.0_f32; 3]),
        Tensor::new(vec![1, 2], vec!["a".to_owned(); 2]),
        Tensor::new(vec![1, 2], vec![1e300_f64; 2]),
    ] {
        all.push((FN, vec![NPY], npy::write(&tensor.unwrap())));
    }
    all.extend([0, 1, 7, 9, 12].map(|length| (FN, vec![RAW], vec![0; length])));
    all
}

fn wrong_headers() -> Vec<Hostile> {
    let mut all: Vec<Hostile> = ["99999", "-1", "abc", "10"]
        .iter()
        .map(|length| (V2, vec![JSON, ("inference-header-content-length", *length)], VALID[1].1.into()))
        .collect();
    all.extend(["", "hello", "{", "[", "%%%"].map(|body| (FN, vec![], body.into())));
    for (name, value) in [
        ("content-type", "image/png"),
        ("content-type", "multipart/form-data; boundary=a"),
        ("content-type", "application/json; charset=utf-16"),
        ("accept", "image/png"),
    ] {
        all.push((FN, vec![(name, value)], b"[[1,2]]".to_vec()));
    }
    all
}
