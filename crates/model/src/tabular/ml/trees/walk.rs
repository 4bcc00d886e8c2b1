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
            self.steps::<false>(places, starts, data, depth);
        } else {
            self.steps::<true>(places, starts, data, depth);
        }
    }

    fn steps<const SETS: bool>(
        &self,
        places: &mut [u32; LANES],
        starts: &[usize; LANES],
        data: &[T],
        depth: u32,
    ) {
        for _ in 0..depth {
            let mut moved = 0;
            for (place, start) in places.iter_mut().zip(starts) {
                let node = self.nodes[*place as usize];
                let x = data[start + (node.feature & COLUMN) as usize];
                let mut passes = x <= node.threshold;
                if SETS && node.feature & IS_SET != 0 {
                    passes = self.sets[self.set_of[*place as usize] as usize].contains(x);
                }
                passes |= x.is_missing() & (node.feature & MISSING_IS_YES != 0);
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
