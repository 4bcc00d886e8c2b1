//! Valid requests for `POST /fn/NAME`, one for each content type that the function takes.

use modelet_core::manifest::NonFinite;
use modelet_core::{DType, Data, FileKind, FunctionName, InputSpec, Signature, Tensor, base64};

use crate::csv_text::write_cell;
use crate::elements::to_bytes;
use crate::json::Writer;
use crate::layout::positions;
use crate::protocol::ProtocolName;
use crate::sample::{Sample, python_lists, tensor};
use crate::{media, npy};

/// All samples, the simplest first.
pub(super) fn all(name: &FunctionName, signature: &Signature) -> Vec<Sample> {
    let sample = |content_type, body, python| Sample {
        protocol: ProtocolName::Fn,
        path: format!("/fn/{name}"),
        content_type,
        body,
        python,
    };
    let required: Vec<&InputSpec> = signature.inputs.iter().filter(|spec| !spec.optional).collect();
    // A function of optional inputs only is best shown with all of them.
    let shown = if required.is_empty() { signature.inputs.iter().collect() } else { required };
    let inputs: Vec<(&InputSpec, Tensor)> = shown.into_iter().map(|spec| (spec, tensor(spec))).collect();
    let table = table(&inputs, signature);
    let mut samples = Vec::new();
    if let Some(table) = &table {
        samples.extend(json_row(table).map(|body| sample(media::JSON, body, None)));
    }
    samples.extend(
        json_inputs(&inputs, signature)
            .map(|body| sample(media::JSON, body, Some(python_json(&inputs, signature)))),
    );
    if let Some(table) = &table {
        samples.push(sample(media::CSV, csv(table), None));
    }
    if let ([spec], [(_, tensor)]) = (signature.inputs.as_slice(), inputs.as_slice()) {
        let python = python_npy(tensor);
        match spec.dtype {
            DType::BF16 => {}
            DType::Str if spec.file.is_some() => {
                samples.extend(file(spec, tensor).map(|(kind, body)| sample(kind, body, None)));
            }
            DType::Str if tensor.len() == 1 => samples.push(sample(media::TEXT, text(tensor), None)),
            _ => samples.push(sample(media::NPY, npy::write(tensor), Some(python))),
        }
        if spec.dtype != DType::Str && !tensor.is_empty() {
            let mut raw = Vec::new();
            to_bytes(tensor.data(), &mut raw);
            samples.push(sample(media::OCTETS, raw, Some(python_raw(tensor))));
        }
    }
    samples
}

/// The cells of one row, each with its name; without names where the columns have none.
type Row = Vec<(Option<String>, Tensor)>;

/// The row of a function that reads as a table, or has one input of rows.
fn table(inputs: &[(&InputSpec, Tensor)], signature: &Signature) -> Option<Row> {
    let named = positions(signature).is_some();
    let lone_rows = signature.inputs.len() == 1 && inputs.iter().all(|(_, t)| t.shape().len() == 2);
    if !named && !lone_rows {
        return None;
    }
    let mut row = Vec::new();
    for (spec, tensor) in inputs {
        // A model of fixed size may have more than one row, or none.
        if tensor.shape().first() != Some(&1) {
            return None;
        }
        for at in 0..tensor.len() {
            let name = match &spec.columns {
                Some(columns) => Some(columns.get(at)?.clone()),
                None => named.then(|| spec.name.clone()),
            };
            row.push((name, Tensor::new(vec![], tensor.data().slice(at..at + 1)).ok()?));
        }
    }
    (!row.is_empty()).then_some(row)
}

fn writer() -> Writer {
    Writer::new(u64::MAX, NonFinite::Null)
}

/// `{"age": 0.5, "plan": "pro"}`; nothing where columns have no names, or are called like the envelope.
fn json_row(row: &Row) -> Option<Vec<u8>> {
    let mut json = writer();
    json.raw("{");
    for (at, (name, cell)) in row.iter().enumerate() {
        let name = name.as_deref().filter(|name| !super::forms::is_envelope_word(name))?;
        if at > 0 {
            json.raw(", ");
        }
        json.value(&name);
        json.raw(": ");
        json.nested(name, cell).ok()?;
    }
    json.raw("}");
    json.finish().ok()
}

