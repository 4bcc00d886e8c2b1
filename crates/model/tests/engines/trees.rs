//! Random trees through the engine `tabular`, against an evaluator that does one comparison after the other, and against ONNX
//! Runtime; and trees that are damaged.

mod written;

use modelet_core::{Code, Data, EngineName, Tensor, Value};
use modelet_model::compare;

use crate::build::{
    Built, F32, F64, I64, U8, float32s, floats, int, ints, ml, model, raw, tensor, tensor_setting, text,
    texts,
};
use crate::load;
use crate::onnx::{AttributeProto, NodeProto};
use crate::random::Random;
use written::{ByBranch, ByNode};

const FEATURES: usize = 4;
const DEPTH: usize = 7;
const MODES: [&str; 6] = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"];
const MEMBER: usize = 6;
/// Batches of rows: a row alone, less than the walks done at once, as many, and more in several blocks.
const BATCHES: [usize; 5] = [1, 7, 16, 40, 100];

enum Node {
    Leaf(Vec<(usize, f64)>),
    Branch(Box<Branch>),
}

struct Branch {
    feature: usize,
    mode: usize,
    threshold: f64,
    members: Vec<f64>,
    missing_is_yes: bool,
    yes: Node,
    no: Node,
}

/// What random trees are made of.
#[derive(Clone, Copy)]
struct Kind {
    targets: usize,
    /// A leaf of these adds to each target; of others to one.
    all_targets: bool,
    modes: usize,
    double: bool,
    trees: usize,
    /// Forms that ONNX Runtime 1.28 has not, or reads wrongly: sets of other numbers than whole ones, and trees of version 5
    /// that are one leaf.
    ours_alone: bool,
}

impl Kind {
    /// A number as the trees' type has it.
    fn round(self, number: f64) -> f64 {
        if self.double { number } else { f64::from(number as f32) }
    }

    fn member(self, random: &mut Random) -> f64 {
        match self.ours_alone {
            true => self.round(interesting(random) + 0.125),
            false => 1.0 + random.below(70) as f64 % 9.0,
        }
    }

    fn trees(self, random: &mut Random) -> Vec<Node> {
        (0..self.trees).map(|_| self.node(random, DEPTH)).collect()
    }

    fn node(self, random: &mut Random, depth: usize) -> Node {
        let root = depth == DEPTH && !self.ours_alone;
        if depth == 0 || !root && random.below(5) == 0 {
            let weight = |random: &mut Random| self.round(random.float() * 2.0 - 1.0);
            return Node::Leaf(match self.all_targets {
                true => (0..self.targets).map(|target| (target, weight(random))).collect(),
                false => vec![(random.below(self.targets), weight(random))],
            });
        }
        let mode = random.below(self.modes);
        Node::Branch(Box::new(Branch {
            feature: random.below(FEATURES),
            mode,
            threshold: self.round(interesting(random)),
            members: (0..1 + random.below(5)).map(|_| self.member(random)).collect(),
            missing_is_yes: random.below(2) == 0,
            yes: self.node(random, depth - 1),
            no: self.node(random, depth - 1),
        }))
    }
}

/// Numbers that meet: small ones on a grid, zeros of both signs, and any.
fn interesting(random: &mut Random) -> f64 {
    match random.below(8) {
        0 => 0.0,
        1 => -0.0,
        2 => random.float() * 1e-3,
        3 => random.float() * 40.0 - 20.0,
        _ => random.below(9) as f64 - 2.0,
    }
}

/// Rows of numbers that meet, their neighbours, and numbers at the ends.
fn rows(random: &mut Random, rows: usize, kind: Kind) -> Vec<f64> {
    let one = |random: &mut Random| {
        let number = kind.round(interesting(random));
        match random.below(10) {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => f64::NEG_INFINITY,
            3 if kind.double => number.next_up(),
            4 if kind.double => number.next_down(),
            3 => f64::from((number as f32).next_up()),
            4 => f64::from((number as f32).next_down()),
            _ => number,
        }
    };
    (0..rows * FEATURES).map(|_| one(random)).collect()
}

