//! Fitted scikit-learn models, read out of pickles as what they are: data. Their attributes are read, and a graph is written
//! that computes what scikit-learn would, in its precision and order. A class, a value or a version that is not known exactly
//! is refused with its name.
//!
//! - [`fitted`]: what all have in common: version, columns, classes
//! - [`parts`]: the steps of a pipeline; [`scaling`]: those that change columns
//! - [`linear`]: linear models
//! - [`tree`]: a fitted tree; [`forest`], [`boosting`], [`histogram`]: what is made of many
//! - [`answer`]: from sums to probabilities, labels and numbers

mod adaboost;
mod answer;
mod bayes;
mod boosting;
mod calibrated;
mod centres;
mod compose;
mod discriminant;
mod dummy;
mod fitted;
mod forest;
mod histogram;
mod isotonic;
mod linear;
mod outputs;
mod parts;
mod scaling;
mod several;
mod stacking;
mod sums;
mod tree;
mod voting;

use modelet_core::{DType, Dim, EngineName, Numbers};
use modelet_model::onnx::write::GraphWriter;
use modelet_model::onnx::{COLUMNS_KEY, ENGINE_KEY, NUMBERS_KEY};

use crate::pickle::{Asked, Item};
use fitted::Fitted;
use scaling::Effect;

/// The input: one row of numbers for each prediction, float64, as scikit-learn sees what a client sends.
const INPUT: &str = "X";

/// Which numbers scikit-learn takes, where not all: it refuses to answer for others.
type Takes = Option<Numbers>;
/// Writes the nodes that answer for a fitted model.
type Write = fn(&Fitted, &mut GraphWriter) -> Asked<Takes>;

const DESCENT: &str = "sklearn.linear_model._coordinate_descent";
const ANGLE: &str = "sklearn.linear_model._least_angle";
const THRESHOLD: &str = "sklearn.model_selection._classification_threshold";
const STEPS: &str = "sklearn.linear_model._stochastic_gradient";

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
    ("sklearn.linear_model._bayes", &["ARDRegression", "BayesianRidge"], linear::regressor),
    ("sklearn.linear_model._ridge", &["Ridge", "RidgeCV"], linear::regressor),
    ("sklearn.linear_model._ridge", &["RidgeClassifier", "RidgeClassifierCV"], linear::ridge_classifier),
    (DESCENT, &["Lasso", "ElasticNet", "LassoCV", "ElasticNetCV"], linear::regressor),
    (
        DESCENT,
        &["MultiTaskLasso", "MultiTaskLassoCV", "MultiTaskElasticNet", "MultiTaskElasticNetCV"],
        linear::regressor,
    ),
    (ANGLE, &["Lars", "LarsCV", "LassoLars", "LassoLarsCV", "LassoLarsIC"], linear::regressor),
    (
        "sklearn.linear_model._omp",
        &["OrthogonalMatchingPursuit", "OrthogonalMatchingPursuitCV"],
        linear::regressor,
    ),
    ("sklearn.linear_model._huber", &["HuberRegressor"], linear::regressor),
    ("sklearn.linear_model._theil_sen", &["TheilSenRegressor"], linear::regressor),
    ("sklearn.linear_model._quantile", &["QuantileRegressor"], linear::regressor),
    ("sklearn.linear_model._glm.glm", &["PoissonRegressor", "GammaRegressor"], linear::exponential),
    ("sklearn.linear_model._glm.glm", &["TweedieRegressor"], linear::by_link),
    ("sklearn.linear_model._logistic", &["LogisticRegression", "LogisticRegressionCV"], linear::logistic),
    (STEPS, &["SGDRegressor"], linear::regressor),
    (STEPS, &["SGDClassifier"], linear::sgd_classifier),
    (STEPS, &["SGDOneClassSVM"], linear::one_class),
    ("sklearn.linear_model._passive_aggressive", &["PassiveAggressiveRegressor"], linear::regressor),
    ("sklearn.linear_model._passive_aggressive", &["PassiveAggressiveClassifier"], linear::classifier),
    ("sklearn.linear_model._perceptron", &["Perceptron"], linear::classifier),
    ("sklearn.svm._classes", &["LinearSVC"], linear::classifier),
    ("sklearn.svm._classes", &["LinearSVR"], linear::regressor),
    ("sklearn.discriminant_analysis", &["LinearDiscriminantAnalysis"], linear::discriminant),
    ("sklearn.discriminant_analysis", &["QuadraticDiscriminantAnalysis"], discriminant::quadratic),
    ("sklearn.naive_bayes", &["GaussianNB"], bayes::gaussian),
    ("sklearn.naive_bayes", &["MultinomialNB"], bayes::multinomial),
    ("sklearn.naive_bayes", &["ComplementNB"], bayes::complement),
    ("sklearn.naive_bayes", &["BernoulliNB"], bayes::bernoulli),
    ("sklearn.dummy", &["DummyClassifier"], dummy::classifier),
    ("sklearn.dummy", &["DummyRegressor"], dummy::regressor),
    ("sklearn.ensemble._voting", &["VotingClassifier"], voting::classifier),
    ("sklearn.ensemble._voting", &["VotingRegressor"], voting::regressor),
    ("sklearn.ensemble._bagging", &["BaggingClassifier"], voting::bagging_classifier),
    ("sklearn.ensemble._bagging", &["BaggingRegressor"], voting::bagging_regressor),
    ("sklearn.ensemble._stacking", &["StackingClassifier"], stacking::classifier),
    ("sklearn.ensemble._stacking", &["StackingRegressor"], stacking::regressor),
    ("sklearn.ensemble._weight_boosting", &["AdaBoostClassifier"], adaboost::classifier),
    ("sklearn.ensemble._weight_boosting", &["AdaBoostRegressor"], adaboost::regressor),
    ("sklearn.multiclass", &["OneVsRestClassifier"], several::one_against_rest),
    ("sklearn.multiclass", &["OneVsOneClassifier"], several::one_against_one),
    ("sklearn.multiclass", &["OutputCodeClassifier"], several::output_code),
    ("sklearn.multioutput", &["MultiOutputRegressor"], outputs::regressors),
    ("sklearn.multioutput", &["MultiOutputClassifier"], outputs::classifiers),
    ("sklearn.multioutput", &["RegressorChain"], outputs::regressor_chain),
    ("sklearn.multioutput", &["ClassifierChain"], outputs::classifier_chain),
    ("sklearn.isotonic", &["IsotonicRegression"], isotonic::regressor),
    ("sklearn.calibration", &["CalibratedClassifierCV"], calibrated::classifier),
    (THRESHOLD, &["FixedThresholdClassifier"], calibrated::fixed),
    (THRESHOLD, &["TunedThresholdClassifierCV"], calibrated::tuned),
    ("sklearn.cluster._kmeans", &["KMeans", "MiniBatchKMeans"], centres::means),
    ("sklearn.cluster._mean_shift", &["MeanShift"], centres::centres),
    ("sklearn.cluster._affinity_propagation", &["AffinityPropagation"], centres::centres),
    ("sklearn.cluster._birch", &["Birch"], centres::parts),
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
    let mut graph = GraphWriter::default();
    let whole = write_whole(object, 0, &mut graph)?;
    note(&whole.first, whole.takes, &mut graph)?;
    graph.keep_needed();
    let origin = format!("scikit-learn {}, {}", whole.first.version, parts::words(object, &whole.parts)?);
    Ok(Imported { origin, graph })
}

