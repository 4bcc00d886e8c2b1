//! Our tensors as ONNX Runtime's values, and back: numbers are lent to a call and copied out of it once.

use std::collections::HashMap;

use half::{bf16, f16};
use modelet_core::{DType, Data, FunctionError, OutputKind, Signature, Tensor, Value};
use ort::session::SessionInputValue;
use ort::value::{
    DynMapValueType, DynTensorValueType, DynValue, PrimitiveTensorElementType, Tensor as OrtTensor,
    TensorElementType, TensorRef, ValueType,
};

use crate::onnx::OnnxSummary;

/// A tensor as the input of a call.
pub(super) fn input<'a>(name: &str, tensor: &'a Tensor) -> Result<SessionInputValue<'a>, FunctionError> {
    macro_rules! lend {
        ($($variant:ident)*) => {
            match tensor.data() {
                $(Data::$variant(data) => TensorRef::from_array_view((tensor.shape(), &**data)).map(Into::into),)*
                Data::Str(texts) => OrtTensor::from_string_array((tensor.shape(), &**texts)).map(Into::into),
            }
        };
    }
    let value: ort::Result<SessionInputValue<'a>> =
        lend!(Bool I8 I16 I32 I64 U8 U16 U32 U64 F16 BF16 F32 F64);
    // Numbers always fit, since the shape was checked; a text with a zero byte has no form in ONNX Runtime's interface.
    value.map_err(|_| FunctionError::bad_input(name, "texts without zero bytes", "a text with one"))
}

/// What a call answered under one name.
pub(super) fn output(value: &DynValue, keys: Option<&MapKeys>) -> Result<Value, String> {
    match value.dtype() {
        ValueType::Tensor { .. } => tensor(value).map(Value::Tensor),
        ValueType::Map { .. } => {
            let rows = rows(std::slice::from_ref(value))?;
            table(&rows, keys, false)
        }
        ValueType::Sequence(element) => match **element {
            ValueType::Map { .. } => {
                let maps = value.try_extract_sequence::<DynMapValueType>().map_err(|error| text(&error))?;
                let maps: Vec<DynValue> = maps.into_iter().map(ort::value::Value::into_dyn).collect();
                table(&rows(&maps)?, keys, true)
            }
            _ => {
                let tensors =
                    value.try_extract_sequence::<DynTensorValueType>().map_err(|error| text(&error))?;
                tensors
                    .into_iter()
                    .map(|value| tensor(&value.into_dyn()))
                    .collect::<Result<_, _>>()
                    .map(Value::Sequence)
            }
        },
        ValueType::Optional(_) => Err("is optional".into()),
    }
}

fn tensor(value: &DynValue) -> Result<Tensor, String> {
    use TensorElementType as T;
    let ValueType::Tensor { ty, .. } = value.dtype() else { return Err("is not a tensor".into()) };
    let (shape, data) = match ty {
        T::Bool => copy::<bool>(value),
        T::Int8 => copy::<i8>(value),
        T::Int16 => copy::<i16>(value),
        T::Int32 => copy::<i32>(value),
        T::Int64 => copy::<i64>(value),
        T::Uint8 => copy::<u8>(value),
        T::Uint16 => copy::<u16>(value),
        T::Uint32 => copy::<u32>(value),
        T::Uint64 => copy::<u64>(value),
        T::Float16 => copy::<f16>(value),
        T::Bfloat16 => copy::<bf16>(value),
        T::Float32 => copy::<f32>(value),
        T::Float64 => copy::<f64>(value),
        T::String => {
            let (shape, texts) = value.try_extract_strings().map_err(|error| text(&error))?;
            sizes(shape).map(|shape| (shape, Data::Str(texts)))
        }
        other => Err(format!("is a tensor of {other}")),
    }?;
    Tensor::new(shape, data).map_err(|error| error.to_string())
}

fn copy<T: PrimitiveTensorElementType + Clone>(value: &DynValue) -> Result<(Vec<usize>, Data), String>
where
    Data: From<Vec<T>>,
{
    let (shape, data) = value.try_extract_tensor::<T>().map_err(|error| text(&error))?;
    Ok((sizes(shape)?, data.to_vec().into()))
}

fn sizes(shape: &[i64]) -> Result<Vec<usize>, String> {
    let size = |size: &i64| usize::try_from(*size).map_err(|_| format!("has the shape {shape:?}"));
    shape.iter().map(size).collect()
}

fn text(error: &ort::Error) -> String {
    error.message().to_owned()
}

/// The keys of an output's maps.
pub(super) enum MapKeys {
    Texts(Vec<String>),
    Integers(Vec<i64>),
}

