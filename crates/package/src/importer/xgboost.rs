//! XGBoost's own files, JSON and UBJSON, as `save_model` writes them (versions 1.0 to 3). Layout: XGBoost's documentation,
//! "Introduction to Model IO", and its JSON schema.
//!
//! - [`saved`]: the file as it is
//! - [`ubjson`]: the binary form of the same
//! - [`graph`]: the same model as an ONNX graph
//! - [`objective`]: what becomes of the sum over the trees

mod graph;
mod objective;
mod saved;
mod ubjson;

use std::path::Path;

use modelet_core::{DType, FunctionError};

use crate::importer::classes::Classes;
use crate::importer::converted::{self, in_words, refused, unreadable};
use crate::importer::guest::{Guest, Unheld};
use crate::importer::{Imported, Importer, Workshop, has_ending};
use crate::pickle::{Asked, Item};
use saved::Saved;

/// XGBoost's files name this key near their beginning.
const MARK: &[u8] = b"learner";

pub(super) struct Xgboost;

impl Importer for Xgboost {
    fn stands_out(&self, path: &Path) -> bool {
        has_ending(path, "ubj")
            || (has_ending(path, "json") && converted::head(path).is_ok_and(|head| is_xgboost(&head)))
    }

    fn import(&self, model: &Path, workshop: &Workshop<'_>) -> Result<Option<Imported>, FunctionError> {
        let work = workshop.folder;
        if !is_xgboost(&converted::head(model).map_err(|error| unreadable(model, &error))?) {
            return Ok(None);
        }
        let saved = Saved::read(&converted::read(model)?).map_err(|why| {
            refused(format!("{} starts like an XGBoost model but is damaged or cut: {why}", model.display()))
                .hint("save it again: model.save_model(\"model.ubj\")")
        })?;
        let imported = converted::write(graph::of(&saved, f64::NAN)?, graph::origin(&saved), work)?;
        Ok(Some(Imported { version: Some(graph::version(&saved)), ..imported }))
    }
}

/// Imports a pickled model by what XGBoost itself wrote into it; nothing of the pickle is run.
pub(super) fn import_pickled(object: &Item, work: &Path) -> Result<Imported, FunctionError> {
    let (saved, missing) = read_pickled(object)?;
    let origin = format!("{}, pickled {}", graph::origin(&saved), object.class().map_err(refused)?.name);
    let imported = converted::write(graph::of(&saved, missing)?, origin, work)?;
    Ok(Imported { version: Some(graph::version(&saved)), ..imported })
}

/// A pickled model within one of scikit-learn: float64 rows are rounded to float32, and zeros that a sparse matrix does not hold are
/// missing.
pub(super) fn guest(object: &Item) -> Asked<Guest> {
    let (saved, missing) = read_pickled(object).map_err(in_words)?;
    let graph = graph::of(&saved, missing).map_err(in_words)?;
    Ok(Guest {
        graph,
        precision: DType::F32,
        features: saved.learner.learner_model_param.num_feature,
        classes: graph::classes(&saved).map(Classes::indices),
        is_single: true,
        unheld: Unheld::Missing,
    })
}

/// The model, and the number that stands for a missing one beside NaN.
fn read_pickled(object: &Item) -> Result<(Saved, f64), FunctionError> {
    let class = &object.class().map_err(refused)?.name;
    let (bytes, missing) = booster(object).map_err(refused)?;
    let mut saved = Saved::read_snapshot(bytes).map_err(|why| {
        refused(format!("the booster of the {class} is damaged or of an old version: {why}"))
    })?;
    if class != "Booster" {
        // What the wrapper notes when it saves its model itself.
        let kind = if class.ends_with("Classifier") { "classifier" } else { "regressor" };
        let note = format!("{{\"_estimator_type\": \"{kind}\"}}");
        saved.learner.attributes.insert(graph::WRAPPER.to_owned(), note);
    } else {
        // Left by a wrapper that once saved it: a booster answers as a booster.
        saved.learner.attributes.remove(graph::WRAPPER);
    }
    Ok((saved, missing))
}

/// XGBoost's own bytes, and the number that stands for a missing one beside NaN.
fn booster<'a>(object: &Item<'a>) -> Asked<(&'a [u8], f64)> {
    let inner = object.find("_Booster")?.unwrap_or_else(|| object.clone());
    let handle = inner.find("handle")?.ok_or_else(|| inner.not("a model with a booster: was it fitted?"))?;
    let missing = match object.find("missing")? {
        Some(missing) if !missing.is_none() => missing.number()?,
        _ => f64::NAN,
    };
    Ok((handle.bytes()?, missing))
}

