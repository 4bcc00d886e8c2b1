//! Fitted scikit-learn models, read out of pickles as what they are: data. Their attributes are read, and a graph is written
//! that computes what scikit-learn would, in its precision and order. A class, a value or a version that is not known exactly
//! is refused with its name.
//!
//! - [`fitted`]: what all have in common: version, columns, classes
//! - [`tree`]: a fitted tree; [`forest`], [`boosting`], [`histogram`]: what is made of many
//! - [`answer`]: from sums to probabilities, labels and numbers

mod answer;
mod boosting;
mod fitted;
mod forest;
mod histogram;
mod tree;

use modelet_core::{DType, Dim};
use modelet_model::onnx::COLUMNS_KEY;
use modelet_model::onnx::write::GraphWriter;

use crate::importer::python::NOT_BUILT;
use crate::pickle::{Asked, Item};
use fitted::Fitted;

/// The input: one row of numbers for each prediction, float64, as scikit-learn sees what a client sends.
const INPUT: &str = "X";

/// Writes the nodes that answer for a fitted model.
type Write = fn(&Fitted, &mut GraphWriter) -> Asked<()>;

/// Module, classes, and who writes them.
const ESTIMATORS: &[(&str, &[&str], Write)] = &[
    ("sklearn.tree._classes", &["DecisionTreeClassifier", "ExtraTreeClassifier"], forest::tree_classifier),
    ("sklearn.tree._classes", &["DecisionTreeRegressor", "ExtraTreeRegressor"], forest::tree_regressor),
    ("sklearn.ensemble._forest", &["RandomForestClassifier", "ExtraTreesClassifier"], forest::classifier),
    ("sklearn.ensemble._forest", &["RandomForestRegressor", "ExtraTreesRegressor"], forest::regressor),
    ("sklearn.ensemble._gb", &["GradientBoostingClassifier"], boosting::classifier),
    ("sklearn.ensemble._gb", &["GradientBoostingRegressor"], boosting::regressor),
    (histogram::MODULE, &["HistGradientBoostingClassifier"], histogram::classifier),
    (histogram::MODULE, &["HistGradientBoostingRegressor"], histogram::regressor),
];

/// A model that can be written.
pub(super) struct Imported {
    /// What it was, in words.
    pub origin: String,
    /// What it computes.
    pub graph: GraphWriter,
}

/// Makes a graph of a fitted model; the error says what of it is not known.
pub(super) fn import_pickled(object: &Item) -> Asked<Imported> {
    let class = object.class()?;
    let known = ESTIMATORS
        .iter()
        .find(|(module, classes, _)| *module == class.module && classes.contains(&&*class.name));
    let (.., write) = known.ok_or(NOT_BUILT)?;
    let fitted = Fitted::read(object)?;
    let mut graph = GraphWriter::default();
    graph.input(INPUT, DType::F64, &[Dim::Named("rows".to_owned()), Dim::Fixed(fitted.features)]);
    write(&fitted, &mut graph)?;
    if let Some(names) = fitted.names()? {
        // Plain texts, which always become JSON.
        graph.metadata(COLUMNS_KEY, &serde_json::to_string(&names).unwrap_or_default());
    }
    Ok(Imported { origin: format!("scikit-learn {}, {}", fitted.version, class.name), graph })
}
