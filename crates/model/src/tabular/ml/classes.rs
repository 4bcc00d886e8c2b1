//! The class labels of a classifier.

use modelet_core::{DType, Data};

use crate::tabular::site::Site;

/// Labels, in the order of the scores.
#[derive(Debug, Clone)]
pub(in crate::tabular) enum Classes {
    Texts(Vec<String>),
    Integers(Vec<i64>),
}

impl Classes {
    /// The labels of a node; `integers` is how its operator calls the list of integers.
    pub(in crate::tabular) fn new(site: &Site<'_>, integers: &'static str) -> Result<Self, String> {
        let (texts, integers) = (site.texts("classlabels_strings")?, site.ints(integers));
        match (texts.is_empty(), integers.is_empty()) {
            (false, true) => Ok(Self::Texts(texts)),
            (true, false) => Ok(Self::Integers(integers.to_vec())),
            _ => Err("it needs one list of class labels".into()),
        }
    }

    pub(in crate::tabular) fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Integers(integers) => integers.len(),
        }
    }

    pub(in crate::tabular) fn dtype(&self) -> DType {
        match self {
            Self::Texts(_) => DType::Str,
            Self::Integers(_) => DType::I64,
        }
    }

    /// True when a label stands twice.
    pub(in crate::tabular) fn repeat(&self) -> bool {
        fn repeats<T: Ord>(list: &[T]) -> bool {
            let mut sorted: Vec<_> = list.iter().collect();
            sorted.sort();
            sorted.windows(2).any(|pair| pair[0] == pair[1])
        }
        match self {
            Self::Texts(texts) => repeats(texts),
            Self::Integers(integers) => repeats(integers),
        }
    }

    /// All labels.
    pub(in crate::tabular) fn all(&self) -> Data {
        match self {
            Self::Texts(texts) => texts.clone().into(),
            Self::Integers(integers) => integers.clone().into(),
        }
    }

    /// The labels at these places.
    pub(in crate::tabular) fn at(&self, places: &[usize]) -> Data {
        match self {
            Self::Texts(texts) => Data::Str(places.iter().map(|place| texts[*place].clone()).collect()),
            Self::Integers(integers) => Data::I64(places.iter().map(|place| integers[*place]).collect()),
        }
    }
}

/// The place of the largest number; of equals the first.
pub(super) fn largest<T: PartialOrd>(scores: &[T]) -> usize {
    (1..scores.len()).fold(0, |best, place| if scores[place] > scores[best] { place } else { best })
}
