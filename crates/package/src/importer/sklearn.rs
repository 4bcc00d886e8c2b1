//! Fitted scikit-learn models, read out of pickles as what they are: data. Their attributes are read, and a graph is written
//! that computes what scikit-learn would, in its precision and order. A class, a value or a version that is not known exactly
//! is refused with its name.
//!
//! - [`fitted`]: what all have in common: version, columns, classes
//! - [`parts`]: the steps of a pipeline; [`mod@steps`]: the list of those that change columns
//! - [`frame`]: the columns that come in; [`table`]: those that flow from step to step
//! - [`scaling`], [`imputer`], [`numeric`]: steps on numbers; [`encoders`], [`categories`]: what makes numbers of texts
//! - [`selection`], [`importances`]: what leaves columns out
//! - [`compose`]: steps side by side
//! - [`texts`]: what makes numbers of texts that are read
//! - [`product`]: products with a matrix; [`projection`], [`latent`], [`power`], [`terms`]: what is made of them, and other new columns;
//!   [`sparse`]: matrices that hold only what is not zero
//! - [`linear`]: linear models; [`neural`]: layers of them; [`vectors`], [`kernels`]: what keeps rows to compare with
//! - [`bayes`], [`discriminant`], [`mixture`], [`centres`]: what tells classes or clusters by likelihood or distance
//! - [`tree`]: a fitted tree; [`forest`], [`boosting`], [`histogram`], [`isolation`]: what is made of many
//! - [`isotonic`], [`dummy`]: lines, and constants
//! - [`guests`]: models of other libraries; [`rows`]: how rows come to them
//! - [`inner`]: models within models; [`voting`], [`adaboost`], [`stacking`]: several that answer one question; [`several`], [`outputs`]:
//!   several for the classes or outputs of one; [`calibrated`], [`target`]: one whose answer is made another
//! - [`sums`]: sums as numpy takes them
//! - [`answer`]: from sums to probabilities, labels and numbers

mod adaboost;
mod answer;
mod bayes;
mod boosting;
mod calibrated;
mod categories;
mod centres;
mod compose;
mod discriminant;
mod dummy;
mod encoders;
mod fitted;
mod forest;
mod frame;
mod guests;
mod histogram;
mod importances;
mod imputer;
mod inner;
mod isolation;
mod isotonic;
mod kernels;
mod latent;
mod linear;
mod mixture;
mod neural;
mod numeric;
mod outputs;
mod parts;
mod power;
mod product;
mod projection;
mod rows;
mod scaling;
mod selection;
mod several;
mod sparse;
mod stacking;
mod steps;
mod sums;
mod table;
mod target;
mod terms;
mod texts;
mod tree;
mod vectors;
mod voting;

use modelet_core::{DType, Dim, Numbers};
use modelet_model::onnx::write::GraphWriter;

use crate::pickle::{Asked, Item};
use answer::Answer;
use fitted::{Fitted, Version};
use frame::Frame;
use guests::Facts;
use rows::Rows;
use table::Table;

/// The answer of what only changes columns.
const TRANSFORMED: &str = "transformed";

/// Which numbers scikit-learn takes, where not all: it refuses to answer for others.
type Takes = Option<Numbers>;
/// Writes the nodes that answer for a fitted model.
type Write = fn(&Fitted, &mut GraphWriter) -> Asked<Takes>;

const DESCENT: &str = "sklearn.linear_model._coordinate_descent";
const ANGLE: &str = "sklearn.linear_model._least_angle";
const THRESHOLD: &str = "sklearn.model_selection._classification_threshold";
const PROPAGATION: &str = "sklearn.semi_supervised._label_propagation";
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
    ("sklearn.multiclass", &["_ConstantPredictor"], several::constant),
    ("sklearn.compose._target", &["TransformedTargetRegressor"], target::regressor),
    ("sklearn.neighbors._nearest_centroid", &["NearestCentroid"], centres::classes),
    ("sklearn.cluster._bisect_k_means", &["BisectingKMeans"], centres::halved),
    ("sklearn.multioutput", &["MultiOutputRegressor"], outputs::regressors),
    ("sklearn.multioutput", &["MultiOutputClassifier"], outputs::classifiers),
    ("sklearn.multioutput", &["RegressorChain"], outputs::regressor_chain),
    ("sklearn.multioutput", &["ClassifierChain"], outputs::classifier_chain),
    ("sklearn.isotonic", &["IsotonicRegression"], isotonic::regressor),
    ("sklearn.calibration", &["CalibratedClassifierCV"], calibrated::classifier),
    (THRESHOLD, &["FixedThresholdClassifier"], calibrated::fixed),
    (THRESHOLD, &["TunedThresholdClassifierCV"], calibrated::tuned),
    ("sklearn.cross_decomposition._pls", &["PLSRegression", "PLSCanonical", "CCA"], linear::partial),
    ("sklearn.neural_network._multilayer_perceptron", &["MLPClassifier"], neural::classifier),
    ("sklearn.neural_network._multilayer_perceptron", &["MLPRegressor"], neural::regressor),
    ("sklearn.svm._classes", &["SVC", "NuSVC"], vectors::classifier),
    ("sklearn.svm._classes", &["SVR", "NuSVR"], vectors::regressor),
    ("sklearn.svm._classes", &["OneClassSVM"], vectors::one_class),
    (PROPAGATION, &["LabelPropagation", "LabelSpreading"], vectors::propagation),
    ("sklearn.gaussian_process._gpr", &["GaussianProcessRegressor"], vectors::process),
    ("sklearn.kernel_ridge", &["KernelRidge"], vectors::ridge),
    ("sklearn.mixture._gaussian_mixture", &["GaussianMixture"], mixture::gaussian),
    ("sklearn.mixture._bayesian_mixture", &["BayesianGaussianMixture"], mixture::bayesian),
    ("sklearn.ensemble._iforest", &["IsolationForest"], isolation::forest),
    ("sklearn.covariance._elliptic_envelope", &["EllipticEnvelope"], isolation::envelope),
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
    let version = Version::of(object)?;
    let whole = write(object, &Around { version: &version, rows: Rows::All, depth: 0 })?;
    let origin = format!("scikit-learn {version}, {}", parts::words(object, &whole.parts)?);
    let mut graph = whole.frame.finish()?;
    graph.keep_needed();
    Ok(Imported { origin, graph })
}

