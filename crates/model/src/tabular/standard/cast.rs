//! `Cast` between the types of this engine. Text is made of integers and booleans only: how a float is written is not
//! the same in any two runtimes.

use modelet_core::{DType, Data};

use crate::tabular::constant::{TYPES, dtype};
use crate::tabular::shape::make;
use crate::tabular::site::{Compiled, Site};

pub(in crate::tabular) fn compile(site: &Site<'_>) -> Result<Compiled, String> {
    let to = dtype(site.int("to").ok_or("no type to make")?)?;
    let from = site.dtype_of(0, TYPES)?;
    site.ignore(&["saturate", "round_mode"]);
    match (from, to) {
        (DType::F32 | DType::F64 | DType::Bool, DType::Str) => return Err(format!("text made of {from}")),
        (DType::Str, DType::Bool) => return Err("booleans made of text".into()),
        _ => {}
    }
    Compiled::new(to, move |arguments| {
        let tensor = arguments.get(0)?;
        make(tensor.shape().to_vec(), cast(tensor.data(), to)?)
    })
}

/// The same elements as another type.
pub(in crate::tabular) fn cast(data: &Data, to: DType) -> Result<Data, String> {
    if data.dtype() == to {
        return Ok(data.clone());
    }
    macro_rules! numbers {
        ($v:ident) => {
            match to {
                DType::F32 => Data::F32($v.iter().map(|x| *x as f32).collect()),
                DType::F64 => Data::F64($v.iter().map(|x| *x as f64).collect()),
                DType::I64 => Data::I64($v.iter().map(|x| *x as i64).collect()),
                DType::I32 => Data::I32($v.iter().map(|x| *x as i64 as i32).collect()),
                DType::Bool => Data::Bool($v.iter().map(|x| *x as f64 != 0.0).collect()),
                DType::Str => Data::Str($v.iter().map(ToString::to_string).collect()),
                other => return Err(format!("elements of type {other}")),
            }
        };
    }
    Ok(match data {
        Data::F32(v) => numbers!(v),
        Data::F64(v) => numbers!(v),
        Data::I64(v) => numbers!(v),
        Data::I32(v) => numbers!(v),
        Data::Bool(v) => {
            let ones: Vec<i32> = v.iter().map(|truth| i32::from(*truth)).collect();
            return cast(&Data::I32(ones), to);
        }
        Data::Str(v) => parsed(v, to)?,
        other => return Err(format!("elements of type {}", other.dtype())),
    })
}

fn parsed(texts: &[String], to: DType) -> Result<Data, String> {
    fn each<T: std::str::FromStr>(texts: &[String]) -> Result<Vec<T>, String> {
        let number = |text: &String| text.trim().parse().map_err(|_| format!("{text:?} is not a number"));
        texts.iter().map(number).collect()
    }
    Ok(match to {
        DType::F32 => Data::F32(each(texts)?),
        DType::F64 => Data::F64(each(texts)?),
        DType::I64 => Data::I64(each(texts)?),
        DType::I32 => Data::I32(each(texts)?),
        other => return Err(format!("{other} made of text")),
    })
}
