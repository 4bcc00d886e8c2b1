//! A V2 inference request to tensors.

use std::collections::HashSet;

use modelet_core::{Data, FunctionError, InputSpec, Signature, Tensor, base64};

use super::response::{V2Output, V2Reply};
use super::{DATATYPES, JSON_LENGTH_HEADER, datatype};
use crate::Inputs;
use crate::cast::Scalar;
use crate::elements::{Order, from_bytes};
use crate::json::{self, Json, index_text};
use crate::limit::check_texts;
use crate::protocol::Request;
use crate::text::{listed, nearest, quoted};

/// A request, read.
pub(super) struct Read {
    pub(super) inputs: Inputs,
    pub(super) outputs: Option<Vec<String>>,
    pub(super) reply: V2Reply,
}

type Pairs = Vec<(String, Json)>;

/// Reads the whole body: JSON, and perhaps raw tensors behind it.
pub(super) fn read(request: &Request<'_>, signature: &Signature) -> Result<Read, FunctionError> {
    let (text, mut tail) = split(request)?;
    let pairs = object(json::parse(text)?, "body")?;
    let mut read = Read { inputs: Vec::new(), outputs: None, reply: V2Reply::default() };
    let (mut given, mut asked) = (None, Vec::new());
    for (key, value) in pairs {
        match key.as_str() {
            "id" => read.reply.id = Some(string(&value, "id")?),
            "inputs" => given = Some(list(value, "inputs")?),
            "outputs" => asked = list(value, "outputs")?,
            "parameters" => {
                read.reply.binary = flag(&object(value, "parameters")?, "binary_data_output", "parameters")?;
            }
            _ => {
                let expected = "inputs, outputs, id and parameters only";
                return Err(FunctionError::bad_input("body", expected, format!("the key {}", quoted(&key))));
            }
        }
    }
    let given = given.ok_or_else(|| FunctionError::bad_input("inputs", "a list of inputs", "none"))?;
    read.inputs = inputs(given, &mut tail, signature)?;
    if !tail.rest.is_empty() {
        let found = format!("{} bytes more behind the last input", tail.rest.len());
        return Err(FunctionError::bad_input("body", "as many raw bytes as binary_data_size says", found));
    }
    // No list, or an empty one, asks for all.
    if !asked.is_empty() {
        read.reply.outputs = asked
            .into_iter()
            .enumerate()
            .map(|(at, output)| asked_output(output, at, read.reply.binary))
            .collect::<Result<_, _>>()?;
        let names: Vec<String> = read.reply.outputs.iter().map(|output| output.name.clone()).collect();
        let mut seen = HashSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(FunctionError::bad_input(
                "outputs",
                "each output once",
                format!("{} again", quoted(twice)),
            ));
        }
        read.outputs = Some(names);
    }
    Ok(read)
}

/// The raw bytes behind the JSON, as far as they are not used up.
pub(super) struct Tail<'a> {
    rest: &'a [u8],
    /// Whether the request said that there are any.
    announced: bool,
}

impl Tail<'_> {
    pub(super) fn none() -> Self {
        Self { rest: &[], announced: false }
    }
}

fn split<'a>(request: &'a Request<'_>) -> Result<(&'a [u8], Tail<'a>), FunctionError> {
    let body = &request.body[..];
    let Some(length) = request.headers.get(JSON_LENGTH_HEADER) else { return Ok((body, Tail::none())) };
    let length = length.to_str().ok().and_then(|text| text.trim().parse::<usize>().ok());
    let parts = length.and_then(|length| body.split_at_checked(length));
    let (json, rest) = parts.ok_or_else(|| {
        FunctionError::bad_input(
            "Inference-Header-Content-Length",
            format!("the length of the JSON, at most the {} bytes of the body", body.len()),
            length.map_or_else(|| "no number".to_owned(), |length| length.to_string()),
        )
    })?;
    Ok((json, Tail { rest, announced: true }))
}

