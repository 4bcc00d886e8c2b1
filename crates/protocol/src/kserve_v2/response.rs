//! What a model answered to a V2 inference response.

use bytes::Bytes;
use http::{Response, StatusCode};
use modelet_core::{Code, DType, Data, FunctionError, Tensor, Value};

use super::{JSON_LENGTH_HEADER, datatype};
use crate::elements::to_bytes;
use crate::json::Writer;
use crate::limit::response_too_large;
use crate::media;
use crate::protocol::{Answer, FunctionContext, response};
use crate::text::quoted;

/// How one request wants to be answered.
#[derive(Debug, Default)]
pub(super) struct V2Reply {
    pub(super) id: Option<String>,
    /// Whether tensors go out as raw bytes when an output does not say.
    pub(super) binary: bool,
    /// The outputs asked for; empty for all.
    pub(super) outputs: Vec<V2Output>,
}

/// One output asked for.
#[derive(Debug)]
pub(super) struct V2Output {
    pub(super) name: String,
    /// Whether it goes out as raw bytes behind the JSON.
    pub(super) binary: bool,
}

impl Answer for V2Reply {
    fn encode(
        &self,
        outputs: Vec<(String, Value)>,
        ctx: &FunctionContext,
    ) -> Result<Response<Bytes>, FunctionError> {
        let mut json = Writer::new(ctx.response_limit_bytes, ctx.non_finite);
        let mut tail = Vec::new();
        json.raw("{");
        if let Some(id) = &self.id {
            json.key("id");
            json.value(id);
            json.raw(",");
        }
        json.key("model_name");
        json.value(&ctx.name.as_str());
        json.raw(",\"model_version\":");
        json.value(&ctx.version.to_string());
        json.raw(",\"outputs\":[");
        let mut written = 0;
        for (name, value) in outputs {
            let Some((tensor, classes)) = plain(&name, value, ctx)? else { continue };
            json.comma(written);
            written += 1;
            self.output(&mut json, &mut tail, &name, &tensor, classes)?;
            if tail.len() as u64 > ctx.response_limit_bytes {
                return Err(response_too_large(ctx.response_limit_bytes));
            }
        }
        json.raw("]}");
        let json = json.finish()?;
        if (json.len() + tail.len()) as u64 > ctx.response_limit_bytes {
            return Err(response_too_large(ctx.response_limit_bytes));
        }
        if tail.is_empty() && !self.binary && !self.outputs.iter().any(|output| output.binary) {
            return Ok(response(StatusCode::OK, media::JSON, json));
        }
        let length = json.len();
        let mut answer = response(StatusCode::OK, media::OCTETS, [json, tail].concat());
        answer.headers_mut().insert(JSON_LENGTH_HEADER, length.into());
        Ok(answer)
    }
}

impl V2Reply {
    fn output(
        &self,
        json: &mut Writer,
        tail: &mut Vec<u8>,
        name: &str,
        tensor: &Tensor,
        classes: Option<String>,
    ) -> Result<(), FunctionError> {
        let binary = self.outputs.iter().find(|o| o.name == name).map_or(self.binary, |output| output.binary);
        let start = tail.len();
        if binary {
            append(tensor.data(), tail);
        }
        json.raw("{\"name\":");
        json.value(&name);
        json.raw(",\"datatype\":");
        json.value(&datatype(tensor.dtype()));
        json.raw(",\"shape\":");
        json.value(&tensor.shape());
        let mut parameters = serde_json::Map::new();
        parameters.extend(classes.map(|names| ("classes".to_owned(), names.into())));
        parameters.extend(binary.then(|| ("binary_data_size".to_owned(), (tail.len() - start).into())));
        if !parameters.is_empty() {
            json.raw(",\"parameters\":");
            json.value(&parameters);
        }
        if !binary {
            json.raw(",\"data\":");
            json.flat(name, tensor)?;
        }
        json.raw("}");
        Ok(())
    }
}

/// A value as the one tensor that V2 can carry, and its class names as a JSON list; `None` for an output left out.
fn plain(
    name: &str,
    value: Value,
    ctx: &FunctionContext,
) -> Result<Option<(Tensor, Option<String>)>, FunctionError> {
    let names = ctx.signature.output(name).and_then(|spec| spec.classes.as_ref());
    let known = names.and_then(|names| serde_json::to_string(names).ok());
    match value {
        Value::Tensor(tensor) => Ok(Some((tensor, known))),
        Value::Map { keys, values } => {
            let mut list = Writer::new(ctx.response_limit_bytes, ctx.non_finite);
            list.flat(name, &keys)?;
            Ok(Some((values, String::from_utf8(list.finish()?).ok())))
        }
        Value::Sequence(tensors) => stacked(name, &tensors).map(|tensor| Some((tensor, known))),
        Value::Absent => Ok(None),
    }
}

/// A sequence whose members have one shape, as one tensor with the members along a new first axis.
fn stacked(name: &str, tensors: &[Tensor]) -> Result<Tensor, FunctionError> {
    let inner = tensors.first().map(|t| t.shape().to_vec()).unwrap_or_default();
    let mut data = Data::empty(tensors.first().map_or(DType::F32, Tensor::dtype));
    let alike = tensors.iter().all(|tensor| tensor.shape() == inner && data.append(tensor.data()));
    let stacked = Tensor::new([vec![tensors.len()], inner].concat(), data);
    stacked.ok().filter(|_| alike).ok_or_else(|| {
        FunctionError::new(
            Code::NotAcceptable,
            format!(
                "the output {} is a sequence of tensors of different shapes, which V2 cannot carry",
                quoted(name)
            ),
        )
        .hint("ask for other outputs, or call the function at /fn")
    })
}

/// Raw elements; BYTES as a length of 4 bytes before each text.
fn append(data: &Data, tail: &mut Vec<u8>) {
    match data {
        Data::Str(texts) => {
            for text in texts {
                let text = text.as_bytes();
                let text = &text[..text.len().min(u32::MAX as usize)];
                tail.extend_from_slice(&(text.len() as u32).to_le_bytes());
                tail.extend_from_slice(text);
            }
        }
        data => to_bytes(data, tail),
    }
}
