//! Constants of a model file as tensors.

use modelet_core::{DType, Data, Tensor};

use super::proto::FullTensor;

/// The six element types that this engine has.
pub(super) const TYPES: &[DType] = &[DType::F32, DType::F64, DType::I64, DType::I32, DType::Bool, DType::Str];

/// Our element type for a `TensorProto.DataType`.
pub(super) fn dtype(number: i64) -> Result<DType, String> {
    Ok(match number {
        1 => DType::F32,
        6 => DType::I32,
        7 => DType::I64,
        8 => DType::Str,
        9 => DType::Bool,
        11 => DType::F64,
        other => return Err(format!("elements of ONNX type {other}")),
    })
}

/// The tensor of a constant.
pub(super) fn tensor(proto: &FullTensor) -> Result<Tensor, String> {
    if proto.data_location.unwrap_or_default() != 0 || !proto.external_data.is_empty() {
        return Err("constants in another file".into());
    }
    let size = |dim: &i64| usize::try_from(*dim).map_err(|_| format!("the shape {:?}", proto.dims));
    let shape = proto.dims.iter().map(size).collect::<Result<Vec<_>, _>>()?;
    Tensor::new(shape, data(proto)?).map_err(|error| error.to_string())
}

/// The elements of a constant of type uint8, which no value of this engine has, but a setting may.
pub(super) fn bytes(proto: &FullTensor) -> Result<Vec<u8>, String> {
    const UINT8: i32 = 2;
    if proto.data_type != Some(UINT8) {
        return Err("a setting that should be bytes".into());
    }
    match &proto.raw_data {
        Some(raw) => Ok(raw.clone()),
        None => {
            let byte = |number: &i32| u8::try_from(*number).map_err(|_| format!("{number} is not a byte"));
            proto.int32_data.iter().map(byte).collect()
        }
    }
}

fn data(proto: &FullTensor) -> Result<Data, String> {
    let raw = proto.raw_data.as_deref();
    macro_rules! numbers {
        ($ty:ty, $field:ident) => {
            match raw {
                Some(raw) => little_endian(raw, <$ty>::from_le_bytes)?.into(),
                None => proto.$field.clone().into(),
            }
        };
    }
    Ok(match dtype(proto.data_type.unwrap_or_default().into())? {
        DType::F32 => numbers!(f32, float_data),
        DType::F64 => numbers!(f64, double_data),
        DType::I64 => numbers!(i64, int64_data),
        DType::I32 => numbers!(i32, int32_data),
        DType::Bool => Data::Bool(match raw {
            Some(raw) => raw.iter().map(|byte| *byte != 0).collect(),
            None => proto.int32_data.iter().map(|number| *number != 0).collect(),
        }),
        _ => Data::Str(proto.string_data.iter().map(|text| utf8(text)).collect::<Result<_, _>>()?),
    })
}

fn little_endian<T, const N: usize>(raw: &[u8], number: fn([u8; N]) -> T) -> Result<Vec<T>, String> {
    let (numbers, rest) = raw.as_chunks::<N>();
    if !rest.is_empty() {
        return Err("a constant whose bytes end within a number".into());
    }
    Ok(numbers.iter().map(|bytes| number(*bytes)).collect())
}

/// A text of the file.
pub(super) fn utf8(text: &[u8]) -> Result<String, String> {
    String::from_utf8(text.to_vec()).map_err(|_| "text that is not UTF-8".to_owned())
}
