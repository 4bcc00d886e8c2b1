//! skops: a zip with a tree of objects as JSON, and their arrays beside it.
//!
//! - [`content`]: all that it holds, as values

mod content;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use serde_json::Value as Json;
use zip::ZipArchive;

use crate::archive::open_zip;
use crate::pickle::findings::Findings;
use crate::pickle::inspection::{ClassName, Framework, Inspection, Kind, Step};
use crate::pickle::limits::{MAX_SCHEMA_BYTES, MAX_SCHEMA_COMMAS, MAX_SCHEMA_OBJECTS};
use crate::pickle::machine::Machine;
use crate::pickle::summary;
use crate::pickle::value::Value;

const SCHEMA: &str = "schema.json";
/// What skops makes of a node that only builds objects of the classes that it names. Not here, on purpose: `MethodNode` and
/// `OperatorFuncNode`, which reach attributes by name.
const LOADERS: &[&str] = &[
    "BytearrayNode",
    "BytesNode",
    "CachedNode",
    "DTypeNode",
    "DefaultDictNode",
    "DictNode",
    "FunctionNode",
    "JsonNode",
    "ListNode",
    "LossNode",
    "MaskedArrayNode",
    "NdArrayNode",
    "ObjectNode",
    "PartialNode",
    "RandomGeneratorNode",
    "RandomStateNode",
    "SetNode",
    "SliceNode",
    "SparseMatrixNode",
    "TreeNode",
    "TupleNode",
    "TypeNode",
    "_DictWithDeprecatedKeysNode",
];

/// The zip.
type Archive = ZipArchive<BufReader<File>>;

/// Reads a zip; `Ok(None)` when it is not one of skops. An error says what is wrong with it.
pub fn inspect(path: &Path) -> Result<Option<Inspection>, String> {
    let Some((_, root, version)) = open(path)? else { return Ok(None) };
    Ok(Some(summarize(&root, &version)))
}

/// All that it holds; as [`inspect`].
pub fn read(path: &Path) -> Result<Option<(Machine, Value)>, String> {
    let Some((archive, root, _)) = open(path)? else { return Ok(None) };
    content::read(archive, &root).map(Some)
}

/// The zip, its schema, and the version of skops that wrote it.
fn open(path: &Path) -> Result<Option<(Archive, Json, String)>, String> {
    let Ok(mut archive) = open_zip(path).map_err(|error| error.to_string())? else { return Ok(None) };
    if archive.index_for_name(SCHEMA).is_none() {
        return Ok(None);
    }
    check_names(path, &mut archive)?;
    let schema = archive.by_name(SCHEMA).map_err(|error| format!("its {SCHEMA} cannot be read: {error}"))?;
    let mut text = Vec::new();
    schema
        .take(MAX_SCHEMA_BYTES + 1)
        .read_to_end(&mut text)
        .map_err(|error| format!("its {SCHEMA}: {error}"))?;
    if text.len() as u64 > MAX_SCHEMA_BYTES {
        return Err(format!("its {SCHEMA} is larger than {MAX_SCHEMA_BYTES} bytes"));
    }
    let count = |wanted| text.iter().filter(|byte| **byte == wanted).count();
    if count(b'{') > MAX_SCHEMA_OBJECTS || count(b',') > MAX_SCHEMA_COMMAS {
        return Err(format!("its {SCHEMA} has more parts than any model file should"));
    }
    let root: Json = serde_json::from_slice(&text).map_err(|error| format!("its {SCHEMA}: {error}"))?;
    let Some(version) = root["_skops_version"].as_str().map(str::to_owned) else { return Ok(None) };
    Ok(Some((archive, root, version)))
}

/// Readers differ in which of two names of a file they believe: the one in the directory, or the one before its content.
fn check_names(path: &Path, archive: &mut Archive) -> Result<(), String> {
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    let mut names = BTreeSet::new();
    for at in 0..archive.len() {
        let entry = archive.by_index_raw(at).map_err(|error| format!("an entry cannot be read: {error}"))?;
        let named = entry.name_raw().to_vec();
        let local =
            local_name(&mut file, entry.header_start()).map_err(|error| format!("an entry: {error}"))?;
        if local != named || !names.insert(named) {
            return Err(format!("the zip names a file in two ways: {:?}", entry.name()));
        }
    }
    Ok(())
}