/// The leaf that a row reaches, one comparison after the other.
fn leaf<'a>(node: &'a Node, row: &[f64]) -> &'a [(usize, f64)] {
    match node {
        Node::Leaf(weights) => weights,
        Node::Branch(branch) => {
            let (x, t) = (row[branch.feature], branch.threshold);
            let passes = match branch.mode {
                0 => x <= t,
                1 => x < t,
                2 => x >= t,
                3 => x > t,
                4 => x == t,
                5 => x != t,
                _ => branch.members.contains(&x),
            };
            let passes = passes || x.is_nan() && branch.missing_is_yes;
            leaf(if passes { &branch.yes } else { &branch.no }, row)
        }
    }
}

/// The sums of all rows, in the order of the trees and the type of the trees.
fn expected(trees: &[Node], data: &[f64], kind: Kind) -> Vec<f64> {
    let mut sums = Vec::new();
    for row in data.chunks(FEATURES) {
        let mut sum = vec![0.0; kind.targets];
        for (target, weight) in trees.iter().flat_map(|tree| leaf(tree, row)) {
            sum[*target] = kind.round(sum[*target] + weight);
        }
        sums.extend(sum);
    }
    sums
}

/// A model of one node that takes a table.
fn table(node: NodeProto, version: i64, from: i32, outputs: &[(&str, i32)]) -> Built {
    let columns = FEATURES.to_string();
    let outputs = outputs
        .iter()
        .map(|(name, dtype)| tensor(name, *dtype, if *name == "L" { &["n"] } else { &["n", "?"] }));
    let mut built = model(vec![node], vec![tensor("x", from, &["n", &columns])], outputs.collect());
    built.model.opset_import[1].version = Some(version);
    built
}

fn as_tensor(data: &[f64], columns: usize, double: bool) -> Tensor {
    let data = match double {
        true => Data::F64(data.to_vec()),
        false => Data::F32(data.iter().map(|x| *x as f32).collect()),
    };
    Tensor::new(vec![data.len() / columns, columns], data).unwrap()
}

type Answer = Vec<(String, Value)>;

fn answer(engine: EngineName, built: &Built, x: &Tensor) -> Answer {
    load(engine, built).unwrap().predict(vec![("x".into(), x.clone())], None).unwrap()
}

/// Asks both engines about batches of rows; `check` sees what `tabular` answers.
fn ask_both(seed: u64, built: &Built, trees: &[Node], kind: Kind, check: impl Fn(&Answer, Vec<f64>)) {
    let mut random = Random(seed);
    for count in BATCHES {
        let data = rows(&mut random, count, kind);
        let x = as_tensor(&data, FEATURES, kind.double);
        let found = answer(EngineName::Tabular, built, &x);
        check(&found, expected(trees, &data, kind));
        if kind.ours_alone {
            continue;
        }
        let reference = answer(EngineName::Onnxruntime, built, &x);
        compare(&found, &reference, 1e-5, 1e-6)
            .unwrap_or_else(|differs| panic!("seed {seed}, {count} rows: {differs}"));
    }
}

#[test]
fn regressions_are_bit_for_bit_what_the_comparisons_say() {
    for seed in 0..40 {
        let double = seed % 2 == 1;
        let kind = Kind {
            targets: 1 + seed as usize % 3,
            all_targets: seed % 5 == 0,
            modes: 6,
            double,
            trees: 1 + seed as usize % 37,
            ours_alone: false,
        };
        let trees = kind.trees(&mut Random(seed));
        let settings =
            [ByNode::settings(&trees, double, "target"), vec![int("n_targets", kind.targets as i64)]]
                .concat();
        let from = if double { F64 } else { F32 };
        let built = table(ml("TreeEnsembleRegressor", &["x"], &["y"], settings), 3, from, &[("y", F32)]);
        ask_both(seed, &built, &trees, kind, |found, sums| {
            let sums = as_tensor(&sums, kind.targets, false);
            assert_eq!(found[0].1, Value::Tensor(sums), "seed {seed}");
        });
    }
}

