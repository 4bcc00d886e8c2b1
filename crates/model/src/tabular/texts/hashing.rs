//! `FeatureHasher` of scikit-learn: the column of a term is its hash, and its sign may be, too.

/// The largest number of columns.
const MAX_BUCKETS: i64 = 1 << 31;

/// The columns of hashes.
pub(super) struct Buckets {
    width: u32,
    is_signed: bool,
}

impl Buckets {
    pub(super) fn new(buckets: i64, is_signed: bool) -> Result<Self, String> {
        match u32::try_from(buckets) {
            Ok(width) if (1..MAX_BUCKETS).contains(&buckets) => Ok(Self { width, is_signed }),
            _ => Err(format!("{buckets} buckets")),
        }
    }

    pub(super) fn width(&self) -> usize {
        self.width as usize
    }

    /// The column of a term, and what it counts there.
    pub(super) fn place(&self, term: &str) -> (usize, f64) {
        let hash = murmur(term.as_bytes()).cast_signed();
        // The size of the smallest number is its own here, where scikit-learn takes a way around to the same column.
        let place = hash.unsigned_abs() % self.width;
        (place as usize, if self.is_signed && hash < 0 { -1.0 } else { 1.0 })
    }
}

/// MurmurHash3, 32 bits, from the seed 0 (A. Appleby, <https://github.com/aappleby/smhasher>).
fn murmur(bytes: &[u8]) -> u32 {
    let mix = |block: u32| block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let (blocks, rest) = bytes.as_chunks::<4>();
    let mut hash = 0_u32;
    for block in blocks {
        hash ^= mix(u32::from_le_bytes(*block));
        hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    hash ^= mix(u32::from_le_bytes(last));
    hash ^= bytes.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_scikit_learn() {
        // sklearn.utils.murmurhash3_32
        for (text, hash) in
            [("", 0), ("foo", -156_908_512), ("a longer term", -987_386_764), ("ß", 336_885_798)]
        {
            assert_eq!(murmur(text.as_bytes()).cast_signed(), hash, "{text}");
        }
    }
}
