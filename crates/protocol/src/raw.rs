//! Raw bodies: the elements of a model's one input as they lie in memory, little-endian, without a header; or one text; or one file.

use modelet_core::{Code, FunctionError, InputSpec, Signature, Tensor, base64};

use crate::elements::{Order, from_bytes};
use crate::limit::size_text;
use crate::media;

/// The one input that a body without names can be for.
pub(crate) fn only_input<'a>(signature: &'a Signature, what: &str) -> Result<&'a InputSpec, FunctionError> {
    match signature.inputs.as_slice() {
        [only] => Ok(only),
        inputs => Err(FunctionError::new(
            Code::BadBody,
            format!("{what} is one array without a name, and this function has {} inputs", inputs.len()),
        )
        .hint("send JSON with the inputs by name")),
    }
}

/// Bytes as the tensor of an input; the free size in its shape is worked out from their number.
pub(crate) fn read(body: &[u8], spec: &InputSpec) -> Result<Tensor, FunctionError> {
    let bad = |expected: String| {
        FunctionError::bad_input("body", expected, size_text(body.len() as u64))
            .hint("send npy, which carries its shape, or JSON")
    };
    let Some(size) = spec.dtype.size_bytes() else {
        return Err(bad("text/plain or JSON: this input is text, which has no raw form".to_owned()));
    };
    if body.is_empty() || !body.len().is_multiple_of(size) {
        return Err(bad(format!("a multiple of {size} bytes, the size of one {}", spec.dtype)));
    }
    let count = body.len() / size;
    let shape = shape(count, spec)
        .ok_or_else(|| bad(format!("elements of {size} bytes that fill the shape {}", spec.shape_text())))?;
    let data =
        from_bytes(spec.dtype, body, Order::Little).ok_or_else(|| bad("bool bytes of 0 or 1".to_owned()))?;
    Tensor::new(shape, data).map_err(|error| bad(error.to_string()))
}

/// True for a body that is a file: what says so, and what says nothing and is no text, where the function takes a file.
pub(crate) fn is_file(essence: &str, body: &[u8], signature: &Signature) -> bool {
    let [InputSpec { file: Some(kind), .. }] = signature.inputs.as_slice() else { return false };
    let is_of_kind = || {
        let family = kind.content_types()[0].split('/').next().unwrap_or_default();
        essence.split('/').next() == Some(family)
    };
    match essence {
        media::OCTETS => true,
        // Sounds of nothing are UTF-8.
        "" | media::FORM => body.starts_with(b"RIFF") || std::str::from_utf8(body).is_err(),
        _ => is_of_kind(),
    }
}

/// A file as the tensor of an input that takes files.
pub(crate) fn read_file(body: &[u8], spec: &InputSpec) -> Result<Tensor, FunctionError> {
    read_text(base64::encode(body).as_bytes(), spec)
}

/// A text as the tensor of a string input.
pub(crate) fn read_text(body: &[u8], spec: &InputSpec) -> Result<Tensor, FunctionError> {
    let text = std::str::from_utf8(body).map_err(|error| {
        FunctionError::bad_input("body", "UTF-8 text", format!("other bytes at byte {}", error.valid_up_to()))
    })?;
    let shape = shape(1, spec).ok_or_else(|| {
        FunctionError::bad_input("body", format!("texts of shape {}", spec.shape_text()), "one text")
    })?;
    Tensor::new(shape, vec![text.to_owned()])
        .map_err(|error| FunctionError::new(Code::BadBody, error.to_string()))
}

/// The shape that `count` elements fill. Of several free sizes only the last is worked out; the others are 1.
fn shape(count: usize, spec: &InputSpec) -> Option<Vec<usize>> {
    let Some(dims) = &spec.shape else { return Some(vec![count]) };
    let mut shape: Vec<usize> = dims.iter().map(|dim| dim.fixed().unwrap_or(1)).collect();
    let fixed = shape.iter().try_fold(1_usize, |n, dim| n.checked_mul(*dim))?;
    if let Some(free) = dims.iter().rposition(|dim| dim.fixed().is_none()) {
        shape[free] = count.checked_div(fixed)?;
    }
    (shape.iter().product::<usize>() == count).then_some(shape)
}

#[cfg(test)]
mod tests {
    use modelet_core::{DType, Dim};

    use super::*;

    fn spec(dtype: DType, shape: Vec<Dim>) -> InputSpec {
        InputSpec {
            name: "x".into(),
            dtype,
            shape: Some(shape),
            optional: false,
            columns: None,
            categories: None,
            numbers: None,
            table_rows: None,
            takes_integers: false,
            rules: vec![],
            file: None,
        }
    }

    #[test]
    fn the_free_size_is_worked_out() {
        use Dim::{Dynamic, Fixed};
        for (dims, bytes, shape) in [
            (vec![Dynamic, Fixed(2)], 16, Some(vec![2, 2])),
            (vec![Dynamic, Dynamic], 16, Some(vec![1, 4])),
            (vec![Dynamic], 4, Some(vec![1])),
            (vec![], 4, Some(vec![])),
            (vec![Fixed(2)], 8, Some(vec![2])),
            (vec![Fixed(2)], 12, None),
            (vec![Dynamic, Fixed(3)], 16, None),
            (vec![Dynamic, Fixed(0)], 16, None),
            (vec![Dynamic], 0, None),
            (vec![Dynamic], 5, None),
        ] {
            let read = read(&vec![0; bytes], &spec(DType::F32, dims.clone()));
            assert_eq!(read.ok().map(|t| t.shape().to_vec()), shape, "{dims:?} {bytes}");
        }
    }

    #[test]
    fn a_text_is_one_text() {
        let spec = spec(DType::Str, vec![Dim::Dynamic, Dim::Fixed(1)]);
        let tensor = read_text("1,2 äé".as_bytes(), &spec).unwrap();
        assert_eq!(tensor, Tensor::new(vec![1, 1], vec!["1,2 äé".to_owned()]).unwrap());
        assert!(read_text(&[0xff], &spec).is_err());
        assert!(read(b"abcd", &spec).is_err());
    }
}
