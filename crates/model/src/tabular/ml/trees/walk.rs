//! Walks down trees, several at once: a step waits for memory and for the comparison before it, and the steps of one row know
//! nothing of another's, so a processor does many of them in the time of one.

use super::flat::{COLUMN, Forest, IS_SET, MISSING_IS_YES};
use crate::tabular::number::Float;

/// Walks at once.
pub(super) const LANES: usize = 16;
/// Rows that one tree sees before the next one does: a tree stays near the processor, and so do these rows.
pub(super) const BLOCK_ROWS: usize = 4 * LANES;

impl<T: Float> Forest<T> {
    /// Walks each lane from its place over its row (which begins at `starts` in `data`) to a leaf, in at most `depth` steps.
    #[inline]
    pub(super) fn descend(&self, places: &mut [u32; LANES], starts: &[usize; LANES], data: &[T], depth: u32) {
        if self.sets.is_empty() {
            self.steps::<false, true>(places, depth, |lane, column| data[starts[lane] + column]);
        } else {
            self.steps::<true, true>(places, depth, |lane, column| data[starts[lane] + column]);
        }
    }

    /// Walks each lane from its place, all over one row, of which it is known whether it has missing numbers.
    #[inline]
    pub(super) fn descend_one(&self, places: &mut [u32; LANES], row: &[T], missing: bool, depth: u32) {
        match (self.sets.is_empty(), missing) {
            (true, false) => self.steps::<false, false>(places, depth, |_, column| row[column]),
            (true, true) => self.steps::<false, true>(places, depth, |_, column| row[column]),
            (false, _) => self.steps::<true, true>(places, depth, |_, column| row[column]),
        }
    }

    #[inline]
    fn steps<const SETS: bool, const MISSING: bool>(
        &self,
        places: &mut [u32; LANES],
        depth: u32,
        number: impl Fn(usize, usize) -> T,
    ) {
        for _ in 0..depth {
            let mut moved = 0;
            for (lane, place) in places.iter_mut().enumerate() {
                let node = self.nodes[*place as usize];
                let x = number(lane, (node.feature & COLUMN) as usize);
                let mut passes = x <= node.threshold;
                if SETS && node.feature & IS_SET != 0 {
                    passes = self.sets[self.set_of[*place as usize] as usize].contains(x);
                }
                if MISSING {
                    passes |= x.is_missing() & (node.feature & MISSING_IS_YES != 0);
                }
                let next = node.yes + u32::from(!passes);
                moved |= next ^ *place;
                *place = next;
            }
            // All are at leaves.
            if moved == 0 {
                return;
            }
        }
    }
}
