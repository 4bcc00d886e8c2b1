//! Files among the texts of a call, and the input that takes them.

use modelet_core::{DType, Dim, FileKind, InputSpec, Signature, base64};

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