#[test]
fn trees_of_version_5_are_bit_for_bit_what_the_comparisons_say() {
    for seed in 100..140 {
        let double = seed % 2 == 1;
        let kind = Kind {
            targets: 1 + seed as usize % 3,
            all_targets: false,
            modes: 7,
            double,
            trees: 1 + seed as usize % 23,
            ours_alone: seed % 4 >= 2,
        };
        let trees = kind.trees(&mut Random(seed));
        let dtype = if double { F64 } else { F32 };
        let node = ml("TreeEnsemble", &["x"], &["y"], ByBranch::settings(&trees, kind));
        let built = table(node, 5, dtype, &[("y", dtype)]);
        ask_both(seed, &built, &trees, kind, |found, sums| {
            assert_eq!(found[0].1, Value::Tensor(as_tensor(&sums, kind.targets, double)), "seed {seed}");
        });
    }
}

#[test]
fn a_tree_of_one_leaf_is_answered_by_tabular_and_refused_by_onnx_runtime() {
    let kind = Kind { targets: 1, all_targets: false, modes: 1, double: false, trees: 2, ours_alone: true };
    let branch = Branch {
        feature: 0,
        mode: 0,
        threshold: 1.0,
        members: vec![],
        missing_is_yes: false,
        yes: Node::Leaf(vec![(0, 1.0)]),
        no: Node::Leaf(vec![(0, 2.0)]),
    };
    let trees = [Node::Leaf(vec![(0, 0.5)]), Node::Branch(Box::new(branch))];
    let built = |trees: &[Node]| {
        table(ml("TreeEnsemble", &["x"], &["y"], ByBranch::settings(trees, kind)), 5, F32, &[("y", F32)])
    };
    let found =
        answer(EngineName::Tabular, &built(&trees), &as_tensor(&[0.0, 0.0, 0.0, 0.0], FEATURES, false));
    assert_eq!(found[0].1, Value::Tensor(as_tensor(&[1.5], 1, false)));
    let error = load(EngineName::Onnxruntime, &built(&trees)).map(|_| ()).unwrap_err();
    assert!(error.message.ends_with("a tree that is one leaf is read as another one"), "{error}");
    assert!(load(EngineName::Onnxruntime, &built(&trees[1..])).is_ok(), "two leaves");
}

#[test]
fn classifiers_label_and_score_as_the_reference_does() {
    for seed in 200..230 {
        // Two classes have one score, which is the odds of the second; more have one each.
        let classes = 2 + seed as usize % 3;
        let targets = if classes == 2 { 1 } else { classes };
        let kind = Kind {
            targets,
            all_targets: true,
            modes: 6,
            double: false,
            trees: 1 + seed as usize % 20,
            ours_alone: false,
        };
        let trees = kind.trees(&mut Random(seed));
        let post = if classes == 2 {
            "LOGISTIC"
        } else {
            ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"][seed as usize % 4]
        };
        let labels: Vec<i64> = (0..classes as i64).map(|label| label * 3 - 1).collect();
        let more = vec![ints("classlabels_int64s", &labels), text("post_transform", post)];
        let settings = [ByNode::settings(&trees, false, "class"), more].concat();
        let built = table(
            ml("TreeEnsembleClassifier", &["x"], &["L", "P"], settings),
            3,
            F32,
            &[("L", I64), ("P", F32)],
        );
        // A single tree may have no weight below zero, a form that is refused.
        if let Err(error) = load(EngineName::Tabular, &built) {
            assert!(error.message.contains("do not agree about"), "seed {seed}: {error}");
            continue;
        }
        ask_both(seed, &built, &trees, kind, |found, _| assert_eq!(found.len(), 2));
    }
}