/// What was written of a model and the steps before it.
struct Whole<'a> {
    first: Fitted<'a>,
    parts: Vec<Item<'a>>,
    takes: Takes,
}

/// Writes a model and the steps before it into a graph of their own; `depth` says within how many others it is.
fn write_whole<'a>(object: &Item<'a>, depth: usize, graph: &mut GraphWriter) -> Asked<Whole<'a>> {
    let parts = parts::of(object)?;
    let (last, steps) = parts.split_last().ok_or("it has no steps")?;
    let write = find(last, ESTIMATORS.iter().map(|(module, names, write)| (*module, *names, *write)))?;
    let first = Fitted::read(&parts[0], INPUT)?;
    graph.input(INPUT, DType::F64, &[Dim::Named("rows".to_owned()), Dim::Fixed(first.features)]);
    let (input, effects) = transform(steps, first.features, graph)?;
    let fitted = Fitted { depth, ..Fitted::read(last, &input)? };
    if fitted.features != first.features {
        return Err(last.not("a model of as many columns as the step before it makes"));
    }
    let takes = write(&fitted, graph)?;
    let takes = takes_all(takes, &effects);
    if takes.is_some_and(|takes| takes.largest.is_nan() || takes.largest <= 0.0) {
        return Err("its steps make numbers larger than float64 can hold".to_owned());
    }
    Ok(Whole { first, parts, takes })
}

/// What is listed for the class of a part.
fn find<'a, T>(part: &Item, mut list: impl Iterator<Item = (&'a str, &'a [&'a str], T)>) -> Asked<T> {
    let class = part.class()?;
    let found = list.find(|(module, names, _)| *module == class.module && names.contains(&&*class.name));
    match found {
        Some((.., known)) => Ok(known),
        None => Err(format!("{}: importing it is not built yet", class.name)),
    }
}

/// Writes the steps before the model; returns the tensor that they make, and what they do to numbers.
fn transform(steps: &[Item], features: usize, graph: &mut GraphWriter) -> Asked<(String, Vec<Effect>)> {
    let (mut last, mut effects) = (INPUT.to_owned(), Vec::new());
    for (number, step) in steps.iter().enumerate() {
        let known =
            scaling::STEPS.iter().map(|(module, name, write)| (*module, std::slice::from_ref(name), *write));
        let write = find(step, known)?;
        let fitted = Fitted::read(step, &last)?;
        if fitted.features != features {
            return Err(step.not("a step of as many columns as the one before it makes"));
        }
        let next = format!("step{number}");
        effects.push(write(&fitted, graph, &last, &next)?);
        last = next;
    }
    Ok((last, effects))
}

/// What the whole takes: steps before the model refuse what is not finite, and let what is missing pass or fill it in. Numbers
/// are kept so small that no step makes one of them that the model refuses.
fn takes_all(model: Takes, steps: &[Effect]) -> Takes {
    if steps.is_empty() {
        return model;
    }
    let model = model.unwrap_or(Numbers { missing: true, largest: f64::MAX });
    let before = |largest: f64, step: &Effect| ((largest - step.shift) / step.stretch).min(f64::MAX);
    Some(Numbers {
        missing: model.missing || steps.iter().any(|step| step.fills),
        largest: steps.iter().rev().fold(model.largest, before),
    })
}

/// Notes what the platform has to know: the names and limits of columns, and the engine that rounds as scikit-learn does.
fn note(first: &Fitted, takes: Takes, graph: &mut GraphWriter) -> Asked<()> {
    // Plain texts and data, which always become JSON.
    if let Some(names) = first.names()? {
        graph.metadata(COLUMNS_KEY, &serde_json::to_string(&names).unwrap_or_default());
    }
    graph.metadata(ENGINE_KEY, EngineName::Tabular.as_str());
    if let Some(takes) = takes {
        graph.metadata(NUMBERS_KEY, &serde_json::to_string(&takes).unwrap_or_default());
    }
    Ok(())
}
