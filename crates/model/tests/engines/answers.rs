//! What comes out: every element type, sequences, maps, scalars, zero rows, optional inputs, texts.

use half::{bf16, f16};
use modelet_core::{Code, DType, Data, Dim, EngineName, Tensor, Value};
use modelet_model::onnx::locale::rewrite_locale;
use modelet_model::{compare, describe_onnx, examples, summarize};
use prost::Message;

use crate::build::{
    BOOL, Built, F32, I64, STR, float32s, floats, int, int64s, ints, map_type, ml, model, node, sequence_of,
    tensor, text, texts, value,
};
use crate::onnx::{AttributeProto, GraphProto, ModelProto};
use crate::{ask, load};

const ORT: EngineName = EngineName::Onnxruntime;
const RTEN: EngineName = EngineName::Rten;

fn identity(dtype: i32, shape: &[&str]) -> Built {
    model(
        vec![node("Identity", &["x"], &["y"], vec![])],
        vec![tensor("x", dtype, shape)],
        vec![tensor("y", dtype, shape)],
    )
}

fn only(answer: Vec<(String, Value)>) -> Value {
    let [(_, value)] = <[_; 1]>::try_from(answer).unwrap();
    value
}

#[test]
fn every_element_type_goes_in_and_comes_out() {
    let cases: Vec<(i32, Data)> = vec![
        (1, vec![1.5_f32, f32::NAN, f32::NEG_INFINITY].into()),
        (2, vec![0_u8, 7, 255].into()),
        (3, vec![-128_i8, 0, 127].into()),
        (4, vec![0_u16, 7, u16::MAX].into()),
        (5, vec![i16::MIN, 7, i16::MAX].into()),
        (6, vec![i32::MIN, 7, i32::MAX].into()),
        (7, vec![i64::MIN, 7, i64::MAX].into()),
        (8, vec!["001".to_owned(), String::new(), "Grüße 👋".to_owned()].into()),
        (9, vec![true, false, true].into()),
        (10, vec![f16::from_f32(0.1), f16::MAX, f16::NEG_INFINITY].into()),
        (11, vec![1e300, -0.0, f64::MIN_POSITIVE].into()),
        (12, vec![0_u32, 7, u32::MAX].into()),
        (13, vec![0_u64, 7, u64::MAX].into()),
        (16, vec![bf16::from_f32(0.1), bf16::MAX, bf16::NEG_INFINITY].into()),
    ];
    assert_eq!(cases.len(), DType::ALL.len());
    for (number, data) in cases {
        let x = Tensor::vector(data);
        let answer = ask(ORT, &identity(number, &["n"]), vec![("x", x.clone())]).unwrap();
        assert!(
            compare(&answer, &[("y".into(), Value::Tensor(x.clone()))], 0.0, 0.0).is_ok(),
            "{}",
            x.dtype()
        );
    }
}

#[test]
fn scalars_and_zero_rows_are_tensors_like_others() {
    for engine in EngineName::ALL {
        let scalar = Tensor::new(vec![], vec![2.5_f32]).unwrap();
        let answer = only(ask(*engine, &identity(F32, &[]), vec![("x", scalar.clone())]).unwrap());
        assert_eq!(answer, Value::Tensor(scalar), "{engine}");
        let none = Tensor::zeros(DType::F32, vec![0, 3]).unwrap();
        let answer = only(ask(*engine, &identity(F32, &["rows", "3"]), vec![("x", none.clone())]).unwrap());
        assert_eq!(answer, Value::Tensor(none), "{engine}");
    }
    let none = Tensor::zeros(DType::Str, vec![0]).unwrap();
    assert_eq!(
        only(ask(ORT, &identity(STR, &["n"]), vec![("x", none.clone())]).unwrap()),
        Value::Tensor(none)
    );
}

