//! Regressors that were fitted with a function of what is asked for: their answers go back through its inverse.

use modelet_core::Tensor;
use modelet_model::onnx::write::{Attribute, GraphWriter};

use super::Takes;
use super::answer::Answer;
use super::fitted::Fitted;
use super::inner::{Inner, takes_of};
use super::selection::WHOLE;
use super::steps::FINITE;
use super::tree::FLOAT;
use crate::pickle::{Asked, Item};

/// `TransformedTargetRegressor`
pub(super) fn regressor(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let own = fitted.item.get("regressor_")?;
    let model = Inner::write(&own, fitted, (&fitted.input, fitted.features), (graph, "model"))?;
    let (table, width) = model.table(graph)?;
    let step = fitted.item.get("transformer_")?;
    if model.is_single() && step.class()?.name != "FunctionTransformer" {
        return Err(step.not(
            "a function of numpy's, by which alone float32 numbers, as its model gives them, can be led back",
        ));
    }
    if model.is_single() {
        back(&step, graph, (&table, width), "led_back")?;
        // What is too large for float32 is infinite there.
        graph.node(("", "Cast"), &["led_back"], "back_single", vec![("to", Attribute::Int(FLOAT))]);
        graph.as_numbers("back_single", "back");
    } else {
        back(&step, graph, (&table, width), "back")?;
    }
    if fitted.item.get("_training_dim")?.count()? == 1 {
        graph.predict("back", width);
    } else {
        graph.predict_table("back", width);
    }
    Ok(takes_of(&[model]))
}

/// Writes the inverse of a fitted step, which may refuse numbers that are not finite.
fn back(step: &Item, graph: &mut GraphWriter, (from, width): (&str, usize), to: &str) -> Asked<()> {
    let numbers = |name: &str| {
        let numbers = step.get(name)?.numbers()?;
        if numbers.len() == width {
            Ok(numbers)
        } else {
            Err(step.not("fitted with as many columns as answers"))
        }
    };
    let takes = match &*step.class()?.name {
        "FunctionTransformer" if step.get("validate")?.flag()? => Some(WHOLE),
        "FunctionTransformer" => None,
        _ => Some(FINITE),
    };
    let from = takes.map_or(from, |takes| {
        graph.within(from, takes, "finite");
        "finite"
    });
    match &*step.class()?.name {
        "FunctionTransformer" => inverse(step, graph, from, to),
        "StandardScaler" => {
            let is = |name: &str| step.get(name)?.flag();
            let mut last = from;
            if is("with_std")? {
                graph.constant("scale", &Tensor::vector(numbers("scale_")?));
                graph.apply("Mul", &[last, "scale"], "scaled");
                last = "scaled";
            }
            let mean = if is("with_mean")? { numbers("mean_")? } else { vec![0.0; width] };
            graph.constant("mean", &Tensor::vector(mean));
            graph.apply("Add", &[last, "mean"], to);
            Ok(())
        }
        "MinMaxScaler" => {
            graph.constant("least", &Tensor::vector(numbers("min_")?));
            graph.constant("scale", &Tensor::vector(numbers("scale_")?));
            graph.apply("Sub", &[from, "least"], "above");
            graph.apply("Div", &["above", "scale"], to);
            Ok(())
        }
        other => Err(format!("the inverse of its {other}: importing it is not built yet")),
    }
}

/// The inverse function, of those of numpy that are known.
fn inverse(step: &Item, graph: &mut GraphWriter, from: &str, to: &str) -> Asked<()> {
    let function = step.get("inverse_func")?;
    if function.is_none() {
        graph.apply("Identity", &[from], to);
        return Ok(());
    }
    let with = step.get("inv_kw_args")?;
    if !with.is_none() && !with.keys()?.is_empty() {
        return Err(with.not("without arguments for its inverse_func"));
    }
    let name = function.named()?;
    let op = match name.strip_prefix("numpy.").map(|name| name.rsplit('.').next().unwrap_or(name)) {
        Some("exp") => "Exp",
        Some("log") => "Log",
        Some("sqrt") => "Sqrt",
        Some("expm1") => {
            graph.scalar("one_less", 1.0);
            graph.apply("Exp", &[from], "power");
            graph.apply("Sub", &["power", "one_less"], to);
            return Ok(());
        }
        Some("square") => {
            graph.apply("Mul", &[from, from], to);
            return Ok(());
        }
        _ => return Err(format!("its inverse_func {name}: importing it is not built yet")),
    };
    graph.apply(op, &[from], to);
    Ok(())
}
