//! What the leaves that rows reach add up to: in the order of the trees, in the element type of the trees.

use super::flat::Forest;
use super::masks::{Column, MASK_ROWS, Masks};
use super::walk::{BLOCK_ROWS, LANES};
use crate::tabular::number::{Float, Number};

/// Fewer rows than these are walked sooner than a whole round of masks is done.
const MASK_WORTH_ROWS: usize = 6;

/// How the leaves of one row become a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregate {
    Sum,
    Average,
    Min,
    Max,
}

/// Trees, and what is done with their leaves.
#[derive(Debug, Clone)]
pub(super) struct Ensemble<T> {
    forest: Forest<T>,
    /// Where all trees are small.
    masks: Option<Masks<T>>,
    aggregate: Aggregate,
    /// Added to each target at the end; empty for nothing.
    base: Vec<T>,
}

impl<T: Float> Ensemble<T> {
    pub(super) fn new(forest: Forest<T>, aggregate: Aggregate, base: Vec<T>) -> Result<Self, String> {
        if !base.is_empty() && base.len() != forest.targets {
            return Err(format!("{} base values for {} targets", base.len(), forest.targets));
        }
        let picks = matches!(aggregate, Aggregate::Min | Aggregate::Max);
        if picks && forest.single.is_empty() {
            // Of a target that no leaf speaks of, the standard does not say what the smallest is.
            return Err("the smallest or largest leaf of several targets".into());
        }
        Ok(Self { masks: Masks::new(&forest), forest, aggregate, base })
    }

    pub(super) fn targets(&self) -> usize {
        self.forest.targets
    }

    /// Columns that a row must have.
    pub(super) fn columns(&self) -> usize {
        self.forest.columns
    }

    /// The scores of `rows` rows of `columns` numbers each, row-major. The rows must have [`Ensemble::columns`].
    pub(super) fn scores(&self, data: &[T], columns: usize, rows: usize) -> Vec<T> {
        let first = match self.aggregate {
            Aggregate::Min => T::MOST,
            Aggregate::Max => T::LEAST,
            Aggregate::Sum | Aggregate::Average => T::ZERO,
        };
        let mut scores = vec![first; rows * self.forest.targets];
        // Without a column there is no number to read, and no branch that would.
        let columnless = [T::ZERO];
        let data = if data.is_empty() { &columnless[..] } else { data };
        let masked = self.masked_rows(rows);
        if let Some(masks) = &self.masks {
            for from in (0..masked).step_by(MASK_ROWS) {
                self.mask(masks, data, columns, from..rows.min(from + MASK_ROWS), &mut scores);
            }
        }
        let whole = rows - (rows - masked) % LANES;
        for from in (masked..whole).step_by(BLOCK_ROWS) {
            self.block(data, columns, from..whole.min(from + BLOCK_ROWS), &mut scores);
        }
        for row in whole..rows {
            self.row(data, columns, row, &mut scores);
        }
        self.finish(&mut scores);
        scores
    }

    /// How many of the first rows are asked through masks: all but a rest too small to be worth a whole round.
    fn masked_rows(&self, rows: usize) -> usize {
        let rest = rows % MASK_ROWS;
        match &self.masks {
            None => 0,
            Some(_) if rest < MASK_WORTH_ROWS => rows - rest,
            Some(_) => rows,
        }
    }

    /// Up to [`MASK_ROWS`] rows through masks; places without a row stand for the last one again.
    fn mask(
        &self,
        masks: &Masks<T>,
        data: &[T],
        columns: usize,
        rows: std::ops::Range<usize>,
        scores: &mut [T],
    ) {
        let last = rows.len() - 1;
        let column = |column: usize| -> Column<T> {
            std::array::from_fn(|lane| data[(rows.start + lane.min(last)) * columns + column])
        };
        let turned: Vec<_> = (0..self.forest.columns).map(column).collect();
        masks.each_tree(&turned, &self.forest.sets, |places| {
            self.add_all(&places[..rows.len()], rows.start, scores);
        });
    }

    /// Rows in whole lanes, tree after tree.
    fn block(&self, data: &[T], columns: usize, rows: std::ops::Range<usize>, scores: &mut [T]) {
        for tree in &self.forest.trees {
            for from in rows.clone().step_by(LANES) {
                let mut places = [tree.root; LANES];
                let starts = std::array::from_fn(|lane| (from + lane) * columns);
                self.forest.descend(&mut places, &starts, data, tree.depth);
                self.add_all(&places, from, scores);
            }
        }
    }

    /// One row, several trees at once.
    fn row(&self, data: &[T], columns: usize, row: usize, scores: &mut [T]) {
        let numbers = if columns == 0 { data } else { &data[row * columns..(row + 1) * columns] };
        let missing = numbers.iter().any(|x| x.is_missing());
        for trees in self.forest.trees.chunks(LANES) {
            // Lanes without a tree walk the last one again.
            let mut places = std::array::from_fn(|lane| trees[lane.min(trees.len() - 1)].root);
            let depth = trees.iter().map(|tree| tree.depth).max().unwrap_or(0);
            self.forest.descend_one(&mut places, numbers, missing, depth);
            for place in &places[..trees.len()] {
                self.add(*place, row, scores);
            }
        }
    }

    /// Adds what leaves say about rows, one after the other from `first` on.
    #[inline]
    fn add_all(&self, places: &[u32], first: usize, scores: &mut [T]) {
        let weights = &self.forest.single;
        let sums = matches!(self.aggregate, Aggregate::Sum | Aggregate::Average);
        if weights.is_empty() || !sums {
            return places
                .iter()
                .enumerate()
                .for_each(|(lane, place)| self.add(*place, first + lane, scores));
        }
        for (score, place) in scores[first..first + places.len()].iter_mut().zip(places) {
            *score = score.plus(weights[*place as usize]);
        }
    }

    /// Adds what a leaf says about a row.
    #[inline]
    fn add(&self, place: u32, row: usize, scores: &mut [T]) {
        let forest = &self.forest;
        if let Some(weight) = forest.single.get(place as usize) {
            let score = &mut scores[row];
            *score = match self.aggregate {
                Aggregate::Sum | Aggregate::Average => score.plus(*weight),
                Aggregate::Min => score.smaller(*weight),
                Aggregate::Max => score.larger(*weight),
            };
            return;
        }
        let at = place as usize;
        let (from, to) = (forest.additions_from[at] as usize, forest.additions_from[at + 1] as usize);
        let scores = &mut scores[row * forest.targets..(row + 1) * forest.targets];
        for (target, weight) in &forest.additions[from..to] {
            let score = &mut scores[*target as usize];
            *score = Number::plus(*score, *weight);
        }
    }

    fn finish(&self, scores: &mut [T]) {
        if self.aggregate == Aggregate::Average {
            let trees = T::of_count(self.forest.trees.len());
            scores.iter_mut().for_each(|score| *score = score.over(trees).unwrap_or_default());
        }
        if !self.base.is_empty() {
            for row in scores.chunks_exact_mut(self.base.len()) {
                row.iter_mut().zip(&self.base).for_each(|(score, base)| *score = score.plus(*base));
            }
        }
    }
}
