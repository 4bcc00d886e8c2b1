//! Texts that become numbers: as many rows as go in come out, and what is not the same to all is refused.

use modelet_core::{Code, Data, EngineName, Tensor, Value};

use crate::build::{Built, F64, STR, int, ints, ml, model, tensor, text, texts};
use crate::onnx::{AttributeProto, OpsetProto};
use crate::{ask, load};

const TABULAR: EngineName = EngineName::Tabular;
/// As wide as tables of texts may be; so wide that rows are computed some after the others.
const WIDE: i64 = 1 << 18;

fn counting(settings: Vec<AttributeProto>) -> Built {
    let usual = vec![text("unit", "word"), text("pattern", r"\w+"), ints("sizes", &[1, 1]), int("lower", 1)];
    let mut counts = ml("Terms", &["text"], &["counts"], usual.into_iter().chain(settings).collect());
    counts.domain = Some("modelet".to_owned());
    let mut built =
        model(vec![counts], vec![tensor("text", STR, &["n"])], vec![tensor("counts", F64, &["n", "m"])]);
    built.model.opset_import.push(OpsetProto { domain: Some("modelet".to_owned()), version: Some(1) });
    built
}

fn rows(texts: &[&str]) -> Tensor {
    Tensor::vector(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
}

fn counts(built: &Built, asked: &[&str]) -> Vec<f64> {
    let answer = ask(TABULAR, built, vec![("text", rows(asked))]).unwrap();
    let [(_, Value::Tensor(tensor))] = &answer[..] else { panic!("one output") };
    assert_eq!(tensor.shape()[0], asked.len());
    let Data::F64(numbers) = tensor.data() else { panic!("float64") };
    numbers.clone()
}

#[test]
fn each_term_is_counted_in_its_column() {
    let built = counting(vec![texts("vocabulary", &["fox", "dog"])]);
    assert_eq!(counts(&built, &["Dog fox dog", "", "cat"]), [1.0, 2.0, 0.0, 0.0, 0.0, 0.0]);
    let built = counting(vec![texts("vocabulary", &["fox", "dog"]), int("binary", 1)]);
    assert_eq!(counts(&built, &["Dog fox dog"]), [1.0, 1.0]);
}

#[test]
fn wide_rows_are_computed_some_after_the_others_and_stay_in_order() {
    let built = counting(vec![int("buckets", WIDE)]);
    let asked: Vec<String> = (0..40).map(|row| "word ".repeat(row)).collect();
    let numbers = counts(&built, &asked.iter().map(String::as_str).collect::<Vec<_>>());
    let sums: Vec<f64> = numbers.chunks_exact(WIDE as usize).map(|row| row.iter().sum()).collect();
    assert_eq!(sums, (0..40).map(f64::from).collect::<Vec<_>>());
}

#[test]
fn a_letter_that_not_every_python_knows_is_refused_by_name_and_row() {
    let built = counting(vec![texts("vocabulary", &["fox"])]);
    let error = ask(TABULAR, &built, vec![("text", rows(&["fox", "a \u{2c2f}"]))]).unwrap_err();
    assert_eq!(error.code, Code::BadInput);
    assert!(error.message.contains("U+2C2F in row 1"), "{error}");
}

#[test]
fn what_cannot_be_counted_is_refused_at_load() {
    for settings in [
        vec![],
        vec![texts("vocabulary", &["a", "a"])],
        vec![int("buckets", 0)],
        vec![int("buckets", 4), texts("vocabulary", &["a"])],
        vec![int("buckets", 4), text("accents", "some")],
    ] {
        let error = load(TABULAR, &counting(settings)).map(|_| ()).unwrap_err();
        assert_eq!(error.code, Code::ModelRefused);
    }
}
