//! Steps that make other numbers of numbers: bins, truths, rows of one length, and products.

use modelet_core::{Numbers, Tensor};
use modelet_model::onnx::write::Attribute;

use super::answer::Answer;
use super::encoders::ones;
use super::fitted::Fitted;
use super::frame::Frame;
use super::steps::matrix;
use super::table::{Column, Table};
use crate::pickle::Asked;

/// `TensorProto.DataType`
const INT64: i64 = 7;
const DOUBLE: i64 = 11;
/// What takes no missing number.
const WHOLE: Numbers = Numbers { missing: false, largest: f64::MAX };
/// Products are kept within this, which leaves room for steps behind and for float32, which trees take.
const LARGEST_PRODUCT: f64 = 1e30;
/// Most columns of products.
const MAX_PRODUCTS: usize = 1 << 16;
/// A length below this many steps of float64 is taken for none (`_handle_zeros_in_scale`).
const LEAST_LENGTH: f64 = 10.0 * f64::EPSILON;

/// `KBinsDiscretizer`: in which bin a number lies, as its number or as a column for each.
pub(super) fn bins(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let item = &fitted.item;
    let dtype = item.get("dtype")?;
    if !dtype.is_none() && dtype.named()? != "numpy.float64" {
        return Err(dtype.not("float64"));
    }
    let encode = item.get("encode")?;
    let is_one_hot = match encode.text()? {
        "ordinal" => false,
        "onehot" | "onehot-dense" => true,
        _ => return Err(encode.not("a way to write bins that is known")),
    };
    let edges = item.get("bin_edges_")?.items()?;
    if edges.len() != fitted.features {
        return Err(item.get("bin_edges_")?.not("the edges of each column"));
    }
    table.takes(WHOLE.missing, WHOLE.largest, frame)?;
    let mut made = Table::default();
    for (place, edges) in edges.iter().enumerate() {
        let one = table.select(&[place], frame)?;
        let (from, edges) = (one.numbers(frame)?, edges.numbers()?);
        // The ends hold nothing: what lies beyond them is in the first or the last bin.
        let inner = edges.get(1..edges.len().saturating_sub(1)).unwrap_or_default();
        let code = bin(&from, inner, frame);
        let width = inner.len() + 1;
        if is_one_hot {
            made.append(Table::of(ones(&code, width, frame), vec![Column::within(1.0); width]));
        } else {
            let number = frame.fresh("bin");
            frame.graph.node(("", "Cast"), &[&code], &number, vec![("to", Attribute::Int(DOUBLE))]);
            made.append(Table::of(number, vec![Column::within(width as f64)]));
        }
    }
    Ok(made)
}

/// Writes how many edges a number has reached.
fn bin(from: &str, edges: &[f64], frame: &mut Frame) -> String {
    let [names, reached, counts, axis, code] =
        ["edges", "reached", "counts", "axis", "bin"].map(|what| frame.fresh(what));
    frame.graph.constant(&names, &Tensor::vector(edges.to_vec()));
    frame.graph.constant(&axis, &Tensor::vector(vec![1_i64]));
    frame.graph.apply("GreaterOrEqual", &[from, &names], &reached);
    frame.graph.node(("", "Cast"), &[&reached], &counts, vec![("to", Attribute::Int(INT64))]);
    frame.graph.apply("ReduceSum", &[&counts, &axis], &code);
    code
}

/// `Binarizer`: 1 above a threshold.
pub(super) fn binary(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let from = matrix(table, WHOLE, frame)?;
    let [threshold, above, to] = ["threshold", "above", "binary"].map(|what| frame.fresh(what));
    frame.graph.scalar(&threshold, fitted.item.get("threshold")?.number()?);
    frame.graph.apply("Greater", &[&from, &threshold], &above);
    frame.graph.node(("", "Cast"), &[&above], &to, vec![("to", Attribute::Int(DOUBLE))]);
    Ok(Table::of(to, vec![Column::within(1.0); table.width()]))
}

/// `Normalizer`: rows of the length 1.
pub(super) fn normal(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let from = matrix(table, WHOLE, frame)?;
    let [axis, length, least, unit, is_none, by, to] =
        ["axis", "length", "least", "unit", "no length", "by", "normal"].map(|what| frame.fresh(what));
    frame.graph.constant(&axis, &Tensor::vector(vec![1_i64]));
    let norm = fitted.item.get("norm")?;
    match norm.text()? {
        "l1" => frame.graph.apply("ReduceL1", &[&from, &axis], &length),
        "l2" => frame.graph.apply("ReduceL2", &[&from, &axis], &length),
        "max" => {
            let size = frame.fresh("size");
            frame.graph.apply("Abs", &[&from], &size);
            frame.graph.apply("ReduceMax", &[&size, &axis], &length);
        }
        _ => return Err(norm.not("a norm that is known")),
    }
    frame.graph.scalar(&least, LEAST_LENGTH);
    frame.graph.scalar(&unit, 1.0);
    frame.graph.apply("Less", &[&length, &least], &is_none);
    frame.graph.apply("Where", &[&is_none, &unit, &length], &by);
    frame.graph.apply("Div", &[&from, &by], &to);
    Ok(Table::of(to, vec![Column::within(1.0); table.width()]))
}