/// The inputs of a request, in the model's order.
pub(super) fn inputs(
    list: Vec<Json>,
    tail: &mut Tail<'_>,
    signature: &Signature,
) -> Result<Inputs, FunctionError> {
    let mut given: Vec<Option<Tensor>> = signature.inputs.iter().map(|_| None).collect();
    // One tensor for a model with one input can only mean that one, whatever the client calls it.
    let any_name = signature.inputs.len() == 1 && list.len() == 1;
    for (at, json) in list.into_iter().enumerate() {
        let place = format!("inputs{}", index_text(&[at]));
        let input = Input::parse(object(json, &place)?, place)?;
        if !any_name && signature.ignored().any(|name| name == input.name) {
            input.skip(tail)?;
            continue;
        }
        let known = || signature.inputs.iter().map(|spec| spec.name.as_str());
        let Some(index) = known().position(|name| any_name || name == input.name) else {
            let found = format!("the unknown input {}", quoted(&input.name));
            let place = format!("{}.name", input.place);
            let mut error = FunctionError::bad_input(place, format!("one of {}", listed(known())), found);
            error.hint = nearest(known(), &input.name).map(|near| format!("did you mean {}?", quoted(near)));
            return Err(error);
        };
        if given[index].is_some() {
            return Err(FunctionError::bad_input(
                input.place,
                "each input once",
                format!("{} again", quoted(&input.name)),
            ));
        }
        given[index] = Some(input.tensor(&signature.inputs[index], tail)?);
    }
    let mut inputs = Vec::with_capacity(given.len());
    for (spec, tensor) in signature.inputs.iter().zip(given) {
        match tensor {
            Some(tensor) => inputs.push((spec.name.clone(), tensor)),
            None if spec.optional => {}
            None => {
                let expected = format!(
                    "the input {} ({}, {})",
                    quoted(&spec.name),
                    datatype(spec.dtype),
                    spec.shape_text()
                );
                return Err(FunctionError::bad_input("inputs", expected, "it is missing"));
            }
        }
    }
    Ok(inputs)
}

/// One input as the request states it.
struct Input {
    place: String,
    name: String,
    shape: Vec<usize>,
    datatype: String,
    data: Option<Json>,
    binary_bytes: Option<usize>,
}

impl Input {
    fn parse(pairs: Pairs, place: String) -> Result<Self, FunctionError> {
        let at = |key: &str| format!("{place}.{key}");
        let (mut name, mut shape, mut datatype, mut data, mut binary_bytes) = (None, None, None, None, None);
        for (key, value) in pairs {
            match key.as_str() {
                "name" => name = Some(string(&value, &at("name"))?),
                "shape" => shape = Some(sizes(&value, &at("shape"))?),
                "datatype" => datatype = Some(string(&value, &at("datatype"))?),
                "data" => data = Some(value),
                "parameters" => {
                    binary_bytes = binary_size(&object(value, &at("parameters"))?, &at("parameters"))?;
                }
                _ => {
                    let expected = "name, shape, datatype, data and parameters only";
                    return Err(FunctionError::bad_input(
                        &place,
                        expected,
                        format!("the key {}", quoted(&key)),
                    ));
                }
            }
        }
        let missing = |key: &str| FunctionError::bad_input(at(key), format!("a {key}"), "none");
        Ok(Self {
            name: name.ok_or_else(|| missing("name"))?,
            shape: shape.ok_or_else(|| missing("shape"))?,
            datatype: datatype.ok_or_else(|| missing("datatype"))?,
            data,
            binary_bytes,
            place,
        })
    }

    /// Leaves it out, with the bytes that it has behind the JSON.
    fn skip(self, tail: &mut Tail<'_>) -> Result<(), FunctionError> {
        let Some(bytes) = self.binary_bytes else { return Ok(()) };
        raw_of(tail, bytes, &format!("{}.parameters.binary_data_size", self.place)).map(drop)
    }

