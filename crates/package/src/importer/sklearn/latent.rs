//! Steps that look for what lies behind the columns: factors, sparse components, groups of columns, hidden units.

use modelet_core::Tensor;

use super::answer::{Answer, turned};
use super::fitted::Fitted;
use super::frame::Frame;
use super::product::{LIMITED, Product, product};
use super::sparse::Sparse;
use super::steps::matrix;
use super::table::{Column, Effect, Table};
use crate::pickle::Asked;

/// How much rounding may grow where a matrix is inverted: scikit-learn's way there and ours stay within 1e-10 of each other.
const MAX_CONDITION: f64 = 1e5;

/// `FactorAnalysis`: `(X - mean) @ W.T @ inv(1 + W @ components.T)`, where `W = components / noise` (Barber, 21.2.33).
pub(super) fn factors(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let noise = fitted.item.get("noise_variance_")?;
    let variances = noise.numbers()?;
    if variances.len() != fitted.features {
        return Err(noise.not("a variance for each column"));
    }
    let by = Product::by_rows(fitted, "components_")?;
    let weighted = |(at, factor): (usize, &f64)| factor / variances[at / by.columns];
    let weighted: Vec<f64> = by.factors.iter().enumerate().map(weighted).collect();
    regressed(fitted, table, frame, &weighted, by, 1.0)
}

/// `SparsePCA`, `MiniBatchSparsePCA`: `(X - mean) @ components.T @ inv(ridge + components @ components.T)`
pub(super) fn sparse_components(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let by = Product::by_rows(fitted, "components_")?;
    let ridge = fitted.item.get("ridge_alpha")?.number()?;
    let weights = by.factors.clone();
    regressed(fitted, table, frame, &weights, by, ridge)
}

/// Rows without the middle, times weights, times the inverse of the ridge and the weights' products with the components. Weights
/// and components have a row for each column.
fn regressed(
    fitted: &Fitted,
    table: &Table,
    frame: &mut Frame,
    weights: &[f64],
    components: Product,
    ridge: f64,
) -> Asked<Table> {
    let size = components.columns;
    let mut products = vec![0.0; size * size];
    (0..size).for_each(|at| products[at * size + at] = ridge);
    for (weights, components) in weights.chunks_exact(size).zip(components.factors.chunks_exact(size)) {
        for (weight, row) in weights.iter().zip(products.chunks_exact_mut(size)) {
            row.iter_mut().zip(components).for_each(|(sum, component)| *sum += weight * component);
        }
    }
    let inverse = inverse(&products, size)
        .filter(|inverse| norm(&products, size) * norm(inverse, size) <= MAX_CONDITION);
    let inverse = inverse.ok_or(
        "its components are so alike, or its noise so small, that rounding would show: use fewer components",
    )?;
    let mut factors = vec![0.0; weights.len()];
    for (weights, factors) in weights.chunks_exact(size).zip(factors.chunks_exact_mut(size)) {
        for (weight, row) in weights.iter().zip(inverse.chunks_exact(size)) {
            factors.iter_mut().zip(row).for_each(|(sum, number)| *sum += weight * number);
        }
    }
    let middle = Some(fitted.item.get("mean_")?.numbers()?);
    product(fitted, table, frame, Product { middle, factors, ..components })
}

/// The inverse of a square matrix (Gauss and Jordan, the largest number of a column first); nothing where there is none.
fn inverse(matrix: &[f64], size: usize) -> Option<Vec<f64>> {
    let mut rows: Vec<Vec<f64>> = matrix.chunks_exact(size).map(<[f64]>::to_vec).collect();
    for (at, row) in rows.iter_mut().enumerate() {
        row.extend((0..size).map(|column| f64::from(u8::from(column == at))));
    }
    for column in 0..size {
        let largest = (column..size)
            .max_by(|one, other| rows[*one][column].abs().total_cmp(&rows[*other][column].abs()))?;
        rows.swap(column, largest);
        let pivot = rows[column][column];
        if pivot == 0.0 || !pivot.is_finite() {
            return None;
        }
        rows[column].iter_mut().for_each(|number| *number /= pivot);
        let done = rows[column].clone();
        for row in rows.iter_mut().enumerate().filter(|(at, _)| *at != column).map(|(_, row)| row) {
            let times = row[column];
            row.iter_mut().zip(&done).for_each(|(number, done)| *number -= times * done);
        }
    }
    Some(rows.into_iter().flat_map(|row| row.into_iter().skip(size)).collect())
}

