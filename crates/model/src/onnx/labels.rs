//! Categories of inputs and classes of outputs, where the graph says them.
//!
//! Columns are followed forwards from the inputs to the encoders, through the few operators with which converters put
//! columns together and take them apart; outputs are followed backwards to the classifier.

use std::collections::{BTreeMap, HashMap};

use modelet_core::{Dim, Limited, Numbers, Rule, Signature};
use serde::{Deserialize, Serialize};

use super::OnnxSummary;
use super::proto::NodeProto;
use super::wire::put;

/// Key of a model's metadata: the names of the columns of its one input, as a JSON list.
pub const COLUMNS_KEY: &str = "modelet.columns";

/// … the names of all columns of the data frame that it was fitted with, where it has not an input for each, as a JSON list.
pub const FRAME_KEY: &str = "modelet.frame";

/// … the limits of its named sizes, where they have some: [`Limited`] each, as a JSON list.
pub const LIMITS_KEY: &str = "modelet.limits";

/// … and what its inputs take, where not all: [`Taken`] by input, as JSON.
pub const TAKEN_KEY: &str = "modelet.taken";

/// … and the one engine that may compute it, where its writer counts on each rounding.
pub const ENGINE_KEY: &str = "modelet.engine";

/// What an input takes, where that is less than its type has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// Which numbers.
    pub numbers: Option<Numbers>,
    /// How many rows the table has that it is looked up in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_rows: Option<u64>,
    /// True for categories, of which a whole number is one too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub takes_integers: bool,
    /// What single columns take.
    pub rules: Vec<Rule>,
}

/// The field of a model's metadata (`metadata_props` of `onnx.proto`), and those of an entry's key and value.
const METADATA_FIELD: u32 = 14;
const ENTRY_FIELDS: (u32, u32) = (1, 2);

/// Notes in a model's file what its inputs take.
pub fn note_taken(model: &mut Vec<u8>, taken: &BTreeMap<String, Taken>) {
    note(model, TAKEN_KEY, taken);
}

/// Notes in a model's file which sizes it has not.
pub fn note_limits(model: &mut Vec<u8>, limits: &[Limited]) {
    note(model, LIMITS_KEY, limits);
}

/// A field that comes again is one more entry.
fn note(model: &mut Vec<u8>, key: &str, value: &(impl Serialize + ?Sized)) {
    let mut entry = Vec::new();
    put(&mut entry, ENTRY_FIELDS.0, key.as_bytes());
    // Plain data, which always becomes JSON.
    put(&mut entry, ENTRY_FIELDS.1, &serde_json::to_vec(value).unwrap_or_default());
    put(model, METADATA_FIELD, &entry);
}

