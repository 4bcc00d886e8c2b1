//! Operators that look values up.

use std::collections::HashMap;

use modelet_core::{DType, Data, Tensor};

use crate::tabular::cast_elements;
use crate::tabular::constant::TYPES;
use crate::tabular::number::NUMBERS;
use crate::tabular::shape::{axis, count, integers, make, matrix, pick};
use crate::tabular::site::{Compiled, Site};

/// Where each of a list of keys stands. Floats are found by their value: the zeros are one, and so are the NaNs.
enum Lookup {
    Texts(HashMap<String, usize>),
    Numbers(HashMap<i64, usize>),
    Floats(HashMap<u64, usize>),
}

impl Lookup {
    fn new(keys: &Data) -> Result<Self, String> {
        fn places<K: Eq + std::hash::Hash>(
            keys: impl Iterator<Item = K>,
        ) -> Result<HashMap<K, usize>, String> {
            let mut places = HashMap::new();
            for (place, key) in keys.enumerate() {
                if places.insert(key, place).is_some() {
                    return Err("a key that stands twice".into());
                }
            }
            Ok(places)
        }
        Ok(match keys {
            Data::Str(keys) => Self::Texts(places(keys.iter().cloned())?),
            Data::I64(keys) => Self::Numbers(places(keys.iter().copied())?),
            Data::I32(keys) => Self::Numbers(places(keys.iter().map(|key| i64::from(*key)))?),
            Data::F32(keys) => Self::Floats(places(keys.iter().map(|key| float_key(f64::from(*key))))?),
            Data::F64(keys) => Self::Floats(places(keys.iter().map(|key| float_key(*key)))?),
            other => return Err(format!("keys of type {}", other.dtype())),
        })
    }

    /// The place of each element; `None` for one that is no key.
    fn places(&self, data: &Data) -> Result<Vec<Option<usize>>, String> {
        Ok(match (self, data) {
            (Self::Texts(keys), Data::Str(v)) => v.iter().map(|x| keys.get(x).copied()).collect(),
            (Self::Numbers(keys), Data::I64(v)) => v.iter().map(|x| keys.get(x).copied()).collect(),
            (Self::Numbers(keys), Data::I32(v)) => {
                v.iter().map(|x| keys.get(&i64::from(*x)).copied()).collect()
            }
            (Self::Floats(keys), Data::F32(v)) => {
                v.iter().map(|x| keys.get(&float_key(f64::from(*x))).copied()).collect()
            }
            (Self::Floats(keys), Data::F64(v)) => {
                v.iter().map(|x| keys.get(&float_key(*x)).copied()).collect()
            }
            _ => return Err(format!("keys of another type than {}", data.dtype())),
        })
    }
}

fn float_key(number: f64) -> u64 {
    if number.is_nan() { f64::NAN.to_bits() } else { (number + 0.0).to_bits() }
}

/// Values for keys, and one for all that is no key.
fn mapping(site: &Site<'_>, keys: &Data, values: Data, default: &Data) -> Result<Compiled, String> {
    if keys.len() != values.len() || default.len() != 1 {
        return Err(format!("{} keys, {} values and {} defaults", keys.len(), values.len(), default.len()));
    }
    site.dtype_of(0, &[keys.dtype()])?;
    let lookup = Lookup::new(keys)?;
    let default_at = values.len();
    let mut choices = values;
    if !choices.append(default) {
        return Err("a default of another type than the values".into());
    }
    Compiled::new(choices.dtype(), move |arguments| {
        let tensor = arguments.get(0)?;
        let places: Vec<_> =
            lookup.places(tensor.data())?.iter().map(|place| place.unwrap_or(default_at)).collect();
        make(tensor.shape().to_vec(), pick(&choices, &places)?)
    })
}

/// `LabelEncoder`, in the three forms that it has had.
pub(super) fn label_encoder(site: &Site<'_>) -> Result<Compiled, String> {
    let default_text = Data::Str(vec![site.text("default_string")?.unwrap_or_else(|| "_Unused".into())]);
    let default_integer = Data::I64(vec![site.int("default_int64").unwrap_or(-1)]);
    let default_float = Data::F32(vec![site.float("default_float").unwrap_or(-0.0)]);
    if site.opset < 2 {
        let texts = Data::Str(site.texts("classes_strings")?);
        let numbers = Data::I64((0..texts.len() as i64).collect());
        return match site.dtype_of(0, &[DType::Str, DType::I64])? {
            DType::Str => mapping(site, &texts, numbers, &default_integer),
            _ => mapping(site, &numbers, texts, &default_text),
        };
    }
    let keys = one_list(site, ["keys_tensor", "keys_strings", "keys_int64s", "keys_floats"])?;
    let values = one_list(site, ["values_tensor", "values_strings", "values_int64s", "values_floats"])?;
    let default = match (site.tensor("default_tensor")?, values.dtype()) {
        (Some(tensor), _) => tensor.data().clone(),
        (None, DType::Str) => default_text,
        (None, DType::I64) => default_integer,
        (None, DType::F32) => default_float,
        (None, other) => return Err(format!("values of type {other} without a default")),
    };
    mapping(site, &keys, values, &default)
}

/// The one list that is given of the four that could be.
fn one_list<'a>(site: &Site<'a>, [tensor, texts, integers, floats]: [&'a str; 4]) -> Result<Data, String> {
    let mut given = Vec::new();
    given.extend(site.tensor(tensor)?.map(|tensor| tensor.data().clone()));
    given.extend(site.has(texts).then(|| site.texts(texts)).transpose()?.map(Data::Str));
    given.extend(site.has(integers).then(|| Data::I64(site.ints(integers).to_vec())));
    given.extend(site.has(floats).then(|| Data::F32(site.floats(floats).to_vec())));
    given.retain(|list| !list.is_empty());
    let count = given.len();
    given.pop().filter(|_| count == 1).ok_or_else(|| format!("{count} lists where one is needed"))
}

