//! What a model counted of categories in its training: tables, and the numbers that are made of them. Sources: CatBoost's
//! documentation, "Transforming categorical features to numerical features", and its schema `ctr_data.fbs`.

use serde::Deserialize;

/// How counts become numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Kind {
    /// The share of rows whose target is above a border.
    Borders,
    /// The share of rows whose target is between two borders.
    Buckets,
    /// The mean of targets that were put into classes.
    BinarizedTargetMeanValue,
    /// The mean of targets.
    FloatTargetMeanValue,
    /// How often, beside the most frequent.
    Counter,
    /// How often, of all rows.
    FeatureFreq,
}

impl Kind {
    /// As the binary form numbers them.
    pub(super) fn of(number: u8) -> Option<Self> {
        const ALL: [Kind; 6] = [
            Kind::Borders,
            Kind::Buckets,
            Kind::BinarizedTargetMeanValue,
            Kind::FloatTargetMeanValue,
            Kind::Counter,
            Kind::FeatureFreq,
        ];
        ALL.get(usize::from(number)).copied()
    }

    /// True where a table has a sum and a count, not counts of classes.
    pub(super) const fn is_mean(self) -> bool {
        matches!(self, Self::BinarizedTargetMeanValue | Self::FloatTargetMeanValue)
    }

    /// True where a table has one count.
    pub(super) const fn is_frequency(self) -> bool {
        matches!(self, Self::Counter | Self::FeatureFreq)
    }
}

/// What rows are alike in that are counted together.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Alike {
    /// Categories, by the numbers of their columns.
    pub categories: Vec<usize>,
    /// Whether numbers are above borders, by the numbers of their columns.
    pub above: Vec<(usize, f32)>,
    /// Whether categories have codes.
    pub is: Vec<(usize, i32)>,
}

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    pub alike: Alike,
    pub kind: Kind,
    pub counts: Counts,
    /// The count that others are compared with, of frequencies.
    pub most: i32,
    /// Ascending, with the place of the counts of each.
    pub keys: Vec<(i64, usize)>,
}

/// What a table counts for each key.
#[derive(Debug)]
pub(super) enum Counts {
    /// So many numbers, one for each class of the target.
    Classes(Vec<i32>, usize),
    /// A sum and a count.
    Means(Vec<(f32, i32)>),
}

/// A number that is made of a table.
#[derive(Debug)]
pub(super) struct Counted {
    /// Which of the tables.
    pub table: usize,
    /// Of which border or class of the target.
    pub of: usize,
    pub prior: Prior,
}

/// What is added to a count and to what it is of, and how the share is moved and scaled.
pub(super) type Prior = [f32; 4];

impl Table {
    /// What was counted and of how many, of rows that have the counts at a place; `None` where there are none.
    pub(super) fn share(&self, place: usize, of: usize) -> Option<(f32, f32)> {
        let (counts, classes) = match &self.counts {
            Counts::Means(means) => return means.get(place).map(|(sum, count)| (*sum, *count as f32)),
            Counts::Classes(counts, classes) => (counts, *classes),
        };
        let start = place.checked_mul(classes)?;
        let counts = counts.get(start..start.checked_add(classes)?)?;
        if self.kind.is_frequency() {
            return Some((*counts.first()? as f32, self.most as f32));
        }
        let sum = |counts: &[i32]| counts.iter().fold(0_i32, |sum, count| sum.wrapping_add(*count));
        let counted = match self.kind {
            Kind::Buckets => *counts.get(of)?,
            // Of two classes there is one border.
            _ if classes == 2 => counts[1],
            _ => sum(counts.get(of.checked_add(1)?..)?),
        };
        Some((counted as f32, sum(counts) as f32))
    }

    /// The same of rows that are like none of the training.
    pub(super) fn share_of_unknown(&self) -> (f32, f32) {
        (0.0, if self.kind.is_frequency() { self.most as f32 } else { 0.0 })
    }

    /// The codes of all categories, where rows are alike in one category alone: mixing one code into a key can be undone.
    pub(super) fn codes(&self) -> Vec<i32> {
        /// Twice the inverse of what codes are multiplied by, modulo 2^64.
        const UNDO: u64 = inverse(0x4906_ba49_4954_cb65).wrapping_mul(inverse(0x4906_ba49_4954_cb65));
        if self.alike.categories.len() != 1 || !self.alike.above.is_empty() || !self.alike.is.is_empty() {
            return Vec::new();
        }
        let code = |(key, _): &(i64, usize)| key.cast_unsigned().wrapping_mul(UNDO).cast_signed();
        self.keys.iter().filter_map(|key| i32::try_from(code(key)).ok()).collect()
    }
}

/// What an odd number is to be multiplied by to give 1, modulo 2^64, by Newton's way: each step doubles the bits that are right.
pub(super) const fn inverse(number: u64) -> u64 {
    let mut inverse = number;
    let mut step = 0;
    while step < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(number.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
}
