//! From sums to what `predict` and `predict_proba` answer, in float64.

use modelet_core::{DType, Dim, Tensor};
use modelet_model::onnx::write::{Attribute, GraphWriter};

use crate::importer::classes::PROBABILITIES;
use crate::importer::ensemble::Ensemble;
use crate::pickle::Asked;

const PREDICTION: &str = "prediction";
/// `TensorProto.DataType` of indices.
const INT64: i64 = 7;

/// A graph's names and nodes for what several models need.
pub(super) trait Answer {
    /// A constant of one number.
    fn scalar(&mut self, name: &str, number: f64);
    /// The sums over the trees: `[rows, targets]`.
    fn trees(&mut self, ensemble: &Ensemble, input: &str, to: &str) -> Asked<()>;
    /// `1 / (1 + exp(-x))`
    fn logistic(&mut self, from: &str, to: &str);
    /// Over the numbers of a row.
    fn softmax(&mut self, from: &str, to: &str);
    /// The probabilities of two classes from that of the second.
    fn two_probabilities(&mut self, second: &str);
    /// 1 where a column's number is above 0 (or equal, where that counts), else 0; as an index without the column.
    fn is_positive(&mut self, from: &str, or_zero: bool, to: &str);
    /// The index of the largest number of a row, of equal ones the first.
    fn largest(&mut self, from: &str, to: &str);
    /// The answer of a regression: a number for each row, or several.
    fn predict(&mut self, from: &str, targets: usize);
    /// … several for each row, also where it is one.
    fn predict_table(&mut self, from: &str, targets: usize);
    /// One operator of the standard domain without settings.
    fn apply(&mut self, op: &str, inputs: &[&str], to: &str);
}

impl Answer for GraphWriter {
    fn scalar(&mut self, name: &str, number: f64) {
        self.constant(name, &Tensor::vector(vec![number]));
    }

    fn trees(&mut self, ensemble: &Ensemble, input: &str, to: &str) -> Asked<()> {
        ensemble.write(self, input, to).map_err(|error| error.message)
    }

    fn logistic(&mut self, from: &str, to: &str) {
        self.scalar("unit", 1.0);
        self.apply("Neg", &[from], "exponent");
        self.apply("Exp", &["exponent"], "power");
        self.apply("Add", &["power", "unit"], "denominator");
        self.apply("Div", &["unit", "denominator"], to);
    }

    fn softmax(&mut self, from: &str, to: &str) {
        self.node(("", "Softmax"), &[from], to, vec![("axis", Attribute::Int(1))]);
    }

    fn two_probabilities(&mut self, second: &str) {
        self.scalar("whole", 1.0);
        self.apply("Sub", &["whole", second], "first");
        let axis = vec![("axis", Attribute::Int(1))];
        self.node(("", "Concat"), &["first", second], PROBABILITIES, axis);
    }

    fn is_positive(&mut self, from: &str, or_zero: bool, to: &str) {
        self.scalar("zero", 0.0);
        self.constant("only_column", &Tensor::vector(vec![1_i64]));
        self.node(("", "Squeeze"), &[from, "only_column"], "score", vec![]);
        let op = if or_zero { "GreaterOrEqual" } else { "Greater" };
        self.apply(op, &["score", "zero"], "is_second");
        self.node(("", "Cast"), &["is_second"], to, vec![("to", Attribute::Int(INT64))]);
    }

    fn largest(&mut self, from: &str, to: &str) {
        let axis = vec![("axis", Attribute::Int(1)), ("keepdims", Attribute::Int(0))];
        self.node(("", "ArgMax"), &[from], to, axis);
    }

    fn predict(&mut self, from: &str, targets: usize) {
        if targets == 1 {
            self.constant("last_axis", &Tensor::vector(vec![1_i64]));
            self.node(("", "Squeeze"), &[from, "last_axis"], PREDICTION, vec![]);
            self.output(PREDICTION, DType::F64, &[Dim::Named("rows".to_owned())]);
        } else {
            self.predict_table(from, targets);
        }
    }

    fn predict_table(&mut self, from: &str, targets: usize) {
        self.apply("Identity", &[from], PREDICTION);
        let shape = [Dim::Named("rows".to_owned()), Dim::Fixed(targets)];
        self.output(PREDICTION, DType::F64, &shape);
    }

    fn apply(&mut self, op: &str, inputs: &[&str], to: &str) {
        self.node(("", op), inputs, to, vec![]);
    }
}
