use super::*;

const TIGHT: f64 = 1e-6;

fn tolerance(size: f64) -> Tolerance {
    Tolerance { relative: size, absolute: size, by_sums: false, reason: String::new() }
}

fn output(name: &str, shape: &[usize], data: impl Into<Data>) -> (String, Tensor) {
    (name.to_owned(), Tensor::new(shape.to_vec(), data).unwrap())
}

fn numbers(original: Vec<f64>, imported: Vec<f64>) -> Compared {
    let rows = [original.len()];
    compare(&[output("y", &rows, original)], &[output("y", &rows, imported)], &tolerance(TIGHT)).unwrap()
}

#[test]
fn numbers_are_held_to_the_tolerance_and_the_largest_difference_is_told() {
    let close = numbers(vec![1.0, 1e9, 0.0], vec![1.000_000_5, 1e9 + 500.0, 5e-7]);
    let proof = &close.outputs[0];
    assert!(proof.agrees());
    assert_eq!((proof.values, proof.largest_absolute), (3, 500.0));
    assert!((4e-7..6e-7).contains(&proof.largest_relative), "{}", proof.largest_relative);
    let far = numbers(vec![1.0, 2.0, 3.0], vec![1.0, 2.5, 3.000_01]);
    assert_eq!(far.outputs[0].beyond, 2);
    let rows: Vec<_> = far.worst.iter().map(|one| (one.row, &*one.original, &*one.imported)).collect();
    assert_eq!(rows, [(1, "2.0", "2.5"), (2, "3.0", "3.00001")], "the worst first");
}

#[test]
fn probabilities_are_as_uncertain_as_the_sums_of_their_softmax() {
    let original = || output("probabilities", &[2, 3], vec![0.47_f32, 0.53, 0.0, 0.47, 0.5, 0.03]);
    let moved = |by: f32| {
        output("probabilities", &[2, 3], vec![0.47 + by, 0.53 - by, 0.0, 0.47 + by, 0.5 - by, 0.03])
    };
    let beyond = |tolerance: &Tolerance, by: f32| {
        compare(&[original()], &[moved(by)], tolerance).unwrap().outputs[0].beyond
    };
    let plain = tolerance(1e-5);
    let by_sums = Tolerance { by_sums: true, ..plain.clone() };
    assert_eq!((beyond(&plain, 2e-5), beyond(&by_sums, 2e-5)), (4, 0));
    assert_eq!(
        beyond(&by_sums, 2e-4),
        2,
        "the sums of the second row are small, as its least probability says"
    );
    assert_eq!(beyond(&by_sums, 2e-3), 4);
}

#[test]
fn what_is_no_number_must_be_the_same_on_both_sides() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    let same = numbers(vec![nan, inf, -inf], vec![nan, inf, -inf]);
    assert!(same.outputs[0].agrees());
    assert_eq!(
        (same.outputs[0].nan, same.outputs[0].infinite, same.outputs[0].largest_absolute),
        (1, 2, 0.0)
    );
    for (original, imported) in [(nan, 1.0), (1.0, nan), (inf, -inf), (inf, f64::MAX), (1.0, inf), (nan, inf)]
    {
        let found = numbers(vec![original], vec![imported]);
        assert_eq!(found.outputs[0].beyond, 1, "{original} {imported}");
        assert_eq!(found.worst.len(), 1);
    }
    let ends = numbers(vec![f64::MAX], vec![f64::MIN]);
    assert!(ends.outputs[0].largest_absolute.is_finite(), "what JSON can carry");
    assert_eq!(ends.outputs[0].beyond, 1);
}

#[test]
fn a_label_that_differs_is_a_tie_only_where_the_original_was_undecided() {
    let scores = || output("probabilities", &[3, 2], vec![0.5_f32, 0.5, 0.9, 0.1, 0.499_999_9, 0.500_000_1]);
    let original = [output("label", &[3], vec![0_i64, 0, 1]), scores()];
    let imported = [output("label", &[3], vec![1_i64, 1, 0]), scores()];
    let found = compare(&original, &imported, &tolerance(TIGHT)).unwrap();
    assert_eq!((found.outputs[0].ties, found.outputs[0].labels_differ), (2, 1));
    assert_eq!(found.worst[0].row, 1);
    assert!(found.outputs[1].agrees());
    let alone = compare(&original[..1], &imported[..1], &tolerance(TIGHT)).unwrap();
    assert_eq!(alone.outputs[0].labels_differ, 3, "without scores nothing is a tie");
}

#[test]
fn flags_are_undecided_at_one_half() {
    let scores = || output("probabilities", &[1, 2], vec![0.500_000_1_f32, 0.9]);
    let original = [output("label", &[1, 2], vec![1_i64, 1]), scores()];
    let imported = [output("label", &[1, 2], vec![0_i64, 0]), scores()];
    let proof = compare(&original, &imported, &tolerance(TIGHT)).unwrap().outputs.remove(0);
    assert_eq!((proof.ties, proof.labels_differ), (1, 1));
}

#[test]
fn labels_are_the_same_whatever_type_they_are_written_in() {
    let labels = |data: Data| [output("label", &[2], data)];
    let integers = labels(vec![1_i64, 0].into());
    for same in
        [labels(vec![1_u8, 0].into()), labels(vec![true, false].into()), labels(vec![1.0_f64, 0.0].into())]
    {
        assert!(compare(&same, &integers, &tolerance(TIGHT)).unwrap().outputs[0].agrees());
    }
    let texts = labels(vec!["1".to_owned(), "0".to_owned()].into());
    let found = compare(&texts, &integers, &tolerance(TIGHT)).unwrap();
    assert_eq!(found.outputs[0].labels_differ, 2, "a text is no number");
    assert_eq!(found.worst[0].original, "\"1\"");
}

#[test]
fn answers_of_another_size_cannot_be_compared() {
    let original = [output("y", &[2], vec![1.0, 2.0])];
    for (imported, says) in [
        (output("z", &[2], vec![1.0, 2.0]), "no output y"),
        (output("y", &[1], vec![1.0]), "shape [1]"),
        (output("y", &[1, 2], vec![1.0, 2.0]), "shape [1, 2]"),
    ] {
        assert!(compare(&original, &[imported], &tolerance(TIGHT)).unwrap_err().contains(says));
    }
    let column = [output("y", &[2, 1], vec![1.0, 2.0])];
    assert!(
        compare(&original, &column, &tolerance(TIGHT)).unwrap().outputs[0].agrees(),
        "a column is a vector"
    );
}

#[test]
fn of_many_differences_the_worst_are_kept() {
    let rows = 10_000;
    let original = vec![1.0; rows];
    let imported: Vec<f64> = (0..rows).map(|row| if row == 7_777 { 100.0 } else { 2.0 }).collect();
    let found = numbers(original, imported);
    assert_eq!((found.outputs[0].beyond, found.worst.len()), (10_000, MAX_WORST));
    assert_eq!(found.worst[0].row, 7_777);
}
