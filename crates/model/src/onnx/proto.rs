//! The part of ONNX's protobuf messages that we read; whatever is not listed here is skipped over, weights above all.
//!
//! Field numbers are those of `onnx.proto`. The messages are never written.

use prost::DecodeError;
use prost::Message;
use prost::bytes::{Buf, BufMut};
use prost::encoding::{self, DecodeContext, WireType, skip_field};

/// A file.
#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    #[prost(int64, optional, tag = "1")]
    pub ir_version: Option<i64>,
    #[prost(string, optional, tag = "2")]
    pub producer_name: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub producer_version: Option<String>,
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OpsetProto>,
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<EntryProto>,
    #[prost(message, repeated, tag = "25")]
    pub functions: Vec<FunctionProto>,
}

/// A version of one domain of operators.
#[derive(Clone, PartialEq, Message)]
pub struct OpsetProto {
    #[prost(string, optional, tag = "1")]
    pub domain: Option<String>,
    #[prost(int64, optional, tag = "2")]
    pub version: Option<i64>,
}

/// A key with a value.
#[derive(Clone, PartialEq, Message)]
pub struct EntryProto {
    #[prost(string, optional, tag = "1")]
    pub key: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub value: Option<String>,
}

/// An operator that the model defines out of others.
#[derive(Clone, PartialEq, Message)]
pub struct FunctionProto {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    #[prost(message, repeated, tag = "7")]
    pub node: Vec<NodeProto>,
    #[prost(string, optional, tag = "10")]
    pub domain: Option<String>,
}

/// A graph, or a subgraph (the body of a loop, a branch).
#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "13")]
    pub value_info: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "15")]
    pub sparse_initializer: Vec<SparseTensorProto>,
}

/// One operation of a graph.
#[derive(Clone, PartialEq, Message)]
pub struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    #[prost(string, optional, tag = "3")]
    pub name: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub op_type: Option<String>,
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
    #[prost(string, optional, tag = "7")]
    pub domain: Option<String>,
}

/// An input or an output of a graph.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfoProto {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
}

/// The type of a value; at most one field is set.
#[derive(Clone, PartialEq, Message)]
pub struct TypeProto {
    #[prost(message, optional, tag = "1")]
    pub tensor: Option<TensorTypeProto>,
    #[prost(message, optional, boxed, tag = "4")]
    pub sequence: Option<Box<ElementTypeProto>>,
    #[prost(message, optional, boxed, tag = "5")]
    pub map: Option<Box<MapTypeProto>>,
    #[prost(message, optional, tag = "8")]
    pub sparse_tensor: Option<TensorTypeProto>,
    #[prost(message, optional, boxed, tag = "9")]
    pub optional: Option<Box<ElementTypeProto>>,
}

/// The type of a dense tensor.
#[derive(Clone, PartialEq, Message)]
pub struct TensorTypeProto {
    #[prost(int32, optional, tag = "1")]
    pub elem_type: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<ShapeProto>,
}

/// What a sequence or an optional holds.
#[derive(Clone, PartialEq, Message)]
pub struct ElementTypeProto {
    #[prost(message, optional, boxed, tag = "1")]
    pub elem_type: Option<Box<TypeProto>>,
}

/// The type of a map.
#[derive(Clone, PartialEq, Message)]
pub struct MapTypeProto {
    #[prost(int32, optional, tag = "1")]
    pub key_type: Option<i32>,
    #[prost(message, optional, boxed, tag = "2")]
    pub value_type: Option<Box<TypeProto>>,
}

/// A shape.
#[derive(Clone, PartialEq, Message)]
pub struct ShapeProto {
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<DimProto>,
}

/// One dimension: a number, a name, or neither.
#[derive(Clone, PartialEq, Message)]
pub struct DimProto {
    #[prost(int64, optional, tag = "1")]
    pub value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    pub name: Option<String>,
}

/// A sparse tensor: two dense ones.
#[derive(Clone, PartialEq, Message)]
pub struct SparseTensorProto {
    #[prost(message, optional, tag = "1")]
    pub values: Option<TensorProto>,
    #[prost(message, optional, tag = "2")]
    pub indices: Option<TensorProto>,
}

/// What [`TensorProto`] takes by derivation; the numbers in it are taken by hand.
#[derive(Clone, PartialEq, Message)]
pub struct TensorHead {
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    #[prost(int32, optional, tag = "2")]
    pub data_type: Option<i32>,
    #[prost(string, optional, tag = "8")]
    pub name: Option<String>,
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<EntryProto>,
    #[prost(int32, optional, tag = "14")]
    pub data_location: Option<i32>,
}

/// A constant, without its weights. Lists of int64 (axes, indices, sizes) are kept and so are a few floats (scales), since
/// the meaning of a graph hangs on them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct TensorProto {
    /// Everything but the numbers.
    pub head: TensorHead,
    /// The numbers of an int64 tensor that lie in the file.
    pub integers: Vec<i64>,
    /// The numbers of a float32 tensor that lie in the file, if they are few.
    pub floats: Vec<f32>,
}

/// Bytes of float32 numbers that are still few: the scales of a tensor of 8 dimensions.
const FEW_FLOATS_BYTES: usize = 32;

/// `TensorProto.DataType.FLOAT`.
pub const FLOAT: i32 = 1;

/// `TensorProto.DataType.INT64`.
pub const INT64: i32 = 7;
/// `TensorProto.DataLocation.EXTERNAL`.
pub const EXTERNAL: i32 = 1;