/// Changes one thing in the settings of the only node.
fn damage(node: &mut NodeProto, random: &mut Random) {
    let at = random.below(node.attribute.len());
    let odd = [-1, 0, 1, 2, 7, 1 << 20, i64::MAX, i64::MIN][random.below(8)];
    let setting = &mut node.attribute[at];
    match random.below(5) {
        0 => setting.ints.truncate(random.below(setting.ints.len() + 1)),
        1 => setting.i = setting.i.map(|_| odd),
        2 => {
            node.attribute.remove(at);
        }
        3 if setting.t.is_some() => {
            if let Some(raw) = setting.t.as_mut().and_then(|t| t.raw_data.as_mut()) {
                raw.truncate(random.below(raw.len() + 1));
            }
        }
        _ if !setting.ints.is_empty() => {
            let place = random.below(setting.ints.len());
            setting.ints[place] = if random.below(2) == 0 { odd } else { random.below(40) as i64 };
        }
        _ => setting.floats.truncate(random.below(setting.floats.len() + 1)),
    }
}

#[test]
fn damaged_trees_are_refused_or_answered_and_nothing_else() {
    let mut refused = 0;
    for seed in 0..1_500 {
        let mut random = Random(seed);
        let kind = Kind {
            targets: 2,
            all_targets: false,
            modes: if seed % 2 == 0 { 7 } else { 6 },
            double: false,
            trees: 3,
            ours_alone: true,
        };
        let trees = kind.trees(&mut random);
        let mut node = match seed % 2 {
            0 => ml("TreeEnsemble", &["x"], &["y"], ByBranch::settings(&trees, kind)),
            _ => ml("TreeEnsembleRegressor", &["x"], &["y"], ByNode::settings(&trees, false, "target")),
        };
        for _ in 0..1 + random.below(3) {
            damage(&mut node, &mut random);
        }
        let built = table(node, if seed % 2 == 0 { 5 } else { 3 }, F32, &[("y", F32)]);
        match load(EngineName::Tabular, &built) {
            Err(error) => {
                assert_eq!(error.code, Code::ModelRefused, "seed {seed}: {error}");
                assert!(!error.message.contains("gave up"), "seed {seed}: {error}");
                refused += 1;
            }
            Ok(mut loaded) => {
                let x = as_tensor(&rows(&mut random, 20, kind), FEATURES, false);
                if let Err(error) = loaded.predict(vec![("x".into(), x)], None) {
                    assert!(!error.message.contains("gave up"), "seed {seed}: {error}");
                }
            }
        }
    }
    assert!(refused > 300, "{refused}");
}

#[test]
fn branches_that_lead_in_a_circle_are_refused() {
    let settings = |yes: [i64; 2]| {
        vec![
            ints("nodes_featureids", &[0, 0]),
            tensor_setting("nodes_modes", raw(U8, &[2], vec![0, 0])),
            tensor_setting("nodes_splits", float32s("", &[2], &[1.0, 2.0])),
            ints("nodes_truenodeids", &yes),
            ints("nodes_trueleafs", &[0, 0]),
            ints("nodes_falsenodeids", &[0, 0]),
            ints("nodes_falseleafs", &[1, 1]),
            ints("leaf_targetids", &[0]),
            tensor_setting("leaf_weights", float32s("", &[1], &[1.0])),
            ints("tree_roots", &[0]),
            int("n_targets", 1),
        ]
    };
    for yes in [[0, 0], [1, 0], [1, 1]] {
        let built = table(ml("TreeEnsemble", &["x"], &["y"], settings(yes)), 5, F32, &[("y", F32)]);
        let error = load(EngineName::Tabular, &built).map(|_| ()).unwrap_err();
        assert!(error.message.ends_with("a node that two branches lead to"), "{error}");
    }
}
