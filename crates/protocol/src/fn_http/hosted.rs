//! What clients of other hosts wrap around rows, so that a function that moves to another host is called as before.
//!
//! | host | form |
//! |---|---|
//! | SageMaker | `{"instances": [{"features": [5.1, 3.5]}]}` |
//! | Vertex AI, TensorFlow Serving | `{"instances": [{"b64": "…"}], "parameters": {}}`: a file in base64; parameters that say nothing |
//! | Azure Machine Learning | `{"input_data": {"columns": …, "index": …, "data": …}}`, or rows |
//!
//! Source: their docs, "Common data formats for inference" (SageMaker), "Get inferences from a custom trained model" (Vertex AI),
//! "Deploy MLflow models to online endpoints" (Azure Machine Learning).

use modelet_core::{FunctionError, Signature};

use crate::json::Json;
use crate::layout::Names;

/// A row of SageMaker's, or a file of Vertex AI's, is an object with this one key.
const FEATURES: &str = "features";
const BASE64: &str = "b64";

/// Rows without what is wrapped around each.
pub(super) fn unwrapped(json: Json, signature: &Signature) -> Json {
    let is_wrapper = |key: &str| match key {
        FEATURES => true,
        BASE64 => signature.inputs.iter().any(|spec| spec.file.is_some()),
        _ => false,
    };
    let names = Names::of(signature);
    unwrap(json, &|key| is_wrapper(key) && names.get(key).is_none())
}

fn unwrap(json: Json, is_wrapper: &impl Fn(&str) -> bool) -> Json {
    match json {
        Json::List(list) => Json::List(list.into_iter().map(|row| unwrap(row, is_wrapper)).collect()),
        Json::Object(mut pairs) if pairs.len() == 1 && is_wrapper(&pairs[0].0) => pairs.swap_remove(0).1,
        // A file may be one input of several.
        Json::Object(pairs) => {
            Json::Object(pairs.into_iter().map(|(name, value)| (name, unwrap(value, is_wrapper))).collect())
        }
        other => other,
    }
}

/// Refuses parameters: no model here takes any, and one that is not heeded would be a silent difference.
pub(super) fn check_parameters(json: &Json) -> Result<(), FunctionError> {
    match json {
        Json::Null => Ok(()),
        Json::Object(pairs) if pairs.is_empty() => Ok(()),
        other => Err(FunctionError::bad_input(
            "parameters",
            "none: this function takes no parameters",
            other.what(),
        )),
    }
}
