//! Rows and answers as they travel to either side: the binary form of the KServe V2 protocol, in which every number keeps its
//! bits. The runtime speaks it to clients; the script that asks an original reads and writes the same.

use modelet_core::{DType, Data, Signature, Tensor};
use modelet_model::rows::Inputs;
use serde::Deserialize;
use serde_json::json;

/// JSON, and behind it the raw bytes of the tensors that it lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The JSON, on one line.
    pub json: Vec<u8>,
    /// The bytes.
    pub tail: Vec<u8>,
    /// What is asked about, in words: `tokens [64, 17]`.
    pub inputs: String,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answers {
    /// By output.
    pub outputs: Vec<(String, Tensor)>,
    /// The rows that were refused, in ascending order; the outputs have no rows for them.
    pub refused: Vec<Refusal>,
    /// What answered, with its version.
    pub versions: Vec<(String, String)>,
}

/// A row that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Refusal {
    /// Its number.
    pub row: usize,
    /// What was said about it.
    pub said: String,
}

/// What came back to a call of the converted model.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Its answers.
    Answered(Answers),
    /// It says what is wrong with the rows, or what it cannot compute of them.
    Refused(String),
}

/// Programs that an answer may name.
const MAX_VERSIONS: usize = 16;
/// Of a text that comes from elsewhere, so much is kept.
const MAX_TEXT_CHARS: usize = 300;

/// Text that comes from elsewhere, as it may stand in a card and a message: short, and nothing that moves a terminal's cursor.
pub(crate) fn plain(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
    plain.take(MAX_TEXT_CHARS).collect()
}

#[derive(Deserialize)]
struct Head {
    outputs: Vec<Output>,
    #[serde(default)]
    refused: Vec<Refusal>,
    #[serde(default)]
    versions: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Output {
    name: String,
    datatype: String,
    shape: Vec<usize>,
    parameters: Parameters,
}

#[derive(Deserialize)]
struct Parameters {
    binary_data_size: usize,
}

impl Message {
    /// A request for outputs.
    pub fn request(inputs: &Inputs, outputs: &[String]) -> Self {
        Self::asking(inputs, outputs, json!({}))
    }

    /// … of an original, which is told in which inputs the empty text stands for a missing one, and how many rows a call has,
    /// where it may have no others.
    pub fn question(
        inputs: &Inputs,
        outputs: &[String],
        signature: &Signature,
        rows_of_a_call: Option<usize>,
    ) -> Self {
        let missing = signature.inputs.iter().filter(|input| input.has_missing_texts());
        let missing: Vec<_> = missing.map(|input| &input.name).collect();
        Self::asking(inputs, outputs, json!({"missing_texts": missing, "rows_of_a_call": rows_of_a_call}))
    }

    /// `json` with the inputs and the outputs.
    fn asking(inputs: &Inputs, outputs: &[String], mut json: serde_json::Value) -> Self {
        let mut tail = Vec::new();
        let mut listed = Vec::new();
        for (name, tensor) in inputs {
            let start = tail.len();
            append(tensor.data(), &mut tail);
            listed.push(json!({
                "name": name, "datatype": datatype(tensor.dtype()), "shape": tensor.shape(),
                "parameters": {"binary_data_size": tail.len() - start},
            }));
        }
        let asked: Vec<_> =
            outputs.iter().map(|name| json!({"name": name, "parameters": {"binary_data": true}})).collect();
        json["inputs"] = listed.into();
        json["outputs"] = asked.into();
        let shapes = inputs.iter().map(|(name, tensor)| format!("{name} {:?}", tensor.shape()));
        let inputs = shapes.collect::<Vec<_>>().join(", ");
        Self { json: json.to_string().into_bytes(), tail, inputs }
    }

    /// As one text: the JSON, a line end, the bytes. Several follow one another.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&*self.json, b"\n", &*self.tail].concat()
    }
}

impl Answers {
    /// Reads the JSON and the bytes behind it.
    ///
    /// # Errors
    /// What makes no sense in them.
    pub fn read(json: &[u8], tail: &[u8]) -> Result<Self, String> {
        Self::begin(json, tail).map(|(answers, _)| answers)
    }

