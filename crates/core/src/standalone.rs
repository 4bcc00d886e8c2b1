//! One file that is a program and the artifact that it serves: the runtime, then the artifact, then a [`Trailer`].
//!
//! The artifact is its card, as JSON, and after it the files that the card lists, in that order, each from a multiple of
//! [`ALIGNMENT`] on, so that numbers are where processors like them.

/// The last bytes of such a file, which say what it is. A change of the format is another mark.
const MARK: &[u8; 16] = b"modelet-alone-1\n";

/// Files of the artifact begin at multiples of this, in bytes, counted from its own beginning.
pub const ALIGNMENT: u64 = 64;

/// What stands at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trailer {
    /// Bytes of the card.
    pub card_bytes: u64,
    /// Bytes of the artifact, the card included. It ends where the trailer begins.
    pub artifact_bytes: u64,
    /// SHA-256 of the artifact.
    pub sha256: [u8; 32],
}

impl Trailer {
    /// Its size in bytes.
    pub const BYTES: usize = 64;

    /// As it is written.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.card_bytes.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.artifact_bytes.to_le_bytes());
        bytes[16..48].copy_from_slice(&self.sha256);
        bytes[48..].copy_from_slice(MARK);
        bytes
    }

    /// Reads it; `None` where it is none.
    pub fn of(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let number = |at: usize| bytes[at..at + 8].try_into().map(u64::from_le_bytes).ok();
        let sha256 = bytes[16..48].try_into().ok()?;
        (&bytes[48..] == MARK).then_some(())?;
        Some(Self { card_bytes: number(0)?, artifact_bytes: number(8)?, sha256 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailer_is_read_as_it_was_written_and_nothing_else_is_one() {
        let trailer = Trailer { card_bytes: 7, artifact_bytes: 1 << 33, sha256: [9; 32] };
        let mut bytes = trailer.to_bytes();
        assert_eq!(Trailer::of(&bytes), Some(trailer));
        bytes[63] = b' ';
        assert_eq!(Trailer::of(&bytes), None);
        assert_eq!(Trailer::of(&[0; Trailer::BYTES]), None);
    }
}
