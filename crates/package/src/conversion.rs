//! A network becomes ONNX: by its own framework and that framework's converter, in Python. Whoever packages passes in the
//! [`Converter`] that runs them; what comes back is read here, and noted what the network's inputs take.
//!
//! Deliberately absent: how Python is found, made and isolated.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use modelet_core::certificate::Library;
use modelet_core::{Code, DType, FunctionError, Limited, Numbers};
use modelet_model::onnx::{Taken, note_limits, note_taken};
use serde::Deserialize;

use crate::certificate::original::Original;
use crate::network::Network;

/// The script that converts.
pub const SCRIPT: &str = include_str!("conversion/convert.py");
/// What it and the script that answers for a proof read networks with, and the name under which they import it.
pub const NETWORKS: (&str, &str) = ("networks.py", include_str!("conversion/networks.py"));
/// What the script that converts guards tables with, and the name under which it imports it.
pub const GUARDS: (&str, &str) = ("guards.py", include_str!("conversion/guards.py"));
/// Largest answer of a converter, in bytes: what ONNX allows, and a line.
pub const MAX_ANSWER_BYTES: usize = 2 << 30;
/// Longest line before the model.
const MAX_HEAD_BYTES: usize = 1 << 20;

/// What a conversion made.
#[derive(Debug, Clone)]
pub struct Converted {
    /// The answer of [`SCRIPT`].
    pub answer: Vec<u8>,
    /// What converted it, by what is installed: what runs beside a foreign file may say anything.
    pub by: Library,
}

/// Runs a network's framework to make ONNX of it.
pub trait Converter {
    /// Converts a network.
    ///
    /// # Errors
    /// `model-refused` with the reason: what is missing, or what the converter does not know.
    fn convert(&self, original: &Original) -> Result<Converted, FunctionError>;
}

/// What comes before the model in the answer.
#[derive(Debug, Deserialize)]
struct Head {
    /// How many rows the table has that an input is looked up in, by input.
    #[serde(default)]
    table_rows: BTreeMap<String, u64>,
    /// The limits of sizes, by their names in the model.
    #[serde(default)]
    limits: Vec<Limited>,
}

/// Writes the ONNX file of a network, and says what converted it.
///
/// # Errors
/// As [`Converter::convert`]; `model-refused` also for an answer that makes no sense.
pub fn convert(
    network: &Network,
    converter: &dyn Converter,
    target: &Path,
) -> Result<Library, FunctionError> {
    let nonsense = |why: String| {
        let message =
            format!("what the converter made of {} makes no sense: {why}", network.original.file.display());
        FunctionError::new(Code::ModelRefused, message)
    };
    let Converted { mut answer, by } = converter.convert(&network.original)?;
    let end = answer.iter().take(MAX_HEAD_BYTES).position(|byte| *byte == b'\n');
    let end = end.ok_or_else(|| nonsense("it does not begin with a line".to_owned()))?;
    let head: Head = serde_json::from_slice(&answer[..end]).map_err(|error| nonsense(error.to_string()))?;
    answer.drain(..=end);
    fs::write(target, &answer).map_err(|error| nonsense(format!("it cannot be written: {error}")))?;
    let signature = modelet_model::summarize(target)?.signature()?;
    let taken = signature.inputs.iter().filter_map(|input| {
        let table_rows = head.table_rows.get(&input.name).copied();
        let numbers = finite(input.dtype).filter(|_| table_rows.is_none());
        let takes_less = numbers.is_some() || table_rows.is_some();
        takes_less.then(|| (input.name.clone(), Taken { numbers, table_rows, ..Taken::default() }))
    });
    note_taken(&mut answer, &taken.collect());
    if !head.limits.is_empty() {
        note_limits(&mut answer, &head.limits);
    }
    fs::write(target, &answer).map_err(|error| nonsense(format!("it cannot be written: {error}")))?;
    Ok(by)
}

/// Finite numbers only: what frameworks make of others in maxima and gates, engines do not make alike.
fn finite(dtype: DType) -> Option<Numbers> {
    let largest = match dtype {
        DType::F32 => f64::from(f32::MAX),
        DType::F64 => f64::MAX,
        _ => return None,
    };
    Some(Numbers { missing: false, largest })
}

#[cfg(test)]
mod tests {
    use modelet_core::Dim;
    use modelet_model::describe_onnx;
    use modelet_model::onnx::write::GraphWriter;

    use super::*;
    use crate::certificate::original::Loader;

    /// A converter's answer, whatever it is.
    struct Answer(Vec<u8>);

    impl Converter for Answer {
        fn convert(&self, _: &Original) -> Result<Converted, FunctionError> {
            let by = Library { name: "tf2onnx".into(), version: "1.17.0".into() };
            Ok(Converted { answer: self.0.clone(), by })
        }
    }

    /// What comes of a line and a model.
    fn converted(head: &str, model: &[u8]) -> Result<(Library, modelet_core::InputSpec), FunctionError> {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("model.onnx");
        let original = Original {
            file: "m.keras".into(),
            loader: Loader::Keras,
            framework: "keras".into(),
            version: None,
            guests: Vec::new(),
        };
        let network = Network { original, title: "Keras".into() };
        let library = convert(&network, &Answer([head.as_bytes(), b"\n", model].concat()), &target)?;
        let summary = modelet_model::summarize(&target)?;
        let mut signature = summary.signature()?;
        describe_onnx(&mut signature, &summary);
        Ok((library, signature.inputs.remove(0)))
    }

    #[test]
    fn what_inputs_take_is_noted_in_the_model() {
        let iris = include_bytes!("../../../examples/iris/model.onnx");
        // What the file's own code may write there is not believed.
        let (library, input) = converted(r#"{"converter": ["mine", "9"]}"#, iris).unwrap();
        assert_eq!((&*library.name, &*library.version), ("tf2onnx", "1.17.0"));
        assert_eq!(input.numbers, Some(Numbers { missing: false, largest: f32::MAX.into() }));
        let (_, input) = converted(r#"{"table_rows": {"X": 50}}"#, iris).unwrap();
        assert_eq!((input.numbers, input.table_rows), (None, Some(50)));
    }

    #[test]
    fn limits_of_sizes_are_noted_in_the_model() {
        let mut graph = GraphWriter::default();
        let shape = ["batch", "length"].map(|name| Dim::Named(name.to_owned()));
        graph.input("series", DType::F32, &shape);
        graph.node(("", "Abs"), &["series"], "y", vec![]);
        graph.output("y", DType::F32, &shape);
        let head = r#"{"limits": [{"name": "length", "min": 3, "max": 20}]}"#;
        let (_, input) = converted(head, &graph.into_file()).unwrap();
        assert_eq!(input.shape_text(), "[batch, 3 <= length <= 20]");
        let taken: Vec<_> =
            [2, 3, 20, 21].into_iter().filter(|size| input.accepts_shape(&[1, *size])).collect();
        assert_eq!(taken, [3, 20]);
    }

    #[test]
    fn nonsense_is_refused() {
        for (head, wanted) in [("", "EOF"), ("no", "makes no sense"), ("{}", "empty")] {
            let error = converted(head, b"").unwrap_err();
            assert!(error.message.contains(wanted), "{error}");
        }
    }
}
