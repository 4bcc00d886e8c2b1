//! Folders that MLflow wrote: `MLmodel` says which file is the model, and what its columns are called. Source of the format:
//! MLflow's documentation, "MLflow Models, Storage Format".

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use modelet_core::artifact::is_safe_path;
use modelet_core::{Code, FunctionError};
use serde::Deserialize;

use crate::given::unreadable;

/// The file that makes a folder MLflow's.
const FILE: &str = "MLmodel";
/// Largest such file, in bytes.
const MAX_BYTES: u64 = 16 << 20;
/// Flavors that can be imported, the best first, and the keys under which they name their file, or a folder with it.
const FLAVORS: [(&str, &[&str]); 8] = [
    ("onnx", &["data"]),
    ("xgboost", &["data"]),
    ("lightgbm", &["data"]),
    ("sklearn", &["pickled_model"]),
    ("catboost", &["data"]),
    ("keras", &["data"]),
    ("tensorflow", &["saved_model_dir", "data"]),
    ("pytorch", &["model_data"]),
];
/// What every model is to MLflow; alone, the model is code …
const PYTHON_FUNCTION: &str = "python_function";
/// … and is deployed as such.
const DEPLOY_CODE: &str = "it is code: deploy it as such, from a folder with app.py, whose predict(inputs) asks it, and requirements.txt";
/// What MLflow calls a network in such a folder.
const NETWORKS: [&str; 6] =
    ["model.keras", "model.h5", "model/saved_model.pb", "saved_model.pb", "model.pt2", "model.pth"];

/// What a folder of MLflow's says.
#[derive(Debug)]
pub struct Mlflow {
    /// The model's file.
    pub model: PathBuf,
    /// Names of its columns.
    pub columns: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct MlModel {
    flavors: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
    signature: Option<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    /// JSON: a list of columns, or of tensors.
    inputs: Option<String>,
}

/// A column, or a tensor.
#[derive(Deserialize)]
struct Column {
    name: Option<String>,
    #[serde(rename = "tensor-spec")]
    tensor: Option<serde_json::Value>,
}

/// Reads a folder; `None` when MLflow did not write it.
///
/// # Errors
/// `model-refused` when its file is damaged, or there is no flavor that can be imported.
pub fn read(folder: &Path) -> Result<Option<Mlflow>, FunctionError> {
    let path = folder.join(FILE);
    match fs::metadata(&path) {
        Ok(file) if file.len() <= MAX_BYTES => {}
        Ok(file) => {
            return Err(damaged(&path, &format!("it has {} bytes, the limit is {MAX_BYTES}", file.len())));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&path, &error)),
    }
    let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
    let said: MlModel = serde_saphyr::from_str(&text)
        .map_err(|error| damaged(&path, error.to_string().lines().next().unwrap_or_default()))?;
    let model = model(&said).ok_or_else(|| no_flavor(&path, &said))?;
    if !is_safe_path(&model) {
        return Err(damaged(&path, &format!("the path {model:?} leads elsewhere")));
    }
    let model = file(folder.join(model)).ok_or_else(|| {
        let none = format!("the folder that it names has none of {}", NETWORKS.join(", "));
        damaged(&path, &none)
    })?;
    Ok(Some(Mlflow { model, columns: columns(&said) }))
}

/// The model's file, where it stands or in the folder that stands there.
fn file(named: PathBuf) -> Option<PathBuf> {
    if !named.is_dir() {
        return Some(named);
    }
    NETWORKS.iter().map(|file| named.join(file)).find(|file| file.is_file())
}

fn model(said: &MlModel) -> Option<String> {
    FLAVORS.iter().find_map(|(flavor, keys)| {
        let flavor = said.flavors.get(*flavor)?;
        keys.iter().find_map(|key| flavor.get(*key)?.as_str()).map(str::to_owned)
    })
}

/// The names of all columns, where each has one.
fn columns(said: &MlModel) -> Option<Vec<String>> {
    let inputs = said.signature.as_ref()?.inputs.as_deref()?;
    let columns: Vec<Column> = serde_json::from_str(inputs).ok()?;
    columns.into_iter().map(|column| column.name.filter(|_| column.tensor.is_none())).collect()
}

