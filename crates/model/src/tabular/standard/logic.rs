//! Comparisons, logic, and choices by it.

use modelet_core::{DType, Data, Tensor};

use super::arithmetic::pair;
use crate::tabular::constant::TYPES;
use crate::tabular::number::{NUMBERS, Number, for_number};
use crate::tabular::shape::{broadcast, make, pick, spread};
use crate::tabular::site::{Compiled, Site};

macro_rules! comparisons {
    ($($name:ident => $compare:expr;)*) => {
        $(pub(in crate::tabular) fn $name(site: &Site<'_>) -> Result<Compiled, String> {
            fn typed<T: Number>() -> Result<Compiled, String> {
                let compare: fn(&T, &T) -> bool = $compare;
                Compiled::new(DType::Bool, move |arguments| {
                    let (a, b) = (arguments.get(0)?, arguments.get(1)?);
                    let (shape, data) = pair::<T, bool>(a, b, |a, b| Ok(compare(&a, &b)))?;
                    make(shape, Data::Bool(data))
                })
            }
            let dtype = site.one_dtype(NUMBERS)?;
            for_number!(dtype, typed())
        })*
    };
}

comparisons! {
    greater => PartialOrd::gt;
    greater_or_equal => PartialOrd::ge;
    less => PartialOrd::lt;
    less_or_equal => PartialOrd::le;
    equal_numbers => PartialEq::eq;
}

macro_rules! connectives {
    ($($name:ident => $connect:expr;)*) => {
        $(pub(in crate::tabular) fn $name(site: &Site<'_>) -> Result<Compiled, String> {
            site.one_dtype(&[DType::Bool])?;
            let connect: fn(&bool, &bool) -> bool = $connect;
            Compiled::new(DType::Bool, move |arguments| connected(arguments.get(0)?, arguments.get(1)?, connect))
        })*
    };
}

connectives! {
    and => |a, b| *a && *b;
    or => |a, b| *a || *b;
    xor => |a, b| a != b;
    equal_truths => |a, b| a == b;
}

fn connected(a: &Tensor, b: &Tensor, connect: fn(&bool, &bool) -> bool) -> Result<Tensor, String> {
    let (Data::Bool(x), Data::Bool(y)) = (a.data(), b.data()) else { return Err("not booleans".into()) };
    make(broadcast(a.shape(), b.shape())?, Data::Bool(paired(a, b, x, y, connect)?))
}

fn paired<T>(
    a: &Tensor,
    b: &Tensor,
    x: &[T],
    y: &[T],
    f: impl Fn(&T, &T) -> bool,
) -> Result<Vec<bool>, String> {
    let shape = broadcast(a.shape(), b.shape())?;
    let places = spread(a.shape(), &shape)?.into_iter().zip(spread(b.shape(), &shape)?);
    Ok(places.map(|(i, j)| f(&x[i], &y[j])).collect())
}

/// `Equal`, of whatever type.
pub(in crate::tabular) fn equal(site: &Site<'_>) -> Result<Compiled, String> {
    match site.one_dtype(TYPES)? {
        DType::Bool => equal_truths(site),
        DType::Str => Compiled::new(DType::Bool, |arguments| {
            let (a, b) = (arguments.get(0)?, arguments.get(1)?);
            let (Data::Str(x), Data::Str(y)) = (a.data(), b.data()) else { return Err("not text".into()) };
            make(broadcast(a.shape(), b.shape())?, Data::Bool(paired(a, b, x, y, |a, b| a == b)?))
        }),
        _ => equal_numbers(site),
    }
}

/// `Not`.
pub(in crate::tabular) fn not(site: &Site<'_>) -> Result<Compiled, String> {
    site.one_dtype(&[DType::Bool])?;
    Compiled::new(DType::Bool, |arguments| {
        let tensor = arguments.get(0)?;
        let Data::Bool(truths) = tensor.data() else { return Err("not booleans".into()) };
        make(tensor.shape().to_vec(), Data::Bool(truths.iter().map(|truth| !truth).collect()))
    })
}

/// `Where`.
pub(in crate::tabular) fn choose(site: &Site<'_>) -> Result<Compiled, String> {
    site.dtype_of(0, &[DType::Bool])?;
    let dtype = site.dtype_of(1, TYPES)?;
    if site.dtype(2)? != dtype {
        return Err("choices of two types".into());
    }
    Compiled::new(dtype, |arguments| {
        let (condition, yes, no) = (arguments.get(0)?, arguments.get(1)?, arguments.get(2)?);
        let Data::Bool(truths) = condition.data() else { return Err("not booleans".into()) };
        let shape = broadcast(&broadcast(condition.shape(), yes.shape())?, no.shape())?;
        let truths = spread(condition.shape(), &shape)?.into_iter().map(|place| truths[place]);
        let (from_yes, from_no) = (spread(yes.shape(), &shape)?, spread(no.shape(), &shape)?);
        let offset = yes.len();
        let places = truths.zip(from_yes.into_iter().zip(from_no));
        let places: Vec<_> = places.map(|(truth, (yes, no))| if truth { yes } else { offset + no }).collect();
        let mut both = yes.data().clone();
        both.append(no.data());
        make(shape, pick(&both, &places)?)
    })
}
