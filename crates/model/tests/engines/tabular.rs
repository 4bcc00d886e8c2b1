//! Operators of the engine `tabular` that the tests of the `onnx` package do not cover, against ONNX Runtime.

use modelet_core::{Code, Data, EngineName, Tensor, Value};
use modelet_model::compare;

use crate::build::{
    Built, F32, F64, I32, I64, STR, float, floats, int, int64s, ints, ml, model, node, raw, tensor,
    tensor_setting, text, texts,
};
use crate::onnx::{AttributeProto, NodeProto};
use crate::{ask, load};

const ORT: EngineName = EngineName::Onnxruntime;
const TABULAR: EngineName = EngineName::Tabular;

/// A model of one node with an input `x` and outputs of any shape.
fn one(op: NodeProto, version: i64, from: i32, to: &[(&str, i32)]) -> Built {
    let columns = ["n", "3"];
    let outputs = to.iter().map(|(name, dtype)| {
        let mut info = tensor(name, *dtype, &[]);
        info.r#type.as_mut().unwrap().tensor.as_mut().unwrap().shape = None;
        info
    });
    let mut built = model(vec![op], vec![tensor("x", from, &columns)], outputs.collect());
    built.model.opset_import[1].version = Some(version);
    built
}

fn table(data: impl Into<Data>) -> Tensor {
    let data = data.into();
    Tensor::new(vec![data.len() / 3, 3], data).unwrap()
}

/// Both engines answer alike.
fn alike(built: &Built, x: &Tensor) {
    let answer = |engine| ask(engine, built, vec![("x", x.clone())]).unwrap();
    let (found, reference) = (answer(TABULAR), answer(ORT));
    let op = built.model.graph.as_ref().unwrap().node[0].op_type.clone().unwrap();
    compare(&found, &reference, 1e-6, 1e-7).unwrap_or_else(|differs| panic!("{op}: {differs}"));
}

fn refused(built: &Built, part: &str) {
    let error = load(TABULAR, built).map(|_| ()).unwrap_err();
    assert_eq!(error.code, Code::ModelRefused);
    assert!(error.message.contains(part), "{error}");
}

#[test]
fn numbers_are_scaled_filled_and_normalized_alike() {
    let x = table(vec![1.0_f32, -2.5, 0.0, f32::NAN, 7.0, 3.25, 0.0, 0.0, 0.0]);
    let whole = table(vec![1.0_f32, -2.5, 0.0, 9.0, 7.0, 3.25, 0.0, 0.0, 0.0]);
    let made = |op: &str, settings: Vec<AttributeProto>| {
        one(ml(op, &["x"], &["y"], settings), 1, F32, &[("y", F32)])
    };
    alike(&made("Scaler", vec![floats("offset", &[0.1, 0.2, 0.3]), floats("scale", &[2.0, 0.7, 1.1])]), &x);
    alike(&made("Scaler", vec![floats("offset", &[0.1]), floats("scale", &[2.0])]), &x);
    alike(&made("Normalizer", vec![text("norm", "L1")]), &whole);
    alike(&made("Normalizer", vec![text("norm", "L2")]), &whole);
    alike(&made("Binarizer", vec![float("threshold", 1.0)]), &whole);
    let filled = |value: f32| {
        let values = floats("imputed_value_floats", &[10.0, 20.0, 30.0]);
        made("Imputer", vec![values, float("replaced_value_float", value)])
    };
    alike(&filled(f32::NAN), &x);
    alike(&filled(0.0), &x);
    refused(
        &made("Normalizer", vec![text("norm", "MAX")]),
        "Normalizer as in node \"Normalizer_y\": the norm MAX",
    );
}

#[test]
fn numbers_of_every_type_are_scaled_alike() {
    let settings = || vec![floats("offset", &[0.1, 0.2, 0.3]), floats("scale", &[2.0, 0.7, 1.1])];
    for (dtype, x) in [
        (F64, table(vec![1.1_f64, 2.2, 3.3])),
        (I64, table(vec![1_i64, 2, -3])),
        (I32, table(vec![1_i32, 2, -3])),
    ] {
        alike(&one(ml("Scaler", &["x"], &["y"], settings()), 1, dtype, &[("y", F32)]), &x);
    }
}

