//! npy: numpy's file format. A header line in Python's syntax, then the elements as they lie in memory.
//!
//! Versions 1 to 3, both byte orders and both memory orders are read. Objects are not: they are Python pickles, which are
//! programs.

use modelet_core::{Code, DType, Data, FunctionError, Tensor};

use crate::elements::{Order, from_bytes, permuted, to_bytes};
use crate::limit::check_texts;

/// What every npy file begins with.
pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";
/// Longest header that is read. A header holds one dtype and one shape.
const HEADER_LIMIT: usize = 64 << 10;
/// Most dimensions; numpy's own limit is 64.
const RANK_LIMIT: usize = 64;

/// Reads a whole npy body.
pub(crate) fn read(body: &[u8]) -> Result<Tensor, FunctionError> {
    let (header, elements) = split(body)?;
    let header = Header::parse(header)?;
    let count = header.shape.iter().try_fold(1_usize, |n, dim| n.checked_mul(*dim));
    let needed = count.and_then(|n| n.checked_mul(header.element.size_bytes()));
    let Some((count, needed)) = count.zip(needed) else {
        return Err(bad(format!("the npy shape {:?} has more elements than any body", header.shape)));
    };
    if elements.len() != needed {
        return Err(bad(format!(
            "the npy header says {count} elements of {} bytes, which is {needed} bytes, but {} follow it",
            header.element.size_bytes(),
            elements.len()
        )));
    }
    let data = header.element.read(elements, count, header.order)?;
    let data = if header.fortran { row_major(&data, &header.shape) } else { data };
    Tensor::new(header.shape, data).map_err(|error| bad(error.to_string()))
}

/// Writes a tensor as npy, version 1. bfloat16, which numpy does not have, becomes float32.
pub(crate) fn write(tensor: &Tensor) -> Vec<u8> {
    let widest = match tensor.data() {
        Data::Str(texts) => texts.iter().map(|t| t.chars().count()).max().unwrap_or(0).max(1),
        _ => 0,
    };
    let descr = match tensor.dtype() {
        DType::Bool => "|b1".to_owned(),
        DType::I8 => "|i1".to_owned(),
        DType::U8 => "|u1".to_owned(),
        DType::I16 => "<i2".to_owned(),
        DType::I32 => "<i4".to_owned(),
        DType::I64 => "<i8".to_owned(),
        DType::U16 => "<u2".to_owned(),
        DType::U32 => "<u4".to_owned(),
        DType::U64 => "<u8".to_owned(),
        DType::F16 => "<f2".to_owned(),
        DType::BF16 | DType::F32 => "<f4".to_owned(),
        DType::F64 => "<f8".to_owned(),
        DType::Str => format!("<U{widest}"),
    };
    let dims: String = tensor.shape().iter().map(|n| format!("{n},")).collect();
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({dims}), }}");
    // Magic, version, length and header together fill whole blocks of 64 bytes, so that the elements are aligned.
    let padding = 63 - (MAGIC.len() + 4 + header.len()) % 64;
    header.extend(std::iter::repeat_n(' ', padding));
    header.push('\n');
    let mut npy = [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat();
    match tensor.data() {
        Data::Str(texts) => texts.iter().for_each(|text| write_ucs4(&mut npy, text, widest)),
        Data::BF16(v) => npy.extend(v.iter().flat_map(|x| x.to_f32().to_le_bytes())),
        data => to_bytes(data, &mut npy),
    }
    npy
}

/// Bytes of an npy answer's elements, known before it is written.
pub(crate) fn size_bytes(tensor: &Tensor) -> u64 {
    let element = match tensor.data() {
        Data::Str(texts) => 4 * texts.iter().map(|t| t.chars().count()).max().unwrap_or(0).max(1),
        data => data.dtype().size_bytes().unwrap_or(1).max(if data.dtype() == DType::BF16 { 4 } else { 1 }),
    };
    (element as u64).saturating_mul(tensor.len() as u64)
}

fn write_ucs4(npy: &mut Vec<u8>, text: &str, width: usize) {
    let points = text.chars().map(u32::from).chain(std::iter::repeat(0)).take(width);
    npy.extend(points.flat_map(u32::to_le_bytes));
}

fn bad(message: impl Into<String>) -> FunctionError {
    FunctionError::new(Code::BadBody, message)
        .hint("write the array with numpy.save(file, array, allow_pickle=False)")
}

