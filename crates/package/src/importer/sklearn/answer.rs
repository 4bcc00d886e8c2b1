//! From sums to what `predict` and `predict_proba` answer, in float64.

use modelet_core::{DType, Data, Dim, Numbers, Tensor};
use modelet_model::onnx::write::{Attribute, GraphWriter, OWN};

use crate::importer::classes::{Classes, LABEL, PROBABILITIES};
use crate::importer::ensemble::Ensemble;
use crate::importer::links;
use crate::pickle::Asked;

const PREDICTION: &str = "prediction";
/// `TensorProto.DataType` of indices.
pub(super) const INT64: i64 = 7;
/// … and of float64 numbers.
pub(super) const DOUBLE: i64 = 11;

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
    /// 1 where a number is above a threshold, else 0, as an index.
    fn is_above(&mut self, from: &str, threshold: f64, to: &str);
    /// The index of the largest number of a row, of equal ones the first.
    fn largest(&mut self, from: &str, to: &str);
    /// The index of the smallest number of a row, of equal ones the first.
    fn smallest(&mut self, from: &str, to: &str);
    /// … of the largest, of equal ones the last.
    fn last_largest(&mut self, from: &str, to: &str);
    /// The answer of a regression: a number for each row, or several.
    fn predict(&mut self, from: &str, targets: usize);
    /// … several for each row, also where it is one.
    fn predict_table(&mut self, from: &str, targets: usize);
    /// A constant with the numbers of a matrix, row by row.
    fn matrix(&mut self, name: &str, shape: [usize; 2], numbers: Vec<f64>) -> Asked<()>;
    /// What each number is of the sum of its row; where that is 0, equal shares.
    fn shares(&mut self, from: &str, classes: usize, to: &str);
    /// The index and the probabilities that follow from logarithms of likelihoods; classes are written by the caller.
    fn posterior(&mut self, from: &str);
    /// What `decision_function` makes of sums: of one for two classes a number.
    fn decision_of_sums(&mut self, from: &str, targets: usize);
    /// What `decision_function` makes of a score for each class: of two the difference.
    fn decision_of_scores(&mut self, from: &str, classes: usize);
    /// `label`, which is 1 where a number is at least 0 and else -1, and the numbers as `decision`: of a column of a table.
    fn inside(&mut self, from: &str);
    /// … which is 1 only where it is above 0.
    fn outside_at_zero(&mut self, from: &str);
    /// The answer of a classifier of which the index is there: its label, and its probabilities where it has some, or else what
    /// `decision_function` says, so many numbers.
    fn classify(&mut self, classes: Classes, decisions: usize);
    /// 1 in the column of each index, else 0.
    fn one_hot(&mut self, index: &str, width: usize, to: &str);
    /// The sum of tables, in their order.
    fn total(&mut self, tables: &[String], to: &str);
    /// Truths or whole numbers as float64.
    fn as_numbers(&mut self, from: &str, to: &str);
    /// An index for each row as the answer.
    fn cluster(&mut self, from: &str);
    /// A constant with one row as often as there are rows.
    fn repeated(&mut self, constant: &str, width: usize, input: &str, to: &str);
    /// A vector as a table of one column; returns its name.
    fn as_column(&mut self, from: &str) -> String;
    /// Tables side by side.
    fn beside(&mut self, tables: &[&str], to: &str);
    /// Some columns of a table.
    fn columns(&mut self, from: &str, which: &[usize], to: &str);
    /// One column of a table, as a vector.
    fn pick(&mut self, from: &str, column: usize, to: &str);
    /// A table as the numbers of each row added up, as a table of one column.
    fn row_sums(&mut self, from: &str, to: &str);
    /// A table as it is, of which rows with other numbers than these are refused.
    fn within(&mut self, from: &str, numbers: Numbers, to: &str);
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
        links::logistic(self, from, to);
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

    fn is_above(&mut self, from: &str, threshold: f64, to: &str) {
        self.scalar("threshold", threshold);
        self.apply("Greater", &[from, "threshold"], "is_above");
        self.node(("", "Cast"), &["is_above"], to, vec![("to", Attribute::Int(INT64))]);
    }

    fn largest(&mut self, from: &str, to: &str) {
        let axis = vec![("axis", Attribute::Int(1)), ("keepdims", Attribute::Int(0))];
        self.node(("", "ArgMax"), &[from], to, axis);
    }

    fn smallest(&mut self, from: &str, to: &str) {
        let axis = vec![("axis", Attribute::Int(1)), ("keepdims", Attribute::Int(0))];
        self.node(("", "ArgMin"), &[from], to, axis);
    }

    fn last_largest(&mut self, from: &str, to: &str) {
        let flags = [("axis", 1), ("keepdims", 0), ("select_last_index", 1)];
        let flags = flags.into_iter().map(|(name, flag)| (name, Attribute::Int(flag))).collect();
        self.node(("", "ArgMax"), &[from], to, flags);
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

    fn matrix(&mut self, name: &str, shape: [usize; 2], numbers: Vec<f64>) -> Asked<()> {
        let tensor = Tensor::new(shape.to_vec(), Data::F64(numbers)).map_err(|error| error.to_string())?;
        self.constant(name, &tensor);
        Ok(())
    }

    fn shares(&mut self, from: &str, classes: usize, to: &str) {
        self.scalar("nothing", 0.0);
        self.scalar("equal_share", 1.0 / classes as f64);
        self.row_sums(from, "total");
        self.apply("Equal", &["total", "nothing"], "is_nothing");
        self.apply("Div", &[from, "total"], "shares");
        self.apply("Where", &["is_nothing", "equal_share", "shares"], to);
    }

    fn posterior(&mut self, from: &str) {
        self.largest(from, "index");
        self.constant("each_row", &Tensor::vector(vec![1_i64]));
        self.apply("ReduceMax", &[from, "each_row"], "likeliest");
        self.apply("Sub", &[from, "likeliest"], "less_likely");
        self.apply("Exp", &["less_likely"], "likelihoods");
        self.row_sums("likelihoods", "likelihood");
        self.apply("Log", &["likelihood"], "log_likelihood");
        self.apply("Add", &["likeliest", "log_likelihood"], "evidence");
        self.apply("Sub", &[from, "evidence"], "log_probabilities");
        self.apply("Exp", &["log_probabilities"], PROBABILITIES);
    }

    fn decision_of_sums(&mut self, from: &str, targets: usize) {
        match targets {
            1 => self.pick(from, 0, "decision"),
            _ => self.apply("Identity", &[from], "decision"),
        }
    }

    fn decision_of_scores(&mut self, from: &str, classes: usize) {
        if classes == 2 {
            self.pick(from, 0, "first_score");
            self.pick(from, 1, "second_score");
            self.apply("Sub", &["second_score", "first_score"], "decision");
        } else {
            self.apply("Identity", &[from], "decision");
        }
    }

    fn inside(&mut self, from: &str) {
        tell(self, from, "GreaterOrEqual");
    }

    fn outside_at_zero(&mut self, from: &str) {
        tell(self, from, "Greater");
    }

    fn classify(&mut self, classes: Classes, decisions: usize) {
        if self.makes(PROBABILITIES) {
            classes.write(self, "index");
            return;
        }
        classes.label(self, "index");
        if self.makes("decision") {
            let width = (decisions > 1).then_some(Dim::Fixed(decisions));
            let rows = std::iter::once(Dim::Named("rows".to_owned()));
            self.output("decision", DType::F64, &rows.chain(width).collect::<Vec<_>>());
        }
    }

    fn one_hot(&mut self, index: &str, width: usize, to: &str) {
        let (column, all, are) = (self.as_column(index), format!("{to}_all"), format!("{to}_are"));
        self.constant(&all, &Tensor::vector((0..width as i64).collect::<Vec<_>>()));
        self.apply("Equal", &[&column, &all], &are);
        self.as_numbers(&are, to);
    }

    fn total(&mut self, tables: &[String], to: &str) {
        self.apply("Sum", &tables.iter().map(String::as_str).collect::<Vec<_>>(), to);
    }

    fn as_numbers(&mut self, from: &str, to: &str) {
        self.node(("", "Cast"), &[from], to, vec![("to", Attribute::Int(DOUBLE))]);
    }

    fn cluster(&mut self, from: &str) {
        self.apply("Identity", &[from], LABEL);
        self.output(LABEL, DType::I64, &[Dim::Named("rows".to_owned())]);
    }

    fn repeated(&mut self, constant: &str, width: usize, input: &str, to: &str) {
        self.constant("first_dimension", &Tensor::vector(vec![0_i64]));
        self.constant("row_width", &Tensor::vector(vec![width as i64]));
        self.apply("Shape", &[input], "input_shape");
        self.node(
            ("", "Gather"),
            &["input_shape", "first_dimension"],
            "row_count",
            vec![("axis", Attribute::Int(0))],
        );
        self.node(
            ("", "Concat"),
            &["row_count", "row_width"],
            "table_shape",
            vec![("axis", Attribute::Int(0))],
        );
        self.apply("Expand", &[constant, "table_shape"], to);
    }

    fn as_column(&mut self, from: &str) -> String {
        let (to, axis) = (format!("{from}_column"), format!("{from}_columns_axis"));
        self.constant(&axis, &Tensor::vector(vec![1_i64]));
        self.apply("Unsqueeze", &[from, &axis], &to);
        to
    }

    fn beside(&mut self, tables: &[&str], to: &str) {
        self.node(("", "Concat"), tables, to, vec![("axis", Attribute::Int(1))]);
    }

    fn columns(&mut self, from: &str, which: &[usize], to: &str) {
        let name = format!("{to}_which");
        let which: Vec<i64> = which.iter().map(|column| *column as i64).collect();
        self.constant(&name, &Tensor::vector(which));
        self.node(("", "Gather"), &[from, &name], to, vec![("axis", Attribute::Int(1))]);
    }

    fn pick(&mut self, from: &str, column: usize, to: &str) {
        let (one, axis) = (format!("{to}_picked"), format!("{to}_picked_axis"));
        self.columns(from, &[column], &one);
        self.constant(&axis, &Tensor::vector(vec![1_i64]));
        self.apply("Squeeze", &[&one, &axis], to);
    }

    fn row_sums(&mut self, from: &str, to: &str) {
        let axis = format!("{to}_axis");
        self.constant(&axis, &Tensor::vector(vec![1_i64]));
        self.apply("ReduceSum", &[from, &axis], to);
    }

    fn within(&mut self, from: &str, numbers: Numbers, to: &str) {
        let largest = Tensor::vector(vec![numbers.largest]);
        let settings = vec![
            ("missing", Attribute::Int(numbers.missing.into())),
            ("largest", Attribute::Tensor(largest)),
        ];
        self.node((OWN, "Within"), &[from], to, settings);
    }

    fn apply(&mut self, op: &str, inputs: &[&str], to: &str) {
        self.node(("", op), inputs, to, vec![]);
    }
}

/// Writes what is inside and what is not, by a comparison with 0.
fn tell(graph: &mut GraphWriter, from: &str, comparison: &str) {
    graph.pick(from, 0, "decision");
    graph.scalar("border", 0.0);
    graph.constant("is_inside", &Tensor::vector(vec![1_i64]));
    graph.constant("is_outside", &Tensor::vector(vec![-1_i64]));
    graph.apply(comparison, &["decision", "border"], "are_inside");
    graph.apply("Where", &["are_inside", "is_inside", "is_outside"], LABEL);
    let rows = [Dim::Named("rows".to_owned())];
    graph.output(LABEL, DType::I64, &rows);
    graph.output("decision", DType::F64, &rows);
}

/// A matrix, row by row, with rows and columns exchanged; `columns` is how many it had.
pub(super) fn turned(numbers: &[f64], columns: usize) -> Vec<f64> {
    (0..columns).flat_map(|column| numbers.iter().skip(column).step_by(columns).copied()).collect()
}
