//! A computation for several calls that fails.

use std::rc::Rc;

use modelet_core::{Code, EngineName, Settings, Tensor};

use crate::build::{Built, F32, I64, float32s, int, int64s, model, node, tensor};
use crate::{at_once, batcher, floats, numbers, on_one_thread};

fn one_row_each(values: &[f32]) -> Vec<Vec<(String, Tensor)>> {
    values.iter().map(|value| vec![floats("x", &[1, 2], vec![*value; 2])]).collect()
}

/// Looks a number up; a position that is not in the list fails the computation.
fn lookup() -> Built {
    let nodes = vec![node("Gather", &["list", "position"], &["y"], vec![int("axis", 0)])];
    let built = model(nodes, vec![tensor("position", I64, &["rows"])], vec![tensor("y", F32, &["rows"])]);
    built.with(vec![float32s("list", &[4], &[10.0, 20.0, 30.0, 40.0])])
}

#[test]
fn one_bad_input_fails_alone() {
    for engine in EngineName::ALL {
        let batcher = Rc::new(batcher(*engine, &lookup(), &Settings::default()));
        let call = |position: i64| vec![("position".to_owned(), Tensor::vector(vec![position]))];
        on_one_thread(async {
            let answers = at_once(&batcher, vec![call(0), call(1), call(99), call(3)]).await;
            assert_eq!(answers[2].outputs.as_ref().unwrap_err().code, Code::PredictionFailed);
            for (at, expected) in [(0, 10.0), (1, 20.0), (3, 40.0)] {
                assert_eq!(numbers(&answers[at], "y"), [expected], "{engine}");
            }
            let answers = at_once(&batcher, vec![call(2), call(3)]).await;
            assert_eq!(answers[1].calls, 2, "the next ones go together again");
        });
    }
}

/// One row, the mean of all, under a signature that leaves the number of answers open.
fn mean_of_rows() -> Built {
    let nodes = vec![node("ReduceMean", &["x", "axes"], &["y"], vec![int("keepdims", 1)])];
    let shape = ["rows", "2"];
    let built = model(nodes, vec![tensor("x", F32, &shape)], vec![tensor("y", F32, &["?", "2"])]);
    built.with(vec![int64s("axes", &[1], &[0])])
}

#[test]
fn one_row_for_three_callers_reaches_none_of_them() {
    for engine in EngineName::ALL {
        let batcher = Rc::new(batcher(*engine, &mean_of_rows(), &Settings::default()));
        on_one_thread(async {
            for round in 0..2 {
                let answers = at_once(&batcher, one_row_each(&[1.0, 5.0, 9.0])).await;
                for (answer, own) in answers.iter().zip([1.0, 5.0, 9.0]) {
                    assert_eq!(numbers(answer, "y"), [own, own], "{engine}, round {round}");
                    assert_eq!(answer.calls, 1, "{engine}, round {round}");
                }
            }
        });
    }
}

/// Takes one row only, although its signature says any number.
fn one_row_inside() -> Built {
    let nodes = vec![
        node("Reshape", &["x", "one row"], &["reshaped"], vec![]),
        node("Neg", &["reshaped"], &["y"], vec![]),
    ];
    let shape = ["rows", "2"];
    let built = model(nodes, vec![tensor("x", F32, &shape)], vec![tensor("y", F32, &shape)]);
    built.with(vec![int64s("one row", &[2], &[1, 2])])
}

#[test]
fn a_model_that_takes_one_row_only_is_found_out_once_and_nobody_suffers() {
    for engine in EngineName::ALL {
        let batcher = Rc::new(batcher(*engine, &one_row_inside(), &Settings::default()));
        let answers = on_one_thread(at_once(&batcher, one_row_each(&[1.0, 2.0, 3.0])));
        for (answer, own) in answers.iter().zip([1.0, 2.0, 3.0]) {
            assert_eq!(numbers(answer, "y"), [-own, -own], "{engine}");
        }
    }
}