    /// Reads several, each as [`Message::to_bytes`] writes.
    ///
    /// # Errors
    /// What makes no sense in them.
    pub fn read_all(mut bytes: &[u8]) -> Result<Vec<Self>, String> {
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("no line of JSON")?;
            let (answers, rest) = Self::begin(&bytes[..end], &bytes[end + 1..])?;
            all.push(answers);
            bytes = rest;
        }
        Ok(all)
    }

    /// The answers that bytes begin with, and what is behind them.
    fn begin<'a>(json: &[u8], tail: &'a [u8]) -> Result<(Self, &'a [u8]), String> {
        let head: Head = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let mut rest = tail;
        let mut outputs = Vec::new();
        for output in head.outputs {
            let size = output.parameters.binary_data_size;
            let (own, behind) = rest.split_at_checked(size).ok_or("fewer bytes than it says")?;
            rest = behind;
            let data = data(&output.datatype, own)?;
            outputs.push((output.name, Tensor::new(output.shape, data).map_err(|error| error.to_string())?));
        }
        let mut refused = head.refused;
        refused.sort_by_key(|refusal| refusal.row);
        refused.dedup_by_key(|refusal| refusal.row);
        refused.iter_mut().for_each(|refusal| refusal.said = plain(&refusal.said));
        let versions = head.versions.iter().take(MAX_VERSIONS);
        let answers = Self {
            outputs,
            refused,
            versions: versions.map(|(name, version)| (plain(name), plain(version))).collect(),
        };
        Ok((answers, rest))
    }
}

const DATATYPES: &[(DType, &str)] = &[
    (DType::Bool, "BOOL"),
    (DType::I8, "INT8"),
    (DType::I16, "INT16"),
    (DType::I32, "INT32"),
    (DType::I64, "INT64"),
    (DType::U8, "UINT8"),
    (DType::U16, "UINT16"),
    (DType::U32, "UINT32"),
    (DType::U64, "UINT64"),
    (DType::F16, "FP16"),
    (DType::BF16, "BF16"),
    (DType::F32, "FP32"),
    (DType::F64, "FP64"),
    (DType::Str, "BYTES"),
];

fn datatype(dtype: DType) -> &'static str {
    DATATYPES.iter().find(|(own, _)| *own == dtype).map_or("", |(_, name)| name)
}

fn append(data: &Data, to: &mut Vec<u8>) {
    macro_rules! bytes {
        ($numbers:expr) => {
            to.extend($numbers.iter().flat_map(|number| number.to_le_bytes()))
        };
    }
    match data {
        Data::Bool(v) => to.extend(v.iter().map(|flag| u8::from(*flag))),
        Data::I8(v) => bytes!(v),
        Data::I16(v) => bytes!(v),
        Data::I32(v) => bytes!(v),
        Data::I64(v) => bytes!(v),
        Data::U8(v) => bytes!(v),
        Data::U16(v) => bytes!(v),
        Data::U32(v) => bytes!(v),
        Data::U64(v) => bytes!(v),
        Data::F16(v) => bytes!(v),
        Data::BF16(v) => bytes!(v),
        Data::F32(v) => bytes!(v),
        Data::F64(v) => bytes!(v),
        Data::Str(texts) => {
            for text in texts {
                // A text of 4 GiB is far beyond what a body may have.
                to.extend((text.len() as u32).to_le_bytes());
                to.extend(text.as_bytes());
            }
        }
    }
}

fn data(datatype: &str, bytes: &[u8]) -> Result<Data, String> {
    macro_rules! numbers {
        ($ty:ty) => {{
            let (numbers, rest) = bytes.as_chunks::<{ size_of::<$ty>() }>();
            if !rest.is_empty() {
                return Err("bytes that end within a number".to_owned());
            }
            numbers.iter().map(|number| <$ty>::from_le_bytes(*number)).collect::<Vec<_>>().into()
        }};
    }
    Ok(match datatype {
        "BOOL" => Data::Bool(bytes.iter().map(|byte| *byte != 0).collect()),
        "INT8" => numbers!(i8),
        "INT16" => numbers!(i16),
        "INT32" => numbers!(i32),
        "INT64" => numbers!(i64),
        "UINT8" => numbers!(u8),
        "UINT16" => numbers!(u16),
        "UINT32" => numbers!(u32),
        "UINT64" => numbers!(u64),
        "FP32" => numbers!(f32),
        "FP64" => numbers!(f64),
        "BYTES" => Data::Str(texts(bytes)?),
        other => return Err(format!("numbers of the type {other:?}")),
    })
}

