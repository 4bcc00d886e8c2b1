//! What becomes of the sum over the trees, by objective: XGBoost's `PredTransform`, and `ProbToMargin` for what it starts from.

/// How a sum becomes a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// As it is.
    Identity,
    /// As it is, started from the logit of the base score.
    RawLogistic,
    /// `1 / (1 + exp(-x))`
    Logistic,
    /// `exp(x)`
    Exponential,
    /// 1 above zero, else 0.
    Hinge,
    /// Over the classes of a row.
    Softmax,
    /// The class with the largest sum.
    LargestClass,
}

impl Link {
    /// The link of an objective; `None` for one that is not known.
    pub(super) fn of(objective: &str) -> Option<Self> {
        Some(match objective {
            "binary:logistic" | "reg:logistic" => Self::Logistic,
            "binary:logitraw" => Self::RawLogistic,
            "binary:hinge" => Self::Hinge,
            "multi:softprob" => Self::Softmax,
            "multi:softmax" => Self::LargestClass,
            "count:poisson" | "reg:gamma" | "reg:tweedie" | "survival:aft" | "survival:cox" => {
                Self::Exponential
            }
            "reg:squarederror"
            | "reg:linear"
            | "reg:squaredlogerror"
            | "reg:absoluteerror"
            | "reg:pseudohubererror"
            | "reg:quantileerror"
            | "rank:ndcg"
            | "rank:map"
            | "rank:pairwise" => Self::Identity,
            _ => return None,
        })
    }

    /// False for a base score that XGBoost moves away from the ends before its logarithm is taken.
    pub(super) fn takes(self, base_score: f32) -> bool {
        self != Self::Logistic || (1e-5..=1.0 - 1e-5).contains(&base_score)
    }

    /// What the sum starts from: the base score, which is said as a prediction. Computed in float32, as there.
    pub(super) fn margin(self, base_score: f32) -> f32 {
        match self {
            Self::Logistic => -(1.0 / base_score - 1.0).ln(),
            Self::Exponential => base_score.ln(),
            Self::Identity | Self::RawLogistic | Self::Hinge | Self::Softmax | Self::LargestClass => {
                base_score
            }
        }
    }
}
