//! Writes ONNX files: what importers make of other formats. Field numbers are those of `onnx.proto`.

mod parts;

use std::collections::{HashMap, HashSet};

use modelet_core::{DType, Data, Dim, Tensor};
use prost::Message;

/// The file format, and the versions of the operators that are written: old enough for many readers, and with
/// `ai.onnx.ml.TreeEnsemble`, which knows float64, missing values and sets of categories.
const IR_VERSION: i64 = 10;
const OPSETS: &[(&str, i64)] = &[("", 18), (ML, 5)];

/// The domain of classical models.
pub const ML: &str = "ai.onnx.ml";

/// The domain of operators that ONNX Runtime has beside the standard, and the version of them.
pub const MORE: &str = "com.microsoft";
const MORE_VERSION: i64 = 1;

/// The domain of operators of our own, which only the engine `tabular` computes, and the version of them.
pub const OWN: &str = "modelet";
const OWN_VERSION: i64 = 1;

/// A graph that is being written. Names are the caller's; nothing is checked but that types can be written.
#[derive(Debug, Default)]
pub struct GraphWriter {
    graph: GraphProto,
    metadata: Vec<EntryProto>,
    /// What was put in of other graphs, in bytes.
    held_bytes: usize,
    /// What inputs are called within the graph, and by clients.
    columns: Vec<(String, String)>,
}

/// The value of an attribute.
#[derive(Debug)]
pub enum Attribute {
    /// A number.
    Int(i64),
    /// A text.
    Text(&'static str),
    /// A list of numbers.
    Ints(Vec<i64>),
    /// A list of texts.
    Texts(Vec<String>),
    /// A tensor.
    Tensor(Tensor),
}

impl GraphWriter {
    /// Adds an input of the graph.
    pub fn input(&mut self, name: &str, dtype: DType, shape: &[Dim]) {
        self.graph.input.push(value_info(name, dtype, shape));
    }

    /// Adds an input that clients call by a name of their own, which may be any: within the graph it is `reference`.
    pub fn column(&mut self, reference: &str, name: &str, dtype: DType) {
        self.input(reference, dtype, &[Dim::Named("rows".to_owned()), Dim::Fixed(1)]);
        self.columns.push((reference.to_owned(), name.to_owned()));
    }

    /// A name by which clients would call two columns, or a column and an output.
    pub fn name_given_twice(&self) -> Option<&str> {
        let mut given: HashSet<&str> =
            self.graph.output.iter().filter_map(|output| output.name.as_deref()).collect();
        self.columns.iter().map(|(_, name)| name.as_str()).find(|name| !given.insert(name))
    }

    /// Adds an output of the graph.
    pub fn output(&mut self, name: &str, dtype: DType, shape: &[Dim]) {
        self.graph.output.push(value_info(name, dtype, shape));
    }

    /// Adds a constant.
    pub fn constant(&mut self, name: &str, tensor: &Tensor) {
        self.graph.initializer.push(tensor_proto(Some(name), tensor));
    }

    /// Adds a node of a domain; the standard one is the empty text.
    pub fn node(
        &mut self,
        op: (&str, &str),
        inputs: &[&str],
        output: &str,
        attributes: Vec<(&str, Attribute)>,
    ) {
        self.node_of(op, inputs, &[output], attributes);
    }

    /// Adds a node with several outputs; its name is that of the first.
    pub fn node_of(
        &mut self,
        (domain, op): (&str, &str),
        inputs: &[&str],
        outputs: &[&str],
        attributes: Vec<(&str, Attribute)>,
    ) {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        self.graph.node.push(NodeProto {
            input: names(inputs),
            output: names(outputs),
            name: outputs.first().map(|&name| name.to_owned()),
            op_type: Some(op.to_owned()),
            attribute: attributes.into_iter().map(|(name, value)| attribute(name, value)).collect(),
            domain: (!domain.is_empty()).then(|| domain.to_owned()),
        });
    }

    /// Notes something for whoever reads the file.
    pub fn metadata(&mut self, key: &str, value: &str) {
        self.metadata.push(EntryProto { key: Some(key.to_owned()), value: Some(value.to_owned()) });
    }

