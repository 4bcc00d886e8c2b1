//! The answers of `/fn/NAME`: JSON whole or row by row, CSV, npy.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use modelet_core::manifest::NonFinite;
use modelet_core::{Code, Data, FunctionError, OutputKind, Signature, Tensor, Value};

use super::forms::Form;
use super::ranked;
use crate::csv_text::write_cell;
use crate::json::{Writer, non_finite};
use crate::limit::response_too_large;
use crate::protocol::{Answer, FunctionContext, response};
use crate::text::{listed, quoted};
use crate::{media, npy};

/// How one request wants to be answered.
#[derive(Debug)]
pub(super) struct FnReply {
    /// One of the content types that are answered.
    pub(super) accept: &'static str,
    pub(super) form: Form,
}

type Outputs = Vec<(String, Value)>;

impl FnReply {
    /// Refuses before the model runs what could not be answered after it: npy holds one array.
    pub(super) fn check(&self, asked: Option<&[String]>, signature: &Signature) -> Result<(), FunctionError> {
        let all: Vec<&str> = match asked {
            Some(asked) => asked.iter().map(String::as_str).collect(),
            None => signature.outputs.iter().map(|spec| spec.name.as_str()).collect(),
        };
        if self.accept != media::NPY {
            return Ok(());
        }
        if all.len() > 1 {
            let message = format!(
                "npy holds one array, and there are {} outputs: {}",
                all.len(),
                listed(all.iter().copied())
            );
            return Err(not_acceptable(message).hint(format!("choose one with ?output={}", all[0])));
        }
        let sequence = |name: &str| {
            signature.output(name).is_some_and(|spec| matches!(spec.kind, OutputKind::Sequence { .. }))
        };
        match all.iter().find(|name| sequence(name)) {
            Some(name) => Err(not_acceptable(format!(
                "the output {} is a sequence, which npy cannot hold",
                quoted(name)
            ))),
            None => Ok(()),
        }
    }
}

impl Answer for FnReply {
    fn encode(&self, outputs: Outputs, ctx: &FunctionContext) -> Result<Response<Bytes>, FunctionError> {
        match (self.accept, self.form) {
            (media::NPY, _) => npy_answer(outputs, ctx),
            (media::CSV, _) => csv_answer(&outputs, ctx).map(|csv| response(StatusCode::OK, media::CSV, csv)),
            (_, Form::Outputs) => json_answer(&outputs, ctx, whole),
            (_, Form::Predictions) => json_answer(&outputs, ctx, predictions),
            (_, Form::Rows) => {
                let mut writer = Writer::new(ctx.response_limit_bytes, ctx.non_finite);
                by_row(&mut writer, &outputs, ctx)?;
                writer.raw("\n");
                Ok(response(StatusCode::OK, media::JSON, writer.finish()?))
            }
        }
    }
}

fn not_acceptable(message: impl Into<String>) -> FunctionError {
    FunctionError::new(Code::NotAcceptable, message)
}

fn json_answer(
    outputs: &Outputs,
    ctx: &FunctionContext,
    body: fn(&mut Writer, &Outputs, &FunctionContext) -> Result<(), FunctionError>,
) -> Result<Response<Bytes>, FunctionError> {
    let mut writer = Writer::new(ctx.response_limit_bytes, ctx.non_finite);
    writer.raw("{");
    body(&mut writer, outputs, ctx)?;
    let classes: Vec<_> =
        outputs.iter().filter_map(|(name, v)| Some((name, unsaid_classes(name, v, ctx)?))).collect();
    for (at, (name, names)) in classes.iter().enumerate() {
        writer.raw(if at == 0 { ",\"classes\":{" } else { "," });
        writer.key(name);
        writer.nested(name, names)?;
    }
    writer.raw(if classes.is_empty() { "}\n" } else { "}}\n" });
    Ok(response(StatusCode::OK, media::JSON, writer.finish()?))
}

/// `"outputs":{name: nested lists}`
fn whole(writer: &mut Writer, outputs: &Outputs, ctx: &FunctionContext) -> Result<(), FunctionError> {
    writer.raw("\"outputs\":{");
    for (at, (name, value)) in outputs.iter().enumerate() {
        writer.comma(at);
        writer.key(name);
        match value {
            Value::Tensor(tensor) if ranked::ranking(ctx.signature.output(name), tensor).is_some() => {
                writer.raw("[");
                for row in 0..row_count(value).unwrap_or(0) {
                    writer.comma(row);
                    one_row(writer, name, value, row, ctx)?;
                }
                writer.raw("]");
            }
            Value::Tensor(tensor) | Value::Map { values: tensor, .. } => writer.nested(name, tensor)?,
            Value::Absent => writer.raw("null"),
            Value::Sequence(tensors) => {
                writer.raw("[");
                for (at, tensor) in tensors.iter().enumerate() {
                    writer.comma(at);
                    writer.nested(name, tensor)?;
                }
                writer.raw("]");
            }
        }
    }
    writer.raw("}");
    Ok(())
}

