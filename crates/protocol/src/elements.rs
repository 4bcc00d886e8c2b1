//! Elements as bytes in memory, the same for npy, raw bodies and the V2 binary extension.

use half::{bf16, f16};
use modelet_core::{DType, Data};

use crate::cast::each_dtype;

/// Which byte of a number comes first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Order {
    Little,
    Big,
}

/// Bytes as elements. `None` for strings, for a length that is no multiple of the element's, and for a bool that is
/// neither 0 nor 1.
pub(crate) fn from_bytes(dtype: DType, bytes: &[u8], order: Order) -> Option<Data> {
    macro_rules! numbers {
        ($ty:ty) => {{
            let (chunks, []) = bytes.as_chunks::<{ size_of::<$ty>() }>() else { return None };
            let numbers: Vec<$ty> = match order {
                Order::Little => chunks.iter().map(|chunk| <$ty>::from_le_bytes(*chunk)).collect(),
                Order::Big => chunks.iter().map(|chunk| <$ty>::from_be_bytes(*chunk)).collect(),
            };
            numbers.into()
        }};
    }
    Some(match dtype {
        DType::Bool => {
            let bools: Option<Vec<bool>> = bytes.iter().map(|b| (*b < 2).then_some(*b == 1)).collect();
            bools?.into()
        }
        DType::I8 => numbers!(i8),
        DType::I16 => numbers!(i16),
        DType::I32 => numbers!(i32),
        DType::I64 => numbers!(i64),
        DType::U8 => numbers!(u8),
        DType::U16 => numbers!(u16),
        DType::U32 => numbers!(u32),
        DType::U64 => numbers!(u64),
        DType::F16 => numbers!(f16),
        DType::BF16 => numbers!(bf16),
        DType::F32 => numbers!(f32),
        DType::F64 => numbers!(f64),
        DType::Str => return None,
    })
}

/// Appends elements as little-endian bytes; texts as they are, one after the other.
pub(crate) fn to_bytes(data: &Data, out: &mut Vec<u8>) {
    macro_rules! numbers {
        ($v:expr) => {
            $v.iter().for_each(|x| out.extend_from_slice(&x.to_le_bytes()))
        };
    }
    match data {
        Data::Bool(v) => out.extend(v.iter().map(|b| u8::from(*b))),
        Data::I8(v) => numbers!(v),
        Data::I16(v) => numbers!(v),
        Data::I32(v) => numbers!(v),
        Data::I64(v) => numbers!(v),
        Data::U8(v) => out.extend_from_slice(v),
        Data::U16(v) => numbers!(v),
        Data::U32(v) => numbers!(v),
        Data::U64(v) => numbers!(v),
        Data::F16(v) => numbers!(v),
        Data::BF16(v) => numbers!(v),
        Data::F32(v) => numbers!(v),
        Data::F64(v) => numbers!(v),
        Data::Str(v) => v.iter().for_each(|text| out.extend_from_slice(text.as_bytes())),
    }
}

/// The elements in another order: the new element `i` is the old element `source(i)`.
pub(crate) fn permuted(data: &Data, source: impl Fn(usize) -> usize) -> Data {
    fn pick<T: Clone>(v: &[T], source: impl Fn(usize) -> usize) -> Vec<T> {
        (0..v.len()).map(|at| v[source(at)].clone()).collect()
    }
    each_dtype!(data, v => pick(v, source).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_elements_are_the_same_thing() {
        for data in [Data::I16(vec![1, -2]), Data::F64(vec![0.5]), Data::Bool(vec![true, false])] {
            let mut bytes = Vec::new();
            to_bytes(&data, &mut bytes);
            assert_eq!(from_bytes(data.dtype(), &bytes, Order::Little), Some(data));
        }
        assert_eq!(from_bytes(DType::I32, &[0, 0, 1, 0], Order::Big), Some(Data::I32(vec![256])));
    }

    #[test]
    fn what_is_no_element_is_refused() {
        assert_eq!(from_bytes(DType::I32, &[0; 5], Order::Little), None);
        assert_eq!(from_bytes(DType::Bool, &[2], Order::Little), None);
        assert_eq!(from_bytes(DType::Str, b"a", Order::Little), None);
    }
}