fn damaged(path: &Path, why: &str) -> FunctionError {
    FunctionError::new(Code::ModelRefused, format!("{} cannot be used: {why}", path.display()))
        .hint("save the model again: mlflow.…save_model(…)")
}

fn no_flavor(path: &Path, said: &MlModel) -> FunctionError {
    let found: Vec<_> = said.flavors.keys().map(String::as_str).collect();
    let known: Vec<_> = FLAVORS.iter().map(|(name, _)| *name).collect();
    let message =
        format!("{} has the flavors {}; imported are {}", path.display(), found.join(", "), known.join(", "));
    let hint =
        if found == [PYTHON_FUNCTION] { DEPLOY_CODE } else { "export the model to ONNX, and deploy that" };
    FunctionError::new(Code::ModelRefused, message).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Option<Mlflow>, FunctionError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), text).unwrap();
        let read = read(folder.path())?;
        Ok(read.map(|mut mlflow| {
            mlflow.model = mlflow.model.strip_prefix(folder.path()).unwrap().to_owned();
            mlflow
        }))
    }

    /// As MLflow 3.17.2 writes it.
    const SKLEARN: &str = r#"flavors:
  python_function:
    env:
      conda: conda.yaml
    loader_module: mlflow.sklearn
    model_path: model.pkl
  sklearn:
    code: null
    pickled_model: model.pkl
    sklearn_version: 1.9.1
model_size_bytes: 3909
signature:
  inputs: '[{"type": "double", "name": "age", "required": true}, {"type": "double",
    "name": "income", "required": true}]'
  params: null
"#;

    #[test]
    fn the_file_and_the_columns_are_found() {
        let mlflow = read_text(SKLEARN).unwrap().unwrap();
        assert_eq!(mlflow.model, Path::new("model.pkl"));
        assert_eq!(mlflow.columns.unwrap(), ["age", "income"]);
        let tensor = SKLEARN.replace(r#""name": "age", "#, "");
        assert_eq!(read_text(&tensor).unwrap().unwrap().columns, None);
        assert!(read(Path::new("/nowhere")).unwrap().is_none());
    }

    #[test]
    fn a_network_is_found_in_the_folder_that_its_flavor_names() {
        for (flavor, file) in [
            ("keras: {data: data, keras_backend: tensorflow}", "data/model.keras"),
            ("keras: {data: data, save_exported_model: true}", "data/model/saved_model.pb"),
            ("tensorflow: {data: data, model_type: keras, save_format: h5}", "data/model.h5"),
            ("tensorflow: {model_type: tf2-module, saved_model_dir: tf2model}", "tf2model/saved_model.pb"),
            ("pytorch: {model_data: data, pytorch_version: 2.15.0}", "data/model.pth"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let place = folder.path().join(file);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            let inputs =
                r#"[{"name": "x", "type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 4]}}]"#;
            let text = format!("flavors: {{{flavor}}}\nsignature: {{inputs: '{inputs}'}}\n");
            fs::write(folder.path().join(FILE), text).unwrap();
            assert!(file_missing(folder.path()).contains("has none of model.keras"), "{file}");
            fs::write(&place, "").unwrap();
            let mlflow = read(folder.path()).unwrap().unwrap();
            assert_eq!((mlflow.model, mlflow.columns), (place, None));
        }
    }

    fn file_missing(folder: &Path) -> String {
        read(folder).unwrap_err().message
    }

    #[test]
    fn what_cannot_be_imported_is_refused_by_name() {
        let error = read_text("flavors: {spark: {model_data: x}, python_function: {}}").unwrap_err();
        assert!(error.message.contains("python_function, spark; imported are onnx"), "{error}");
        let error =
            read_text("flavors: {python_function: {loader_module: mlflow.pyfunc.model}}").unwrap_err();
        assert!(error.hint.unwrap().contains("deploy it as such"));
        let error = read_text(&SKLEARN.replace("model.pkl", "../model.pkl")).unwrap_err();
        assert!(error.message.contains("leads elsewhere"), "{error}");
        assert!(read_text("flavors: [").unwrap_err().message.contains("cannot be used"));
    }
}