/// The name in the header before an entry's content.
fn local_name(file: &mut File, header_start: u64) -> std::io::Result<Vec<u8>> {
    let mut header = [0; 30];
    file.seek(SeekFrom::Start(header_start))?;
    file.read_exact(&mut header)?;
    let mut name = vec![0; usize::from(u16::from_le_bytes([header[26], header[27]]))];
    file.read_exact(&mut name)?;
    Ok(name)
}

fn summarize(root: &Json, version: &str) -> Inspection {
    let mut findings = Findings::default();
    let mut versions = BTreeSet::new();
    versions.insert(Framework { name: "skops".to_owned(), version: Some(version.to_owned()) });
    walk(root, &mut findings, &mut versions);
    let (imports, unresolved) = findings.into_parts();
    let steps = attribute(root, "steps").and_then(|steps| steps["content"].as_array());
    Inspection {
        kind: Kind::Skops,
        class: class_of(root),
        steps: steps.map(|steps| steps.iter().filter_map(step).collect()).unwrap_or_default(),
        features: find(root, &|node| attribute(node, "n_features_in_").and_then(plain)?.as_u64()),
        feature_names: find(root, &feature_names),
        classes_shape: None,
        frameworks: summary::frameworks(&imports, &versions),
        imports,
        unresolved,
    }
}

/// Every node of the tree; serde_json has bounded its depth.
fn walk(json: &Json, findings: &mut Findings, versions: &mut BTreeSet<Framework>) {
    match json {
        Json::Array(items) => items.iter().for_each(|item| walk(item, findings, versions)),
        Json::Object(fields) => {
            if let Some(loader) = fields.get("__loader__").filter(|loader| !loader.is_object()) {
                note(json, loader.as_str().unwrap_or_default(), findings);
            }
            if let Some(version) = fields.get("_sklearn_version").and_then(plain) {
                let version = version.as_str().map(str::to_owned);
                versions.insert(Framework { name: "scikit-learn".to_owned(), version });
            }
            fields.values().for_each(|field| walk(field, findings, versions));
        }
        _ => {}
    }
}

fn note(node: &Json, loader: &str, findings: &mut Findings) {
    if !LOADERS.contains(&loader) {
        findings.unresolved(0, format!("a node of the kind {loader:?}"));
    }
    let place = class_of(node).and_then(|class| findings.import(&class.module, &class.name));
    match place {
        Some(place) if !matches!(loader, "FunctionNode" | "TypeNode") => findings.called(place),
        Some(_) => {}
        None => findings.unresolved(0, "a node without a class"),
    }
}

fn class_of(node: &Json) -> Option<ClassName> {
    let text = |key: &str| node[key].as_str().map(str::to_owned);
    Some(ClassName { module: text("__module__")?, name: text("__class__")? })
}

fn attribute<'a>(node: &'a Json, name: &str) -> Option<&'a Json> {
    node["content"]["content"].get(name)
}

/// A plain value, which skops writes as JSON within JSON.
fn plain(node: &Json) -> Option<Json> {
    serde_json::from_str(node["content"].as_str()?).ok()
}

fn step(pair: &Json) -> Option<Step> {
    let name = plain(&pair["content"][0])?.as_str()?.to_owned();
    Some(Step { name, class: class_of(&pair["content"][1])? })
}

/// Looks in the object, then in the first of its steps.
fn find<T>(root: &Json, look: &dyn Fn(&Json) -> Option<T>) -> Option<T> {
    let first = || look(&attribute(root, "steps")?["content"][0]["content"][1]);
    look(root).or_else(first)
}

fn feature_names(node: &Json) -> Option<Vec<String>> {
    let names = attribute(node, "feature_names_in_")?["content"].as_array()?;
    names.iter().map(|name| plain(name)?.as_str().map(str::to_owned)).collect()
}