/// `{"inputs": [[…]]}`, by name where there are several.
fn json_inputs(inputs: &[(&InputSpec, Tensor)], signature: &Signature) -> Option<Vec<u8>> {
    let mut json = writer();
    json.raw("{\"inputs\": ");
    match (signature.inputs.len(), inputs) {
        (1, [(spec, tensor)]) => json.nested(&spec.name, tensor).ok()?,
        _ => {
            json.raw("{");
            for (at, (spec, tensor)) in inputs.iter().enumerate() {
                json.raw(if at == 0 { "" } else { ", " });
                json.value(&spec.name);
                json.raw(": ");
                json.nested(&spec.name, tensor).ok()?;
            }
            json.raw("}");
        }
    }
    json.raw("}");
    json.finish().ok()
}

fn csv(row: &Row) -> Vec<u8> {
    let mut csv = Vec::new();
    if row.iter().all(|(name, _)| name.is_some()) {
        for (at, (name, _)) in row.iter().enumerate() {
            csv.extend((at > 0).then_some(b','));
            write_cell(&mut csv, name.as_deref().unwrap_or_default());
        }
        csv.push(b'\n');
    }
    for (at, (_, cell)) in row.iter().enumerate() {
        csv.extend((at > 0).then_some(b','));
        write_cell(&mut csv, &element(cell));
    }
    csv.push(b'\n');
    csv
}

/// A file as it is, and its content type.
fn file(spec: &InputSpec, tensor: &Tensor) -> Option<(&'static str, Vec<u8>)> {
    let bytes = base64::decode(&element(tensor)).ok().filter(|_| tensor.len() == 1)?;
    match spec.file? {
        FileKind::Image => Some((media::PNG, bytes)),
        FileKind::Audio => Some((media::WAV, bytes)),
    }
}

fn text(tensor: &Tensor) -> Vec<u8> {
    element(tensor).into_bytes()
}

/// The first element, as JSON without quotes.
fn element(tensor: &Tensor) -> String {
    if let Data::Str(texts) = tensor.data() {
        return texts.first().cloned().unwrap_or_default();
    }
    let mut json = writer();
    let first = Tensor::new(vec![], tensor.data().slice(0..tensor.len().min(1)));
    let written = first.ok().and_then(|first| json.nested("", &first).ok()).and_then(|()| json.finish().ok());
    written.and_then(|json| String::from_utf8(json).ok()).unwrap_or_else(|| "0".to_owned())
}

/// The first element as Python writes it.
fn python_element(tensor: &Tensor) -> String {
    match tensor.data() {
        Data::Str(_) => format!("{:?}", element(tensor)),
        Data::Bool(_) => "True".to_owned(),
        _ => element(tensor),
    }
}

fn python_json(inputs: &[(&InputSpec, Tensor)], signature: &Signature) -> String {
    let lists = |tensor: &Tensor| python_lists(tensor.shape(), &python_element(tensor));
    let value = match (signature.inputs.len(), inputs) {
        (1, [(_, tensor)]) => lists(tensor),
        _ => {
            let pairs: Vec<_> =
                inputs.iter().map(|(spec, t)| format!("{:?}: {}", spec.name, lists(t))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
    };
    format!("import json; print(json.dumps({{\"inputs\": {value}}}))")
}

fn python_array(tensor: &Tensor) -> String {
    let dtype = if tensor.dtype() == DType::Str { "str" } else { tensor.dtype().name() };
    let dims: String = tensor.shape().iter().map(|n| format!("{n},")).collect();
    format!("numpy.full(({dims}), {}, \"{dtype}\")", python_element(tensor))
}

fn python_npy(tensor: &Tensor) -> String {
    format!("import sys, numpy; numpy.save(sys.stdout.buffer, {})", python_array(tensor))
}

fn python_raw(tensor: &Tensor) -> String {
    format!("import sys, numpy; sys.stdout.buffer.write({}.tobytes())", python_array(tensor))
}
