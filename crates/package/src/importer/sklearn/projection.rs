//! Steps that make new columns of all columns at once: products with a matrix, cosines, and kernels.

use modelet_core::Tensor;
use modelet_model::onnx::write::GraphWriter;

use super::answer::{Answer, turned};
use super::centres::points;
use super::fitted::Fitted;
use super::frame::Frame;
use super::kernels::Kernel;
use super::product::{LIMITED, Product, product};
use super::steps::matrix;
use super::table::{Column, Effect, Table};
use crate::pickle::{Asked, Item};

/// Since this version PCA multiplies before it takes the middle away, before it after that.
const MIDDLE_LAST_SINCE: u32 = 5;

/// `X @ components`
pub(super) fn components(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    product(fitted, table, frame, Product::by_rows(fitted, "components_")?)
}

/// Principal components, divided by their widths where it whitens.
pub(super) fn principal(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let mut by = Product::by_rows(fitted, "components_")?;
    let middle = fitted.item.get("mean_")?;
    middle.is_double()?;
    let middle = middle.numbers()?;
    let is_last = fitted.version.minor >= MIDDLE_LAST_SINCE;
    if middle.len() != fitted.features {
        return Err(fitted.item.not("fitted with a middle for each column"));
    }
    let mut less = vec![0.0; by.columns];
    for (middle, row) in middle.iter().zip(by.factors.chunks_exact(by.columns)) {
        less.iter_mut().zip(row).for_each(|(less, factor)| *less += middle * factor);
    }
    by.middle = Some(middle);
    let (columns, mut effect) = (by.columns, by.effect());
    by.middle = by.middle.filter(|_| !is_last);
    let from = matrix(table, LIMITED, frame)?;
    let to = frame.fresh("components");
    let name = |what: &str| format!("{to} {what}");
    by.written(fitted, &mut frame.graph, &from, &name("products"))?;
    let mut last = name("products");
    let graph = &mut frame.graph;
    if is_last {
        graph.constant(&name("middle"), &Tensor::vector(less));
        graph.apply("Sub", &[&last, &name("middle")], &name("centred"));
        last = name("centred");
    }
    if fitted.item.get("whiten")?.flag()? {
        let variances = fitted.item.get("explained_variance_")?.numbers()?;
        let least = if is_last { f64::EPSILON } else { 0.0 };
        let widths: Vec<f64> = variances.iter().map(|variance| variance.sqrt().max(least)).collect();
        if widths.len() != columns || widths.contains(&0.0) {
            return Err(fitted.item.not("fitted with a width for each component"));
        }
        let narrowest = widths.iter().fold(1.0, |narrowest: f64, width| narrowest.min(*width));
        effect = Effect { stretch: effect.stretch / narrowest, shift: effect.shift / narrowest };
        graph.constant(&name("widths"), &Tensor::vector(widths));
        graph.apply("Div", &[&last, &name("widths")], &name("white"));
        last = name("white");
    }
    graph.apply("Identity", &[&last], &to);
    Ok(table.mixed(to, columns, &effect))
}

pub(super) fn independent(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let mut by = Product::by_rows(fitted, "components_")?;
    // Its setting is False, or how it whitens.
    let whitens = fitted.item.get("whiten")?.flag() != Ok(false);
    if whitens {
        by.middle = Some(fitted.item.get("mean_")?.numbers()?);
    }
    product(fitted, table, frame, by)
}

pub(super) fn discriminants(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let mut by = Product::by_columns(fitted, "scalings_", fitted.item.get("_max_components")?.count()?)?;
    match fitted.item.get("solver")?.text()? {
        "svd" => by.middle = Some(fitted.item.get("xbar_")?.numbers()?),
        "eigen" => {}
        other => return Err(format!("its solver {other} makes no columns")),
    }
    product(fitted, table, frame, by)
}

/// `(X - mean) / std @ rotations`
pub(super) fn partial(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let is_svd = fitted.item.class()?.name == "PLSSVD";
    let mut by = Product::by_columns(fitted, if is_svd { "x_weights_" } else { "x_rotations_" }, usize::MAX)?;
    by.middle = Some(fitted.item.get("_x_mean")?.numbers()?);
    by.width = Some(fitted.item.get("_x_std")?.numbers()?);
    product(fitted, table, frame, by)
}

