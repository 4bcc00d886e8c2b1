//! The whole of an ONNX graph, numbers and all: what the other reader of this room skips is what this engine computes with.
//!
//! Field numbers are those of `onnx.proto`. Values that are in no operator of ours (subgraphs, sparse tensors) are skipped.

use prost::Message;

use crate::onnx::proto::EntryProto;

#[derive(Clone, PartialEq, Message)]
pub(super) struct FullModel {
    #[prost(message, optional, tag = "7")]
    pub(super) graph: Option<FullGraph>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FullGraph {
    #[prost(message, repeated, tag = "1")]
    pub(super) node: Vec<FullNode>,
    #[prost(message, repeated, tag = "5")]
    pub(super) initializer: Vec<FullTensor>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FullNode {
    #[prost(string, repeated, tag = "1")]
    pub(super) input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(super) output: Vec<String>,
    #[prost(string, optional, tag = "3")]
    pub(super) name: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(super) op_type: Option<String>,
    #[prost(message, repeated, tag = "5")]
    pub(super) attribute: Vec<FullAttribute>,
    #[prost(string, optional, tag = "7")]
    pub(super) domain: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FullAttribute {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(float, optional, tag = "2")]
    pub(super) f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    pub(super) i: Option<i64>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub(super) s: Option<Vec<u8>>,
    #[prost(message, optional, tag = "5")]
    pub(super) t: Option<FullTensor>,
    #[prost(float, repeated, tag = "7")]
    pub(super) floats: Vec<f32>,
    #[prost(int64, repeated, tag = "8")]
    pub(super) ints: Vec<i64>,
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub(super) strings: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FullTensor {
    #[prost(int64, repeated, tag = "1")]
    pub(super) dims: Vec<i64>,
    #[prost(int32, optional, tag = "2")]
    pub(super) data_type: Option<i32>,
    #[prost(float, repeated, tag = "4")]
    pub(super) float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    pub(super) int32_data: Vec<i32>,
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub(super) string_data: Vec<Vec<u8>>,
    #[prost(int64, repeated, tag = "7")]
    pub(super) int64_data: Vec<i64>,
    #[prost(string, optional, tag = "8")]
    pub(super) name: Option<String>,
    #[prost(bytes = "vec", optional, tag = "9")]
    pub(super) raw_data: Option<Vec<u8>>,
    #[prost(double, repeated, tag = "10")]
    pub(super) double_data: Vec<f64>,
    #[prost(message, repeated, tag = "13")]
    pub(super) external_data: Vec<EntryProto>,
    #[prost(int32, optional, tag = "14")]
    pub(super) data_location: Option<i32>,
}

impl FullNode {
    /// The domain; empty for the standard one, which has two spellings.
    pub(super) fn op_domain(&self) -> &str {
        match self.domain.as_deref().unwrap_or_default() {
            "ai.onnx" => "",
            domain => domain,
        }
    }

    /// The operator's name without its domain.
    pub(super) fn op(&self) -> &str {
        self.op_type.as_deref().unwrap_or_default()
    }

    /// The node's name, or its first output's when it has none.
    pub(super) fn label(&self) -> &str {
        let name = self.name.as_deref().unwrap_or_default();
        if name.is_empty() { self.output.first().map_or("", String::as_str) } else { name }
    }
}
