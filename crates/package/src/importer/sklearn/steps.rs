//! The steps before a model, and those within a step: each makes columns of columns.

use modelet_core::Numbers;

use super::fitted::Fitted;
use super::frame::Frame;
use super::table::Table;
use super::{
    compose, encoders, find, importances, imputer, latent, numeric, parts, power, projection, scaling,
    selection, terms, texts,
};
use crate::pickle::{Asked, Item};

/// Writes a step: what it makes of columns.
pub(super) type Step = fn(&Fitted, &Table, &mut Frame) -> Asked<Table>;

const TEXT: &str = "sklearn.feature_extraction.text";
const UNIVARIATE: &str = "sklearn.feature_selection._univariate_selection";

/// Module, classes, and who writes them.
const STEPS: &[(&str, &[&str], Step)] = &[
    ("sklearn.compose._column_transformer", &["ColumnTransformer"], compose::columns),
    ("sklearn.pipeline", &["FeatureUnion"], compose::union),
    ("sklearn.preprocessing._function_transformer", &["FunctionTransformer"], compose::function),
    ("sklearn.impute._base", &["SimpleImputer"], imputer::simple),
    ("sklearn.impute._base", &["MissingIndicator"], imputer::indicator),
    ("sklearn.preprocessing._data", &["StandardScaler"], scaling::standard),
    ("sklearn.preprocessing._data", &["RobustScaler"], scaling::robust),
    ("sklearn.preprocessing._data", &["MinMaxScaler"], scaling::min_max),
    ("sklearn.preprocessing._data", &["MaxAbsScaler"], scaling::max_abs),
    ("sklearn.preprocessing._data", &["Binarizer"], numeric::binary),
    ("sklearn.preprocessing._data", &["Normalizer"], numeric::normal),
    ("sklearn.preprocessing._discretization", &["KBinsDiscretizer"], numeric::bins),
    ("sklearn.preprocessing._polynomial", &["PolynomialFeatures"], numeric::products),
    ("sklearn.preprocessing._data", &["PowerTransformer"], power::yeo_johnson),
    (TEXT, &["CountVectorizer"], texts::counted),
    (TEXT, &["TfidfVectorizer"], texts::weighed),
    (TEXT, &["HashingVectorizer"], texts::hashed),
    (TEXT, &["TfidfTransformer"], terms::weighed),
    ("sklearn.preprocessing._encoders", &["OneHotEncoder"], encoders::one_hot),
    ("sklearn.preprocessing._encoders", &["OrdinalEncoder"], encoders::ordinal),
    ("sklearn.preprocessing._target_encoder", &["TargetEncoder"], encoders::target),
    ("sklearn.decomposition._pca", &["PCA"], projection::principal),
    ("sklearn.decomposition._incremental_pca", &["IncrementalPCA"], projection::principal),
    ("sklearn.decomposition._truncated_svd", &["TruncatedSVD"], projection::components),
    ("sklearn.decomposition._fastica", &["FastICA"], projection::independent),
    ("sklearn.decomposition._kernel_pca", &["KernelPCA"], projection::kernel_components),
    ("sklearn.random_projection", &["GaussianRandomProjection"], projection::components),
    ("sklearn.random_projection", &["SparseRandomProjection"], latent::sparse_projection),
    ("sklearn.decomposition._factor_analysis", &["FactorAnalysis"], latent::factors),
    ("sklearn.decomposition._sparse_pca", &["SparsePCA", "MiniBatchSparsePCA"], latent::sparse_components),
    ("sklearn.neural_network._rbm", &["BernoulliRBM"], latent::hidden),
    ("sklearn.cluster._agglomerative", &["FeatureAgglomeration"], latent::groups),
    ("sklearn.neighbors._nca", &["NeighborhoodComponentsAnalysis"], projection::components),
    ("sklearn.discriminant_analysis", &["LinearDiscriminantAnalysis"], projection::discriminants),
    (
        "sklearn.cross_decomposition._pls",
        &["PLSRegression", "PLSCanonical", "CCA", "PLSSVD"],
        projection::partial,
    ),
    ("sklearn.kernel_approximation", &["RBFSampler"], projection::cosines),
    ("sklearn.kernel_approximation", &["Nystroem"], projection::nystroem),
    ("sklearn.feature_selection._variance_threshold", &["VarianceThreshold"], selection::varied),
    (UNIVARIATE, &["SelectKBest"], selection::best),
    (UNIVARIATE, &["SelectPercentile"], selection::share),
    (UNIVARIATE, &["SelectFpr"], selection::unlikely),
    (UNIVARIATE, &["SelectFdr"], selection::discovered),
    (UNIVARIATE, &["SelectFwe"], selection::all_unlikely),
    (UNIVARIATE, &["GenericUnivariateSelect"], selection::generic),
    ("sklearn.feature_selection._sequential", &["SequentialFeatureSelector"], selection::supported),
    ("sklearn.feature_selection._from_model", &["SelectFromModel"], importances::of_model),
    ("sklearn.feature_selection._rfe", &["RFE", "RFECV"], selection::supported),
];

/// What all steps on numbers take.
pub(super) const FINITE: Numbers = Numbers { missing: true, largest: f64::MAX };

/// True for a step that is known.
pub(super) fn is_known(step: &Item) -> bool {
    find(step, STEPS).is_ok()
}

/// Writes an estimator within a step, which may be several steps itself.
pub(super) fn estimator(item: &Item, table: &Table, frame: &mut Frame) -> Asked<Table> {
    all(&parts::of(item)?, table, frame)
}

/// Writes steps, one after the other.
pub(super) fn all(steps: &[Item], table: &Table, frame: &mut Frame) -> Asked<Table> {
    steps.iter().try_fold(table.clone(), |table, step| one(step, &table, frame))
}

fn one(step: &Item, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let write = find(step, STEPS)?;
    let fitted = Fitted::read_step(step, table.width())?;
    if fitted.features != table.width() {
        return Err(step.not("a step of as many columns as the one before it makes"));
    }
    write(&fitted, table, frame)
}

/// The columns as one matrix for a step that takes finite numbers, and perhaps missing ones.
pub(super) fn matrix(table: &Table, takes: Numbers, frame: &mut Frame) -> Asked<String> {
    table.takes(takes.missing, takes.largest, frame)?;
    table.numbers(frame)
}
