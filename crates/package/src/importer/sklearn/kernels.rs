//! How alike rows are to those that a model has kept, in a table of a column for each of them.

use modelet_model::onnx::write::{Attribute, GraphWriter, MORE};

use super::answer::{Answer, turned};
use super::centres::squared_distances;
use crate::pickle::{Asked, Item};

/// Most factors of a power.
const MAX_DEGREE: i64 = 64;

/// What is done with two rows.
pub(super) enum Kernel {
    /// Their product.
    Linear,
    /// `(gamma * product + coef0) ^ degree`
    Polynomial { gamma: f64, coef0: f64, degree: i64 },
    /// `exp(-gamma * distance²)`
    Radial { gamma: f64 },
    /// `tanh(gamma * product + coef0)`
    Sigmoid { gamma: f64, coef0: f64 },
}

impl Kernel {
    /// By its name, and the numbers that go with it.
    pub(super) fn new(name: &str, gamma: f64, model: &Item) -> Asked<Self> {
        let coef0 = || model.get("coef0")?.number();
        Ok(match name {
            "linear" => Self::Linear,
            "rbf" => Self::Radial { gamma },
            "sigmoid" => Self::Sigmoid { gamma, coef0: coef0()? },
            "poly" | "polynomial" => {
                let degree = model.get("degree")?;
                let whole = degree.integer().ok().filter(|degree| (0..=MAX_DEGREE).contains(degree));
                let whole = whole.ok_or_else(|| degree.not(&format!("a whole number up to {MAX_DEGREE}")))?;
                Self::Polynomial { gamma, coef0: coef0()?, degree: whole }
            }
            other => return Err(format!("its kernel {other}: importing it is not built yet")),
        })
    }

    /// Writes the table. Distances are taken column by column, as libsvm does, or by products, as scikit-learn itself does.
    pub(super) fn write(
        &self,
        graph: &mut GraphWriter,
        input: &str,
        (rows, features): (&[f64], usize),
        by_columns: bool,
    ) -> Asked<()> {
        let kept = rows.len() / features;
        if let Self::Radial { gamma } = self {
            if by_columns {
                graph.matrix("kept", [kept, features], rows.to_vec())?;
                let squared = vec![("metric", Attribute::Text("sqeuclidean"))];
                graph.node((MORE, "CDist"), &[input, "kept"], "distances_to_kept", squared);
            } else {
                squared_distances(graph, input, rows, features, "distances_to_kept")?;
            }
            graph.scalar("minus_gamma", -gamma);
            graph.apply("Mul", &["distances_to_kept", "minus_gamma"], "exponents");
            graph.apply("Exp", &["exponents"], "kernel");
            return Ok(());
        }
        graph.matrix("kept", [features, kept], turned(rows, features))?;
        match self {
            Self::Linear | Self::Radial { .. } => graph.apply("MatMul", &[input, "kept"], "kernel"),
            Self::Sigmoid { gamma, coef0 } => {
                line(graph, input, *gamma, *coef0);
                graph.apply("Tanh", &["line"], "kernel");
            }
            Self::Polynomial { gamma, coef0, degree } => {
                line(graph, input, *gamma, *coef0);
                power(graph, "line", *degree, "kernel");
            }
        }
        Ok(())
    }
}

/// `gamma * product + coef0`
fn line(graph: &mut GraphWriter, input: &str, gamma: f64, coef0: f64) {
    graph.scalar("gamma", gamma);
    graph.scalar("coef0", coef0);
    graph.apply("MatMul", &[input, "kept"], "products_with_kept");
    graph.apply("Mul", &["products_with_kept", "gamma"], "scaled_products");
    graph.apply("Add", &["scaled_products", "coef0"], "line");
}

/// A whole power by squares, as libsvm takes it.
fn power(graph: &mut GraphWriter, from: &str, degree: i64, to: &str) {
    graph.scalar("power_of_nothing", 1.0);
    graph.apply("Mul", &[from, "power_of_nothing"], "square0");
    let (mut product, mut left, mut step) = (None::<String>, degree, 0);
    while left > 0 {
        let square = format!("square{step}");
        if left % 2 == 1 {
            product = Some(match product {
                None => square.clone(),
                Some(before) => {
                    let next = format!("power{step}");
                    graph.apply("Mul", &[&before, &square], &next);
                    next
                }
            });
        }
        graph.apply("Mul", &[&square, &square], &format!("square{}", step + 1));
        (left, step) = (left / 2, step + 1);
    }
    match product {
        Some(product) => graph.apply("Identity", &[&product], to),
        None => {
            // Whatever the number, its power is 1.
            graph.apply("Equal", &[from, from], "are_numbers");
            graph.as_numbers("are_numbers", to);
        }
    }
}
