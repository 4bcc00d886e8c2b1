//! numpy's dtypes, as far as they say what an array's bytes are.
//!
//! numpy believes what a pickled dtype says of itself: one that has objects and says that it has none makes pointers of bytes
//! that the file chose. So a dtype is followed only when all that it says agrees, and is reported otherwise.

use crate::pickle::machine::Machine;
use crate::pickle::value::{Node, Value};

/// The class.
pub const CLASS: (&str, &str) = ("numpy", "dtype");
/// What is said of a dtype that does not agree with itself.
pub const ODD_DTYPE: &str = "a numpy dtype that is written as numpy never writes it";
/// numpy's flags of a dtype that holds Python objects, and is therefore pickled as a list.
const OBJECT_FLAGS: i64 = 0x01 | 0x02;
/// Dtypes within dtypes are followed so deep.
const MAX_DEPTH: usize = 8;

/// What an item of an array is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// So many bytes.
    Raw(u64),
    /// Python objects.
    Objects,
}

/// True for what a call of `numpy.dtype` made.
pub fn is_dtype(machine: &Machine, value: Value) -> bool {
    let Some(Value::Global(place)) = machine.heap.as_object(value).map(|object| object.callee) else {
        return false;
    };
    machine.findings.at(place).is_some_and(|import| (&*import.module, &*import.name) == CLASS)
}

/// What an item of this dtype is; `None` when it is not written as numpy writes it.
pub fn content(machine: &Machine, dtype: Value) -> Option<Content> {
    nested(machine, dtype, 0)
}

fn nested(machine: &Machine, dtype: Value, depth: usize) -> Option<Content> {
    let heap = &machine.heap;
    let object = heap.as_object(dtype).filter(|object| object.builds == 1 && depth < MAX_DEPTH)?;
    if !is_dtype(machine, dtype) {
        return None;
    }
    let &[code, Value::Bool(false) | Value::Int(0), Value::Bool(true) | Value::Int(1)] =
        heap.as_tuple(object.args)?
    else {
        return None;
    };
    let &[Value::Int(3 | 4), _, array, names, fields, Value::Int(size), _, Value::Int(flags), ..] =
        heap.as_tuple(object.state)?
    else {
        return None;
    };
    let content = from_code(heap.as_text(code)?, size, flags)?;
    let parts = match (array, names, fields) {
        (Value::None, Value::None, Value::None) => return Some(content),
        (array, Value::None, Value::None) => array_bytes(machine, array, depth)?,
        (Value::None, _, fields) => fields_end(machine, fields, depth)?,
        _ => return None,
    };
    let Content::Raw(total) = from_code(heap.as_text(code)?, size, 0)? else { return None };
    match (parts, content) {
        (Parts { end, has_objects: false }, Content::Raw(_)) if end <= total => Some(content),
        (Parts { end, has_objects: true }, Content::Objects) if end <= total => Some(content),
        _ => None,
    }
}

/// What the parts of a dtype come to.
struct Parts {
    end: u64,
    has_objects: bool,
}

/// An item that is itself an array: its dtype, and a shape.
fn array_bytes(machine: &Machine, array: Value, depth: usize) -> Option<Parts> {
    let &[base, shape] = machine.heap.as_tuple(array)? else { return None };
    let Content::Raw(bytes) = nested(machine, base, depth + 1)? else { return None };
    let shape = match shape {
        Value::Int(len) => vec![u64::try_from(len).ok()?],
        _ => machine.heap.as_shape(shape)?,
    };
    let end = shape.iter().try_fold(bytes, |bytes, len| bytes.checked_mul(*len))?;
    Some(Parts { end, has_objects: false })
}

/// A record: its fields, each a dtype and an offset.
fn fields_end(machine: &Machine, fields: Value, depth: usize) -> Option<Parts> {
    let Some(Node::Dict(pairs)) = machine.heap.as_node(fields) else { return None };
    let mut parts = Parts { end: 0, has_objects: false };
    for (_, field) in pairs.whole()? {
        let [dtype, Value::Int(offset), ..] = machine.heap.as_tuple(*field)? else { return None };
        let bytes = match nested(machine, *dtype, depth + 1)? {
            Content::Raw(bytes) => bytes,
            Content::Objects => {
                parts.has_objects = true;
                8
            }
        };
        parts.end = parts.end.max(u64::try_from(*offset).ok()?.checked_add(bytes)?);
    }
    Some(parts)
}

/// From numpy's code (`f8`, `U10`), and what the state says beside it.
fn from_code(code: &str, size: i64, flags: i64) -> Option<Content> {
    let kind = code.chars().next()?;
    let number: i64 = code.get(1..)?.parse().ok().filter(|number| (0..=1 << 31).contains(number))?;
    let objects = flags & OBJECT_FLAGS;
    let bytes = if kind == 'U' { number * 4 } else { number };
    match kind {
        'O' if objects == OBJECT_FLAGS => Some(Content::Objects),
        'V' if objects == OBJECT_FLAGS && size == bytes => Some(Content::Objects),
        'b' | 'i' | 'u' | 'f' | 'c' | 'm' | 'M' if objects == 0 && size == -1 && number > 0 => {
            Some(Content::Raw(bytes as u64))
        }
        'S' | 'U' | 'V' if objects == 0 && size == bytes => Some(Content::Raw(bytes as u64)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_item_is_follows_from_code_and_state_that_agree() {
        assert_eq!(from_code("f8", -1, 0), Some(Content::Raw(8)));
        assert_eq!(from_code("U10", 40, 8), Some(Content::Raw(40)));
        assert_eq!(from_code("V64", 64, 16), Some(Content::Raw(64)));
        assert_eq!(from_code("O8", -1, 63), Some(Content::Objects));
        assert_eq!(from_code("V16", 16, 27), Some(Content::Objects));
        for (code, size, flags) in [
            ("S5", 500, 0),
            ("f8", 4, 0),
            ("f8", -1, 63),
            ("O8", -1, 1),
            ("f", -1, 0),
            ("V99999999999", -1, 0),
        ] {
            assert_eq!(from_code(code, size, flags), None, "{code}");
        }
    }
}