    fn tensor(self, spec: &InputSpec, tail: &mut Tail<'_>) -> Result<Tensor, FunctionError> {
        let at = |key: &str| format!("{}.{key}", self.place);
        if self.datatype != datatype(spec.dtype) {
            let known = DATATYPES.iter().any(|(_, name)| *name == self.datatype);
            let found = if known {
                self.datatype.clone()
            } else {
                format!("the unknown datatype {}", quoted(&self.datatype))
            };
            return Err(FunctionError::bad_input(at("datatype"), datatype(spec.dtype), found));
        }
        if !spec.accepts_shape(&self.shape) {
            return Err(FunctionError::bad_input(
                at("shape"),
                spec.shape_text(),
                format!("{:?}", self.shape),
            ));
        }
        let count = self.shape.iter().try_fold(1_usize, |n, dim| n.checked_mul(*dim)).ok_or_else(|| {
            FunctionError::bad_input(at("shape"), "a shape that fits in memory", format!("{:?}", self.shape))
        })?;
        match (self.data, self.binary_bytes) {
            (Some(_), Some(_)) => {
                Err(FunctionError::bad_input(&self.place, "data or binary_data_size", "both"))
            }
            (None, None) => {
                Err(FunctionError::bad_input(format!("{}.data", self.place), "a list of values", "none"))
            }
            (Some(json), None) => from_json(&json, &self.shape, count, spec, &format!("{}.data", self.place)),
            (None, Some(bytes)) => {
                let place = format!("{}.parameters.binary_data_size", self.place);
                let data = from_tail(tail, bytes, count, spec, &place)?;
                Tensor::new(self.shape, data)
                    .map_err(|e| FunctionError::bad_input(place, "a full tensor", e.to_string()))
            }
        }
    }
}

/// `data`, flat or nested as the shape says.
fn from_json(
    json: &Json,
    shape: &[usize],
    count: usize,
    spec: &InputSpec,
    place: &str,
) -> Result<Tensor, FunctionError> {
    if json.list_len().is_none() {
        return Err(FunctionError::bad_input(place, "a list of values", json.what())
            .hint("send data as a list, even for one value: [\"abc\"]"));
    }
    let tensor = json::tensor_for(json, spec).map_err(|m| {
        let mut error = FunctionError::bad_input(
            format!("{place}{}", index_text(&m.indices)),
            m.misfit.expected,
            m.misfit.found,
        );
        error.hint = m.misfit.hint.map(str::to_owned);
        error
    })?;
    let written = tensor.shape().to_vec();
    if written != shape && written != [count] {
        let expected = format!("{count} values in one list, or in lists of shape {shape:?}");
        let found = match written.as_slice() {
            [n] => format!("{n} values"),
            _ => format!("lists of shape {written:?}"),
        };
        return Err(FunctionError::bad_input(place, expected, found));
    }
    tensor
        .reshape(shape.to_vec())
        .map_err(|error| FunctionError::bad_input(place, "a full tensor", error.to_string()))
}

/// The next raw bytes behind the JSON.
fn raw_of<'a>(tail: &mut Tail<'a>, bytes: usize, place: &str) -> Result<&'a [u8], FunctionError> {
    if !tail.announced {
        return Err(FunctionError::bad_input(
            "Inference-Header-Content-Length",
            "the length of the JSON, because an input has a binary_data_size",
            "no such header",
        ));
    }
    let (raw, rest) = tail.rest.split_at_checked(bytes).ok_or_else(|| {
        FunctionError::bad_input(
            place,
            format!("at most the {} bytes that follow", tail.rest.len()),
            bytes.to_string(),
        )
    })?;
    tail.rest = rest;
    Ok(raw)
}

/// The next raw tensor behind the JSON.
fn from_tail(
    tail: &mut Tail<'_>,
    bytes: usize,
    count: usize,
    spec: &InputSpec,
    place: &str,
) -> Result<Data, FunctionError> {
    let raw = raw_of(tail, bytes, place)?;
    match spec.dtype.size_bytes() {
        Some(size) if count.checked_mul(size) != Some(bytes) => Err(FunctionError::bad_input(
            place,
            format!("{count} values of {size} bytes"),
            format!("{bytes} bytes"),
        )),
        Some(_) => from_bytes(spec.dtype, raw, Order::Little)
            .ok_or_else(|| FunctionError::bad_input(place, "bool bytes of 0 or 1", "another value")),
        None => texts(raw, count, spec.file.is_some(), place),
    }
}