/// `CategoryMapper`: text to integers, or back.
pub(super) fn category_mapper(site: &Site<'_>) -> Result<Compiled, String> {
    let texts = Data::Str(site.texts("cats_strings")?);
    let numbers = Data::I64(site.ints("cats_int64s").to_vec());
    let default_text = site.text("default_string")?.unwrap_or_else(|| "_Unused".into());
    let default_number = site.int("default_int64").unwrap_or(-1);
    match site.dtype_of(0, &[DType::Str, DType::I64])? {
        DType::Str => mapping(site, &texts, numbers, &Data::I64(vec![default_number])),
        _ => mapping(site, &numbers, texts, &Data::Str(vec![default_text])),
    }
}

/// `OneHotEncoder`: a column for each category, added as a last axis.
pub(super) fn one_hot_encoder(site: &Site<'_>) -> Result<Compiled, String> {
    let (texts, integers) = (site.texts("cats_strings")?, site.ints("cats_int64s"));
    let zeros = site.int("zeros").unwrap_or(1) != 0;
    let dtype = site.dtype_of(0, &[DType::Str, DType::I64, DType::I32, DType::F32, DType::F64])?;
    let categories = match (dtype, texts.is_empty(), integers.is_empty()) {
        (DType::Str, false, true) => Data::Str(texts),
        (DType::Str, ..) | (_, false, _) | (_, _, true) => {
            return Err("categories of another type than the input".into());
        }
        _ => Data::I64(integers.to_vec()),
    };
    let lookup = Lookup::new(&categories)?;
    let width = categories.len();
    Compiled::new(DType::F32, move |arguments| {
        let tensor = arguments.get(0)?;
        // Floats are categories by their whole part.
        let keys = if dtype == DType::Str {
            tensor.data().clone()
        } else {
            cast_elements(tensor.data(), DType::I64)?
        };
        let mut shape = tensor.shape().to_vec();
        shape.push(width);
        let mut ones = vec![0_f32; count(&shape)?];
        for (row, place) in lookup.places(&keys)?.into_iter().enumerate() {
            match place {
                Some(place) => ones[row * width + place] = 1.0,
                None if zeros => {}
                None => return Err("a value is in no category".into()),
            }
        }
        make(shape, Data::F32(ones))
    })
}

/// `ArrayFeatureExtractor`: columns picked by their numbers.
pub(super) fn array_feature_extractor(site: &Site<'_>) -> Result<Compiled, String> {
    site.dtype_of(1, &[DType::I64])?;
    Compiled::new(site.dtype_of(0, TYPES)?, |arguments| {
        let tensor = arguments.get(0)?;
        let columns = tensor.shape().last().copied().ok_or("a number alone")?;
        let numbers = integers(arguments.get(1)?)?;
        let column = |number: &i64| usize::try_from(*number).ok().filter(|number| *number < columns);
        let picked: Option<Vec<_>> = numbers.iter().map(column).collect();
        let picked = picked.ok_or_else(|| format!("columns {numbers:?} of {columns}"))?;
        let last = axis(-1, tensor.shape().len())?;
        let mut shape = if last == 0 { vec![1, columns] } else { tensor.shape().to_vec() };
        if let Some(size) = shape.last_mut() {
            *size = picked.len();
        }
        let rows = tensor.len() / columns.max(1);
        count(&shape)?;
        let places: Vec<_> =
            (0..rows).flat_map(|row| picked.iter().map(move |at| row * columns + at)).collect();
        make(shape, pick(tensor.data(), &places)?)
    })
}

/// `FeatureVectorizer`: inputs side by side, each cut or filled with zeros to its width.
pub(super) fn feature_vectorizer(site: &Site<'_>) -> Result<Compiled, String> {
    let widths = site.ints("inputdimensions").iter().map(|width| usize::try_from(*width));
    let widths = widths.collect::<Result<Vec<_>, _>>().map_err(|_| "a width below zero")?;
    if widths.len() != site.types.len() || widths.is_empty() {
        return Err(format!("{} widths for {} inputs", widths.len(), site.types.len()));
    }
    for index in 0..site.types.len() {
        site.dtype_of(index, NUMBERS)?;
    }
    Compiled::new(DType::F32, move |arguments| {
        let column = |tensor: &Tensor| match *tensor.shape() {
            [rows] => Ok((rows, 1)),
            _ => matrix(tensor.shape()),
        };
        let (rows, _) = column(arguments.get(0)?)?;
        let total = widths.iter().fold(0_usize, |total, width| total.saturating_add(*width));
        let mut data = vec![0_f32; count(&[rows, total])?];
        let mut start = 0;
        for (index, width) in widths.iter().enumerate() {
            let tensor = arguments.get(index)?;
            let (found, columns) = column(tensor)?;
            if found != rows {
                return Err(format!("{rows} rows and {found} rows side by side"));
            }
            let Data::F32(numbers) = cast_elements(tensor.data(), DType::F32)? else { continue };
            let taken = columns.min(*width);
            for row in 0..rows {
                let to = row * total + start;
                data[to..to + taken].copy_from_slice(&numbers[row * columns..row * columns + taken]);
            }
            start += width;
        }
        make(vec![rows, total], Data::F32(data))
    })
}
