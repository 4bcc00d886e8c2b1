//! The opcodes of pickle, protocols 0 to 5, with what follows each in the stream.

use crate::pickle::limits::{Keep, MAX_KEPT_HEAD_BYTES, MAX_KEPT_LINE_BYTES};
use crate::pickle::stream::{Read, Stream};
use crate::pickle::text;

/// The highest protocol that there is.
const MAX_PROTOCOL: u8 = 5;
/// Opcodes that protocol 1 added; those of later protocols need not be told apart, they come with `PROTO`.
const OF_PROTOCOL_1: &[u8] = b"KMJGTUX]})eu1hjqroQ";

/// A value that stands in the stream itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `None`
    None,
    /// `True` or `False`
    Bool(bool),
    /// A whole number of up to 64 bits.
    Int(i64),
    /// A float, by its bits.
    Float(u64),
    /// A text that is short and plain enough to be kept.
    Text(String),
    /// Bytes; of those that look like JSON the head, where not all is kept.
    Bytes(Vec<u8>),
    /// Something that no import, shape or version is made from: a long text, a large number.
    Other,
}

/// One opcode, named as in Python's `pickletools`, which documents them.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    Proto(u8),
    Frame(u64),
    Stop,
    Push(Literal),
    Mark,
    Pop,
    PopMark,
    Dup,
    Put(u64),
    Get(u64),
    Memoize,
    EmptyTuple,
    Tuple,
    TupleOf(usize),
    EmptyList,
    List,
    Append,
    Appends,
    EmptyDict,
    Dict,
    SetItem,
    SetItems,
    EmptySet,
    AddItems,
    FrozenSet,
    Global { module: String, name: String },
    StackGlobal,
    Inst { module: String, name: String },
    Obj,
    NewObj,
    NewObjEx,
    Reduce,
    Build,
    Extension(u64),
    PersistentId { on_stack: bool },
    NextBuffer,
    ReadonlyBuffer,
}

/// True when no protocol before 1 has this opcode.
pub fn is_binary(opcode: u8) -> bool {
    OF_PROTOCOL_1.contains(&opcode)
}

/// Reads the next opcode.
pub fn next(stream: &mut Stream) -> Read<Op> {
    let opcode = stream.byte()?;
    if let Some(op) = bare(opcode) {
        return Ok(op);
    }
    Ok(match opcode {
        0x80 => Op::Proto(protocol(stream)?),
        0x95 => Op::Frame(u64::from_le_bytes(stream.exact()?)),
        b'c' => {
            let (module, name) = names(stream)?;
            Op::Global { module, name }
        }
        b'i' => {
            let (module, name) = names(stream)?;
            Op::Inst { module, name }
        }
        b'p' => Op::Put(index_line(stream)?),
        b'g' => Op::Get(index_line(stream)?),
        b'q' => Op::Put(unsigned::<1>(stream)?),
        b'h' => Op::Get(unsigned::<1>(stream)?),
        b'r' => Op::Put(unsigned::<4>(stream)?),
        b'j' => Op::Get(unsigned::<4>(stream)?),
        0x82 => Op::Extension(unsigned::<1>(stream)?),
        0x83 => Op::Extension(unsigned::<2>(stream)?),
        0x84 => Op::Extension(unsigned::<4>(stream)?),
        b'P' => {
            stream.line()?;
            Op::PersistentId { on_stack: false }
        }
        _ => Op::Push(literal(opcode, stream)?),
    })
}

/// Opcodes that nothing follows.
fn bare(opcode: u8) -> Option<Op> {
    Some(match opcode {
        b'.' => Op::Stop,
        b'(' => Op::Mark,
        b'0' => Op::Pop,
        b'1' => Op::PopMark,
        b'2' => Op::Dup,
        0x94 => Op::Memoize,
        b')' => Op::EmptyTuple,
        b't' => Op::Tuple,
        0x85 => Op::TupleOf(1),
        0x86 => Op::TupleOf(2),
        0x87 => Op::TupleOf(3),
        b']' => Op::EmptyList,
        b'l' => Op::List,
        b'a' => Op::Append,
        b'e' => Op::Appends,
        b'}' => Op::EmptyDict,
        b'd' => Op::Dict,
        b's' => Op::SetItem,
        b'u' => Op::SetItems,
        0x8f => Op::EmptySet,
        0x90 => Op::AddItems,
        0x91 => Op::FrozenSet,
        0x93 => Op::StackGlobal,
        b'o' => Op::Obj,
        0x81 => Op::NewObj,
        0x92 => Op::NewObjEx,
        b'R' => Op::Reduce,
        b'b' => Op::Build,
        b'Q' => Op::PersistentId { on_stack: true },
        0x97 => Op::NextBuffer,
        0x98 => Op::ReadonlyBuffer,
        b'N' => Op::Push(Literal::None),
        0x88 => Op::Push(Literal::Bool(true)),
        0x89 => Op::Push(Literal::Bool(false)),
        _ => return None,
    })
}