/// For each output that is a map: its keys in the order of the model's class list.
pub(super) fn map_keys(summary: &OnnxSummary, signature: &Signature) -> Vec<Option<MapKeys>> {
    let keys = |output: &modelet_core::OutputSpec| {
        let OutputKind::Map { key, .. } = output.kind else { return None };
        let classes = summary.classes(&output.name)?;
        match key {
            DType::I64 => {
                let keys = classes.iter().map(|class| class.parse().ok()).collect::<Option<_>>();
                keys.map(MapKeys::Integers)
            }
            _ => Some(MapKeys::Texts(classes)),
        }
    };
    signature.outputs.iter().map(keys).collect()
}

/// The maps of an output, one a row.
enum Rows {
    Texts(Vec<Vec<(String, f64)>>, TensorElementType),
    Integers(Vec<Vec<(i64, f64)>>, TensorElementType),
    None,
}

fn rows(maps: &[DynValue]) -> Result<Rows, String> {
    use TensorElementType as T;
    macro_rules! extract {
        ($key:ty, $value:ty) => {{
            let row = |map: &DynValue| {
                let pairs = map.try_extract_key_values::<$key, $value>().map_err(|error| text(&error))?;
                Ok(pairs.into_iter().map(|(key, value)| (key, value as f64)).collect::<Vec<_>>())
            };
            maps.iter().map(row).collect::<Result<Vec<_>, String>>()
        }};
    }
    let Some(ValueType::Map { key, value }) = maps.first().map(|map| map.dtype().clone()) else {
        return Ok(Rows::None);
    };
    Ok(match (key, value) {
        (T::String, T::Float32) => Rows::Texts(extract!(String, f32)?, value),
        (T::String, T::Float64) => Rows::Texts(extract!(String, f64)?, value),
        (T::Int64, T::Float32) => Rows::Integers(extract!(i64, f32)?, value),
        (T::Int64, T::Float64) => Rows::Integers(extract!(i64, f64)?, value),
        _ => {
            return Err(format!("is a map from {key} to {value}; we read maps from text or int64 to floats"));
        }
    })
}

fn table(rows: &Rows, keys: Option<&MapKeys>, per_row: bool) -> Result<Value, String> {
    match rows {
        Rows::Texts(rows, value) => {
            let known = match keys {
                Some(MapKeys::Texts(keys)) => Some(keys),
                _ => None,
            };
            fill(rows, known, *value, per_row)
        }
        Rows::Integers(rows, value) => {
            let known = match keys {
                Some(MapKeys::Integers(keys)) => Some(keys),
                _ => None,
            };
            fill(rows, known, *value, per_row)
        }
        // No row says the keys; the graph may.
        Rows::None => {
            let keys = match keys {
                Some(MapKeys::Texts(keys)) => Data::from(keys.clone()),
                Some(MapKeys::Integers(keys)) => Data::from(keys.clone()),
                None => Data::from(Vec::<String>::new()),
            };
            let values = Tensor::zeros(DType::F32, vec![0, keys.len()]).map_err(|error| error.to_string())?;
            Ok(Value::Map { keys: Tensor::vector(keys), values })
        }
    }
}

/// Puts the values of all rows under one list of keys: the model's own list where it names the same keys, since the maps
/// come sorted.
fn fill<K: Clone + Eq + std::hash::Hash>(
    rows: &[Vec<(K, f64)>],
    known: Option<&Vec<K>>,
    value: TensorElementType,
    per_row: bool,
) -> Result<Value, String>
where
    Data: From<Vec<K>>,
{
    let first: Vec<K> = rows.first().into_iter().flatten().map(|(key, _)| key.clone()).collect();
    let same =
        known.filter(|known| known.len() == first.len() && known.iter().all(|key| first.contains(key)));
    let keys = same.cloned().unwrap_or(first);
    let columns: HashMap<&K, usize> = keys.iter().enumerate().map(|(column, key)| (key, column)).collect();
    let mut values = vec![0.0; rows.len() * keys.len()];
    for (row, pairs) in rows.iter().enumerate() {
        if pairs.len() != keys.len() {
            return Err("has maps with different keys".into());
        }
        for (key, value) in pairs {
            let column = columns.get(key).ok_or("has maps with different keys")?;
            values[row * keys.len() + column] = *value;
        }
    }
    let shape = if per_row { vec![rows.len(), keys.len()] } else { vec![keys.len()] };
    let data = match value {
        TensorElementType::Float32 => Data::F32(values.iter().map(|value| *value as f32).collect()),
        _ => Data::F64(values),
    };
    let values = Tensor::new(shape, data).map_err(|error| error.to_string())?;
    Ok(Value::Map { keys: Tensor::vector(keys), values })
}
