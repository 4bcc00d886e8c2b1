//! A product with a matrix: what most steps that make new columns of all columns at once are made of.

use modelet_core::{Numbers, Tensor};
use modelet_model::onnx::write::GraphWriter;

use super::answer::{Answer, turned};
use super::fitted::Fitted;
use super::frame::Frame;
use super::steps::matrix;
use super::table::{Effect, Table};
use crate::pickle::Asked;

/// What steps take that make new columns: no missing numbers, and none of which products could be no numbers.
pub(super) const LIMITED: Numbers = Numbers { missing: false, largest: 1e100 };

/// A product, of rows from which something may be taken away first, and which may be divided.
#[derive(Default)]
pub(super) struct Product {
    pub middle: Option<Vec<f64>>,
    pub width: Option<Vec<f64>>,
    /// A row for each column.
    pub factors: Vec<f64>,
    pub columns: usize,
}

impl Product {
    /// By an attribute with a row for each new column.
    pub(super) fn by_rows(fitted: &Fitted, name: &str) -> Asked<Self> {
        let item = fitted.item.get(name)?;
        let numbers = item.numbers()?;
        match *item.array()?.shape.as_slice() {
            [columns, features] if features == fitted.features && columns > 0 => {
                Ok(Self { factors: turned(&numbers, features), columns, ..Self::default() })
            }
            _ => Err(item.not("a matrix with a number for each column")),
        }
    }

    /// By an attribute with a row for each column, of which the first so many columns count.
    pub(super) fn by_columns(fitted: &Fitted, name: &str, first: usize) -> Asked<Self> {
        let item = fitted.item.get(name)?;
        let numbers = item.numbers()?;
        match *item.array()?.shape.as_slice() {
            [features, columns] if features == fitted.features && columns > 0 => {
                let kept = columns.min(first);
                let factors = numbers.chunks_exact(columns).flat_map(|row| &row[..kept]).copied().collect();
                Ok(Self { factors, columns: kept, ..Self::default() })
            }
            _ => Err(item.not("a matrix with a row for each column")),
        }
    }

    /// How much larger a number may become.
    pub(super) fn effect(&self) -> Effect {
        let mut sums = vec![0.0; self.columns];
        for row in self.factors.chunks_exact(self.columns) {
            sums.iter_mut().zip(row).for_each(|(sum, factor): (&mut f64, &f64)| *sum += factor.abs());
        }
        let largest =
            |numbers: &[f64]| numbers.iter().fold(0.0, |largest: f64, number| largest.max(number.abs()));
        let narrowest =
            self.width.iter().flatten().fold(1.0, |narrowest: f64, width| narrowest.min(width.abs()));
        let stretch = largest(&sums) / narrowest;
        Effect { stretch, shift: self.middle.as_deref().map_or(0.0, largest) * stretch }
    }

    pub(super) fn written(self, fitted: &Fitted, graph: &mut GraphWriter, from: &str, to: &str) -> Asked<()> {
        let name = |what: &str| format!("{to} {what}");
        let mut last = from.to_owned();
        for (op, numbers) in [("Sub", self.middle), ("Div", self.width)] {
            let Some(numbers) = numbers else { continue };
            if numbers.len() != fitted.features {
                return Err(fitted.item.not("fitted with a middle and a width for each column"));
            }
            graph.constant(&name(&format!("{op} by")), &Tensor::vector(numbers));
            graph.apply(op, &[&last, &name(&format!("{op} by"))], &name(op));
            last = name(op);
        }
        graph.matrix(&name("factors"), [fitted.features, self.columns], self.factors)?;
        graph.apply("MatMul", &[&last, &name("factors")], to);
        Ok(())
    }
}

/// Writes a product that is all that a step does.
pub(super) fn product(fitted: &Fitted, table: &Table, frame: &mut Frame, product: Product) -> Asked<Table> {
    let from = matrix(table, LIMITED, frame)?;
    let (to, columns, effect) = (frame.fresh("product"), product.columns, product.effect());
    product.written(fitted, &mut frame.graph, &from, &to)?;
    Ok(table.mixed(to, columns, &effect))
}
