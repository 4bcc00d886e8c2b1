//! Steps that change numbers column by column: scalers, and what fills in missing ones. In float64, operation by operation as
//! scikit-learn does, so that the results are the same bits.

use modelet_core::Tensor;
use modelet_model::onnx::write::GraphWriter;

use super::answer::Answer;
use super::fitted::Fitted;
use crate::pickle::{Asked, Item};

/// Writes a step from one tensor to another.
pub(super) type Transform = fn(&Fitted, &mut GraphWriter, &str, &str) -> Asked<Effect>;

/// What a step does to numbers.
pub(super) struct Effect {
    /// True when no missing number is left.
    pub fills: bool,
    /// A number becomes at most so many times as large …
    pub stretch: f64,
    /// … and so much larger.
    pub shift: f64,
}

impl Effect {
    fn none() -> Self {
        Self { fills: false, stretch: 1.0, shift: 0.0 }
    }
}

const MODULE: &str = "sklearn.preprocessing._data";

/// Module, class, and who writes it.
pub(super) const STEPS: &[(&str, &str, Transform)] = &[
    (MODULE, "StandardScaler", standard),
    (MODULE, "RobustScaler", robust),
    (MODULE, "MinMaxScaler", min_max),
    (MODULE, "MaxAbsScaler", max_abs),
    ("sklearn.impute._base", "SimpleImputer", imputer),
];

fn standard(fitted: &Fitted, graph: &mut GraphWriter, from: &str, to: &str) -> Asked<Effect> {
    centred(fitted, graph, (from, to), [("with_mean", "mean_"), ("with_std", "scale_")])
}

fn robust(fitted: &Fitted, graph: &mut GraphWriter, from: &str, to: &str) -> Asked<Effect> {
    centred(fitted, graph, (from, to), [("with_centering", "center_"), ("with_scaling", "scale_")])
}

/// Something is taken away where one flag says so, and it is divided by something where the other does.
fn centred(
    fitted: &Fitted,
    graph: &mut GraphWriter,
    (from, to): (&str, &str),
    [centre, scale]: [(&str, &str); 2],
) -> Asked<Effect> {
    let flag = |name: &str| fitted.item.get(name)?.flag();
    let mut effect = Effect::none();
    let mut last = from.to_owned();
    if flag(centre.0)? {
        let by = Columns::read(fitted, centre.1)?;
        let next = format!("{to}_centred");
        by.apply(graph, "Sub", &last, &next);
        effect.shift = by.largest();
        last = next;
    }
    if flag(scale.0)? {
        let by = Columns::read(fitted, scale.1)?;
        let next = format!("{to}_scaled");
        by.apply(graph, "Div", &last, &next);
        effect.stretch = by.divided()?;
        effect.shift *= effect.stretch;
        last = next;
    }
    graph.apply("Identity", &[&last], to);
    Ok(effect)
}

fn min_max(fitted: &Fitted, graph: &mut GraphWriter, from: &str, to: &str) -> Asked<Effect> {
    refuse_clip(fitted)?;
    let (scale, least) = (Columns::read(fitted, "scale_")?, Columns::read(fitted, "min_")?);
    let scaled = format!("{to}_scaled");
    scale.apply(graph, "Mul", from, &scaled);
    least.apply(graph, "Add", &scaled, to);
    Ok(Effect { stretch: scale.largest(), shift: least.largest(), ..Effect::none() })
}

fn max_abs(fitted: &Fitted, graph: &mut GraphWriter, from: &str, to: &str) -> Asked<Effect> {
    refuse_clip(fitted)?;
    let scale = Columns::read(fitted, "scale_")?;
    scale.apply(graph, "Div", from, to);
    Ok(Effect { stretch: scale.divided()?, ..Effect::none() })
}

fn refuse_clip(fitted: &Fitted) -> Asked<()> {
    match fitted.item.find("clip")? {
        Some(clip) if clip.flag()? => Err("it clips, which cannot be imported yet".to_owned()),
        _ => Ok(()),
    }
}

fn imputer(fitted: &Fitted, graph: &mut GraphWriter, from: &str, to: &str) -> Asked<Effect> {
    let item = &fitted.item;
    if !item.get("missing_values")?.number()?.is_nan() {
        return Err(item.not("an imputer of NaN"));
    }
    if !item.get("indicator_")?.is_none() {
        return Err("it adds columns that say what was missing, which cannot be imported yet".to_owned());
    }
    let filled = statistics(&item.get("statistics_")?)?;
    if filled.len() != fitted.features || filled.iter().any(|number| !number.is_finite()) {
        return Err(
            "it leaves out columns in which nothing was known, which cannot be imported yet".to_owned()
        );
    }
    let (names, missing) = (format!("{to}_statistics"), format!("{to}_missing"));
    graph.constant(&names, &Tensor::vector(filled));
    graph.apply("IsNaN", &[from], &missing);
    graph.apply("Where", &[&missing, &names, from], to);
    Ok(Effect { fills: true, ..Effect::none() })
}

/// Numbers, which are Python's own where the user gave them.
fn statistics(item: &Item) -> Asked<Vec<f64>> {
    item.numbers().or_else(|_| item.items()?.iter().map(Item::number).collect())
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
        let name = format!("{to}_{}", self.name);
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
