//! The numbers that are made of what was counted of categories, as a node of the graph.

use modelet_core::{Data, FunctionError, Tensor};
use modelet_model::onnx::write::{Attribute, GraphWriter, OWN};

use super::counted::{Counted, Table};
use super::damaged;
use super::inputs::{CODES, NUMBERS};
use super::saved::Trees;

/// Writes the numbers that are made of one table.
pub(super) fn write(
    trees: &Trees,
    table: &Table,
    counted: &[&Counted],
    to: &str,
    graph: &mut GraphWriter,
) -> Result<(), FunctionError> {
    let mut of: Vec<_> = counted.iter().map(|counted| counted.of).collect();
    of.sort_unstable();
    of.dedup();
    let mut shares = Vec::with_capacity((table.keys.len() + 1) * of.len());
    for (_, place) in &table.keys {
        for part in &of {
            let share = table.share(*place, *part);
            shares.push(share.ok_or_else(|| damaged("a table of its categories is too short"))?);
        }
    }
    shares.extend(of.iter().map(|_| table.share_of_unknown()));
    let (some, all): (Vec<f32>, Vec<f32>) = shares.into_iter().unzip();
    let part = |counted: &&Counted| of.iter().position(|of| *of == counted.of).map_or(0, int);
    let ints = |list: &mut dyn Iterator<Item = usize>| Attribute::Ints(list.map(int).collect());
    let floats = |list: Vec<f32>| Attribute::Tensor(Tensor::vector(list));
    let alike = &table.alike;
    let is_large = |at: &usize| i64::from(trees.floats[*at].missing_is_large);
    let attributes = vec![
        ("categories", ints(&mut alike.categories.iter().copied())),
        ("numbers", ints(&mut alike.above.iter().map(|(at, _)| *at))),
        ("borders", floats(alike.above.iter().map(|(_, border)| *border).collect())),
        ("missing", Attribute::Ints(alike.above.iter().map(|(at, _)| is_large(at)).collect())),
        ("others", ints(&mut alike.is.iter().map(|(at, _)| *at))),
        ("codes", Attribute::Ints(alike.is.iter().map(|(_, code)| i64::from(*code)).collect())),
        (
            "keys",
            Attribute::Tensor(Tensor::vector(Data::I64(table.keys.iter().map(|(key, _)| *key).collect()))),
        ),
        ("counted", floats(some)),
        ("all", floats(all)),
        ("parts", Attribute::Ints(counted.iter().map(part).collect())),
        ("priors", floats(counted.iter().flat_map(|counted| counted.prior).collect())),
    ];
    let inputs: &[&str] = if alike.above.is_empty() { &[CODES] } else { &[CODES, NUMBERS] };
    graph.node((OWN, "CategoryStatistics"), inputs, to, attributes);
    Ok(())
}

fn int(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