/// Operators that change neither the meaning nor the number of columns.
const PASS_COLUMNS: &[&str] =
    &["Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "StringNormalizer"];
/// Operators that keep the classes along the last axis.
const PASS_CLASSES: &[&str] = &["Identity", "Cast", "Normalizer", "Softmax", "Reshape"];

impl OnnxSummary {
    /// The values that each input's encoder knows, for inputs of one column.
    pub fn categories(&self) -> Vec<(String, Vec<String>)> {
        let constants: HashMap<&str, &[i64]> =
            self.graph.initializer.iter().map(|tensor| (tensor.name(), &*tensor.integers)).collect();
        let inputs = self.graph.input.iter().filter_map(|input| input.name.as_deref());
        // For each tensor: the inputs that its columns came from.
        let mut columns: HashMap<&str, Vec<&str>> =
            inputs.filter(|name| !constants.contains_key(name)).map(|name| (name, vec![name])).collect();
        let mut found: Vec<(String, Vec<String>)> = Vec::new();
        for node in &self.graph.node {
            let Some(first) = node.input.first() else { continue };
            let Some(from) = columns.get(first.as_str()).cloned() else { continue };
            if let Some(known) = encoder_keys(node) {
                let [input] = from[..] else { continue };
                match found.iter_mut().find(|(name, _)| name == input) {
                    Some((_, values)) => values.extend(known),
                    None => found.push((input.to_owned(), known)),
                }
                continue;
            }
            let to = match node.op() {
                "Concat" => concat(node, &columns),
                "ArrayFeatureExtractor" | "Gather" => select(node, &from, &constants),
                op if PASS_COLUMNS.contains(&op) => Some(from),
                _ => None,
            };
            if let (Some(output), Some(to)) = (node.output.first(), to) {
                columns.insert(output, to);
            }
        }
        for (_, values) in &mut found {
            let mut seen = std::collections::HashSet::new();
            values.retain(|value| seen.insert(value.clone()));
        }
        found
    }

    /// The names of the columns of its one input, where the writer noted them.
    fn columns(&self) -> Option<Vec<String>> {
        serde_json::from_str(self.metadata.get(COLUMNS_KEY)?).ok()
    }

    /// All columns of its data frame, where the writer noted them.
    fn frame(&self) -> Vec<String> {
        self.metadata.get(FRAME_KEY).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// What its inputs take, where the writer noted it.
    fn taken(&self) -> BTreeMap<String, Taken> {
        self.metadata.get(TAKEN_KEY).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// The limits of its sizes, where the writer noted them.
    fn limits(&self) -> Vec<Limited> {
        self.metadata.get(LIMITS_KEY).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// The class names along the last axis of an output.
    pub(crate) fn classes(&self, output: &str) -> Option<Vec<String>> {
        let makers = self.graph.node.iter().flat_map(|node| {
            node.output.iter().enumerate().map(move |(index, name)| (name.as_str(), (node, index)))
        });
        let makers: HashMap<&str, (&NodeProto, usize)> = makers.collect();
        let mut name = output;
        // A graph without cycles is left in as many steps as it has nodes; a damaged one is not followed for ever.
        for _ in 0..=self.graph.node.len() {
            let (node, index) = *makers.get(name)?;
            match (node.op(), index) {
                ("ZipMap", 0) => return class_labels(node),
                ("TreeEnsembleClassifier" | "LinearClassifier" | "SVMClassifier", 1) => {
                    return class_labels(node);
                }
                (op, 0) if PASS_CLASSES.contains(&op) => name = node.input.first()?,
                _ => return None,
            }
        }
        None
    }
}

/// Adds to a signature what the file says about columns, sizes, categories and classes.
pub fn describe_onnx(signature: &mut Signature, summary: &OnnxSummary) {
    if let [input] = &mut signature.inputs[..] {
        let width = input.shape.as_ref().and_then(|shape| shape.last()?.fixed());
        input.columns = summary.columns().filter(|columns| Some(columns.len()) == width);
    }
    signature.frame = summary.frame();
    for (name, taken) in summary.taken() {
        if let Some(input) = signature.inputs.iter_mut().find(|input| input.name == name) {
            (input.numbers, input.table_rows, input.rules) = (taken.numbers, taken.table_rows, taken.rules);
            input.takes_integers = taken.takes_integers;
        }
    }
    for limits in summary.limits() {
        let dims = signature.inputs.iter_mut().flat_map(|input| input.shape.iter_mut().flatten());
        for dim in dims.filter(|dim| dim.name() == Some(&limits.name)) {
            *dim = Dim::Limited(limits.clone());
        }
    }
    for (name, values) in summary.categories() {
        if let Some(input) = signature.inputs.iter_mut().find(|input| input.name == name && input.is_column())
        {
            input.categories = Some(values);
        }
    }
    for output in &mut signature.outputs {
        // Those of a step are not the file's to say.
        let classes = summary.classes(&output.name).filter(|classes| fits(&output.kind, classes.len()));
        output.classes = output.classes.take().or(classes);
    }
}

/// False where the last axis has another size than there are classes: the one score of a binary classifier.
fn fits(kind: &modelet_core::OutputKind, classes: usize) -> bool {
    match kind {
        modelet_core::OutputKind::Tensor { shape: Some(shape), .. } => {
            shape.last().is_none_or(|dim| dim.accepts(classes))
        }
        _ => true,
    }
}

fn encoder_keys(node: &NodeProto) -> Option<Vec<String>> {
    let lists = match node.op() {
        "LabelEncoder" => ["keys_strings", "keys_int64s"],
        "OneHotEncoder" | "CategoryMapper" => ["cats_strings", "cats_int64s"],
        _ => return None,
    };
    labels(node, &lists)
}

fn class_labels(node: &NodeProto) -> Option<Vec<String>> {
    labels(node, &["classlabels_strings", "classlabels_ints", "classlabels_int64s"])
}

/// The first list among several attributes that is there and not empty, as text.
fn labels(node: &NodeProto, attributes: &[&str]) -> Option<Vec<String>> {
    let lists = attributes.iter().filter_map(|name| node.attribute(name));
    let texts = lists.map(|list| {
        let strings = list.strings.iter().map(|text| String::from_utf8_lossy(text).into_owned());
        strings.chain(list.ints.iter().map(i64::to_string)).collect::<Vec<_>>()
    });
    texts.into_iter().find(|texts| !texts.is_empty())
}

fn concat<'a>(node: &'a NodeProto, columns: &HashMap<&str, Vec<&'a str>>) -> Option<Vec<&'a str>> {
    let along_columns = matches!(node.int("axis"), Some(1 | -1));
    let parts: Option<Vec<_>> = node.input.iter().map(|input| columns.get(input.as_str())).collect();
    parts.filter(|_| along_columns).map(|parts| parts.into_iter().flatten().copied().collect())
}

fn select<'a>(node: &NodeProto, from: &[&'a str], constants: &HashMap<&str, &[i64]>) -> Option<Vec<&'a str>> {
    let along_columns = node.op() == "ArrayFeatureExtractor" || matches!(node.int("axis"), Some(1 | -1));
    let indices = constants.get(node.input.get(1)?.as_str())?;
    let pick = |index: &i64| from.get(usize::try_from(*index).ok()?).copied();
    indices.iter().map(pick).collect::<Option<Vec<_>>>().filter(|picked| along_columns && !picked.is_empty())
}