/// `cos(X @ weights + offset) * sqrt(2 / n)`
pub(super) fn cosines(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let by = Product::by_columns(fitted, "random_weights_", usize::MAX)?;
    let columns = by.columns;
    let offsets = fitted.item.get("random_offset_")?.numbers()?;
    if offsets.len() != columns {
        return Err(fitted.item.not("fitted with an offset for each column that it makes"));
    }
    let from = matrix(table, LIMITED, frame)?;
    let to = frame.fresh("cosines");
    let name = |what: &str| format!("{to} {what}");
    by.written(fitted, &mut frame.graph, &from, &name("products"))?;
    let graph = &mut frame.graph;
    graph.constant(&name("offsets"), &Tensor::vector(offsets));
    graph.scalar(&name("size"), (2.0 / columns as f64).sqrt());
    graph.apply("Add", &[&name("products"), &name("offsets")], &name("angles"));
    graph.apply("Cos", &[&name("angles")], &name("whole"));
    graph.apply("Mul", &[&name("whole"), &name("size")], &to);
    Ok(Table::of(to, vec![Column::within(1.0_f64.max((2.0 / columns as f64).sqrt())); columns]))
}

/// `Nystroem`: kernels with some rows, times a matrix.
pub(super) fn nystroem(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let item = &fitted.item;
    if !item.get("kernel_params")?.is_none() {
        return Err("its kernel_params: importing it is not built yet".to_owned());
    }
    let kept = points(&item.get("components_")?, fitted.features)?;
    let rows = kept.len() / fitted.features;
    let factors = item.get("normalization_")?;
    if factors.array()?.shape != [rows, rows] {
        return Err(factors.not("a matrix of the rows that it kept"));
    }
    let factors = turned(&factors.numbers()?, rows);
    kernel_products(fitted, table, frame, &kept, |graph, kernel, to| {
        let name = format!("{to} factors");
        graph.matrix(&name, [rows, rows], factors)?;
        graph.apply("MatMul", &[kernel, &name], to);
        Ok(rows)
    })
}

/// `KernelPCA`: centred kernels with all rows that it saw, times their components.
pub(super) fn kernel_components(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let item = &fitted.item;
    if !item.get("kernel_params")?.is_none() {
        return Err("its kernel_params: importing it is not built yet".to_owned());
    }
    item.get("X_fit_")?.is_double()?;
    let kept = points(&item.get("X_fit_")?, fitted.features)?;
    let rows = kept.len() / fitted.features;
    let (values, vectors) = (item.get("eigenvalues_")?.numbers()?, item.get("eigenvectors_")?);
    let columns = values.len();
    let centerer = item.get("_centerer")?;
    let (means, mean) = (centerer.get("K_fit_rows_")?.numbers()?, centerer.get("K_fit_all_")?.number()?);
    if vectors.array()?.shape != [rows, columns] || columns == 0 || means.len() != rows {
        return Err(vectors.not("a component for each value"));
    }
    let scaled = |(at, number): (usize, &f64)| match values[at % columns] {
        0.0 => 0.0,
        value => number / value.sqrt(),
    };
    let factors = vectors.numbers()?.iter().enumerate().map(scaled).collect();
    kernel_products(fitted, table, frame, &kept, |graph, kernel, to| {
        let name = |what: &str| format!("{to} {what}");
        graph.scalar(&name("rows"), rows as f64);
        graph.scalar(&name("mean"), mean);
        graph.constant(&name("means"), &Tensor::vector(means));
        graph.matrix(&name("factors"), [rows, columns], factors)?;
        graph.row_sums(kernel, &name("sums"));
        graph.apply("Div", &[&name("sums"), &name("rows")], &name("own"));
        graph.apply("Sub", &[kernel, &name("means")], &name("less"));
        graph.apply("Sub", &[&name("less"), &name("own")], &name("lesser"));
        graph.apply("Add", &[&name("lesser"), &name("mean")], &name("centred"));
        graph.apply("MatMul", &[&name("centred"), &name("factors")], to);
        Ok(columns)
    })
}

/// Writes the kernel in a graph of its own, so that there may be several, and what becomes of it.
fn kernel_products(
    fitted: &Fitted,
    table: &Table,
    frame: &mut Frame,
    kept: &[f64],
    write: impl FnOnce(&mut GraphWriter, &str, &str) -> Asked<usize>,
) -> Asked<Table> {
    let kernel =
        Kernel::new(fitted.item.get("kernel")?.text()?, gamma(&fitted.item, fitted.features)?, &fitted.item)?;
    let from = matrix(table, LIMITED, frame)?;
    let to = frame.fresh("kernel products");
    let mut own = GraphWriter::default();
    kernel.write(&mut own, "rows", (kept, fitted.features), false)?;
    frame.graph.put_in(own, &format!("{to} of "), ("rows", &from));
    let columns = write(&mut frame.graph, &format!("{to} of kernel"), &to)?;
    // How large they become is known of no kernel but by its factors: a step behind that has a limit refuses them.
    Ok(Table::of(to, vec![Column::within(f64::MAX); columns]))
}

/// Its own gamma, or one for each column.
fn gamma(item: &Item, features: usize) -> Asked<f64> {
    // Where it was not said, the fitted model may hold what was made of it.
    let fitted = item.find("gamma_")?.map_or_else(|| item.get("gamma"), Ok)?;
    if fitted.is_none() { Ok(1.0 / features as f64) } else { fitted.number() }
}
