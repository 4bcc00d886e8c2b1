//! A pickled LightGBM model: the text that LightGBM itself wrote into it, and what its Python wrapper makes of the answer.

use std::path::Path;

use modelet_core::{DType, FunctionError};

use super::graph;
use super::text::Text;
use crate::importer::Imported;
use crate::importer::classes::Classes;
use crate::importer::converted::{self, in_words, refused};
use crate::importer::guest::Guest;
use crate::pickle::{Asked, Item};

/// The wrappers that answer as their booster does.
const PLAIN: &[&str] = &["LGBMRegressor", "LGBMRanker"];
const CLASSIFIER: &str = "LGBMClassifier";
/// What a classifier has since version 4.7, as it has `decision_function`. (The version itself is not in the file.)
const SINCE_DECISIONS: &str = "_fitted_with_feature_names";
/// How parameters begin that the wrapper hands to its booster with each question, and that change the answer.
const OF_PREDICTION: &[&str] = &["pred", "is_pred", "start_iteration", "num_iteration_predict"];

/// What a pickle says beside the text.
struct Wrapped<'a> {
    text: &'a str,
    /// How many rounds answers are made with; all where it is `None`.
    rounds: Option<usize>,
    has_pandas_categories: bool,
    classes: Option<Classes>,
}

/// Imports a pickled model; nothing of the pickle is run.
pub(in crate::importer) fn import_pickled(object: &Item, work: &Path) -> Result<Imported, FunctionError> {
    let (text, classes) = read_pickled(object)?;
    let origin = format!("{}, pickled {}", graph::origin(&text), object.class().map_err(refused)?.name);
    converted::write(graph::of(&text, classes)?, origin, work)
}

/// A pickled model within one of scikit-learn, which compares and answers in float64.
pub(in crate::importer) fn guest(object: &Item) -> Asked<Guest> {
    let (text, classes) = read_pickled(object).map_err(in_words)?;
    let mut graph = graph::of(&text, classes.clone()).map_err(in_words)?;
    if classes.is_some() && object.find(SINCE_DECISIONS)?.is_some() {
        graph::decide(&text, &mut graph);
    }
    Ok(Guest {
        graph,
        precision: DType::F64,
        features: text.features,
        classes,
        is_single: false,
        unheld: graph::unheld(&text).map_err(in_words)?,
    })
}

/// The trees that answers are made with, and what a classifier chooses from.
fn read_pickled<'a>(object: &Item<'a>) -> Result<(Text<'a>, Option<Classes>), FunctionError> {
    let class = object.class().map_err(refused)?.name;
    let wrapped = unwrap(object, &class).map_err(refused)?;
    let mut text = Text::read(wrapped.text).map_err(|why| {
        refused(format!("the booster of the {class} is damaged or of an old version: {why}"))
    })?;
    if wrapped.has_pandas_categories {
        return Err(graph::of_pandas());
    }
    if let Some(rounds) = wrapped.rounds {
        text.trees.truncate(rounds.saturating_mul(text.trees_per_round));
    }
    Ok((text, wrapped.classes))
}

fn unwrap<'a>(object: &Item<'a>, class: &str) -> Asked<Wrapped<'a>> {
    if class == "Booster" {
        return of_booster(object);
    }
    if class != CLASSIFIER && !PLAIN.contains(&class) {
        return Err(object.not("a model whose answers are known"));
    }
    let booster = object.find("_Booster")?.filter(|booster| !booster.is_none());
    let booster = booster.ok_or_else(|| object.not("a model with a booster: was it fitted?"))?;
    let objective = object.get("_objective")?;
    if !objective.is_none() {
        // A function of the user's has no text, and no probabilities.
        objective.text()?;
    }
    for key in object.get("_other_params")?.keys()? {
        if OF_PREDICTION.iter().any(|start| key.starts_with(start)) {
            return Err(format!("the {class} answers with {key}, which cannot be imported"));
        }
    }
    let classes = match class == CLASSIFIER {
        true => Some(Classes::read(&object.get("_le")?.get("classes_")?)?),
        false => None,
    };
    Ok(Wrapped { classes, ..of_booster(&booster)? })
}

fn of_booster<'a>(booster: &Item<'a>) -> Asked<Wrapped<'a>> {
    let text = match booster.find("_handle")? {
        Some(text) => text,
        // Before version 4.
        None => booster.get("handle")?,
    };
    let text = if text.is_none() { Err(booster.not("a model: was it fitted?")) } else { text.text() }?;
    let best = booster.get("best_iteration")?.integer()?;
    let rounds = usize::try_from(best).ok().filter(|rounds| *rounds > 0);
    let categories = booster.get("pandas_categorical")?;
    let has_pandas_categories = !categories.is_none() && !categories.items()?.is_empty();
    Ok(Wrapped { text, rounds, has_pandas_categories, classes: None })
}