#[test]
fn an_input_with_a_default_may_be_left_out() {
    let add = model(
        vec![node("Add", &["x", "bias"], &["y"], vec![])],
        vec![tensor("x", F32, &["n"]), tensor("bias", F32, &["1"])],
        vec![tensor("y", F32, &["n"])],
    )
    .with(vec![float32s("bias", &[1], &[10.0])]);
    let loaded = load(ORT, &add).unwrap();
    let optional: Vec<_> = loaded.signature().inputs.iter().map(|i| (i.name.as_str(), i.optional)).collect();
    assert_eq!(optional, [("x", false), ("bias", true)]);
    let x = Tensor::vector(vec![1.0_f32]);
    let bias = Tensor::vector(vec![1.0_f32]);
    let expected = |y: f32| Value::Tensor(Tensor::vector(vec![y]));
    assert_eq!(only(ask(ORT, &add, vec![("x", x.clone())]).unwrap()), expected(11.0));
    assert_eq!(only(ask(ORT, &add, vec![("bias", bias), ("x", x)]).unwrap()), expected(2.0), "in any order");
}

#[test]
fn before_ir_version_4_an_input_with_an_initializer_is_a_constant() {
    let mut add = model(
        vec![node("Add", &["x", "bias"], &["y"], vec![])],
        vec![tensor("x", F32, &["n"]), tensor("bias", F32, &["1"])],
        vec![tensor("y", F32, &["n"])],
    )
    .with(vec![float32s("bias", &[1], &[10.0])]);
    add.model.ir_version = Some(3);
    add.model.opset_import[0].version = Some(9);
    add.model.opset_import.truncate(1);
    for engine in EngineName::ALL {
        let names: Vec<_> =
            load(*engine, &add).unwrap().signature().inputs.iter().map(|i| i.name.clone()).collect();
        assert_eq!(names, ["x"], "{engine}");
        let answer = ask(*engine, &add, vec![("x", Tensor::vector(vec![1.0_f32]))]).unwrap();
        assert_eq!(only(answer), Value::Tensor(Tensor::vector(vec![11.0_f32])), "{engine}");
    }
}

#[test]
fn outputs_come_in_the_order_wanted() {
    let two = model(
        vec![node("Neg", &["x"], &["a"], vec![]), node("Abs", &["x"], &["b"], vec![])],
        vec![tensor("x", F32, &["n"])],
        vec![tensor("a", F32, &["n"]), tensor("b", F32, &["n"])],
    );
    for engine in EngineName::ALL {
        let mut loaded = load(*engine, &two).unwrap();
        let x = || vec![("x".to_owned(), Tensor::vector(vec![-3.0_f32]))];
        let mut names = |wanted: Option<&[&str]>| {
            let wanted: Option<Vec<String>> = wanted.map(|w| w.iter().map(|s| (*s).to_owned()).collect());
            loaded.predict(x(), wanted.as_deref()).map(|answer| {
                let show = |(name, value): &(String, Value)| match value {
                    Value::Tensor(tensor) => format!("{name} {:?}", tensor.data()),
                    other => format!("{name} {other:?}"),
                };
                answer.iter().map(show).collect::<Vec<_>>()
            })
        };
        assert_eq!(names(None).unwrap(), ["a F32([3.0])", "b F32([3.0])"], "{engine}");
        assert_eq!(names(Some(&["b", "a"])).unwrap(), ["b F32([3.0])", "a F32([3.0])"]);
        assert_eq!(names(Some(&["b"])).unwrap(), ["b F32([3.0])"]);
        let error = names(Some(&["c"])).unwrap_err();
        assert_eq!(error.to_string(), "outputs: expected names out of a, b, got c");
    }
}