/// BYTES: each element a length of 4 bytes, then that many bytes: a text, or a file as it is.
fn texts(mut raw: &[u8], count: usize, are_files: bool, place: &str) -> Result<Data, FunctionError> {
    check_texts(count)?;
    let bad = |found: String| {
        FunctionError::bad_input(place, format!("{count} texts, each a length of 4 bytes and UTF-8"), found)
    };
    let mut texts = Vec::with_capacity(count.min(raw.len() / 4));
    while let Some((length, rest)) = raw.split_first_chunk::<4>() {
        let at = texts.len();
        let (text, rest) = rest
            .split_at_checked(u32::from_le_bytes(*length) as usize)
            .ok_or_else(|| bad(format!("an end within text {at}")))?;
        texts.push(match are_files {
            true => base64::encode(text),
            false => {
                std::str::from_utf8(text).map_err(|_| bad(format!("other bytes in text {at}")))?.to_owned()
            }
        });
        raw = rest;
    }
    match (texts.len() == count, raw) {
        (true, []) => Ok(Data::Str(texts)),
        _ => Err(bad(format!("{} texts and {} bytes more", texts.len(), raw.len()))),
    }
}

fn asked_output(json: Json, at: usize, binary: bool) -> Result<V2Output, FunctionError> {
    let place = format!("outputs{}", index_text(&[at]));
    let mut output = V2Output { name: String::new(), binary };
    for (key, value) in object(json, &place)? {
        match key.as_str() {
            "name" => output.name = string(&value, &format!("{place}.name"))?,
            "parameters" => {
                let place = format!("{place}.parameters");
                let parameters = object(value, &place)?;
                if parameters.iter().any(|(key, _)| key == "classification") {
                    let found = "classification, which is not offered here";
                    return Err(FunctionError::bad_input(place, "binary_data only", found));
                }
                if parameters.iter().any(|(key, _)| key == "binary_data") {
                    output.binary = flag(&parameters, "binary_data", &place)?;
                }
            }
            _ => {
                let found = format!("the key {}", quoted(&key));
                return Err(FunctionError::bad_input(place, "name and parameters only", found));
            }
        }
    }
    Ok(output)
}

fn object(json: Json, place: &str) -> Result<Pairs, FunctionError> {
    match json {
        Json::Object(pairs) => Ok(pairs),
        other => Err(FunctionError::bad_input(place, "an object", other.what())),
    }
}

fn list(json: Json, place: &str) -> Result<Vec<Json>, FunctionError> {
    let what = json.what();
    json.into_list().ok_or_else(|| FunctionError::bad_input(place, "a list", what))
}

fn string(json: &Json, place: &str) -> Result<String, FunctionError> {
    match json {
        Json::Text(text) => Ok(text.clone()),
        other => Err(FunctionError::bad_input(place, "a text", other.what())),
    }
}

/// A shape: whole numbers, none below zero.
fn sizes(json: &Json, place: &str) -> Result<Vec<usize>, FunctionError> {
    let Json::Dense(dense) = json else {
        return Err(FunctionError::bad_input(place, "a list of sizes", json.what()));
    };
    if dense.shape.len() != 1 {
        return Err(FunctionError::bad_input(place, "a flat list of sizes", json.what()));
    }
    let size = |at: usize| {
        let number = dense.numbers.get(at);
        number.whole().and_then(|n| usize::try_from(n).ok()).ok_or_else(|| {
            let place = format!("{place}{}", index_text(&[at]));
            FunctionError::bad_input(place, "a size of 0 or more", Scalar::Number(number).what())
        })
    };
    (0..dense.numbers.len()).map(size).collect()
}

fn flag(parameters: &Pairs, name: &str, place: &str) -> Result<bool, FunctionError> {
    match parameters.iter().find(|(key, _)| key == name) {
        None => Ok(false),
        Some((_, Json::Bool(value))) => Ok(*value),
        Some((_, other)) => {
            Err(FunctionError::bad_input(format!("{place}.{name}"), "true or false", other.what()))
        }
    }
}

fn binary_size(parameters: &Pairs, place: &str) -> Result<Option<usize>, FunctionError> {
    let Some((_, value)) = parameters.iter().find(|(key, _)| key == "binary_data_size") else {
        return Ok(None);
    };
    let size = match value {
        Json::Number(number) => number.whole().and_then(|n| usize::try_from(n).ok()),
        _ => None,
    };
    let place = || format!("{place}.binary_data_size");
    size.map(Some).ok_or_else(|| FunctionError::bad_input(place(), "a number of bytes", value.what()))
}