/// `PolynomialFeatures`: products of columns, in scikit-learn's order, each made of one of a degree less.
pub(super) fn products(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let item = &fitted.item;
    let (least, most) = (item.get("_min_degree")?.count()?, item.get("_max_degree")?.count()?);
    let is_interaction = item.get("interaction_only")?.flag()?;
    let largest = LARGEST_PRODUCT.powf(1.0 / most.max(1) as f64);
    let first = matrix(table, Numbers { missing: false, largest }, frame)?;
    let mut tensors = Vec::new();
    let mut width = 0;
    if item.get("include_bias")?.flag()? {
        tensors.push(bias(&first, frame));
        width += 1;
    }
    let mut terms: Vec<usize> = (0..fitted.features).collect();
    let mut last = first.clone();
    for degree in 1..=most {
        if degree > 1 {
            let next = raised(&terms, fitted.features, is_interaction);
            if next.is_empty() {
                break;
            }
            if width + next.len() > MAX_PRODUCTS {
                return Err(format!("it makes more than {MAX_PRODUCTS} columns of products"));
            }
            last = multiplied((&last, &first), &next, frame);
            terms = next.into_iter().map(|(_, column)| column).collect();
        }
        if degree >= least {
            tensors.push(last.clone());
            width += terms.len();
        }
    }
    let to = frame.fresh("products");
    let tensors: Vec<&str> = tensors.iter().map(String::as_str).collect();
    frame.graph.node(("", "Concat"), &tensors, &to, vec![("axis", Attribute::Int(1))]);
    Ok(Table::of(to, vec![Column::within(LARGEST_PRODUCT); width]))
}

/// The products of one degree more: each by the place of a term and a column. Of a term only its first column is known,
/// behind which no other is put.
fn raised(terms: &[usize], columns: usize, is_interaction: bool) -> Vec<(usize, usize)> {
    let fits =
        move |first: usize, column: usize| if is_interaction { first > column } else { first >= column };
    let of_column = |column: usize| {
        let places = terms.iter().enumerate().filter(move |(_, first)| fits(**first, column));
        places.map(move |(at, _)| (at, column))
    };
    (0..columns).flat_map(of_column).collect()
}

fn multiplied((last, first): (&str, &str), products: &[(usize, usize)], frame: &mut Frame) -> String {
    let mut pick = |from: &str, places: Vec<i64>| {
        let [names, to] = ["places", "factors"].map(|what| frame.fresh(what));
        frame.graph.constant(&names, &Tensor::vector(places));
        frame.graph.node(("", "Gather"), &[from, &names], &to, vec![("axis", Attribute::Int(1))]);
        to
    };
    let one = pick(last, products.iter().map(|(at, _)| *at as i64).collect());
    let other = pick(first, products.iter().map(|(_, column)| *column as i64).collect());
    let to = frame.fresh("products");
    frame.graph.apply("Mul", &[&one, &other], &to);
    to
}

/// A column of ones, as long as there are rows.
fn bias(first: &str, frame: &mut Frame) -> String {
    let [place, column, nothing, zeros, unit, to] =
        ["places", "column", "nothing", "zeros", "unit", "bias"].map(|what| frame.fresh(what));
    frame.graph.constant(&place, &Tensor::vector(vec![0_i64]));
    frame.graph.node(("", "Gather"), &[first, &place], &column, vec![("axis", Attribute::Int(1))]);
    frame.graph.scalar(&nothing, 0.0);
    frame.graph.scalar(&unit, 1.0);
    frame.graph.apply("Mul", &[&column, &nothing], &zeros);
    frame.graph.apply("Add", &[&zeros, &unit], &to);
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_come_in_the_order_of_scikit_learn() {
        let two = raised(&[0, 1, 2], 3, false);
        assert_eq!(two, [(0, 0), (1, 0), (2, 0), (1, 1), (2, 1), (2, 2)], "aa ab ac bb bc cc");
        let firsts: Vec<usize> = two.iter().map(|(_, column)| *column).collect();
        let three: Vec<usize> = raised(&firsts, 3, false).into_iter().map(|(_, column)| column).collect();
        assert_eq!(three, [0, 0, 0, 0, 0, 0, 1, 1, 1, 2]);
        assert_eq!(raised(&[0, 1, 2], 3, true), [(1, 0), (2, 0), (2, 1)], "ab ac bc");
    }
}
