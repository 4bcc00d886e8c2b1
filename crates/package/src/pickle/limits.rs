//! What reading a file may take. Each is far above what models of people need, and far below what would hurt a machine.

/// Most bytes of a stream, after it is unpacked; raw arrays count, though they are skipped and not held.
pub const MAX_STREAM_BYTES: u64 = 8 << 30;
/// Most opcodes of a file. A vocabulary of a million words takes four million.
pub const MAX_OPCODES: u64 = 50_000_000;
/// Of a line of protocol 0 (texts, numbers and names are lines there) so many bytes are kept; no name is that long.
pub const MAX_KEPT_LINE_BYTES: usize = 16 << 10;
/// Texts up to this size are kept; of longer ones only that they were there.
pub const MAX_KEPT_TEXT_BYTES: u64 = 1024;
/// Most values on the stack, and most marks.
pub const MAX_STACK: usize = 4_000_000;
/// Most entries of the memo.
pub const MAX_MEMO: usize = 10_000_000;
/// Of each list, tuple, set or dict so many items are kept; later ones are only counted.
pub const MAX_KEPT_ITEMS: usize = 1024;
/// About how many bytes may be held for everything that was read.
pub const MAX_HELD_BYTES: u64 = 256 << 20;
/// … where all of it is kept, to be imported.
pub const MAX_HELD_WHOLE_BYTES: u64 = 768 << 20;
/// Most different imports.
pub const MAX_IMPORTS: usize = 10_000;
/// Most notes on what could not be resolved; more say no more.
pub const MAX_UNRESOLVED: usize = 100;
/// Of a serialized booster so many bytes are kept: its version stands near the beginning.
pub const MAX_KEPT_HEAD_BYTES: u64 = 16 << 10;
/// Largest text, array or booster that is taken out of a pickle, in bytes.
pub const MAX_WHOLE_BYTES: u64 = 192 << 20;
/// Most pickles behind one another in one file that are looked into; a model file has one.
pub const MAX_PICKLES: usize = 16;
/// Most bytes of the schema in a .skops file.
pub const MAX_SCHEMA_BYTES: u64 = 64 << 20;
/// Most objects in it, each of which takes over half a KiB of memory, and most commas, each of which parts two values.
pub const MAX_SCHEMA_OBJECTS: usize = 400_000;
/// See there.
pub const MAX_SCHEMA_COMMAS: usize = 4_000_000;
/// Most characters of a name in a message.
pub const MAX_SHOWN_CHARS: usize = 200;
/// How deep estimators within estimators are looked into for what is shown.
pub const MAX_SHOWN_DEPTH: usize = 8;

/// How much is kept of what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// What tells names, versions and shapes.
    Heads,
    /// All of it, up to [`MAX_WHOLE_BYTES`] each and [`MAX_HELD_WHOLE_BYTES`] together.
    Whole,
}

impl Keep {
    /// Most items of a list, tuple, set or dict.
    pub fn items(self) -> usize {
        match self {
            Self::Heads => MAX_KEPT_ITEMS,
            Self::Whole => MAX_STACK,
        }
    }

    /// Most bytes that are held.
    pub fn held_bytes(self) -> u64 {
        match self {
            Self::Heads => MAX_HELD_BYTES,
            Self::Whole => MAX_HELD_WHOLE_BYTES,
        }
    }

    /// Longest text.
    pub fn text_bytes(self) -> u64 {
        match self {
            Self::Heads => MAX_KEPT_TEXT_BYTES,
            Self::Whole => MAX_WHOLE_BYTES,
        }
    }
}
