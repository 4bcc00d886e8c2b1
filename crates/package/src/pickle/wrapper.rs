//! joblib's arrays: after a wrapper object stand the bytes of its array, raw, amid the pickle.
//!
//! How many bytes that are must be known exactly: one more or less, and what is read here as data is code to Python. So a
//! wrapper and its dtype are followed only when they are written exactly as joblib and numpy write them.

use crate::pickle::dtype::{self, Content};
use crate::pickle::machine::{Dialect, Machine};
use crate::pickle::stream::{Read, Stream};
use crate::pickle::value::{Node, RawArray, Value};

/// The wrapper's class.
pub const CLASS: (&str, &str) = ("joblib.numpy_pickle", "NumpyArrayWrapper");
/// What is said of a wrapper's class anywhere but where joblib puts it.
pub const ODD_WRAPPER: &str = "joblib's array wrapper, used as joblib never uses it";
/// What a wrapper's state may hold.
const KEYS: &[&str] = &["subclass", "shape", "order", "dtype", "allow_mmap", PADDING];
/// The wrapper's attribute that says whether padding stands before the bytes.
const PADDING: &str = "numpy_array_alignment_bytes";

/// True for the class itself.
pub fn is_wrapper_class(machine: &Machine, value: Value) -> bool {
    let Value::Global(place) = value else { return false };
    machine.findings.at(place).is_some_and(|import| (&*import.module, &*import.name) == CLASS)
}

/// Passes over the array that follows a wrapper, and returns what stands for it.
pub fn read_array(machine: &mut Machine, wrapper: Value, stream: &mut Stream) -> Read<Value> {
    if machine.dialect == Dialect::Nested || stream.is_in_frame() {
        return Err(stream.damage(ODD_WRAPPER));
    }
    let plan = plan(machine, wrapper)
        .ok_or_else(|| stream.damage("an array is described in a way that joblib and numpy never use"))?;
    machine.arrays += 1;
    let Content::Raw(item_bytes) = plan.content else {
        machine.dialect = Dialect::Nested;
        let array = machine.run(stream)?;
        machine.dialect = Dialect::Joblib;
        return Ok(array);
    };
    if plan.has_padding {
        let padding = stream.byte()?;
        stream.skip(padding.into())?;
    }
    let size_bytes = plan.shape.iter().try_fold(item_bytes, |size, len| size.checked_mul(*len));
    let size_bytes = size_bytes.filter(|size| i64::try_from(*size).is_ok());
    let size_bytes = size_bytes.ok_or_else(|| stream.damage("an array is larger than any memory"))?;
    let bytes = stream.whole(size_bytes)?;
    Ok(machine.heap.node(Node::Array(RawArray { shape: plan.shape, wrapper, bytes })))
}

struct Plan {
    shape: Vec<u64>,
    /// Objects stand there as a pickle of their own.
    content: Content,
    has_padding: bool,
}

fn plan(machine: &Machine, wrapper: Value) -> Option<Plan> {
    let heap = &machine.heap;
    let object = heap.as_object(wrapper).filter(|object| object.builds == 1)?;
    let Some(Node::Dict(pairs)) = heap.as_node(object.state) else { return None };
    let names: Option<Vec<_>> = pairs.whole()?.iter().map(|(key, _)| heap.as_text(*key)).collect();
    if names?.iter().any(|name| !KEYS.contains(name)) {
        return None;
    }
    let has_padding = match heap.key(object.state, PADDING) {
        None | Some(Value::None) => false,
        Some(Value::Int(_)) => true,
        Some(_) => return None,
    };
    let shape = heap.as_shape(heap.key(object.state, "shape")?)?;
    let content = dtype::content(machine, heap.key(object.state, "dtype")?)?;
    Some(Plan { shape, content, has_padding })
}
