//! The right rows to the right caller.

use std::rc::Rc;
use std::time::{Duration, Instant};

use modelet_core::{EngineName, Settings};

use crate::build::{Built, F32, float32s, model, node, tensor};
use crate::{at_once, batcher, floats, numbers, on_one_thread, send};

/// `double = 2 x` and `negative = -x`, for any width.
fn arithmetic() -> Built {
    let nodes =
        vec![node("Mul", &["x", "two"], &["double"], vec![]), node("Neg", &["x"], &["negative"], vec![])];
    let shape = ["rows", "width"];
    let outputs = vec![tensor("double", F32, &shape), tensor("negative", F32, &shape)];
    model(nodes, vec![tensor("x", F32, &shape)], outputs).with(vec![float32s("two", &[], &[2.0])])
}

#[test]
fn storms_of_mixed_shapes_give_everyone_their_own() {
    for engine in EngineName::ALL {
        for seed in 0..20_usize {
            storm(*engine, seed);
        }
    }
}

fn storm(engine: EngineName, seed: usize) {
    let settings = Settings { batch_max_rows: 16, ..Settings::default() };
    let batcher = Rc::new(batcher(engine, &arithmetic(), &settings));
    let mut together = 0;
    on_one_thread(async {
        let mut sent = Vec::new();
        for at in 0..64_usize {
            let draw = (at * 7 + seed * 13) % 41;
            let (rows, width) = (1 + draw % 5, 1 + draw % 3);
            let data: Vec<f32> = (0..rows * width).map(|i| (at * 1_000 + i) as f32).collect();
            let only = draw.is_multiple_of(4).then(|| vec!["negative".to_owned()]);
            let call = send(&batcher, vec![floats("x", &[rows, width], data.clone())], only.clone());
            sent.push((data, only, call));
            if draw.is_multiple_of(6) {
                tokio::task::yield_now().await;
            }
        }
        for (data, only, call) in sent {
            let answer = call.await.unwrap();
            assert_eq!(numbers(&answer, "negative"), data.iter().map(|x| -x).collect::<Vec<_>>());
            if only.is_none() {
                assert_eq!(numbers(&answer, "double"), data.iter().map(|x| 2.0 * x).collect::<Vec<_>>());
            }
            assert!(answer.rows <= 16, "{} rows, the limit is 16", answer.rows);
            together += usize::from(answer.calls > 1);
            assert_eq!(answer.outputs.unwrap().len(), if only.is_some() { 1 } else { 2 });
        }
    });
    assert!(together > 32, "only {together} of 64 calls were computed with others: seed {seed}");
}

#[test]
fn a_clients_own_rows_go_whole_and_more_than_the_limit_alone() {
    let settings = Settings { batch_max_rows: 8, ..Settings::default() };
    let batcher = Rc::new(batcher(EngineName::Rten, &arithmetic(), &settings));
    let calls: Vec<_> = [1_usize, 100, 7, 8, 9, 0, 1]
        .into_iter()
        .map(|n| (n, vec![floats("x", &[n, 1], vec![n as f32; n])]))
        .collect();
    let answers = on_one_thread(at_once(&batcher, calls.iter().map(|(_, inputs)| inputs.clone()).collect()));
    for ((rows, _), answer) in calls.iter().zip(&answers) {
        assert_eq!(numbers(answer, "double"), vec![2.0 * *rows as f32; *rows]);
    }
    let found: Vec<_> = answers.iter().map(|c| (c.calls, c.rows)).collect();
    assert_eq!(found, [(2, 8), (1, 100), (2, 8), (1, 8), (1, 9), (1, 0), (1, 1)]);
}

#[test]
fn a_call_whose_inputs_have_different_rows_goes_alone() {
    let shape = ["?", "?"];
    let nodes = vec![node("Neg", &["a"], &["c"], vec![]), node("Neg", &["b"], &["d"], vec![])];
    let inputs = vec![tensor("a", F32, &shape), tensor("b", F32, &shape)];
    let both = model(nodes, inputs, vec![tensor("c", F32, &shape), tensor("d", F32, &shape)]);
    let batcher = Rc::new(batcher(EngineName::Rten, &both, &Settings::default()));
    let call = |a: usize, b: usize| {
        vec![floats("a", &[a, 1], vec![a as f32; a]), floats("b", &[b, 1], vec![b as f32; b])]
    };
    let answers = on_one_thread(at_once(&batcher, vec![call(2, 3), call(3, 2), call(1, 1), call(4, 4)]));
    for (answer, (a, b)) in answers.iter().zip([(2, 3), (3, 2), (1, 1), (4, 4)]) {
        assert_eq!(numbers(answer, "c"), vec![-(a as f32); a]);
        assert_eq!(numbers(answer, "d"), vec![-(b as f32); b]);
    }
    let calls: Vec<_> = answers.iter().map(|answer| answer.calls).collect();
    assert_eq!(calls, [1, 1, 2, 2]);
}

#[test]
fn a_wait_ends_when_every_call_that_can_come_is_there_or_the_time_is_over() {
    let waiting = |concurrency, batch_max_wait_ms| {
        let settings = Settings { concurrency, batch_max_wait_ms, ..Settings::default() };
        let batcher = Rc::new(batcher(EngineName::Rten, &arithmetic(), &settings));
        on_one_thread(async {
            let started = Instant::now();
            let one = || vec![floats("x", &[1, 1], vec![1.0])];
            let first = send(&batcher, one(), None);
            tokio::time::sleep(Duration::from_millis(20)).await;
            let second = send(&batcher, one(), None);
            let calls = (first.await.unwrap().calls, second.await.unwrap().calls);
            (calls, started.elapsed())
        })
    };
    let (calls, took) = waiting(2, 60_000);
    assert_eq!(calls, (2, 2));
    assert!(took < Duration::from_secs(30), "{took:?}: both calls were there");
    let (calls, took) = waiting(16, 2_000);
    assert_eq!(calls, (2, 2));
    assert!(took >= Duration::from_millis(2_000), "{took:?}: a third could have come");
    assert_eq!(waiting(16, 0).0, (1, 1), "no wait: 20 ms later is too late");
}

#[test]
fn a_caller_that_leaves_takes_nobody_along() {
    let settings = Settings { concurrency: 3, batch_max_wait_ms: 60_000, ..Settings::default() };
    let batcher = Rc::new(batcher(EngineName::Rten, &arithmetic(), &settings));
    on_one_thread(async {
        let x = |value: f32| vec![floats("x", &[1, 1], vec![value])];
        let leaver = send(&batcher, x(1.0), None);
        let stays = send(&batcher, x(2.0), None);
        tokio::task::yield_now().await;
        leaver.abort();
        let late = send(&batcher, x(3.0), None);
        let (stays, late) = (stays.await.unwrap(), late.await.unwrap());
        assert_eq!((numbers(&stays, "double"), numbers(&late, "double")), (&[4.0][..], &[6.0][..]));
        assert_eq!(stays.calls, 2, "nothing is computed for the one that left");
    });
}

#[test]
fn processor_time_is_shared_by_rows() {
    let batcher = Rc::new(batcher(EngineName::Rten, &arithmetic(), &Settings::default()));
    let calls = [1_usize, 3].map(|rows| vec![floats("x", &[rows, 1_000], vec![1.0; rows * 1_000])]);
    let answers = on_one_thread(at_once(&batcher, calls.to_vec()));
    let [one, three] = [0, 1].map(|at| answers[at].used.as_secs_f64());
    assert_eq!(answers[0].calls, 2);
    assert!(one > 0.0 && (three / one - 3.0).abs() < 0.01, "{one} s and {three} s");
}