/// A linear classifier with three classes and the map of their probabilities that converters add.
fn classifier(classes: &AttributeProto, key: i32, labels: &str) -> Built {
    let classes = |name: &str| {
        let mut classes = classes.clone();
        classes.name = Some(name.into());
        classes
    };
    let linear = vec![
        classes(labels),
        floats("coefficients", &[1.0, 0.0, 0.0, 1.0, -1.0, -1.0]),
        floats("intercepts", &[0.0, 0.0, 0.0]),
        text("post_transform", "SOFTMAX"),
    ];
    let zip = vec![classes(if key == STR { "classlabels_strings" } else { "classlabels_int64s" })];
    model(
        vec![
            ml("LinearClassifier", &["x"], &["label", "scores"], linear),
            ml("Normalizer", &["scores"], &["probabilities"], vec![text("norm", "L1")]),
            ml("ZipMap", &["probabilities"], &["output_probability"], zip),
        ],
        vec![tensor("x", F32, &["rows", "2"])],
        vec![
            tensor("label", key, &["rows"]),
            value("output_probability", sequence_of(map_type(key, F32))),
            tensor("probabilities", F32, &["rows", "3"]),
        ],
    )
}

#[test]
fn a_batch_of_maps_becomes_one_table_in_the_order_of_the_classes() {
    let texts_model = classifier(&texts("", &["setosa", "virginica", "a class"]), STR, "classlabels_strings");
    let ints_model = classifier(&ints("", &[30, -1, 7]), I64, "classlabels_ints");
    let keys: [(Built, Data, Vec<&str>); 2] = [
        (
            texts_model,
            vec!["setosa".to_owned(), "virginica".to_owned(), "a class".to_owned()].into(),
            vec!["setosa", "virginica", "a class"],
        ),
        (ints_model, vec![30_i64, -1, 7].into(), vec!["30", "-1", "7"]),
    ];
    for (built, keys, classes) in keys {
        let mut loaded = load(ORT, &built).unwrap();
        let mut ask = |rows: Vec<f32>| {
            let x = Tensor::new(vec![rows.len() / 2, 2], rows).unwrap();
            loaded.predict(vec![("x".into(), x)], None).unwrap()
        };
        let answer = ask(vec![5.0, 0.0, 0.0, 5.0]);
        let [(_, label), (_, map), (_, probabilities)] = <[_; 3]>::try_from(answer).unwrap();
        let Value::Tensor(probabilities) = probabilities else { panic!("{probabilities:?}") };
        assert_eq!(map, Value::Map { keys: Tensor::vector(keys.clone()), values: probabilities });
        assert_eq!(label, Value::Tensor(Tensor::vector(keys.slice(0..2))), "the largest is the label");
        let answer = ask(vec![]);
        let expected = Value::Map {
            keys: Tensor::vector(keys.clone()),
            values: Tensor::zeros(DType::F32, vec![0, 3]).unwrap(),
        };
        assert_eq!(answer[1].1, expected, "no rows, and still the classes");

        let folder = tempfile::tempdir().unwrap();
        let summary = summarize(&built.write(folder.path())).unwrap();
        let mut signature = summary.signature().unwrap();
        describe_onnx(&mut signature, &summary);
        let found: Vec<_> = signature.outputs.iter().map(|output| output.classes.clone()).collect();
        let classes: Vec<String> = classes.into_iter().map(str::to_owned).collect();
        assert_eq!(found, [None, Some(classes.clone()), Some(classes)]);
    }
}

#[test]
fn a_sequence_of_tensors_comes_out_as_one() {
    let split = model(
        vec![node("SplitToSequence", &["x", "sizes"], &["parts"], vec![])],
        vec![tensor("x", F32, &["n"])],
        vec![value("parts", sequence_of(crate::build::tensor_type(F32, &["?"])))],
    )
    .with(vec![int64s("sizes", &[2], &[1, 2])]);
    let answer = only(ask(ORT, &split, vec![("x", Tensor::vector(vec![1.0_f32, 2.0, 3.0]))]).unwrap());
    let part = |data: Vec<f32>| Tensor::vector(data);
    assert_eq!(answer, Value::Sequence(vec![part(vec![1.0]), part(vec![2.0, 3.0])]));
}