#[test]
fn values_are_looked_up_alike() {
    let words = table(["a", "b", "zzz", "c", "a", ""].map(str::to_owned).to_vec());
    let numbers = table(vec![1_i64, 2, 9, -4, 1, 0]);
    let floats_in = table(vec![1.0_f32, -0.0, f32::NAN, 2.5, 0.0, 7.0]);
    let encoder = |settings, version, from, to| {
        one(ml("LabelEncoder", &["x"], &["y"], settings), version, from, &[("y", to)])
    };
    alike(&encoder(vec![texts("classes_strings", &["a", "b", "c"])], 1, STR, I64), &words);
    alike(&encoder(vec![texts("classes_strings", &["a", "b", "c"])], 1, I64, STR), &numbers);
    let keys = || texts("keys_strings", &["a", "b", "c"]);
    alike(&encoder(vec![keys(), ints("values_int64s", &[5, 6, 7])], 2, STR, I64), &words);
    alike(
        &encoder(
            vec![keys(), floats("values_floats", &[0.5, 1.5, 2.5]), float("default_float", 9.0)],
            2,
            STR,
            F32,
        ),
        &words,
    );
    let integers = || ints("keys_int64s", &[1, 2, -4]);
    alike(&encoder(vec![integers(), texts("values_strings", &["x", "y", "z"])], 2, I64, STR), &numbers);
    let doubles = |numbers: &[f64]| {
        raw(F64, &[numbers.len() as i64], numbers.iter().flat_map(|x| x.to_le_bytes()).collect())
    };
    let by_tensor = vec![
        tensor_setting("keys_tensor", doubles(&[1.0, 2.5])),
        tensor_setting("values_tensor", doubles(&[0.1, 0.2])),
        tensor_setting("default_tensor", doubles(&[-1.0])),
    ];
    alike(&encoder(by_tensor, 4, F64, F64), &table(vec![1.0_f64, 2.5, 3.0]));
    alike(
        &encoder(vec![floats("keys_floats", &[0.0, 2.5]), ints("values_int64s", &[4, 5])], 2, F32, I64),
        &floats_in,
    );
    let one_hot = |settings, from| one(ml("OneHotEncoder", &["x"], &["y"], settings), 1, from, &[("y", F32)]);
    alike(&one_hot(vec![texts("cats_strings", &["a", "c"])], STR), &words);
    alike(&one_hot(vec![ints("cats_int64s", &[2, -4])], I64), &numbers);
    let mapper = vec![texts("cats_strings", &["a", "c"]), ints("cats_int64s", &[10, 20])];
    alike(&one(ml("CategoryMapper", &["x"], &["y"], mapper), 1, STR, &[("y", I64)]), &words);
    let doubled = vec![texts("keys_strings", &["a", "a"]), ints("values_int64s", &[5, 6])];
    refused(&encoder(doubled, 2, STR, I64), "a key that stands twice");
}

#[test]
fn a_value_in_no_category_fails_its_call_where_the_model_says_so() {
    let settings = vec![ints("cats_int64s", &[1, 2]), int("zeros", 0)];
    let built = one(ml("OneHotEncoder", &["x"], &["y"], settings), 1, I64, &[("y", F32)]);
    let error = ask(TABULAR, &built, vec![("x", table(vec![1_i64, 2, 3]))]).unwrap_err();
    assert_eq!(error.code, Code::PredictionFailed);
    assert!(error.message.contains("OneHotEncoder_y") && error.message.contains("in no category"), "{error}");
}

