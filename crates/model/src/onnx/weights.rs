//! Moves the weights of a model into a file beside it.
//!
//! Engines map such a file into memory: pages are read as they are needed, and all instances on a machine share them. Weights
//! inside the model file are copied by each instance, and twice while it loads. The numbers stay what they are, byte for byte.

use super::wire::{Field, Fields, put, put_varint};

/// Smaller tensors stay inside: engines look into them while they load (shapes, axes), and there is little to share.
const MIN_TENSOR_BYTES: usize = 16 << 10;
/// Models with fewer bytes of larger tensors stay as they are: one file is simpler.
pub const MIN_TOTAL_BYTES: usize = 4 << 20;
/// Tensors start at pages, so that one can be mapped without its neighbours.
const PAGE_BYTES: usize = 4 << 10;

// Fields of the messages in onnx.proto.
const MODEL_GRAPH: u32 = 7;
const GRAPH_INITIALIZER: u32 = 5;
const TENSOR_RAW_DATA: u32 = 9;
const TENSOR_EXTERNAL_DATA: u32 = 13;
const TENSOR_DATA_LOCATION: u32 = 14;
const ENTRY_KEY: u32 = 1;
const ENTRY_VALUE: u32 = 2;
/// `TensorProto.DataLocation.EXTERNAL`
const EXTERNAL: u64 = 1;

/// A model file without its large weights, and the file with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Separated {
    /// The model's bytes.
    pub model: Vec<u8>,
    /// The weights' bytes.
    pub weights: Vec<u8>,
}

/// Separates a model from its weights; `None` when there are too few for it to be worth it, or the bytes are not a model. The
/// model will look for them in the file `weights_name` in its own folder.
pub fn separate(model: &[u8], weights_name: &str) -> Option<Separated> {
    let graph = fields(model)?.into_iter().find(|field| field.number == MODEL_GRAPH)?;
    let initializers = fields(graph.content)?.into_iter().filter(|field| field.number == GRAPH_INITIALIZER);
    let large: usize = initializers.filter_map(|tensor| Some(large_data(tensor.content)?.len())).sum();
    if large < MIN_TOTAL_BYTES {
        return None;
    }
    let mut weights = Vec::with_capacity(large + large / 16);
    let graph = replace(graph.content, GRAPH_INITIALIZER, |tensor| {
        let data = large_data(tensor)?;
        weights.resize(weights.len().next_multiple_of(PAGE_BYTES), 0);
        let offset = weights.len();
        weights.extend_from_slice(data);
        refer(tensor, weights_name, offset, data.len())
    })?;
    let model = replace(model, MODEL_GRAPH, |_| Some(graph.clone()))?;
    Some(Separated { model, weights })
}

fn fields(message: &[u8]) -> Option<Vec<Field<'_>>> {
    Fields(message).collect()
}

/// The numbers of a tensor that is large enough; `None` too when they lie elsewhere or are written in another way.
fn large_data(tensor: &[u8]) -> Option<&[u8]> {
    let fields = fields(tensor)?;
    let external =
        fields.iter().any(|field| matches!(field.number, TENSOR_EXTERNAL_DATA | TENSOR_DATA_LOCATION));
    let data = fields.iter().find(|field| field.number == TENSOR_RAW_DATA)?.content;
    (!external && data.len() >= MIN_TENSOR_BYTES).then_some(data)
}

/// The message with the content of each field of this number replaced, where `content` gives another.
fn replace(
    message: &[u8],
    number: u32,
    mut content: impl FnMut(&[u8]) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let mut written = Vec::new();
    for field in fields(message)? {
        match (field.number == number).then(|| content(field.content)).flatten() {
            Some(content) => put(&mut written, number, &content),
            None => written.extend_from_slice(field.whole),
        }
    }
    Some(written)
}

/// The tensor with its numbers replaced by where they are.
fn refer(tensor: &[u8], file: &str, offset: usize, length: usize) -> Option<Vec<u8>> {
    let mut written = Vec::new();
    for field in fields(tensor)?.iter().filter(|field| field.number != TENSOR_RAW_DATA) {
        written.extend_from_slice(field.whole);
    }
    for (key, value) in [("location", file), ("offset", &offset.to_string()), ("length", &length.to_string())]
    {
        let mut entry = Vec::new();
        put(&mut entry, ENTRY_KEY, key.as_bytes());
        put(&mut entry, ENTRY_VALUE, value.as_bytes());
        put(&mut written, TENSOR_EXTERNAL_DATA, &entry);
    }
    put_varint(&mut written, u64::from(TENSOR_DATA_LOCATION) << 3);
    put_varint(&mut written, EXTERNAL);
    Some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(fields: &[(u32, &[u8])]) -> Vec<u8> {
        let mut message = Vec::new();
        for (number, content) in fields {
            put(&mut message, *number, content);
        }
        message
    }

    /// Two large tensors, one small one, and fields that nobody here knows.
    fn model() -> Vec<u8> {
        let tensor = |name: &str, byte: u8, length: usize| {
            message(&[(8, name.as_bytes()), (TENSOR_RAW_DATA, &vec![byte; length]), (77, b"unknown")])
        };
        let (one, small, two) =
            (tensor("one", 1, 3 << 20), tensor("small", 2, 8), tensor("two", 3, (1 << 20) + 5));
        let graph = message(&[(1, b"node"), (5, &one), (5, &small), (5, &two), (11, b"input")]);
        message(&[(2, b"producer"), (MODEL_GRAPH, &graph), (14, b"metadata")])
    }

    #[test]
    fn large_tensors_move_and_all_else_stays() {
        let Separated { model, weights } = separate(&model(), "w.data").unwrap();
        assert!(model.len() < 1_000, "{}", model.len());
        assert_eq!(weights.len(), (3 << 20) + (1 << 20) + 5, "the first ends at a page");
        assert_eq!((weights[0], weights[3 << 20]), (1, 3));
        let graph = fields(&model).unwrap().into_iter().find(|f| f.number == MODEL_GRAPH).unwrap().content;
        let numbers: Vec<_> = fields(graph).unwrap().iter().map(|f| f.number).collect();
        assert_eq!(numbers, [1, 5, 5, 5, 11]);
        let text = String::from_utf8_lossy(&model);
        assert!(text.contains("small") && text.contains("unknown") && text.contains("3145728"), "{text}");
        assert!(separate(&model, "w.data").is_none(), "nothing is left to move");
    }

    #[test]
    fn small_models_and_other_bytes_stay_as_they_are() {
        assert_eq!(separate(b"", "w"), None);
        assert_eq!(separate(b"\x3a\x05abc", "w"), None);
        assert_eq!(separate(&model()[..1_000], "w"), None);
        let graph = message(&[(5, &message(&[(TENSOR_RAW_DATA, &[0; 1 << 20])]))]);
        assert_eq!(separate(&message(&[(MODEL_GRAPH, &graph)]), "w"), None);
    }
}