impl Message for TensorProto {
    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        const FLOAT_DATA: u32 = 4;
        const INT64_DATA: u32 = 7;
        const RAW_DATA: u32 = 9;
        // Writers put fields in the order of their numbers, so the type is known here; were it not, the list stays
        // empty, which readers of it take as unknown.
        match (tag, self.head.data_type) {
            (INT64_DATA, _) => encoding::int64::merge_repeated(wire_type, &mut self.integers, buf, ctx),
            (RAW_DATA, Some(INT64)) => {
                let mut raw = Vec::new();
                encoding::bytes::merge(wire_type, &mut raw, buf, ctx)?;
                let numbers = raw.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes));
                self.integers.extend(numbers);
                Ok(())
            }
            (RAW_DATA, Some(FLOAT)) if self.len() * size_of::<f32>() <= FEW_FLOATS_BYTES => {
                let mut raw = Vec::new();
                encoding::bytes::merge(wire_type, &mut raw, buf, ctx)?;
                let numbers = raw.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
                self.floats.extend(numbers);
                Ok(())
            }
            (FLOAT_DATA, _) if self.len() * size_of::<f32>() <= FEW_FLOATS_BYTES => {
                encoding::float::merge_repeated(wire_type, &mut self.floats, buf, ctx)
            }
            _ => self.head.merge_field(tag, wire_type, buf, ctx),
        }
    }

    fn encode_raw(&self, _: &mut impl BufMut) {}

    fn encoded_len(&self) -> usize {
        0
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// What [`AttributeProto`] takes by derivation.
#[derive(Clone, PartialEq, Message)]
pub struct AttributeHead {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub s: Option<Vec<u8>>,
    #[prost(message, optional, tag = "5")]
    pub t: Option<TensorProto>,
    #[prost(message, optional, tag = "6")]
    pub g: Option<GraphProto>,
    #[prost(message, repeated, tag = "10")]
    pub tensors: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    pub graphs: Vec<GraphProto>,
}

/// A setting of a node. Of its lists only those are kept that say what a model takes and gives, or on which a rule of an
/// engine hangs: a tree ensemble has a million numbers in the others.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct AttributeProto {
    /// Everything but lists of numbers and texts.
    pub head: AttributeHead,
    /// A list of integers.
    pub ints: Vec<i64>,
    /// A list of texts, which should be UTF-8.
    pub strings: Vec<Vec<u8>>,
}

impl AttributeProto {
    fn list_matters(&self) -> bool {
        let name = self.head.name.as_deref().unwrap_or_default();
        const KEPT: &[&str] = &[
            "cats_",
            "keys_",
            "classlabels_",
            "value_",
            "kernel_shape",
            "strides",
            "dilations",
            "pads",
            "tree_roots",
            "nodes_true",
            "nodes_false",
        ];
        KEPT.iter().any(|start| name.starts_with(start))
    }
}

impl Message for AttributeProto {
    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        const INTS: u32 = 8;
        const STRINGS: u32 = 9;
        match tag {
            INTS | STRINGS if !self.list_matters() => skip_field(wire_type, tag, buf, ctx),
            INTS => encoding::int64::merge_repeated(wire_type, &mut self.ints, buf, ctx),
            STRINGS => encoding::bytes::merge_repeated(wire_type, &mut self.strings, buf, ctx),
            _ => self.head.merge_field(tag, wire_type, buf, ctx),
        }
    }

    fn encode_raw(&self, _: &mut impl BufMut) {}

    fn encoded_len(&self) -> usize {
        0
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

impl NodeProto {
    /// The operator's name without its domain.
    pub fn op(&self) -> &str {
        self.op_type.as_deref().unwrap_or_default()
    }

    /// The domain; empty for the standard one, which has two spellings.
    pub fn op_domain(&self) -> &str {
        match self.domain.as_deref().unwrap_or_default() {
            "ai.onnx" => "",
            domain => domain,
        }
    }

    /// The node's name, or its first output's when it has none: how a user finds it in a viewer.
    pub fn label(&self) -> &str {
        let name = self.name.as_deref().unwrap_or_default();
        if name.is_empty() { self.output.first().map_or("", String::as_str) } else { name }
    }

    /// A setting by name.
    pub fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.attribute.iter().find(|attribute| attribute.head.name.as_deref() == Some(name))
    }

    /// An integer setting by name.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.attribute(name).and_then(|attribute| attribute.head.i)
    }

    /// A text setting by name.
    pub fn text(&self, name: &str) -> Option<&str> {
        let bytes = self.attribute(name)?.head.s.as_deref()?;
        std::str::from_utf8(bytes).ok()
    }

    /// The subgraphs of the node.
    pub fn graphs(&self) -> impl Iterator<Item = &GraphProto> {
        self.attribute.iter().flat_map(|attribute| attribute.head.g.iter().chain(&attribute.head.graphs))
    }
}

impl TensorProto {
    /// The name of an initializer.
    pub fn name(&self) -> &str {
        self.head.name.as_deref().unwrap_or_default()
    }

    /// `TensorProto.DataType`; 0 when the file does not say.
    pub fn data_type(&self) -> i32 {
        self.head.data_type.unwrap_or_default()
    }

    /// The number of elements that the shape asks for.
    pub fn len(&self) -> usize {
        let sizes = self.head.dims.iter().map(|dim| usize::try_from(*dim).unwrap_or_default());
        sizes.fold(1, usize::saturating_mul)
    }

    /// True when the numbers lie in another file.
    pub fn is_external(&self) -> bool {
        self.head.data_location == Some(EXTERNAL)
    }
}
