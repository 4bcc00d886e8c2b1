//! What becomes of the sum over the trees: LightGBM's `ConvertOutput`.

/// How a sum becomes a prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Link {
    /// As it is.
    Identity,
    /// Its square, with its sign: what `reg_sqrt` has undone before training.
    SignedSquare,
    /// `exp(x)`
    Exponential,
    /// `1 / (1 + exp(-s x))`
    Logistic(f64),
    /// Over the classes of a row.
    Softmax,
    /// `log(1 + exp(x))`
    Softplus,
}

impl Link {
    /// The link of an objective as the file says it, such as `binary sigmoid:1`; `None` for one that is not known. A file
    /// without one was trained with a function of the user's: LightGBM answers with the sum.
    pub(super) fn of(objective: &str) -> Option<Self> {
        let mut words = objective.split_ascii_whitespace();
        let name = words.next().unwrap_or_default();
        let parameters: Vec<_> = words.collect();
        let sigmoid = || parameters.iter().find_map(|word| word.strip_prefix("sigmoid:")?.parse().ok());
        Some(match name {
            "regression" if parameters.contains(&"sqrt") => Self::SignedSquare,
            "" | "custom" | "regression" | "regression_l1" | "huber" | "fair" | "quantile" | "mape"
            | "lambdarank" | "rank_xendcg" => Self::Identity,
            "poisson" | "gamma" | "tweedie" => Self::Exponential,
            "binary" | "multiclassova" => Self::Logistic(sigmoid()?),
            "cross_entropy" => Self::Logistic(1.0),
            "cross_entropy_lambda" => Self::Softplus,
            "multiclass" => Self::Softmax,
            _ => return None,
        })
    }
}
