//! From values to what people ask: which class, which steps, how many features, which versions.

use std::collections::BTreeSet;

use crate::pickle::findings::Import;
use crate::pickle::inspection::{ClassName, Framework, Step, package_of};
use crate::pickle::limits::MAX_SHOWN_DEPTH;
use crate::pickle::machine::Machine;
use crate::pickle::value::{Node, Value};

/// Packages of which the file has an object, in the order in which they are shown.
const PACKAGES: &[&str] = &["scikit-learn", "xgboost", "lightgbm", "catboost", "scipy", "pandas", "numpy"];
/// How xgboost writes its version in UBJSON: the key, and an array of three numbers.
const XGBOOST_VERSION: &[u8] = b"version[#L\0\0\0\0\0\0\0\x03";

/// Which step of a pipeline answers for it.
#[derive(Clone, Copy)]
enum End {
    First,
    Last,
}

/// The class of an object.
pub fn class_of(machine: &Machine, value: Value) -> Option<ClassName> {
    let class = |place| machine.findings.at(place).map(named);
    match value {
        Value::Global(place) => class(place),
        _ => {
            let object = machine.heap.as_object(value)?;
            let Value::Global(place) = object.callee else { return None };
            let import = machine.findings.at(place)?;
            let is_helper = matches!(&*import.module, "copyreg" | "copy_reg");
            match machine.heap.as_tuple(object.args) {
                // The helpers of copyreg get the class as their first argument.
                Some([Value::Global(place), ..]) if is_helper => class(*place),
                _ => Some(named(import)),
            }
        }
    }
}

fn named(import: &Import) -> ClassName {
    ClassName { module: import.module.clone(), name: import.name.clone() }
}

/// Names and objects of a pipeline's steps.
fn step_values(machine: &Machine, value: Value) -> Vec<(String, Value)> {
    let heap = &machine.heap;
    let steps = heap.attribute(value, "steps").and_then(|steps| heap.as_list(steps));
    let steps = steps.map_or(&[][..], |steps| &steps.kept);
    let pair = |step: &Value| match heap.as_tuple(*step)? {
        [name, value] => Some((heap.as_text(*name)?.to_owned(), *value)),
        _ => None,
    };
    steps.iter().filter_map(pair).collect()
}

/// A pipeline's steps.
pub fn steps(machine: &Machine, value: Value) -> Vec<Step> {
    let steps = step_values(machine, value).into_iter();
    let unnamed = || ClassName { module: String::new(), name: "?".to_owned() };
    steps
        .map(|(name, value)| {
            let class = match machine.heap.as_text(value) {
                // `passthrough`
                Some(word) => ClassName { module: "builtins".to_owned(), name: word.to_owned() },
                None => class_of(machine, value).unwrap_or_else(unnamed),
            };
            Step { name, class }
        })
        .collect()
}

/// Looks for an attribute in an object; a pipeline has it from its first step, or its last.
fn find<T>(machine: &Machine, value: Value, from: End, look: &dyn Fn(Value) -> Option<T>) -> Option<T> {
    let mut at = value;
    for _ in 0..MAX_SHOWN_DEPTH {
        if let Some(found) = look(at) {
            return Some(found);
        }
        let steps = step_values(machine, at);
        at = match from {
            End::First => steps.first()?.1,
            End::Last => steps.last()?.1,
        };
    }
    None
}

/// How many features it was fitted with.
pub fn features(machine: &Machine, value: Value) -> Option<u64> {
    let heap = &machine.heap;
    let look = |object| {
        let names = ["n_features_in_", "_n_features_in", "_n_features"];
        let number = names.iter().find_map(|name| match heap.attribute(object, name)? {
            Value::Int(number) => Some(number),
            _ => None,
        });
        u64::try_from(number?).ok()
    };
    find(machine, value, End::First, &look)
}

/// The names of its features, when they are plain texts.
pub fn feature_names(machine: &Machine, value: Value) -> Option<Vec<String>> {
    let heap = &machine.heap;
    let look = |object| {
        let array = heap.as_object(heap.attribute(object, "feature_names_in_")?)?;
        let items = heap.as_list(*heap.as_tuple(array.state)?.get(4)?)?;
        let texts = items.whole()?.iter().map(|name| heap.as_text(*name).map(str::to_owned));
        texts.collect::<Option<Vec<_>>>()
    };
    find(machine, value, End::First, &look)
}