#[test]
fn linear_models_answer_alike() {
    let x = table(vec![1.0_f32, -2.5, 0.5, 0.25, 7.0, 3.25, 0.0, 0.0, 0.0]);
    let coefficients: Vec<f32> = (0..9_u8).map(|i| f32::from(i) * 0.3 - 1.2).collect();
    let regressor = vec![
        floats("coefficients", &coefficients),
        floats("intercepts", &[0.1, 0.2, 0.3]),
        int("targets", 3),
    ];
    alike(&one(ml("LinearRegressor", &["x"], &["y"], regressor), 1, F32, &[("y", F32)]), &x);
    for post in ["NONE", "LOGISTIC", "SOFTMAX"] {
        let settings = vec![
            floats("coefficients", &coefficients),
            floats("intercepts", &[0.1, 0.2, 0.3]),
            texts("classlabels_strings", &["a", "b", "c"]),
            text("post_transform", post),
        ];
        alike(
            &one(ml("LinearClassifier", &["x"], &["L", "y"], settings), 1, F32, &[("L", STR), ("y", F32)]),
            &x,
        );
    }
    let binary = |post: &str| {
        let settings = vec![
            floats("coefficients", &[0.5, -0.25, 1.0]),
            floats("intercepts", &[0.1]),
            ints("classlabels_ints", &[4, 9]),
            text("post_transform", post),
        ];
        one(ml("LinearClassifier", &["x"], &["L", "y"], settings), 1, F32, &[("L", I64), ("y", F32)])
    };
    alike(&binary("LOGISTIC"), &x);
    refused(&binary("SOFTMAX"), "LOGISTIC");
}

#[test]
fn columns_are_put_together_and_taken_apart_alike() {
    let x = table(vec![1.0_f32, -2.5, 0.5, 0.25, 7.0, 3.25]);
    let extract = one(ml("ArrayFeatureExtractor", &["x", "i"], &["y"], vec![]), 1, F32, &[("y", F32)])
        .with(vec![int64s("i", &[2], &[2, 0])]);
    alike(&extract, &x);
    let vectorize = ml("FeatureVectorizer", &["x", "x"], &["y"], vec![ints("inputdimensions", &[3, 3])]);
    alike(&one(vectorize, 1, F32, &[("y", F32)]), &x);
}

#[test]
fn no_library_is_needed() {
    let built = one(node("Neg", &["x"], &["y"], vec![]), 3, F32, &[("y", F32)]);
    let folder = tempfile::tempdir().unwrap();
    let options = modelet_model::LoadOptions::default();
    assert!(modelet_model::engine(TABULAR).load(&built.write(folder.path()), &options).is_ok());
}

#[test]
fn what_a_node_says_beyond_the_known_is_refused() {
    let odd = one(node("Neg", &["x"], &["y"], vec![int("sideways", 1)]), 3, F32, &[("y", F32)]);
    refused(&odd, "Neg as in node \"Neg_y\": its setting sideways");
    let wrong_type = one(node("Neg", &["x"], &["y"], vec![]), 3, F32, &[("y", I64)]);
    refused(&wrong_type, "output y is declared as another thing than float32");
    let unknown = one(node("Conv", &["x"], &["y"], vec![]), 3, F32, &[("y", F32)]);
    refused(&unknown, "does not compute Conv as in node \"Conv_y\"");
}

#[test]
fn a_result_beyond_the_limit_fails_the_call_and_not_the_process() {
    let built = model(
        vec![node("Expand", &["x", "shape"], &["y"], vec![])],
        vec![tensor("x", F32, &["n"]), tensor("shape", I64, &["m"])],
        vec![tensor("y", F32, &["?", "?"])],
    );
    let shape = Tensor::vector(vec![1_i64 << 40, 1]);
    let error =
        ask(TABULAR, &built, vec![("x", Tensor::vector(vec![1.0_f32])), ("shape", shape)]).unwrap_err();
    assert!(error.message.contains("beyond 268435456 elements"), "{error}");
    let small = Tensor::vector(vec![2_i64, 1]);
    let answer = ask(TABULAR, &built, vec![("x", Tensor::vector(vec![1.0_f32])), ("shape", small)]).unwrap();
    assert_eq!(answer[0].1, Value::Tensor(Tensor::new(vec![2, 1], vec![1.0_f32; 2]).unwrap()));
}
