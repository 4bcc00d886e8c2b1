//! Trees by `tabular` and by ONNX Runtime on the same models, with one thread: 100 and 300 trees of 31 leaves, as LightGBM grows
//! them (the leaf with most rows is split next), over 20 columns; 1, 32 and 10,000 rows.
//!
//! ```text
//! cargo bench -p modelet-model                       # needs ONNX Runtime: modelet engines install
//! ```

#![allow(missing_docs, clippy::unwrap_used, reason = "a program that measures")]

#[path = "../tests/common/build.rs"]
mod build;
#[path = "../tests/common/onnx.rs"]
mod onnx;
#[path = "../tests/common/random.rs"]
mod random;

use std::path::PathBuf;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use modelet_core::{EngineName, Tensor};
use modelet_model::{LoadOptions, compare, engine};

use build::{Built, F32, floats, int, ints, ml, model, tensor, texts};
use random::Random;

const COLUMNS: usize = 20;
const LEAVES: usize = 31;
const TREES: [usize; 2] = [100, 300];
const ROWS: [usize; 3] = [1, 32, 10_000];

/// The lists of `TreeEnsembleRegressor`.
#[derive(Default)]
struct Lists {
    trees: Vec<i64>,
    nodes: Vec<i64>,
    modes: Vec<&'static str>,
    features: Vec<i64>,
    values: Vec<f32>,
    yes: Vec<i64>,
    no: Vec<i64>,
    missing: Vec<i64>,
    leaf_trees: Vec<i64>,
    leaf_nodes: Vec<i64>,
    weights: Vec<f32>,
}

impl Lists {
    /// Splits the leaf with most rows until there are enough: uniform numbers, so a threshold divides a leaf's share.
    fn grow(&mut self, tree: i64, random: &mut Random) {
        let base = self.nodes.len();
        let mut leaves = vec![(0_usize, 1.0_f64)];
        self.push(tree, 0);
        while leaves.len() < LEAVES {
            leaves.sort_by(|a, b| a.1.total_cmp(&b.1));
            let (at, share) = leaves.pop().unwrap();
            let threshold = 0.1 + 0.8 * random.float();
            let next = self.nodes.len() - base;
            self.modes[base + at] = "BRANCH_LEQ";
            self.features[base + at] = random.below(COLUMNS) as i64;
            self.values[base + at] = threshold as f32;
            (self.yes[base + at], self.no[base + at]) = (next as i64, next as i64 + 1);
            for (child, part) in [(next, threshold), (next + 1, 1.0 - threshold)] {
                self.push(tree, child as i64);
                leaves.push((child, share * part));
            }
        }
        for (leaf, _) in leaves {
            self.leaf_trees.push(tree);
            self.leaf_nodes.push(leaf as i64);
            self.weights.push(random.float() as f32 - 0.5);
        }
    }

    fn push(&mut self, tree: i64, node: i64) {
        self.trees.push(tree);
        self.nodes.push(node);
        self.modes.push("LEAF");
        self.features.push(0);
        self.values.push(0.0);
        self.yes.push(0);
        self.no.push(0);
        self.missing.push(0);
    }
}

fn ensemble(trees: usize) -> Built {
    let (mut lists, mut random) = (Lists::default(), Random(trees as u64));
    (0..trees).for_each(|tree| lists.grow(tree as i64, &mut random));
    let settings = vec![
        ints("nodes_treeids", &lists.trees),
        ints("nodes_nodeids", &lists.nodes),
        texts("nodes_modes", &lists.modes),
        ints("nodes_featureids", &lists.features),
        floats("nodes_values", &lists.values),
        ints("nodes_truenodeids", &lists.yes),
        ints("nodes_falsenodeids", &lists.no),
        ints("nodes_missing_value_tracks_true", &lists.missing),
        ints("target_treeids", &lists.leaf_trees),
        ints("target_nodeids", &lists.leaf_nodes),
        ints("target_ids", &vec![0; lists.weights.len()]),
        floats("target_weights", &lists.weights),
        int("n_targets", 1),
    ];
    let node = ml("TreeEnsembleRegressor", &["x"], &["y"], settings);
    model(vec![node], vec![tensor("x", F32, &["n", "20"])], vec![tensor("y", F32, &["n", "1"])])
}

fn options() -> LoadOptions {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cached = home.join(".cache/modelet").join(modelet_model::library::CACHE_FOLDER);
    let library = std::env::var_os("MODELET_ONNXRUNTIME")
        .map_or_else(|| cached.join(modelet_model::library::FILE_NAME), PathBuf::from);
    LoadOptions { onnxruntime_library: Some(library), ..LoadOptions::default() }
}

fn trees(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    for trees in TREES {
        let path = ensemble(trees).write(folder.path());
        let mut group = criterion.benchmark_group(format!("{trees} trees"));
        group.measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1)).sample_size(30);
        for rows in ROWS {
            let mut random = Random(rows as u64);
            // Other rows at each call, so that no processor learns the way down by heart.
            let mut batch = || -> Vec<(String, Tensor)> {
                let x: Vec<f32> = (0..rows * COLUMNS).map(|_| random.float() as f32).collect();
                vec![("x".to_owned(), Tensor::new(vec![rows, COLUMNS], x).unwrap())]
            };
            let batches: Vec<_> = (0..(1_000 / rows).max(1)).map(|_| batch()).collect();
            group.throughput(Throughput::Elements(rows as u64));
            let mut answers = Vec::new();
            for name in [EngineName::Tabular, EngineName::Onnxruntime] {
                let mut loaded = engine(name).load(&path, &options()).unwrap();
                answers.push(loaded.predict(batches[0].clone(), None).unwrap());
                group.bench_function(BenchmarkId::new(name.as_str(), rows), |bencher| {
                    let mut turn = batches.iter().cycle();
                    bencher.iter_batched(
                        || turn.next().unwrap().clone(),
                        |inputs| loaded.predict(inputs, None).unwrap(),
                        criterion::BatchSize::LargeInput,
                    );
                });
            }
            compare(&answers[0], &answers[1], 0.0, 0.0).unwrap();
        }
        group.finish();
    }
}

criterion_group!(benches, trees);
criterion_main!(benches);
