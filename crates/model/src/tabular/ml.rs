//! Operators of the domain `ai.onnx.ml`.

mod classes;
mod encoders;
mod linear;
mod post;
mod scaling;
mod trees;

pub(super) use classes::Classes;

use super::operators::Entry;

/// Name, first version whose meaning we compute, and how it is made ready.
pub(super) const OPERATORS: &[Entry] = &[
    ("ArrayFeatureExtractor", 1, encoders::array_feature_extractor),
    ("Binarizer", 1, scaling::binarizer),
    ("CategoryMapper", 1, encoders::category_mapper),
    ("FeatureVectorizer", 1, encoders::feature_vectorizer),
    ("Imputer", 1, scaling::imputer),
    ("LabelEncoder", 1, encoders::label_encoder),
    ("LinearClassifier", 1, linear::classifier),
    ("LinearRegressor", 1, linear::regressor),
    ("Normalizer", 1, scaling::normalizer),
    ("OneHotEncoder", 1, encoders::one_hot_encoder),
    ("Scaler", 1, scaling::scaler),
    ("TreeEnsemble", 5, trees::ensemble),
    ("TreeEnsembleClassifier", 1, trees::classifier),
    ("TreeEnsembleRegressor", 1, trees::regressor),
];