fn literal(opcode: u8, stream: &mut Stream) -> Read<Literal> {
    match opcode {
        b'I' | b'L' => Ok(text::number_line(&stream.line()?)),
        b'J' => Ok(Literal::Int(i32::from_le_bytes(stream.exact()?).into())),
        b'K' => Ok(Literal::Int(unsigned::<1>(stream)? as i64)),
        b'M' => Ok(Literal::Int(unsigned::<2>(stream)? as i64)),
        0x8a => long(stream, 1),
        0x8b => long(stream, 4),
        b'F' => Ok(text::float_line(&stream.line()?)),
        b'G' => Ok(Literal::Float(u64::from_be_bytes(stream.exact()?))),
        b'S' => Ok(text::quoted_line(&stream.line()?)),
        b'V' => Ok(text::escaped_line(&stream.line()?)),
        b'U' => text_of::<1>(stream).map(text::ascii),
        b'T' => text_of::<4>(stream).map(text::ascii),
        0x8c => text_of::<1>(stream).map(text::utf8),
        b'X' => text_of::<4>(stream).map(text::utf8),
        0x8d => text_of::<8>(stream).map(text::utf8),
        b'C' => bytes::<1>(stream),
        b'B' => bytes::<4>(stream),
        0x8e | 0x96 => bytes::<8>(stream),
        _ => Err(stream.damage(format!("0x{opcode:02x} is not an opcode of pickle"))),
    }
}

fn protocol(stream: &mut Stream) -> Read<u8> {
    let protocol = stream.byte()?;
    if protocol > MAX_PROTOCOL {
        return Err(stream.damage(format!("it says protocol {protocol}; the newest is {MAX_PROTOCOL}")));
    }
    Ok(protocol)
}

fn unsigned<const N: usize>(stream: &mut Stream) -> Read<u64> {
    let mut wide = [0; 8];
    wide[..N].copy_from_slice(&stream.exact::<N>()?);
    Ok(u64::from_le_bytes(wide))
}

/// A whole number in two's complement, of as many bytes as the length before it says.
fn long(stream: &mut Stream, len_bytes: usize) -> Read<Literal> {
    let len = if len_bytes == 1 { unsigned::<1>(stream)? } else { unsigned::<4>(stream)? };
    let bytes = stream.head(len, 9)?;
    if bytes.len() > 8 {
        return Ok(Literal::Other);
    }
    let sign = if bytes.last().is_some_and(|last| last & 0x80 != 0) { 0xff } else { 0 };
    let mut wide = [sign; 8];
    wide[..bytes.len()].copy_from_slice(&bytes);
    Ok(Literal::Int(i64::from_le_bytes(wide)))
}

/// The bytes of a text; `None` when it is too long to be kept.
fn text_of<const N: usize>(stream: &mut Stream) -> Read<Option<Vec<u8>>> {
    let len = unsigned::<N>(stream)?;
    let limit = stream.keep.text_bytes();
    let kept = stream.head(len, limit)?;
    Ok((len <= limit).then_some(kept))
}

fn bytes<const N: usize>(stream: &mut Stream) -> Read<Literal> {
    let len = unsigned::<N>(stream)?;
    if stream.keep == Keep::Whole {
        return Ok(stream.whole(len)?.map_or(Literal::Other, Literal::Bytes));
    }
    let head = stream.head(len, MAX_KEPT_HEAD_BYTES)?;
    Ok(if head.first() == Some(&b'{') { Literal::Bytes(head) } else { Literal::Other })
}

/// Module and name, a line each.
fn names(stream: &mut Stream) -> Read<(String, String)> {
    let mut name = || {
        let line = stream.line()?;
        let name = String::from_utf8(line).ok().filter(|name| name.len() < MAX_KEPT_LINE_BYTES);
        name.ok_or_else(|| stream.damage("an import's name is not UTF-8, or endless"))
    };
    Ok((name()?, name()?))
}

/// A place in the memo. Python reads more spellings of a number than it writes; those are refused.
fn index_line(stream: &mut Stream) -> Read<u64> {
    let line = stream.line()?;
    let digits = std::str::from_utf8(&line).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    digits
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| stream.damage("a place in the memo is not a number"))
}
