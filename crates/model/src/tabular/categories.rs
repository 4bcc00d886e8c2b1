//! Operators of our own for categories as CatBoost has them: a text is known by its hash, and what was counted of it in the
//! training stands in a table. (ONNX's encoders look texts up, and a file of CatBoost has no texts.)
//!
//! - [`city`]: the hash of a text
//! - [`statistics`]: what was counted

pub mod city;
mod statistics;

use modelet_core::{DType, Data};

use super::operators::Entry;
use super::proto::FullNode;
use super::shape::make;
use super::site::{Compiled, Site};
use crate::onnx::write::OWN;

/// Name, first version, and how it is made ready.
pub(super) const OPERATORS: &[Entry] = &[(CODE, 1, code), (STATISTICS, 1, statistics::statistics)];
/// The number that a text is known by.
const CODE: &str = "CategoryCode";
/// What was counted of categories.
const STATISTICS: &str = "CategoryStatistics";
/// The attribute of a [`CODE`] with texts that the model knows, some where they are many: for rows that tell.
pub const EXAMPLES: &str = "examples";

/// `CategoryCode`: the lower half of the hash of each text, as a number with a sign.
fn code(site: &Site<'_>) -> Result<Compiled, String> {
    site.dtype_of(0, &[DType::Str])?;
    site.at_most(1)?;
    site.ignore(&[EXAMPLES]);
    Compiled::new(DType::I64, move |arguments| {
        let tensor = arguments.get(0)?;
        let Data::Str(texts) = tensor.data() else { return Err("an input of numbers".into()) };
        let codes = texts.iter().map(|text| i64::from(city::code(text)));
        make(tensor.shape().to_vec(), Data::I64(codes.collect()))
    })
}

/// Texts that a node knows; `None` for one that does not look at categories.
pub(super) fn examples(node: &FullNode) -> Option<&[Vec<u8>]> {
    if node.op_domain() != OWN || node.op() != CODE {
        return None;
    }
    let list = node.attribute.iter().find(|one| one.name.as_deref() == Some(EXAMPLES));
    Some(list.map_or(&[], |list| &list.strings))
}

/// How many columns a node makes that are no columns of an input; `None` for one of another kind.
pub(super) fn width(node: &FullNode) -> Option<usize> {
    match node.op() {
        _ if node.op_domain() != OWN => None,
        CODE => Some(1),
        STATISTICS => statistics::width(node),
        _ => None,
    }
}
