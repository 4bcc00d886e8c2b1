//! Pickles through the whole of an import, and damaged ones.

use std::fs;
use std::path::PathBuf;

use modelet_model::onnx::COLUMNS_KEY;

use super::*;

/// Damaged files tried of each model.
const CASES: usize = 400;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pickles/files").join(name)
}

#[test]
fn what_real_libraries_wrote_is_imported_with_columns_and_outputs() {
    let folder = tempfile::tempdir().unwrap();
    for (name, origin, columns) in [
        ("tree.joblib", "scikit-learn 1.5.2, DecisionTreeClassifier", 4),
        ("pipeline.joblib", "scikit-learn 1.5.2, Pipeline (StandardScaler, LogisticRegression)", 4),
        ("pipeline.2.pkl", "scikit-learn 1.5.2, Pipeline (StandardScaler, LogisticRegression)", 4),
        ("xgboost.pkl", "XGBoost 2.1.4, multi:softprob, 3 trees, pickled XGBClassifier", 4),
        ("lightgbm.pkl", "LightGBM, multiclass, 3 trees, pickled LGBMClassifier", 4),
    ] {
        let imported = Python.import(&file(name), &Workshop::of(folder.path())).unwrap().unwrap();
        assert_eq!(imported.origin.as_deref(), Some(origin), "{name}");
        let summary = modelet_model::summarize(&folder.path().join(imported.model)).unwrap();
        summary.check().unwrap();
        let mut signature = summary.signature().unwrap();
        modelet_model::describe_onnx(&mut signature, &summary);
        let names = signature.inputs[0].columns.as_ref();
        assert_eq!(names.map(Vec::len), Some(columns), "{name} has no {COLUMNS_KEY}");
        let outputs: Vec<_> = signature.outputs.iter().map(|output| output.name.as_str()).collect();
        assert_eq!(outputs, ["label", "probabilities"], "{name}");
    }
}

#[test]
fn damage_of_any_kind_is_an_error_or_another_model_and_never_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.pkl");
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut imported = 0;
    for name in ["tree.joblib", "pipeline.5.pkl", "pipeline.2.pkl", "lightgbm.pkl", "xgboost.pkl"] {
        let whole = fs::read(file(name)).unwrap();
        for _ in 0..CASES {
            let mut damaged = whole.clone();
            for _ in 0..=random(3) {
                let at = random(damaged.len());
                damaged[at] = [0, 1, 0xff, 0x7f, random(256) as u8][random(5)];
            }
            fs::write(&path, damaged).unwrap();
            imported += usize::from(
                Python.import(&path, &Workshop::of(folder.path())).is_ok_and(|found| found.is_some()),
            );
        }
    }
    assert!(imported > CASES / 10, "{imported}: most damage goes deeper than the first look");
}
