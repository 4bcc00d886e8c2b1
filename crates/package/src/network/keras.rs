//! What Keras saved: a zip with its configuration as JSON, or HDF5 with the same among the root's attributes. Source: Keras'
//! `saving_lib` and `legacy/saving/legacy_h5_format`.
//!
//! A configuration names classes and, in a `Lambda` layer, holds code. What is not Keras' own is refused by name before Keras
//! sees it.

use std::path::Path;

use modelet_core::FunctionError;
use serde_json::Value as Json;

use super::{Archive, MAX_NAMED, Network, hdf5, original, refused};
use crate::certificate::original::Loader;

/// The files in a `.keras` archive.
pub(super) const CONFIG: &str = "config.json";
pub(super) const WEIGHTS: &str = "model.weights.h5";
const METADATA: &str = "metadata.json";
/// What loads either form, of Keras 3 and of Keras before it.
const OF_ARCHIVES: (Loader, Loader) = (Loader::Keras, Loader::TfKeras);
const OF_HDF5: (Loader, Loader) = (Loader::KerasHdf5, Loader::TfKerasHdf5);
/// What only training reads, of a model that is within no other.
const OF_TRAINING: &str = "compile_config";
const AGAIN: &str = "save it again: model.save(\"model.keras\")";

/// What a `.keras` file holds.
pub(super) fn of_archive(path: &Path, archive: &mut Archive) -> Result<Network, FunctionError> {
    let mut json = |name: &str| {
        let text = archive.read(name)?;
        serde_json::from_slice::<Json>(&text).map_err(|error| format!("its {name} is damaged: {error}"))
    };
    let (config, metadata) = (json(CONFIG), json(METADATA));
    let both = config.and_then(|config| Ok((config, metadata?)));
    let (config, metadata) =
        both.map_err(|why| refused(path, &format!("cannot be read: {why}")).hint(AGAIN))?;
    network(path, OF_ARCHIVES, &config, metadata["keras_version"].as_str())
}

/// What an `.h5` file holds.
pub(super) fn of_hdf5(path: &Path) -> Result<Network, FunctionError> {
    let attributes = hdf5::root_attributes(path, &["model_config", "keras_version"]).ok_or_else(|| {
        refused(path, "is HDF5 in a form that modelet does not read")
            .hint("save the model as .keras: model.save(\"model.keras\")")
    })?;
    let config = attributes.get("model_config").ok_or_else(|| {
        refused(path, "is HDF5 without the configuration of a Keras model: weights alone make no model")
            .hint("save the whole model: model.save(\"model.keras\"), not model.save_weights")
    })?;
    let config = serde_json::from_str(config)
        .map_err(|error| refused(path, &format!("cannot be read: its configuration: {error}")).hint(AGAIN))?;
    network(path, OF_HDF5, &config, attributes.get("keras_version").map(String::as_str))
}

fn network(
    path: &Path,
    (newer, older): (Loader, Loader),
    config: &Json,
    version: Option<&str>,
) -> Result<Network, FunctionError> {
    let mut code = Vec::new();
    match config {
        Json::Object(fields) => {
            find_own_code(config, &mut code);
            let loaded = fields.iter().filter(|(key, _)| *key != OF_TRAINING);
            loaded.for_each(|(_, inner)| find_code(inner, &mut code));
        }
        other => find_code(other, &mut code),
    }
    if !code.is_empty() {
        let named = code.iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if code.len() > MAX_NAMED { ", …" } else { "" };
        let why = format!("is not loaded, for it runs or needs code that is not Keras' own: {named}{more}");
        return Err(refused(path, &why).hint(
            "use Keras' own layers and operations (keras.layers, keras.ops) in their place; or export the model to ONNX where \
             its code is: model.export(\"model.onnx\", format=\"onnx\")",
        ));
    }
    let class = config["class_name"].as_str().unwrap_or("model");
    // TensorFlow's own Keras adds "-tf"; versions before 2 wrote none.
    let version = version.map(|version| version.trim_end_matches("-tf"));
    let is_new = version.is_some_and(|version| !version.starts_with("1.") && !version.starts_with("2."));
    let (loader, framework) = if is_new { (newer, "keras") } else { (older, "tf-keras") };
    let said = version.map_or_else(String::new, |version| format!(" {version}"));
    Ok(Network {
        original: original(path, loader, framework, version.map(str::to_owned)),
        title: format!("Keras{said}, {class}"),
    })
}

/// Collects what in a configuration is code or not of Keras itself. Models within it are loaded with what they need for training.
fn find_code(config: &Json, found: &mut Vec<String>) {
    match config {
        Json::Object(fields) if !find_own_code(config, found) => {
            fields.values().for_each(|inner| find_code(inner, found));
        }
        Json::Array(items) => items.iter().for_each(|inner| find_code(inner, found)),
        _ => {}
    }
}

/// The same of an object alone; true for one that is nothing but code.
fn find_own_code(config: &Json, found: &mut Vec<String>) -> bool {
    let class = config["class_name"].as_str().unwrap_or_default();
    let name = config["config"]["name"].as_str().map_or_else(String::new, |name| format!(" {name:?}"));
    if ["Lambda", "__lambda__"].contains(&class) {
        found.push(format!("the {class} layer{name}"));
        return true;
    }
    let registered = config["registered_name"].as_str().filter(|name| name.contains('>'));
    match (registered, config["module"].as_str()) {
        (Some(registered), _) => found.push(format!("{registered}{name}")),
        (None, Some(module)) if !is_of_keras(module) => found.push(format!("{module}.{class}{name}")),
        _ => {}
    }
    false
}

fn is_of_keras(module: &str) -> bool {
    ["keras", "tf_keras"].contains(&module.split('.').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn code_and_what_is_not_of_keras_is_refused_by_name() {
        let layer = |layer: Json| json!({"module": "keras", "class_name": "Sequential", "config": {"layers": [layer]}});
        let of = |config: Json| network(Path::new("m.keras"), OF_ARCHIVES, &config, Some("3.15.1"));
        let dense = json!({"module": "keras.layers", "class_name": "Dense", "config": {"name": "d"}, "registered_name": null});
        assert_eq!(of(layer(dense)).unwrap().title, "Keras 3.15.1, Sequential");
        for (bad, named) in [
            (
                json!({"class_name": "Lambda", "config": {"name": "twice", "function": {}}}),
                "the Lambda layer \"twice\"",
            ),
            (json!({"module": "builtins", "class_name": "eval", "config": "x"}), "builtins.eval"),
            (json!({"module": "kerasx", "class_name": "Layer", "config": {}}), "kerasx.Layer"),
            (
                json!({"module": null, "class_name": "Mine", "registered_name": "lib>Mine", "config": {"name": "m"}}),
                "lib>Mine \"m\"",
            ),
        ] {
            let error = of(layer(bad)).unwrap_err();
            assert!(error.message.ends_with(named), "{error}");
        }
        let trained = json!({"class_name": "Sequential", "config": {}, "compile_config": {"loss": {"module": "mine", "class_name": "Loss"}}});
        assert!(of(trained.clone()).is_ok(), "what only training needs is not loaded");
        assert!(of(layer(trained)).is_err(), "it is, of a model within another");
    }
}
