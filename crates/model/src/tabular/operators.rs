//! The list of operators, and how a node finds its own.

use super::site::{Compiled, Site};
use super::{bounds, categories, ml, more, standard, texts};
use crate::onnx::write::{MORE, OWN};

/// Makes an operator ready, or says what about the node it does not compute.
pub(super) type Compile = fn(&Site<'_>) -> Result<Compiled, String>;
/// An operator's name, the first version of its domain whose meaning is computed, and how it is made ready.
pub(super) type Entry = (&'static str, i64, Compile);

/// The operator of a node.
fn find(domain: &str, op: &str) -> Option<&'static Entry> {
    let lists: &[&'static [Entry]] = match domain {
        "" => &[standard::OPERATORS],
        "ai.onnx.ml" => &[ml::OPERATORS],
        MORE => &[more::OPERATORS],
        OWN => &[texts::OPERATORS, categories::OPERATORS, bounds::OPERATORS],
        _ => return None,
    };
    lists.iter().copied().flatten().find(|(name, ..)| *name == op)
}

/// True when the operator is computed in some form.
pub(super) fn is_known(domain: &str, op: &str) -> bool {
    find(domain, op).is_some() || domain == "ai.onnx.ml" && op == ZIP_MAP
}

/// Makes maps of scores, which are no tensors: the graph itself does it.
pub(super) const ZIP_MAP: &str = "ZipMap";

/// Makes a node ready.
pub(super) fn compile(site: &Site<'_>) -> Result<Compiled, String> {
    let (_, since, compile) = find(site.node.op_domain(), site.node.op()).ok_or("it is not known")?;
    if site.opset < *since {
        return Err(format!("version {} of it, where {since} is the first", site.opset));
    }
    let compiled = compile(site)?;
    site.check_settings()?;
    Ok(compiled)
}
