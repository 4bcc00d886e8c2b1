//! How the bytes of an array's item are read, by its dtype: numbers, texts, and records of them.

use crate::pickle::dtype;
use crate::pickle::machine::Machine;
use crate::pickle::value::{Node, Value};

/// How an item is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// What it is.
    pub kind: Kind,
    /// How many bytes it takes.
    pub size: usize,
    /// True where the most significant byte comes first.
    pub is_big_endian: bool,
}

/// What an item is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `b1`
    Bool,
    /// A whole number with a sign.
    Signed,
    /// … without one.
    Unsigned,
    /// A float.
    Float,
    /// A text of four bytes for each character.
    Text,
    /// A Python object.
    Object,
    /// Named fields, each at an offset.
    Record(Vec<(String, usize, Layout)>),
}

/// Reads a dtype; `None` where it is not written as numpy writes it, or is of a kind that models are not made of.
pub fn layout(machine: &Machine, value: Value) -> Option<Layout> {
    // Checks that everything agrees, fields within the item included.
    dtype::content(machine, value)?;
    plain(machine, value, true)
}

fn plain(machine: &Machine, value: Value, may_have_fields: bool) -> Option<Layout> {
    let heap = &machine.heap;
    let object = heap.as_object(value).filter(|object| object.builds == 1 && !object.has_items)?;
    let code = heap.as_text(*heap.as_tuple(object.args)?.first()?)?;
    let &[_, order, Value::None, _, fields, ..] = heap.as_tuple(object.state)? else { return None };
    let number: usize = code.get(1..)?.parse().ok()?;
    let is_big_endian = match heap.as_text(order)? {
        "<" | "|" => false,
        ">" => true,
        _ => return None,
    };
    let kind = match (code.chars().next()?, number) {
        ('b', 1) => Kind::Bool,
        ('i', 1 | 2 | 4 | 8) => Kind::Signed,
        ('u', 1 | 2 | 4 | 8) => Kind::Unsigned,
        ('f', 4 | 8) => Kind::Float,
        ('U', _) => Kind::Text,
        ('O', _) => Kind::Object,
        ('V', _) if may_have_fields => Kind::Record(record(machine, fields)?),
        _ => return None,
    };
    let size = if kind == Kind::Text { number.checked_mul(4)? } else { number };
    Some(Layout { kind, size, is_big_endian })
}

fn record(machine: &Machine, fields: Value) -> Option<Vec<(String, usize, Layout)>> {
    let Some(Node::Dict(pairs)) = machine.heap.as_node(fields) else { return None };
    let field = |(name, field): &(Value, Value)| {
        let &[dtype, Value::Int(offset), ..] = machine.heap.as_tuple(*field)? else { return None };
        let name = machine.heap.as_text(*name)?.to_owned();
        Some((name, usize::try_from(offset).ok()?, plain(machine, dtype, false)?))
    };
    pairs.whole()?.iter().map(field).collect()
}
