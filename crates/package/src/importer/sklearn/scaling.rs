//! Steps that change numbers column by column: scalers, and what fills in missing ones. In float64, operation by operation as
//! scikit-learn does, so that the results are the same bits.

use modelet_core::Tensor;
use modelet_model::onnx::write::GraphWriter;

use super::answer::Answer;
use super::fitted::Fitted;
use crate::pickle::{Asked, Item};

/// Writes a step from one tensor to another; true when no missing number is left behind it.
pub(super) type Transform = fn(&Fitted, &mut GraphWriter, &str, &str) -> Asked<bool>;

const MODULE: &str = "sklearn.preprocessing._data";

/// Module, class, and who writes it.
pub(super) const STEPS: &[(&str, &str, Transform)] = &[
    (MODULE, "StandardScaler", standard),
    (MODULE, "RobustScaler", robust),
    (MODULE, "MinMaxScaler", min_max),
    (MODULE, "MaxAbsScaler", max_abs),
    ("sklearn.impute._base", "SimpleImputer", imputer),
];

fn standard(fitted: &Fitted, graph: &mut GraphWriter, from: &str, to: &str) -> Asked<bool> {
    centred(fitted, graph, (from, to), [("with_mean", "mean_"), ("with_std", "scale_")])
}

fn robust(fitted: &Fitted, graph: &mut GraphWriter, from: &str, to: &str) -> Asked<bool> {
    centred(fitted, graph, (from, to), [("with_centering", "center_"), ("with_scaling", "scale_")])
}

/// Something is taken away where one flag says so, and it is divided by something where the other does.
fn centred(
    fitted: &Fitted,
    graph: &mut GraphWriter,
    (from, to): (&str, &str),
    [centre, scale]: [(&str, &str); 2],
) -> Asked<bool> {
    let flag = |name: &str| fitted.item.get(name)?.flag();
    let mut last = from.to_owned();
    for ((when, attribute), op) in [(centre, "Sub"), (scale, "Div")] {
        if flag(when)? {
            let next = format!("{to}_{attribute}");
            let by = columns(fitted, graph, to, attribute)?;
            graph.apply(op, &[&last, &by], &next);
            last = next;
        }
    }
    graph.apply("Identity", &[&last], to);
    Ok(false)
}

fn min_max(fitted: &Fitted, graph: &mut GraphWriter, from: &str, to: &str) -> Asked<bool> {
    let (scale, least) = (columns(fitted, graph, to, "scale_")?, columns(fitted, graph, to, "min_")?);
    let (scaled, moved) = (format!("{to}_scaled"), format!("{to}_moved"));
    graph.apply("Mul", &[from, &scale], &scaled);
    graph.apply("Add", &[&scaled, &least], &moved);
    let range = fitted.item.get("feature_range")?.items()?;
    match (fitted.item.get("clip")?.flag()?, range.as_slice()) {
        (false, _) => graph.apply("Identity", &[&moved], to),
        (true, [_, _]) => return Err("it clips, which cannot be imported yet".to_owned()),
        (true, _) => return Err(fitted.item.not("a scaler with a range")),
    }
    Ok(false)
}

fn max_abs(fitted: &Fitted, graph: &mut GraphWriter, from: &str, to: &str) -> Asked<bool> {
    if fitted.item.find("clip")?.map(|clip| clip.flag()).transpose()?.unwrap_or(false) {
        return Err("it clips, which cannot be imported yet".to_owned());
    }
    let scale = columns(fitted, graph, to, "scale_")?;
    graph.apply("Div", &[from, &scale], to);
    Ok(false)
}

fn imputer(fitted: &Fitted, graph: &mut GraphWriter, from: &str, to: &str) -> Asked<bool> {
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
    Ok(true)
}

/// Numbers, which are Python's own where the user gave them.
fn statistics(item: &Item) -> Asked<Vec<f64>> {
    item.numbers().or_else(|_| item.items()?.iter().map(Item::number).collect())
}

/// A constant of one number for each column, and its name.
fn columns(fitted: &Fitted, graph: &mut GraphWriter, prefix: &str, attribute: &str) -> Asked<String> {
    let item = fitted.item.get(attribute)?;
    let numbers = item.numbers()?;
    if numbers.len() != fitted.features || numbers.iter().any(|number| !number.is_finite()) {
        return Err(item.not("a number for each column"));
    }
    let name = format!("{prefix}_by_{attribute}");
    graph.constant(&name, &Tensor::vector(numbers));
    Ok(name)
}
