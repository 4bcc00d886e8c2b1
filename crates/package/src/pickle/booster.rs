//! The booster in a pickled XGBoost model: the bytes that XGBoost itself wrote, taken out without running anything.

use std::path::Path;

use modelet_core::FunctionError;

use crate::pickle::container::Container;
use crate::pickle::inspection::ClassName;
use crate::pickle::limits::MAX_BOOSTER_BYTES;
use crate::pickle::machine::Machine;
use crate::pickle::stream::{Damage, Stream};
use crate::pickle::value::Value;
use crate::pickle::{damaged, refused, summary, unreadable};

/// XGBoost's own model within a Python object.
#[derive(Debug)]
pub struct Booster {
    /// The class of the object.
    pub class: ClassName,
    /// What XGBoost wrote: a snapshot of the model and its configuration.
    pub bytes: Vec<u8>,
    /// The number that stands for a missing one; NaN unless the user chose another.
    pub missing: f64,
}

/// Takes the booster out of a file of which [`inspect`](super::inspect) says that it holds one; `None` when it does not.
///
/// # Errors
/// `model-refused` when the file is damaged, or the booster is too large or not where it should be.
pub fn booster(path: &Path) -> Result<Option<Booster>, FunctionError> {
    let container = Container::of(path).map_err(|error| unreadable(path, &error))?;
    let mut machine = Machine::new();
    let read = container.read(path, |inner| {
        let mut stream = Stream::new(inner);
        stream.kept_bytes = MAX_BOOSTER_BYTES + 1;
        machine.run(&mut stream)
    });
    let root: Result<Value, Damage> = read.map_err(|error| unreadable(path, &error))?.0;
    let root = root.map_err(|damage| damaged(path, &machine, &damage))?;
    let Some(class) = summary::class_of(&machine, root).filter(|class| class.module.starts_with("xgboost."))
    else {
        return Ok(None);
    };
    let unfound = |what: &str| refused(format!("{}: the {} has no {what}", path.display(), class.name));
    let heap = &machine.heap;
    let inner = heap.attribute(root, "_Booster").unwrap_or(root);
    let handle = heap.attribute(inner, "handle").ok_or_else(|| unfound("booster: was it fitted?"))?;
    let bytes = summary::raw_bytes(&machine, handle).ok_or_else(|| unfound("booster that can be read"))?;
    if bytes.len() as u64 > MAX_BOOSTER_BYTES {
        return Err(refused(format!(
            "{}: the booster is larger than {MAX_BOOSTER_BYTES} bytes",
            path.display()
        )));
    }
    let missing = match heap.attribute(root, "missing") {
        None | Some(Value::None) => f64::NAN,
        Some(Value::Float(bits)) => f64::from_bits(bits),
        Some(Value::Int(number)) => number as f64,
        Some(_) => return Err(unfound("plain number as missing")),
    };
    Ok(Some(Booster { bytes: bytes.to_vec(), missing, class }))
}
