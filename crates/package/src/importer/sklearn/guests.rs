//! Models of other libraries as scikit-learn's: boosted trees of XGBoost, LightGBM and CatBoost.

use modelet_core::DType;
use modelet_model::onnx::write::{Attribute, GraphWriter};

use super::answer::Answer;
use super::rows::Rows;
use super::tree::FLOAT;
use crate::importer::classes::Classes;
use crate::importer::guest::{Guest, INPUT, Unheld};
use crate::importer::{catboost, lightgbm, xgboost};
use crate::pickle::{Asked, Item};

/// Who reads a model.
type Read = fn(&Item) -> Asked<Guest>;

/// What the models around a guest have to know of it.
pub(super) struct Facts {
    /// What a classifier chooses from.
    pub classes: Option<Classes>,
    /// True where it answers in float32.
    pub is_single: bool,
}

/// The modules of their models, and who reads them.
const LIBRARIES: &[(&str, Read)] = &[
    ("xgboost.sklearn", xgboost::guest),
    ("lightgbm.sklearn", lightgbm::guest),
    ("catboost.core", catboost::guest),
];

/// Who reads a model of another library; `None` for one of scikit-learn.
fn reader(item: &Item) -> Asked<Option<Read>> {
    let module = item.class()?.module;
    Ok(LIBRARIES.iter().find(|(known, _)| *known == module).map(|(_, read)| *read))
}

/// True for a model of another library.
pub(super) fn is_guest(item: &Item) -> Asked<bool> {
    Ok(reader(item)?.is_some())
}

/// How many numbers a row of it has; `None` for one of scikit-learn.
pub(super) fn features(item: &Item) -> Asked<Option<usize>> {
    Ok(reader(item)?.map(|read| read(item)).transpose()?.map(|guest| guest.features))
}

/// Writes it, as it sees rows of float64.
pub(super) fn write(
    item: &Item,
    (input, width): (&str, usize),
    rows: Rows,
    graph: &mut GraphWriter,
) -> Asked<Facts> {
    let read = reader(item)?.ok_or_else(|| item.not("a model of another library"))?;
    let guest = read(item)?;
    if guest.features != width {
        return Err(item.not("a model of as many columns as the step before it makes"));
    }
    let seen = seen(item, &guest, (input, rows), graph)?;
    graph.take_over(guest.graph, (INPUT, &seen));
    Ok(Facts { classes: guest.classes, is_single: guest.is_single })
}

/// The rows as the library gets them: what a sparse matrix does not hold may be missing, and numbers may be rounded.
fn seen(item: &Item, guest: &Guest, (input, rows): (&str, Rows), graph: &mut GraphWriter) -> Asked<String> {
    let mut seen = input.to_owned();
    match (guest.unheld, rows) {
        (_, Rows::All) | (Unheld::Zero, _) => {}
        (Unheld::Missing, Rows::NotZero) => {
            graph.scalar("unheld", 0.0);
            graph.scalar("missing_number", f64::NAN);
            graph.apply("Equal", &[&seen, "unheld"], "are_unheld");
            graph.apply("Where", &["are_unheld", "missing_number", &seen], "held_numbers");
            "held_numbers".clone_into(&mut seen);
        }
        (Unheld::Missing, Rows::SomeZeros) | (Unheld::ZeroAlone, _) => {
            let name = item.class()?.name;
            return Err(format!(
                "its {name} gets a sparse matrix of which one cannot tell which zeros it holds, and takes those for other \
                 numbers than the rest: use sparse_output=False in its encoders, or sparse_threshold=0 in its ColumnTransformer"
            ));
        }
    }
    if guest.precision == DType::F32 {
        graph.node(("", "Cast"), &[&seen], "single_numbers", vec![("to", Attribute::Int(FLOAT))]);
        "single_numbers".clone_into(&mut seen);
    }
    Ok(seen)
}
