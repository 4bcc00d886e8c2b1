//! What is refused when a model is loaded or called, and with which words.

use modelet_core::{Code, DType, EngineName, FunctionError, Tensor};

use crate::build::{
    BOOL, Built, F32, I64, STR, float32s, int, int64s, ml, model, node, sequence_of, tensor, tensor_type,
    text, value,
};
use crate::onnx::{ElementTypeProto, NodeProto, TensorProto, TypeProto};
use crate::{ask, load};

const ORT: EngineName = EngineName::Onnxruntime;
const RTEN: EngineName = EngineName::Rten;

fn refused(engine: EngineName, built: &Built) -> String {
    let error = load(engine, built).map(|_| ()).unwrap_err();
    assert_eq!(error.code, Code::ModelRefused, "{error}");
    error.to_string()
}

fn one(op: NodeProto, from: i32, to: i32) -> Built {
    model(vec![op], vec![tensor("x", from, &["n"])], vec![tensor("y", to, &["n"])])
}

#[test]
fn a_file_newer_than_the_engines_is_refused_with_the_way_out() {
    for engine in EngineName::ALL {
        let mut newer = one(node("Neg", &["x"], &["y"], vec![]), F32, F32);
        newer.model.ir_version = Some(99);
        let error = load(*engine, &newer).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "the model has IR version 99, supported up to 13 (ONNX 1.21)");
        assert!(error.hint.unwrap().starts_with("re-export it"));

        let mut newer = one(node("Neg", &["x"], &["y"], vec![]), F32, F32);
        newer.model.opset_import[0].version = Some(99);
        let error = load(*engine, &newer).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "the model uses opset 99 of ai.onnx, supported up to 26 (ONNX 1.21)");
    }
}

#[test]
fn the_bounds_are_those_of_the_library() {
    let mut newest = one(node("Neg", &["x"], &["y"], vec![]), F32, F32);
    newest.model.ir_version = Some(modelet_model::onnx::NEWEST_IR_VERSION);
    for (opset, (_, newest_version)) in
        newest.model.opset_import.iter_mut().zip(modelet_model::onnx::NEWEST_OPSETS)
    {
        opset.version = Some(*newest_version);
    }
    assert!(load(ORT, &newest).is_ok() && load(RTEN, &newest).is_ok());
}

#[test]
fn inputs_that_no_client_can_send_are_refused_by_name() {
    for engine in EngineName::ALL {
        let sequence = model(
            vec![node("SequenceLength", &["parts"], &["y"], vec![])],
            vec![value("parts", sequence_of(tensor_type(F32, &["?"])))],
            vec![tensor("y", I64, &[])],
        );
        assert!(refused(*engine, &sequence).starts_with("input parts is a sequence; "));
        let float8 = one(node("Cast", &["x"], &["y"], vec![int("to", 1)]), 17, F32);
        assert!(refused(*engine, &float8).starts_with("input x is a tensor of 8-bit floats; "));
        let complex = one(node("Identity", &["x"], &["y"], vec![]), 14, 14);
        assert!(refused(*engine, &complex).starts_with("input x is a tensor of complex numbers; "));
    }
}

#[test]
fn an_optional_output_is_refused_by_name() {
    let element = ElementTypeProto { elem_type: Some(Box::new(tensor_type(F32, &["n"]))) };
    let optional = TypeProto { optional: Some(Box::new(element)), ..TypeProto::default() };
    let built = model(
        vec![node("Optional", &["x"], &["y"], vec![])],
        vec![tensor("x", F32, &["n"])],
        vec![value("y", optional)],
    );
    assert!(refused(ORT, &built).starts_with("output y is optional; "));
    assert!(refused(RTEN, &built).starts_with("rten does not compute Optional "));
}

#[test]
fn a_call_that_does_not_fit_is_refused_before_the_engine() {
    for engine in EngineName::ALL {
        let built = model(
            vec![node("Neg", &["x"], &["y"], vec![])],
            vec![tensor("x", F32, &["rows", "2"])],
            vec![tensor("y", F32, &["rows", "2"])],
        );
        let wrong = |dtype, shape: &[usize]| {
            let x = Tensor::zeros(dtype, shape.to_vec()).unwrap();
            let error = ask(*engine, &built, vec![("x", x)]).unwrap_err();
            (error.code, error.to_string())
        };
        let expected = |found: &str| (Code::BadInput, format!("x: expected float32 [rows, 2], got {found}"));
        assert_eq!(wrong(DType::F64, &[1, 2]), expected("float64 [1, 2]"));
        assert_eq!(wrong(DType::F32, &[1, 3]), expected("float32 [1, 3]"));
        assert_eq!(wrong(DType::F32, &[2]), expected("float32 [2]"));
    }
}

