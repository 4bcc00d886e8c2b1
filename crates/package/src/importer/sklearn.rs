//! Fitted scikit-learn models, read out of pickles as what they are: data. Their attributes are read, and a graph is written
//! that computes what scikit-learn would, in its precision and order. A class, a value or a version that is not known exactly
//! is refused with its name.
//!
//! - [`fitted`]: what all have in common: version, columns, classes
//! - [`parts`]: the steps of a pipeline; [`mod@steps`]: the list of those that change columns
//! - [`frame`]: the columns that come in; [`table`]: those that flow from step to step
//! - [`scaling`], [`imputer`], [`numeric`]: steps on numbers; [`encoders`], [`categories`]: what makes numbers of texts
//! - [`compose`]: steps side by side
//! - [`linear`]: linear models
//! - [`tree`]: a fitted tree; [`forest`], [`boosting`], [`histogram`]: what is made of many
//! - [`answer`]: from sums to probabilities, labels and numbers

mod answer;
mod boosting;
mod categories;
mod compose;
mod encoders;
mod fitted;
mod forest;
mod frame;
mod histogram;
mod imputer;
mod linear;
mod numeric;
mod parts;
mod scaling;
mod steps;
mod table;
mod tree;

use modelet_core::Numbers;
use modelet_model::onnx::write::GraphWriter;

use crate::pickle::{Asked, Item};
use fitted::Fitted;
use frame::Frame;

/// Which numbers scikit-learn takes, where not all: it refuses to answer for others.
type Takes = Option<Numbers>;
/// Writes the nodes that answer for a fitted model.
type Write = fn(&Fitted, &mut GraphWriter) -> Asked<Takes>;

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
    ("sklearn.linear_model._base", &["LinearRegression"], linear::regressor),
    ("sklearn.linear_model._ridge", &["Ridge", "RidgeCV"], linear::regressor),
    ("sklearn.linear_model._ridge", &["RidgeClassifier", "RidgeClassifierCV"], linear::ridge_classifier),
    (
        "sklearn.linear_model._coordinate_descent",
        &["Lasso", "ElasticNet", "LassoCV", "ElasticNetCV"],
        linear::regressor,
    ),
    ("sklearn.linear_model._huber", &["HuberRegressor"], linear::regressor),
    ("sklearn.linear_model._glm.glm", &["PoissonRegressor", "GammaRegressor"], linear::exponential),
    ("sklearn.linear_model._logistic", &["LogisticRegression", "LogisticRegressionCV"], linear::logistic),
    ("sklearn.linear_model._stochastic_gradient", &["SGDRegressor"], linear::regressor),
    ("sklearn.linear_model._stochastic_gradient", &["SGDClassifier"], linear::sgd_classifier),
    ("sklearn.linear_model._perceptron", &["Perceptron"], linear::classifier),
    ("sklearn.svm._classes", &["LinearSVC"], linear::classifier),
    ("sklearn.svm._classes", &["LinearSVR"], linear::regressor),
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
    let parts = parts::of(object)?;
    let (last, steps) = parts.split_last().ok_or("it has no steps")?;
    let write = find(last, ESTIMATORS)?;
    let first = Fitted::read(&parts[0], "")?;
    // Once to see what its columns are of, and once to write it.
    let mut sketch = Frame::new(first.features, first.names()?);
    let table = sketch.table()?;
    steps::all(steps, &table, &mut sketch)?.numbers(&mut sketch)?;
    let mut frame = sketch.again();
    let table = frame.table()?;
    let table = steps::all(steps, &table, &mut frame)?;
    let input = table.numbers(&mut frame)?;
    let fitted = Fitted::read(last, &input)?;
    if fitted.features != table.width() {
        return Err(last.not("a model of as many columns as the step before it makes"));
    }
    let coded = histogram::columns_of_codes(last)?;
    let may_be_sparse = compose::may_be_sparse(steps)?;
    if let Some(takes) = write(&fitted, &mut frame.graph)? {
        // Of matrices that are mostly zeros no model takes missing numbers.
        table.takes(takes.missing && !may_be_sparse, takes.largest, &mut frame)?;
    }
    for (at, column) in table.columns().enumerate() {
        if coded.contains(&at) {
            column.takes(true, histogram::LARGEST_CODE, &mut frame)?;
        }
    }
    let origin = format!("scikit-learn {}, {}", fitted.version, parts::words(object, &parts)?);
    Ok(Imported { origin, graph: frame.finish()? })
}

/// What is listed for the class of a part.
fn find<T: Copy>(part: &Item, list: &[(&str, &[&str], T)]) -> Asked<T> {
    let class = part.class()?;
    let found =
        list.iter().find(|(module, names, _)| *module == class.module && names.contains(&&*class.name));
    match found {
        Some((.., known)) => Ok(*known),
        None => Err(format!("{}: importing it is not built yet", class.name)),
    }
}