/// `"predictions":[row, …]`
fn predictions(writer: &mut Writer, outputs: &Outputs, ctx: &FunctionContext) -> Result<(), FunctionError> {
    writer.raw("\"predictions\":");
    by_row(writer, outputs, ctx)
}

/// `[row, …]`: the row itself of a lone output, an object by name of several.
fn by_row(writer: &mut Writer, outputs: &Outputs, ctx: &FunctionContext) -> Result<(), FunctionError> {
    let rows = outputs.first().map_or(0, |(_, value)| row_count(value).unwrap_or(0));
    if let Some((name, _)) = outputs.iter().find(|(_, value)| row_count(value) != Some(rows)) {
        return Err(FunctionError::new(
            Code::PredictionFailed,
            format!("the output {} does not have one element a row, so it cannot be answered row by row", quoted(name)),
        )
        .hint("send {\"inputs\": …} instead of {\"instances\": …}, or choose among the outputs with \"outputs\""));
    }
    writer.raw("[");
    for row in 0..rows {
        writer.comma(row);
        match outputs.as_slice() {
            [(name, value)] => one_row(writer, name, value, row, ctx)?,
            several => {
                writer.raw("{");
                for (at, (name, value)) in several.iter().enumerate() {
                    writer.comma(at);
                    writer.key(name);
                    one_row(writer, name, value, row, ctx)?;
                }
                writer.raw("}");
            }
        }
    }
    writer.raw("]");
    Ok(())
}

fn one_row(
    writer: &mut Writer,
    name: &str,
    value: &Value,
    row: usize,
    ctx: &FunctionContext,
) -> Result<(), FunctionError> {
    if let Value::Tensor(tensor) = value
        && let Some(ranking) = ranked::ranking(ctx.signature.output(name), tensor)
    {
        return ranked::write(writer, name, ranking, tensor, row);
    }
    match value {
        Value::Tensor(tensor) | Value::Map { values: tensor, .. } => writer.row(name, tensor, row),
        Value::Sequence(tensors) => writer.nested(name, &tensors[row]),
        Value::Absent => Ok(()),
    }
}

fn row_count(value: &Value) -> Option<usize> {
    match value {
        // One map alone is no batch.
        Value::Map { values, .. } if values.shape().len() < 2 => None,
        Value::Tensor(tensor) | Value::Map { values: tensor, .. } => tensor.shape().first().copied(),
        Value::Sequence(tensors) => Some(tensors.len()),
        Value::Absent => None,
    }
}

/// The class names along an output's last axis, where they are known.
fn classes(name: &str, value: &Value, ctx: &FunctionContext) -> Option<Tensor> {
    match value {
        Value::Map { keys, .. } => Some(keys.clone()),
        _ => ctx.signature.output(name)?.classes.clone().map(Tensor::vector),
    }
}

/// Those that the answer does not have already, where it lists them.
fn unsaid_classes(name: &str, value: &Value, ctx: &FunctionContext) -> Option<Tensor> {
    let is_listed = matches!(value, Value::Tensor(tensor) if ranked::ranking(ctx.signature.output(name), tensor).is_some());
    if is_listed { None } else { classes(name, value, ctx) }
}

fn npy_answer(outputs: Outputs, ctx: &FunctionContext) -> Result<Response<Bytes>, FunctionError> {
    let mut outputs = outputs.into_iter();
    let (Some((name, Value::Tensor(tensor) | Value::Map { values: tensor, .. })), None) =
        (outputs.next(), outputs.next())
    else {
        return Err(not_acceptable("npy holds one array, and the answer is not one").hint("ask for JSON"));
    };
    if npy::size_bytes(&tensor) > ctx.response_limit_bytes {
        return Err(response_too_large(ctx.response_limit_bytes));
    }
    let mut answer = response(StatusCode::OK, media::NPY, npy::write(&tensor));
    // A name that no header can hold is left out.
    if let Ok(name) = HeaderValue::from_str(&name) {
        answer.headers_mut().insert("x-modelet-output", name);
    }
    Ok(answer)
}