/// True for what begins as XGBoost's files do.
pub(super) fn is_xgboost(head: &[u8]) -> bool {
    let starts_as_object = head.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    starts_as_object && head.windows(MARK.len()).any(|window| window == MARK)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Two trees, one of them a leaf; a set of categories; what is said as numbers, texts and lists.
    const SMALL: &str = r#"{"learner": {"attributes": {"scikit_learn": "{\"_estimator_type\": \"classifier\"}", "best_iteration": "1"},
        "feature_names": ["a", "b"], "objective": {"name": "binary:logistic"},
        "learner_model_param": {"base_score": "[2.5E-1]", "num_class": "0", "num_feature": "2", "num_target": "1"},
        "gradient_booster": {"name": "gbtree", "model": {"tree_info": [0, 0], "iteration_indptr": [0, 1, 2],
            "gbtree_model_param": {"num_parallel_tree": "1"}, "cats": {"enc": []}, "trees": [
            {"left_children": [1, -1, 3, -1, -1], "right_children": [2, -1, 4, -1, -1], "split_indices": [0, 0, 1, 0, 0],
             "split_conditions": [0.5, -1, NaN, 2, 3], "default_left": [1, 0, 0, 0, 0], "categories": [1, 4],
             "categories_nodes": [2], "categories_segments": [0], "categories_sizes": [2], "tree_param": {"size_leaf_vector": "1"}},
            {"left_children": [-1], "right_children": [-1], "split_indices": [0], "split_conditions": [0.25],
             "default_left": [0], "tree_param": {"size_leaf_vector": "1"}}]}}}, "version": [3, 2, 0]}"#;

    fn imported(bytes: &[u8]) -> Result<Vec<u8>, String> {
        Ok(graph::of(&Saved::read(bytes)?, f64::NAN).map_err(|error| error.message)?.into_file())
    }

    #[test]
    fn a_file_becomes_a_graph_with_the_names_of_its_columns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.json");
        fs::write(&path, SMALL).unwrap();
        let imported = Xgboost.import(&path, &Workshop::of(folder.path())).unwrap().unwrap();
        assert_eq!(imported.origin.as_deref(), Some("XGBoost 3.2.0, binary:logistic, 2 trees"));
        let summary = modelet_model::summarize(&folder.path().join(imported.model)).unwrap();
        summary.check().unwrap();
        let mut signature = summary.signature().unwrap();
        modelet_model::describe_onnx(&mut signature, &summary);
        assert_eq!(signature.inputs[0].columns.as_deref(), Some(&["a".to_owned(), "b".to_owned()][..]));
        let outputs: Vec<_> = signature.outputs.iter().map(|output| output.name.as_str()).collect();
        assert_eq!(outputs, ["label", "probabilities"]);
    }

    #[test]
    fn other_files_are_left_to_others() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["{\"config\": 1}", "", "[\"learner\"]"] {
            let path = folder.path().join("other.json");
            fs::write(&path, text).unwrap();
            assert_eq!(Xgboost.import(&path, &Workshop::of(folder.path())).unwrap(), None, "{text}");
            assert!(!Xgboost.stands_out(&path));
        }
    }

    #[test]
    fn what_xgboost_knows_and_the_file_or_its_clients_do_not_is_refused() {
        for (from, to, why) in [
            (r#""cats": {"enc": []}, "#, "", "does not say whether its categories"),
            (r#"{"enc": []}"#, r#"{"enc": [{"values": [1, 2]}]}"#, "trained with a data frame"),
            ("[2.5E-1]", "[0E0]", "base_score is 0e0"),
        ] {
            let error = imported(SMALL.replace(from, to).as_bytes()).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn numbers_that_would_take_all_memory_are_refused() {
        let huge = SMALL.replace(r#""num_class": "0""#, r#""num_class": "99999999999999""#);
        assert!(imported(huge.as_bytes()).unwrap_err().contains("the limit is 65536"));
    }

    #[test]
    fn damage_of_any_kind_is_an_error_or_another_model_and_never_more() {
        let whole = SMALL.as_bytes();
        assert!(imported(whole).is_ok());
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for _ in 0..20_000 {
            let mut damaged = whole.to_vec();
            for _ in 0..=random(3) {
                let at = random(damaged.len());
                damaged[at] = b"0123456789-.,[]{}\"eN\\"[random(21)];
            }
            damaged.truncate(if random(10) == 0 { random(damaged.len()) } else { damaged.len() });
            let _ = imported(&damaged);
        }
    }
}