fn texts(mut bytes: &[u8]) -> Result<Vec<String>, String> {
    let mut texts = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        let (own, behind) = rest.split_at_checked(length).ok_or("a text that is cut")?;
        texts.push(String::from_utf8_lossy(own).into_owned());
        bytes = behind;
    }
    if bytes.is_empty() { Ok(texts) } else { Err("a text that is cut".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_keeps_its_bits() {
        for data in [
            Data::from(vec![1.5_f32, f32::NAN, -0.0]),
            vec![f64::MAX, 5e-324].into(),
            vec![i64::MIN, i64::MAX].into(),
            vec![u64::MAX].into(),
            vec![-1_i8].into(),
            vec![true, false].into(),
            vec!["Grüße".to_owned(), String::new()].into(),
        ] {
            let tensor = Tensor::vector(data);
            let sent = Message::request(&vec![("x".into(), tensor.clone())], &[]);
            let json = String::from_utf8(sent.json)
                .unwrap()
                .replacen("outputs", "asked", 1)
                .replacen("inputs", "outputs", 1);
            let found = Answers::read(json.as_bytes(), &sent.tail).unwrap();
            assert_eq!(format!("{:?}", found.outputs), format!("{:?}", [("x", tensor)]));
        }
    }

    /// The line of an answer of one output of one value.
    fn one_answer(datatype: &str, size: usize) -> String {
        format!(
            r#"{{"outputs": [{{"name": "y", "datatype": "{datatype}", "shape": [1], "parameters": {{"binary_data_size": {size}}}}}]}}"#
        )
    }

    #[test]
    fn nonsense_is_an_error() {
        for (json, tail) in [
            (one_answer("FP32", 4), &b"abc"[..]),
            (one_answer("FP32", 3), b"abc"),
            (one_answer("BYTES", 5), b"\x09\0\0\0a"),
            (one_answer("FP32", 8), b"12345678"),
            (one_answer("FP99", 4), b"1234"),
            ("[]".to_owned(), b""),
        ] {
            assert!(Answers::read(json.as_bytes(), tail).is_err(), "{json}");
        }
        assert!(Answers::read_all(b"no end").is_err());
    }

    #[test]
    fn several_answers_follow_one_another() {
        let one = one_answer("FP32", 4).into_bytes();
        let two = [&one, &b"\nabcd"[..], &one, &b"\nefgh"[..]].concat();
        let found = Answers::read_all(&two).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].outputs[0].1.data(), &Data::F32(vec![f32::from_le_bytes(*b"efgh")]));
        assert!(Answers::read_all(&two[..two.len() - 1]).is_err(), "the second is cut");
        assert!(Answers::read_all(b"").unwrap().is_empty());
    }

    #[test]
    fn what_an_original_says_of_itself_is_kept_within_bounds() {
        let versions = vec![("a\u{1b}[2J".to_owned(), "1".repeat(10_000)); 100];
        let refused = [3, 1, 3].map(|row| json!({"row": row, "said": "\u{7}"}));
        let json = json!({"outputs": [], "refused": refused, "versions": versions});
        let found = Answers::read(json.to_string().as_bytes(), b"").unwrap();
        let refused = [1, 3].map(|row| Refusal { row, said: "\u{fffd}".to_owned() });
        assert_eq!((found.refused, found.versions.len()), (refused.into(), MAX_VERSIONS));
        assert_eq!(found.versions[0].0, "a\u{fffd}[2J");
        assert_eq!(found.versions[0].1.len(), MAX_TEXT_CHARS);
    }
}
