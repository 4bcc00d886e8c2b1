//! numpy's arrays and scalars with their content, in each of the ways in which they are written: by `_reconstruct` and `BUILD`,
//! by protocol 5's `_frombuffer`, by joblib behind a wrapper, and to files of their own.

use std::borrow::Cow;

use crate::pickle::layout::{Kind, Layout, layout};
use crate::pickle::machine::Machine;
use crate::pickle::npy::Npy;
use crate::pickle::value::{Node, Object, RawArray, Value};

/// Modules of numpy that make arrays, before and since its version 2.
const CORES: &[&str] = &["numpy._core.", "numpy.core."];
/// Whole numbers up to this size are float64 numbers.
const MAX_EXACT: i64 = 1 << 53;

/// An array, or a field of one.
#[derive(Debug, Clone)]
pub struct Array<'a> {
    /// Its dimensions.
    pub shape: Vec<usize>,
    content: Content<'a>,
}

#[derive(Debug, Clone)]
enum Content<'a> {
    Objects(&'a [Value]),
    Raw { layout: Layout, bytes: Cow<'a, [u8]>, places: Vec<usize> },
}

/// Reads an array; `None` when it is none, or written as numpy and joblib never write it.
pub fn array(machine: &Machine, value: Value) -> Option<Array<'_>> {
    match machine.heap.as_node(value)? {
        Node::Array(raw) => of_joblib(machine, raw),
        Node::Npy(npy) => of_file(npy),
        Node::Objects { shape, items } => {
            Some(Array { shape: shape.clone(), content: Content::Objects(items.whole()?) })
        }
        Node::Object(object) => match (called(machine, object)?, object.builds) {
            ("multiarray._reconstruct", 1) => of_state(machine, object),
            ("numeric._frombuffer", 0) => of_buffer(machine, object),
            _ => None,
        },
        _ => None,
    }
}

/// Reads a scalar as an array without dimensions, which is how a file of its own has one.
pub fn scalar(machine: &Machine, value: Value) -> Option<Array<'_>> {
    if let Some(Node::Npy(npy)) = machine.heap.as_node(value) {
        return of_file(npy).filter(|array| array.shape.is_empty());
    }
    let object = machine.heap.as_object(value)?;
    match (called(machine, object)?, object.builds, machine.heap.as_tuple(object.args)?) {
        ("multiarray.scalar", 0, &[dtype, bytes]) => {
            Array::new(vec![], layout(machine, dtype)?, bytes_of(machine, bytes)?, false)
        }
        _ => None,
    }
}

/// What of numpy's core made an object.
fn called<'a>(machine: &'a Machine, object: &Object) -> Option<&'a str> {
    let Value::Global(place) = object.callee else { return None };
    let import = machine.findings.at(place)?;
    if object.has_items {
        return None;
    }
    let part = CORES.iter().find_map(|core| import.module.strip_prefix(core))?;
    ["multiarray._reconstruct", "numeric._frombuffer", "multiarray.scalar"]
        .into_iter()
        .find(|known| known.split_once('.') == Some((part, &import.name)))
}

fn is_ndarray(machine: &Machine, class: Value) -> bool {
    let Value::Global(place) = class else { return false };
    machine.findings.at(place).is_some_and(|import| (&*import.module, &*import.name) == ("numpy", "ndarray"))
}

fn of_joblib<'a>(machine: &'a Machine, raw: &'a RawArray) -> Option<Array<'a>> {
    let heap = &machine.heap;
    let wrapper = heap.as_object(raw.wrapper)?.state;
    if !is_ndarray(machine, heap.key(wrapper, "subclass")?) {
        return None;
    }
    let is_fortran = order(heap.as_text(heap.key(wrapper, "order")?)?)?;
    let layout = layout(machine, heap.key(wrapper, "dtype")?)?;
    Array::new(dimensions(&raw.shape)?, layout, Cow::Borrowed(raw.bytes.as_deref()?), is_fortran)
}

fn of_file(npy: &Npy) -> Option<Array<'_>> {
    Array::new(npy.shape.clone(), npy.layout.clone(), Cow::Borrowed(&npy.bytes), npy.is_fortran)
}