#[test]
fn texts_change_case_without_the_locale_of_the_machine() {
    for locale in ["", "en_US", "C.UTF-8"] {
        let mut attributes = vec![text("case_change_action", "LOWER"), int("is_case_sensitive", 1)];
        if !locale.is_empty() {
            attributes.push(text("locale", locale));
        }
        let normalizer = model(
            vec![node("StringNormalizer", &["x"], &["y"], attributes)],
            vec![tensor("x", STR, &["n"])],
            vec![tensor("y", STR, &["n"])],
        );
        let words = ["PLAIN", "ÀÉÖÜ Ñ", "ЖЩЪ", "ΑΒΓ", "Ĳ Ł Ÿ", "ẞ", "Ａ", "already low"];
        let x = Tensor::vector(words.map(str::to_owned).to_vec());
        let answer = only(ask(ORT, &normalizer, vec![("x", x)]).unwrap());
        let expected = words.map(str::to_lowercase).to_vec();
        assert_eq!(answer, Value::Tensor(Tensor::vector(expected)), "locale {locale:?}");
    }
}

#[test]
fn a_locale_is_rewritten_in_subgraphs_and_nothing_else_is() {
    let branch = |locale: &str| GraphProto {
        node: vec![node(
            "StringNormalizer",
            &["x"],
            &["z"],
            vec![text("locale", locale), text("case_change_action", "UPPER")],
        )],
        output: vec![tensor("z", STR, &["n"])],
        ..GraphProto::default()
    };
    let branches = |first: &str, second: &str| {
        let graph = |name: &str, g| AttributeProto {
            name: Some(name.into()),
            g: Some(g),
            r#type: Some(5),
            ..AttributeProto::default()
        };
        let branches = vec![graph("then_branch", branch(first)), graph("else_branch", branch(second))];
        model(
            vec![node("If", &["c"], &["y"], branches)],
            vec![tensor("c", BOOL, &[]), tensor("x", STR, &["n"])],
            vec![tensor("y", STR, &["n"])],
        )
    };
    let built = branches("en_US.UTF-8", "tr_TR").model;
    let rewritten = rewrite_locale(&built.encode_to_vec()).unwrap();
    let back = ModelProto::decode(&*rewritten).unwrap();
    let mut expected = branches("C.UTF-8", "tr_TR").model;
    // The new attribute is the node's last.
    let nodes = &mut expected.graph.as_mut().unwrap().node[0].attribute[0].g.as_mut().unwrap().node;
    nodes[0].attribute.reverse();
    assert_eq!(back, expected);
    assert_eq!(rewrite_locale(&rewritten), None, "twice is once");
    assert_eq!(rewrite_locale(&rewritten[..rewritten.len() - 1]), None, "damaged");
}

#[test]
fn integers_beyond_int32_are_exact_or_refused() {
    let x = Tensor::vector(vec![i64::MIN, 0, i64::MAX]);
    let answer = only(ask(ORT, &identity(I64, &["n"]), vec![("x", x.clone())]).unwrap());
    assert_eq!(answer, Value::Tensor(x.clone()));
    let error = ask(RTEN, &identity(I64, &["n"]), vec![("x", x)]).unwrap_err();
    assert_eq!((error.code, error.field.as_deref()), (Code::BadInput, Some("x")));
    assert_eq!(error.found.as_deref(), Some("-9223372036854775808"));
    let fits = Tensor::vector(vec![i64::from(i32::MIN), i64::from(i32::MAX)]);
    let answer = only(ask(RTEN, &identity(I64, &["n"]), vec![("x", fits.clone())]).unwrap());
    assert_eq!(answer, Value::Tensor(fits));
}

#[test]
fn a_text_with_a_zero_byte_is_a_bad_input() {
    let x = Tensor::vector(vec!["a\0b".to_owned()]);
    let error = ask(ORT, &identity(STR, &["n"]), vec![("x", x)]).unwrap_err();
    assert_eq!(error.to_string(), "x: expected texts without zero bytes, got a text with one");
}

