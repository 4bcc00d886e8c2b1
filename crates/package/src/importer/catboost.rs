//! CatBoost's own files, `.cbm` and JSON, as `save_model` writes them, and pickled models, which carry the first (versions 1.0
//! to 1.2). Layout: CatBoost's documentation, "JSON model tutorial", and its flatbuffers schemas `model.fbs` and `features.fbs`.
//!
//! - [`saved`]: the model, whichever way it was written
//! - [`json`], [`binary`]: the two ways; [`flat`]: flatbuffers
//! - [`counted`]: what it counted of categories in its training
//! - [`graph`]: the same model as an ONNX graph: [`inputs`], [`statistics`] of categories, [`trees`]
//! - [`examples`]: texts that are categories to it
//! - [`objective`]: what becomes of the sum over the trees

mod binary;
mod counted;
mod examples;
mod flat;
mod graph;
mod inputs;
mod json;
mod objective;
mod saved;
mod statistics;
mod trees;

use std::path::Path;

use modelet_core::{DType, FunctionError};

use crate::importer::converted::{self, in_words, refused, unreadable};
use crate::importer::guest::{Guest, INPUT, Unheld};
use crate::importer::{Imported, Importer, Workshop, has_ending};
use crate::pickle::{Asked, Item};
use objective::Answers;
use saved::{Fault, Saved};

/// CatBoost's JSON begins with one of these keys; with the first where something was counted of categories.
const MARKS: [&[u8]; 2] = [b"\"ctr_data\"", b"\"features_info\""];

pub(super) struct Catboost;

impl Importer for Catboost {
    fn stands_out(&self, path: &Path) -> bool {
        has_ending(path, "cbm")
            || (has_ending(path, "json") && converted::head(path).is_ok_and(|head| is_catboost(&head)))
    }

    fn import(&self, model: &Path, workshop: &Workshop<'_>) -> Result<Option<Imported>, FunctionError> {
        let work = workshop.folder;
        if !is_catboost(&converted::head(model).map_err(|error| unreadable(model, &error))?) {
            return Ok(None);
        }
        let bytes = converted::read(model)?;
        let read = if binary::is_binary(&bytes) { binary::read(&bytes) } else { json::read(&bytes) };
        let saved = read.map_err(|fault| refusal(&model.display().to_string(), fault))?;
        write(&saved, Answers::OfObjective, "", work).map(Some)
    }
}

/// Imports a pickled model by what CatBoost itself wrote into it; nothing of the pickle is run.
pub(super) fn import_pickled(object: &Item, work: &Path) -> Result<Imported, FunctionError> {
    let (saved, answers) = read_pickled(object)?;
    let class = object.class().map_err(refused)?.name;
    write(&saved, answers, &format!(", pickled {class}"), work)
}

/// A pickled model within one of scikit-learn: float64 rows are rounded to float32, and it answers in float64.
pub(super) fn guest(object: &Item) -> Asked<Guest> {
    let (saved, answers) = read_pickled(object).map_err(in_words)?;
    if !saved.trees.categories.is_empty() {
        return Err(object
            .not("a model of numbers alone: one with categories is imported by itself, not within another"));
    }
    let graph = graph::of(&saved, answers).map_err(in_words)?;
    Ok(Guest {
        features: graph.input_columns(INPUT).unwrap_or_default(),
        graph,
        precision: DType::F32,
        classes: graph::classes_of(&saved, answers).map_err(in_words)?,
        is_single: false,
        unheld: Unheld::Zero,
    })
}

/// The model, and what it answers.
fn read_pickled(object: &Item) -> Result<(Saved, Answers), FunctionError> {
    let class = object.class().map_err(refused)?.name;
    let model = object.find("__model").map_err(refused)?;
    let model = model.ok_or_else(|| refused(object.not("a model with trees: was it fitted?")))?;
    let saved = binary::read(model.bytes().map_err(refused)?)
        .map_err(|fault| refusal(&format!("the model of the {class}"), fault))?;
    let answers = match &*class {
        // Its `predict` gives the sum.
        "CatBoost" => Answers::Sum,
        _ => Answers::OfObjective,
    };
    Ok((saved, answers))
}

fn refusal(what: &str, fault: Fault) -> FunctionError {
    match fault {
        Fault::Damaged(why) => {
            refused(format!("{what} starts like a CatBoost model but is damaged or cut: {why}"))
                .hint("save it again: model.save_model(\"model.cbm\")")
        }
        Fault::NotBuilt(has) => refused(format!(
            "{what} is a CatBoost model that {has}: importing that is not built yet"
        ))
        .hint("what is: numbers and categories, one model, the classes that it saw, no threshold of its own"),
    }
}

fn damaged(why: &str) -> FunctionError {
    refused(format!("the model is damaged: {why}")).hint("save it again: model.save_model(\"model.cbm\")")
}

fn write(saved: &Saved, answers: Answers, how: &str, work: &Path) -> Result<Imported, FunctionError> {
    let origin = format!(
        "CatBoost {}, {}, {} trees{how}",
        saved.version.as_deref().unwrap_or("of an unknown version"),
        saved.objective,
        saved.trees.trees.len()
    );
    let imported = converted::write(graph::of(saved, answers)?, origin, work)?;
    Ok(Imported { version: saved.version.clone(), ..imported })
}

/// True for the beginning of either form.
pub(crate) fn is_catboost(head: &[u8]) -> bool {
    let begins = |mark: &[u8]| head.windows(mark.len()).any(|window| window == mark);
    binary::is_binary(head) || MARKS.into_iter().any(begins)
}
