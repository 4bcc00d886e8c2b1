//! Valid sample requests: what `GET /fn/NAME` shows, and the nearest right request in an error.

use http::header;
use modelet_core::{DType, Data, Dim, FileKind, InputSpec, Signature, Tensor, base64, wav};
use serde::Serialize;

use crate::protocol::ProtocolName;

/// A request that the function takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub(crate) protocol: ProtocolName,
    /// Where it goes, by POST.
    pub path: String,
    /// What its body is.
    pub content_type: &'static str,
    /// Its body.
    pub body: Vec<u8>,
    /// Python that prints the body, for bodies too long to copy.
    pub(crate) python: Option<String>,
}

/// Longest body that is shown whole.
const SHOWN_LIMIT: usize = 2_048;
/// Longest body that an error repeats as the nearest right request.
const NEAREST_LIMIT: usize = 1_024;

/// A sample as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    protocol: &'static str,
    method: &'static str,
    path: String,
    content_type: &'static str,
    /// The body, when it is text and short.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// The body, when it is binary and short.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    body_bytes: usize,
    /// A line to paste into a shell.
    pub(crate) curl: String,
}

impl Sample {
    pub(crate) fn show(self, base_url: &str) -> Shown {
        let short = self.body.len() <= SHOWN_LIMIT;
        // Bytes may happen to be text and still be nothing that a shell's word can hold.
        let is_text =
            |text: &&str| short && !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t');
        let text = std::str::from_utf8(&self.body).ok().filter(is_text).map(str::to_owned);
        let base64 = (short && text.is_none()).then(|| base64::encode(&self.body));
        let url = format!("{}{}", base_url.trim_end_matches('/'), self.path);
        let send = format!(
            "{} -H {}",
            shell(&url),
            shell(&format!("{}: {}", header::CONTENT_TYPE, self.content_type))
        );
        let curl = match (&text, &base64, &self.python) {
            (Some(text), ..) => format!("curl {send} --data-binary {}", shell(text)),
            (_, Some(base64), _) => format!("echo {base64} | base64 -d | curl {send} --data-binary @-"),
            (_, _, Some(python)) => format!("python3 -c {} | curl {send} --data-binary @-", shell(python)),
            _ => format!("curl {send} --data-binary @FILE"),
        };
        Shown {
            protocol: self.protocol.as_str(),
            method: "POST",
            path: self.path,
            content_type: self.content_type,
            body: text,
            body_base64: base64,
            body_bytes: self.body.len(),
            curl,
        }
    }
}

/// The body of the first sample that is short enough to repeat.
pub(crate) fn nearest_body(samples: &[Sample]) -> Option<String> {
    let short = samples.iter().find(|sample| sample.body.len() <= NEAREST_LIMIT)?;
    String::from_utf8(short.body.clone()).ok()
}

/// Elements that the inputs of a sample may have together; beyond it there is none, since nobody would read it and making it
/// would keep others waiting. An image of 224 × 224 has 150,528.
const SAMPLE_LIMIT: usize = 1 << 18;

/// True when a sample of all inputs is small enough to be made.
pub(crate) fn fits(signature: &Signature) -> bool {
    let size = |spec: &InputSpec| shape(spec).iter().try_fold(1_usize, |n, dim| n.checked_mul(*dim));
    let total = signature.inputs.iter().try_fold(0_usize, |sum, spec| sum.checked_add(size(spec)?));
    total.is_some_and(|total| total <= SAMPLE_LIMIT)
}

/// The smallest picture there is: one grey pixel, as PNG, in base64.
const ONE_PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCB2kUIOwAAAABJRU5ErkJggg==";

/// Silence in a sound of 8 bits.
const SILENCE: u8 = 128;
/// Samples of the sound of a sample request: what the first convolutions of the usual networks need.
const SOUND_SAMPLES: usize = 512;

fn shape(spec: &InputSpec) -> Vec<usize> {
    let dims = spec.shape.as_deref().unwrap_or(&[Dim::Dynamic]);
    // Convolutions need some room: 32 is divisible by the usual strides. Other free sizes are lengths of sequences.
    let free = if dims.len() >= 4 { 32 } else { 8 };
    dims.iter().enumerate().map(|(axis, dim)| dim.nearest(if axis == 0 { 1 } else { free })).collect()
}

/// A value that an input takes: one row, a category that it knows, small numbers.
pub(crate) fn tensor(spec: &InputSpec) -> Tensor {
    let shape = shape(spec);
    let count = shape.iter().product();
    let file = spec.file.map(|kind| match kind {
        FileKind::Image => ONE_PIXEL.to_owned(),
        FileKind::Audio => base64::encode(&wav::of(&[SILENCE; SOUND_SAMPLES])),
    });
    let category = file.as_deref().or(spec.categories.iter().flatten().next().map(String::as_str));
    Tensor::new(shape, data(spec.dtype, count, category))
        // Only a shape that no machine can hold fails, and then no sample exists.
        .unwrap_or_else(|_| Tensor::vector(Data::empty(spec.dtype)))
}

fn data(dtype: DType, count: usize, category: Option<&str>) -> Data {
    let category_number = category.and_then(|c| c.trim().parse::<f64>().ok());
    let one = |default: f64| {
        category_number.map_or(crate::number::Number::F64(default), crate::number::Number::F64)
    };
    let scalar = match dtype {
        DType::Str => crate::cast::Scalar::Text(category.unwrap_or("text")),
        DType::Bool => crate::cast::Scalar::Bool(true),
        dtype if dtype.is_float() => crate::cast::Scalar::Number(one(0.5)),
        _ => crate::cast::Scalar::Number(one(1.0)),
    };
    let mut data = Data::empty(dtype);
    let filled = crate::cast::extend(&mut data, std::iter::repeat_n(scalar, count));
    // A category that the type does not hold is the model's own oddity; zeros are always valid.
    if filled.is_ok() { data } else { Data::zeros(dtype, count) }
}

/// A Python expression for nested lists of a shape around one value.
pub(crate) fn python_lists(shape: &[usize], element: &str) -> String {
    shape.iter().rev().fold(element.to_owned(), |inner, n| format!("[{inner}]*{n}"))
}

/// A text as one word of a shell's.
fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_curl_line_as_it_was_meant() {
        let sample = Sample {
            protocol: ProtocolName::Fn,
            path: "/fn/a".into(),
            content_type: "application/json",
            body: b"{\"a\": \"it's\"}".to_vec(),
            python: None,
        };
        assert_eq!(
            sample.show("http://h:1/").curl,
            r#"curl 'http://h:1/fn/a' -H 'content-type: application/json' --data-binary '{"a": "it'\''s"}'"#
        );
    }

    #[test]
    fn python_lists_nest_as_the_shape_does() {
        assert_eq!(python_lists(&[2, 3], "0.5"), "[[0.5]*3]*2");
        assert_eq!(python_lists(&[], "0.5"), "0.5");
    }
}
