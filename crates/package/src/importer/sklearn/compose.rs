//! Steps side by side: each gets some columns or all, and what they make stands in their order.

use super::fitted::Fitted;
use super::frame::Frame;
use super::steps;
use super::table::Table;
use crate::pickle::{Asked, Item};

/// What stands for a step that takes columns away, or lets them through.
const DROP: &str = "drop";
const PASS: &str = "passthrough";
/// What only checks numbers.
const CHECK: &str = "sklearn.utils.validation.check_array";

/// `ColumnTransformer`
pub(super) fn columns(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let item = &fitted.item;
    refuse_weights(item)?;
    // However columns were chosen, the places of those that were found stand here.
    let chosen = item.get("_transformer_to_input_indices")?;
    let mut made = Table::default();
    for one in item.get("transformers_")?.items()? {
        let [name, step, _] = &one.items()?[..] else { return Err(one.not("a name, a step and columns")) };
        let places = chosen.get(name.text()?)?.items()?;
        let places = places.iter().map(Item::count).collect::<Asked<Vec<_>>>()?;
        if !places.is_empty() && !is_text(step, DROP) {
            let own = table.select(&places, frame)?;
            made.append(beside(step, &own, frame)?);
        }
    }
    Ok(made)
}

/// `FeatureUnion`
pub(super) fn union(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let item = &fitted.item;
    refuse_weights(item)?;
    let mut made = Table::default();
    for one in item.get("transformer_list")?.items()? {
        let [_, step] = &one.items()?[..] else { return Err(one.not("a name and a step")) };
        if !is_text(step, DROP) {
            made.append(beside(step, table, frame)?);
        }
    }
    Ok(made)
}

/// `FunctionTransformer` without a function, or with one that only checks: so scikit-learn writes what it lets through.
pub(super) fn function(fitted: &Fitted, table: &Table, frame: &mut Frame) -> Asked<Table> {
    let function = fitted.item.get("func")?;
    if fitted.item.get("validate")?.flag()? {
        table.takes(false, f64::MAX, frame)?;
    }
    if function.is_none() || only_checks(&function).unwrap_or(false) {
        return Ok(table.clone());
    }
    let name = function.named().unwrap_or_else(|_| "a function".to_owned());
    Err(format!(
        "its FunctionTransformer calls {name}, which cannot be imported: compute that before you send rows"
    ))
}

/// True for the call by which boosted trees over categories check their numbers: float64, and any of them.
fn only_checks(function: &Item) -> Asked<bool> {
    let class = function.class()?;
    let [called, arguments, settings, _] = &function.state()?[..] else { return Ok(false) };
    let finite = settings.find("ensure_all_finite")?.map_or_else(|| settings.get("force_all_finite"), Ok)?;
    let types = settings.get("dtype")?.items()?;
    Ok((&*class.module, &*class.name) == ("functools", "partial")
        && called.named()? == CHECK
        && arguments.items()?.is_empty()
        && settings.keys()?.len() == 2
        && !finite.flag()?
        && matches!(&types[..], [one] if one.named()? == "numpy.float64"))
}

fn beside(step: &Item, table: &Table, frame: &mut Frame) -> Asked<Table> {
    if is_text(step, PASS) { Ok(table.clone()) } else { steps::estimator(step, table, frame) }
}

fn is_text(item: &Item, text: &str) -> bool {
    item.text().is_ok_and(|found| found == text)
}

fn refuse_weights(item: &Item) -> Asked<()> {
    if item.get("transformer_weights")?.is_none() {
        Ok(())
    } else {
        Err("it weighs what its steps make (transformer_weights), which cannot be imported yet".to_owned())
    }
}