    /// The file. The same graph gives the same bytes.
    pub fn into_file(mut self) -> Vec<u8> {
        self.graph.call_columns(&self.columns);
        let nodes = &self.graph.node;
        let is_used =
            |(domain, _): &&(&str, i64)| nodes.iter().any(|node| node.domain.as_deref() == Some(*domain));
        let more: Vec<_> =
            [(MORE, MORE_VERSION), (OWN, OWN_VERSION)].iter().filter(is_used).copied().collect();
        let opset = |(domain, version): &(&str, i64)| OpsetProto {
            domain: Some((*domain).to_owned()),
            version: Some(*version),
        };
        let model = ModelProto {
            ir_version: Some(IR_VERSION),
            producer_name: Some("modelet".to_owned()),
            graph: Some(GraphProto { name: Some("model".to_owned()), ..self.graph }),
            opset_import: OPSETS.iter().chain(&more).map(opset).collect(),
            metadata_props: self.metadata,
        };
        model.encode_to_vec()
    }
}

impl GraphProto {
    /// Gives inputs the names that clients use; what within the graph is called so gets another one.
    fn call_columns(&mut self, columns: &[(String, String)]) {
        let mut renamed: HashMap<&str, String> = HashMap::new();
        for (reference, name) in columns {
            renamed.insert(name, format!("{name} of the graph"));
            renamed.insert(reference, name.clone());
        }
        let rename = |name: &mut String| {
            if let Some(new) = renamed.get(name.as_str()) {
                name.clone_from(new);
            }
        };
        let nodes = self.node.iter_mut();
        nodes.flat_map(|node| node.input.iter_mut().chain(&mut node.output)).for_each(rename);
        self.initializer.iter_mut().filter_map(|tensor| tensor.name.as_mut()).for_each(rename);
        self.input.iter_mut().filter_map(|input| input.name.as_mut()).for_each(rename);
    }
}

fn attribute(name: &str, value: Attribute) -> AttributeProto {
    let named = AttributeProto { name: Some(name.to_owned()), ..AttributeProto::default() };
    // The numbers are those of `AttributeProto.AttributeType`.
    match value {
        Attribute::Int(i) => AttributeProto { i: Some(i), r#type: Some(2), ..named },
        Attribute::Text(text) => AttributeProto { s: Some(text.into()), r#type: Some(3), ..named },
        Attribute::Tensor(tensor) => {
            AttributeProto { t: Some(tensor_proto(None, &tensor)), r#type: Some(4), ..named }
        }
        Attribute::Ints(ints) => AttributeProto { ints, r#type: Some(7), ..named },
        Attribute::Texts(texts) => AttributeProto {
            strings: texts.into_iter().map(String::into_bytes).collect(),
            r#type: Some(8),
            ..named
        },
    }
}

fn value_info(name: &str, dtype: DType, shape: &[Dim]) -> ValueInfoProto {
    let dim = |dim: &Dim| match dim {
        Dim::Fixed(size) => DimProto { value: i64::try_from(*size).ok(), name: None },
        free => DimProto { value: None, name: free.name().map(str::to_owned) },
    };
    let shape = ShapeProto { dim: shape.iter().map(dim).collect() };
    let tensor = TensorTypeProto { elem_type: Some(number(dtype)), shape: Some(shape) };
    ValueInfoProto { name: Some(name.to_owned()), r#type: Some(TypeProto { tensor: Some(tensor) }) }
}

fn tensor_proto(name: Option<&str>, tensor: &Tensor) -> TensorProto {
    let mut proto = TensorProto {
        dims: tensor.shape().iter().map(|&size| i64::try_from(size).unwrap_or(i64::MAX)).collect(),
        data_type: Some(number(tensor.dtype())),
        name: name.map(str::to_owned),
        ..TensorProto::default()
    };
    match tensor.data() {
        Data::Str(texts) => proto.string_data = texts.iter().map(|text| text.clone().into_bytes()).collect(),
        numbers => proto.raw_data = Some(little_endian(numbers)),
    }
    proto
}

/// The bytes of numbers as ONNX has them: little-endian, packed.
fn little_endian(data: &Data) -> Vec<u8> {
    macro_rules! bytes {
        ($numbers:expr) => {
            $numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
        };
    }
    match data {
        Data::Bool(v) => v.iter().map(|&flag| u8::from(flag)).collect(),
        Data::I8(v) => bytes!(v),
        Data::I16(v) => bytes!(v),
        Data::I32(v) => bytes!(v),
        Data::I64(v) => bytes!(v),
        Data::U8(v) => v.clone(),
        Data::U16(v) => bytes!(v),
        Data::U32(v) => bytes!(v),
        Data::U64(v) => bytes!(v),
        Data::F16(v) => bytes!(v),
        Data::BF16(v) => bytes!(v),
        Data::F32(v) => bytes!(v),
        Data::F64(v) => bytes!(v),
        Data::Str(_) => Vec::new(),
    }
}

/// The number of an element type, as in `TensorProto.DataType`.
fn number(dtype: DType) -> i32 {
    match dtype {
        DType::F32 => 1,
        DType::U8 => 2,
        DType::I8 => 3,
        DType::U16 => 4,
        DType::I16 => 5,
        DType::I32 => 6,
        DType::I64 => 7,
        DType::Str => 8,
        DType::Bool => 9,
        DType::F16 => 10,
        DType::F64 => 11,
        DType::U32 => 12,
        DType::U64 => 13,
        DType::BF16 => 16,
    }
}

#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(int64, optional, tag = "1")]
    ir_version: Option<i64>,
    #[prost(string, optional, tag = "2")]
    producer_name: Option<String>,
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    opset_import: Vec<OpsetProto>,
    #[prost(message, repeated, tag = "14")]
    metadata_props: Vec<EntryProto>,
}

#[derive(Clone, PartialEq, Message)]
struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    node: Vec<NodeProto>,
    #[prost(string, optional, tag = "2")]
    name: Option<String>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<ValueInfoProto>,
}

#[derive(Clone, PartialEq, Message)]
struct AttributeProto {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(int64, optional, tag = "3")]
    i: Option<i64>,
    #[prost(bytes = "vec", optional, tag = "4")]
    s: Option<Vec<u8>>,
    #[prost(message, optional, tag = "5")]
    t: Option<TensorProto>,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    ints: Vec<i64>,
    #[prost(bytes = "vec", repeated, tag = "9")]
    strings: Vec<Vec<u8>>,
    #[prost(int32, optional, tag = "20")]
    r#type: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, optional, tag = "3")]
    name: Option<String>,
    #[prost(string, optional, tag = "4")]
    op_type: Option<String>,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<AttributeProto>,
    #[prost(string, optional, tag = "7")]
    domain: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, optional, tag = "2")]
    data_type: Option<i32>,
    #[prost(bytes = "vec", repeated, tag = "6")]
    string_data: Vec<Vec<u8>>,
    #[prost(string, optional, tag = "8")]
    name: Option<String>,
    #[prost(bytes = "vec", optional, tag = "9")]
    raw_data: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct ValueInfoProto {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(message, optional, tag = "2")]
    r#type: Option<TypeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TypeProto {
    #[prost(message, optional, tag = "1")]
    tensor: Option<TensorTypeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorTypeProto {
    #[prost(int32, optional, tag = "1")]
    elem_type: Option<i32>,
    #[prost(message, optional, tag = "2")]
    shape: Option<ShapeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct ShapeProto {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<DimProto>,
}

#[derive(Clone, PartialEq, Message)]
struct DimProto {
    #[prost(int64, optional, tag = "1")]
    value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    name: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct OpsetProto {
    #[prost(string, optional, tag = "1")]
    domain: Option<String>,
    #[prost(int64, optional, tag = "2")]
    version: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct EntryProto {
    #[prost(string, optional, tag = "1")]
    key: Option<String>,
    #[prost(string, optional, tag = "2")]
    value: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::summarize;

    #[test]
    fn a_column_may_be_called_as_a_value_of_the_graph() {
        let mut graph = GraphWriter::default();
        graph.column("column 0", "sums", DType::F64);
        graph.column("column 1", "age", DType::F64);
        graph.constant("age", &Tensor::vector(vec![1.0]));
        graph.node(("", "Add"), &["column 0", "age"], "sums", vec![]);
        graph.node(("", "Add"), &["sums", "column 1"], "y", vec![]);
        graph.output("y", DType::F64, &[Dim::Dynamic, Dim::Fixed(1)]);
        assert_eq!(graph.name_given_twice(), None);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        std::fs::write(&path, graph.into_file()).unwrap();
        let summary = summarize(&path).unwrap();
        let inputs: Vec<String> =
            summary.signature().unwrap().inputs.into_iter().map(|input| input.name).collect();
        assert_eq!(inputs, ["sums", "age"]);
        let nodes: Vec<_> =
            summary.graph.node.iter().map(|node| (&node.input[..], &node.output[0])).collect();
        let own = ["sums of the graph".to_owned(), "age of the graph".to_owned()];
        assert_eq!(nodes[0], (&["sums".to_owned(), own[1].clone()][..], &own[0]));
        assert_eq!(nodes[1], (&[own[0].clone(), "age".to_owned()][..], &"y".to_owned()));
    }

    #[test]
    fn a_name_stands_for_one_thing_to_clients() {
        for name in ["age", "y"] {
            let mut graph = GraphWriter::default();
            graph.column("column 0", "age", DType::F64);
            graph.output("y", DType::F64, &[Dim::Dynamic]);
            graph.column("column 1", name, DType::F64);
            assert_eq!(graph.name_given_twice(), Some(name));
        }
    }
}
