//! joblib's arrays: after a wrapper object stand the bytes of its array, raw, amid the pickle.
//!
//! How many bytes that are must be known exactly: one more or less, and what is read here as data is code to Python. So a
//! wrapper and its dtype are followed only when they are written exactly as joblib and numpy write them.

use crate::pickle::machine::{Dialect, Machine};
use crate::pickle::stream::{Read, Stream};
use crate::pickle::value::{Node, Value};

/// The wrapper's class.
const CLASS: (&str, &str) = ("joblib.numpy_pickle", "NumpyArrayWrapper");
/// What is said of a wrapper's class anywhere but where joblib puts it.
pub const ODD_WRAPPER: &str = "joblib's array wrapper, used as joblib never uses it";
/// What else a wrapper's state may hold.
const OTHER_KEYS: &[&str] = &["subclass", "shape", "order", "dtype", "allow_mmap", PADDING];
/// The wrapper's attribute that says whether padding stands before the bytes.
const PADDING: &str = "numpy_array_alignment_bytes";
/// numpy's flag of a dtype that holds Python objects.
const HAS_OBJECT: i64 = 1;

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
    let Some(item_bytes) = plan.item_bytes else {
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
    stream.skip(size_bytes.ok_or_else(|| stream.damage("an array is larger than any memory"))?)?;
    Ok(machine.heap.node(Node::Array(plan.shape)))
}

struct Plan {
    shape: Vec<u64>,
    /// `None`: objects, which stand there as a pickle of their own.
    item_bytes: Option<u64>,
    has_padding: bool,
}

fn plan(machine: &Machine, wrapper: Value) -> Option<Plan> {
    let heap = &machine.heap;
    let object = heap.as_object(wrapper).filter(|object| object.builds == 1)?;
    let Some(Node::Dict(pairs)) = heap.as_node(object.state) else { return None };
    let names: Option<Vec<_>> = pairs.whole()?.iter().map(|(key, _)| heap.as_text(*key)).collect();
    if names?.iter().any(|name| !OTHER_KEYS.contains(name)) {
        return None;
    }
    let has_padding = match heap.key(object.state, PADDING) {
        None | Some(Value::None) => false,
        Some(Value::Int(_)) => true,
        Some(_) => return None,
    };
    let shape = heap.as_shape(heap.key(object.state, "shape")?)?;
    let item_bytes = item_bytes(machine, heap.key(object.state, "dtype")?)?;
    Some(Plan { shape, item_bytes, has_padding })
}

/// The size of one item of a dtype; `Some(None)` for objects, `None` when it cannot be told.
fn item_bytes(machine: &Machine, dtype: Value) -> Option<Option<u64>> {
    let heap = &machine.heap;
    let object = heap.as_object(dtype).filter(|object| object.builds == 1)?;
    let Value::Global(place) = object.callee else { return None };
    let import = machine.findings.at(place)?;
    if (&*import.module, &*import.name) != ("numpy", "dtype") {
        return None;
    }
    let &[code, Value::Bool(false) | Value::Int(0), Value::Bool(true) | Value::Int(1)] =
        heap.as_tuple(object.args)?
    else {
        return None;
    };
    let state = heap.as_tuple(object.state)?;
    let &[Value::Int(3 | 4), _, Value::None, _, fields, Value::Int(size), _, Value::Int(flags), ..] = state
    else {
        return None;
    };
    from_code(heap.as_text(code)?, size, flags, fields != Value::None)
}

/// From numpy's code (`f8`, `U10`), and what the state says beside it. The two must agree.
fn from_code(code: &str, size: i64, flags: i64, has_fields: bool) -> Option<Option<u64>> {
    let kind = code.chars().next()?;
    let number: i64 = code.get(1..)?.parse().ok().filter(|number| (0..=1 << 31).contains(number))?;
    match kind {
        'O' => (flags & HAS_OBJECT != 0 && !has_fields).then_some(None),
        'b' | 'i' | 'u' | 'f' | 'c' | 'm' | 'M' => {
            (size == -1 && flags & HAS_OBJECT == 0 && !has_fields && number > 0)
                .then_some(Some(number as u64))
        }
        'S' | 'U' | 'V' => {
            let bytes = if kind == 'U' { number * 4 } else { number };
            let has_objects = kind == 'V' && flags & HAS_OBJECT != 0;
            (size == bytes && (has_objects || flags & HAS_OBJECT == 0))
                .then_some((!has_objects).then_some(bytes as u64))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_from_code_and_state_that_agree() {
        assert_eq!(from_code("f8", -1, 0, false), Some(Some(8)));
        assert_eq!(from_code("U10", 40, 8, false), Some(Some(40)));
        assert_eq!(from_code("V64", 64, 16, true), Some(Some(64)));
        assert_eq!(from_code("O8", -1, 63, false), Some(None));
        assert_eq!(from_code("V16", 16, 27, true), Some(None));
        for (code, size, flags) in
            [("S5", 500, 0), ("f8", 4, 0), ("f8", -1, 63), ("f", -1, 0), ("e99999999999", -1, 0)]
        {
            assert_eq!(from_code(code, size, flags, false), None, "{code}");
        }
    }
}
