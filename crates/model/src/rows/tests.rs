use modelet_core::{DType, InputSpec, OutputSpec};

use super::*;

fn dims(text: &str) -> Vec<Dim> {
    let dim = |text: &str| match text.parse() {
        Ok(size) => Dim::Fixed(size),
        Err(_) if text == "?" => Dim::Dynamic,
        Err(_) => Dim::Named(text.to_owned()),
    };
    text.split_whitespace().map(dim).collect()
}

fn signature(inputs: &[&str], outputs: &[&str]) -> Signature {
    let input = |shape: &&str| InputSpec {
        name: "x".into(),
        dtype: DType::F32,
        shape: Some(dims(shape)),
        optional: false,
        columns: None,
        categories: None,
        numbers: None,
        table_rows: None,
        takes_integers: false,
        rules: vec![],
        file: None,
    };
    let output = |shape: &&str| OutputSpec {
        name: "y".into(),
        kind: OutputKind::Tensor { dtype: DType::F32, shape: Some(dims(shape)) },
        classes: None,
        ranking: None,
    };
    Signature::new(inputs.iter().map(input).collect(), outputs.iter().map(output).collect())
}

#[test]
fn an_axis_of_rows_is_first_free_and_of_one_name_everywhere() {
    for (inputs, outputs) in [
        (&["n 4"][..], &["n 3", "n"][..]),
        (&["? 1", "? 1"], &["? 2"]),
        (&["n length", "n length"], &["n 384"]),
        (&["n 4"], &["? 3", "1", "answers 3"]),
    ] {
        assert_eq!(check_batch_axis(&signature(inputs, outputs)), Ok(()), "{inputs:?}");
    }
    for (inputs, outputs, says) in [
        (&["1 4"][..], &["n 3"][..], "the input x has the shape [1, 4]"),
        (&["n 4", ""], &["n 3"], "the input x has the shape []"),
        (&["n 4"], &["3"], "the output y has the shape [3]"),
        (&["n 4"], &[""], "the output y has the shape []"),
        (&["n 4", "m 4"], &["n"], "the input x counts m, others count n"),
        (&["n 4"], &["n n"], "n is not only the first size"),
        (&["length n", "n 2"], &["n"], "the input x counts n, others count length"),
        (&[], &["n"], "no call has to have an input"),
    ] {
        let signature = signature(inputs, outputs);
        assert_eq!(check_batch_axis(&signature), Err(says.to_owned()), "{inputs:?}");
    }
}

#[test]
fn an_output_of_which_nothing_says_that_it_has_rows_is_in_the_way() {
    let mut with = signature(&["n 4"], &["n"]);
    for (kind, may) in [
        (OutputKind::Tensor { dtype: DType::F32, shape: None }, true),
        (OutputKind::Map { key: DType::Str, value: DType::F32, per_row: true }, true),
        (OutputKind::Map { key: DType::Str, value: DType::F32, per_row: false }, false),
        (OutputKind::Sequence { dtype: DType::F32 }, false),
    ] {
        with.outputs[0].kind = kind;
        assert_eq!(check_batch_axis(&with).is_ok(), may, "{:?}", with.outputs[0].kind);
    }
    with.inputs[0].shape = None;
    assert_eq!(check_batch_axis(&with).unwrap_err(), "the input x may have any shape");
}

fn call(rows: &[[f32; 2]], names: &[&str]) -> Inputs {
    let x = Tensor::new(vec![rows.len(), 2], rows.as_flattened().to_vec()).unwrap();
    let id = Tensor::new(vec![names.len()], names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
    vec![("x".into(), x), ("id".into(), id.unwrap())]
}

#[test]
fn what_is_put_together_comes_apart_as_it_was() {
    let mut calls =
        [call(&[[1.0, 2.0]], &["a"]), call(&[[3.0, 4.0], [5.0, 6.0]], &["b", "c"]), call(&[], &[])];
    calls[1].reverse();
    let merged = merge(&calls.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(merged[0].1.shape(), [3, 2]);
    assert_eq!(merged[1].1.data(), &Data::Str(vec!["a".into(), "b".into(), "c".into()]));
    let keys = Tensor::vector(vec!["no".to_owned(), "yes".to_owned()]);
    let outputs = vec![
        ("p".to_owned(), Value::Map { keys: keys.clone(), values: merged[0].1.clone() }),
        ("id".to_owned(), Value::Tensor(merged[1].1.clone())),
        ("none".to_owned(), Value::Absent),
    ];
    let parts = split(&outputs, &[1, 2, 0]).unwrap();
    for (part, call) in parts.iter().zip(&calls) {
        let of = |name: &str| call.iter().find(|(n, _)| n == name).unwrap().1.clone();
        assert_eq!(part[0].1, Value::Map { keys: keys.clone(), values: of("x") });
        assert_eq!(part[1].1, Value::Tensor(of("id")));
        assert_eq!(part[2].1, Value::Absent);
    }
}

#[test]
fn calls_that_are_not_alike_are_not_put_together() {
    let one = call(&[[1.0, 2.0]], &["a"]);
    let wide = vec![("x".to_owned(), Tensor::zeros(DType::F32, vec![1, 3]).unwrap()), one[1].clone()];
    let double = vec![("x".to_owned(), Tensor::zeros(DType::F64, vec![1, 2]).unwrap()), one[1].clone()];
    let fewer = vec![one[0].clone()];
    let scalar = vec![("x".to_owned(), Tensor::zeros(DType::F32, vec![]).unwrap())];
    for other in [&wide, &double, &fewer] {
        assert!(!alike(&one, other) && !alike(other, &one));
        assert_eq!(merge(&[&one, other]), None);
        assert_eq!(merge(&[other, &one]), None);
    }
    assert_eq!(merge(&[&scalar, &scalar]), None);
    let mut backwards = one.clone();
    backwards.reverse();
    assert!(alike(&one, &backwards), "the order of the inputs is no difference");
    assert_eq!(size_bytes(&one), 2 * 4 + 1 + size_of::<String>());
}

#[test]
fn only_inputs_that_agree_have_a_number_of_rows() {
    assert_eq!(count(&call(&[[0.0; 2]; 3], &["a", "b", "c"])), Some(3));
    assert_eq!(count(&call(&[[0.0; 2]; 3], &["a", "b"])), None);
    assert_eq!(count(&vec![("x".into(), Tensor::zeros(DType::F32, vec![]).unwrap())]), None);
    assert_eq!(count(&vec![]), None);
}

#[test]
fn an_answer_with_other_rows_is_never_taken_apart() {
    let y = |shape: &[usize]| {
        vec![("y".to_owned(), Value::Tensor(Tensor::zeros(DType::F32, shape.to_vec()).unwrap()))]
    };
    assert_eq!(split(&y(&[1, 3]), &[1, 2]).unwrap_err(), "the output y has the shape [1, 3] for 3 rows");
    assert_eq!(split(&y(&[]), &[1, 2]).unwrap_err(), "the output y has the shape [] for 3 rows");
    assert!(split(&y(&[4]), &[1, 2]).is_err());
    assert!(split(&vec![("y".into(), Value::Sequence(vec![]))], &[1, 2]).is_err());
    let (keys, values) = (Tensor::vector(vec![1_i64, 2, 3]), Tensor::vector(vec![0.1_f32, 0.2, 0.3]));
    let map = vec![("y".to_owned(), Value::Map { keys, values })];
    assert_eq!(split(&map, &[1, 2]).unwrap_err(), "the output y is one map for 3 rows");
}
