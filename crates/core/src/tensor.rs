//! Tensors: dense, row-major, in memory, of every ONNX element type that a client can send.

use std::fmt;

use half::{bf16, f16};
use serde::{Deserialize, Serialize};

/// Why a shape and its data do not make a tensor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    /// The product of the dimensions differs from the number of elements.
    #[error("shape {shape:?} needs {needed} elements, there are {found}")]
    Length {
        /// The shape asked for.
        shape: Vec<usize>,
        /// The product of its dimensions.
        needed: usize,
        /// The number of elements in the data.
        found: usize,
    },
    /// The product of the dimensions does not fit in memory's address range.
    #[error("shape {shape:?} has more elements than this machine can address")]
    TooLarge {
        /// The shape asked for.
        shape: Vec<usize>,
    },
}

macro_rules! element_types {
    ($($variant:ident, $ty:ty, $name:literal, $size:expr, $doc:literal;)*) => {
        /// An element type. Written as in numpy: `float32`, `int64`, `string`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum DType {
            $(#[doc = $doc] #[serde(rename = $name)] $variant,)*
        }

        /// The elements of a tensor, row-major.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Data {
            $(#[doc = $doc] $variant(Vec<$ty>),)*
        }

        impl DType {
            /// Every element type, in a fixed order.
            pub const ALL: &'static [DType] = &[$(DType::$variant,)*];

            /// The numpy-like name.
            pub const fn name(self) -> &'static str {
                match self { $(DType::$variant => $name,)* }
            }

            /// Bytes of one element; `None` for strings.
            pub const fn size_bytes(self) -> Option<usize> {
                match self { $(DType::$variant => $size,)* }
            }
        }

        impl Data {
            /// The element type.
            pub const fn dtype(&self) -> DType {
                match self { $(Data::$variant(_) => DType::$variant,)* }
            }

            /// The number of elements.
            pub fn len(&self) -> usize {
                match self { $(Data::$variant(v) => v.len(),)* }
            }

            /// An empty buffer of an element type.
            pub fn empty(dtype: DType) -> Self {
                match dtype { $(DType::$variant => Data::$variant(Vec::new()),)* }
            }

            /// `n` default elements (zero, false, empty text).
            pub fn zeros(dtype: DType, n: usize) -> Self {
                match dtype { $(DType::$variant => Data::$variant(vec![Default::default(); n]),)* }
            }

            /// The elements `range`, copied out.
            pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
                match self { $(Data::$variant(v) => Data::$variant(v[range].to_vec()),)* }
            }

            /// Appends the elements of `other`; false (and nothing done) when the element types differ.
            pub fn append(&mut self, other: &Data) -> bool {
                match (self, other) {
                    $((Data::$variant(a), Data::$variant(b)) => { a.extend_from_slice(b); true })*
                    _ => false,
                }
            }
        }

        $(impl From<Vec<$ty>> for Data {
            fn from(v: Vec<$ty>) -> Self { Data::$variant(v) }
        })*
    };
}

element_types! {
    Bool, bool, "bool", Some(1), "True or false.";
    I8, i8, "int8", Some(1), "8-bit signed integer.";
    I16, i16, "int16", Some(2), "16-bit signed integer.";
    I32, i32, "int32", Some(4), "32-bit signed integer.";
    I64, i64, "int64", Some(8), "64-bit signed integer.";
    U8, u8, "uint8", Some(1), "8-bit unsigned integer.";
    U16, u16, "uint16", Some(2), "16-bit unsigned integer.";
    U32, u32, "uint32", Some(4), "32-bit unsigned integer.";
    U64, u64, "uint64", Some(8), "64-bit unsigned integer.";
    F16, f16, "float16", Some(2), "IEEE half precision.";
    BF16, bf16, "bfloat16", Some(2), "Brain float: the upper half of a float32.";
    F32, f32, "float32", Some(4), "IEEE single precision.";
    F64, f64, "float64", Some(8), "IEEE double precision.";
    Str, String, "string", None, "UTF-8 text.";
}

impl DType {
    /// True for the four floating-point types.
    pub const fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::BF16 | Self::F32 | Self::F64)
    }

    /// True for the eight integer types.
    pub const fn is_integer(self) -> bool {
        !self.is_float() && !matches!(self, Self::Bool | Self::Str)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Data {
    /// True when there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A dense tensor. The product of the shape always equals the number of elements; a scalar has shape `[]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Data,
}

impl Tensor {
    /// Joins a shape and elements; refuses them when they do not fit.
    pub fn new(shape: Vec<usize>, data: impl Into<Data>) -> Result<Self, TensorError> {
        let data = data.into();
        let needed = shape.iter().try_fold(1_usize, |n, dim| n.checked_mul(*dim));
        match needed {
            Some(needed) if needed == data.len() => Ok(Self { shape, data }),
            Some(needed) => Err(TensorError::Length { shape, needed, found: data.len() }),
            None => Err(TensorError::TooLarge { shape }),
        }
    }

    /// A tensor of one dimension.
    pub fn vector(data: impl Into<Data>) -> Self {
        let data = data.into();
        Self { shape: vec![data.len()], data }
    }

    /// A tensor of zeros (false, empty texts).
    pub fn zeros(dtype: DType, shape: Vec<usize>) -> Result<Self, TensorError> {
        let n = shape
            .iter()
            .try_fold(1_usize, |n, dim| n.checked_mul(*dim))
            .ok_or_else(|| TensorError::TooLarge { shape: shape.clone() })?;
        Ok(Self { shape, data: Data::zeros(dtype, n) })
    }

    /// The same elements under another shape.
    pub fn reshape(self, shape: Vec<usize>) -> Result<Self, TensorError> {
        Self::new(shape, self.data)
    }

    /// The dimensions; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements, row-major.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.data.dtype()
    }

    /// Takes the tensor apart.
    pub fn into_parts(self) -> (Vec<usize>, Data) {
        (self.shape, self.data)
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// True when there is no element.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }
}

/// What a model answers under one output name.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A plain tensor.
    Tensor(Tensor),
    /// A map, or a batch of maps (the `ZipMap` output of a classifier): the keys (class names) once, and the values
    /// as `[rows, keys]`, or as `[keys]` for one map alone.
    Map {
        /// One-dimensional: strings or integers.
        keys: Tensor,
        /// One value for each key, in the order of the keys.
        values: Tensor,
    },
    /// A sequence of tensors, whose shapes may differ.
    Sequence(Vec<Tensor>),
    /// An optional output that the model left out.
    Absent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_holds_its_shape_or_is_refused() {
        assert!(Tensor::new(vec![2, 2], vec![1.0_f32; 4]).is_ok());
        assert!(Tensor::new(vec![], vec![7_i64]).is_ok(), "a scalar");
        assert!(Tensor::new(vec![0, 3], Vec::<f32>::new()).is_ok(), "zero rows");
        let error = Tensor::new(vec![2, 3], vec![1.0_f32; 4]).unwrap_err().to_string();
        assert_eq!(error, "shape [2, 3] needs 6 elements, there are 4");
        assert!(matches!(Tensor::new(vec![usize::MAX, 2], vec![0_u8]), Err(TensorError::TooLarge { .. })));
    }

    #[test]
    fn dtypes_have_one_name_each() {
        let mut names: Vec<_> = DType::ALL.iter().map(|d| d.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DType::ALL.len());
        assert!(DType::BF16.is_float() && DType::U64.is_integer() && !DType::Bool.is_integer());
    }
}