fn of_state<'a>(machine: &'a Machine, object: &Object) -> Option<Array<'a>> {
    let heap = &machine.heap;
    let &[class, ..] = heap.as_tuple(object.args)? else { return None };
    let &[Value::Int(1), shape, dtype, Value::Bool(is_fortran), content] = heap.as_tuple(object.state)?
    else {
        return None;
    };
    let shape = dimensions(&heap.as_shape(shape)?)?;
    let layout = layout(machine, dtype)?;
    if !is_ndarray(machine, class) {
        return None;
    }
    if layout.kind != Kind::Object {
        return Array::new(shape, layout, bytes_of(machine, content)?, is_fortran);
    }
    let items = heap.as_list(content)?.whole()?;
    let is_whole = shape.iter().try_fold(1_usize, |size, len| size.checked_mul(*len)) == Some(items.len());
    (is_whole && !(is_fortran && shape.len() > 1))
        .then_some(Array { shape, content: Content::Objects(items) })
}

fn of_buffer<'a>(machine: &'a Machine, object: &Object) -> Option<Array<'a>> {
    let heap = &machine.heap;
    let &[bytes, dtype, shape, named] = heap.as_tuple(object.args)? else { return None };
    let is_fortran = order(heap.as_text(named)?)?;
    let shape = dimensions(&heap.as_shape(shape)?)?;
    Array::new(shape, layout(machine, dtype)?, bytes_of(machine, bytes)?, is_fortran)
}

/// True for Fortran's order.
fn order(name: &str) -> Option<bool> {
    match name {
        "C" => Some(false),
        "F" => Some(true),
        _ => None,
    }
}

/// Bytes, which protocols before 3 write as a text of as many characters.
fn bytes_of(machine: &Machine, value: Value) -> Option<Cow<'_, [u8]>> {
    let heap = &machine.heap;
    let object = match heap.as_node(value)? {
        Node::Bytes(bytes) => return Some(Cow::Borrowed(bytes)),
        Node::Object(object) if object.builds == 0 && !object.has_items => object,
        _ => return None,
    };
    let Value::Global(place) = object.callee else { return None };
    let import = machine.findings.at(place)?;
    match (&*import.module, &*import.name, heap.as_tuple(object.args)?) {
        ("_codecs", "encode", &[text, encoding]) if heap.as_text(encoding)? == "latin1" => {
            let codes = heap.as_text(text)?.chars().map(|c| u8::try_from(u32::from(c)).ok());
            codes.collect::<Option<Vec<u8>>>().map(Cow::Owned)
        }
        ("builtins" | "__builtin__", "bytes", []) => Some(Cow::Borrowed(&[])),
        _ => None,
    }
}

fn dimensions(shape: &[u64]) -> Option<Vec<usize>> {
    shape.iter().map(|len| usize::try_from(*len).ok()).collect()
}

impl<'a> Array<'a> {
    fn new(shape: Vec<usize>, layout: Layout, bytes: Cow<'a, [u8]>, is_fortran: bool) -> Option<Self> {
        let count = shape.iter().try_fold(1_usize, |size, len| size.checked_mul(*len))?;
        let size = layout.size;
        if layout.kind == Kind::Object || count.checked_mul(size)? != bytes.len() {
            return None;
        }
        let places = if is_fortran && shape.len() > 1 { turned(&shape, count) } else { (0..count).collect() };
        let places = places.into_iter().map(|place| place * size).collect();
        Some(Self { shape, content: Content::Raw { layout, bytes, places } })
    }