/// What a model is within.
struct Around<'a> {
    /// What wrote the models around it, or itself.
    version: &'a Version,
    /// How its rows come.
    rows: Rows,
    /// Within how many other models it is.
    depth: usize,
}

/// What was written of a model and the steps before it.
struct Whole<'a> {
    first: Fitted<'a>,
    parts: Vec<Item<'a>>,
    frame: Frame,
    /// Of a model of another library.
    guest: Option<Facts>,
}

/// What answers behind the steps.
#[derive(Clone, Copy)]
enum Last {
    /// A model of scikit-learn.
    Own(Write),
    /// A model of another library.
    Guest,
    /// What only changes columns answers with those that it makes.
    Columns,
}

impl Last {
    fn of(part: &Item) -> Asked<Self> {
        match find(part, ESTIMATORS) {
            Ok(write) => Ok(Self::Own(write)),
            Err(_) if guests::is_guest(part)? => Ok(Self::Guest),
            Err(_) if steps::is_known(part) => Ok(Self::Columns),
            Err(unknown) => Err(unknown),
        }
    }
}

/// Writes a model and the steps before it.
fn write<'a>(object: &Item<'a>, around: &Around) -> Asked<Whole<'a>> {
    let mut parts = parts::of(object)?;
    // What leaves columns out at the end answers with the model that chose them.
    if let Some(last) = parts.last()
        && matches!(&*last.class()?.name, "RFE" | "RFECV")
    {
        parts.extend(parts::of(&last.get("estimator_")?)?);
    }
    let (last, before) = parts.split_last().ok_or("it has no steps")?;
    let kind = Last::of(last)?;
    let steps = if matches!(kind, Last::Columns) { &parts[..] } else { before };
    let first = Fitted::read(&parts[0], "", Some(around.version))?;
    // Once to see what its columns are of, and once to write it.
    let mut sketch = Frame::new(first.features, first.names()?);
    let table = sketch.table()?;
    steps::all(steps, &table, &mut sketch)?.numbers(&mut sketch)?;
    let mut frame = sketch.again(around.depth > 0);
    let table = frame.table()?;
    let table = steps::all(steps, &table, &mut frame)?;
    let input = table.numbers(&mut frame)?;
    let rows = rows::behind(steps, around.rows)?;
    let mut guest = None;
    match kind {
        Last::Own(write) => {
            let fitted = Fitted::read(last, &input, Some(around.version))?;
            let fitted = Fitted { depth: around.depth, rows, ..fitted };
            write_last(&fitted, write, &table, &mut frame)?;
        }
        Last::Guest => guest = Some(guests::write(last, (&input, table.width()), rows, &mut frame.graph)?),
        Last::Columns if last.class()?.name == "MissingIndicator" => {
            return Err("it answers with truths, which cannot be imported yet".to_owned());
        }
        Last::Columns => {
            frame.graph.apply("Identity", &[&input], TRANSFORMED);
            let shape = [Dim::Named("rows".to_owned()), Dim::Fixed(table.width())];
            frame.graph.output(TRANSFORMED, DType::F64, &shape);
        }
    }
    Ok(Whole { first, parts, frame, guest })
}

/// Writes the model behind the steps, and notes what it takes of the columns that they make.
fn write_last(fitted: &Fitted, write: Write, table: &Table, frame: &mut Frame) -> Asked<()> {
    if fitted.features != table.width() {
        return Err(fitted.item.not("a model of as many columns as the step before it makes"));
    }
    let coded = histogram::columns_of_codes(&fitted.item)?;
    if let Some(takes) = write(fitted, &mut frame.graph)? {
        // Of matrices that are mostly zeros no model takes missing numbers.
        table.takes(takes.missing && fitted.rows == Rows::All, takes.largest, frame)?;
    }
    for (at, column) in table.columns().enumerate() {
        if coded.contains(&at) {
            column.takes(true, histogram::LARGEST_CODE, frame)?;
        }
    }
    Ok(())
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
