//! How rows come to a model: as a matrix that holds all numbers, or as a sparse one of scipy. To scikit-learn's own models that is
//! the same, but not to those of other libraries.

use super::parts;
use crate::pickle::{Asked, Item};

/// What a matrix of rows holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rows {
    /// All numbers.
    All,
    /// What is not zero, and nothing else.
    NotZero,
    /// What is not zero, and perhaps some zeros.
    SomeZeros,
}

/// How rows come that go through steps.
pub(super) fn behind(steps: &[Item], rows: Rows) -> Asked<Rows> {
    steps.iter().try_fold(rows, |rows, step| behind_one(step, rows))
}

fn behind_one(step: &Item, rows: Rows) -> Asked<Rows> {
    let if_sparse = |is_sparse: bool| if is_sparse { Rows::NotZero } else { Rows::All };
    Ok(match &*step.class()?.name {
        "OneHotEncoder" => {
            // Before version 1.2 it had the second name.
            let said = step.find("sparse_output")?.map_or_else(|| step.get("sparse"), Ok)?;
            if_sparse(said.flag()?)
        }
        "KBinsDiscretizer" => if_sparse(step.get("encode")?.text()? == "onehot"),
        "TfidfTransformer" => rows.max(Rows::NotZero),
        "CountVectorizer" | "TfidfVectorizer" => Rows::NotZero,
        // Hashes whose counts cancel out are held as zeros.
        "HashingVectorizer" => Rows::SomeZeros,
        // Whatever its parts make: what is found at fit is done at predict.
        "ColumnTransformer" if !step.get("sparse_output_")?.flag()? => Rows::All,
        "ColumnTransformer" => of_parts(&step.get("transformers_")?, rows)?.max(Rows::NotZero),
        "FeatureUnion" => of_parts(&step.get("transformer_list")?, rows)?,
        "TruncatedSVD" => Rows::All,
        "VarianceThreshold"
        | "SelectKBest"
        | "SelectPercentile"
        | "SelectFpr"
        | "SelectFdr"
        | "SelectFwe"
        | "GenericUnivariateSelect"
        | "SelectFromModel"
        | "SequentialFeatureSelector"
        | "RFE"
        | "RFECV"
        | "FunctionTransformer" => rows,
        _ if rows == Rows::All => Rows::All,
        // A number that is scaled may become zero, and stay held.
        _ => Rows::SomeZeros,
    })
}

/// What comes of steps side by side: one that holds all numbers loses its zeros beside a sparse one.
fn of_parts(parts: &Item, rows: Rows) -> Asked<Rows> {
    let mut most = Rows::All;
    for part in parts.items()? {
        let part = part.items()?;
        let step = part.get(1).ok_or("a step without a name")?;
        let own = if step.text().is_ok() { rows } else { behind(&parts::of(step)?, rows)? };
        most = most.max(own);
    }
    Ok(most)
}
