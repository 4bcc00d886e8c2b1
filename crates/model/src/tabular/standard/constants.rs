//! Constants and shapes as values.

use modelet_core::{DType, Data, Tensor};

use crate::tabular::constant::TYPES;
use crate::tabular::shape::{count, integers, make, pick};
use crate::tabular::site::{Compiled, Site};

/// The value of a node `Constant`.
pub(in crate::tabular) fn constant_value(site: &Site<'_>) -> Result<Tensor, String> {
    if let Some(tensor) = site.tensor("value")? {
        return Ok(tensor);
    }
    if let Some(number) = site.float("value_float") {
        return make(vec![], vec![number]);
    }
    if let Some(number) = site.int("value_int") {
        return make(vec![], vec![number]);
    }
    if let Some(text) = site.text("value_string")? {
        return make(vec![], vec![text]);
    }
    if site.has("value_floats") {
        return Ok(Tensor::vector(site.floats("value_floats").to_vec()));
    }
    if site.has("value_ints") {
        return Ok(Tensor::vector(site.ints("value_ints").to_vec()));
    }
    if site.has("value_strings") {
        return Ok(Tensor::vector(site.texts("value_strings")?));
    }
    Err("a constant of another kind".into())
}

pub(in crate::tabular) fn constant(site: &Site<'_>) -> Result<Compiled, String> {
    let value = constant_value(site)?;
    Compiled::new(value.dtype(), move |_| Ok(value.clone()))
}

pub(in crate::tabular) fn constant_of_shape(site: &Site<'_>) -> Result<Compiled, String> {
    let value = site.tensor("value")?.unwrap_or_else(|| Tensor::vector(vec![0_f32]));
    if value.len() != 1 {
        return Err(format!("a filling of {} numbers", value.len()));
    }
    Compiled::new(value.dtype(), move |arguments| {
        let sizes = integers(arguments.get(0)?)?;
        let size = |size: &i64| usize::try_from(*size).map_err(|_| format!("the shape {sizes:?}"));
        let shape = sizes.iter().map(size).collect::<Result<Vec<_>, _>>()?;
        let places = vec![0; count(&shape)?];
        make(shape, pick(value.data(), &places)?)
    })
}

pub(in crate::tabular) fn shape(site: &Site<'_>) -> Result<Compiled, String> {
    site.dtype_of(0, TYPES)?;
    let (start, end) = (site.int("start").unwrap_or(0), site.int("end"));
    Compiled::new(DType::I64, move |arguments| {
        let shape = arguments.get(0)?.shape();
        let rank = shape.len() as i64;
        let bound = |at: i64| if at < 0 { at.saturating_add(rank) } else { at }.clamp(0, rank) as usize;
        let (start, end) = (bound(start), bound(end.unwrap_or(rank)));
        let sizes: Vec<_> =
            shape.get(start..end).unwrap_or_default().iter().map(|size| *size as i64).collect();
        Ok(Tensor::vector(Data::I64(sizes)))
    })
}
