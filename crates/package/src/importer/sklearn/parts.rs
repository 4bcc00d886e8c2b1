//! What a model is made of: the steps of a pipeline, the best estimator of a search, or itself alone.

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
        Inner::Best => {
            let best = model.find("best_estimator_")?.ok_or_else(|| model.not("fitted with refit=True"))?;
            add(&best, depth + 1, parts)?;
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
    Best,
    Steps,
}

fn inner(class: &ClassName) -> Inner {
    match (&*class.module, &*class.name) {
        ("sklearn.pipeline", "Pipeline") => Inner::Steps,
        (SEARCH, "GridSearchCV" | "RandomizedSearchCV") => Inner::Best,
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