/// The largest sum of a row's numbers without their signs.
fn norm(matrix: &[f64], size: usize) -> f64 {
    let sums = matrix.chunks_exact(size).map(|row| row.iter().map(|number| number.abs()).sum());
    sums.fold(0.0, f64::max)
}

/// `SparseRandomProjection`: `X @ components.T`, which hold only what is not zero unless nothing is.
pub(super) fn sparse_projection(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let item = fitted.item.get("components_")?;
    if item.array().is_ok() {
        return product(fitted, table, frame, Product::by_rows(fitted, "components_")?);
    }
    let sparse = Sparse::read(&item)?;
    let [columns, features] = sparse.shape;
    if features != fitted.features || columns == 0 {
        return Err(item.not("a matrix with a number for each column"));
    }
    let factors = turned(&sparse.whole()?, features);
    product(fitted, table, frame, Product { factors, columns, ..Product::default() })
}

/// `FeatureAgglomeration`: the mean of each group of columns.
pub(super) fn groups(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let pooling = fitted.item.get("pooling_func")?;
    if pooling.named()? != "numpy.mean" {
        return Err(pooling.not("numpy.mean"));
    }
    let labels = fitted.item.get("labels_")?;
    let groups: Option<Vec<usize>> = labels
        .array()?
        .integers()
        .and_then(|all| all.into_iter().map(|group| usize::try_from(group).ok()).collect());
    let groups = groups
        .filter(|groups| groups.len() == fitted.features && groups.iter().all(|at| *at < fitted.features));
    let groups = groups.ok_or_else(|| labels.not("a group for each column"))?;
    let columns = groups.iter().max().map_or(0, |last| last + 1);
    let mut sizes = vec![0.0; columns];
    let mut factors = vec![0.0; fitted.features * columns];
    for (at, group) in groups.into_iter().enumerate() {
        factors[at * columns + group] = 1.0;
        sizes[group] += 1.0;
    }
    if sizes.contains(&0.0) {
        return Err(labels.not("groups each of which has a column"));
    }
    let from = matrix(table, LIMITED, frame)?;
    let [sums, by, to] = ["sums of groups", "sizes", "groups"].map(|what| frame.fresh(what));
    let by_group = Product { factors, columns, ..Product::default() };
    by_group.written(fitted, &mut frame.graph, &from, &sums)?;
    frame.graph.constant(&by, &Tensor::vector(sizes));
    frame.graph.apply("Div", &[&sums, &by], &to);
    Ok(table.mixed(to, columns, &Effect { stretch: 1.0, shift: 0.0 }))
}

/// `BernoulliRBM`: the probability of each hidden unit.
pub(super) fn hidden(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let by = Product::by_rows(fitted, "components_")?;
    let columns = by.columns;
    let offsets = fitted.item.get("intercept_hidden_")?.numbers()?;
    if offsets.len() != columns {
        return Err(fitted.item.not("fitted with an offset for each hidden unit"));
    }
    let from = matrix(table, LIMITED, frame)?;
    let [products, add, sums, to] = ["products", "offsets", "sums", "hidden"].map(|what| frame.fresh(what));
    by.written(fitted, &mut frame.graph, &from, &products)?;
    frame.graph.constant(&add, &Tensor::vector(offsets));
    frame.graph.apply("Add", &[&products, &add], &sums);
    frame.graph.apply("Sigmoid", &[&sums], &to);
    Ok(Table::of(to, vec![Column::within(1.0); columns]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_times_its_inverse_is_one() {
        let inverse_of = |matrix: &[f64]| inverse(matrix, 2);
        assert_eq!(inverse_of(&[0.0, 2.0, 4.0, 0.0]).unwrap(), [0.0, 0.25, 0.5, 0.0]);
        assert_eq!(inverse_of(&[2.0, 1.0, 1.0, 1.0]).unwrap(), [1.0, -1.0, -1.0, 2.0]);
        assert!(inverse_of(&[1.0, 2.0, 2.0, 4.0]).is_none());
        assert!(inverse_of(&[f64::NAN, 0.0, 0.0, 1.0]).is_none());
    }
}
