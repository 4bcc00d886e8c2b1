//! Arrays as numpy writes them to files of their own (`numpy.lib.format`): how their items lie, records included.

use serde_json::Value as Json;

use crate::pickle::layout::{Kind, Layout};

/// How every such file begins.
const MAGIC: &[u8] = b"\x93NUMPY";

/// An array of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Npy {
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// How an item is read.
    pub layout: Layout,
    /// True when the first index runs fastest.
    pub is_fortran: bool,
    /// Its items.
    pub bytes: Vec<u8>,
}

/// Reads a file; `None` when it is damaged, or of a kind that models are not made of.
pub fn read(file: &[u8]) -> Option<Npy> {
    let (version, rest) = file.strip_prefix(MAGIC)?.split_first_chunk::<2>()?;
    let (length, rest) = match version[0] {
        1 => rest.split_first_chunk::<2>().map(|(n, rest)| (usize::from(u16::from_le_bytes(*n)), rest))?,
        2 | 3 => rest.split_first_chunk::<4>().map(|(n, rest)| (u32::from_le_bytes(*n) as usize, rest))?,
        _ => return None,
    };
    let (header, bytes) = rest.split_at_checked(length)?;
    let header = json(str::from_utf8(header).ok()?)?;
    let size = |size: &Json| usize::try_from(size.as_u64()?).ok();
    Some(Npy {
        shape: header["shape"].as_array()?.iter().map(size).collect::<Option<_>>()?,
        layout: layout(&header["descr"])?,
        is_fortran: header["fortran_order"].as_bool()?,
        bytes: bytes.to_vec(),
    })
}

/// The header, a literal of Python, as JSON. Names in it that have what would be read otherwise are of no model.
fn json(literal: &str) -> Option<Json> {
    if literal.contains(['"', '\\']) {
        return None;
    }
    let text = literal.trim().replace('\'', "\"").replace('(', "[").replace(')', "]");
    let text = text.replace("True", "true").replace("False", "false");
    let text = text.replace(",]", "]").replace(", ]", "]").replace(", }", "}").replace(",}", "}");
    serde_json::from_str(&text).ok()
}

/// A type such as `<f8`, or a list of fields, each a name and a type, one after the other.
fn layout(descr: &Json) -> Option<Layout> {
    let Some(fields) = descr.as_array() else { return plain(descr.as_str()?) };
    let (mut list, mut size) = (Vec::new(), 0_usize);
    for field in fields {
        let [name, kind] = field.as_array()?.as_slice() else { return None };
        let layout = plain(kind.as_str()?)?;
        let offset = size;
        size = size.checked_add(layout.size)?;
        // Without a name it only fills up.
        if !name.as_str()?.is_empty() {
            list.push((name.as_str()?.to_owned(), offset, layout));
        }
    }
    Some(Layout { kind: Kind::Record(list), size, is_big_endian: false })
}

fn plain(code: &str) -> Option<Layout> {
    let (order, kind) = (code.chars().next()?, code.chars().nth(1)?);
    let number: usize = code.get(2..)?.parse().ok()?;
    let is_big_endian = match order {
        '<' | '|' => false,
        '>' => true,
        _ => return None,
    };
    let (kind, size) = match (kind, number) {
        ('b', 1) => (Kind::Bool, 1),
        ('i', 1 | 2 | 4 | 8) => (Kind::Signed, number),
        ('u', 1 | 2 | 4 | 8) => (Kind::Unsigned, number),
        ('f', 4 | 8) => (Kind::Float, number),
        ('U', _) => (Kind::Text, number.checked_mul(4)?),
        // Bytes between fields.
        ('V', _) => (Kind::Record(Vec::new()), number),
        _ => return None,
    };
    Some(Layout { kind, size, is_big_endian })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, bytes: &[u8]) -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        file.extend([1, 0]);
        file.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
        file.extend(header.as_bytes());
        file.extend(bytes);
        file
    }

    #[test]
    fn a_header_is_read_as_numpy_writes_it() {
        let npy =
            read(&file("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }   \n", &[0; 8])).unwrap();
        assert_eq!((npy.shape, npy.layout.kind, npy.is_fortran), (vec![1], Kind::Float, false));
        let npy = read(&file("{'descr': '|b1', 'fortran_order': True, 'shape': (), }", &[1])).unwrap();
        assert_eq!((npy.shape, npy.layout.size, npy.is_fortran), (vec![], 1, true));
        let fields = "[('left', '<i8'), ('', '|V4'), ('value', '<f4')]";
        let npy =
            read(&file(&format!("{{'descr': {fields}, 'fortran_order': False, 'shape': (0, 2), }}"), &[]));
        let npy = npy.unwrap();
        let Kind::Record(fields) = npy.layout.kind else { panic!("{:?}", npy.layout) };
        assert_eq!((fields[1].0.as_str(), fields[1].1, npy.layout.size), ("value", 12, 16));
        for damaged in ["{'descr': '|O', 'fortran_order': False, 'shape': (), }", "{'descr': \"<f8\"}", "{"] {
            assert_eq!(read(&file(damaged, &[])), None);
        }
    }
}
