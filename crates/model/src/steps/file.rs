//! Files among the texts of a call, and the input that takes them.

use modelet_core::{DType, Data, Dim, FileKind, FunctionError, InputSpec, Signature, Tensor, base64};

use crate::binding::bind_inputs;

/// How many files a call may have.
pub struct Limit {
    /// Its name in the manifest.
    pub name: &'static str,
    /// At most so many.
    pub most: u32,
    /// What they are, in words: `pictures`.
    pub files: &'static str,
}

/// An input of files, `rows` of them.
pub fn input(name: &str, rows: Dim, kind: FileKind) -> InputSpec {
    InputSpec {
        name: name.to_owned(),
        dtype: DType::Str,
        shape: Some(vec![rows]),
        optional: false,
        columns: None,
        categories: None,
        numbers: None,
        table_rows: None,
        takes_integers: false,
        rules: vec![],
        file: Some(kind),
    }
}

/// The files of a call, each as the text that it came as. `signature` has one input, of files.
///
/// # Errors
/// `bad-input` where inputs are missing or unknown, and for more files than the limit says.
pub fn of_call<'a>(
    signature: &Signature,
    inputs: &'a [(String, Tensor)],
    limit: &Limit,
) -> Result<&'a [String], FunctionError> {
    let input = &signature.inputs[0];
    let bound = bind_inputs(signature, inputs)?;
    let Some(Data::Str(texts)) = bound.first().copied().flatten().map(Tensor::data) else {
        let expected = input.file.map_or("a file", FileKind::description);
        return Err(FunctionError::bad_input(&input.name, expected, "none"));
    };
    if texts.len() > limit.most as usize {
        let (expected, found) =
            (format!("at most {} = {}", limit.name, limit.most), format!("{} {}", texts.len(), limit.files));
        return Err(FunctionError::bad_input(&input.name, expected, found).hint("send them in several calls"));
    }
    Ok(texts)
}

/// The bytes of a file. An error says why the text has none.
pub fn bytes(text: &str) -> Result<Vec<u8>, String> {
    // A browser's form of the same: data:image/png;base64,…
    let text = text.strip_prefix("data:").and_then(|url| url.split_once(',')).map_or(text, |(_, data)| data);
    base64::decode(text).map_err(|why| format!("a text that is no base64: {why}"))
}

/// The one input that a step of the given name feeds. An error says which there are.
pub fn only_input<'a>(signature: &'a Signature, step: &str) -> Result<&'a InputSpec, String> {
    let required: Vec<&InputSpec> = signature.inputs.iter().filter(|input| !input.optional).collect();
    match required.as_slice() {
        [only] => Ok(*only),
        several => {
            let names: Vec<&str> = several.iter().map(|input| input.name.as_str()).collect();
            Err(format!(
                "an [{step}] step feeds a model of one input, and this one has {}: {}",
                several.len(),
                names.join(", ")
            ))
        }
    }
}
