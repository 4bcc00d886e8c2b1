//! Scalers: steps that change numbers column by column. In float64, operation by operation as scikit-learn does, so that the
//! results are the same bits.

use modelet_core::Tensor;
use modelet_model::onnx::write::GraphWriter;

use super::answer::Answer;
use super::fitted::Fitted;
use super::frame::Frame;
use super::steps::{FINITE, matrix};
use super::table::{Effect, Table};
use crate::pickle::Asked;

/// Writes a scaler in the graph, from one tensor to another.
type Scale = fn(&Fitted, &mut GraphWriter, &str, &str) -> Asked<Effect>;

pub(super) fn standard(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    scaled(fitted, table, frame, |fitted, graph, from, to| {
        centred(fitted, graph, (from, to), [("with_mean", "mean_"), ("with_std", "scale_")])
    })
}

pub(super) fn robust(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    scaled(fitted, table, frame, |fitted, graph, from, to| {
        centred(fitted, graph, (from, to), [("with_centering", "center_"), ("with_scaling", "scale_")])
    })
}

pub(super) fn min_max(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    scaled(fitted, table, frame, |fitted, graph, from, to| {
        let (scale, least) = (Columns::read(fitted, "scale_")?, Columns::read(fitted, "min_")?);
        let [scaled, moved, kept] = ["scaled", "moved", "kept"].map(|what| format!("{to} {what}"));
        scale.apply(graph, "Mul", from, &scaled);
        least.apply(graph, "Add", &scaled, &moved);
        if clips(fitted)? {
            let range = fitted.item.get("feature_range")?.items()?;
            let [low, high] = &range[..] else {
                return Err("its range is not from one number to another".to_owned());
            };
            let [names_low, names_high] = ["low", "high"].map(|what| format!("{to} {what}"));
            graph.scalar(&names_low, low.number()?);
            graph.scalar(&names_high, high.number()?);
            graph.apply("Max", &[&moved, &names_low], &kept);
            graph.apply("Min", &[&kept, &names_high], to);
        } else {
            graph.apply("Identity", &[&moved], to);
        }
        Ok(Effect { stretch: scale.largest(), shift: least.largest() })
    })
}

pub(super) fn max_abs(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    scaled(fitted, table, frame, |fitted, graph, from, to| {
        if clips(fitted)? {
            return Err("it clips, which cannot be imported yet".to_owned());
        }
        let scale = Columns::read(fitted, "scale_")?;
        scale.apply(graph, "Div", from, to);
        Ok(Effect { stretch: scale.divided()?, shift: 0.0 })
    })
}

fn scaled(fitted: &Fitted, table: &Table, frame: &mut Frame, scale: Scale) -> Asked<Table> {
    let from = matrix(table, FINITE, frame)?;
    let to = frame.fresh("scaled");
    let effect = scale(fitted, &mut frame.graph, &from, &to)?;
    Ok(table.after(to, &effect))
}

/// Something is taken away where one flag says so, and it is divided by something where the other does.
fn centred(
    fitted: &Fitted,
    graph: &mut GraphWriter,
    (from, to): (&str, &str),
    [centre, scale]: [(&str, &str); 2],
) -> Asked<Effect> {
    let flag = |name: &str| fitted.item.get(name)?.flag();
    let mut effect = Effect { stretch: 1.0, shift: 0.0 };
    let mut last = from.to_owned();
    if flag(centre.0)? {
        let by = Columns::read(fitted, centre.1)?;
        let next = format!("{to} centred");
        by.apply(graph, "Sub", &last, &next);
        effect.shift = by.largest();
        last = next;
    }
    if flag(scale.0)? {
        let by = Columns::read(fitted, scale.1)?;
        let next = format!("{to} divided");
        by.apply(graph, "Div", &last, &next);
        effect.stretch = by.divided()?;
        effect.shift *= effect.stretch;
        last = next;
    }
    graph.apply("Identity", &[&last], to);
    Ok(effect)
}

/// True when what lies beyond the range becomes its end.
fn clips(fitted: &Fitted) -> Asked<bool> {
    fitted.item.find("clip")?.map_or(Ok(false), |clip| clip.flag())
}

/// A number for each column.
struct Columns<'a> {
    name: &'a str,
    numbers: Vec<f64>,
}

impl<'a> Columns<'a> {
    fn read(fitted: &Fitted, name: &'a str) -> Asked<Self> {
        let item = fitted.item.get(name)?;
        let numbers = item.numbers()?;
        if numbers.len() != fitted.features || numbers.iter().any(|number| !number.is_finite()) {
            return Err(item.not("a number for each column"));
        }
        Ok(Self { name, numbers })
    }

    /// Writes an operation with them on each row.
    fn apply(&self, graph: &mut GraphWriter, op: &str, from: &str, to: &str) {
        let name = format!("{to} {}", self.name);
        graph.constant(&name, &Tensor::vector(self.numbers.clone()));
        graph.apply(op, &[from, &name], to);
    }

    fn largest(&self) -> f64 {
        self.numbers.iter().fold(0.0, |largest: f64, number| largest.max(number.abs()))
    }

    /// How much larger a number becomes that is divided by them.
    fn divided(&self) -> Asked<f64> {
        let smallest = self.numbers.iter().fold(f64::MAX, |smallest: f64, number| smallest.min(number.abs()));
        if smallest == 0.0 { Err(format!("{} is zero for a column", self.name)) } else { Ok(1.0 / smallest) }
    }
}