/// One column of a CSV answer: the elements `first`, `first + step`, … of a tensor.
struct Column<'a> {
    title: String,
    output: &'a str,
    data: &'a Data,
    first: usize,
    step: usize,
}

fn csv_answer(outputs: &Outputs, ctx: &FunctionContext) -> Result<Vec<u8>, FunctionError> {
    let mut columns = Vec::new();
    let mut rows = None;
    for (name, value) in outputs {
        let (count, more) = columns_of(name, value, ctx)?;
        if *rows.get_or_insert(count) != count {
            return Err(not_acceptable(
                "CSV has one row a line, and the outputs differ in their number of rows",
            )
            .hint("choose one with ?output=NAME, or ask for JSON"));
        }
        columns.extend(more);
    }
    let mut csv = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        csv.extend((at > 0).then_some(b','));
        write_cell(&mut csv, &column.title);
    }
    csv.push(b'\n');
    for row in 0..rows.unwrap_or(0) {
        for (at, column) in columns.iter().enumerate() {
            csv.extend((at > 0).then_some(b','));
            cell(&mut csv, column, column.first + row * column.step, ctx.non_finite)?;
        }
        csv.push(b'\n');
        if csv.len() as u64 > ctx.response_limit_bytes {
            return Err(response_too_large(ctx.response_limit_bytes));
        }
    }
    Ok(csv)
}

/// The rows and columns that an output becomes.
fn columns_of<'a>(
    name: &'a str,
    value: &'a Value,
    ctx: &FunctionContext,
) -> Result<(usize, Vec<Column<'a>>), FunctionError> {
    let (Value::Tensor(tensor) | Value::Map { values: tensor, .. }) = value else {
        return Err(not_acceptable(format!("the output {} is no table, so it cannot be CSV", quoted(name))));
    };
    let lone_map = matches!(value, Value::Map { .. }) && tensor.shape().len() == 1;
    let (rows, width) = match tensor.shape() {
        [] => (1, None),
        [width] if lone_map => (1, Some(*width)),
        [rows] => (*rows, None),
        [rows, width] => (*rows, Some(*width)),
        shape => {
            let message =
                format!("the output {} has shape {shape:?}, and CSV holds two dimensions", quoted(name));
            return Err(not_acceptable(message).hint("ask for JSON or npy"));
        }
    };
    let classes = classes(name, value, ctx);
    let title = |at: usize| match classes.as_ref().map(Tensor::data) {
        Some(Data::Str(names)) if names.len() == width.unwrap_or(0) => format!("{name}.{}", names[at]),
        Some(Data::I64(names)) if names.len() == width.unwrap_or(0) => format!("{name}.{}", names[at]),
        _ => format!("{name}.{at}"),
    };
    let column = |title: String, first: usize| Column {
        title,
        output: name,
        data: tensor.data(),
        first,
        step: width.unwrap_or(1),
    };
    Ok(match width {
        None => (rows, vec![column(name.to_owned(), 0)]),
        Some(width) => (rows, (0..width).map(|at| column(title(at), at)).collect()),
    })
}

/// One cell. A missing value is an empty cell, as it is in a CSV request.
fn cell(csv: &mut Vec<u8>, column: &Column<'_>, at: usize, policy: NonFinite) -> Result<(), FunctionError> {
    let float = match column.data {
        Data::F16(v) => v[at].to_f64(),
        Data::BF16(v) => v[at].to_f64(),
        Data::F32(v) => v[at].into(),
        Data::F64(v) => v[at],
        _ => 0.0,
    };
    match policy {
        NonFinite::Error if !float.is_finite() => return Err(non_finite(column.output, at, float)),
        NonFinite::Null if float.is_nan() => return Ok(()),
        _ => {}
    }
    let text = match column.data {
        Data::Str(v) => {
            write_cell(csv, &v[at]);
            return Ok(());
        }
        Data::Bool(v) => v[at].to_string(),
        Data::I8(v) => v[at].to_string(),
        Data::I16(v) => v[at].to_string(),
        Data::I32(v) => v[at].to_string(),
        Data::I64(v) => v[at].to_string(),
        Data::U8(v) => v[at].to_string(),
        Data::U16(v) => v[at].to_string(),
        Data::U32(v) => v[at].to_string(),
        Data::U64(v) => v[at].to_string(),
        Data::F16(v) => format!("{:?}", v[at].to_f32()),
        Data::BF16(v) => format!("{:?}", v[at].to_f32()),
        Data::F32(v) => format!("{:?}", v[at]),
        Data::F64(v) => format!("{:?}", v[at]),
    };
    csv.extend_from_slice(text.as_bytes());
    Ok(())
}