    /// Python's objects in it, in C order.
    pub(super) fn objects(&self) -> Option<&'a [Value]> {
        match self.content {
            Content::Objects(items) => Some(items),
            Content::Raw { .. } => None,
        }
    }

    /// A field of records.
    pub fn field(&self, name: &str) -> Option<Array<'_>> {
        let Content::Raw { layout: Layout { kind: Kind::Record(fields), .. }, bytes, places } = &self.content
        else {
            return None;
        };
        let (_, offset, layout) = fields.iter().find(|(field, ..)| field == name)?;
        let places = places.iter().map(|place| place + offset).collect();
        let content = Content::Raw { layout: layout.clone(), bytes: Cow::Borrowed(bytes), places };
        Some(Array { shape: self.shape.clone(), content })
    }

    /// True for float32 numbers.
    pub fn is_single(&self) -> bool {
        matches!(&self.content, Content::Raw { layout, .. } if layout.kind == Kind::Float && layout.size == 4)
    }

    /// Its numbers in C order; `None` when they are no numbers, or not the same as float64.
    pub fn numbers(&self) -> Option<Vec<f64>> {
        let Content::Raw { layout, .. } = &self.content else { return None };
        match (&layout.kind, layout.size) {
            (Kind::Float, 8) => self.items(f64::from_le_bytes),
            (Kind::Float, 4) => self.items(|bytes| f64::from(f32::from_le_bytes(bytes))),
            _ => {
                let whole = self.integers()?;
                let is_exact = whole.iter().all(|number| (-MAX_EXACT..=MAX_EXACT).contains(number));
                is_exact.then(|| whole.into_iter().map(|number| number as f64).collect())
            }
        }
    }

    /// Its whole numbers in C order.
    pub fn integers(&self) -> Option<Vec<i64>> {
        let Content::Raw { layout, .. } = &self.content else { return None };
        match (&layout.kind, layout.size) {
            (Kind::Signed, 1) => self.items(|bytes| i64::from(i8::from_le_bytes(bytes))),
            (Kind::Signed, 2) => self.items(|bytes| i64::from(i16::from_le_bytes(bytes))),
            (Kind::Signed, 4) => self.items(|bytes| i64::from(i32::from_le_bytes(bytes))),
            (Kind::Signed, 8) => self.items(i64::from_le_bytes),
            (Kind::Unsigned, 1) => self.items(|bytes| i64::from(u8::from_le_bytes(bytes))),
            (Kind::Unsigned, 2) => self.items(|bytes| i64::from(u16::from_le_bytes(bytes))),
            (Kind::Unsigned, 4) => self.items(|bytes| i64::from(u32::from_le_bytes(bytes))),
            (Kind::Unsigned, 8) => {
                let wide = self.items(u64::from_le_bytes)?;
                wide.into_iter().map(|number| i64::try_from(number).ok()).collect()
            }
            _ => None,
        }
    }

    /// Its truths in C order.
    pub fn flags(&self) -> Option<Vec<bool>> {
        let Content::Raw { layout, .. } = &self.content else { return None };
        if layout.kind != Kind::Bool {
            return None;
        }
        self.items(|[byte]: [u8; 1]| byte != 0)
    }

    /// Its texts in C order, where the array itself has them.
    pub fn texts(&self) -> Option<Vec<String>> {
        let Content::Raw { layout, bytes, places } = &self.content else { return None };
        if layout.kind != Kind::Text {
            return None;
        }
        let text = |place: &usize| {
            let codes = bytes[*place..place + layout.size].chunks_exact(4).map(|code| {
                let code = [code[0], code[1], code[2], code[3]];
                if layout.is_big_endian { u32::from_be_bytes(code) } else { u32::from_le_bytes(code) }
            });
            let text: Option<String> = codes.map(char::from_u32).collect();
            Some(text?.trim_end_matches('\0').to_owned())
        };
        places.iter().map(text).collect()
    }

    /// Each item by its bytes, the least significant first. They lie within the array, as was checked when it was made.
    fn items<const N: usize, T>(&self, read: impl Fn([u8; N]) -> T) -> Option<Vec<T>> {
        let Content::Raw { layout, bytes, places } = &self.content else { return None };
        let item = |place: &usize| {
            let mut item: [u8; N] = bytes.get(*place..place + N)?.try_into().ok()?;
            if layout.is_big_endian {
                item.reverse();
            }
            Some(read(item))
        };
        places.iter().map(item).collect()
    }
}

/// For each item in C order, which one it is in Fortran's.
fn turned(shape: &[usize], count: usize) -> Vec<usize> {
    let place = |mut index: usize| {
        let mut step = count;
        let mut place = 0;
        for len in shape.iter().rev() {
            step /= len;
            place += index % len * step;
            index /= len;
        }
        place
    };
    (0..count).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_index_runs_fastest_in_fortran_s_order() {
        assert_eq!(turned(&[2, 3], 6), [0, 2, 4, 1, 3, 5]);
        assert_eq!(turned(&[2, 2, 2], 8), [0, 4, 2, 6, 1, 5, 3, 7]);
        assert_eq!(turned(&[3, 0], 0), Vec::<usize>::new());
    }

    #[test]
    fn numbers_are_read_in_both_byte_orders_and_only_where_they_stay_the_same() {
        let read = |kind, size, is_big_endian, bytes: &[u8]| {
            let layout = Layout { kind, size, is_big_endian };
            let array = Array::new(vec![bytes.len() / size], layout, Cow::Borrowed(bytes), false).unwrap();
            (array.numbers(), array.integers())
        };
        assert_eq!(read(Kind::Float, 8, true, &1.5_f64.to_be_bytes()), (Some(vec![1.5]), None));
        assert_eq!(read(Kind::Signed, 2, false, &[0xfe, 0xff]), (Some(vec![-2.0]), Some(vec![-2])));
        let large = (1_i64 << 53) + 1;
        assert_eq!(read(Kind::Signed, 8, false, &large.to_le_bytes()), (None, Some(vec![large])));
        assert_eq!(read(Kind::Unsigned, 8, false, &[0xff; 8]), (None, None));
        assert_eq!(read(Kind::Text, 4, false, &[97, 0, 0, 0]), (None, None));
    }
}
