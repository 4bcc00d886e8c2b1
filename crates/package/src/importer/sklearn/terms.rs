//! `TfidfTransformer`: how often terms are in a text, weighed by how seldom they are in others.

use modelet_core::Tensor;
use modelet_model::onnx::write::Attribute;

use super::answer::Answer;
use super::fitted::Fitted;
use super::frame::Frame;
use super::product::LIMITED;
use super::selection::WHOLE;
use super::sparse::Sparse;
use super::steps::matrix;
use super::table::{Column, Effect, Table};
use crate::pickle::Asked;

/// The logarithm of a number is at most this far from 0, and 1 is added to it.
const LARGEST_LOGARITHM: f64 = 746.0;

/// Numbers, or 1 and their logarithms, times the weights of the columns, as rows of the length 1. What is zero stays zero.
pub(super) fn weighed(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let item = &fitted.item;
    let mut last = matrix(table, LIMITED, frame)?;
    let mut effect = Effect { stretch: 1.0, shift: 0.0 };
    let zeros = frame.fresh("zeros");
    frame.graph.scalar(&zeros, 0.0);
    let is_zero = frame.fresh("is zero");
    frame.graph.apply("Equal", &[&last, &zeros], &is_zero);
    let is_sublinear = item.get("sublinear_tf")?.flag()?;
    if is_sublinear {
        if table.columns().any(Column::follows_numbers) {
            return Err("its sublinear_tf takes logarithms of numbers as they are sent, of which those below 0 have none: put \
                        the vectoriser that makes them into the pipeline"
                .to_owned());
        }
        last = logarithm(&last, frame);
        effect.shift = LARGEST_LOGARITHM;
    }
    if let Some(weights) = weights(fitted)? {
        let largest = weights.iter().fold(0.0, |largest: f64, weight| largest.max(weight.abs()));
        effect = Effect { stretch: effect.stretch * largest, shift: effect.shift * largest };
        let [names, to] = ["weights", "weighed"].map(|what| frame.fresh(what));
        frame.graph.constant(&names, &Tensor::vector(weights));
        frame.graph.apply("Mul", &[&last, &names], &to);
        last = to;
    }
    // The logarithm of 0 counts for nothing.
    let mut held = frame.fresh("held");
    frame.graph.apply("Where", &[&is_zero, &zeros, &last], &held);
    if is_sublinear {
        // A hash may count less than 0, which has no logarithm: whatever comes behind refuses that.
        let finite = frame.fresh("finite");
        frame.graph.within(&held, WHOLE, &finite);
        held = finite;
    }
    let norm = item.get("norm")?;
    if norm.is_none() {
        return Ok(table.after(held, &effect));
    }
    let op = match norm.text()? {
        "l1" => "ReduceL1",
        "l2" => "ReduceL2",
        _ => return Err(norm.not("a norm that is known")),
    };
    let [by, to] = ["by", "terms"].map(|what| frame.fresh(what));
    length(op, &held, &zeros, &by, frame);
    frame.graph.apply("Div", &[&held, &by], &to);
    Ok(Table::of(to, vec![Column::within(1.0); table.width()]))
}

/// 1 and the logarithm.
fn logarithm(from: &str, frame: &mut Frame) -> String {
    let [unit, logarithm, to] = ["unit", "logarithm", "more"].map(|what| frame.fresh(what));
    frame.graph.scalar(&unit, 1.0);
    frame.graph.apply("Log", &[from], &logarithm);
    frame.graph.apply("Add", &[&logarithm, &unit], &to);
    to
}

/// The length of each row, and 1 for those that have none (`inplace_csr_row_normalize_l2`).
fn length(op: &str, from: &str, zeros: &str, to: &str, frame: &mut Frame) {
    let [axis, length, unit, is_none] = ["axis", "length", "unit", "no length"].map(|what| frame.fresh(what));
    frame.graph.constant(&axis, &Tensor::vector(vec![1_i64]));
    frame.graph.scalar(&unit, 1.0);
    frame.graph.node(("", op), &[from, &axis], &length, vec![("keepdims", Attribute::Int(1))]);
    frame.graph.apply("Equal", &[&length, zeros], &is_none);
    frame.graph.apply("Where", &[&is_none, &unit, &length], to);
}

/// The weights of the columns, where it has some; before version 1.5 as a matrix.
fn weights(fitted: &Fitted) -> Asked<Option<Vec<f64>>> {
    let item = &fitted.item;
    let weights = match (item.find("idf_")?, item.get("use_idf")?.flag()?) {
        (Some(weights), _) => weights.numbers()?,
        (None, false) => return Ok(None),
        (None, true) => {
            let diagonal = Sparse::read(&item.get("_idf_diag")?)?;
            let mut weights = vec![0.0; fitted.features];
            for (row, column, number) in diagonal.entries {
                let weight = weights.get_mut(row).filter(|_| row == column);
                *weight.ok_or_else(|| item.not("fitted with a weight for each column"))? += number;
            }
            weights
        }
    };
    if weights.len() != fitted.features || weights.iter().any(|weight| !weight.is_finite()) {
        return Err(item.not("fitted with a finite weight for each column: use smooth_idf=True"));
    }
    Ok(Some(weights))
}
