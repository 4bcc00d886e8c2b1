//! What becomes of the sum over the trees, by the loss that a model was trained for: what `predict` and `predict_proba` of
//! CatBoost's own classes answer.

/// What a model answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    /// What goes with its loss.
    OfObjective,
    /// The sum, whatever the loss.
    Sum,
}

/// How sums become answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// A number, or several: the sum.
    Sum,
    /// `exp(x)`
    Exponential,
    /// A mean, and a variance: `exp(2 x)` of the second sum.
    MeanAndVariance,
    /// Two classes: the second is as probable as `1 / (1 + exp(-x))` says.
    Two,
    /// One of several classes, by softmax.
    One,
    /// One of several classes, each with a probability of its own, by its logistic.
    OneOfEach,
    /// Several flags, each with a probability, by its logistic.
    Flags,
}

impl Link {
    /// The link of a loss; `None` for one that is not known.
    pub(super) fn of(objective: &str) -> Option<Self> {
        Some(match objective {
            "Logloss" | "CrossEntropy" | "Focal" => Self::Two,
            "MultiClass" => Self::One,
            "MultiClassOneVsAll" => Self::OneOfEach,
            "MultiLogloss" | "MultiCrossEntropy" => Self::Flags,
            "Poisson" | "Tweedie" => Self::Exponential,
            "RMSEWithUncertainty" => Self::MeanAndVariance,
            "RMSE"
            | "MAE"
            | "Quantile"
            | "MultiQuantile"
            | "LogLinQuantile"
            | "MAPE"
            | "Lq"
            | "Huber"
            | "Expectile"
            | "LogCosh"
            | "MultiRMSE"
            | "MultiRMSEWithMissingValues"
            | "QueryRMSE"
            | "QuerySoftMax"
            | "PairLogit"
            | "PairLogitPairwise"
            | "YetiRank"
            | "YetiRankPairwise"
            | "StochasticRank"
            | "LambdaMart"
            | "StochasticFilter"
            | "GroupQuantile" => Self::Sum,
            _ => return None,
        })
    }
}