/// Header text and elements.
fn split(body: &[u8]) -> Result<(&str, &[u8]), FunctionError> {
    let cut = || bad("the npy body ends within its header");
    let rest = body
        .strip_prefix(MAGIC)
        .ok_or_else(|| bad("the body is not npy: it does not begin with \\x93NUMPY"))?;
    let ([major, _minor], rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
    let (length, rest) = match major {
        1 => rest
            .split_first_chunk::<2>()
            .map(|(n, rest)| (u16::from_le_bytes(*n).into(), rest))
            .ok_or_else(cut)?,
        2 | 3 => rest
            .split_first_chunk::<4>()
            .map(|(n, rest)| (u32::from_le_bytes(*n) as usize, rest))
            .ok_or_else(cut)?,
        other => return Err(bad(format!("npy version {other} is not known; versions 1, 2 and 3 are"))),
    };
    if length > HEADER_LIMIT {
        return Err(bad(format!("the npy header is {length} bytes long; at most {HEADER_LIMIT} are read")));
    }
    let (header, elements) = rest.split_at_checked(length).ok_or_else(cut)?;
    let header = std::str::from_utf8(header).map_err(|_| bad("the npy header is not text"))?;
    Ok((header, elements))
}

/// An element type of numpy's.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Element {
    Number(DType),
    /// Fixed-width text of this many code points of 4 bytes.
    Ucs4(usize),
    /// Fixed-width text of this many bytes.
    Bytes(usize),
}

impl Element {
    fn parse(kind: &str) -> Option<Self> {
        let sized = |digits: &str| digits.parse().ok().filter(|n| *n < HEADER_LIMIT * HEADER_LIMIT);
        Some(match kind {
            "b1" | "?" => Self::Number(DType::Bool),
            "i1" => Self::Number(DType::I8),
            "i2" => Self::Number(DType::I16),
            "i4" => Self::Number(DType::I32),
            "i8" => Self::Number(DType::I64),
            "u1" => Self::Number(DType::U8),
            "u2" => Self::Number(DType::U16),
            "u4" => Self::Number(DType::U32),
            "u8" => Self::Number(DType::U64),
            "f2" => Self::Number(DType::F16),
            "f4" => Self::Number(DType::F32),
            "f8" => Self::Number(DType::F64),
            text => match text.split_at_checked(1)? {
                ("U", digits) => Self::Ucs4(sized(digits)?),
                ("S" | "a", digits) => Self::Bytes(sized(digits)?),
                _ => return None,
            },
        })
    }

    fn size_bytes(self) -> usize {
        match self {
            Self::Number(dtype) => dtype.size_bytes().unwrap_or(1),
            Self::Ucs4(n) => 4 * n,
            Self::Bytes(n) => n,
        }
    }

    fn read(self, bytes: &[u8], count: usize, order: Order) -> Result<Data, FunctionError> {
        match self {
            Self::Number(dtype) => from_bytes(dtype, bytes, order)
                .ok_or_else(|| bad("a bool element of the npy body is neither 0 nor 1")),
            Self::Ucs4(0) | Self::Bytes(0) => Err(bad("the npy body holds texts of width 0")),
            Self::Ucs4(n) => texts(bytes, 4 * n, count, |text| ucs4(text, order)),
            Self::Bytes(n) => texts(bytes, n, count, |text| {
                let end = text.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
                std::str::from_utf8(&text[..end]).ok().map(str::to_owned)
            }),
        }
    }
}

fn texts(
    bytes: &[u8],
    width: usize,
    count: usize,
    read: impl Fn(&[u8]) -> Option<String>,
) -> Result<Data, FunctionError> {
    check_texts(count)?;
    let mut texts = Vec::with_capacity(count);
    for (i, text) in bytes.chunks_exact(width).enumerate() {
        texts.push(read(text).ok_or_else(|| bad(format!("text {i} of the npy body is not valid Unicode")))?);
    }
    Ok(Data::Str(texts))
}

fn ucs4(text: &[u8], order: Order) -> Option<String> {
    let point = |bytes: &[u8; 4]| match order {
        Order::Little => u32::from_le_bytes(*bytes),
        Order::Big => u32::from_be_bytes(*bytes),
    };
    let text: Option<String> = text.as_chunks::<4>().0.iter().map(|b| char::from_u32(point(b))).collect();
    text.map(|text| text.trim_end_matches('\0').to_owned())
}