/// The shape of its array of classes.
pub fn classes_shape(machine: &Machine, value: Value) -> Option<Vec<u64>> {
    let heap = &machine.heap;
    let names = ["classes_", "_classes"];
    let look = |object| names.iter().find_map(|name| shape(machine, heap.attribute(object, name)?));
    find(machine, value, End::Last, &look)
}

/// The shape of an array, however it was written.
fn shape(machine: &Machine, array: Value) -> Option<Vec<u64>> {
    let heap = &machine.heap;
    match heap.as_node(array)? {
        Node::Array(array) => Some(array.shape.clone()),
        Node::Object(object) => {
            let in_state = heap.as_tuple(object.state).and_then(|state| heap.as_shape(*state.get(1)?));
            in_state.or_else(|| heap.as_shape(*heap.as_tuple(object.args)?.get(2)?))
        }
        _ => None,
    }
}

/// The libraries that the file needs, with their versions where it says them.
pub fn frameworks(imports: &[Import], versions: &BTreeSet<Framework>) -> Vec<Framework> {
    let mut frameworks: Vec<_> = versions.iter().cloned().collect();
    for package in PACKAGES {
        let is_used = imports.iter().any(|import| package_of(&import.module) == *package);
        if is_used && !frameworks.iter().any(|one| one.name == *package) {
            let version = if *package == "numpy" { numpy_bound(imports) } else { None };
            frameworks.push(Framework { name: (*package).to_owned(), version });
        }
    }
    let rank = |one: &Framework| PACKAGES.iter().position(|package| *package == one.name);
    frameworks.sort_by_key(rank);
    frameworks
}

/// numpy 2 renamed the module that every array is made by.
fn numpy_bound(imports: &[Import]) -> Option<String> {
    let has = |root: &str| imports.iter().any(|import| import.module.starts_with(root));
    match (has("numpy.core."), has("numpy._core.")) {
        (true, false) => Some("<2".to_owned()),
        (false, true) => Some(">=2".to_owned()),
        _ => None,
    }
}

/// The versions that objects' states name.
pub fn versions(machine: &Machine) -> BTreeSet<Framework> {
    machine.heap.objects().filter_map(|object| version_in_state(machine, object)).collect()
}

fn version_in_state(machine: &Machine, object: Value) -> Option<Framework> {
    let heap = &machine.heap;
    if let Some(version) =
        heap.attribute(object, "_sklearn_version").and_then(|version| heap.as_text(version))
    {
        return Some(Framework { name: "scikit-learn".to_owned(), version: Some(version.to_owned()) });
    }
    let class = class_of(machine, object)?;
    let bytes = |name| raw_bytes(machine, heap.attribute(object, name)?);
    let (name, version) = match (&*class.module, &*class.name) {
        ("xgboost.core", "Booster") => ("xgboost", xgboost_version(bytes("handle")?)?),
        ("catboost.core", _) => ("catboost", catboost_release(bytes("__model")?)?),
        _ => return None,
    };
    Some(Framework { name: name.to_owned(), version: Some(version) })
}

/// The release of CatBoost that wrote a model, by the text in it that says where it was built: `CatBoost release 1.2.10.`, or
/// `tags/v1.2.10`.
pub fn catboost_release(model: &[u8]) -> Option<String> {
    let after = |mark: &[u8]| {
        let at = model.windows(mark.len()).position(|window| window == mark)?;
        model.get(at + mark.len()..)
    };
    let rest = after(b"CatBoost release ").or_else(|| after(b"Branch: tags/v"))?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.');
    let release: String = digits.map(|byte| char::from(*byte)).collect();
    Some(release.trim_end_matches('.').to_owned()).filter(|release| !release.is_empty())
}

/// Bytes, also within a call of `bytearray`.
pub fn raw_bytes(machine: &Machine, value: Value) -> Option<&[u8]> {
    match machine.heap.as_node(value)? {
        Node::Bytes(bytes) => Some(bytes),
        Node::Object(object) => match machine.heap.as_tuple(object.args)? {
            [bytes] => match machine.heap.as_node(*bytes)? {
                Node::Bytes(bytes) => Some(bytes),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

fn xgboost_version(model: &[u8]) -> Option<String> {
    let at = model.windows(XGBOOST_VERSION.len()).position(|window| window == XGBOOST_VERSION)?;
    match model.get(at + XGBOOST_VERSION.len()..)? {
        // Small numbers, each after the letter of its type.
        [b'i' | b'U', major, b'i' | b'U', minor, b'i' | b'U', patch, ..] => {
            Some(format!("{major}.{minor}.{patch}"))
        }
        _ => None,
    }
}
