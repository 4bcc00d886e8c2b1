//! Python model files (pickle, joblib, skops): recognised by their content and named, without running them. Those of XGBoost,
//! CatBoost and LightGBM carry the library's own model, those of scikit-learn are read as data; what no importer knows is refused, with
//! a line that makes of it what can be deployed.

use std::path::{Path, PathBuf};

use modelet_core::{Code, FunctionError};

use crate::importer::{
    Imported, Importer, Workshop, catboost, converted, has_ending, lightgbm, sklearn, xgboost,
};
use crate::network;
use crate::pickle::{self, Inspection, Kind, Step};

/// Most unknown imports that a message names.
const MAX_NAMED: usize = 5;

/// What is said of models that no importer reads.
const NOT_BUILT: &str = "importing it is not built yet";

pub(super) struct Python;

impl Importer for Python {
    fn stands_out(&self, path: &Path) -> bool {
        pickle::ENDINGS.iter().any(|ending| has_ending(path, ending))
    }

    fn import(&self, model: &Path, workshop: &Workshop<'_>) -> Result<Option<Imported>, FunctionError> {
        let work = workshop.folder;
        // PyTorch's own form of old is several pickles in a row.
        if converted::head(model).is_ok_and(|head| network::is_legacy(&head)) {
            return Ok(None);
        }
        let Some(inspection) = pickle::inspect(model)? else { return Ok(None) };
        if !inspection.unknown().is_empty() {
            return Err(refusal(model, &inspection, NOT_BUILT));
        }
        // Nothing unknown is in it, and nothing of it is run.
        let pickled = || pickle::read(model);
        match inspection.class.as_ref().and_then(|class| class.module.split('.').next()) {
            Some("xgboost") => xgboost::import_pickled(&pickled()?.root(), work).map(Some),
            Some("catboost") => catboost::import_pickled(&pickled()?.root(), work).map(Some),
            Some("lightgbm") => lightgbm::import_pickled(&pickled()?.root(), work).map(Some),
            Some("sklearn") => match sklearn::import_pickled(&pickled()?.root()) {
                Ok(imported) => converted::write(imported.graph, imported.origin, work).map(Some),
                Err(why) => Err(refusal(model, &inspection, &why)),
            },
            _ => Err(refusal(model, &inspection, NOT_BUILT)),
        }
    }
}

/// Why a file is not imported that has nothing unknown in it, or what it has.
fn refusal(model: &Path, inspection: &Inspection, why: &str) -> FunctionError {
    let mut message = format!("{} is {}", model.display(), inspection.title());
    let unknown = inspection.unknown();
    let hint = if unknown.is_empty() {
        message.push_str(&format!(": {why}"));
        match conversion(model, inspection) {
            Some(line) => format!("convert it: {line}"),
            None => {
                "make an ONNX file of it where you trained it, with a row of your data (skl2onnx.to_onnx, \
                     onnxmltools), and deploy that"
                    .to_owned()
            }
        }
    } else {
        let more = if unknown.len() > MAX_NAMED { ", …" } else { "" };
        let named = unknown.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>().join(", ");
        message.push_str(&format!(": it is not loaded, for it may run anything: {named}{more}"));
        "see all of it with modelet inspect; load it only if you trust who made it".to_owned()
    };
    FunctionError::new(Code::ModelRefused, message).hint(hint)
}

/// A line for the shell that makes of the model what can be deployed: `NAME.onnx`, of models whose input is one matrix of
/// numbers, or the framework's own file. It loads the file, so it is told only of files in which all is known.
fn conversion(model: &Path, inspection: &Inspection) -> Option<String> {
    let name = |ending| shell_name(&model.with_extension(ending));
    let load = load(&shell_name(model), inspection);
    let class = inspection.class.as_ref()?;
    let is_plain =
        |step: &Step| step.class.module.starts_with("sklearn.") && step.class.name != "ColumnTransformer";
    // The converter leaves thresholds that were chosen out, and knows no other library's steps.
    if class.name.contains("Threshold") || !inspection.steps.iter().all(is_plain) {
        return None;
    }
    let convert = match class.module.split('.').next().unwrap_or_default() {
        "sklearn" => format!(
            "import numpy as np, skl2onnx; m = skl2onnx.to_onnx(m, np.zeros((1, {}), np.float32)); \
             open('{}', 'wb').write(m.SerializeToString())",
            inspection.features?,
            name("onnx")
        ),
        "lightgbm" => format!("getattr(m, 'booster_', m).save_model('{}')", name("txt")),
        _ => return None,
    };
    Some(format!("python -c \"{load}; {convert}\""))
}

/// Python that loads the file as `m`, by the reader that goes with it.
fn load(name: &str, inspection: &Inspection) -> String {
    match inspection.kind {
        Kind::Pickle { .. } => format!("import pickle; m = pickle.load(open('{name}', 'rb'))"),
        Kind::Joblib { .. } => format!("import joblib; m = joblib.load('{name}')"),
        Kind::Skops => format!(
            "import skops.io as s; m = s.load('{name}', trusted=s.get_untrusted_types(file='{name}'))"
        ),
    }
}

/// The path, when it can stand between quotes as it is.
fn shell_name(path: &Path) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "._-/+@ ".contains(c);
    let plain = path.to_str().filter(|text| text.chars().all(is_plain));
    plain.map(str::to_owned).unwrap_or_else(|| {
        let ending = path.extension().map(PathBuf::from).unwrap_or_default();
        format!("FILE.{}", ending.to_string_lossy())
    })
}

#[cfg(test)]
mod tests;
