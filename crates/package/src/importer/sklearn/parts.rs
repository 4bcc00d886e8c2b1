//! What a model is made of: the steps of a pipeline, the best estimator of a search, what a model answers through, or itself alone.

use crate::pickle::{Asked, ClassName, Item};

/// Models within models are followed so deep.
const MAX_DEPTH: usize = 8;
/// Most steps.
const MAX_STEPS: usize = 100;
/// What stands for a step that does nothing.
const PASS: &str = "passthrough";
/// The step in front of `HistGradientBoosting*`, since version 1.4.
const PREPROCESSOR: &str = "_preprocessor";
const SEARCH: &str = "sklearn.model_selection._search";
const HALVING: &str = "sklearn.model_selection._search_successive_halving";
/// What a search answers with.
const BEST: &[&str] = &["best_estimator_"];

/// The parts of a model in the order in which a row passes them; the last one answers.
pub(super) fn of<'a>(model: &Item<'a>) -> Asked<Vec<Item<'a>>> {
    let mut parts = Vec::new();
    add(model, 0, &mut parts)?;
    Ok(parts)
}

fn add<'a>(model: &Item<'a>, depth: usize, parts: &mut Vec<Item<'a>>) -> Asked<()> {
    if depth == MAX_DEPTH || parts.len() == MAX_STEPS {
        return Err(format!("it has more than {MAX_STEPS} steps, or {MAX_DEPTH} models within each other"));
    }
    match inner(&model.class()?) {
        Inner::Nothing => {
            // Boosted trees over categories have a step of their own in front.
            if let Some(own) = model.find(PREPROCESSOR)?.filter(|own| !own.is_none()) {
                add(&own, depth + 1, parts)?;
            }
            parts.push(model.clone());
        }
        Inner::One(names) => {
            for name in names {
                if let Some(one) = model.find(name)? {
                    return add(&one, depth + 1, parts);
                }
            }
            return Err(model.not(if names == BEST { "fitted with refit=True" } else { "fitted" }));
        }
        Inner::Steps => {
            for step in model.get("steps")?.items()? {
                match step.items()?.as_slice() {
                    [_, step] if step.is_none() || step.text().is_ok_and(|text| text == PASS) => {}
                    [_, step] => add(step, depth + 1, parts)?,
                    _ => return Err(step.not("a name and a step")),
                }
            }
        }
    }
    Ok(())
}

enum Inner {
    Nothing,
    /// A model that answers as one of its attributes does, the first of these that it has.
    One(&'static [&'static str]),
    Steps,
}

fn inner(class: &ClassName) -> Inner {
    match (&*class.module, &*class.name) {
        ("sklearn.pipeline", "Pipeline") => Inner::Steps,
        (SEARCH, "GridSearchCV" | "RandomizedSearchCV")
        | (HALVING, "HalvingGridSearchCV" | "HalvingRandomSearchCV") => Inner::One(BEST),
        ("sklearn.linear_model._ransac", "RANSACRegressor") => Inner::One(&["estimator_"]),
        ("sklearn.frozen._frozen", "FrozenEstimator") => Inner::One(&["estimator"]),
        // Before version 1.6 it had the second name.
        ("sklearn.semi_supervised._self_training", "SelfTrainingClassifier") => {
            Inner::One(&["estimator_", "base_estimator_"])
        }
        _ => Inner::Nothing,
    }
}

/// What a model is, in words: `Pipeline (StandardScaler, Ridge)`.
pub(super) fn words(model: &Item, parts: &[Item]) -> Asked<String> {
    let name = model.class()?.name;
    match parts {
        [one] if one.class()?.name == name => Ok(name),
        _ => {
            let names: Vec<_> =
                parts.iter().map(|part| part.class().map(|class| class.name)).collect::<Asked<_>>()?;
            Ok(format!("{name} ({})", names.join(", ")))
        }
    }
}
