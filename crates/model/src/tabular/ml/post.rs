//! What is done to the scores of a row at the end.

use crate::tabular::number::Float;
use crate::tabular::site::Site;
use crate::tabular::standard::{divide, logistic};

/// A `post_transform`. `PROBIT` is refused: it is an approximation that no two runtimes share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Post {
    Nothing,
    Logistic,
    Softmax,
    SoftmaxZero,
}

/// What `SOFTMAX_ZERO` takes for zero.
const ZERO: f32 = 1e-7;

impl Post {
    pub(super) fn new(site: &Site<'_>) -> Result<Self, String> {
        match site.text("post_transform")?.as_deref().unwrap_or("NONE") {
            "NONE" => Ok(Self::Nothing),
            "LOGISTIC" => Ok(Self::Logistic),
            "SOFTMAX" => Ok(Self::Softmax),
            "SOFTMAX_ZERO" => Ok(Self::SoftmaxZero),
            other => Err(format!("the post_transform {other}")),
        }
    }

    /// Changes the scores of one row.
    pub(super) fn apply<T: Float>(self, scores: &mut [T]) {
        match self {
            Self::Nothing => {}
            Self::Logistic => scores.iter_mut().for_each(|score| *score = logistic(*score)),
            Self::Softmax => softmax(scores, |score, largest| score.minus(largest).exp()),
            Self::SoftmaxZero => softmax(scores, |score, largest| {
                let zero = score.magnitude() <= T::of_f32(ZERO);
                if zero { score.times(T::ZERO.minus(largest).exp()) } else { score.minus(largest).exp() }
            }),
        }
    }
}

fn softmax<T: Float>(scores: &mut [T], weight: impl Fn(T, T) -> T) {
    let Some(largest) = scores.iter().copied().reduce(T::larger) else { return };
    scores.iter_mut().for_each(|score| *score = weight(*score, largest));
    let sum = scores.iter().copied().fold(T::ZERO, T::plus);
    scores.iter_mut().for_each(|score| *score = divide(*score, sum));
}