#[test]
fn an_engine_that_fails_says_where_in_one_line() {
    let built = model(
        vec![node("Gather", &["table", "i"], &["y"], vec![])],
        vec![tensor("i", I64, &["n"])],
        vec![tensor("y", F32, &["n"])],
    )
    .with(vec![float32s("table", &[2], &[1.0, 2.0])]);
    for engine in EngineName::ALL {
        let FunctionError { code, message, .. } =
            ask(*engine, &built, vec![("i", Tensor::vector(vec![5_i64]))]).unwrap_err();
        assert_eq!(code, Code::PredictionFailed);
        assert!(!message.contains('\n') && !message.contains("onnxruntime_src"), "{message}");
        assert!(message.contains("Gather_y"), "{engine}: {message}");
    }
}

#[test]
fn an_operator_that_no_engine_has_is_named() {
    let built = one(node("Frobnicate", &["x"], &["y"], vec![]), F32, F32);
    for engine in EngineName::ALL {
        assert!(refused(*engine, &built).contains("Frobnicate"), "{engine}: {}", refused(*engine, &built));
    }
}

#[test]
fn rten_names_what_it_does_not_cover() {
    let scaler = one(ml("Scaler", &["x"], &["y"], vec![]), F32, F32);
    let text_model = one(node("Identity", &["x"], &["y"], vec![]), STR, STR);
    let double = one(node("Neg", &["x"], &["y"], vec![]), 11, 11);
    let half = one(node("Cast", &["x"], &["y"], vec![int("to", 10)]), F32, 10);
    for (built, expected) in [
        (scaler, "Scaler as in node \"Scaler_y\": operators of ai.onnx.ml are not covered"),
        (text_model, "Identity as in node \"Identity_y\": x is string"),
        (double, "Neg as in node \"Neg_y\": x is float64"),
        (half, "Cast as in node \"Cast_y\": y is float16"),
    ] {
        assert_eq!(refused(RTEN, &built), format!("rten does not compute {expected}"));
    }
}

/// int64 and booleans as int32: what could change an answer is refused, what cannot is not.
#[test]
fn rten_refuses_where_narrowing_could_change_an_answer() {
    let two = |first: NodeProto, second: NodeProto, to: i32, constants: Vec<TensorProto>| {
        model(vec![first, second], vec![tensor("x", I64, &["n"])], vec![tensor("y", to, &["?"])])
            .with(constants)
    };
    let cast = |to: i64, from: &str, into: &str| node("Cast", &[from], &[into], vec![int("to", to)]);
    let big = || vec![int64s("c", &[1], &[1 << 40])];
    let small = || vec![int64s("c", &[1], &[1])];
    let square = node("Mul", &["x", "x"], &["y"], vec![]);
    for (built, expected) in [
        (one(square, I64, I64), "Mul on int64 values that a call sends"),
        (one(cast(7, "x", "y"), F32, I64), "float32 made int64"),
        (one(node("Max", &["x", "c"], &["y"], vec![]), I64, I64).with(big()), "int64 constants beyond int32"),
        (two(cast(9, "x", "b"), cast(7, "b", "y"), I64, vec![]), "with booleans made of integers"),
        (one(cast(9, "x", "y"), F32, BOOL), "Cast as in node \"Cast_y\": to booleans"),
    ] {
        let reason = refused(RTEN, &built);
        assert!(reason.starts_with(&format!("rten does not compute {expected}")), "{reason}");
    }
    let slice = node("Slice", &["x", "zero", "c"], &["y"], vec![]);
    let mut to_the_end = vec![int64s("c", &[1], &[i64::MAX]), int64s("zero", &[1], &[0])];
    to_the_end.rotate_left(1);
    for built in [
        one(slice, I64, I64).with(to_the_end),
        two(node("Shape", &["x"], &["s"], vec![]), node("Add", &["s", "c"], &["y"], vec![]), I64, small()),
        two(node("Equal", &["x", "c"], &["b"], vec![]), cast(1, "b", "y"), F32, small()),
    ] {
        assert!(load(RTEN, &built).is_ok(), "{:?}", load(RTEN, &built).map(|_| ()));
    }
}

#[test]
fn wrong_answers_that_are_known_are_refused() {
    let resize = |scale: f32| {
        let attributes =
            vec![text("mode", "linear"), text("coordinate_transformation_mode", "align_corners")];
        model(
            vec![node("Resize", &["x", "", "scales"], &["y"], attributes)],
            vec![tensor("x", F32, &["1", "1", "h", "w"])],
            vec![tensor("y", F32, &["1", "1", "?", "?"])],
        )
        .with(vec![float32s("scales", &[4], &[1.0, 1.0, scale, scale])])
    };
    for engine in [ORT, RTEN] {
        assert!(load(engine, &resize(2.0)).is_ok());
        assert!(refused(engine, &resize(0.6)).contains("Resize"));
    }
}