/// What the header says.
#[derive(Debug, PartialEq)]
struct Header {
    element: Element,
    order: Order,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`: three keys in any order, nothing else.
    fn parse(text: &str) -> Result<Self, FunctionError> {
        let descr = value(text, "descr")?;
        let Some(descr) = quoted(descr) else {
            return Err(bad(
                "the npy body holds records with named fields, where one plain array was expected",
            ));
        };
        let (order, kind) = match descr.split_at_checked(1) {
            Some(("<" | "|" | "=", kind)) => (Order::Little, kind),
            Some((">", kind)) => (Order::Big, kind),
            _ => (Order::Little, descr),
        };
        if kind.starts_with('O') {
            return Err(bad(
                "the npy body holds Python objects, which are never read: a pickle is a program",
            ));
        }
        let element = Element::parse(kind).ok_or_else(|| {
            bad(format!("the npy dtype {} is not known here", crate::text::quoted(descr)))
                .hint("convert it: array.astype('float32'), 'int64', 'bool' or 'U'")
        })?;
        let fortran = match value(text, "fortran_order")? {
            order if order.starts_with("True") => true,
            order if order.starts_with("False") => false,
            _ => return Err(bad("fortran_order in the npy header is neither True nor False")),
        };
        Ok(Self { element, order, fortran, shape: shape(value(text, "shape")?)? })
    }
}

/// What follows a key of the header.
fn value<'a>(header: &'a str, key: &str) -> Result<&'a str, FunctionError> {
    let missing = || bad(format!("the npy header has no '{key}'"));
    let found = [format!("'{key}'"), format!("\"{key}\"")].iter().find_map(|k| header.split_once(k.as_str()));
    let (_, rest) = found.ok_or_else(missing)?;
    Ok(rest.trim_start().strip_prefix(':').ok_or_else(missing)?.trim_start())
}

/// The text in quotes that a value begins with.
fn quoted(value: &str) -> Option<&str> {
    let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    value[1..].split_once(quote).map(|(text, _)| text)
}

fn shape(value: &str) -> Result<Vec<usize>, FunctionError> {
    let inner = value.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(inner, _)| inner);
    let inner = inner.ok_or_else(|| bad("the shape in the npy header is not a tuple"))?;
    let dims = inner.split(',').map(str::trim).filter(|dim| !dim.is_empty());
    // Python 2 wrote 3L.
    let dims: Option<Vec<usize>> = dims.map(|dim| dim.trim_end_matches('L').parse().ok()).collect();
    dims.filter(|dims| dims.len() <= RANK_LIMIT)
        .ok_or_else(|| bad(format!("the shape ({}) in the npy header is not a list of sizes", inner.trim())))
}

/// Elements in Fortran's order (first index fastest), put into ours.
fn row_major(data: &Data, shape: &[usize]) -> Data {
    // The steps of each index in the source.
    let steps: Vec<usize> =
        shape.iter().scan(1, |step, dim| Some(std::mem::replace(step, *step * dim))).collect();
    let source = |mut at: usize| {
        let dims = shape.iter().zip(&steps).rev();
        dims.map(|(dim, step)| {
            let index = at % dim;
            at /= dim;
            index * step
        })
        .sum::<usize>()
    };
    permuted(data, source)
}

#[cfg(test)]
mod tests {
    use half::f16;
    use proptest::prelude::*;

    use super::*;

    /// A body as numpy writes it.
    fn npy(version: u8, header: &str, elements: &[u8]) -> Vec<u8> {
        let length = match version {
            1 => (header.len() as u16).to_le_bytes().to_vec(),
            _ => (header.len() as u32).to_le_bytes().to_vec(),
        };
        [MAGIC, &[version, 0], &length, header.as_bytes(), elements].concat()
    }

    fn header(descr: &str, fortran: bool, shape: &str) -> String {
        let fortran = if fortran { "True" } else { "False" };
        format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n")
    }

    #[test]
    fn both_byte_orders_both_memory_orders_and_all_versions_are_read() {
        let expected = Tensor::new(vec![2, 2], vec![1_i16, 2, 3, 4]).unwrap();
        for version in 1..=3 {
            for (descr, fortran, elements) in [
                ("'<i2'", false, [1, 0, 2, 0, 3, 0, 4, 0]),
                ("'>i2'", false, [0, 1, 0, 2, 0, 3, 0, 4]),
                ("'<i2'", true, [1, 0, 3, 0, 2, 0, 4, 0]),
            ] {
                let body = npy(version, &header(descr, fortran, "(2, 2)"), &elements);
                assert_eq!(read(&body).unwrap(), expected, "{version} {descr} {fortran}");
            }
        }
        let scalar = read(&npy(1, &header("'|u1'", false, "()"), &[7])).unwrap();
        assert_eq!(scalar, Tensor::new(vec![], vec![7_u8]).unwrap());
    }

    #[test]
    fn texts_of_both_kinds_are_read() {
        let texts = Tensor::vector(vec!["ab".to_owned(), "c".to_owned()]);
        assert_eq!(read(&npy(1, &header("'|S2'", false, "(2,)"), b"abc\0")).unwrap(), texts);
        let wide: Vec<u8> = "abc\0".chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
        assert_eq!(read(&npy(1, &header("'>U2'", false, "(2,)"), &wide)).unwrap(), texts);
    }

    #[test]
    fn objects_are_never_read() {
        let error = read(&npy(1, &header("'|O'", false, "(1,)"), b"\x80\x04.")).unwrap_err();
        assert!(error.message.contains("a pickle is a program"), "{error}");
    }

    #[test]
    fn damaged_bodies_are_refused_before_anything_is_allocated() {
        let good = write(&Tensor::vector(vec![1.0_f32, 2.0]));
        for end in 0..good.len() {
            assert!(read(&good[..end]).is_err(), "cut at {end}");
        }
        for (descr, shape) in [
            ("'<f4'", "(2,)"),
            ("'<f4'", "(-1, 4)"),
            ("'<f4'", "(9999999999999, 9999999999999)"),
            ("'<f4'", "(18446744073709551615,)"),
            ("'<f4'", "4"),
            ("'<c8'", "(1,)"),
            ("'<U99999999999999'", "(1,)"),
            ("'<U0'", "(99999999999,)"),
            ("[('a', '<f4')]", "(1,)"),
            ("''", "(1,)"),
            ("'ä'", "(1,)"),
        ] {
            let error = read(&npy(2, &header(descr, false, shape), &[])).unwrap_err();
            assert_eq!(
                (error.code, error.message.len() > 20),
                (Code::BadBody, true),
                "{descr} {shape}: {error}"
            );
        }
        assert!(read(&npy(1, &header("'|b1'", false, "(1,)"), &[2])).is_err(), "a bool of 2");
        assert!(read(&[MAGIC, &[2, 0, 0xff, 0xff, 0xff, 0xff]].concat()).is_err(), "a header of 4 GiB");
    }

    fn round_trip(data: Data) {
        let tensor = Tensor::new(vec![data.len(), 1], data).unwrap();
        let body = write(&tensor);
        assert_eq!((body.len() as u64 - size_bytes(&tensor)) % 64, 0);
        assert_eq!(format!("{:?}", read(&body).unwrap()), format!("{tensor:?}"));
    }

    proptest! {
        #[test]
        fn tensors_survive_npy(bits in proptest::collection::vec(any::<u64>(), 0..20), words in proptest::collection::vec("[^\0]*", 0..5)) {
            round_trip(Data::U64(bits.clone()));
            round_trip(Data::I64(bits.iter().map(|b| *b as i64).collect()));
            round_trip(Data::U32(bits.iter().map(|b| *b as u32).collect()));
            round_trip(Data::I32(bits.iter().map(|b| *b as i32).collect()));
            round_trip(Data::U16(bits.iter().map(|b| *b as u16).collect()));
            round_trip(Data::I16(bits.iter().map(|b| *b as i16).collect()));
            round_trip(Data::U8(bits.iter().map(|b| *b as u8).collect()));
            round_trip(Data::I8(bits.iter().map(|b| *b as i8).collect()));
            round_trip(Data::Bool(bits.iter().map(|b| b % 2 == 0).collect()));
            round_trip(Data::F64(bits.iter().map(|b| f64::from_bits(*b)).collect()));
            round_trip(Data::F32(bits.iter().map(|b| f32::from_bits(*b as u32)).collect()));
            round_trip(Data::F16(bits.iter().map(|b| f16::from_bits(*b as u16)).collect()));
            round_trip(Data::Str(words));
        }

        #[test]
        fn no_body_makes_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..200), header in ".{0,80}") {
            let _ = read(&body);
            let _ = read(&npy(1, &header, &body));
        }
    }
}