#[test]
fn categories_are_found_through_the_columns_of_a_pipeline() {
    let encoder = |words: &[&str]| vec![texts("cats_strings", words), int("zeros", 1)];
    let built = model(
        vec![
            node("Concat", &["plan", "country"], &["both"], vec![int("axis", 1)]),
            ml("ArrayFeatureExtractor", &["both", "second"], &["b"], vec![]),
            ml("OneHotEncoder", &["b"], &["b1"], encoder(&["fr", "de"])),
            ml("ArrayFeatureExtractor", &["both", "first"], &["a"], vec![]),
            ml("OneHotEncoder", &["a"], &["a1"], encoder(&["free", "pro"])),
            node("Concat", &["a1", "b1"], &["y"], vec![int("axis", -1)]),
        ],
        vec![tensor("plan", STR, &["rows", "1"]), tensor("country", STR, &["rows", "1"])],
        vec![tensor("y", F32, &["?", "?", "?"])],
    )
    .with(vec![int64s("first", &[1], &[0]), int64s("second", &[1], &[1])]);
    let folder = tempfile::tempdir().unwrap();
    let summary = summarize(&built.write(folder.path())).unwrap();
    let mut signature = summary.signature().unwrap();
    describe_onnx(&mut signature, &summary);
    let found: Vec<_> = signature.inputs.iter().map(|input| input.categories.clone().unwrap()).collect();
    assert_eq!(found, [["free", "pro"], ["fr", "de"]]);
    let rows = examples(&signature, 4, 1);
    let answer = load(ORT, &built).unwrap().predict(rows, None).unwrap();
    assert_eq!(answer.len(), 1);
}

#[test]
fn both_engines_give_the_same_signature_and_answer() {
    let layer = |axis: i64| {
        model(
            vec![
                node("Cast", &["pixels"], &["f"], vec![int("to", 1)]),
                node("Add", &["f", "x"], &["s"], vec![]),
                node("LayerNormalization", &["s", "scale", "bias"], &["n"], vec![int("axis", axis)]),
                node("Gelu", &["n"], &["y"], vec![]),
                node("Cast", &["mask"], &["keep"], vec![int("to", 9)]),
                node("Not", &["keep"], &["drop"], vec![]),
            ],
            vec![
                tensor("pixels", 2, &["rows", "4", "3"]),
                tensor("x", F32, &["rows", "4", "3"]),
                tensor("mask", I64, &["n"]),
            ],
            vec![tensor("y", F32, &["rows", "4", "3"]), tensor("drop", BOOL, &["n"])],
        )
        .with(vec![float32s("scale", &[3], &[1.0, 2.0, 0.5]), float32s("bias", &[3], &[0.0, -1.0, 1.0])])
    };
    for axis in [-1, 2] {
        let built = layer(axis);
        let (mut a, mut b) = (load(ORT, &built).unwrap(), load(RTEN, &built).unwrap());
        assert_eq!(a.signature(), b.signature());
        assert_eq!(a.signature().inputs[0].shape.as_ref().unwrap()[0], Dim::Named("rows".into()));
        for rows in [0, 1, 5] {
            let inputs = examples(a.signature(), rows, 3);
            let (a, b) = (a.predict(inputs.clone(), None).unwrap(), b.predict(inputs, None).unwrap());
            compare(&b, &a, 1e-5, 1e-6).unwrap();
        }
        let two = Tensor::vector(vec![2_i64, 0, -1]);
        let mut inputs = examples(a.signature(), 1, 3);
        inputs[2].1 = two;
        let dropped = b.predict(inputs, Some(&["drop".to_owned()])).unwrap();
        assert_eq!(only(dropped), Value::Tensor(Tensor::vector(vec![false, true, false])), "2 is true");
    }
}
