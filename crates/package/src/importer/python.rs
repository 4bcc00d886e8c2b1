//! Python model files (pickle, joblib, skops): recognised by their content and named, without running them. Importing them is
//! not built yet, so that each is refused, with a line that makes an ONNX file of it.

use std::path::{Path, PathBuf};

use modelet_core::{Code, FunctionError};

use crate::importer::{Imported, Importer};
use crate::pickle::{self, Inspection, Kind};

/// Most unknown imports that a message names.
const MAX_NAMED: usize = 5;

pub(super) struct Python;

impl Importer for Python {
    fn endings(&self) -> &'static [&'static str] {
        pickle::ENDINGS
    }

    fn import(&self, model: &Path, _work: &Path) -> Result<Option<Imported>, FunctionError> {
        let Some(inspection) = pickle::inspect(model)? else { return Ok(None) };
        Err(refusal(model, &inspection))
    }
}

fn refusal(model: &Path, inspection: &Inspection) -> FunctionError {
    let mut message = format!("{} is {}", model.display(), inspection.title());
    let unknown = inspection.unknown();
    let hint = if unknown.is_empty() {
        message.push_str(": importing it is not built yet");
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

/// A line for the shell that makes `NAME.onnx`, of models whose input is one matrix of numbers. It loads the file, so it is
/// told only of files in which all is known.
fn conversion(model: &Path, inspection: &Inspection) -> Option<String> {
    let onnx = shell_name(&model.with_extension("onnx"));
    let load = load(&shell_name(model), inspection);
    let class = inspection.class.as_ref()?;
    if inspection.steps.first().is_some_and(|step| step.class.name == "ColumnTransformer") {
        return None;
    }
    let features = || inspection.features;
    let root = class.module.split('.').next().unwrap_or_default();
    let (import, convert) = match root {
        "sklearn" => (
            "import numpy as np, skl2onnx; ",
            format!("m = skl2onnx.to_onnx(m, np.zeros((1, {}), np.float32))", features()?),
        ),
        "lightgbm" | "xgboost" => (
            "import onnxmltools as o; from onnxmltools.convert.common.data_types import FloatTensorType as F; ",
            format!("m = o.convert_{root}(m, initial_types=[('X', F([None, {}]))])", features()?),
        ),
        "catboost" => return Some(format!("python -c \"{load}; m.save_model('{onnx}', format='onnx')\"")),
        _ => return None,
    };
    Some(format!(
        "python -c \"{load}; {import}{convert}; open('{onnx}', 'wb').write(m.SerializeToString())\""
    ))
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
